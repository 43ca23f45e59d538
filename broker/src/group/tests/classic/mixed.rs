//! Both protocols in one group, during an upgrade and on the way back.

use super::*;
use crate::group::classic::{encode_assignment, parse_assignment};

/// What a cooperative consumer says: it reads `t`, and holds these of its partitions.
fn holding(owned: &[u32]) -> Vec<(String, Bytes)> {
    let mut out = subscribes(&["t"]).to_vec();
    out[1] = 1;
    out.extend(i32::from(!owned.is_empty()).to_be_bytes());
    if !owned.is_empty() {
        out.extend([0, 1, b't']);
        out.extend(i32::try_from(owned.len()).unwrap().to_be_bytes());
        out.extend(owned.iter().flat_map(|partition| partition.to_be_bytes()));
    }
    vec![("cooperative-sticky".to_owned(), Bytes::from(out))]
}

fn cooperative(member: &str, owned: &[u32]) -> ClassicJoin {
    ClassicJoin { protocols: holding(owned), ..joins(member) }
}

/// The partitions of `t` in an assignment.
fn given(synced: &ClassicSynced) -> Vec<u32> {
    let topics = parse_assignment(&synced.assignment).unwrap();
    topics.into_iter().flat_map(|(_, partitions)| partitions).collect()
}

fn assigns(partitions: &[u32]) -> Vec<u8> {
    let topics = [("t".to_owned(), partitions.to_vec())].into();
    encode_assignment(1, &topics)
}

/// A stable group of two cooperative consumers, with two partitions each.
fn two(room: &mut Room) -> [ClassicJoined; 2] {
    let tickets = [room.join(cooperative("", &[])), room.join(cooperative("", &[]))];
    room.pass(1_000);
    let [a, b] = tickets.map(|ticket| room.joined(ticket).unwrap());
    let (of_a, of_b) = (assigns(&[0, 1]), assigns(&[2, 3]));
    room.sync(&b, &[]);
    room.sync(&a, &[(&a.member_id, &of_a), (&b.member_id, &of_b)]);
    assert_eq!(room.state(), GroupState::Stable);
    [a, b]
}

fn kind(room: &Room) -> GroupKind {
    room.world.groups.list()[0].kind
}

/// A member's whole turn: join with what it holds, ask for its assignment.
fn turn(room: &mut Room, member: &str, owned: &[u32]) -> (ClassicJoined, Vec<u32>) {
    let joined = room.join(cooperative(member, owned));
    let joined = room.joined(joined).unwrap();
    let synced = room.sync(&joined, &[]);
    let given = given(&room.synced(synced).unwrap());
    (joined, given)
}

#[test]
fn a_new_member_takes_a_group_up_and_the_last_one_takes_it_down() {
    let mut room = Room::new();
    let [a, b] = two(&mut room);
    let reply = room.world.join("new");
    assert_eq!(kind(&room), GroupKind::Consumer);
    assert_eq!((reply.member_epoch, told(&reply)), (2, Some(vec![])), "all is held still");
    assert_eq!(room.world.members(), 3);

    // The old members learn of it, give up what they must, and go on with the rest.
    for joined in [&a, &b] {
        assert!(matches!(room.beat(joined), Err(GroupError::RebalanceInProgress { .. })));
    }
    let (a2, has) = turn(&mut room, &a.member_id, &[0, 1]);
    assert!(has.len() <= 2 && a2.leader.is_empty() && a2.members.is_empty());
    let (mut a2, mut b2) = (a2, turn(&mut room, &b.member_id, &[2, 3]));
    let mut of_a = has;
    if of_a.len() < 2 {
        assert_eq!(a2.generation, 1, "until it has given up what it must");
        (a2, of_a) = turn(&mut room, &a.member_id, &of_a);
    }
    if b2.1.len() < 2 {
        let owned = b2.1.clone();
        b2 = turn(&mut room, &b.member_id, &owned);
    }
    assert_eq!((a2.generation, b2.0.generation), (2, 2));
    assert_eq!(of_a.len() + b2.1.len(), 3);
    let reply = room.world.stay("new", 2, Some(&[])).unwrap();
    assert_eq!(told(&reply).unwrap().len(), 1);
    let owned = told(&reply).unwrap();
    room.world.stay("new", 2, Some(&owned)).unwrap();
    assert_eq!(room.world.state(), GroupState::Stable);
    assert_eq!((room.beat(&a2), room.beat(&b2.0)), (Ok(()), Ok(())));
    let shown = room.world.groups.describe(&room.world.directory, "g").unwrap();
    assert_eq!(shown.members.iter().filter(|member| member.classic).count(), 2);
    assert!(room.world.groups.describe_classic("g").is_err());

    // Down again: the two are told to join again, and one of them leads.
    room.world.beat(staying("new", LEAVE)).unwrap();
    assert_eq!(kind(&room), GroupKind::Classic);
    assert!(matches!(room.beat(&a2), Err(GroupError::RebalanceInProgress { .. })));
    let tickets =
        [room.join(cooperative(&a.member_id, &of_a)), room.join(cooperative(&b.member_id, &b2.1))];
    let joined = tickets.map(|ticket| room.joined(ticket).unwrap());
    assert_eq!(joined.iter().map(|joined| joined.members.len()).max(), Some(2));
    assert!(joined.iter().all(|joined| joined.generation > 2));
}

#[test]
fn a_new_member_that_goes_silent_takes_the_group_down() {
    let mut room = Room::new();
    let [a, b] = two(&mut room);
    room.world.join("new");
    for _ in 0..10 {
        room.pass(5_000);
        for joined in [&a, &b] {
            let _ = room.beat(joined);
        }
    }
    assert_eq!(kind(&room), GroupKind::Classic);
    let again = [&a, &b].map(|joined| room.join(cooperative(&joined.member_id, &[])));
    assert!(again.into_iter().all(|ticket| room.joined(ticket).is_ok()));
}

#[test]
fn eager_members_are_served_too() {
    let mut room = Room::new();
    let old = room.join(joins(""));
    room.pass(500);
    let old = room.joined(old).unwrap();
    let all = assigns(&[0, 1, 2, 3]);
    room.sync(&old, &[(&old.member_id, &all)]);
    room.world.join("new");
    assert!(matches!(room.beat(&old), Err(GroupError::RebalanceInProgress { .. })));
    // It gives up everything and joins again.
    let again = room.join(joins(&old.member_id));
    let again = room.joined(again).unwrap();
    assert_eq!(again.generation, 2);
    let sync = room.sync(&again, &[]);
    assert_eq!(given(&room.synced(sync).unwrap()).len(), 2);
    assert_eq!(told(&room.world.stay("new", 2, None).unwrap()).unwrap().len(), 2);
}

#[test]
fn a_newcomer_of_the_old_protocol_joins_a_new_group() {
    let mut room = Room::new();
    let reply = room.world.join("new");
    assert_eq!(told(&reply), Some(vec![0, 1, 2, 3]));
    room.world.stay("new", 1, Some(&[0, 1, 2, 3])).unwrap();
    let required = ClassicJoin { member_id_required: true, ..cooperative("", &[]) };
    let asked = room.join(required);
    let Err(GroupError::MemberIdRequired { member_id, .. }) = room.joined(asked) else {
        panic!("an id must be given");
    };
    let (old, has) = turn(&mut room, &member_id, &[]);
    assert_eq!((old.generation, has), (2, vec![]));
    assert_eq!(room.beat(&old), Ok(()), "what it shall have is not free yet");
    room.world.stay("new", 1, None).unwrap();
    room.world.stay("new", 1, Some(&[0, 1])).unwrap();
    assert!(matches!(room.beat(&old), Err(GroupError::RebalanceInProgress { .. })));
    let (old, has) = turn(&mut room, &member_id, &[]);
    assert_eq!(has, [2, 3]);
    assert_eq!(room.beat(&old), Ok(()));
    room.world.commit(commit_of(&member_id, old.generation, 2, 5)).unwrap();
    let late = room.world.commit(commit_of(&member_id, 1, 2, 5)).unwrap_err();
    assert!(matches!(late, GroupError::IllegalGeneration { .. }));
    assert_eq!(room.leave(&member_id, None), Ok(()));
    let mut beat = room.world.stay("new", 2, None).unwrap();
    if told(&beat).is_none_or(|told| told.len() < 4) {
        beat = room.world.stay("new", beat.member_epoch, None).unwrap();
    }
    assert_eq!(told(&beat), Some(vec![0, 1, 2, 3]));
}

#[test]
fn who_does_not_join_again_or_sync_in_time_is_removed() {
    for synced in [false, true] {
        let mut room = Room::new();
        room.world.join("new");
        let slow =
            |owned: &[u32]| ClassicJoin { session_timeout_ms: 1_800_000, ..cooperative("", owned) };
        let joined = room.join(slow(&[]));
        let joined = room.joined(joined).unwrap();
        if synced {
            room.sync(&joined, &[]);
            let reply = room.world.stay("new", 1, Some(&[0, 1, 2, 3])).unwrap();
            room.world.stay("new", reply.member_epoch, Some(&[0, 1])).unwrap();
            assert!(room.beat(&joined).is_err());
        }
        for _ in 0..5 {
            room.pass(11_999);
            assert_eq!(room.world.members(), 2);
            room.world.stay("new", 2, Some(&[0, 1])).unwrap_or_else(|_| room.world.join("new"));
        }
        room.pass(6);
        assert_eq!(room.world.members(), 1, "synced {synced}");
    }
}

#[test]
fn calls_that_wait_end_when_the_group_goes_up() {
    let mut room = Room::new();
    let [a, _] = two(&mut room);
    let waiting = room.join(cooperative(&a.member_id, &[0, 1]));
    let nameless = room.join(cooperative("", &[]));
    assert!(room.waits(waiting) && room.waits(nameless));
    room.world.join("new");
    room.collect(Vec::new());
    assert!(matches!(room.joined(waiting), Err(GroupError::RebalanceInProgress { .. })));
    assert!(matches!(room.joined(nameless), Err(GroupError::UnknownMember { .. })));
    assert_eq!(room.world.members(), 3);
}

#[test]
fn members_that_are_no_consumers_keep_their_group() {
    let mut room = Room::new();
    let connect = room.join(ClassicJoin { protocol_type: "connect".to_owned(), ..joins("") });
    room.pass(500);
    let connect = room.joined(connect).unwrap();
    room.sync(&connect, &[]);
    let refused = room.world.beat(joining("new")).unwrap_err();
    assert!(matches!(refused, GroupError::InconsistentProtocol { .. }));
    let strange = room.join(ClassicJoin {
        protocols: vec![("range".to_owned(), Bytes::from_static(b"?"))],
        group: "h".to_owned(),
        ..joins("")
    });
    room.pass(500);
    assert!(room.joined(strange).is_ok());
    let refused = room.world.beat(GroupHeartbeat { group: "h".to_owned(), ..joining("n") });
    assert!(matches!(refused, Err(GroupError::InconsistentProtocol { .. })));
    assert_eq!(room.beat(&connect), Ok(()), "nothing has changed");
}

#[test]
fn an_upgraded_static_member_keeps_its_place() {
    let mut room = Room::new();
    let as_instance =
        |name: &str| ClassicJoin { instance_id: Some(name.to_owned()), ..cooperative("", &[]) };
    let tickets = [room.join(as_instance("a")), room.join(as_instance("b"))];
    room.pass(1_000);
    let [a, b] = tickets.map(|ticket| room.joined(ticket).unwrap());
    let (of_a, of_b) = (assigns(&[0, 1]), assigns(&[2, 3]));
    room.sync(&b, &[]);
    room.sync(&a, &[(&a.member_id, &of_a), (&b.member_id, &of_b)]);
    let instance = |name: &str| GroupHeartbeat {
        instance_id: Some(name.to_owned()),
        refuse_unreleased: true,
        ..joining(&format!("new-{name}"))
    };
    let reply = room.world.beat(instance("a")).unwrap();
    assert_eq!(told(&reply), Some(vec![0, 1]), "that of the one it replaces");
    assert_eq!(room.world.members(), 2);
    let other = GroupHeartbeat { member_id: "third".to_owned(), ..instance("a") };
    let refused = room.world.beat(other).unwrap_err();
    assert!(matches!(refused, GroupError::UnreleasedInstance { .. }));
    room.world.beat(instance("b")).unwrap();
    // And back: the last one to go back leaves the group to the classic protocol.
    let back = room.join(as_instance("b"));
    assert!(room.joined(back).is_ok());
    assert_eq!(kind(&room), GroupKind::Consumer);
    let back = room.join(as_instance("a"));
    assert_eq!(kind(&room), GroupKind::Classic);
    assert!(room.waits(back));
}

#[test]
fn both_ways_survive_a_restart() {
    let mut room = Room::new();
    let [a, b] = two(&mut room);
    room.world.join("new");
    let (a2, _) = turn(&mut room, &a.member_id, &[0, 1]);
    let restart = |room: &mut Room| {
        let mut groups = Groups::new(GroupSettings::default());
        for event in &room.world.events {
            let mut bytes = Vec::new();
            event.encode(&mut bytes);
            groups.apply(&GroupEvent::decode(&bytes).unwrap());
        }
        assert_eq!(groups.events(), room.world.groups.events());
        groups.start(room.world.now_ms);
        room.world.groups = groups;
    };
    restart(&mut room);
    assert_eq!(room.world.members(), 3);
    assert!(matches!(room.beat(&a2), Ok(()) | Err(GroupError::RebalanceInProgress { .. })));
    room.leave(&b.member_id, None).unwrap();
    room.world.beat(staying("new", LEAVE)).unwrap();
    assert_eq!(kind(&room), GroupKind::Classic);
    restart(&mut room);
    assert_eq!(kind(&room), GroupKind::Classic);
    assert_eq!(room.world.groups.list()[0].members, 1);
}
