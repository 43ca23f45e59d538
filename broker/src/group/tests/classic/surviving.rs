//! What a restart leaves of a group.

use super::*;

/// The broker restarts: from the journal, or from a snapshot of the state.
fn restart(room: &mut Room, from_snapshot: bool) {
    let settings = GroupSettings::default();
    room.world.groups = if from_snapshot {
        Groups::restore(settings, &room.world.groups.snapshot()).unwrap()
    } else {
        let mut groups = Groups::new(settings);
        for event in &room.world.events {
            let mut bytes = Vec::new();
            event.encode(&mut bytes);
            groups.apply(&GroupEvent::decode(&bytes).unwrap());
        }
        groups
    };
    room.world.groups.start(room.world.now_ms);
}

#[test]
fn a_stable_group_goes_on() {
    for from_snapshot in [false, true] {
        let mut room = Room::new();
        let all = room.stable(3);
        room.world.now_ms += 10_000_000;
        let before = room.world.groups.describe_classic("g");
        restart(&mut room, from_snapshot);
        assert_eq!(room.world.groups.describe_classic("g"), before);
        room.pass(9_999);
        for joined in &all {
            assert_eq!(room.beat(joined), Ok(()));
        }
        let sync = room.sync(&all[1], &[]);
        assert_eq!(room.synced(sync).unwrap().assignment, [1_u8][..]);
        let same = room.join(joins(&all[2].member_id));
        assert_eq!(room.joined(same).unwrap().leader, all[0].leader);
        room.pass(10_000);
        assert_eq!(room.state(), GroupState::Empty);
    }
}

#[test]
fn a_rebalance_under_way_is_forgotten() {
    for from_snapshot in [false, true] {
        let mut room = Room::new();
        let all = room.stable(2);
        let new = room.join(joins(""));
        let others = [0, 1].map(|index: usize| room.join(joins(&all[index].member_id)));
        assert_eq!(room.joined(others[0]).unwrap().generation, 2);
        let new = room.joined(new).unwrap();
        restart(&mut room, from_snapshot);
        assert_eq!(room.state(), GroupState::Stable);
        assert_eq!(room.beat(&all[0]), Ok(()), "the generation before goes on");
        assert!(matches!(room.beat(&new), Err(GroupError::UnknownMember { .. })));
        let ahead = room.beat(&ClassicJoined { generation: 2, ..all[1].clone() }).unwrap_err();
        assert!(matches!(ahead, GroupError::IllegalGeneration { .. }));
    }
}

#[test]
fn an_empty_group_stays_empty() {
    for from_snapshot in [false, true] {
        let mut room = Room::new();
        let id = room.stable(1)[0].member_id.clone();
        room.world.commit(commit_of(&id, 1, 0, 5)).unwrap();
        room.leave(&id, None).unwrap();
        restart(&mut room, from_snapshot);
        assert_eq!(room.state(), GroupState::Empty);
        room.pass(7 * 24 * 60 * 60 * 1000 - 1);
        assert_eq!(room.world.groups.offsets("g", None).len(), 1);
        let new = room.join(joins(""));
        room.pass(500);
        assert_eq!(room.joined(new).unwrap().generation, 3);
    }
}

#[test]
fn a_static_member_that_came_back_is_remembered() {
    let mut room = Room::new();
    let first = room.join(fixed("i"));
    room.pass(500);
    let first = room.joined(first).unwrap();
    room.sync(&first, &[(&first.member_id, b"x")]);
    let second = room.join(fixed("i"));
    let second = room.joined(second).unwrap();
    restart(&mut room, false);
    assert_eq!(room.beat(&second), Ok(()));
    assert!(matches!(room.beat(&first), Err(GroupError::UnknownMember { .. })));
    let third = room.join(fixed("i"));
    let third = room.joined(third).unwrap();
    let sync = room.sync(&third, &[]);
    assert_eq!(room.synced(sync).unwrap().assignment, "x");
}

#[test]
fn the_other_protocol_takes_over_an_empty_group_and_back() {
    let mut room = Room::new();
    let id = room.stable(1)[0].member_id.clone();
    room.leave(&id, None).unwrap();
    let reply = room.world.join("new");
    assert_eq!(reply.member_epoch, 3, "it goes on from the generation");
    assert_eq!(room.world.groups.list()[0].kind, GroupKind::Consumer);
    restart(&mut room, false);
    assert_eq!(room.world.groups.list()[0].kind, GroupKind::Consumer);
    room.world.beat(staying("new", LEAVE)).unwrap();
    let old = room.join(joins(""));
    room.pass(500);
    let old = room.joined(old).unwrap();
    assert_eq!(old.generation, 5);
    room.sync(&old, &[]);
    restart(&mut room, true);
    assert_eq!(room.beat(&old), Ok(()));
}
