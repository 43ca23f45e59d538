//! The same server by io_uring: what a turn sends and what it receives next are one system call.
//!
//! The append stays a `pwritev`: a buffered write by a ring goes to a kernel thread on file systems
//! that cannot promise not to wait (ext4), which is dearer (decision 11).

use std::io;
use std::net::TcpStream;

use onrush_sys::ring::{SocketRing, Ways};

use super::server::{Appender, in_pieces};
use super::wire;

/// Serves until all have closed, and says how many system calls on sockets that took.
pub(super) fn serve(
    streams: Vec<TcpStream>,
    ways: Ways,
    appender: &mut Appender<'_>,
) -> io::Result<u64> {
    let mut ring = SocketRing::new(streams, ways)?;
    let mut acks = Vec::new();
    while ring.wait()? {
        let mut requests = Vec::with_capacity(ring.received().len());
        for (index, mut bytes) in ring.received() {
            while let Some(len) = wire::whole_request(bytes) {
                let (request, rest) = bytes.split_at(len);
                acks.push((index, wire::ack(request)));
                requests.push(request);
                bytes = rest;
            }
            if !bytes.is_empty() {
                return Err(in_pieces());
            }
        }
        appender.append(requests.into_iter())?;
        for (index, ack) in acks.drain(..) {
            ring.send(index, &ack)?;
        }
    }
    Ok(ring.enters())
}
