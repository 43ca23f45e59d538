//! What consumers say to each other inside of the classic protocol (`protocol_type` consumer).
//!
//! The coordinator need not understand it, and a group whose members say something else works as
//! well. It looks in for three things: which topics a group reads, so that nobody deletes offsets
//! still in use; whether a static member came back with another subscription; and to let members of
//! both protocols share a group.
//!
//! Big-endian. Subscription: version i16, topics [string], user data, from version 1 owned
//! [(topic, [i32])], from 2 generation i32, from 3 rack. Assignment: version i16, [(topic, [i32])],
//! user data.

use std::collections::BTreeMap;

/// `protocol_type` of consumers.
pub(crate) const CONSUMER: &str = "consumer";

/// What a consumer tells the leader.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConsumerSubscription {
    pub(crate) version: i16,
    pub(crate) topics: Vec<String>,
    /// What it has not given up, by topic.
    pub(crate) owned: Vec<(String, Vec<u32>)>,
}

impl ConsumerSubscription {
    /// None if it is nothing a consumer says. What newer versions add at the end is passed over.
    pub(crate) fn parse(bytes: &[u8]) -> Option<ConsumerSubscription> {
        let mut input = Input(bytes);
        let version = input.i16()?;
        if version < 0 {
            return None;
        }
        let topics = input.array(2, Input::text)?;
        input.skip_bytes()?;
        let owned = if version >= 1 { input.array(6, Input::partitions)? } else { Vec::new() };
        Some(ConsumerSubscription { version, topics, owned })
    }

    /// Its topics, in order, each once.
    pub(crate) fn sorted_topics(mut self) -> Vec<String> {
        self.topics.sort_unstable();
        self.topics.dedup();
        self.topics
    }
}

/// Partitions by topic out of an assignment; None if it is not one of a consumer. Nothing at all
/// is one without partitions.
pub(crate) fn parse_assignment(bytes: &[u8]) -> Option<Vec<(String, Vec<u32>)>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let mut input = Input(bytes);
    if input.i16()? < 0 {
        return None;
    }
    input.array(6, Input::partitions)
}

/// An assignment as consumers understand it.
pub(crate) fn encode_assignment(version: i16, topics: &BTreeMap<String, Vec<u32>>) -> Vec<u8> {
    let count = |len: usize| i32::try_from(len).unwrap_or(i32::MAX).to_be_bytes();
    let mut out = Vec::new();
    out.extend_from_slice(&version.to_be_bytes());
    out.extend_from_slice(&count(topics.len()));
    for (topic, partitions) in topics {
        // A topic name has at most 249 bytes.
        out.extend_from_slice(&i16::try_from(topic.len()).unwrap_or(i16::MAX).to_be_bytes());
        out.extend_from_slice(topic.as_bytes());
        out.extend_from_slice(&count(partitions.len()));
        for partition in partitions {
            out.extend_from_slice(&partition.to_be_bytes());
        }
    }
    // No user data.
    out.extend_from_slice(&(-1_i32).to_be_bytes());
    out
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn i16(&mut self) -> Option<i16> {
        self.bytes(2)?.try_into().ok().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.bytes(4)?.try_into().ok().map(i32::from_be_bytes)
    }

    fn text(&mut self) -> Option<String> {
        let len = usize::try_from(self.i16()?).ok()?;
        std::str::from_utf8(self.bytes(len)?).ok().map(str::to_owned)
    }

    fn skip_bytes(&mut self) -> Option<()> {
        match self.i32()? {
            -1 => Some(()),
            len => self.bytes(usize::try_from(len).ok()?).map(drop),
        }
    }

    fn partitions(&mut self) -> Option<(String, Vec<u32>)> {
        let topic = self.text()?;
        Some((topic, self.array(4, |input| u32::try_from(input.i32()?).ok())?))
    }

    /// An array whose elements take at least `least` bytes each; null is one without any.
    fn array<T>(&mut self, least: usize, take: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = match self.i32()? {
            -1 => 0,
            count => usize::try_from(count).ok()?,
        };
        if count > self.0.len() / least {
            return None;
        }
        (0..count).map(|_| take(self)).collect()
    }
}
