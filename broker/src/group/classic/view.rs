//! A group under the classic protocol as administrators see it.

use bytes::Bytes;

use super::consumer::parse_assignment;
use super::state::{Classic, Phase};
use crate::group::{GroupState, MemberDescription, MemberState, Subscription, TopicDirectory};

/// One group under the classic protocol in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassicDescription {
    /// Its id.
    pub group: String,
    /// Its state.
    pub state: GroupState,
    /// The kind of group; empty of one that only keeps offsets.
    pub protocol_type: String,
    /// The way of assigning; empty unless it is stable.
    pub protocol_name: String,
    /// Its members in order of id.
    pub members: Vec<ClassicMemberDescription>,
}

/// One member in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassicMemberDescription {
    /// Its id.
    pub member_id: String,
    /// Its instance id, if it is static.
    pub instance_id: Option<String>,
    /// What its client calls itself.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
    /// What it says under the chosen protocol; nothing unless the group is stable.
    pub metadata: Bytes,
    /// What it is assigned; nothing unless the group is stable.
    pub assignment: Bytes,
}

impl Classic {
    pub(crate) fn group_state(&self) -> GroupState {
        match self.phase {
            Phase::Empty => GroupState::Empty,
            Phase::Preparing => GroupState::PreparingRebalance,
            Phase::Completing => GroupState::CompletingRebalance,
            Phase::Stable => GroupState::Stable,
        }
    }

    /// Its members in the words of the other protocol, as far as they say what consumers say.
    pub(crate) fn as_members(&self, directory: &TopicDirectory) -> Vec<MemberDescription> {
        let members = self.members.values().map(|member| {
            let wanted = self.subscription(member).filter(|_| self.is_of_consumers());
            let topics = wanted.map_or_else(Vec::new, |wanted| wanted.sorted_topics());
            let named = parse_assignment(&member.assignment).unwrap_or_default();
            let assignment = named.into_iter().filter_map(|(topic, partitions)| {
                let id = directory.get(&topic)?.id;
                Some(partitions.into_iter().map(move |partition| (id, partition)))
            });
            let assignment: Vec<_> = assignment.flatten().collect();
            MemberDescription {
                member_id: member.id.to_string(),
                instance_id: member.instance_id.clone(),
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                member_epoch: self.generation,
                state: MemberState::Stable,
                classic: true,
                subscription: Subscription { topics, regex: None },
                target: assignment.clone(),
                assignment,
            }
        });
        members.collect()
    }

    pub(crate) fn describe(&self, group: &str) -> ClassicDescription {
        let protocol = self.protocol_name.as_deref().filter(|_| self.phase == Phase::Stable);
        let members = self.members.values().map(|member| ClassicMemberDescription {
            member_id: member.id.to_string(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: protocol.map_or_else(Bytes::new, |name| member.metadata(name)),
            assignment: protocol.map_or_else(Bytes::new, |_| member.assignment.clone()),
        });
        ClassicDescription {
            group: group.to_owned(),
            state: self.group_state(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol_name: protocol.unwrap_or_default().to_owned(),
            members: members.collect(),
        }
    }
}
