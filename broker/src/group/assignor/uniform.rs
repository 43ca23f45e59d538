//! Evenly, and moving as little as possible.
//!
//! When all members want the same, the result is exact: counts differ by one at most, and no
//! assignment that even moves fewer partitions. When they want different things, the result is
//! one where no single move would make it more even, reached from what was there before.

use std::collections::BTreeMap;
use std::sync::Arc;

use onrush_record::TopicId;

use super::Wants;
use crate::group::{Partitions, TopicPartition};

pub(super) fn assign(members: &BTreeMap<&str, Wants<'_>>) -> BTreeMap<String, Partitions> {
    let Some(first) = members.values().next() else { return BTreeMap::new() };
    let mut shares = keep(members);
    let same = |wants: &Wants<'_>| {
        Arc::ptr_eq(&wants.topics, &first.topics) || wants.topics == first.topics
    };
    if members.values().all(same) {
        fill_equal(&mut shares, &first.topics);
    } else {
        fill_different(&mut shares, members);
    }
    shares.into_iter().map(|(id, set)| (id.to_owned(), set)).collect()
}

type Shares<'a> = BTreeMap<&'a str, Partitions>;

/// What each member had and still wants, each partition with one member.
fn keep<'a>(members: &BTreeMap<&'a str, Wants<'_>>) -> Shares<'a> {
    let mut taken = Partitions::new();
    let mut shares = Shares::new();
    for (id, wants) in members {
        let wanted = wants.before.iter().filter(|(topic, partition)| {
            wants.topics.get(topic).is_some_and(|partitions| partition < partitions)
        });
        shares.insert(id, wanted.copied().filter(|partition| taken.insert(*partition)).collect());
    }
    shares
}

/// Every partition of `topics`, in order.
fn partitions_of(topics: &BTreeMap<TopicId, u32>) -> impl Iterator<Item = TopicPartition> {
    topics.iter().flat_map(|(topic, partitions)| (0..*partitions).map(|index| (*topic, index)))
}

fn fill_equal(shares: &mut Shares<'_>, topics: &BTreeMap<TopicId, u32>) {
    let total = topics.values().map(|partitions| *partitions as usize).sum::<usize>();
    let quota = total / shares.len();
    // So many members have one more than the quota; those that have it now keep it first.
    let mut extra = total % shares.len();
    let mut held = Partitions::new();
    for share in shares.values_mut() {
        let mut allowed = quota;
        if share.len() > quota && extra > 0 {
            extra -= 1;
            allowed += 1;
        }
        while share.len() > allowed {
            share.pop_last();
        }
        held.extend(share.iter().copied());
    }
    let mut free = partitions_of(topics).filter(|partition| !held.contains(partition));
    for share in shares.values_mut() {
        if share.len() < quota {
            let missing = quota - share.len();
            share.extend(free.by_ref().take(missing));
        }
    }
    // What is left is one each for as many members as there are extras left.
    for share in shares.values_mut() {
        if share.len() == quota {
            match free.next() {
                Some(partition) => share.insert(partition),
                None => break,
            };
        }
    }
}

fn fill_different<'a>(shares: &mut Shares<'a>, members: &BTreeMap<&'a str, Wants<'_>>) {
    let mut readers: BTreeMap<TopicId, (u32, Vec<&'a str>)> = BTreeMap::new();
    for (id, wants) in members {
        for (topic, partitions) in wants.topics.iter() {
            readers.entry(*topic).or_insert_with(|| (*partitions, Vec::new())).1.push(id);
        }
    }
    let held: Partitions = shares.values().flatten().copied().collect();
    // Topics that few can read first: who can read more then takes from what is left.
    let mut topics: Vec<_> = readers.iter().collect();
    topics.sort_by_key(|(topic, (_, ids))| (ids.len(), **topic));
    for (topic, (partitions, ids)) in &topics {
        for partition in (0..*partitions).map(|index| (**topic, index)) {
            if held.contains(&partition) {
                continue;
            }
            let least = ids.iter().min_by_key(|id| shares.get(**id).map_or(0, Partitions::len));
            if let Some(share) = least.and_then(|id| shares.get_mut(id)) {
                share.insert(partition);
            }
        }
    }
    // Each move lowers the sum of the squared counts, so this ends.
    let mut moved = true;
    while moved {
        moved = false;
        for (topic, (_, ids)) in &topics {
            while even_out(shares, **topic, ids) {
                moved = true;
            }
        }
    }
}

/// Moves one partition of `topic` from its fullest holder to its emptiest reader, if that helps.
fn even_out<'a>(shares: &mut Shares<'a>, topic: TopicId, readers: &[&'a str]) -> bool {
    let whole = (topic, 0)..=(topic, u32::MAX);
    let count = |id: &str| shares.get(id).map_or(0, Partitions::len);
    let holds =
        |id: &str| shares.get(id).is_some_and(|share| share.range(whole.clone()).next().is_some());
    let Some(fullest) = readers.iter().copied().filter(|id| holds(id)).max_by_key(|id| count(id))
    else {
        return false;
    };
    let Some(emptiest) = readers.iter().copied().min_by_key(|id| count(id)) else { return false };
    if count(fullest) <= count(emptiest) + 1 {
        return false;
    }
    let Some(share) = shares.get_mut(fullest) else { return false };
    let Some(partition) = share.range(whole).next_back().copied() else { return false };
    share.remove(&partition);
    if let Some(share) = shares.get_mut(emptiest) {
        share.insert(partition);
    }
    true
}
