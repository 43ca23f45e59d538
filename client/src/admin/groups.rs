//! Consumer groups.

use std::collections::{BTreeMap, BTreeSet};

use onrush_protocol::ErrorCode;
use onrush_protocol::request::{
    CommitOffset, GroupCommitRequest, GroupDeleteRequest, GroupDescribeRequest, GroupListRequest,
    GroupOffsetsRequest, TopicPartition as WirePartition, TopicRef,
};
pub use onrush_protocol::response::GroupListing;
use onrush_protocol::response::{GroupState, MemberState};
use onrush_protocol::wire::Maybe;
use onrush_record::{Offset, TopicId};

use super::{Admin, only};
use crate::error::{Error, Result};
use crate::metadata::{self, TopicPartition};

/// A group in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its id.
    pub group: String,
    /// Where it is in its life.
    pub state: GroupState,
    /// Rises with each change of members, subscriptions or topics.
    pub epoch: i32,
    /// Its members, in order of id.
    pub members: Vec<GroupMember>,
    /// What it has committed, in order of topic and partition.
    pub offsets: Vec<CommittedOffset>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// Its id.
    pub member_id: String,
    /// Its instance id, if it is static.
    pub instance_id: Option<String>,
    /// What its client calls itself.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
    /// Its epoch.
    pub epoch: i32,
    /// Where it is on its way to its target assignment.
    pub state: MemberState,
    /// What it reads now.
    pub assignment: Vec<TopicPartition>,
}

/// What a group has committed for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The partition.
    pub partition: TopicPartition,
    /// The next record to read.
    pub offset: Offset,
    /// The partition's end, if it still exists.
    pub readable_end: Option<Offset>,
    /// When it was committed, in milliseconds since 1970.
    pub committed_at_ms: i64,
    /// Text of the committer's own.
    pub metadata: String,
}

impl CommittedOffset {
    /// Records between the committed offset and the end.
    pub fn lag(&self) -> Option<u64> {
        self.readable_end.map(|end| end.since(self.offset))
    }
}

impl Admin {
    /// Every group, in order of name.
    ///
    /// # Errors
    /// When the broker cannot be reached.
    pub async fn groups(&self) -> Result<Vec<GroupListing>> {
        Ok(self.look(&GroupListRequest {}).await?.groups)
    }

    /// One group: its members, its offsets and their lag.
    ///
    /// # Errors
    /// When there is no such group.
    pub async fn describe_group(&self, group: &str) -> Result<GroupDescription> {
        let request = GroupDescribeRequest { groups: vec![group.to_owned()] };
        let described = only("GroupDescribe", self.look(&request).await?.groups)?;
        if let Some(error) = described.error.0 {
            return Err(Error::broker(format_args!("group {group}"), error));
        }
        let request = GroupOffsetsRequest {
            group: group.to_owned(),
            partitions: None,
            with_end: true,
            stable: false,
        };
        let committed = self.look(&request).await?.offsets;
        let assigned = described.members.iter().flat_map(|member| &member.assignment);
        let ids: BTreeSet<TopicId> = assigned
            .map(|part| part.topic_id)
            .chain(committed.iter().map(|part| part.topic_id))
            .collect();
        let names = self.names(ids).await?;
        let mut offsets = Vec::with_capacity(committed.len());
        for part in committed {
            if let Some(error) = part.error.0
                && error.code != ErrorCode::UNKNOWN_TOPIC
            {
                return Err(Error::broker(format_args!("offsets of group {group}"), error));
            }
            let Some(offset) = part.offset.0 else { continue };
            offsets.push(CommittedOffset {
                partition: name(&names, part.topic_id, part.partition),
                offset,
                readable_end: part.readable_end.0,
                committed_at_ms: part.committed_at_ms,
                metadata: part.metadata,
            });
        }
        offsets.sort_by(|a, b| a.partition.cmp(&b.partition));
        let members = described.members.into_iter().map(|member| GroupMember {
            member_id: member.member_id,
            instance_id: member.instance_id,
            client_id: member.client_id,
            client_host: member.client_host,
            epoch: member.member_epoch,
            state: member.state,
            assignment: named(&names, &member.assignment),
        });
        Ok(GroupDescription {
            group: described.group,
            state: described.state,
            epoch: described.group_epoch,
            members: members.collect(),
            offsets,
        })
    }

    /// Sets a group's committed offsets (`None`: forgets one). Only while it has no members.
    ///
    /// # Errors
    /// When the group has members, or a partition does not exist.
    pub async fn commit_group_offsets(
        &self,
        group: &str,
        offsets: &[(TopicPartition, Option<Offset>)],
    ) -> Result<()> {
        let mut ids = BTreeMap::new();
        let mut parts = Vec::with_capacity(offsets.len());
        for (at, offset) in offsets {
            let topic_id = match ids.get(&at.topic) {
                Some(id) => *id,
                None => {
                    let id = self.topic_info(&at.topic).await?.id;
                    ids.insert(at.topic.clone(), id);
                    id
                }
            };
            parts.push(CommitOffset {
                topic_id,
                partition: at.partition,
                offset: (*offset).into(),
                leader_epoch: Maybe::NONE,
                metadata: String::new(),
            });
        }
        let request = GroupCommitRequest {
            group: group.to_owned(),
            member_id: String::new(),
            member_epoch: -1,
            offsets: parts,
        };
        let response = self.look(&request).await?;
        for (part, (at, _)) in response.parts.into_iter().zip(offsets) {
            let doing = format_args!("commit of {at} for group {group}");
            part.error.or(()).map_err(|error| Error::broker(doing, error))?;
        }
        Ok(())
    }

    /// Deletes a group with its committed offsets.
    ///
    /// # Errors
    /// When there is no such group, or it has members.
    pub async fn delete_group(&self, group: &str) -> Result<()> {
        let request = GroupDeleteRequest { groups: vec![group.to_owned()] };
        let deleted = only("GroupDelete", self.once(&request).await?.groups)?;
        let doing = format_args!("delete group {group}");
        deleted.error.or(()).map_err(|error| Error::broker(doing, error))
    }

    pub(super) async fn names(&self, ids: BTreeSet<TopicId>) -> Result<Names> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let asked = ids.into_iter().map(TopicRef::Id).collect();
        let found = metadata::topics(&*self.link.get().await?, asked).await?;
        // Deleted topics have no name any more.
        Ok(found.into_iter().flatten().map(|info| (info.id, info.name)).collect())
    }
}

pub(super) type Names = BTreeMap<TopicId, std::sync::Arc<str>>;

/// A partition by name; a deleted topic goes by its id.
pub(super) fn name(names: &Names, id: TopicId, partition: u32) -> TopicPartition {
    let topic = names.get(&id).cloned().unwrap_or_else(|| id.to_string().into());
    TopicPartition { topic, partition }
}

fn named(names: &Names, partitions: &[WirePartition]) -> Vec<TopicPartition> {
    partitions.iter().map(|part| name(names, part.topic_id, part.partition)).collect()
}
