//! Static members that come back.

use super::*;

fn stable(room: &mut Room) -> [ClassicJoined; 2] {
    let tickets = [room.join(fixed("a")), room.join(fixed("b"))];
    room.pass(1_000);
    let [a, b] = tickets.map(|ticket| room.joined(ticket).unwrap());
    room.sync(&b, &[]);
    room.sync(&a, &[(&a.member_id, b"1"), (&b.member_id, b"2")]);
    [a, b]
}

#[test]
fn one_that_comes_back_has_what_it_had() {
    let mut room = Room::new();
    let [a, b] = stable(&mut room);
    let back = room.join(fixed("b"));
    let back = room.joined(back).unwrap();
    assert_ne!(back.member_id, b.member_id);
    assert_eq!((back.generation, &back.leader), (1, &a.member_id));
    assert_eq!(room.state(), GroupState::Stable);
    let sync = room.sync(&back, &[]);
    assert_eq!(room.synced(sync).unwrap().assignment, "2");
    assert!(matches!(room.beat(&b), Err(GroupError::UnknownMember { .. })));
    let fenced = room.beat_as(&b, Some("b")).unwrap_err();
    assert!(matches!(fenced, GroupError::FencedInstance { .. }));
}

#[test]
fn a_leader_that_comes_back_leaves_the_assignment_alone() {
    let mut room = Room::new();
    let [a, _] = stable(&mut room);
    let back = room.join(fixed("a"));
    let back = room.joined(back).unwrap();
    assert!(back.skip_assignment);
    assert_eq!((back.members.len(), &back.leader), (2, &back.member_id));
    // One that does not know of that is not told that it leads.
    let old = room.join(ClassicJoin { skips_assignment: false, ..fixed("a") });
    let old = room.joined(old).unwrap();
    assert!(!old.skip_assignment && old.members.is_empty());
    assert_ne!(old.leader, old.member_id);
    assert_ne!(a.member_id, old.member_id);
    let sync = room.sync(&old, &[]);
    assert_eq!(room.synced(sync).unwrap().assignment, "1");
}

#[test]
fn another_subscription_is_news() {
    let mut room = Room::new();
    stable(&mut room);
    let protocols = vec![("range".to_owned(), subscribes(&["t", "u"]))];
    let back = room.join(ClassicJoin { protocols, ..fixed("b") });
    assert!(room.waits(back));
    assert_eq!(room.state(), GroupState::PreparingRebalance);
}

#[test]
fn the_old_ones_calls_end() {
    let mut room = Room::new();
    let [a, b] = stable(&mut room);
    let leader =
        room.join(ClassicJoin { instance_id: Some("a".to_owned()), ..joins(&a.member_id) });
    assert!(room.waits(leader));
    let new = room.join(fixed("a"));
    assert!(matches!(room.joined(leader), Err(GroupError::FencedInstance { .. })));
    let other = room.join(ClassicJoin { instance_id: Some("b".to_owned()), ..joins(&b.member_id) });
    assert_eq!(room.joined(new).unwrap().members.len(), 2);
    let waiting = room.sync(&room.joined(other).unwrap(), &[]);
    room.join(fixed("b"));
    assert!(matches!(room.synced(waiting), Err(GroupError::FencedInstance { .. })));
}

#[test]
fn one_that_is_away_keeps_its_place_through_a_rebalance() {
    let mut room = Room::new();
    let slow = ClassicJoin { session_timeout_ms: 300_000, ..fixed("b") };
    let tickets = [room.join(fixed("a")), room.join(slow)];
    room.pass(1_000);
    let [a, b] = tickets.map(|ticket| room.joined(ticket).unwrap());
    room.sync(&b, &[]);
    room.sync(&a, &[(&a.member_id, b"1"), (&b.member_id, b"2")]);
    let again = room.join(ClassicJoin { instance_id: Some("a".to_owned()), ..joins(&a.member_id) });
    room.pass(60_000);
    let led = room.joined(again).unwrap();
    assert_eq!((led.generation, led.members.len()), (2, 2), "b may come back");
    room.sync(&led, &[(&a.member_id, b"1"), (&b.member_id, b"2")]);
    let back = room.join(fixed("b"));
    let back = room.joined(back).unwrap();
    assert_eq!(back.generation, 2);
    let sync = room.sync(&back, &[]);
    assert_eq!(room.synced(sync).unwrap().assignment, "2");
}
