//! What members under the classic protocol say, and what they are told.

use bytes::Bytes;

use crate::group::GroupError;

/// A call that waits; the caller numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// The end of a call's waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which call.
    pub to: Ticket,
    /// What it is told.
    pub what: ClassicAnswer,
}

/// What a call that may wait is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClassicAnswer {
    /// To one that joined.
    Joined(Result<ClassicJoined, GroupError>),
    /// To one that asked for its assignment.
    Synced(Result<ClassicSynced, GroupError>),
}

/// A member joins, or joins again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassicJoin {
    /// The group.
    pub group: String,
    /// The member; empty to be given an id.
    pub member_id: String,
    /// Makes the member static.
    pub instance_id: Option<String>,
    /// What its client calls itself.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
    /// How long it may be silent.
    pub session_timeout_ms: i32,
    /// How long it may take to join again when a rebalance begins; negative: its session timeout.
    pub rebalance_timeout_ms: i32,
    /// What kind of group it takes this for; `consumer` of consumers.
    pub protocol_type: String,
    /// The ways of assigning it knows, those it likes best first, each with what it says to a
    /// leader that assigns so.
    pub protocols: Vec<(String, Bytes)>,
    /// It must come with an id: without one it is only given one.
    pub member_id_required: bool,
    /// As a leader it understands that it shall not assign.
    pub skips_assignment: bool,
    /// Why it joins, for the log.
    pub reason: Option<String>,
}

/// What a member that joined is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassicJoined {
    /// The generation that begins.
    pub generation: i32,
    /// The kind of group.
    pub protocol_type: Option<String>,
    /// The way of assigning that was chosen.
    pub protocol_name: Option<String>,
    /// Who assigns.
    pub leader: String,
    /// The member's id.
    pub member_id: String,
    /// The leader shall leave the assignment as it is.
    pub skip_assignment: bool,
    /// All members, for the leader; nobody for the others.
    pub members: Vec<ClassicMember>,
}

/// A member as the leader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassicMember {
    /// Its id.
    pub member_id: String,
    /// Its instance id, if it is static.
    pub instance_id: Option<String>,
    /// What it says under the chosen protocol.
    pub metadata: Bytes,
}

/// A member asks for its assignment; the leader brings everybody's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassicSync {
    /// The group.
    pub group: String,
    /// The generation it joined.
    pub generation: i32,
    /// The member.
    pub member_id: String,
    /// Its instance id, if it is static.
    pub instance_id: Option<String>,
    /// What kind of group it takes this for, if it says.
    pub protocol_type: Option<String>,
    /// The way of assigning it was told, if it says.
    pub protocol_name: Option<String>,
    /// From the leader: what each member is assigned.
    pub assignments: Vec<(String, Bytes)>,
}

/// A member's assignment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassicSynced {
    /// The kind of group.
    pub protocol_type: Option<String>,
    /// The way it was assigned.
    pub protocol_name: Option<String>,
    /// What the leader assigned to the member.
    pub assignment: Bytes,
}

/// A member is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassicHeartbeat<'a> {
    /// The group.
    pub group: &'a str,
    /// The generation the member is in.
    pub generation: i32,
    /// The member.
    pub member_id: &'a str,
    /// Its instance id, if it is static.
    pub instance_id: Option<&'a str>,
}

/// A member that leaves, or is made to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeavingMember {
    /// The member; empty: whoever has the instance id.
    pub member_id: String,
    /// Its instance id, if it is static.
    pub instance_id: Option<String>,
    /// Why, for the log.
    pub reason: Option<String>,
}
