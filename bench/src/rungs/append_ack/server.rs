//! A server that verifies, appends and acknowledges what one wake-up brought, and nothing else.

use std::fs::File;
use std::io::{self, IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use super::wire;
use crate::machine::thread_cpu;

/// What it did.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) messages: u64,
    pub(super) frames: u64,
    pub(super) cpu: Duration,
}

/// Serves that many connections until all of them have closed.
pub(super) fn serve(listener: &TcpListener, file: &File, connections: usize) -> io::Result<Served> {
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let mut appender = Appender { file, position: 0, messages: 0, frames: 0 };
    let before = thread_cpu();
    match &mut streams[..] {
        [stream] => serve_one(stream, &mut appender)?,
        streams => serve_many(streams, &mut appender)?,
    }
    let cpu = thread_cpu() - before;
    Ok(Served { messages: appender.messages, frames: appender.frames, cpu })
}

/// Blocks in `read`; all whole requests that it brought go together.
fn serve_one(stream: &mut TcpStream, appender: &mut Appender<'_>) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    let mut filled = 0;
    let mut requests = Vec::new();
    loop {
        match stream.read(&mut buffer[filled..])? {
            0 => return Ok(()),
            received => filled += received,
        }
        let mut taken = 0;
        while let Some(len) = wire::whole_request(&buffer[taken..filled]) {
            requests.push(taken..taken + len);
            taken += len;
        }
        appender.append(&buffer, &requests)?;
        stream.write_all(&[1; wire::ACK_LEN].repeat(requests.len()))?;
        requests.clear();
        buffer.copy_within(taken..filled, 0);
        filled -= taken;
    }
}

/// Waits in `epoll_wait`; what all ready connections brought goes together.
fn serve_many(streams: &mut [TcpStream], appender: &mut Appender<'_>) -> io::Result<()> {
    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    for (index, stream) in streams.iter().enumerate() {
        epoll::add(&poll, stream, EventData::new_u64(index as u64), EventFlags::IN)?;
    }
    let mut buffer = vec![0; 1 << 20];
    let mut events = Vec::with_capacity(streams.len());
    let mut requests = Vec::new();
    let mut senders: Vec<(usize, usize)> = Vec::new();
    let mut open = streams.len();
    while open > 0 {
        epoll::wait(&poll, spare_capacity(&mut events), None)?;
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
            let before = requests.len();
            while let Some(len) = wire::whole_request(&buffer[filled..end]) {
                requests.push(filled..filled + len);
                filled += len;
            }
            if filled != end {
                return Err(io::Error::other("a small request came in pieces over loopback"));
            }
            senders.push((index, requests.len() - before));
        }
        appender.append(&buffer, &requests)?;
        requests.clear();
        for (index, count) in senders.drain(..) {
            streams[index].write_all(&[1; wire::ACK_LEN].repeat(count))?;
        }
    }
    Ok(())
}

struct Appender<'a> {
    file: &'a File,
    position: u64,
    messages: u64,
    frames: u64,
}

impl Appender<'_> {
    /// Verifies every batch and appends all with one vectored write.
    fn append(&mut self, buffer: &[u8], requests: &[Range<usize>]) -> io::Result<()> {
        /// How many slices the kernel takes at once.
        const SLICES_MAX: usize = 1024;
        let mut slices = Vec::with_capacity(requests.len().min(SLICES_MAX));
        for some in requests.chunks(SLICES_MAX) {
            slices.clear();
            let mut len = 0;
            for request in some {
                let batch = &buffer[request.start + wire::REQUEST_HEADER_LEN..request.end];
                if !wire::crc_holds(batch) {
                    return Err(io::Error::other("a batch arrived with a wrong CRC"));
                }
                let records = (batch.len() - wire::BATCH_HEADER_LEN) / wire::RECORD_LEN;
                self.messages += records as u64;
                len += batch.len();
                slices.push(IoSlice::new(batch));
            }
            if rustix::io::pwritev(self.file, &slices, self.position)? != len {
                return Err(io::Error::other("a write to the log was cut short"));
            }
            self.position += len as u64;
            self.frames += some.len() as u64;
        }
        Ok(())
    }
}
