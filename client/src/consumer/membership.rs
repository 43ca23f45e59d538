//! Being a member of a group: heartbeats, by a task of their own.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use onrush_protocol::ErrorCode;
use onrush_protocol::request::{
    GroupHeartbeatRequest, JOIN, LEAVE, LEAVE_STATIC, Subscription, TopicPartition,
};
use onrush_protocol::response::GroupHeartbeatResponse;
use onrush_record::TopicId;
use onrush_sys::{Random, SystemRandom};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::feed::Feed;
use crate::error::{Error, Kind};

/// A partition as the group names it.
pub(super) type Key = (TopicId, u32);

/// Pause after a heartbeat that failed.
const PAUSE: Duration = Duration::from_millis(200);

/// How a consumer takes part in a group.
#[derive(Clone, Debug)]
pub(super) struct Joining {
    pub(super) group: Arc<str>,
    pub(super) instance_id: Option<String>,
    pub(super) session_timeout: Option<Duration>,
    pub(super) rebalance_timeout: Duration,
    pub(super) subscription: Subscription,
}

/// Shared between a consumer and its heartbeats.
#[derive(Debug)]
pub(super) struct Membership {
    joining: Joining,
    member_id: String,
    state: Mutex<State>,
    /// Rung to send the next heartbeat at once.
    hurry: Notify,
}

#[derive(Debug)]
struct State {
    epoch: i32,
    interval: Duration,
    /// What the consumer has.
    owned: Vec<Key>,
    /// Whether the group has not been told.
    owned_changed: bool,
    /// What the consumer should have, until it has taken note.
    target: Option<Vec<Key>>,
    /// The group gave the member up since the consumer last looked.
    lost: bool,
    /// Why there will be no more heartbeats.
    failed: Option<Error>,
}

/// What the consumer has to do about its membership.
#[derive(Debug)]
pub(super) enum Change {
    /// Everything is lost.
    Lost,
    /// This is what it should have.
    Target(Vec<Key>),
}

impl Membership {
    pub(super) fn new(joining: Joining) -> Arc<Self> {
        let mut id = [0; 16];
        SystemRandom.fill(&mut id);
        Arc::new(Self {
            joining,
            member_id: TopicId::new(id).to_string(),
            state: Mutex::new(State {
                epoch: JOIN,
                interval: PAUSE,
                owned: Vec::new(),
                owned_changed: true,
                target: None,
                lost: false,
                failed: None,
            }),
            hurry: Notify::new(),
        })
    }

    pub(super) fn member_id(&self) -> &str {
        &self.member_id
    }

    pub(super) fn epoch(&self) -> i32 {
        self.state.lock().epoch
    }

    /// What the consumer has to do, if anything. A target stays until [`Self::settled`].
    pub(super) fn change(&self) -> Result<Option<Change>, Error> {
        let mut state = self.state.lock();
        if std::mem::take(&mut state.lost) {
            return Ok(Some(Change::Lost));
        }
        match &state.failed {
            Some(error) => Err(error.clone()),
            None => Ok(state.target.clone().map(Change::Target)),
        }
    }

    /// The consumer now has `owned`, and has done what `target` asked.
    pub(super) fn settled(&self, owned: Vec<Key>, target: &[Key]) {
        {
            let mut state = self.state.lock();
            if state.target.as_deref() == Some(target) {
                state.target = None;
            }
            state.owned = owned;
            state.owned_changed = true;
        }
        self.hurry.notify_one();
    }

    /// The group refused this member's epoch elsewhere: it gives everything up and joins anew.
    pub(super) fn fenced(&self) {
        self.give_up();
        self.hurry.notify_one();
    }

    fn give_up(&self) {
        let mut state = self.state.lock();
        state.epoch = JOIN;
        state.owned.clear();
        state.owned_changed = true;
        state.target = None;
        state.lost = true;
    }

    fn next_request(&self) -> GroupHeartbeatRequest {
        let mut state = self.state.lock();
        let joins = state.epoch == JOIN;
        let tell = joins || std::mem::take(&mut state.owned_changed);
        GroupHeartbeatRequest {
            group: self.joining.group.to_string(),
            member_id: self.member_id.clone(),
            member_epoch: state.epoch,
            instance_id: self.joining.instance_id.clone(),
            rebalance_timeout_ms: millis(self.joining.rebalance_timeout),
            session_timeout_ms: self.joining.session_timeout.map(millis),
            subscription: joins.then(|| self.joining.subscription.clone()),
            assignor: None,
            owned: tell.then(|| {
                let owned = if joins { &[][..] } else { &state.owned[..] };
                owned
                    .iter()
                    .map(|&(topic_id, partition)| TopicPartition { topic_id, partition })
                    .collect()
            }),
        }
    }

    /// The heartbeat that leaves the group.
    pub(super) fn leave_request(&self) -> GroupHeartbeatRequest {
        let leave = if self.joining.instance_id.is_some() { LEAVE_STATIC } else { LEAVE };
        GroupHeartbeatRequest {
            group: self.joining.group.to_string(),
            member_id: self.member_id.clone(),
            member_epoch: leave,
            instance_id: self.joining.instance_id.clone(),
            rebalance_timeout_ms: 0,
            session_timeout_ms: None,
            subscription: None,
            assignor: None,
            owned: None,
        }
    }

    fn took(&self, sent: &GroupHeartbeatRequest, reply: GroupHeartbeatResponse) -> bool {
        let mut state = self.state.lock();
        // A reply to a member that was given up meanwhile says nothing about the one to come.
        if state.epoch != sent.member_epoch {
            return false;
        }
        state.epoch = reply.member_epoch;
        state.interval = Duration::from_millis(reply.heartbeat_interval_ms.max(1).into());
        match reply.assignment {
            Some(assignment) => {
                let target = assignment.iter().map(|part| (part.topic_id, part.partition));
                state.target = Some(target.collect());
                true
            }
            None => false,
        }
    }

    /// Sends heartbeats until the membership fails for good. Dropping the future ends them.
    pub(super) async fn run(self: Arc<Self>, feed: Arc<Feed>) {
        loop {
            let request = self.next_request();
            let mut pause = PAUSE;
            match feed.link.call(&request).await {
                Ok(reply) => {
                    if self.took(&request, reply) {
                        feed.bell.notify_one();
                    }
                    pause = self.state.lock().interval;
                }
                Err(error) if gives_up(&error) => {
                    tracing::warn!(%error, group = &*self.joining.group, "joining again");
                    if request.member_epoch != JOIN {
                        self.give_up();
                        feed.bell.notify_one();
                        pause = Duration::ZERO;
                    }
                }
                Err(error) if error.is_transport() || error.kind() == Kind::Retry => {
                    self.state.lock().owned_changed |= request.owned.is_some();
                    pause = pause.max(error.retry_after());
                }
                Err(error) if error.kind() == Kind::Unknown => {
                    self.state.lock().owned_changed |= request.owned.is_some();
                }
                Err(error) => {
                    self.state.lock().failed = Some(error);
                    feed.bell.notify_one();
                    return;
                }
            }
            if pause > Duration::ZERO {
                let hurry = std::pin::pin!(self.hurry.notified());
                match select(hurry, feed.link.config.clock.sleep(pause)).await {
                    Either::Left(_) | Either::Right(_) => {}
                }
            }
        }
    }
}

/// Whether the group does not have this member any more.
pub(super) fn gives_up(error: &Error) -> bool {
    matches!(error.code(), Some(ErrorCode::UNKNOWN_MEMBER | ErrorCode::FENCED_MEMBER))
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
