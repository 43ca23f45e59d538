//! Joining, assigning, being assigned.

use super::*;

#[test]
fn the_first_members_wait_for_each_other() {
    let mut room = Room::new();
    let first = room.join(joins(""));
    room.pass(400);
    let second = room.join(joins(""));
    room.pass(499);
    assert!(room.waits(first) && room.waits(second), "each newcomer makes them wait anew");
    room.pass(501);
    let (first, second) = (room.joined(first).unwrap(), room.joined(second).unwrap());
    assert_eq!((first.generation, second.generation), (1, 1));
    assert_eq!(first.leader, first.member_id);
    assert_eq!(second.leader, first.member_id);
    assert_eq!(first.protocol_name.as_deref(), Some("range"));
    assert_eq!(first.protocol_type.as_deref(), Some("consumer"));
    assert_eq!((first.members.len(), second.members.len()), (2, 0));
    assert_eq!(room.state(), GroupState::CompletingRebalance);

    let waiting = room.sync(&second, &[]);
    assert!(room.waits(waiting));
    let led = room.sync(&first, &[(&first.member_id, b"a"), (&second.member_id, b"b")]);
    assert_eq!(room.synced(led).unwrap().assignment, "a");
    assert_eq!(room.synced(waiting).unwrap().assignment, "b");
    assert_eq!(room.state(), GroupState::Stable);
    assert_eq!(room.beat(&first), Ok(()));
    let again = room.sync(&second, &[]);
    assert_eq!(room.synced(again).unwrap().assignment, "b", "asking again is harmless");
}

#[test]
fn the_wait_for_first_members_has_an_end() {
    let mut room = Room::new();
    let quick = || ClassicJoin { rebalance_timeout_ms: 2_000, ..joins("") };
    let first = room.join(quick());
    for _ in 0..6 {
        room.pass(400);
        if room.waits(first) {
            room.join(quick());
        }
    }
    assert!(!room.waits(first), "no longer than their rebalance timeout");
}

#[test]
fn an_id_is_asked_for_and_given() {
    let mut room = Room::new();
    let required = |member: &str| ClassicJoin { member_id_required: true, ..joins(member) };
    let asked = room.join(required(""));
    let Err(GroupError::MemberIdRequired { member_id, .. }) = room.joined(asked) else {
        panic!("an id must be given");
    };
    assert!(member_id.starts_with("client-"));
    assert_eq!(room.state(), GroupState::Empty);
    let joined = room.join(required(&member_id));
    room.pass(500);
    assert_eq!(room.joined(joined).unwrap().member_id, member_id);
    let stranger = room.join(required("stranger"));
    assert!(matches!(room.joined(stranger), Err(GroupError::UnknownMember { .. })));
}

#[test]
fn an_id_that_is_not_used_is_forgotten() {
    let mut room = Room::new();
    let required = |member: &str| ClassicJoin { member_id_required: true, ..joins(member) };
    let asked = room.join(required(""));
    let Err(GroupError::MemberIdRequired { member_id, .. }) = room.joined(asked) else {
        panic!("an id must be given");
    };
    room.pass(10_000);
    assert!(room.world.groups.list().is_empty());
    assert_eq!(room.world.groups.next_due(), None);
    let late = room.join(required(&member_id));
    assert!(matches!(room.joined(late), Err(GroupError::UnknownMember { .. })));
}

#[test]
fn a_rebalance_waits_for_who_was_given_an_id() {
    let mut room = Room::new();
    let all = room.stable(1);
    let asked = room.join(ClassicJoin { member_id_required: true, ..joins("") });
    let Err(GroupError::MemberIdRequired { member_id, .. }) = room.joined(asked) else {
        panic!("an id must be given");
    };
    assert_eq!(room.beat(&all[0]), Ok(()), "nothing has happened yet");
    let leader = room.join(joins(&all[0].member_id));
    assert!(room.waits(leader));
    let new = room.join(joins(&member_id));
    assert_eq!(room.joined(leader).unwrap().generation, 2);
    assert_eq!(room.joined(new).unwrap().generation, 2);
}

#[test]
fn a_newcomer_starts_a_rebalance() {
    let mut room = Room::new();
    let all = room.stable(2);
    let new = room.join(joins(""));
    assert_eq!(room.state(), GroupState::PreparingRebalance);
    for joined in &all {
        let error = room.beat(joined).unwrap_err();
        assert!(matches!(error, GroupError::RebalanceInProgress { .. }));
    }
    let sync = room.sync(&all[1], &[]);
    assert!(matches!(room.synced(sync), Err(GroupError::RebalanceInProgress { .. })));
    let leader = room.join(joins(&all[0].member_id));
    assert!(room.waits(new) && room.waits(leader));
    let last = room.join(joins(&all[1].member_id));
    for ticket in [new, leader, last] {
        assert_eq!(room.joined(ticket).unwrap().generation, 2);
    }
    assert_eq!(room.joined(leader).unwrap().members.len(), 3, "the leader stays the leader");
    let old = room.beat(&all[0]).unwrap_err();
    assert!(matches!(old, GroupError::IllegalGeneration { found: 1, current: 2, .. }));
}

#[test]
fn who_does_not_join_again_in_time_is_left_out() {
    let mut room = Room::new();
    let all = room.stable(2);
    let new = room.join(joins(""));
    let other = room.join(joins(&all[1].member_id));
    for _ in 0..11 {
        room.pass(5_000);
        assert!(matches!(room.beat(&all[0]), Err(GroupError::RebalanceInProgress { .. })));
        assert!(room.waits(new) && room.waits(other));
    }
    room.pass(5_000);
    assert_eq!(room.joined(new).unwrap().generation, 2);
    let leads = [new, other].into_iter().filter(|it| !room.joined(*it).unwrap().members.is_empty());
    assert_eq!(leads.count(), 1, "another member leads now");
    assert!(matches!(room.beat(&all[0]), Err(GroupError::UnknownMember { .. })));
}

#[test]
fn who_does_not_ask_for_its_assignment_in_time_is_left_out() {
    let mut room = Room::new();
    let tickets = [room.join(joins("")), room.join(joins(""))];
    room.pass(1_000);
    let [first, second] = tickets.map(|ticket| room.joined(ticket).unwrap());
    let waiting = room.sync(&second, &[]);
    for _ in 0..11 {
        room.pass(5_000);
        assert_eq!(room.beat(&first), Ok(()));
    }
    assert!(room.waits(waiting));
    room.pass(5_000);
    assert!(matches!(room.synced(waiting), Err(GroupError::RebalanceInProgress { .. })));
    assert!(matches!(room.beat(&first), Err(GroupError::UnknownMember { .. })));
    let again = room.join(joins(&second.member_id));
    assert_eq!(room.joined(again).unwrap().members.len(), 1, "alone, and the leader");
}

#[test]
fn joining_again_with_nothing_new_changes_nothing() {
    let mut room = Room::new();
    let all = room.stable(2);
    let same = room.join(joins(&all[1].member_id));
    assert_eq!(room.joined(same).unwrap(), all[1]);
    let other = vec![("range".to_owned(), subscribes(&["t", "u"]))];
    let changed = room.join(ClassicJoin { protocols: other, ..joins(&all[1].member_id) });
    assert!(room.waits(changed), "something new to say");
    room.join(joins(&all[0].member_id));
    assert_eq!(room.joined(changed).unwrap().generation, 2);
    // In the second phase the answer may have been lost.
    let other = vec![("range".to_owned(), subscribes(&["t", "u"]))];
    let same = room.join(ClassicJoin { protocols: other, ..joins(&all[1].member_id) });
    assert_eq!(room.joined(same).unwrap().generation, 2);
}

#[test]
fn a_leader_that_joins_again_wants_to_assign_anew() {
    let mut room = Room::new();
    let all = room.stable(2);
    let leader = room.join(joins(&all[0].member_id));
    assert!(room.waits(leader));
    assert_eq!(room.state(), GroupState::PreparingRebalance);
}

#[test]
fn the_protocol_most_like_best_is_chosen() {
    let mut room = Room::new();
    let speaks = |names: &[&str]| ClassicJoin {
        protocols: names.iter().map(|name| ((*name).to_owned(), Bytes::from("x"))).collect(),
        ..joins("")
    };
    let first = room.join(speaks(&["a", "sticky", "range"]));
    room.join(speaks(&["range", "sticky", "b"]));
    room.join(speaks(&["sticky", "range"]));
    let other = room.join(speaks(&["other"]));
    assert!(matches!(room.joined(other), Err(GroupError::InconsistentProtocol { .. })));
    let connect = ClassicJoin { protocol_type: "connect".to_owned(), ..speaks(&["range"]) };
    let connect = room.join(connect);
    assert!(matches!(room.joined(connect), Err(GroupError::InconsistentProtocol { .. })));
    room.pass(1_500);
    assert_eq!(room.joined(first).unwrap().protocol_name.as_deref(), Some("sticky"));

    let wrong = ClassicSync {
        group: "g".to_owned(),
        generation: 1,
        member_id: room.joined(first).unwrap().member_id,
        protocol_name: Some("range".to_owned()),
        ..ClassicSync::default()
    };
    let wrong = room.sync_with(wrong);
    assert!(matches!(room.synced(wrong), Err(GroupError::InconsistentProtocol { .. })));
}

#[test]
fn nothing_to_say_and_sessions_out_of_bounds_are_refused() {
    let mut room = Room::new();
    let refused = room.join(ClassicJoin { protocols: vec![], ..joins("") });
    assert!(matches!(room.joined(refused), Err(GroupError::InconsistentProtocol { .. })));
    for session_timeout_ms in [-1, 5_999, 30 * 60 * 1000 + 1] {
        let refused = room.join(ClassicJoin { session_timeout_ms, ..joins("") });
        assert!(matches!(room.joined(refused), Err(GroupError::InvalidSessionTimeout { .. })));
    }
    let refused = room.join(ClassicJoin { group: String::new(), ..joins("") });
    assert!(matches!(room.joined(refused), Err(GroupError::InvalidGroupId { .. })));
    let much = vec![("range".to_owned(), Bytes::from(vec![0; 2 << 20]))];
    let refused = room.join(ClassicJoin { protocols: much, ..joins("") });
    assert!(matches!(room.joined(refused), Err(GroupError::InvalidRequest { .. })));
    assert!(room.world.groups.list().is_empty(), "nothing remains of a group nobody could join");
}

#[test]
fn a_group_has_only_so_many_members() {
    let mut room = Room::new();
    let settings = GroupSettings { members_max: 2, ..GroupSettings::default() };
    room.world.groups = Groups::new(settings);
    let all = room.stable(2);
    for required in [true, false] {
        let full = room.join(ClassicJoin { member_id_required: required, ..joins("") });
        assert!(matches!(room.joined(full), Err(GroupError::GroupFull { max: 2, .. })));
    }
    let again = room.join(joins(&all[1].member_id));
    assert!(room.joined(again).is_ok());
}
