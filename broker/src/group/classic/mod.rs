//! Groups under the classic protocol: members join, one of them, the leader, assigns.
//!
//! A rebalance has two phases. In the first (`PreparingRebalance`) every member has to join again;
//! their calls wait for each other. When all have, or time is up, there is a new generation, and in
//! the second phase (`CompletingRebalance`) the leader hands in what it has assigned, for which the
//! others' calls wait. Then the group is `Stable`, and members only heartbeat, until one comes,
//! goes, or says something new.
//!
//! As everything of groups it is a state machine without clock, disk or socket. A call that has to
//! wait is known by a [`Ticket`]; its [`Answer`] comes out of whichever later call decides it. What
//! survives a restart is the last generation that became stable, as one [`ClassicRecord`].
//!
//! Read [`calls`](self) for what members say, `state` for what a group is, `rebalance` for the two
//! phases, and `join`, `sync`, `leave` for what each call does.

mod calls;
mod consumer;
mod join;
mod leave;
mod member;
mod rebalance;
mod record;
mod state;
mod statics;
mod sync;
mod view;

pub use calls::{
    Answer, ClassicAnswer, ClassicHeartbeat, ClassicJoin, ClassicJoined, ClassicMember,
    ClassicSync, ClassicSynced, LeavingMember, Ticket,
};
pub(crate) use consumer::{CONSUMER, ConsumerSubscription, encode_assignment, parse_assignment};
pub(crate) use join::check_said;
pub(crate) use member::Member as ClassicState;
pub use record::{ClassicMemberRecord, ClassicRecord};
pub(crate) use record::{put_protocols, put_record, take_protocols, take_record};
pub(crate) use state::{Classic, Phase, Turn};
pub use view::{ClassicDescription, ClassicMemberDescription};
