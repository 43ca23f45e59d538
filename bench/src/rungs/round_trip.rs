//! A bare round trip of 128 bytes over loopback.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::Figures;
use crate::machine::{server_and_client, thread_cpu};
use crate::stats::{Percentiles, nanos_histogram};

const LEN: usize = 128;

/// How the client waits for its answer. The server always blocks.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// In the system call.
    Block,
    /// By trying again.
    Spin,
}

/// One request after the other for `duration`.
pub fn run(duration: Duration, wait: Wait) -> io::Result<Figures> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (cpu, (histogram, seconds)) = server_and_client(
        || {
            let (mut stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            let before = thread_cpu();
            let mut buffer = [0; LEN];
            while stream.read_exact(&mut buffer).is_ok() {
                stream.write_all(&buffer)?;
            }
            Ok(thread_cpu() - before)
        },
        || {
            let mut stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(wait == Wait::Spin)?;
            let mut histogram = nanos_histogram();
            let started = Instant::now();
            while started.elapsed() < duration {
                let sent = Instant::now();
                stream.write_all(&[7; LEN])?;
                answer(&mut stream)?;
                histogram.saturating_record(nanos(sent.elapsed()));
            }
            Ok((histogram, started.elapsed().as_secs_f64()))
        },
    )?;
    let name = match wait {
        Wait::Block => "round trip, both block",
        Wait::Spin => "round trip, client spins",
    };
    let mut figures = Figures::new(name, histogram.len(), seconds).with_server_cpu(cpu);
    figures.latency_us = Some(Percentiles::of(&histogram));
    Ok(figures)
}

fn answer(stream: &mut TcpStream) -> io::Result<()> {
    let mut buffer = [0; LEN];
    let mut filled = 0;
    while filled < LEN {
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::hint::spin_loop(),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Nanoseconds, capped at what 64 bits hold.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
