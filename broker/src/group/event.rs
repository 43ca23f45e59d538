//! What must survive a restart, as values to be journalled and replayed.
//!
//! An encoded event is a version byte (1), a kind byte, and fields: integers little-endian, text
//! and arrays behind a u32 count, optional values behind a byte that is 0 or 1.

use bytes::Bytes;
use onrush_record::{LeaderEpoch, Offset, ProducerId};

use super::TopicPartition;
use super::assignor::Assignor;
use super::classic::{ClassicRecord, put_protocols, put_record, take_protocols, take_record};
use super::codec::{Reader, put_array, put_len, put_option, put_partition, put_text};
use super::offsets::CommittedOffset;
use super::subscription::Subscription;
use crate::settings::Overrides;

const VERSION: u8 = 1;

/// A change of a group that must survive a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupEvent {
    /// Members, subscriptions or topics have changed.
    GroupEpochBumped {
        /// The group.
        group: String,
        /// Its epoch now.
        epoch: i32,
        /// When.
        at_ms: i64,
    },
    /// A member has joined, or something about it is different now.
    MemberChanged {
        /// The group.
        group: String,
        /// The whole member.
        member: Box<MemberRecord>,
    },
    /// A member has left, or was removed.
    MemberRemoved {
        /// The group.
        group: String,
        /// The member.
        member_id: String,
    },
    /// Offsets were committed, or (None) forgotten.
    OffsetsCommitted {
        /// The group.
        group: String,
        /// What is committed for which partition from here on.
        offsets: Vec<(TopicPartition, Option<CommittedOffset>)>,
    },
    /// Offsets are committed if and when a transaction is.
    OffsetsPending {
        /// The group.
        group: String,
        /// Whose transaction.
        producer: ProducerId,
        /// What is committed then, or (None) forgotten.
        offsets: Vec<(TopicPartition, Option<CommittedOffset>)>,
    },
    /// A transaction has ended: what was pending of it is committed, or never is.
    PendingEnded {
        /// The group.
        group: String,
        /// Whose transaction.
        producer: ProducerId,
        /// How it ended.
        commits: bool,
    },
    /// A group under the classic protocol has a new stable generation, or no members any more.
    /// It is under that protocol from here on.
    ClassicGeneration {
        /// The group.
        group: String,
        /// The generation.
        record: Box<ClassicRecord>,
    },
    /// The group is no longer under the classic protocol.
    ClassicEnded {
        /// The group.
        group: String,
    },
    /// The group was given settings of its own; these are all. They outlive it.
    GroupConfigured {
        /// The group.
        group: String,
        /// By key.
        overrides: Overrides,
    },
    /// The group is gone, with its offsets.
    GroupDeleted {
        /// The group.
        group: String,
    },
}

/// A member as it is journalled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRecord {
    /// Its id.
    pub member_id: String,
    /// Its instance id, if it is static.
    pub instance_id: Option<String>,
    /// What its client calls itself.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
    /// How long it may take to give up partitions.
    pub rebalance_timeout_ms: u32,
    /// How long it may be silent; 0: as long as its group says.
    pub session_timeout_ms: u32,
    /// The assignor it wants.
    pub assignor: Option<Assignor>,
    /// What it wants to read.
    pub subscription: Subscription,
    /// Its epoch.
    pub epoch: i32,
    /// The epoch it had said when it was told that one.
    pub epoch_before: i32,
    /// Whether it is a static member that left to come back.
    pub away: bool,
    /// What it may hold, or will hold when it is back.
    pub assigned: Vec<TopicPartition>,
    /// What it was asked to give up.
    pub revoking: Vec<TopicPartition>,
    /// If it speaks the classic protocol: the ways of assigning it knows, with what it says under
    /// each.
    pub classic: Option<Vec<(String, Bytes)>>,
}

/// Bytes that are no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Written by a newer version.
    #[error("group event of version {0}, this broker knows up to {VERSION}: use a newer broker")]
    NewerVersion(u8),
    /// The bytes end too early, or a count is larger than they can hold.
    #[error("group event ends too early: its journal is damaged")]
    Truncated,
    /// Bytes are left over.
    #[error("group event has bytes after its end: its journal is damaged")]
    Trailing,
    /// A field has a value its type does not have.
    #[error("group event has a value that makes no sense: its journal is damaged")]
    BadValue,
}

impl GroupEvent {
    /// The group it is about.
    pub fn group(&self) -> &str {
        match self {
            Self::GroupEpochBumped { group, .. }
            | Self::MemberChanged { group, .. }
            | Self::MemberRemoved { group, .. }
            | Self::OffsetsCommitted { group, .. }
            | Self::OffsetsPending { group, .. }
            | Self::PendingEnded { group, .. }
            | Self::ClassicGeneration { group, .. }
            | Self::GroupConfigured { group, .. }
            | Self::ClassicEnded { group }
            | Self::GroupDeleted { group } => group,
        }
    }

    /// Appends the event's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let kind = match self {
            Self::GroupEpochBumped { .. } => 1,
            Self::MemberChanged { member, .. } if member.classic.is_none() => 2,
            Self::MemberChanged { .. } => 8,
            Self::MemberRemoved { .. } => 3,
            Self::OffsetsCommitted { .. } => 4,
            Self::GroupDeleted { .. } => 5,
            Self::OffsetsPending { .. } => 16,
            Self::PendingEnded { .. } => 17,
            Self::ClassicGeneration { .. } => 6,
            Self::ClassicEnded { .. } => 7,
            Self::GroupConfigured { .. } => 9,
        };
        out.extend_from_slice(&[VERSION, kind]);
        put_text(out, self.group());
        match self {
            Self::GroupEpochBumped { epoch, at_ms, .. } => {
                out.extend_from_slice(&epoch.to_le_bytes());
                out.extend_from_slice(&at_ms.to_le_bytes());
            }
            Self::MemberChanged { member, .. } => {
                put_member(out, member);
                member.classic.iter().for_each(|protocols| put_protocols(out, protocols));
            }
            Self::MemberRemoved { member_id, .. } => put_text(out, member_id),
            Self::OffsetsCommitted { offsets, .. } => put_offsets(out, offsets),
            Self::OffsetsPending { producer, offsets, .. } => {
                out.extend_from_slice(&producer.get().to_le_bytes());
                put_offsets(out, offsets);
            }
            Self::PendingEnded { producer, commits, .. } => {
                out.extend_from_slice(&producer.get().to_le_bytes());
                out.push(u8::from(*commits));
            }
            Self::ClassicGeneration { record, .. } => put_record(out, record),
            Self::GroupConfigured { overrides, .. } => {
                put_len(out, overrides.len());
                for (key, value) in overrides {
                    put_text(out, key);
                    put_text(out, value);
                }
            }
            Self::ClassicEnded { .. } | Self::GroupDeleted { .. } => {}
        }
    }

    /// Reads an event that must end where `bytes` ends.
    pub fn decode(bytes: &[u8]) -> Result<Self, EventError> {
        let mut input = Reader(bytes);
        match input.u8()? {
            VERSION => {}
            0 => return Err(EventError::BadValue),
            newer => return Err(EventError::NewerVersion(newer)),
        }
        let kind = input.u8()?;
        let group = input.text()?;
        let event = match kind {
            1 => Self::GroupEpochBumped { group, epoch: input.i32()?, at_ms: input.i64()? },
            2 => Self::MemberChanged { group, member: Box::new(take_member(&mut input)?) },
            3 => Self::MemberRemoved { group, member_id: input.text()? },
            4 => Self::OffsetsCommitted { group, offsets: take_offsets(&mut input)? },
            5 => Self::GroupDeleted { group },
            16 => {
                let producer = ProducerId::new(input.i64()?);
                Self::OffsetsPending { group, producer, offsets: take_offsets(&mut input)? }
            }
            17 => {
                let producer = ProducerId::new(input.i64()?);
                Self::PendingEnded { group, producer, commits: input.bool()? }
            }
            6 => Self::ClassicGeneration { group, record: Box::new(take_record(&mut input)?) },
            7 => Self::ClassicEnded { group },
            8 => {
                let mut member = Box::new(take_member(&mut input)?);
                member.classic = Some(take_protocols(&mut input)?);
                Self::MemberChanged { group, member }
            }
            9 => {
                let overrides = input.vec(8, |input| Ok((input.text()?, input.text()?)))?;
                Self::GroupConfigured { group, overrides: overrides.into_iter().collect() }
            }
            _ => return Err(EventError::BadValue),
        };
        if input.0.is_empty() { Ok(event) } else { Err(EventError::Trailing) }
    }
}

#[expect(
    clippy::ptr_arg,
    reason = "stands where a function over references to elements is asked for"
)]
fn put_string(out: &mut Vec<u8>, text: &String) {
    put_text(out, text);
}

fn put_offsets(out: &mut Vec<u8>, offsets: &[(TopicPartition, Option<CommittedOffset>)]) {
    put_array(out, offsets, |out, (partition, offset)| {
        put_partition(out, *partition);
        put_option(out, offset.as_ref(), put_offset);
    });
}

fn take_offsets(
    input: &mut Reader<'_>,
) -> Result<Vec<(TopicPartition, Option<CommittedOffset>)>, EventError> {
    input.vec(21, |input| Ok((input.partition()?, input.option(take_offset)?)))
}

fn put_offset(out: &mut Vec<u8>, offset: &CommittedOffset) {
    out.extend_from_slice(&offset.offset.get().to_le_bytes());
    put_option(out, offset.leader_epoch.as_ref(), |out, epoch| {
        out.extend_from_slice(&epoch.get().to_le_bytes());
    });
    put_text(out, &offset.metadata);
    out.extend_from_slice(&offset.committed_at_ms.to_le_bytes());
}

fn take_offset(input: &mut Reader<'_>) -> Result<CommittedOffset, EventError> {
    Ok(CommittedOffset {
        offset: Offset::new(u64::from_le_bytes(input.array()?)),
        leader_epoch: input.option(Reader::u32)?.map(LeaderEpoch::new),
        metadata: input.text()?,
        committed_at_ms: input.i64()?,
    })
}

fn put_member(out: &mut Vec<u8>, member: &MemberRecord) {
    put_text(out, &member.member_id);
    put_option(out, member.instance_id.as_ref(), put_string);
    put_text(out, &member.client_id);
    put_text(out, &member.client_host);
    out.extend_from_slice(&member.rebalance_timeout_ms.to_le_bytes());
    out.extend_from_slice(&member.session_timeout_ms.to_le_bytes());
    put_option(out, member.assignor.as_ref(), |out, assignor| put_text(out, assignor.name()));
    put_array(out, &member.subscription.topics, put_string);
    put_option(out, member.subscription.regex.as_ref(), put_string);
    out.extend_from_slice(&member.epoch.to_le_bytes());
    out.extend_from_slice(&member.epoch_before.to_le_bytes());
    out.push(u8::from(member.away));
    put_array(out, &member.assigned, |out, partition| put_partition(out, *partition));
    put_array(out, &member.revoking, |out, partition| put_partition(out, *partition));
}

fn take_member(input: &mut Reader<'_>) -> Result<MemberRecord, EventError> {
    let assignor =
        |input: &mut Reader<'_>| Assignor::by_name(&input.text()?).ok_or(EventError::BadValue);
    Ok(MemberRecord {
        member_id: input.text()?,
        instance_id: input.option(Reader::text)?,
        client_id: input.text()?,
        client_host: input.text()?,
        rebalance_timeout_ms: input.u32()?,
        session_timeout_ms: input.u32()?,
        assignor: input.option(assignor)?,
        subscription: Subscription {
            topics: input.vec(4, Reader::text)?,
            regex: input.option(Reader::text)?,
        },
        epoch: input.i32()?,
        epoch_before: input.i32()?,
        away: input.bool()?,
        assigned: input.vec(20, Reader::partition)?,
        revoking: input.vec(20, Reader::partition)?,
        classic: None,
    })
}
