//! Who reads which partition. Several members may read one; none is left out while there are fewer
//! partitions than members.

use std::collections::{BTreeMap, BTreeSet};

use onrush_record::TopicId;

use super::{Partitions, TopicPartition};

/// The assignor's name.
pub(crate) const NAME: &str = "simple";

/// What each member shall read: by member, the topics it wants with their partitions.
pub(crate) fn assign(
    wants: &BTreeMap<&str, BTreeMap<TopicId, u32>>,
) -> BTreeMap<String, Partitions> {
    let mut readers: BTreeMap<TopicId, (u32, BTreeSet<&str>)> = BTreeMap::new();
    let mut shares: BTreeMap<String, Partitions> = BTreeMap::new();
    for (id, topics) in wants {
        shares.insert((*id).to_owned(), Partitions::new());
        for (topic, partitions) in topics {
            let entry = readers.entry(*topic).or_insert_with(|| (*partitions, BTreeSet::new()));
            entry.1.insert(id);
        }
    }
    let mut give = |id: &str, partition: TopicPartition| {
        if let Some(share) = shares.get_mut(id) {
            share.insert(partition);
        }
    };
    // Each topic begins with the member after the one that the topic before has ended with.
    let mut turn = 0_usize;
    for (topic, (partitions, ids)) in readers {
        let ids: Vec<&str> = ids.into_iter().collect();
        let count = partitions as usize;
        if count == 0 {
            continue;
        }
        for at in 0..count.max(ids.len()) {
            let index = u32::try_from(at % count).unwrap_or(0);
            give(ids[(at + turn) % ids.len()], (topic, index));
        }
        turn += count.max(ids.len());
    }
    shares
}
