//! Commits of members under the classic protocol, of lone consumers, and their deletion.

use super::*;

fn commit(room: &mut Room, member: &str, generation: i32) -> Result<(), GroupError> {
    room.world
        .commit(commit_of(member, generation, 0, 5))
        .map(|results| assert!(results[0].is_ok()))
}

#[test]
fn members_commit_in_their_generation() {
    let mut room = Room::new();
    let all = room.stable(2);
    let id = all[0].member_id.clone();
    assert_eq!(commit(&mut room, &id, 1), Ok(()));
    let old = commit(&mut room, &id, 0).unwrap_err();
    assert!(matches!(old, GroupError::IllegalGeneration { .. }));
    let stranger = commit(&mut room, "somebody", 1).unwrap_err();
    assert!(matches!(stranger, GroupError::UnknownMember { .. }));
    let lone = commit(&mut room, "", -1).unwrap_err();
    assert!(matches!(lone, GroupError::GroupNotEmpty { members: 2, .. }));

    // While members join again each may still commit, as it gives up what it had.
    room.leave(&all[1].member_id, None).unwrap();
    let extra = room.join(joins(""));
    assert_eq!(commit(&mut room, &id, 1), Ok(()));
    room.join(joins(&id));
    assert!(room.joined(extra).is_ok());
    let early = commit(&mut room, &id, 2).unwrap_err();
    assert!(matches!(early, GroupError::RebalanceInProgress { .. }));
}

#[test]
fn a_commit_is_as_good_as_a_heartbeat() {
    let mut room = Room::new();
    let id = room.stable(1)[0].member_id.clone();
    for _ in 0..5 {
        room.pass(9_999);
        assert_eq!(commit(&mut room, &id, 1), Ok(()));
    }
}

#[test]
fn an_instance_is_fenced_from_committing() {
    let mut room = Room::new();
    let first = room.join(fixed("i"));
    room.pass(500);
    let first = room.joined(first).unwrap();
    room.sync(&first, &[]);
    room.join(fixed("i"));
    let instance_id = Some("i".to_owned());
    let late = GroupCommit { instance_id, ..commit_of(&first.member_id, 1, 0, 5) };
    let error = room.world.commit(late).unwrap_err();
    assert!(matches!(error, GroupError::FencedInstance { .. }));
}

#[test]
fn a_lone_consumer_needs_no_group() {
    let mut room = Room::new();
    assert_eq!(commit(&mut room, "", -1), Ok(()));
    let found = room.world.groups.describe_classic("g").unwrap();
    assert_eq!((found.state, &*found.protocol_type), (GroupState::Empty, ""));
    let listed = room.world.groups.list().remove(0);
    assert_eq!((listed.kind, listed.members), (GroupKind::Classic, 0));
    // A group may come to be around it, and go again.
    let id = room.stable(1)[0].member_id.clone();
    assert!(commit(&mut room, "", -1).is_err());
    room.leave(&id, None).unwrap();
    assert_eq!(commit(&mut room, "", -1), Ok(()));
    assert_eq!(room.world.groups.delete("g").map(|_| ()), Ok(()));
}

#[test]
fn a_group_with_members_is_not_deleted() {
    let mut room = Room::new();
    room.stable(2);
    let error = room.world.groups.delete("g").unwrap_err();
    assert!(matches!(error, GroupError::GroupNotEmpty { members: 2, .. }));
}

#[test]
fn offsets_in_use_are_not_deleted() {
    let mut room = Room::new();
    room.world.directory.put("u", entry(2, 1));
    let id = room.stable(1)[0].member_id.clone();
    commit(&mut room, &id, 1).unwrap();
    let asked = [(TOPIC, 0), (super::super::id(2), 0)];
    let delete = |room: &Room| room.world.groups.delete_offsets(&room.world.directory, "g", &asked);
    let (results, event) = delete(&room).unwrap();
    assert!(matches!(results[0], Err(GroupError::SubscribedToTopic { topic: TOPIC, .. })));
    assert_eq!((&results[1], event), (&Ok(()), None), "nothing was committed there");
    room.leave(&id, None).unwrap();
    let (results, event) = delete(&room).unwrap();
    assert_eq!(results, [Ok(()), Ok(())]);
    room.world.groups.apply(&event.unwrap());
    assert!(room.world.groups.offsets("g", None).is_empty());
    let gone = room.world.groups.delete_offsets(&room.world.directory, "h", &asked).unwrap_err();
    assert!(matches!(gone, GroupError::UnknownGroup { .. }));
}

#[test]
fn offsets_of_members_of_another_kind_are_not_deleted() {
    let mut room = Room::new();
    let connect = ClassicJoin { protocol_type: "connect".to_owned(), ..joins("") };
    let joined = room.join(connect);
    room.pass(500);
    let joined = room.joined(joined).unwrap();
    room.sync(&joined, &[]);
    let error =
        room.world.groups.delete_offsets(&room.world.directory, "g", &[(TOPIC, 0)]).unwrap_err();
    assert!(matches!(error, GroupError::GroupNotEmpty { members: 1, .. }));
}

#[test]
fn commits_of_an_empty_group_are_forgotten_after_their_retention() {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    let mut room = Room::new();
    let all = room.stable(1);
    commit(&mut room, &all[0].member_id, 1).unwrap();
    for _ in 0..(8 * DAY_MS / 9_000) {
        room.pass(9_000);
        room.beat(&all[0]).unwrap();
    }
    assert_eq!(room.world.groups.offsets("g", None).len(), 1);
    room.leave(&all[0].member_id, None).unwrap();
    room.pass(7 * DAY_MS - 1);
    assert_eq!(room.world.groups.offsets("g", None).len(), 1);
    room.pass(1);
    assert!(room.world.groups.list().is_empty());
    assert_eq!(room.world.groups.next_due(), None);
}
