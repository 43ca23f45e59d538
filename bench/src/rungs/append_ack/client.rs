//! A client that spins, so that its own waking up is no part of what is measured.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use super::super::round_trip::nanos;
use super::{Arrival, wire};
use crate::stats::{nanos_histogram, whole};

/// Messages in the largest frame.
const MESSAGES_MAX: usize = 4096;
/// How long what is still in flight at the end is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What it saw.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) latency: Histogram<u64>,
    pub(super) seconds: f64,
    /// Messages of frames that were acknowledged.
    pub(super) messages: u64,
}

/// Sends for `duration`, then waits for what is in flight.
pub(super) fn drive(address: SocketAddr, arrival: Arrival, duration: Duration) -> io::Result<Sent> {
    let mut client = Client::connect(address, arrival.connections())?;
    let started = Instant::now();
    // The first tenth warms up: caches, socket buffers, the file's first extents.
    client.record_from = nanos(duration / 10);
    match arrival {
        Arrival::Alone { rate, .. } => client.open_loop(started, duration, rate, true)?,
        Arrival::Natural { rate } => client.open_loop(started, duration, rate, false)?,
        Arrival::Closed { .. } => client.closed_loop(started, duration)?,
    }
    let seconds = started.elapsed().as_secs_f64();
    while client.in_flight > 0 {
        if started.elapsed() > duration + PATIENCE {
            let message = format!("{} frames are not acknowledged", client.in_flight);
            return Err(io::Error::new(io::ErrorKind::TimedOut, message));
        }
        client.take_acks(started)?;
    }
    Ok(Sent { latency: client.latency, seconds, messages: client.messages })
}

/// Messages of one frame: when the first was due, how many, and how far apart.
#[derive(Copy, Clone, Debug)]
struct Flight {
    due_ns: f64,
    messages: usize,
    apart_ns: f64,
}

struct Connection {
    stream: TcpStream,
    /// With the ids of their requests.
    flights: VecDeque<(u64, Flight)>,
    /// An acknowledgement that has only begun to arrive.
    partial: Vec<u8>,
}

struct Client {
    connections: Vec<Connection>,
    poll: std::os::fd::OwnedFd,
    ready: Vec<epoll::Event>,
    requests: Requests,
    in_flight: usize,
    idle: Vec<usize>,
    latency: Histogram<u64>,
    record_from: u64,
    next_id: u64,
    messages: u64,
}

impl Client {
    fn connect(address: SocketAddr, count: usize) -> io::Result<Client> {
        let poll = epoll::create(CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(count);
        for index in 0..count {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            epoll::add(&poll, &stream, EventData::new_u64(index as u64), EventFlags::IN)?;
            connections.push(Connection { stream, flights: VecDeque::new(), partial: Vec::new() });
        }
        Ok(Client {
            connections,
            poll,
            ready: Vec::with_capacity(count),
            requests: Requests::new(),
            in_flight: 0,
            idle: (0..count).collect(),
            latency: nanos_histogram(),
            record_from: 0,
            next_id: 0,
            messages: 0,
        })
    }

    fn open_loop(
        &mut self,
        started: Instant,
        duration: Duration,
        rate: f64,
        alone: bool,
    ) -> io::Result<()> {
        let apart_ns = 1e9 / rate;
        let total = whole(duration.as_secs_f64() * rate);
        let mut sent: u64 = 0;
        while sent < total {
            let due = (whole(started.elapsed().as_secs_f64() * rate) + 1).min(total);
            let due_ns = sent as f64 * apart_ns;
            if due > sent && alone {
                let index = usize::try_from(sent).unwrap_or(0) % self.connections.len();
                self.send(index, Flight { due_ns, messages: 1, apart_ns })?;
                sent += 1;
            } else if due > sent && self.in_flight == 0 {
                let messages = usize::try_from(due - sent).unwrap_or(usize::MAX).min(MESSAGES_MAX);
                self.send(0, Flight { due_ns, messages, apart_ns })?;
                sent += messages as u64;
            }
            if self.in_flight > 0 {
                self.take_acks(started)?;
            }
        }
        Ok(())
    }

    fn closed_loop(&mut self, started: Instant, duration: Duration) -> io::Result<()> {
        loop {
            let now = started.elapsed();
            if now >= duration {
                return Ok(());
            }
            let flight = Flight { due_ns: nanos(now) as f64, messages: 1, apart_ns: 0.0 };
            for index in std::mem::take(&mut self.idle) {
                self.send(index, flight)?;
            }
            self.take_acks(started)?;
        }
    }

    fn send(&mut self, index: usize, flight: Flight) -> io::Result<()> {
        let connection = &mut self.connections[index];
        let mut bytes = self.requests.of(flight.messages, self.next_id);
        connection.flights.push_back((self.next_id, flight));
        self.next_id += 1;
        self.in_flight += 1;
        while !bytes.is_empty() {
            match connection.stream.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::hint::spin_loop(),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes the acknowledgements that are there, without waiting.
    fn take_acks(&mut self, started: Instant) -> io::Result<()> {
        if self.connections.len() == 1 {
            return self.take_acks_of(0, started);
        }
        let mut ready = std::mem::take(&mut self.ready);
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        epoll::wait(&self.poll, spare_capacity(&mut ready), Some(&at_once))?;
        for event in ready.drain(..) {
            let index = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
            self.take_acks_of(index, started)?;
        }
        self.ready = ready;
        Ok(())
    }

    fn take_acks_of(&mut self, index: usize, started: Instant) -> io::Result<()> {
        let mut buffer = [0; 64 * 1024];
        let connection = &mut self.connections[index];
        let before = connection.partial.len();
        buffer[..before].copy_from_slice(&connection.partial);
        let filled = match connection.stream.read(&mut buffer[before..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(received) => before + received,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        let now = nanos(started.elapsed());
        let acks = buffer[..filled].chunks_exact(wire::ACK_LEN);
        connection.partial.clear();
        connection.partial.extend_from_slice(acks.remainder());
        for ack in acks {
            let flight = match connection.flights.pop_front() {
                Some((id, flight)) if wire::acknowledges(ack, id) => flight,
                _ => return Err(io::Error::other("an acknowledgement of something else")),
            };
            self.messages += flight.messages as u64;
            self.in_flight -= 1;
            self.idle.push(index);
            if now < self.record_from {
                continue;
            }
            for message in 0..flight.messages {
                let due = flight.due_ns + message as f64 * flight.apart_ns;
                self.latency.saturating_record(now.saturating_sub(whole(due)));
            }
        }
        Ok(())
    }
}

/// Requests of any number of messages out of one template; each CRC is computed once.
struct Requests {
    template: Vec<u8>,
    crcs: Vec<Option<u32>>,
}

impl Requests {
    fn new() -> Requests {
        Requests { template: wire::request(MESSAGES_MAX), crcs: vec![None; MESSAGES_MAX + 1] }
    }

    fn of(&mut self, messages: usize, id: u64) -> &[u8] {
        let batch = wire::REQUEST_HEADER_LEN;
        let len = batch + wire::BATCH_HEADER_LEN + messages * wire::RECORD_LEN;
        let crc = *self.crcs[messages]
            .get_or_insert_with(|| wire::crc32c(&self.template[batch + wire::BEFORE_CRC..len]));
        let total = u32::try_from(len).unwrap_or(u32::MAX);
        self.template[..4].copy_from_slice(&total.to_le_bytes());
        wire::put_id(&mut self.template, id);
        wire::put_crc(&mut self.template[batch..], crc);
        &self.template[..len]
    }
}
