//! Consumer groups: who reads which partition, and how far each group has come.
//!
//! The model is that of KIP-848: members state what they want to read and what they hold, the
//! coordinator decides, and each member moves towards its target by itself. A rebalance stops only
//! the partitions that move.
//!
//! Clients of Kafka may also use the classic protocol, under which a member assigns: that is
//! `classic`.
//!
//! Everything here is a pure state machine: `(state, now_ms, input) → outputs`. It knows no clock,
//! no disk and no socket. What must survive a restart comes out as [`GroupEvent`]s; the caller
//! journals them and answers once they are durable. Replaying the events into an empty [`Groups`]
//! by [`Groups::apply`] gives the same state again.
//!
//! Read top-down: [`Groups`] is all groups with their timers, `Group` one of them, `Member` one
//! member and the steps it takes, `assignor` how a target is made.
//!
//! What holds at all times, and is tested by random histories:
//! - a partition is held by at most one member (held: assigned, or asked back and not yet given);
//! - a partition goes to its new holder only after the old one's own report no longer has it, or
//!   the old one is no longer a member;
//! - once members and topics keep still, every partition of a subscribed topic is held, and the
//!   group is `Stable`.

mod assignor;
mod classic;
mod classic_calls;
mod codec;
mod commit;
mod config;
mod directory;
mod error;
mod event;
#[expect(clippy::module_inception, reason = "the file is about one group, the folder about all")]
mod group;
mod groups;
mod heartbeat;
mod member;
mod membership;
mod mixed;
mod offsets;
mod pending;
mod reading;
mod settings;
mod subscription;
#[cfg(test)]
mod tests;
mod timers;
mod upgrade;
mod view;

use std::collections::BTreeSet;

use onrush_record::TopicId;

pub use assignor::Assignor;
pub use classic::{
    Answer, ClassicAnswer, ClassicDescription, ClassicHeartbeat, ClassicJoin, ClassicJoined,
    ClassicMember, ClassicMemberDescription, ClassicMemberRecord, ClassicRecord, ClassicSync,
    ClassicSynced, LeavingMember, Ticket,
};
pub use commit::Judged;
pub use config::ConsumerConfig;
pub(crate) use config::PREFIX as CONFIG_PREFIX;
pub use directory::{TopicDirectory, TopicEntry};
pub use error::GroupError;
pub use event::{EventError, GroupEvent, MemberRecord};
pub(crate) use groups::GROUP_ID_MAX_LEN;
pub use groups::Groups;
pub use heartbeat::{GroupHeartbeat, GroupHeartbeatReply, JOIN, LEAVE, LEAVE_STATIC};
pub use member::MemberState;
pub use offsets::{CommittedOffset, GroupCommit, OffsetCommit};
pub use settings::GroupSettings;
pub use subscription::Subscription;
pub use view::{GroupDescription, GroupKind, GroupListing, GroupState, MemberDescription};

/// A partition of a topic.
pub type TopicPartition = (TopicId, u32);

/// Some partitions, in order.
pub(crate) type Partitions = BTreeSet<TopicPartition>;
