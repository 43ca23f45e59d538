//! The other end of a connection to the broker, on the same thread: what it takes to send and to
//! receive is counted along, and is the same each time.

use anyhow::{Result, ensure};
use onrush_broker::Broker;
use onrush_gateway_net::{Service, accept, shard};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;

/// As much as a shard reads at once, and more than any answer here.
const BUFFER_BYTES: usize = 256 * 1024;
/// The field that tells a frame's length, in both protocols.
pub(super) const LENGTH: usize = 4;

/// A connection.
pub(super) struct Socket {
    stream: TcpStream,
    /// What a frame's first bytes say of the length of the whole.
    frame_len: fn([u8; LENGTH]) -> usize,
    buffer: Vec<u8>,
    /// So much of the buffer is received and not looked at.
    filled: usize,
    /// So much of it is the frame given out last.
    taken: usize,
}

impl Socket {
    /// Has a shard of its own serve one connection.
    pub(super) async fn open(
        broker: &Broker,
        service: impl Service,
        frame_len: fn([u8; LENGTH]) -> usize,
    ) -> Result<Socket> {
        let (handle, shard) = shard(broker, BUFFER_BYTES);
        spawn_local(shard.run());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        spawn_local(accept(listener, vec![handle], service));
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Socket { stream, frame_len, buffer: vec![0; BUFFER_BYTES], filled: 0, taken: 0 })
    }

    /// Sends a frame.
    pub(super) async fn send(&mut self, frame: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(frame).await?)
    }

    /// The next frame.
    pub(super) async fn receive(&mut self) -> Result<&[u8]> {
        self.buffer.copy_within(self.taken..self.filled, 0);
        self.filled -= self.taken;
        self.taken = 0;
        loop {
            if let Some(first) = self.buffer[..self.filled].first_chunk() {
                let length = (self.frame_len)(*first);
                ensure!(length <= self.buffer.len(), "an answer of {length} bytes");
                if length <= self.filled {
                    self.taken = length;
                    return Ok(&self.buffer[..length]);
                }
            }
            let count = self.stream.read(&mut self.buffer[self.filled..]).await?;
            ensure!(count > 0, "the broker closed the connection");
            self.filled += count;
        }
    }

    /// Sends a request and gives its answer.
    pub(super) async fn ask(&mut self, frame: &[u8]) -> Result<&[u8]> {
        self.send(frame).await?;
        self.receive().await
    }
}
