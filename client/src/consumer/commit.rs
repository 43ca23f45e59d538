//! Committed offsets: finding where to go on, and saying where one is.

use std::time::Duration;

use onrush_protocol::ErrorCode;
use onrush_protocol::request::{
    CommitOffset, GroupCommitRequest, GroupOffsetsRequest, ListOffsetsPart, ListOffsetsRequest,
    OffsetSpec, TopicPartition as WirePartition,
};
use onrush_protocol::wire::Maybe;
use onrush_record::{Offset, TopicId};

use super::membership::gives_up;
use super::{Consumer, Isolation, PAUSE, Start};
use crate::error::{Error, Result};
use crate::metadata::TopicPartition;

impl Consumer {
    /// Commits the positions of all partitions: everything handed out by polls before this counts
    /// as done.
    ///
    /// # Errors
    /// Without a group; when the group has given this member up, whose work another may then do
    /// again; when the broker cannot be reached.
    pub async fn commit(&mut self) -> Result<()> {
        let offsets = self.uncommitted(|_| true);
        self.commit_all(&offsets).await
    }

    /// Commits these offsets, each the next record to read of its partition.
    ///
    /// # Errors
    /// As [`commit`](Self::commit); also for a partition that is not this consumer's.
    pub async fn commit_offsets(&mut self, offsets: &[(&str, u32, Offset)]) -> Result<()> {
        let offsets: Vec<_> = offsets
            .iter()
            .map(|&(topic, partition, offset)| (TopicPartition::of(topic, partition), offset))
            .collect();
        self.commit_all(&offsets).await
    }

    /// Positions that differ from what is committed.
    pub(super) fn uncommitted(
        &self,
        among: impl Fn(&TopicPartition) -> bool,
    ) -> Vec<(TopicPartition, Offset)> {
        self.slots
            .values()
            .filter(|slot| among(&slot.at) && slot.is_uncommitted())
            .map(|slot| (slot.at.clone(), slot.position))
            .collect()
    }

    pub(super) async fn commit_all(&mut self, offsets: &[(TopicPartition, Offset)]) -> Result<()> {
        let Some(group) = self.settings.group.clone() else {
            return Err(Error::invalid("committing needs a group: call group() on the builder"));
        };
        if offsets.is_empty() {
            return Ok(());
        }
        let mut parts = Vec::with_capacity(offsets.len());
        for (at, offset) in offsets {
            let Some(slot) = self.slots.get(at) else {
                return Err(Error::invalid(format_args!("{at} is not assigned to this consumer")));
            };
            parts.push(CommitOffset {
                topic_id: slot.topic_id,
                partition: at.partition,
                offset: Maybe::some(*offset),
                leader_epoch: Maybe::NONE,
                metadata: String::new(),
            });
        }
        let mut request = GroupCommitRequest {
            group: group.to_string(),
            member_id: self.membership.as_ref().map_or("", |member| member.member_id()).to_owned(),
            member_epoch: -1,
            offsets: parts,
        };
        loop {
            let epoch = self.membership.as_ref().map_or(-1, |member| member.epoch());
            request.member_epoch = epoch;
            match self.feed.link.call_again(&request).await {
                Ok(response) => {
                    for (part, (at, offset)) in response.parts.into_iter().zip(offsets) {
                        if let Some(error) = part.error.0 {
                            return Err(Error::broker(format_args!("commit of {at}"), error));
                        }
                        if let Some(slot) = self.slots.get_mut(at) {
                            slot.committed = Some(*offset);
                        }
                    }
                    return Ok(());
                }
                Err(error) => {
                    let Some(member) = &self.membership else { return Err(error) };
                    // A heartbeat may have brought a new epoch while the commit was under way.
                    let moved = member.epoch() != epoch && member.epoch() > 0;
                    if gives_up(&error) && moved {
                        continue;
                    }
                    if gives_up(&error) && member.epoch() == epoch && epoch > 0 {
                        member.fenced();
                    }
                    return Err(error);
                }
            }
        }
    }

    /// What the group has committed for these partitions.
    pub(super) async fn committed(&self, keys: &[(TopicId, u32)]) -> Result<Vec<Option<Offset>>> {
        let Some(group) = &self.settings.group else { return Ok(vec![None; keys.len()]) };
        let partitions = keys
            .iter()
            .map(|&(topic_id, partition)| WirePartition { topic_id, partition })
            .collect();
        let request = GroupOffsetsRequest {
            group: group.to_string(),
            partitions: Some(partitions),
            with_end: false,
            // Who reads only what is committed goes on behind what was read for a transaction only
            // once that has ended.
            stable: self.settings.isolation == Isolation::ReadCommitted,
        };
        loop {
            let response = self.feed.link.call_again(&request).await?;
            if response.offsets.len() != keys.len() {
                return Err(Error::short_answer("GroupOffsets"));
            }
            let unstable = response.offsets.iter().filter_map(|part| part.error.0.as_ref());
            let unstable = unstable.filter(|error| error.code == ErrorCode::UNSTABLE_OFFSET);
            if let Some(wait_ms) = unstable.map(|error| error.retry_after_ms).max() {
                let wait = Duration::from_millis(u64::from(wait_ms)).max(PAUSE);
                self.feed.link.config.clock.sleep(wait).await;
                continue;
            }
            let found = response.offsets.into_iter().map(|part| {
                part.error.or(part.offset.0).map_err(|error| Error::broker("GroupOffsets", error))
            });
            return found.collect();
        }
    }

    /// The offset that a start means for a partition now.
    pub(super) async fn resolve(
        &self,
        at: &TopicPartition,
        topic_id: TopicId,
        start: Start,
    ) -> Result<Offset> {
        let spec = match start {
            Start::Offset(offset) => return Ok(offset),
            Start::Earliest => OffsetSpec::Earliest,
            Start::Latest => self.end(),
            Start::Timestamp(timestamp) => OffsetSpec::Timestamp(timestamp),
            Start::Fail => {
                return Err(Error::invalid(format_args!(
                    "there is no offset to begin at for {at}, and start is set to fail; commit one, \
                     seek, or choose another start"
                )));
            }
        };
        match self.list_offset(at, topic_id, spec).await? {
            Some(offset) => Ok(offset),
            // No record is that late: begin with what comes.
            None => {
                let end = self.list_offset(at, topic_id, self.end()).await?;
                end.ok_or_else(|| Error::short_answer("ListOffsets"))
            }
        }
    }

    /// What the end of a partition is to this consumer.
    fn end(&self) -> OffsetSpec {
        match self.settings.isolation {
            Isolation::ReadUncommitted => OffsetSpec::Latest,
            Isolation::ReadCommitted => OffsetSpec::LastStable,
        }
    }

    async fn list_offset(
        &self,
        at: &TopicPartition,
        topic_id: TopicId,
        spec: OffsetSpec,
    ) -> Result<Option<Offset>> {
        let partition = at.partition;
        let part = ListOffsetsPart { topic_id, partition, leader_epoch: Maybe::NONE, spec };
        let request = ListOffsetsRequest { parts: vec![part] };
        let mut response = self.feed.link.call_again(&request).await?;
        let answer = response.parts.pop().ok_or_else(|| Error::short_answer("ListOffsets"))?;
        let offset = answer.error.or(answer.offset.0);
        offset.map_err(|error| Error::broker(format_args!("offset of {at}"), error))
    }
}
