//! Joining, handing over, being fenced, leaving.

use super::*;

#[test]
fn the_first_member_gets_everything_at_once() {
    let mut world = World::new(3);
    let reply = world.join("a");
    assert_eq!((reply.member_epoch, told(&reply)), (1, Some(vec![0, 1, 2])));
    assert_eq!(world.state(), GroupState::Stable);
    // Told again until it says that it has it.
    let reply = world.stay("a", 1, None).unwrap();
    assert_eq!(told(&reply), Some(vec![0, 1, 2]));
    let reply = world.stay("a", 1, Some(&[0, 1, 2])).unwrap();
    assert_eq!(told(&reply), None);
    assert_eq!(told(&world.stay("a", 1, None).unwrap()), None);
}

#[test]
fn a_quiet_heartbeat_leaves_no_events() {
    let mut world = World::new(3);
    world.join("a");
    world.stay("a", 1, Some(&[0, 1, 2])).unwrap();
    world.events.clear();
    for _ in 0..10 {
        world.pass(3_000);
        world.stay("a", 1, None).unwrap();
    }
    assert_eq!(world.events, []);
}

#[test]
fn a_partition_moves_only_once_its_holder_has_let_go() {
    let mut world = World::new(4);
    world.join("a");
    world.stay("a", 1, Some(&[0, 1, 2, 3])).unwrap();
    let reply = world.join("b");
    assert_eq!((reply.member_epoch, told(&reply)), (2, Some(vec![])));
    assert!(reply.heartbeat_interval_ms < 3_000, "who waits asks more often");
    assert_eq!(world.state(), GroupState::Reconciling);

    let reply = world.stay("a", 1, None).unwrap();
    assert_eq!((reply.member_epoch, told(&reply)), (1, Some(vec![0, 1])));
    // It still reports one of them: nothing is free yet, nor is half of it.
    let reply = world.stay("a", 1, Some(&[0, 1, 3])).unwrap();
    assert_eq!((reply.member_epoch, told(&reply)), (1, Some(vec![0, 1])));
    assert_eq!(told(&world.stay("b", 2, Some(&[])).unwrap()), None);
    // A heartbeat that says nothing of what it holds frees nothing either.
    world.stay("a", 1, None).unwrap();
    assert_eq!(told(&world.stay("b", 2, None).unwrap()), None);

    let reply = world.stay("a", 1, Some(&[0, 1])).unwrap();
    assert_eq!((reply.member_epoch, told(&reply)), (2, None));
    let reply = world.stay("b", 2, None).unwrap();
    assert_eq!((reply.member_epoch, told(&reply)), (2, Some(vec![2, 3])));
    assert_eq!(world.state(), GroupState::Stable);
}

#[test]
fn an_answer_that_was_lost_fences_nobody() {
    let mut world = World::new(2);
    world.join("a");
    world.stay("a", 1, Some(&[0, 1])).unwrap();
    world.beat(GroupHeartbeat { member_epoch: LEAVE, ..staying("a", 1) }).unwrap();
    let first = world.join("b");
    // A topic grows: the next answer would bring epoch and partitions, but is lost.
    world.stay("b", first.member_epoch, Some(&[0, 1])).unwrap();
    world.directory.put("t", entry(1, 3));
    let lost = world.stay("b", first.member_epoch, None).unwrap();
    assert_eq!(lost.member_epoch, first.member_epoch + 1);
    let again = world.stay("b", first.member_epoch, None).unwrap();
    assert_eq!((again.member_epoch, told(&again)), (lost.member_epoch, told(&lost)));
    assert_eq!(told(&again), Some(vec![0, 1, 2]));
    // Now that it has spoken with the new one, the old one is over.
    world.stay("b", again.member_epoch, Some(&[0, 1, 2])).unwrap();
    let fenced = world.stay("b", first.member_epoch, None).unwrap_err();
    assert!(matches!(fenced, GroupError::FencedMember { found: 3, current: 4, .. }), "{fenced:?}");
}

#[test]
fn the_epoch_before_is_no_way_back_to_what_was_given_up() {
    let mut world = World::new(2);
    world.join("a");
    world.stay("a", 1, Some(&[0, 1])).unwrap();
    world.join("b");
    world.stay("a", 1, None).unwrap();
    assert_eq!(world.stay("a", 1, Some(&[0])).unwrap().member_epoch, 2);
    let error = world.stay("a", 1, Some(&[0, 1])).unwrap_err();
    assert!(matches!(error, GroupError::FencedMember { found: 1, current: 2, .. }));
    assert_eq!(world.stay("a", 1, Some(&[0])).unwrap().member_epoch, 2);
}

#[test]
fn wrong_epochs_are_fenced_and_strangers_unknown() {
    let mut world = World::new(1);
    let stranger = world.stay("a", 1, None).unwrap_err();
    assert!(matches!(stranger, GroupError::UnknownMember { .. }));
    assert!(world.groups.list().is_empty(), "a refusal makes no group");
    world.join("a");
    let ahead = world.stay("a", 2, None).unwrap_err();
    assert!(matches!(ahead, GroupError::FencedMember { found: 2, current: 1, .. }));
    assert!(matches!(world.stay("b", 1, None), Err(GroupError::UnknownMember { .. })));
}

#[test]
fn a_fenced_member_joins_again_under_its_own_id() {
    let mut world = World::new(2);
    world.join("a");
    world.join("b");
    let epoch = world.groups.describe(&world.directory, "g").unwrap().group_epoch;
    let reply = world.join("a");
    assert_eq!(told(&reply), Some(vec![0]));
    assert_eq!(
        world.groups.describe(&world.directory, "g").unwrap().group_epoch,
        epoch,
        "nothing has changed"
    );
    // What it had beyond its target is free, for it has said that it holds nothing.
    assert_eq!(told(&world.stay("b", 2, None).unwrap()), Some(vec![1]));
}

#[test]
fn who_leaves_frees_its_partitions_at_once() {
    let mut world = World::new(2);
    world.join("a");
    world.join("b");
    world.beat(staying("a", LEAVE)).unwrap();
    assert_eq!(world.state(), GroupState::Assigning);
    let reply = world.stay("b", 2, Some(&[])).unwrap();
    assert_eq!((reply.member_epoch, told(&reply)), (3, Some(vec![0, 1])));
    assert!(matches!(world.beat(staying("a", LEAVE)), Err(GroupError::UnknownMember { .. })));
    world.beat(staying("b", LEAVE)).unwrap();
    assert_eq!(world.state(), GroupState::Empty);
}

#[test]
fn topics_that_come_go_and_grow_are_noticed() {
    let mut world = World::new(1);
    let regex = Some("logs-.*".to_owned());
    let subscription = Subscription { topics: vec!["t".to_owned()], regex };
    world.directory.put("my-logs-x", entry(8, 1));
    world.directory.put("logs-internal", TopicEntry { internal: true, ..entry(9, 1) });
    let reply = world.beat(joining("a").subscribing(subscription)).unwrap();
    assert_eq!(reply.assignment, Some(vec![(TOPIC, 0)]), "whole names, nothing internal");
    world.directory.put("logs-1", entry(2, 2));
    let reply = world.stay("a", 1, Some(&[0])).unwrap();
    assert_eq!(reply.assignment, Some(vec![(TOPIC, 0), (id(2), 0), (id(2), 1)]));
    world.directory.remove("t");
    let reply = world.stay("a", 2, None).unwrap();
    assert_eq!(reply.assignment, Some(vec![(id(2), 0), (id(2), 1)]));
    // One that nobody subscribes to changes nothing.
    world.directory.put("other", entry(3, 2));
    let epoch = world.groups.describe(&world.directory, "g").unwrap().group_epoch;
    world.stay("a", 2, None).unwrap();
    assert_eq!(world.groups.describe(&world.directory, "g").unwrap().group_epoch, epoch);
}

#[test]
fn a_subscription_may_change_on_the_way() {
    let mut world = World::new(1);
    world.directory.put("u", entry(2, 1));
    world.join("a");
    world.stay("a", 1, Some(&[0])).unwrap();
    let beat = staying("a", 1).subscribing(names(&["t", "u"]));
    let reply = world.beat(beat.clone()).unwrap();
    assert_eq!(reply.assignment, Some(vec![(TOPIC, 0), (id(2), 0)]));
    let again = GroupHeartbeat { member_epoch: reply.member_epoch, ..beat };
    assert_eq!(world.beat(again).unwrap().member_epoch, reply.member_epoch);
}

#[test]
fn bad_requests_are_refused_by_name() {
    let mut world = World::new(1);
    let mut refused = |beat: GroupHeartbeat| world.beat(beat).unwrap_err();
    let group = |group: String| GroupHeartbeat { group, ..joining("a") };
    assert_eq!(refused(group(String::new())), GroupError::InvalidGroupId { len: 0 });
    let too_long = refused(group("g".repeat(32_768)));
    assert_eq!(too_long, GroupError::InvalidGroupId { len: 32_768 });
    for beat in [
        GroupHeartbeat { topics: None, regex: None, ..joining("a") },
        GroupHeartbeat { owned: Some(vec![(TOPIC, 0)]), ..joining("a") },
        GroupHeartbeat { member_epoch: -3, ..joining("a") },
        GroupHeartbeat { member_id: String::new(), ..staying("", 3) },
        joining(&"m".repeat(250)),
    ] {
        assert!(matches!(refused(beat), GroupError::InvalidRequest { .. }));
    }
    for regex in ["(", "a)|(b", "(a{1000}){1000}", &"x".repeat(5000)] {
        let subscription = Subscription { topics: vec![], regex: Some(regex.to_owned()) };
        let error = refused(joining("a").subscribing(subscription));
        assert!(matches!(error, GroupError::InvalidRegex { .. }), "{regex:.20}");
    }
    let assignor = Some("sticky".to_owned());
    let error = refused(GroupHeartbeat { assignor, ..joining("a") });
    assert!(matches!(error, GroupError::UnknownAssignor { .. }));
    assert!(world.groups.list().is_empty(), "refusals make no group");
}

#[test]
fn who_joins_without_an_id_is_given_one() {
    let mut world = World::new(2);
    let anonymous = GroupHeartbeat { client_id: "app".to_owned(), ..joining("") };
    let first = world.beat(anonymous.clone()).unwrap();
    let second = world.beat(anonymous).unwrap();
    assert!(first.member_id.starts_with("app-"));
    assert_ne!(first.member_id, second.member_id);
    assert!(world.stay(&first.member_id, first.member_epoch, None).is_ok());
}

#[test]
fn a_full_group_takes_no_more() {
    let mut world = World::new(1);
    let settings = GroupSettings { members_max: 1, ..GroupSettings::default() };
    world.groups = Groups::new(settings);
    world.join("a");
    assert!(matches!(world.beat(joining("b")), Err(GroupError::GroupFull { max: 1, .. })));
    world.join("a");
}

#[test]
fn the_assignor_most_want_is_used() {
    let mut world = World::new(4);
    let wanting = |member: &str, assignor: Option<&str>| GroupHeartbeat {
        assignor: assignor.map(str::to_owned),
        ..joining(member)
    };
    world.beat(wanting("a", Some("range"))).unwrap();
    assert_eq!(world.groups.describe(&world.directory, "g").unwrap().assignor, "range");
    world.beat(wanting("b", Some("uniform"))).unwrap();
    assert_eq!(world.groups.describe(&world.directory, "g").unwrap().assignor, "uniform");
    world.beat(wanting("c", Some("range"))).unwrap();
    assert_eq!(world.groups.describe(&world.directory, "g").unwrap().assignor, "range");
    let group = world.groups.describe(&world.directory, "g").unwrap();
    let targets: Vec<Vec<u32>> = group
        .members
        .iter()
        .map(|member| member.target.iter().map(|(_, index)| *index).collect())
        .collect();
    assert_eq!(targets, [vec![0, 1], vec![2], vec![3]]);
}
