//! How a client reaches a broker: the seam between the library and its transport.
//!
//! A [`Connector`] makes [`Connection`]s; a connection moves whole [`Frame`]s. TCP is one
//! implementation ([`TcpConnector`](crate::TcpConnector)), an embedded broker brings another.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use onrush_protocol::FrameHeader;
use smallvec::SmallVec;

/// A boxed future, as object-safe traits need it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The record batches of a frame: usually one run of bytes, held without an allocation.
pub type Payload = SmallVec<[Bytes; 1]>;

/// One frame in either direction, its header already taken apart.
#[derive(Clone, Debug)]
pub struct Frame {
    /// What it is, whom it answers and how long its parts are.
    pub header: FrameHeader,
    /// The message itself.
    pub body: Bytes,
    /// What follows the message: record batches, back to back.
    pub payload: Payload,
}

/// Makes connections to one broker, or to one of several addresses of it.
pub trait Connector: Send + Sync + fmt::Debug {
    /// Opens a connection. Called again, with back-off, whenever the last one was lost, until it
    /// answers with an error of kind [`NotConnected`](io::ErrorKind::NotConnected): there will be
    /// no broker any more.
    fn connect(&self) -> BoxFuture<'_, io::Result<Connection>>;

    /// The address as errors and logs name it.
    fn address(&self) -> String;
}

/// One open connection.
pub struct Connection {
    /// Takes frames to the broker.
    pub sink: Box<dyn FrameSink>,
    /// Brings frames from the broker.
    pub stream: Box<dyn FrameStream>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

/// The sending half of a connection.
pub trait FrameSink: Send {
    /// Sends what `frames` holds, from the front, taking out what it no longer needs to see.
    /// Ready once all of it has left; pending when the transport takes no more for now.
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        frames: &mut VecDeque<Frame>,
    ) -> Poll<io::Result<()>>;
}

/// The receiving half of a connection.
pub trait FrameStream: Send {
    /// Appends the frames that have arrived, at least one when ready. A broker that went away is
    /// an error of kind [`UnexpectedEof`](io::ErrorKind::UnexpectedEof).
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        frames: &mut VecDeque<Frame>,
    ) -> Poll<io::Result<()>>;
}
