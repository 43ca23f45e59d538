//! Members that go.

use super::*;

#[test]
fn the_others_take_over_at_once() {
    let mut room = Room::new();
    let all = room.stable(3);
    assert_eq!(room.leave(&all[0].member_id, None), Ok(()));
    assert_eq!(room.state(), GroupState::PreparingRebalance);
    let tickets = [room.join(joins(&all[1].member_id)), room.join(joins(&all[2].member_id))];
    let led = tickets.map(|ticket| room.joined(ticket).unwrap().members.len());
    assert_eq!(led.into_iter().max(), Some(2));
    let again = room.leave(&all[0].member_id, None).unwrap_err();
    assert!(matches!(again, GroupError::UnknownMember { .. }));
}

#[test]
fn the_last_one_leaves_an_empty_group() {
    let mut room = Room::new();
    let all = room.stable(1);
    room.leave(&all[0].member_id, None).unwrap();
    assert_eq!(room.state(), GroupState::Empty);
    let listed = room.world.groups.list().remove(0);
    assert_eq!((listed.kind, &*listed.protocol_type), (GroupKind::Classic, "consumer"));
    let new = room.join(joins(""));
    room.pass(500);
    assert_eq!(room.joined(new).unwrap().generation, 3, "leaving made a generation too");
}

#[test]
fn a_silent_member_is_removed() {
    let mut room = Room::new();
    let all = room.stable(2);
    room.pass(9_999);
    assert_eq!(room.beat(&all[0]), Ok(()));
    room.pass(1);
    assert!(matches!(room.beat(&all[0]), Err(GroupError::RebalanceInProgress { .. })));
    assert!(matches!(room.beat(&all[1]), Err(GroupError::UnknownMember { .. })));
    let alone = room.join(joins(&all[0].member_id));
    assert_eq!(room.joined(alone).unwrap().members.len(), 1);
}

#[test]
fn who_waits_is_not_silent() {
    let mut room = Room::new();
    let all = room.stable(2);
    let new = room.join(joins(""));
    let other = room.join(joins(&all[1].member_id));
    for _ in 0..5 {
        room.pass(9_000);
        assert!(matches!(room.beat(&all[0]), Err(GroupError::RebalanceInProgress { .. })));
    }
    let leader = room.join(joins(&all[0].member_id));
    for ticket in [new, other, leader] {
        assert_eq!(room.joined(ticket).unwrap().generation, 2);
    }
    let others = [new, other].map(|ticket| room.joined(ticket).unwrap());
    let waiting = others.map(|joined| room.sync(&joined, &[]));
    let leader = room.joined(leader).unwrap();
    for _ in 0..4 {
        room.pass(9_000);
        room.beat(&leader).unwrap();
    }
    room.sync(&leader, &[]);
    for ticket in waiting {
        assert!(room.synced(ticket).is_ok());
    }
    // From here on it counts again.
    room.pass(10_000);
    assert_eq!(room.state(), GroupState::Empty);
}

#[test]
fn a_lost_connection_is_not_counted_as_having_joined() {
    let mut room = Room::new();
    let all = room.stable(1);
    let nameless = room.join(joins(""));
    room.abandon(nameless);
    assert!(room.waits(nameless));
    let alone = room.join(joins(&all[0].member_id));
    assert_eq!(room.joined(alone).unwrap().members.len(), 1, "nobody could ever speak for it");
    let alone = room.joined(alone).unwrap();
    room.sync(&alone, &[]);

    let new = room.join(joins(""));
    let lost = room.join(joins(&all[0].member_id));
    let (new, lost) = (room.joined(new).unwrap(), room.joined(lost).unwrap());
    let mut left = room.sync(&new, &[]);
    room.abandon(left);
    left = room.sync(&new, &[]);
    room.sync(&lost, &[(&new.member_id, b"n")]);
    assert_eq!(room.synced(left).unwrap().assignment, "n");

    // One that has a name may come back within its session.
    room.leave(&new.member_id, None).unwrap();
    let extra = room.join(joins(""));
    let leader = room.join(joins(&lost.member_id));
    assert_eq!(room.joined(leader).unwrap().generation, 4);
    assert!(room.joined(extra).is_ok());
    let waits = room.join(ClassicJoin {
        protocols: vec![("range".to_owned(), subscribes(&["u"]))],
        ..joins(&lost.member_id)
    });
    room.abandon(waits);
    let other = room.join(joins(&room.joined(extra).unwrap().member_id));
    assert!(room.waits(other));
    room.pass(10_000);
    assert_eq!(room.joined(other).unwrap().members.len(), 1);
}

#[test]
fn a_second_call_takes_the_place_of_the_first() {
    let mut room = Room::new();
    let all = room.stable(2);
    room.leave(&all[1].member_id, None).unwrap();
    let new = room.join(joins(""));
    let asked = room.join(ClassicJoin { member_id_required: true, ..joins("") });
    assert!(room.joined(asked).is_err());
    let first = room.join(joins(&all[0].member_id));
    let second = room.join(joins(&all[0].member_id));
    assert!(matches!(room.joined(first), Err(GroupError::RebalanceInProgress { .. })));
    assert!(room.waits(second) && room.waits(new));
    room.pass(10_000);
    assert!(room.joined(second).is_ok() && room.joined(new).is_ok());
}

#[test]
fn an_administrator_removes_by_instance() {
    let mut room = Room::new();
    let fixed = room.join(fixed("i"));
    room.pass(500);
    let fixed = room.joined(fixed).unwrap();
    room.sync(&fixed, &[]);
    assert!(matches!(room.leave("", Some("j")), Err(GroupError::UnknownMember { .. })));
    let other = room.leave("somebody", Some("i")).unwrap_err();
    assert!(matches!(other, GroupError::FencedInstance { .. }));
    assert_eq!(room.leave("", Some("i")), Ok(()));
    assert_eq!(room.state(), GroupState::Empty);
}
