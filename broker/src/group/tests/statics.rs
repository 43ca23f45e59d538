//! Members that keep their place over a restart.

use super::*;

fn fixed(member: &str, instance: &str) -> GroupHeartbeat {
    GroupHeartbeat { instance_id: Some(instance.to_owned()), ..joining(member) }
}

#[test]
fn one_that_left_to_come_back_keeps_its_place() {
    let mut world = World::new(2);
    world.beat(fixed("a1", "a")).unwrap();
    world.beat(fixed("b1", "b")).unwrap();
    world.stay("a1", 1, Some(&[0])).unwrap();
    world.stay("a1", 1, Some(&[0])).unwrap();
    world.stay("b1", 2, None).unwrap();
    let epoch = world.groups.describe(&world.directory, "g").unwrap().group_epoch;

    let leave = GroupHeartbeat { member_epoch: LEAVE_STATIC, ..fixed("a1", "a") };
    assert_eq!(world.beat(leave).unwrap().member_epoch, LEAVE_STATIC);
    assert!(matches!(world.stay("a1", 2, None), Err(GroupError::UnknownMember { .. })));
    assert_eq!(told(&world.stay("b1", 2, Some(&[1])).unwrap()), None, "nothing moves meanwhile");
    assert_eq!(world.state(), GroupState::Stable);

    let back = world.beat(fixed("a2", "a")).unwrap();
    assert_eq!(told(&back), Some(vec![0]));
    assert_eq!(
        world.groups.describe(&world.directory, "g").unwrap().group_epoch,
        epoch,
        "no rebalance"
    );
}

#[test]
fn one_that_does_not_come_back_in_time_is_removed() {
    let mut world = World::new(2);
    world.beat(fixed("a1", "a")).unwrap();
    world.beat(GroupHeartbeat { member_epoch: LEAVE_STATIC, ..fixed("a1", "a") }).unwrap();
    world.pass(44_999);
    assert_eq!(world.members(), 1);
    world.pass(1);
    assert_eq!(world.members(), 0);
    // Its place is gone: who comes now is new.
    assert_eq!(world.beat(fixed("a2", "a")).unwrap().member_epoch, 3);
}

#[test]
fn the_newcomer_fences_a_living_holder() {
    let mut world = World::new(2);
    world.beat(fixed("a1", "a")).unwrap();
    let new = world.beat(fixed("a2", "a")).unwrap();
    assert_eq!(told(&new), Some(vec![0, 1]));
    let instance_id = Some("a".to_owned());
    let fenced = world.beat(GroupHeartbeat { instance_id, ..staying("a1", 1) }).unwrap_err();
    assert!(matches!(fenced, GroupError::FencedInstance { .. }));
    assert!(matches!(world.stay("a1", 1, None), Err(GroupError::UnknownMember { .. })));
    let commit = world.commit(commit_of("a1", 1, 0, 5)).unwrap_err();
    assert!(matches!(commit, GroupError::UnknownMember { .. }));
}

#[test]
fn only_static_members_leave_to_come_back() {
    let mut world = World::new(1);
    world.join("a");
    let error = world.beat(staying("a", LEAVE_STATIC)).unwrap_err();
    assert!(matches!(error, GroupError::InvalidRequest { .. }));
    assert_eq!(world.members(), 1);
}

#[test]
fn a_place_survives_the_brokers_restart() {
    let mut world = World::new(2);
    world.beat(fixed("a1", "a")).unwrap();
    world.beat(fixed("b1", "b")).unwrap();
    world.stay("a1", 1, Some(&[0, 1])).unwrap();
    world.stay("a1", 1, Some(&[0])).unwrap();
    world.stay("b1", 2, None).unwrap();
    world.beat(GroupHeartbeat { member_epoch: LEAVE_STATIC, ..fixed("b1", "b") }).unwrap();
    let mut groups = Groups::new(GroupSettings::default());
    world.events.iter().for_each(|event| groups.apply(event));
    groups.start(world.now_ms);
    world.groups = groups;
    assert_eq!(told(&world.stay("a1", 2, Some(&[0])).unwrap()), None, "b's stays b's");
    assert_eq!(told(&world.beat(fixed("b2", "b")).unwrap()), Some(vec![1]));
}
