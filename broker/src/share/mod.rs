//! Share groups: queues over a log.
//!
//! The model is that of KIP-932: the members of a group read the same partitions together. A record
//! is *acquired* by one of them, under a lock that times out, and then accepted, released to be
//! tried again, or rejected. What was tried too often is given up. Records are settled one by one,
//! so what a group has done of a partition is no single offset but a window: all before it is
//! settled, nothing after it was looked at, and for what lies in it there is a state each.
//!
//! Everything here is a pure state machine: `(state, now_ms, input) → outputs`. It knows no clock,
//! no disk and no socket. What must survive a restart comes out as `ShareEvent`s; the caller
//! journals them, and answers once they are durable. That a record was acquired is not among them:
//! who held it has to ask again after a restart.
//!
//! Read top-down: `ShareGroups` is all groups with their timers, `group` one of them with its
//! members, `partition` what it knows of a partition's records (kept as `ranges`), `acquire` how
//! they are handed out, `order` what holds back a record whose key is under way.
//!
//! What holds at all times, and is tested by random histories:
//! - a record is with one member at most;
//! - it is handed out at most so often as the group's limit says, and then given up;
//! - it is never lost: until it is settled it is handed out again;
//! - with order by key, of the records with one key only the first unsettled one is with anybody.

mod ack;
mod acquire;
mod assignor;
mod config;
mod effects;
mod error;
mod event;
mod group;
mod groups;
mod heartbeat;
mod member;
mod order;
mod partition;
mod ranges;
mod records;
mod replay;
mod session;
#[cfg(test)]
mod tests;
mod timers;
mod view;

use std::collections::BTreeSet;

pub use ack::{AckType, ShareAcknowledgement};
pub use acquire::{AcquireMode, AcquiredRange};
pub use config::{OffsetReset, ShareConfig, ShareSettings};
pub use error::ShareError;
pub use heartbeat::{JOIN, LEAVE, ShareHeartbeat, ShareHeartbeatReply};
pub use session::{ShareSession, ShareSessionRequest};
pub use view::{
    ShareDescription, ShareGroupState, ShareListing, ShareMemberDescription, ShareOffset,
};

pub(crate) use acquire::{Found, Plan};
pub(crate) use config::changed;
pub(crate) use effects::Effects;
#[cfg(test)]
pub(crate) use event::MemberRecord;
pub(crate) use event::{ShareEvent, What};
pub(crate) use groups::ShareGroups;
pub(crate) use order::hash;
pub(crate) use partition::DeadLetter;
pub(crate) use session::ShareSessions;

/// A partition of a topic.
pub type TopicPartition = crate::group::TopicPartition;

/// Some partitions, in order.
pub(crate) type Partitions = BTreeSet<TopicPartition>;
