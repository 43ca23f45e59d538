//! Groups as administrators see them.

use super::TopicPartition;
use super::classic::{CONSUMER, Classic};
use super::directory::TopicDirectory;
use super::group::Group;
use super::member::{Member, MemberState};
use super::subscription::Subscription;

/// Where a group is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupState {
    /// No members; committed offsets may remain.
    Empty,
    /// A new target is due; the next heartbeat makes it.
    Assigning,
    /// Members are giving up or taking over partitions.
    Reconciling,
    /// Every member has what it should have.
    Stable,
    /// Under the classic protocol: members are to join again.
    PreparingRebalance,
    /// Under the classic protocol: the leader is to assign.
    CompletingRebalance,
}

/// The protocol of a group's members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupKind {
    /// A member assigns; or there are no members, only offsets.
    Classic,
    /// The broker assigns.
    Consumer,
    /// Members share partitions; the broker hands out single records.
    Share,
}

impl GroupKind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Consumer => "consumer",
            Self::Share => "share",
        }
    }
}

impl GroupState {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
        }
    }
}

/// One group in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupListing {
    /// Its id.
    pub group: String,
    /// The protocol of its members.
    pub kind: GroupKind,
    /// What its members are; `consumer` of consumers, empty of one that only keeps offsets.
    pub protocol_type: String,
    /// Its state.
    pub state: GroupState,
    /// Its members.
    pub members: usize,
}

/// One group in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its id.
    pub group: String,
    /// The protocol of its members.
    pub kind: GroupKind,
    /// Its state.
    pub state: GroupState,
    /// Rises with each change of members, subscriptions or topics.
    pub group_epoch: i32,
    /// The group epoch its target was made for.
    pub target_epoch: i32,
    /// How partitions are spread.
    pub assignor: &'static str,
    /// Its members in order of id.
    pub members: Vec<MemberDescription>,
}

/// One member in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberDescription {
    /// Its id.
    pub member_id: String,
    /// Its instance id, if it is static.
    pub instance_id: Option<String>,
    /// What its client calls itself.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
    /// Its epoch; [`super::LEAVE_STATIC`] of a static member that left to come back.
    pub member_epoch: i32,
    /// Its state.
    pub state: MemberState,
    /// Whether it speaks the classic protocol.
    pub classic: bool,
    /// What it wants to read.
    pub subscription: Subscription,
    /// What it holds, what it was asked to give up included.
    pub assignment: Vec<TopicPartition>,
    /// What it shall have.
    pub target: Vec<TopicPartition>,
}

impl Group {
    /// Where the group is in its life.
    pub(crate) fn state(&self) -> GroupState {
        if let Some(classic) = &self.classic {
            return classic.group_state();
        }
        if self.members.is_empty() {
            return GroupState::Empty;
        }
        if self.epoch != self.target_epoch {
            return GroupState::Assigning;
        }
        let there = |member: &Member| {
            member.away || member.state == MemberState::Stable && member.epoch == self.target_epoch
        };
        if self.members.values().all(there) { GroupState::Stable } else { GroupState::Reconciling }
    }

    /// The protocol of its members.
    pub(crate) fn kind(&self) -> GroupKind {
        if self.classic.is_some() || self.epoch == 0 {
            GroupKind::Classic
        } else {
            GroupKind::Consumer
        }
    }

    /// The group in a list.
    pub(crate) fn listing(&self) -> GroupListing {
        GroupListing {
            group: self.id.to_string(),
            kind: self.kind(),
            protocol_type: match (&self.classic, self.kind()) {
                (Some(classic), _) => classic.protocol_type.clone().unwrap_or_default(),
                (None, GroupKind::Consumer) => CONSUMER.to_owned(),
                (None, _) => String::new(),
            },
            state: self.state(),
            members: self.member_count(),
        }
    }

    /// The group in full.
    pub(crate) fn describe(&self, directory: &TopicDirectory) -> GroupDescription {
        let classic = |classic: &Classic| classic.as_members(directory);
        let members = self.members.values().map(describe_member);
        GroupDescription {
            group: self.id.to_string(),
            kind: self.kind(),
            state: self.state(),
            group_epoch: self.epoch,
            target_epoch: self.target_epoch,
            assignor: self.assignor().name(),
            members: self.classic.as_deref().map_or_else(|| members.collect(), classic),
        }
    }
}

fn describe_member(member: &Member) -> MemberDescription {
    let held = member.assigned.iter().chain(&member.revoking).copied();
    MemberDescription {
        member_id: member.id.to_string(),
        instance_id: member.instance_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        member_epoch: if member.away { super::LEAVE_STATIC } else { member.epoch },
        state: member.state,
        classic: member.classic.is_some(),
        subscription: member.subscription.subscription.clone(),
        assignment: if member.away { Vec::new() } else { held.collect() },
        target: member.target.iter().copied().collect(),
    }
}
