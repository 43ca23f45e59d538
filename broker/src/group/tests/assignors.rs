//! Targets: whole, even, sticky.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::group::assignor::Wants;

type Targets = BTreeMap<String, Partitions>;
/// By member: the topics it reads (by number, with partition counts).
type Readers = BTreeMap<String, BTreeMap<u8, u32>>;

fn assign(assignor: Assignor, readers: &Readers, before: &Targets) -> Targets {
    let nothing = Partitions::new();
    let members = readers
        .iter()
        .map(|(member, topics)| {
            let topics = topics.iter().map(|(topic, count)| (id(*topic), *count)).collect();
            let before = before.get(member).unwrap_or(&nothing);
            (member.as_str(), Wants { instance_id: None, topics: Arc::new(topics), before })
        })
        .collect();
    assignor.assign(&members)
}

/// Each partition that someone reads is with exactly one who reads it.
fn check_whole(readers: &Readers, targets: &Targets) {
    let mut seen = Partitions::new();
    for (member, target) in targets {
        for (topic, index) in target {
            assert!(seen.insert((*topic, *index)), "{topic} {index} twice");
            let reads = &readers[member];
            assert!(reads.iter().any(|(byte, count)| id(*byte) == *topic && index < count));
        }
    }
    let topics: BTreeMap<u8, u32> = readers.values().flatten().map(|(a, b)| (*a, *b)).collect();
    let all: usize = topics.values().map(|count| *count as usize).sum();
    assert_eq!(seen.len(), all);
}

fn equal(members: &[u8], topics: &BTreeMap<u8, u32>) -> Readers {
    members.iter().map(|member| (format!("m{member:03}"), topics.clone())).collect()
}

fn topics() -> impl Strategy<Value = BTreeMap<u8, u32>> {
    prop::collection::btree_map(0_u8..6, 0_u32..12, 0..5)
}

fn some_members() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::btree_set(0_u8..20, 1..12).prop_map(|set| set.into_iter().collect())
}

proptest! {
    #[test]
    fn uniform_is_even_and_moves_the_least(
        first in some_members(),
        second in some_members(),
        topics_before in topics(),
        topics_after in topics(),
    ) {
        let before = assign(Assignor::Uniform, &equal(&first, &topics_before), &Targets::new());
        let readers = equal(&second, &topics_after);
        let after = assign(Assignor::Uniform, &readers, &before);
        check_whole(&readers, &after);
        let sizes = || after.values().map(Partitions::len);
        prop_assert!(sizes().max().unwrap() - sizes().min().unwrap() <= 1);

        // The most that any even assignment could have kept.
        let total: usize = sizes().sum();
        let (quota, mut extra) = (total / second.len(), total % second.len());
        let mut possible = 0;
        let mut kept = 0;
        for (member, target) in &after {
            let Some(had) = before.get(member) else { continue };
            let still = |p: &&TopicPartition| {
                topics_after.iter().any(|(byte, count)| id(*byte) == p.0 && p.1 < *count)
            };
            let valid = had.iter().filter(still).count();
            let more = usize::from(valid > quota && extra > 0);
            extra -= more;
            possible += valid.min(quota + more);
            kept += had.intersection(target).count();
        }
        prop_assert_eq!(kept, possible);
        // And when nothing has changed, nothing moves.
        prop_assert_eq!(&assign(Assignor::Uniform, &readers, &after), &after);
    }

    #[test]
    fn uniform_copes_with_different_wants(
        readers in prop::collection::btree_map("[a-h]", prop::collection::btree_set(0_u8..5, 0..5), 1..8),
        counts in prop::array::uniform5(0_u32..10),
        leaver in 0_usize..8,
    ) {
        let readers: Readers = readers
            .into_iter()
            .map(|(member, reads)| {
                (member, reads.into_iter().map(|topic| (topic, counts[usize::from(topic)])).collect())
            })
            .collect();
        let targets = assign(Assignor::Uniform, &readers, &Targets::new());
        check_whole(&readers, &targets);
        // No single move would make it more even.
        for (holder, target) in &targets {
            for (topic, _) in target {
                for (other, reads) in &readers {
                    if reads.keys().any(|byte| id(*byte) == *topic) {
                        prop_assert!(target.len() <= targets[other].len() + 1, "{holder} {other}");
                    }
                }
            }
        }
        prop_assert_eq!(&assign(Assignor::Uniform, &readers, &targets), &targets);
        let mut fewer = readers.clone();
        if let Some(member) = readers.keys().nth(leaver) {
            fewer.remove(member);
        }
        check_whole(&fewer, &assign(Assignor::Uniform, &fewer, &targets));
    }

    #[test]
    fn range_gives_neighbours_by_rank(members in some_members(), topics in topics()) {
        let readers = equal(&members, &topics);
        let targets = assign(Assignor::Range, &readers, &Targets::new());
        check_whole(&readers, &targets);
        for target in targets.values() {
            let mut by_topic: BTreeMap<TopicId, Vec<u32>> = BTreeMap::new();
            target.iter().for_each(|(topic, index)| by_topic.entry(*topic).or_default().push(*index));
            for run in by_topic.values() {
                prop_assert!(run.windows(2).all(|pair| pair[0] + 1 == pair[1]));
            }
        }
    }
}

#[test]
fn range_gives_topics_of_one_size_the_same_ranks() {
    let topics = BTreeMap::from([(1, 5), (2, 5)]);
    let targets = assign(Assignor::Range, &equal(&[1, 2], &topics), &Targets::new());
    let indexes = |member: &str, byte| -> Vec<u32> {
        targets[member].iter().filter(|(topic, _)| *topic == id(byte)).map(|p| p.1).collect()
    };
    assert_eq!(indexes("m001", 1), [0, 1, 2]);
    assert_eq!(indexes("m001", 2), [0, 1, 2]);
    assert_eq!(indexes("m002", 2), [3, 4]);
}

#[test]
fn a_thousand_members_and_ten_thousand_partitions_are_no_trouble() {
    let members: Vec<String> = (0..1000).map(|index| format!("m{index:04}")).collect();
    let readers: Readers =
        members.iter().map(|member| (member.clone(), BTreeMap::from([(1, 10_000)]))).collect();
    let targets = assign(Assignor::Uniform, &readers, &Targets::new());
    assert!(targets.values().all(|target| target.len() == 10));
}
