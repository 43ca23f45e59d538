//! Receive, CRC, append: the least that a bulk produce can cost.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use super::{Figures, wire};
use crate::machine::{Scratch, server_and_client, thread_cpu};

/// Bytes that the server asks the socket for, and the client hands it, at a time.
const CHUNK: usize = 256 * 1024;
/// Bytes of a batch.
const BATCH: usize = 16 * 1024;
/// Messages of 100 B in such a batch.
const MESSAGES: usize = (BATCH - wire::BATCH_HEADER_LEN) / wire::RECORD_LEN;

/// How far the server goes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Receive and discard.
    Receive,
    /// And verify each batch's CRC.
    Verify,
    /// And append to a preallocated file.
    Append,
}

impl Depth {
    fn name(self) -> &'static str {
        match self {
            Depth::Receive => "receive",
            Depth::Verify => "receive+crc",
            Depth::Append => "receive+crc+append",
        }
    }
}

/// Sends `bytes` (rounded down to whole chunks) of batches through it.
pub fn run(dir: &Path, bytes: u64, depth: Depth) -> io::Result<Figures> {
    let scratch = Scratch::new(dir)?;
    let total = bytes / CHUNK as u64 * CHUNK as u64;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let file = scratch.file("log", if depth == Depth::Append { total } else { 0 })?;
    let ((cpu, seconds), ()) = server_and_client(
        || {
            let (mut stream, _) = listener.accept()?;
            let before = (thread_cpu(), Instant::now());
            serve(&mut stream, &file, total, depth)?;
            Ok((thread_cpu() - before.0, before.1.elapsed().as_secs_f64()))
        },
        || send(&mut TcpStream::connect(address)?, total),
    )?;
    let messages = total / BATCH as u64 * MESSAGES as u64;
    let figures = Figures::new(depth.name(), messages, seconds);
    Ok(figures.with_server_cpu(cpu).with_bytes(total, Some(cpu)))
}

fn serve(stream: &mut TcpStream, file: &std::fs::File, total: u64, depth: Depth) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let (mut filled, mut position) = (0, 0_u64);
    while position < total {
        let received = stream.read(&mut buffer[filled..])?;
        if received == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += received;
        let whole = filled / BATCH * BATCH;
        if depth != Depth::Receive && !buffer[..whole].chunks_exact(BATCH).all(wire::crc_holds) {
            return Err(io::Error::other("a batch arrived with a wrong CRC"));
        }
        if depth == Depth::Append && whole > 0 {
            file.write_all_at(&buffer[..whole], position)?;
        }
        buffer.copy_within(whole..filled, 0);
        filled -= whole;
        position += whole as u64;
    }
    Ok(())
}

fn send(stream: &mut TcpStream, total: u64) -> io::Result<()> {
    let chunk = wire::batch(MESSAGES, BATCH).repeat(CHUNK / BATCH);
    for _ in 0..total / CHUNK as u64 {
        stream.write_all(&chunk)?;
    }
    Ok(())
}
