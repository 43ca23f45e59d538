//! Joining, staying, leaving; who reads what.

use super::*;

fn indexes(reply: &ShareHeartbeatReply) -> Vec<u32> {
    reply.assignment.iter().flatten().map(|(_, index)| *index).collect()
}

#[test]
fn members_share_partitions_evenly() {
    let mut world = World::new(4);
    let one = world.beat(joining("a")).unwrap();
    assert_eq!((one.member_epoch, indexes(&one)), (1, vec![0, 1, 2, 3]));
    let two = world.beat(joining("b")).unwrap();
    assert_eq!((two.member_epoch, indexes(&two).len()), (2, 2));
    // The first learns of it with its next heartbeat, and then nothing is new.
    let again = world.beat(staying("a", 1)).unwrap();
    assert_eq!((again.member_epoch, indexes(&again).len()), (2, 2));
    let again = world.beat(staying("a", 2)).unwrap();
    assert_eq!((again.member_epoch, again.assignment), (2, None));
}

#[test]
fn several_members_read_one_partition() {
    let mut world = World::new(2);
    for member in ["a", "b", "c", "d", "e"] {
        world.beat(joining(member)).unwrap();
    }
    let mut readers = [0, 0];
    for member in ["a", "b", "c", "d", "e"] {
        let reply = world.beat(joining(member)).unwrap();
        let read = indexes(&reply);
        assert_eq!(read.len(), 1, "nobody is left out");
        readers[read[0] as usize] += 1;
    }
    readers.sort_unstable();
    assert_eq!(readers, [2, 3]);
}

#[test]
fn a_topic_that_grows_or_comes_is_read() {
    let mut world = World::new(1);
    let mut beat = joining("a");
    beat.topics = Some(vec!["t".to_owned(), "later".to_owned()]);
    let reply = world.beat(beat).unwrap();
    assert_eq!(reply.assignment, Some(vec![KEY]));
    world.directory.put("t", entry(1, 2));
    world.directory.put("later", entry(2, 1));
    let reply = world.beat(staying("a", reply.member_epoch)).unwrap();
    assert_eq!(reply.assignment.unwrap().len(), 3);
    world.directory.remove("t");
    let reply = world.beat(staying("a", reply.member_epoch)).unwrap();
    assert_eq!(reply.assignment.unwrap(), [(TopicId::new([2; 16]), 0)]);
}

#[test]
fn wrong_epochs_are_fenced_and_the_one_before_is_not() {
    let mut world = World::new(1);
    world.beat(joining("a")).unwrap();
    world.beat(joining("b")).unwrap();
    assert_eq!(world.beat(staying("a", 1)).unwrap().member_epoch, 2);
    assert_eq!(world.beat(staying("a", 1)).unwrap().member_epoch, 2, "its answer may be lost");
    let fenced = world.beat(staying("a", 7));
    assert!(matches!(fenced, Err(ShareError::FencedMember { current: 2, found: 7, .. })));
    assert!(matches!(world.beat(staying("x", 1)), Err(ShareError::UnknownMember { .. })));
    assert!(matches!(world.beat(staying("x", LEAVE)), Err(ShareError::UnknownMember { .. })));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let mut world = World::new(1);
    for beat in [
        ShareHeartbeat { group: String::new(), ..joining("a") },
        joining(""),
        staying("a", JOIN),
        staying("a", -2),
        ShareHeartbeat { rack: Some(String::new()), ..joining("a") },
        ShareHeartbeat { topics: Some(vec![]), ..joining("a") },
        joining(&"m".repeat(250)),
    ] {
        let refused = world.beat(beat.clone());
        assert!(matches!(refused, Err(ShareError::InvalidRequest { .. })), "{beat:?}");
    }
    assert!(world.groups.list().is_empty(), "nothing of it is left");
}

#[test]
fn a_group_has_only_so_many_members() {
    let mut world = World::new(1);
    let settings = ShareSettings { members_max: 1, ..ShareSettings::default() };
    world.groups = ShareGroups::new(settings);
    world.beat(joining("a")).unwrap();
    assert!(matches!(world.beat(joining("b")), Err(ShareError::GroupFull { max: 1, .. })));
    world.beat(joining("a")).unwrap();
}

#[test]
fn silence_ends_a_session_and_releases_what_it_has() {
    let mut world = World::started(&["a", "b"], &[("share.record.lock.duration.ms", "3600000")]);
    let out = world.take("a", 2, AcquireMode::RecordLimit, &found(0, 3, 3));
    assert_eq!(told(&out), [(0, 1, 1)]);
    world.pass(40_000);
    world.beat(staying("b", 2)).unwrap();
    world.pass(6_000);
    let group = world.groups.describe("g").unwrap();
    assert_eq!((group.members.len(), group.state.name()), (1, "Stable"));
    let out = world.take("b", 9, AcquireMode::RecordLimit, &found(0, 3, 3));
    assert_eq!(told(&out), [(0, 1, 2), (2, 2, 1)]);
    world.pass(50_000);
    assert_eq!(world.groups.describe("g").unwrap().state, ShareGroupState::Empty);
}

#[test]
fn members_survive_a_restart() {
    let mut world = World::new(4);
    world.beat(joining("a")).unwrap();
    let reply = world.beat(joining("b")).unwrap();
    world.pass(30_000);
    world.restart();
    world.pass(44_000);
    let again = world.beat(staying("b", reply.member_epoch)).unwrap();
    assert_eq!(again.assignment, reply.assignment, "told anew, for nobody knows what it knows");
    world.pass(2_000);
    assert_eq!(world.groups.describe("g").unwrap().members.len(), 1);
}

#[test]
fn settings_outlive_the_group() {
    let mut world = World::new(1);
    world.configure(&[("share.heartbeat.interval.ms", "1234")]);
    assert_eq!(world.beat(joining("a")).unwrap().interval_ms, 1234);
    assert!(matches!(world.groups.delete("g"), Err(ShareError::GroupNotEmpty { members: 1, .. })));
    world.beat(staying("a", LEAVE)).unwrap();
    let event = world.groups.delete("g").unwrap();
    world.make(event);
    world.restart();
    assert!(matches!(world.groups.describe("g"), Err(ShareError::UnknownGroup { .. })));
    assert_eq!(world.beat(joining("a")).unwrap().interval_ms, 1234);
    world.configure(&[]);
    assert_eq!(world.beat(joining("a")).unwrap().interval_ms, 5000);
}
