//! What must survive a restart, as values to be journalled and replayed.
//!
//! An encoded event is a version byte (1), a kind byte, the group, and fields: integers
//! little-endian, text and arrays behind a u32 count, optional values behind a byte that is 0 or 1.

use onrush_record::TopicId;

use super::TopicPartition;
use super::partition::{Change, Fate};
use crate::codec::{Decoder, Encoder};
use crate::settings::Overrides;

const VERSION: u8 = 1;

/// A change of a share group that must survive a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShareEvent {
    /// The group.
    pub(crate) group: String,
    pub(crate) what: What,
}

/// What has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Members, subscriptions or topics have changed.
    EpochBumped { epoch: i32 },
    /// A member has joined, or something about it is different now.
    MemberChanged(Box<MemberRecord>),
    /// A member has left, or was removed.
    MemberRemoved { member_id: String },
    /// These are the group's own settings from now on.
    Configured { overrides: Overrides },
    /// It reads a partition from here on, whatever it had done of it.
    Started { partition: TopicPartition, epoch: i32, start: u64 },
    /// What became of records.
    Settled { partition: TopicPartition, changes: Vec<Change> },
    /// The log has lost its end; what comes in its place are other records.
    Truncated { partition: TopicPartition, end: u64 },
    /// What it has done of these is forgotten.
    Forgotten { partitions: Vec<TopicPartition> },
    /// The group is gone, with all but its settings.
    Deleted,
}

/// A member as it is journalled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MemberRecord {
    /// Its id.
    pub(crate) member_id: String,
    /// The rack it is in.
    pub(crate) rack: Option<String>,
    /// What its client calls itself.
    pub(crate) client_id: String,
    /// Where it connects from.
    pub(crate) client_host: String,
    /// The topics it wants to read.
    pub(crate) topics: Vec<String>,
    /// Its epoch.
    pub(crate) epoch: i32,
}

impl ShareEvent {
    pub(crate) fn new(group: &str, what: What) -> ShareEvent {
        ShareEvent { group: group.to_owned(), what }
    }

    /// The event's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        out.u8(VERSION).u8(self.what.kind()).str(&self.group);
        match &self.what {
            What::EpochBumped { epoch } => drop(out.bytes(&epoch.to_le_bytes())),
            What::MemberChanged(member) => put_member(&mut out, member),
            What::MemberRemoved { member_id } => drop(out.str(member_id)),
            What::Configured { overrides } => drop(out.map(overrides)),
            What::Started { partition, epoch, start } => {
                put_partition(&mut out, *partition);
                out.bytes(&epoch.to_le_bytes()).bytes(&start.to_le_bytes());
            }
            What::Settled { partition, changes } => {
                put_partition(&mut out, *partition);
                put_len(&mut out, changes.len());
                for change in changes {
                    out.bytes(&change.first.to_le_bytes()).bytes(&change.end.to_le_bytes());
                    out.u8(fate_id(change.fate)).bytes(&change.deliveries.to_le_bytes());
                }
            }
            What::Truncated { partition, end } => {
                put_partition(&mut out, *partition);
                out.bytes(&end.to_le_bytes());
            }
            What::Forgotten { partitions } => {
                put_len(&mut out, partitions.len());
                partitions.iter().for_each(|partition| put_partition(&mut out, *partition));
            }
            What::Deleted => {}
        }
        out.finish()
    }

    /// Reads an event that must end where `bytes` ends; says in words what is wrong with it.
    pub(crate) fn decode(bytes: &[u8]) -> Result<ShareEvent, String> {
        let mut from = Decoder::new(bytes);
        match from.u8() {
            Some(VERSION) => {}
            Some(newer) if newer > VERSION => {
                return Err(format!(
                    "share group event of version {newer}, this broker knows up to {VERSION}: \
                     use a newer broker"
                ));
            }
            _ => return Err("share group event without a version".to_owned()),
        }
        take(&mut from)
            .filter(|_| from.is_empty())
            .ok_or_else(|| "share group event is not what was written".to_owned())
    }
}

impl What {
    fn kind(&self) -> u8 {
        match self {
            What::EpochBumped { .. } => 1,
            What::MemberChanged(_) => 2,
            What::MemberRemoved { .. } => 3,
            What::Configured { .. } => 4,
            What::Started { .. } => 5,
            What::Settled { .. } => 6,
            What::Truncated { .. } => 7,
            What::Forgotten { .. } => 8,
            What::Deleted => 9,
        }
    }
}

fn take(from: &mut Decoder<'_>) -> Option<ShareEvent> {
    let kind = from.u8()?;
    let group = from.str()?;
    let what = match kind {
        1 => What::EpochBumped { epoch: from.i32()? },
        2 => What::MemberChanged(Box::new(take_member(from)?)),
        3 => What::MemberRemoved { member_id: from.str()? },
        4 => What::Configured { overrides: from.map()? },
        5 => {
            let partition = take_partition(from)?;
            What::Started { partition, epoch: from.i32()?, start: from.u64()? }
        }
        6 => {
            let partition = take_partition(from)?;
            let count = from.u32()?;
            let changes = (0..count).map(|_| take_change(from)).collect::<Option<Vec<_>>>()?;
            What::Settled { partition, changes }
        }
        7 => What::Truncated { partition: take_partition(from)?, end: from.u64()? },
        8 => {
            let count = from.u32()?;
            let partitions = (0..count).map(|_| take_partition(from)).collect::<Option<_>>()?;
            What::Forgotten { partitions }
        }
        9 => What::Deleted,
        _ => return None,
    };
    Some(ShareEvent { group, what })
}

fn put_len(out: &mut Encoder, len: usize) {
    out.u32(u32::try_from(len).unwrap_or(u32::MAX));
}

fn put_partition(out: &mut Encoder, (topic, index): TopicPartition) {
    out.bytes(&topic.bytes()).u32(index);
}

fn take_partition(from: &mut Decoder<'_>) -> Option<TopicPartition> {
    Some((TopicId::new(from.array()?), from.u32()?))
}

fn fate_id(fate: Fate) -> u8 {
    match fate {
        Fate::Available => 0,
        Fate::Acknowledged => 1,
        Fate::Archived => 2,
    }
}

fn take_change(from: &mut Decoder<'_>) -> Option<Change> {
    let (first, end) = (from.u64()?, from.u64()?);
    let fate = match from.u8()? {
        0 => Fate::Available,
        1 => Fate::Acknowledged,
        2 => Fate::Archived,
        _ => return None,
    };
    let deliveries = u16::from_le_bytes(from.array()?);
    (first < end).then_some(Change { first, end, fate, deliveries })
}

fn put_member(out: &mut Encoder, member: &MemberRecord) {
    out.str(&member.member_id).u8(u8::from(member.rack.is_some()));
    if let Some(rack) = &member.rack {
        out.str(rack);
    }
    out.str(&member.client_id).str(&member.client_host);
    put_len(out, member.topics.len());
    for topic in &member.topics {
        out.str(topic);
    }
    out.bytes(&member.epoch.to_le_bytes());
}

fn take_member(from: &mut Decoder<'_>) -> Option<MemberRecord> {
    let member_id = from.str()?;
    let rack = match from.u8()? {
        0 => None,
        1 => Some(from.str()?),
        _ => return None,
    };
    let (client_id, client_host) = (from.str()?, from.str()?);
    let count = from.u32()?;
    let topics = (0..count).map(|_| from.str()).collect::<Option<_>>()?;
    Some(MemberRecord { member_id, rack, client_id, client_host, topics, epoch: from.i32()? })
}
