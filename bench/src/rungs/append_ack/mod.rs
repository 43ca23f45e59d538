//! CRC, append, acknowledge: the least that small produces can cost, at a given arrival.

mod client;
mod ringed;
mod server;

use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use onrush_sys::ring::{Receive, Ways};

use super::{Figures, wire};
use crate::machine::{Scratch, server_and_client};
use crate::stats::{Percentiles, whole};

/// How messages arrive.
#[derive(Copy, Clone, Debug, PartialEq)]
pub enum Arrival {
    /// Open loop at a rate, each message in a frame of its own, dealt out over the connections.
    Alone {
        /// Messages due each second.
        rate: f64,
        /// Connections that they are dealt out over.
        connections: usize,
    },
    /// Open loop at a rate over one connection, one frame in flight: what fell due meanwhile goes
    /// in the next one.
    Natural {
        /// Messages due each second.
        rate: f64,
    },
    /// Closed loop, one message a frame, one frame in flight on each connection.
    Closed {
        /// How many connections there are.
        connections: usize,
    },
}

impl Arrival {
    fn connections(self) -> usize {
        match self {
            Arrival::Natural { .. } => 1,
            Arrival::Alone { connections, .. } | Arrival::Closed { connections } => connections,
        }
    }

    fn name(self) -> String {
        match self {
            Arrival::Alone { rate, connections } => {
                format!("append+ack {rate}/s alone, {connections} conn")
            }
            Arrival::Natural { rate } => format!("append+ack {rate}/s natural"),
            Arrival::Closed { connections } => format!("append+ack closed, {connections} conn"),
        }
    }

    /// About how many bytes will be appended, generously.
    fn bytes(self, duration: Duration) -> u64 {
        let single = (wire::BATCH_HEADER_LEN + wire::RECORD_LEN) as f64;
        let per_second = match self {
            Arrival::Alone { rate, .. } => rate * single,
            Arrival::Natural { rate } => rate * (wire::RECORD_LEN as f64 + 8.0),
            Arrival::Closed { .. } => 400_000.0 * single,
        };
        whole(per_second * duration.as_secs_f64() * 1.1)
    }
}

/// By what the server waits, receives and sends.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Sockets {
    /// `epoll_wait`, and a call for each receive and each send; with one connection, `read`.
    Calls,
    /// io_uring.
    Ring(Ways),
}

impl Sockets {
    /// Calls, and the ways by io_uring that are worth telling apart.
    pub const ALL: [Sockets; 6] = {
        const fn ring(receive: Receive, registered: bool) -> Sockets {
            Sockets::Ring(Ways { receive, registered })
        }
        [
            Sockets::Calls,
            ring(Receive::Once, false),
            ring(Receive::Once, true),
            ring(Receive::OncePollFirst, false),
            ring(Receive::Multishot, false),
            ring(Receive::Multishot, true),
        ]
    };

    fn name(self) -> String {
        let Sockets::Ring(ways) = self else { return String::new() };
        let receive = match ways.receive {
            Receive::Once => "one-shot",
            Receive::OncePollFirst => "poll first",
            Receive::Multishot => "multishot",
        };
        format!(", io_uring {receive}{}", if ways.registered { ", fixed" } else { "" })
    }
}

/// Messages arrive for `duration`; latency counts from when each was due.
pub fn run(dir: &Path, arrival: Arrival, duration: Duration) -> io::Result<Figures> {
    run_by(Sockets::Calls, dir, arrival, duration)
}

/// The same with a server that does it by these means.
pub fn run_by(
    sockets: Sockets,
    dir: &Path,
    arrival: Arrival,
    duration: Duration,
) -> io::Result<Figures> {
    let scratch = Scratch::new(dir)?;
    let file = scratch.file("log", arrival.bytes(duration))?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (served, sent) = server_and_client(
        || server::serve(&listener, &file, arrival.connections(), sockets),
        || client::drive(address, arrival, duration),
    )?;
    if served.messages != sent.messages {
        let (appended, acknowledged) = (served.messages, sent.messages);
        let message = format!("{appended} messages appended, {acknowledged} acknowledged");
        return Err(io::Error::other(message));
    }
    let name = arrival.name() + &sockets.name();
    let mut figures = Figures::new(name, served.messages, sent.seconds);
    figures.messages_per_frame = Some(served.messages as f64 / served.frames as f64);
    figures.frames_per_append = Some(served.frames as f64 / served.appends as f64);
    figures.system_calls_per_frame = Some(served.calls as f64 / served.frames as f64);
    figures.latency_us = Some(Percentiles::of(&sent.latency));
    Ok(figures.with_server_cpu(served.cpu))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_arrival_runs() {
        let dir = std::env::temp_dir();
        for arrival in [
            Arrival::Alone { rate: 2_000.0, connections: 2 },
            Arrival::Natural { rate: 20_000.0 },
            Arrival::Closed { connections: 8 },
        ] {
            let figures = run(&dir, arrival, Duration::from_millis(50)).unwrap();
            assert!(figures.operations > 0, "{figures}");
            assert!(figures.latency_us.is_some_and(|latency| latency.p50 > 0.0), "{figures}");
        }
    }

    #[test]
    fn every_way_by_a_ring_runs() {
        if let Err(error) = onrush_sys::ring::available() {
            eprintln!("WARNING: this machine has no io_uring ({error}): its rungs are untested");
            return;
        }
        let (dir, arrival) = (std::env::temp_dir(), Arrival::Closed { connections: 8 });
        for sockets in Sockets::ALL {
            let figures = run_by(sockets, &dir, arrival, Duration::from_millis(50)).unwrap();
            assert!(figures.operations > 0, "{figures}");
            // How many requests a turn finds depends on who was quicker; by calls it is two for each.
            let calls = figures.system_calls_per_frame.unwrap();
            assert!(calls > if sockets == Sockets::Calls { 2.0 } else { 0.0 }, "{figures}");
        }
    }
}
