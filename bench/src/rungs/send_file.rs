//! Bare sendfile from page cache to a client that reads: the least that a catch-up can cost.

use std::io::{self, Read};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use super::{Figures, wire};
use crate::machine::{Scratch, server_and_client, thread_cpu};

const CHUNK: usize = 256 * 1024;

/// Writes a file of `bytes`, then sends it once.
pub fn run(dir: &Path, bytes: u64) -> io::Result<Figures> {
    let scratch = Scratch::new(dir)?;
    let total = bytes / CHUNK as u64 * CHUNK as u64;
    let file = scratch.file("log", total)?;
    // As the log was appended: the page cache's folio sizes, and so the cost, follow the writes.
    let batches = wire::batch(1, 16 * 1024).repeat(CHUNK / (16 * 1024));
    for position in (0..total).step_by(CHUNK) {
        file.write_all_at(&batches, position)?;
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (cpu, seconds) = server_and_client(
        || {
            let (stream, _) = listener.accept()?;
            let before = thread_cpu();
            let mut position = 0;
            while position < total {
                if rustix::fs::sendfile(&stream, &file, Some(&mut position), CHUNK)? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Ok(thread_cpu() - before)
        },
        || receive(&mut TcpStream::connect(address)?, total),
    )?;
    let records = total / wire::RECORD_LEN as u64;
    Ok(Figures::new("sendfile", records, seconds).with_server_cpu(cpu).with_bytes(total, Some(cpu)))
}

fn receive(stream: &mut TcpStream, total: u64) -> io::Result<f64> {
    let mut buffer = vec![0; CHUNK];
    let started = Instant::now();
    let mut received = 0;
    while received < total {
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => received += count as u64,
        }
    }
    Ok(started.elapsed().as_secs_f64())
}
