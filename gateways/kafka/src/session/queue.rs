//! What a connection has been asked and has not answered yet, in the order of the answers.

use std::collections::VecDeque;
use std::time::Duration;

use onrush_gateway_net::{RequestKey, Source, Turn};
use onrush_kafka_protocol::ApiKey;

use super::fetch::Fetch;
use super::frame::Head;
use super::joining::Joining;
use super::unanswered::Unanswered;
use super::waiting::Waiting;
use crate::dispatch::Call;

/// A request that has begun.
pub(super) enum Running {
    /// Record batches that are being appended, or wait for their sync.
    Produce(Unanswered),
    /// Record batches of a transaction that their partitions are joining first.
    Joining(Box<Joining>),
    /// It waits for records.
    Fetch(Box<Fetch>),
    /// A handler is at it, since then.
    Call(ApiKey, Duration, Call),
}

/// Requests of one connection. They run one at a time, in order, as with Kafka, but that a produce
/// begins while those before it are produces too: they wait for one sync together.
#[derive(Default)]
pub(super) struct Queue {
    /// The number of the first in `running`.
    first: u64,
    pub(super) running: VecDeque<Running>,
    pub(super) waiting: Waiting,
}

impl Queue {
    /// Whether a request may begin now.
    pub(super) fn may_begin(&self, head: Head) -> bool {
        self.waiting.is_empty() && self.may_run(head.key)
    }

    fn may_run(&self, key: ApiKey) -> bool {
        let produces = || matches!(self.running.back(), Some(Running::Produce(_)));
        self.running.is_empty() || (key == ApiKey::PRODUCE && produces())
    }

    /// A request has begun.
    pub(super) fn begin(&mut self, running: Running) -> RequestKey {
        self.running.push_back(running);
        RequestKey(self.first + self.running.len() as u64 - 1)
    }

    /// The next of those that wait, if it may begin now.
    pub(super) fn next(&mut self, turn: &Turn) -> Option<(Head, Source)> {
        let head = self.waiting.head(turn)?;
        if !self.may_run(head.key) {
            return None;
        }
        self.waiting.pop().map(|source| (head, source))
    }

    /// A produce that has begun.
    pub(super) fn produce(&mut self, key: RequestKey) -> Option<&mut Unanswered> {
        let at = usize::try_from(key.0.checked_sub(self.first)?).ok()?;
        match self.running.get_mut(at) {
            Some(Running::Produce(unanswered)) => Some(unanswered),
            _ => None,
        }
    }

    /// The last, if it is a produce that joins a transaction: it begins anew.
    pub(super) fn joined(&mut self) -> Option<Joining> {
        match self.running.pop_back() {
            Some(Running::Joining(joining)) => Some(*joining),
            other => {
                self.running.extend(other);
                None
            }
        }
    }

    /// The first has been answered.
    pub(super) fn finish(&mut self) -> Option<Running> {
        let done = self.running.pop_front()?;
        self.first += 1;
        if self.running.is_empty() && self.running.capacity() > 8 {
            self.running = VecDeque::new();
        }
        Some(done)
    }

    /// Forgets what has not begun.
    pub(super) fn drop_waiting(&mut self) {
        self.waiting = Waiting::default();
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.first += self.running.len() as u64;
        self.running = VecDeque::new();
        self.waiting = Waiting::default();
    }

    /// Whether nothing is asked that is not answered.
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }

    /// Whether nothing is owed but what nobody waits for any more once the client sends no more.
    pub(super) fn is_settled(&self) -> bool {
        let idle = |running: &Running| match running {
            Running::Fetch(_) => true,
            Running::Call(key, ..) => waits(*key),
            Running::Produce(_) | Running::Joining(_) => false,
        };
        self.waiting.is_empty() && self.running.iter().all(idle)
    }
}

/// Whether handlers of this API may wait for other clients.
pub(crate) fn waits(key: ApiKey) -> bool {
    [ApiKey::JOIN_GROUP, ApiKey::SYNC_GROUP, ApiKey::SHARE_FETCH].contains(&key)
}
