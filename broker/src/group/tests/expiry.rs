//! What time does: silent members, members that do not let go, groups long empty.

use super::*;

#[test]
fn a_silent_member_is_removed_and_its_partitions_go_on() {
    let mut world = World::new(2);
    world.join("a");
    world.join("b");
    world.pass(30_000);
    world.stay("b", 2, Some(&[])).unwrap();
    world.pass(15_000);
    assert_eq!(world.members(), 1);
    let reply = world.stay("b", 2, None).unwrap();
    assert_eq!(told(&reply), Some(vec![0, 1]));
    assert!(matches!(world.stay("a", 1, None), Err(GroupError::UnknownMember { .. })));
}

#[test]
fn a_heartbeat_moves_the_deadline() {
    let mut world = World::new(1);
    world.join("a");
    for _ in 0..20 {
        world.pass(44_999);
        world.stay("a", 1, None).unwrap();
    }
    assert_eq!(world.members(), 1);
    world.pass(45_000);
    assert_eq!(world.members(), 0);
}

#[test]
fn a_member_may_choose_its_own_session() {
    let mut world = World::new(1);
    world.beat(GroupHeartbeat { session_timeout_ms: Some(500), ..joining("a") }).unwrap();
    world.beat(GroupHeartbeat { session_timeout_ms: Some(0), ..joining("b") }).unwrap();
    world.pass(100);
    assert_eq!(world.members(), 1, "nobody may choose less than 100 ms");
    world.pass(400);
    assert_eq!(world.members(), 0);
}

#[test]
fn who_does_not_let_go_in_time_is_removed() {
    let mut world = World::new(2);
    world.join("a");
    world.stay("a", 1, Some(&[0, 1])).unwrap();
    world.join("b");
    assert_eq!(told(&world.stay("a", 1, None).unwrap()), Some(vec![0]));
    for _ in 0..2 {
        world.pass(29_999);
        world.stay("a", 1, Some(&[0, 1])).unwrap();
        world.stay("b", 2, Some(&[])).unwrap();
    }
    assert_eq!(world.members(), 2);
    world.pass(2);
    assert_eq!(world.members(), 1);
    let error = world.stay("a", 1, Some(&[0, 1])).unwrap_err();
    assert!(matches!(error, GroupError::UnknownMember { .. }));
    assert_eq!(told(&world.stay("b", 2, None).unwrap()), Some(vec![0, 1]));
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

#[test]
fn commits_of_an_empty_group_are_forgotten_after_their_retention() {
    let mut world = World::new(2);
    world.join("a");
    world.commit(commit_of("a", 1, 0, 5)).unwrap();
    for _ in 0..(10 * DAY_MS / 40_000) {
        world.pass(40_000);
        world.stay("a", 1, None).unwrap();
    }
    assert_eq!(world.groups.offsets("g", None).len(), 1, "kept while there are members");
    world.beat(staying("a", LEAVE)).unwrap();
    world.pass(6 * DAY_MS);
    world.commit(commit_of("", -1, 1, 7)).unwrap();
    world.pass(DAY_MS - 1);
    assert_eq!(world.groups.offsets("g", None).len(), 2);
    world.pass(1);
    let left = world.groups.offsets("g", None);
    assert_eq!(left.iter().map(|((_, index), _)| *index).collect::<Vec<_>>(), [1]);
    world.pass(6 * DAY_MS);
    assert!(world.groups.list().is_empty());
    assert_eq!(world.events.last(), Some(&GroupEvent::GroupDeleted { group: "g".to_owned() }));
    assert_eq!(world.groups.next_due(), None);
}

#[test]
fn an_empty_group_without_commits_does_not_linger_for_long() {
    let mut world = World::new(1);
    world.join("a");
    world.beat(staying("a", LEAVE)).unwrap();
    assert_eq!(world.groups.list().len(), 1);
    world.pass(10 * 60 * 1000);
    assert!(world.groups.list().is_empty());
}

#[test]
fn restored_members_get_a_whole_session() {
    let mut world = World::new(1);
    world.join("a");
    let snapshot = world.groups.snapshot();
    world.now_ms += 10 * DAY_MS;
    world.groups = Groups::restore(GroupSettings::default(), &snapshot).unwrap();
    world.groups.start(world.now_ms);
    world.pass(44_999);
    assert_eq!(world.members(), 1);
    let reply = world.stay("a", 1, Some(&[0])).unwrap();
    assert_eq!(told(&reply), None, "it goes on as if nothing had happened");
    world.pass(45_000);
    assert_eq!(world.members(), 0);
}

#[test]
fn what_the_members_do_not_read_any_more_is_forgotten() {
    let mut world = World::new(1);
    world.directory.put("other", entry(2, 1));
    world.beat(joining("a").subscribing(names(&["t", "other"]))).unwrap();
    world.stay("a", 1, Some(&[0])).unwrap();
    world.commit(commit_of("a", 1, 0, 5)).unwrap();
    let mut other = commit_of("a", 1, 0, 7);
    other.offsets[0].partition = (id(2), 0);
    world.commit(other).unwrap();
    let mut epoch = 1;
    let mut live = |world: &mut World, ms: i64| {
        for _ in 0..ms / 40_000 {
            world.pass(40_000);
            epoch = world.stay("a", epoch, Some(&[0])).unwrap().member_epoch;
        }
    };
    live(&mut world, 8 * DAY_MS);
    assert_eq!(world.groups.offsets("g", None).len(), 2, "both are read");
    let epoch = world.groups.describe(&world.directory, "g").unwrap().members[0].member_epoch;
    world.beat(staying("a", epoch).subscribing(names(&["t"]))).unwrap();
    live(&mut world, 10 * 60 * 1000 + 40_000);
    let left = world.groups.offsets("g", None);
    assert_eq!(left.iter().map(|((topic, _), _)| *topic).collect::<Vec<_>>(), [TOPIC]);
    assert_eq!(world.members(), 1);
}

#[test]
fn a_group_may_have_its_own_sessions() {
    let mut world = World::new(1);
    let set = |world: &mut World, key: &str, value: &str| {
        let set = vec![(key.to_owned(), value.to_owned())];
        let event = world.groups.configure("g", set, &[])?;
        world.groups.apply(event.as_ref().unwrap());
        world.events.extend(event);
        Ok::<(), crate::Error>(())
    };
    world.join("a");
    world.beat(GroupHeartbeat { session_timeout_ms: Some(30_000), ..joining("b") }).unwrap();
    set(&mut world, "consumer.session.timeout.ms", "10000").unwrap();
    set(&mut world, "consumer.heartbeat.interval.ms", "2000").unwrap();
    assert!(set(&mut world, "consumer.session.timeout.ms", "2000").is_err(), "too short");
    assert!(set(&mut world, "consumer.session.timeout.ms", "soon").is_err());
    assert!(set(&mut world, "share.session.timeout.ms", "2000").is_err());
    let reply = world.stay("a", 1, Some(&[0])).unwrap();
    assert_eq!(reply.heartbeat_interval_ms, 2000);
    // As after a restart: by events, and by a snapshot.
    let mut replayed = Groups::new(GroupSettings::default());
    world.events.iter().for_each(|event| replayed.apply(event));
    let restored = Groups::restore(GroupSettings::default(), &world.groups.snapshot()).unwrap();
    for groups in [replayed, restored] {
        world.groups = groups;
        world.groups.start(world.now_ms);
        world.pass(9_999);
        assert_eq!(world.members(), 2);
        world.pass(1);
        assert_eq!(world.members(), 1, "who asked for its own session has that");
    }
    let event = world.groups.configure("g", vec![], &["consumer.session.timeout.ms".to_owned()]);
    world.groups.apply(&event.unwrap().unwrap());
    assert_eq!(world.groups.config("g").session_timeout_ms, 45_000);
    assert!(world.groups.configure("g", vec![], &[]).unwrap().is_none());
}
