//! One socket: reads into the shard's hot buffer, writes and sends files, feeds the conversation.

use std::future::poll_fn;
use std::io;
use std::net::TcpStream as StdStream;
use std::ops::Range;
use std::os::fd::AsFd as _;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use onrush_broker::{Overdraft, ReadMode, Slice};
use onrush_sys::net;
use tokio::io::{AsyncRead as _, Interest, ReadBuf};
use tokio::net::TcpStream;

use crate::conversation::{Conversation, Peer, Service};
use crate::outbox::Next;
use crate::receive::{Tail, places};
use crate::shard::Shared;
use crate::timer::Timer;
use crate::turn::Turn;

/// Bytes sent in one turn before other connections have theirs.
const TURN_BYTES: usize = 1024 * 1024;
/// Times round the loop before other connections have their turn.
const TURN_ROUNDS: u32 = 4;
/// How long a connection that we end may take to close its side.
const LINGER: Duration = Duration::from_secs(1);

/// Begins to serve a socket.
pub(crate) fn start<S: Service>(shared: &Rc<Shared>, service: &S, socket: StdStream, peer: &Peer) {
    let remote = peer.remote;
    let stream = match TcpStream::from_std(socket) {
        Ok(stream) => stream,
        Err(error) => return tracing::warn!(%remote, %error, "connection refused: not registered"),
    };
    let session = service.open(shared, peer);
    let entered = shared.enter(session.signal(), service.connections());
    let mut connection = Connection {
        stream,
        session,
        shared: Rc::clone(shared),
        read_max: shared.turn.borrow().read_max(),
        tail: Tail::default(),
        tail_since: None,
        held_up: false,
        idle_since: None,
        heard: false,
        overdraft: None,
        timer: Timer::default(),
        ended: false,
    };
    tokio::task::spawn_local(async move {
        match poll_fn(|context| connection.poll(context)).await {
            Ok(()) => connection.linger().await,
            // The peer went away: nothing to tell it.
            Err(error) => tracing::debug!(%remote, %error, "connection ended"),
        }
        drop(entered);
    });
}

struct Connection<C> {
    stream: TcpStream,
    session: C,
    shared: Rc<Shared>,
    /// How much one read brings at most.
    read_max: usize,
    tail: Tail,
    /// When the incomplete frame in `tail` began.
    tail_since: Option<Duration>,
    /// Nothing is read, since the conversation takes nothing.
    held_up: bool,
    /// Since when nothing has come, and neither side waits for anything.
    idle_since: Option<Duration>,
    /// Something has come since that was looked at.
    heard: bool,
    /// Leave to read the rest of a frame though the byte budget is spent.
    overdraft: Option<Overdraft>,
    timer: Timer,
    /// The peer sends no more.
    ended: bool,
}

/// How far receiving came.
enum Received {
    /// There is nothing more for now; this connection is woken when there is.
    All,
    /// There may be more.
    Some,
    /// The conversation takes nothing for now.
    NotNow,
}

/// How far sending came.
enum Sent {
    All,
    /// The socket takes no more for now.
    Blocked,
    /// This turn has sent its share.
    Enough,
}

impl<C: Conversation> Connection<C> {
    /// One turn. Ready when the connection is over.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        for _ in 0..TURN_ROUNDS {
            let mut again = self.hear(context);
            let due = self.timer.poll(context).is_ready();
            if due {
                self.session.progress();
                self.session.recount_deadline();
                self.check_tail();
                again = true;
            }
            let received = if self.shared.is_quiescing() {
                self.session.quiesce();
                Received::All
            } else {
                self.receive(context)?
            };
            if due {
                // Not before what has come was read.
                self.check_idle();
            }
            let more = self.session.advance(context);
            let sent = self.send(context)?;
            if self.is_over() {
                return Poll::Ready(Ok(()));
            }
            again |= match received {
                Received::All => false,
                Received::Some => true,
                // What has left may have made room.
                Received::NotNow => self.may_receive(),
            };
            match sent {
                Sent::Enough => break,
                Sent::All => again |= more,
                Sent::Blocked => {}
            }
            if !again {
                self.note_held_up();
                self.note_idle();
                let wanted = [self.session.soonest(), self.idle_until()].into_iter().flatten();
                self.timer.arm(context, wanted.min(), &**self.shared.broker.clock());
                return Poll::Pending;
            }
        }
        // There is more to do, but others have their turn first.
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Looks at what the signal tells of. True when it may have more to tell; otherwise it wakes
    /// this connection when it has.
    fn hear(&mut self, context: &mut Context<'_>) -> bool {
        for _ in 0..2 {
            if self.session.signal().poll_notified(context).is_pending() {
                return false;
            }
            self.session.progress();
        }
        true
    }

    fn is_over(&self) -> bool {
        if self.session.is_closing() {
            return self.session.is_closed();
        }
        (self.ended || self.shared.is_quiescing()) && self.session.is_settled()
    }

    /// Whether more may be read now. If not, the signal fires once that changes, or the outbox has to
    /// drain first.
    fn may_receive(&mut self) -> bool {
        let within = self.tail.missing().is_some();
        if !within {
            self.overdraft = None;
        }
        if !self.session.may_receive() {
            // Who does not go on must not keep others from it, such as a peer that reads no answers.
            self.overdraft = None;
            match self.session.is_muted() {
                true => self.tail.pause(self.read_max),
                false => self.tail.resume(),
            }
            return false;
        }
        self.tail.resume();
        let budget = self.shared.broker.budget();
        if !self.session.is_budgeted() || budget.admit(self.session.signal()) {
            self.overdraft = None;
            return true;
        }
        // What is spent may be held by frames like this one: somebody has to get to an end.
        if within && self.overdraft.is_none() {
            self.overdraft = budget.overdraw();
        }
        within && self.overdraft.is_some()
    }

    /// Reads once, and has the conversation take what came.
    fn receive(&mut self, context: &mut Context<'_>) -> io::Result<Received> {
        if self.ended {
            return Ok(Received::All);
        }
        if !self.may_receive() {
            self.held_up = true;
            if self.session.is_muted() {
                self.look_for_end(context)?;
            }
            return Ok(Received::NotNow);
        }
        if std::mem::take(&mut self.held_up) && self.tail_since.is_some() {
            self.begin_tail();
        }
        let shared = Rc::clone(&self.shared);
        let mut turn = shared.turn.borrow_mut();
        if turn.is_crowded() {
            turn.append(None);
        }
        let read = match self.tail.missing() {
            Some(_) => self.read_on(context, &mut turn),
            None => self.read_anew(context, &mut turn),
        };
        match read {
            Poll::Pending => return Ok(Received::All),
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
            Poll::Ready(result) => {
                self.ended = !result?;
                self.heard = true;
            }
        }
        // A read that did not fill its buffer has emptied the socket: asking once more only
        // registers for what comes next.
        let empty = self.ended || self.stream.poll_read_ready(context)?.is_pending();
        Ok(if empty { Received::All } else { Received::Some })
    }

    /// Finds out, without reading, whether the peer has given up. What it sent before, and is unread,
    /// is taken first, for it may want no answer: then the end is found behind that.
    fn look_for_end(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let mut byte = [0];
        if let Poll::Ready(seen) = self.stream.poll_peek(context, &mut ReadBuf::new(&mut byte)) {
            self.ended = seen? == 0;
        }
        Ok(())
    }

    /// Reads into the hot buffer, behind what is gathered there and the few bytes of a header that
    /// came before. False at the end of the stream.
    fn read_anew(&mut self, context: &mut Context<'_>, turn: &mut Turn) -> Poll<io::Result<bool>> {
        let (start, room) = turn.room();
        let before = self.tail.bytes().len();
        room[..before].copy_from_slice(self.tail.bytes());
        let mut buffer = ReadBuf::new(&mut room[before..]);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
        let count = buffer.filled().len();
        if count == 0 {
            return Poll::Ready(Ok(false));
        }
        self.tail.clear(&mut turn.pool);
        let end = start + before + count;
        let rest = self.session.receive(turn, None, start..end);
        self.keep(turn, rest..end, rest > start);
        Poll::Ready(Ok(true))
    }

    /// Reads the rest of the frame behind its beginning, and what follows it into the hot buffer.
    /// False at the end of the stream.
    fn read_on(&mut self, context: &mut Context<'_>, turn: &mut Turn) -> Poll<io::Result<bool>> {
        ready!(self.stream.poll_read_ready(context))?;
        let (start, hot) = turn.room();
        let room = self.tail.room().len();
        let count = self.stream.try_read_vectored(&mut places(&mut self.tail, hot))?;
        if count == 0 {
            return Poll::Ready(Ok(false));
        }
        let Self { session, tail, shared, .. } = self;
        let budget = shared.broker.budget();
        let in_hot = count.saturating_sub(room);
        let mut kept = tail.grew(count.min(room), |bytes| session.frame_len(bytes), budget);
        // The room was less than the frame misses: the hot buffer has more of it.
        let of_frame = in_hot.min(tail.missing().unwrap_or(0));
        let (rest, end) = (start + of_frame, start + in_hot);
        if kept.is_ok() {
            let more = start..rest;
            let frame_len = |bytes: &[u8]| session.frame_len(bytes);
            kept = turn.with_pool(more, |more, pool| tail.keep(more, frame_len, budget, pool));
        }
        if let Err(error) = kept {
            session.broken_frame(tail.bytes(), &error);
            return Poll::Ready(Ok(true));
        }
        if let Some(frame) = tail.take_whole() {
            let rest = self.session.receive(turn, Some(frame), rest..end);
            self.keep(turn, rest..end, true);
        }
        Poll::Ready(Ok(true))
    }

    /// Keeps the incomplete frame that `range` of the hot buffer holds.
    fn keep(&mut self, turn: &mut Turn, range: Range<usize>, progressed: bool) {
        if range.is_empty() || self.session.is_closing() {
            self.tail_since = None;
            return;
        }
        let Self { session, tail, shared, .. } = self;
        turn.with_pool(range, |rest, pool| {
            let frame_len = |bytes: &[u8]| session.frame_len(bytes);
            if let Err(error) = tail.keep(rest, frame_len, shared.broker.budget(), pool) {
                session.broken_frame(rest, &error);
            }
        });
        if progressed || self.tail_since.is_none() {
            self.begin_tail();
        }
    }

    /// What is to come of the frame in `tail` has its time from now on.
    fn begin_tail(&mut self) {
        let since = self.now();
        self.tail_since = Some(since);
        self.session.note_deadline(since.saturating_add(self.session.frame_timeout()));
    }

    /// Notes whether it is us who keep a frame from getting on.
    fn note_held_up(&mut self) {
        self.held_up |= self.tail_since.is_some() && !self.may_receive();
    }

    /// Ends a connection whose frame does not get on. While it is us who do not read, its time
    /// does not pass.
    fn check_tail(&mut self) {
        let Some(since) = self.tail_since else { return };
        if self.held_up {
            return self.begin_tail();
        }
        let until = since.saturating_add(self.session.frame_timeout());
        if self.now() < until {
            return self.session.note_deadline(until);
        }
        self.session.frame_too_slow();
        self.tail_since = None;
        self.overdraft = None;
        self.tail.clear(&mut self.shared.turn.borrow_mut().pool);
    }

    /// Notes whether anything is going on. A connection that we do not read is not idle: there is no
    /// telling what has come. But one that was told to wait may be, as with Kafka, where time passes
    /// from what came or was sent last, whatever keeps it from being read.
    fn note_idle(&mut self) {
        let heard = std::mem::take(&mut self.heard);
        let may_be = self.session.idle_timeout().is_some() && self.session.is_idle();
        if !may_be || !self.may_be_idle() {
            self.idle_since = None;
        } else if heard || self.idle_since.is_none() {
            self.idle_since = Some(self.now());
        }
    }

    fn may_be_idle(&mut self) -> bool {
        self.session.was_told_to_wait() || self.may_receive()
    }

    fn idle_until(&self) -> Option<Duration> {
        Some(self.idle_since?.saturating_add(self.session.idle_timeout()?))
    }

    /// Ends a connection that nobody uses.
    fn check_idle(&mut self) {
        let is_due = self.idle_until().is_some_and(|until| self.now() >= until);
        if is_due && !self.heard && self.session.is_idle() && self.may_be_idle() {
            self.session.idle_too_long();
        }
    }

    fn now(&self) -> Duration {
        self.shared.broker.clock().monotonic()
    }

    /// Sends what waits.
    fn send(&mut self, context: &mut Context<'_>) -> io::Result<Sent> {
        let mut total = 0;
        loop {
            if self.session.outbox().is_empty() {
                return Ok(Sent::All);
            }
            if total >= TURN_BYTES {
                return Ok(Sent::Enough);
            }
            match self.stream.poll_write_ready(context) {
                Poll::Pending => return Ok(Sent::Blocked),
                Poll::Ready(ready) => ready?,
            }
            let Self { stream, session, .. } = &mut *self;
            let sent = stream.try_io(Interest::WRITABLE, || {
                let socket = stream.as_fd();
                match session.outbox().next() {
                    Next::Bytes { bytes, more: true } => net::send_more(socket, bytes),
                    Next::Bytes { bytes, more: false } => net::send(socket, bytes),
                    Next::Slice { slice, from } => send_slice(socket, slice, from),
                    Next::Nothing => Ok(0),
                }
            });
            match sent {
                Ok(count) => {
                    session.outbox().sent(count);
                    total += count;
                }
                // Asked again, readiness registers for the wake-up.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Closes our side, then waits a moment for the peer to close its own: closing with bytes
    /// unread would take back what we said last.
    async fn linger(mut self) {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        if self.ended || self.stream.shutdown().await.is_err() {
            return;
        }
        let mut scratch = [0; 1024];
        let drained = async { while matches!(self.stream.read(&mut scratch).await, Ok(1..)) {} };
        let _ = tokio::time::timeout(LINGER, drained).await;
    }
}

/// Sends what is left of a slice: from its file to the socket, without it passing through here.
fn send_slice(socket: std::os::fd::BorrowedFd<'_>, slice: &Slice, from: u32) -> io::Result<usize> {
    let left = slice.len() - from;
    let Some((file, position)) = slice.descriptor() else {
        let bytes = slice.to_bytes(ReadMode::Copied).map_err(io::Error::other)?;
        return net::send(socket, &bytes[from as usize..]);
    };
    match net::send_file(socket, file, position + u64::from(from), left as usize)? {
        0 => {
            tracing::error!(
                position,
                left,
                "a segment's file ends before the records it holds: connection closed"
            );
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, "segment file cut short"))
        }
        count => Ok(count),
    }
}
