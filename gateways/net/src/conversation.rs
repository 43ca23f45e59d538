//! What a protocol brings: a service that opens conversations, and the conversation itself.

use std::net::SocketAddr;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use onrush_broker::{Gauge, Signal};

use crate::outbox::Outbox;
use crate::receive::TailFrame;
use crate::shard::Shared;
use crate::turn::Turn;

/// The two ends of a socket.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Where the peer connects from.
    pub remote: SocketAddr,
    /// What it connected to.
    pub local: SocketAddr,
}

/// A protocol as it is spoken at one listener.
pub trait Service: Clone + Send + 'static {
    /// What it opens for each connection.
    type Conversation: Conversation;

    /// Begins a conversation, on the shard that it will stay on.
    fn open(&self, shared: &Rc<Shared>, peer: &Peer) -> Self::Conversation;

    /// Counts the open connections of the protocol.
    fn connections(&self) -> &Gauge;

    /// Open connections beyond which new ones are refused.
    fn connections_max(&self) -> usize {
        usize::MAX
    }
}

/// One connection's conversation, without its socket: bytes in, an [`Outbox`] out.
///
/// It never waits. What cannot be answered at once is kept and looked at again when its [`Signal`]
/// fires, a deadline passes, or what it polls in [`Conversation::advance`] wakes the connection.
pub trait Conversation: 'static {
    /// Why bytes cannot be the beginning of a frame.
    type Broken;

    /// Fires when something that the conversation waits for may have happened.
    fn signal(&self) -> &Arc<Signal>;

    /// What waits to be sent.
    fn outbox(&mut self) -> &mut Outbox;

    /// Whether more may be read from the peer now, as far as this conversation is concerned. If not,
    /// the signal fires once that changes, or the outbox has to drain first.
    fn may_receive(&mut self) -> bool;

    /// Whether nothing is taken because the peer has used up what it may.
    fn is_muted(&mut self) -> bool {
        false
    }

    /// Whether the peer has produced: then the broker's byte budget decides, too.
    fn is_budgeted(&self) -> bool;

    /// Length of the frame that these bytes begin; nothing while they do not tell it yet.
    ///
    /// # Errors
    /// When no frame begins like that.
    fn frame_len(&self, bytes: &[u8]) -> Result<Option<usize>, Self::Broken>;

    /// Takes the whole frames at the start of `range` of the hot buffer, after `first`, a frame that
    /// began in an earlier read; answers where what is left begins: an incomplete frame.
    fn receive(&mut self, turn: &mut Turn, first: Option<TailFrame>, range: Range<usize>) -> usize;

    /// Says what is wrong with bytes that cannot be a frame, and ends the conversation.
    fn broken_frame(&mut self, bytes: &[u8], why: &Self::Broken);

    /// How long a frame that has begun may take to arrive.
    fn frame_timeout(&self) -> Duration;

    /// Ends the conversation because a frame has begun and does not get on.
    fn frame_too_slow(&mut self);

    /// How long a connection may be idle; nothing: for ever.
    fn idle_timeout(&self) -> Option<Duration>;

    /// Whether neither side waits for anything: nothing is asked that is not answered, nothing is
    /// subscribed to, nothing waits to be sent.
    fn is_idle(&self) -> bool;

    /// Whether nothing is taken because the peer has used up what it may, and was told to wait: then
    /// it may be idle all the same.
    fn was_told_to_wait(&self) -> bool {
        false
    }

    /// Ends the conversation because it has been idle for too long.
    fn idle_too_long(&mut self);

    /// Looks again at whatever waits. Called when the signal has fired or a deadline has passed.
    fn progress(&mut self);

    /// Lets calls go on, and encodes what there is to send, as far as this turn's share goes. True
    /// when there is more to do right away once the outbox has drained.
    fn advance(&mut self, context: &mut Context<'_>) -> bool;

    /// The broker stops: waits for nothing new, but answers what it was asked.
    fn quiesce(&mut self);

    /// Whether the conversation is over but for what is in the outbox.
    fn is_closing(&self) -> bool;

    /// Whether a conversation that ends has said everything.
    fn is_closed(&self) -> bool;

    /// Whether nothing is owed to the peer.
    fn is_settled(&self) -> bool;

    /// When to look again even if the signal stays silent. May be too early, never too late.
    fn soonest(&self) -> Option<Duration>;

    /// Something has to be looked at no later than `at`.
    fn note_deadline(&mut self, at: Duration);

    /// The deadline has passed: finds the next one.
    fn recount_deadline(&mut self);
}
