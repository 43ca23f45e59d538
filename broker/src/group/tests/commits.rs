//! Commits: who may, what is kept, what is forgotten.

use onrush_record::{LeaderEpoch, Offset};

use super::*;

fn committed(world: &World, partition: u32) -> Option<u64> {
    let found = world.groups.offsets("g", Some(&[(TOPIC, partition)]));
    found[0].1.as_ref().map(|offset| offset.offset.get())
}

#[test]
fn a_member_commits_and_everyone_can_ask() {
    let mut world = World::new(2);
    world.join("a");
    let mut commit = commit_of("a", 1, 0, 42);
    commit.offsets[0].leader_epoch = Some(LeaderEpoch::new(7));
    commit.offsets[0].metadata = "note".to_owned();
    assert_eq!(world.commit(commit).unwrap(), [Ok(())]);
    let found = world.groups.offsets("g", None);
    let expected = CommittedOffset {
        offset: Offset::new(42),
        leader_epoch: Some(LeaderEpoch::new(7)),
        metadata: "note".to_owned(),
        committed_at_ms: 1_000,
    };
    assert_eq!(found, [((TOPIC, 0), Some(expected))]);
    assert_eq!(committed(&world, 1), None);
    assert!(world.groups.offsets("unheard-of", None).is_empty());
}

#[test]
fn nothing_is_committed_before_its_event_is_applied() {
    let mut world = World::new(1);
    world.join("a");
    let commit = commit_of("a", 1, 0, 42);
    let (_, event) = world.groups.commit(world.now_ms, &world.directory, commit).unwrap();
    assert_eq!(committed(&world, 0), None);
    world.groups.apply(&event.unwrap());
    assert_eq!(committed(&world, 0), Some(42));
}

#[test]
fn epochs_fence_commits() {
    let mut world = World::new(3);
    world.join("a");
    world.stay("a", 1, Some(&[0, 1, 2])).unwrap();
    world.join("b");
    world.stay("a", 1, None).unwrap();
    // Asked back, not given yet: may still be committed, and must be.
    assert_eq!(world.commit(commit_of("a", 1, 2, 5)).unwrap(), [Ok(())]);
    world.stay("a", 1, Some(&[0, 1])).unwrap();
    world.stay("b", 2, None).unwrap();
    // The one before its present epoch is good for what it surely holds, and for nothing else.
    assert_eq!(world.commit(commit_of("a", 1, 0, 6)).unwrap(), [Ok(())]);
    let late = world.commit(commit_of("a", 1, 2, 6)).unwrap();
    assert!(matches!(late[0], Err(GroupError::HeldByAnother { partition: 2, .. })));
    let late = world.commit(commit_of("a", 2, 2, 6)).unwrap();
    assert!(matches!(late[0], Err(GroupError::HeldByAnother { partition: 2, .. })));
    assert_eq!(committed(&world, 2), Some(5));

    let ahead = world.commit(commit_of("a", 3, 0, 6)).unwrap_err();
    assert!(matches!(ahead, GroupError::FencedMember { .. }));
    let stale = world.commit(commit_of("b", 1, 0, 6)).unwrap_err();
    assert!(matches!(stale, GroupError::StaleEpoch { found: 1, current: 2, .. }));
    let stranger = world.commit(commit_of("c", 1, 0, 6)).unwrap_err();
    assert!(matches!(stranger, GroupError::UnknownMember { .. }));
}

#[test]
fn administrators_commit_only_without_members() {
    let mut world = World::new(1);
    assert_eq!(world.commit(commit_of("", -1, 0, 9)).unwrap(), [Ok(())]);
    assert_eq!(committed(&world, 0), Some(9));
    assert_eq!(world.state(), GroupState::Empty);
    world.join("a");
    let refused = world.commit(commit_of("", -1, 0, 0)).unwrap_err();
    assert!(matches!(refused, GroupError::GroupNotEmpty { members: 1, .. }));
    world.beat(staying("a", LEAVE)).unwrap();
    let mut forget = commit_of("", -1, 0, 0);
    forget.offsets[0].offset = None;
    world.commit(forget).unwrap();
    assert_eq!(committed(&world, 0), None);
}

#[test]
fn each_offset_is_judged_by_itself() {
    let mut world = World::new(2);
    let mut commit = commit_of("", -1, 0, 1);
    commit.offsets.push(OffsetCommit { partition: (TOPIC, 2), ..commit.offsets[0].clone() });
    commit.offsets.push(OffsetCommit { partition: (id(9), 0), ..commit.offsets[0].clone() });
    let metadata = "x".repeat(4097);
    commit.offsets.push(OffsetCommit { metadata, ..commit.offsets[0].clone() });
    commit.offsets.push(OffsetCommit {
        partition: (id(9), 0),
        offset: None,
        ..commit.offsets[0].clone()
    });
    let results = world.commit(commit).unwrap();
    assert_eq!(results[0], Ok(()));
    assert!(matches!(results[1], Err(GroupError::UnknownPartition { partitions: 2, .. })));
    assert!(matches!(results[2], Err(GroupError::UnknownTopic { .. })));
    assert!(matches!(results[3], Err(GroupError::MetadataTooLarge { len: 4097, max: 4096 })));
    assert_eq!(results[4], Ok(()), "what is gone can be forgotten");
    assert_eq!(world.groups.offsets("g", None).len(), 1);
}

#[test]
fn only_groups_without_members_are_deleted() {
    let mut world = World::new(1);
    assert!(matches!(world.groups.delete("g"), Err(GroupError::UnknownGroup { .. })));
    world.join("a");
    assert!(matches!(world.groups.delete("g"), Err(GroupError::GroupNotEmpty { .. })));
    world.commit(commit_of("a", 1, 0, 1)).unwrap();
    world.beat(staying("a", LEAVE)).unwrap();
    let event = world.groups.delete("g").unwrap();
    assert_eq!(world.groups.list().len(), 1);
    world.groups.apply(&event);
    assert!(world.groups.list().is_empty());
    assert_eq!(committed(&world, 0), None);
}

#[test]
fn a_deleted_topic_takes_its_commits_along() {
    let mut world = World::new(1);
    world.commit(commit_of("", -1, 0, 1)).unwrap();
    assert!(world.groups.topic_deleted(id(5)).is_empty());
    assert_eq!(world.groups.topic_deleted(TOPIC).len(), 1);
    assert_eq!(committed(&world, 0), None);
}
