//! The TCP transport.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::connector::{BoxFuture, Connection, Connector, Frame, FrameSink, FrameStream};
use crate::net::receive::ReceiveBuffer;

/// Payloads up to this size are copied behind their header: cheaper than one more slice to gather.
const COPY_BYTES: usize = 1 << 10;

/// Slices given to the kernel in one call.
const SLICES: usize = 64;

/// Bytes gathered before they are written.
const GATHER_BYTES: usize = 1 << 20;

/// Silence after which the kernel asks the other side whether it is still there.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(15);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);

/// Connects by TCP to the first of several addresses that answers.
#[derive(Clone, Debug)]
pub struct TcpConnector {
    addresses: Arc<[String]>,
}

impl TcpConnector {
    /// A connector to any of `addresses`, each `host:port`; tried in turn.
    pub fn new<I, S>(addresses: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        Self { addresses: addresses.into_iter().map(Into::into).collect() }
    }
}

impl Connector for TcpConnector {
    fn connect(&self) -> BoxFuture<'_, io::Result<Connection>> {
        Box::pin(async move {
            let mut last =
                io::Error::new(io::ErrorKind::InvalidInput, "no server address was given");
            for address in self.addresses.iter() {
                match TcpStream::connect(address.as_str()).await.and_then(connection) {
                    Ok(connection) => return Ok(connection),
                    Err(error) => last = error,
                }
            }
            Err(last)
        })
    }

    fn address(&self) -> String {
        self.addresses.join(",")
    }
}

fn connection(socket: TcpStream) -> io::Result<Connection> {
    socket.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY);
    SockRef::from(&socket).set_tcp_keepalive(&keepalive)?;
    let (receiver, sender) = socket.into_split();
    let sink =
        TcpSink { socket: sender, pieces: VecDeque::new(), gathered: 0, heads: BytesMut::new() };
    let stream = TcpReceiver { socket: receiver, buffer: ReceiveBuffer::new() };
    Ok(Connection { sink: Box::new(sink), stream: Box::new(stream) })
}

struct TcpSink {
    socket: OwnedWriteHalf,
    /// What is to be written, in order.
    pieces: VecDeque<Bytes>,
    gathered: usize,
    /// Headers, bodies and small payloads of the frames being gathered, back to back.
    heads: BytesMut,
}

impl TcpSink {
    fn gather(&mut self, frames: &mut VecDeque<Frame>) {
        while self.pieces.len() < SLICES - 2 && self.gathered < GATHER_BYTES {
            let Some(frame) = frames.pop_front() else { break };
            frame.header.encode(&mut self.heads);
            self.heads.extend_from_slice(&frame.body);
            for bytes in frame.payload {
                if bytes.len() <= COPY_BYTES {
                    self.heads.extend_from_slice(&bytes);
                } else {
                    self.close_heads();
                    self.gathered += bytes.len();
                    self.pieces.push_back(bytes);
                }
            }
        }
        self.close_heads();
    }

    fn close_heads(&mut self) {
        if !self.heads.is_empty() {
            self.gathered += self.heads.len();
            self.pieces.push_back(self.heads.split().freeze());
        }
    }

    fn written(&mut self, mut bytes: usize) {
        self.gathered = self.gathered.saturating_sub(bytes);
        while let Some(piece) = self.pieces.front_mut() {
            if bytes < piece.len() {
                piece.advance(bytes);
                return;
            }
            bytes -= piece.len();
            self.pieces.pop_front();
        }
    }
}

impl FrameSink for TcpSink {
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        frames: &mut VecDeque<Frame>,
    ) -> Poll<io::Result<()>> {
        loop {
            self.gather(frames);
            if self.pieces.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = self.pieces.len().min(SLICES);
            for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
                *slice = IoSlice::new(piece);
            }
            let socket = Pin::new(&mut self.socket);
            match ready!(socket.poll_write_vectored(cx, &slices[..count]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                bytes => self.written(bytes),
            }
        }
    }
}

struct TcpReceiver {
    socket: OwnedReadHalf,
    buffer: ReceiveBuffer,
}

impl FrameStream for TcpReceiver {
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        frames: &mut VecDeque<Frame>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut room = self.buffer.room();
            let read = pin!(self.socket.read_buf(&mut room)).poll(cx);
            if ready!(read)? == 0 {
                let gone = "the broker closed the connection";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, gone)));
            }
            self.buffer.take_frames(frames)?;
            if !frames.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
