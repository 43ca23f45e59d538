//! How clients within the process reach the broker.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use onrush_client::connector::{BoxFuture, Connection, Connector, Frame, FrameSink, FrameStream};
use onrush_gateway_native::{self as gateway, FrameReceiver, FrameSender, Native};
use onrush_gateway_net::ShardHandle;

/// Connects straight to the broker's shards, in turn. No socket, and record batches are not copied
/// on their way.
#[derive(Debug)]
pub(crate) struct InProcessConnector {
    shards: Vec<ShardHandle>,
    native: Native,
    turn: AtomicUsize,
}

impl InProcessConnector {
    pub(crate) fn new(shards: Vec<ShardHandle>, native: Native) -> Arc<Self> {
        Arc::new(Self { shards, native, turn: AtomicUsize::new(0) })
    }
}

impl Connector for InProcessConnector {
    fn connect(&self) -> BoxFuture<'_, io::Result<Connection>> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let connection = match self.native.connect(&self.shards[turn % self.shards.len()]) {
            Some(ends) => Ok(Connection {
                sink: Box::new(Sink { requests: ends.requests, leaving: VecDeque::new() }),
                stream: Box::new(Stream { responses: ends.responses, arrived: VecDeque::new() }),
            }),
            None => Err(io::Error::new(io::ErrorKind::NotConnected, "the broker has stopped")),
        };
        Box::pin(std::future::ready(connection))
    }

    fn address(&self) -> String {
        "in process".to_owned()
    }
}

struct Sink {
    requests: FrameSender,
    leaving: VecDeque<gateway::Frame>,
}

impl FrameSink for Sink {
    fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        frames: &mut VecDeque<Frame>,
    ) -> Poll<io::Result<()>> {
        self.leaving.extend(frames.drain(..).map(|frame| gateway::Frame {
            header: frame.header,
            body: frame.body,
            payload: frame.payload,
        }));
        self.requests.poll_send(context, &mut self.leaving)
    }
}

struct Stream {
    responses: FrameReceiver,
    arrived: VecDeque<gateway::Frame>,
}

impl FrameStream for Stream {
    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        frames: &mut VecDeque<Frame>,
    ) -> Poll<io::Result<()>> {
        let polled = self.responses.poll_receive(context, &mut self.arrived);
        frames.extend(self.arrived.drain(..).map(|frame| Frame {
            header: frame.header,
            body: frame.body,
            payload: frame.payload,
        }));
        polled
    }
}
