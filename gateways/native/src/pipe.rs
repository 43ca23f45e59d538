//! A bounded queue of frames between two tasks on whatever threads and runtimes.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use crate::Frame;

/// Payload and body bytes after which the sender waits.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// Frames after which the sender waits.
const FRAMES_MAX: usize = 4096;

#[derive(Default)]
struct State {
    frames: VecDeque<Frame>,
    bytes: usize,
    closed: bool,
    sender: Option<Waker>,
    receiver: Option<Waker>,
}

#[derive(Default)]
struct Pipe {
    state: Mutex<State>,
}

/// The end that frames go into. Dropping it ends the stream.
pub struct FrameSender(Arc<Pipe>);

/// The end that frames come out of. Dropping it fails the sender.
pub struct FrameReceiver(Arc<Pipe>);

/// A new queue.
pub(crate) fn pipe() -> (FrameSender, FrameReceiver) {
    let pipe = Arc::new(Pipe::default());
    (FrameSender(Arc::clone(&pipe)), FrameReceiver(pipe))
}

fn weight(frame: &Frame) -> usize {
    frame.header.frame_len()
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the other end of the connection is gone")
}

impl FrameSender {
    /// Moves frames over, from the front. Ready once all of them are; pending while the queue is
    /// full.
    ///
    /// # Errors
    /// When the receiver is gone.
    pub fn poll_send(
        &self,
        context: &mut Context<'_>,
        frames: &mut VecDeque<Frame>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.state.lock();
        if state.closed {
            return Poll::Ready(Err(gone()));
        }
        let before = state.frames.len();
        while state.bytes < BYTES_MAX && state.frames.len() < FRAMES_MAX {
            let Some(frame) = frames.pop_front() else { break };
            state.bytes += weight(&frame);
            state.frames.push_back(frame);
        }
        let waker = if state.frames.len() > before { state.receiver.take() } else { None };
        let full = !frames.is_empty();
        if full {
            state.sender = Some(context.waker().clone());
        }
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        if full { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

impl FrameReceiver {
    /// Appends all frames that have arrived, at least one when ready.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when the sender is gone and nothing is left.
    pub fn poll_receive(
        &self,
        context: &mut Context<'_>,
        frames: &mut VecDeque<Frame>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.state.lock();
        if state.frames.is_empty() {
            if state.closed {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            state.receiver = Some(context.waker().clone());
            return Poll::Pending;
        }
        if frames.is_empty() {
            std::mem::swap(frames, &mut state.frames);
        } else {
            frames.append(&mut state.frames);
        }
        state.bytes = 0;
        let waker = state.sender.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl Pipe {
    fn close(&self) {
        let wakers = {
            let mut state = self.state.lock();
            state.closed = true;
            [state.sender.take(), state.receiver.take()]
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

impl Drop for FrameSender {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Drop for FrameReceiver {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl std::fmt::Debug for FrameSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FrameSender")
    }
}

impl std::fmt::Debug for FrameReceiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FrameReceiver")
    }
}
