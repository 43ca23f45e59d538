//! Neighbouring partitions of each topic, by rank of member.

use std::collections::{BTreeMap, BTreeSet};

use onrush_record::TopicId;

use super::Wants;
use crate::group::Partitions;

pub(super) fn assign(members: &BTreeMap<&str, Wants<'_>>) -> BTreeMap<String, Partitions> {
    let mut target: BTreeMap<String, Partitions> =
        members.keys().map(|id| ((*id).to_owned(), Partitions::new())).collect();
    let topics: BTreeMap<TopicId, u32> =
        members.values().flat_map(|wants| wants.topics.iter().map(|(id, n)| (*id, *n))).collect();
    for (topic, partitions) in topics {
        // A static member keeps its rank over restarts, when its member id is another.
        let ranked: BTreeSet<(&str, &str)> = members
            .iter()
            .filter(|(_, wants)| wants.topics.contains_key(&topic))
            .map(|(id, wants)| (wants.instance_id.unwrap_or(id), *id))
            .collect();
        let readers = u32::try_from(ranked.len()).unwrap_or(u32::MAX).max(1);
        let (share, extra) = (partitions / readers, partitions % readers);
        let mut next = 0;
        for (rank, (_, id)) in (0..readers).zip(ranked) {
            let end = next + share + u32::from(rank < extra);
            if let Some(set) = target.get_mut(id) {
                set.extend((next..end).map(|partition| (topic, partition)));
            }
            next = end;
        }
    }
    target
}
