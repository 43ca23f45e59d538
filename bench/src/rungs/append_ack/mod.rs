//! CRC, append, acknowledge: the least that small produces can cost, at a given arrival.

mod client;
mod server;

use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

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

/// Messages arrive for `duration`; latency counts from when each was due.
pub fn run(dir: &Path, arrival: Arrival, duration: Duration) -> io::Result<Figures> {
    let scratch = Scratch::new(dir)?;
    let file = scratch.file("log", arrival.bytes(duration))?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (served, sent) = server_and_client(
        || server::serve(&listener, &file, arrival.connections()),
        || client::drive(address, arrival, duration),
    )?;
    let mut figures = Figures::new(arrival.name(), served.messages, sent.seconds);
    figures.messages_per_frame = Some(served.messages as f64 / served.frames as f64);
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
}
