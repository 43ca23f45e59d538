//! A server that verifies, appends and acknowledges what one wake-up brought, and nothing else.

use std::fs::File;
use std::io::{self, IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use super::{Sockets, ringed, wire};
use crate::machine::thread_cpu;

/// What it did.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) messages: u64,
    pub(super) frames: u64,
    pub(super) appends: u64,
    pub(super) calls: u64,
    pub(super) cpu: Duration,
}

/// Serves that many connections until all of them have closed.
pub(super) fn serve(
    listener: &TcpListener,
    file: &File,
    connections: usize,
    sockets: Sockets,
) -> io::Result<Served> {
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let mut appender = Appender { file, position: 0, messages: 0, frames: 0, appends: 0 };
    let before = thread_cpu();
    let calls = match (sockets, &mut streams[..]) {
        (Sockets::Ring(ways), _) => ringed::serve(streams, ways, &mut appender)?,
        (Sockets::Calls, [stream]) => serve_one(stream, &mut appender)?,
        (Sockets::Calls, streams) => serve_many(streams, &mut appender)?,
    };
    let cpu = thread_cpu() - before;
    let Appender { messages, frames, appends, .. } = appender;
    Ok(Served { messages, frames, appends, calls: calls + appends, cpu })
}

/// Blocks in `read`; all whole requests that it brought go together. Says how many system calls on
/// sockets that took.
fn serve_one(stream: &mut TcpStream, appender: &mut Appender<'_>) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 20];
    let mut filled = 0;
    let mut calls = 0;
    let mut requests = Vec::new();
    let mut acks = Vec::new();
    loop {
        calls += 1;
        match stream.read(&mut buffer[filled..])? {
            0 => return Ok(calls),
            received => filled += received,
        }
        let mut taken = 0;
        while let Some(len) = wire::whole_request(&buffer[taken..filled]) {
            acks.extend_from_slice(&wire::ack(&buffer[taken..]));
            requests.push(taken..taken + len);
            taken += len;
        }
        appender.append(requests.drain(..).map(|request| &buffer[request]))?;
        calls += write_all(stream, &acks)?;
        acks.clear();
        buffer.copy_within(taken..filled, 0);
        filled -= taken;
    }
}

/// Waits in `epoll_wait`; what all ready connections brought goes together. Says how many system
/// calls on sockets that took.
fn serve_many(streams: &mut [TcpStream], appender: &mut Appender<'_>) -> io::Result<u64> {
    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    for (index, stream) in streams.iter().enumerate() {
        epoll::add(&poll, stream, EventData::new_u64(index as u64), EventFlags::IN)?;
    }
    let mut buffer = vec![0; 1 << 20];
    let mut events = Vec::with_capacity(streams.len());
    let mut requests = Vec::new();
    let mut acks = Vec::new();
    let mut senders: Vec<(usize, usize)> = Vec::new();
    let mut open = streams.len();
    let mut calls = 0;
    while open > 0 {
        epoll::wait(&poll, spare_capacity(&mut events), None)?;
        calls += 1 + events.len() as u64;
        let mut filled = 0;
        for event in events.drain(..) {
            let index = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
            let received = streams[index].read(&mut buffer[filled..])?;
            if received == 0 {
                epoll::delete(&poll, &streams[index])?;
                open -= 1;
                continue;
            }
            let end = filled + received;
            while let Some(len) = wire::whole_request(&buffer[filled..end]) {
                acks.extend_from_slice(&wire::ack(&buffer[filled..]));
                requests.push(filled..filled + len);
                filled += len;
            }
            if filled != end {
                return Err(in_pieces());
            }
            senders.push((index, acks.len()));
        }
        appender.append(requests.drain(..).map(|request| &buffer[request]))?;
        let mut sent = 0;
        for (index, end) in senders.drain(..) {
            calls += write_all(&mut streams[index], &acks[sent..end])?;
            sent = end;
        }
        acks.clear();
    }
    Ok(calls)
}

/// Like that of the standard library; says how many calls it took.
fn write_all(stream: &mut TcpStream, mut bytes: &[u8]) -> io::Result<u64> {
    let mut calls = 0;
    while !bytes.is_empty() {
        calls += 1;
        match stream.write(bytes)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => bytes = &bytes[written..],
        }
    }
    Ok(calls)
}

/// What a request that no single receive brought is answered with.
pub(super) fn in_pieces() -> io::Error {
    io::Error::other("a small request came in pieces over loopback")
}

/// The end of a file, and what went there.
pub(super) struct Appender<'a> {
    file: &'a File,
    position: u64,
    messages: u64,
    frames: u64,
    appends: u64,
}

impl Appender<'_> {
    /// Verifies every batch and appends all with one vectored write.
    pub(super) fn append<'b>(
        &mut self,
        requests: impl Iterator<Item = &'b [u8]>,
    ) -> io::Result<()> {
        /// How many slices the kernel takes at once.
        const SLICES_MAX: usize = 1024;
        let mut slices = Vec::with_capacity(requests.size_hint().0.min(SLICES_MAX));
        for request in requests {
            let batch = &request[wire::REQUEST_HEADER_LEN..];
            if !wire::crc_holds(batch) {
                return Err(io::Error::other("a batch arrived with a wrong CRC"));
            }
            let records = (batch.len() - wire::BATCH_HEADER_LEN) / wire::RECORD_LEN;
            self.messages += records as u64;
            slices.push(IoSlice::new(batch));
            if slices.len() == SLICES_MAX {
                self.write(&slices)?;
                slices.clear();
            }
        }
        if slices.is_empty() { Ok(()) } else { self.write(&slices) }
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<()> {
        let len: usize = slices.iter().map(|slice| slice.len()).sum();
        if rustix::io::pwritev(self.file, slices, self.position)? != len {
            return Err(io::Error::other("a write to the log was cut short"));
        }
        self.position += len as u64;
        self.frames += slices.len() as u64;
        self.appends += 1;
        Ok(())
    }
}
