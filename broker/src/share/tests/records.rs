//! Records: acquired, settled, timed out, in order of key.

use super::*;

const LIMIT: AcquireMode = AcquireMode::RecordLimit;

#[test]
fn a_record_is_with_one_member_until_it_is_settled() {
    let mut world = World::started(&["a", "b"], &[]);
    assert_eq!(told(&world.take("a", 2, LIMIT, &found(0, 5, 5))), [(0, 1, 1)]);
    assert_eq!(told(&world.take("b", 9, LIMIT, &found(0, 5, 5))), [(2, 4, 1)]);
    assert!(told(&world.take("a", 9, LIMIT, &found(0, 5, 5))).is_empty());
    // Not in order: the start stays until what is before it is settled.
    world.acknowledge("b", &[ack(2, 3, AckType::Accept)]).unwrap();
    assert_eq!(world.start(), 0);
    world.acknowledge("a", &[ack(0, 1, AckType::Accept)]).unwrap();
    assert_eq!(world.start(), 4);
    world.acknowledge("b", &[ack(4, 4, AckType::Reject)]).unwrap();
    assert_eq!((world.start(), world.dead.len()), (5, 1));
}

#[test]
fn whole_batches_unless_the_limit_is_strict() {
    let mut world = World::started(&["a"], &[]);
    let loose = AcquireMode::BatchOptimized;
    assert_eq!(told(&world.take("a", 3, loose, &found(0, 12, 4))), [(0, 3, 1)]);
    assert_eq!(told(&world.take("a", 5, loose, &found(4, 12, 4))), [(4, 11, 1)]);
    assert_eq!(told(&world.take("a", 1, LIMIT, &found(12, 16, 4))), [(12, 12, 1)]);
}

#[test]
fn what_is_released_is_tried_again_and_given_up_in_the_end() {
    let mut world = World::started(&["a"], &[("share.delivery.count.limit", "2")]);
    assert_eq!(told(&world.take("a", 1, LIMIT, &found(0, 1, 1))), [(0, 0, 1)]);
    world.acknowledge("a", &[ack(0, 0, AckType::Release)]).unwrap();
    world.restart();
    assert_eq!(told(&world.take("a", 1, LIMIT, &found(0, 1, 1))), [(0, 0, 2)]);
    world.acknowledge("a", &[ack(0, 0, AckType::Release)]).unwrap();
    assert!(told(&world.take("a", 1, LIMIT, &found(0, 1, 1))).is_empty());
    assert_eq!(world.start(), 1);
    assert_eq!(world.dead[0].1.why, partition::GivenUp::TriedTooOften);
}

#[test]
fn locks_time_out_and_can_be_renewed() {
    let mut world = World::started(&["a", "b"], &[]);
    world.take("a", 2, LIMIT, &found(0, 2, 2));
    world.pass(20_000);
    world.acknowledge("a", &[ack(1, 1, AckType::Renew)]).unwrap();
    world.pass(10_000);
    assert_eq!(told(&world.take("b", 9, LIMIT, &found(0, 2, 2))), [(0, 0, 2)]);
    let late = world.acknowledge("a", &[ack(0, 0, AckType::Accept)]);
    assert!(matches!(late, Err(ShareError::InvalidRecordState { offset: 0, .. })));
    world.acknowledge("a", &[ack(1, 1, AckType::Accept)]).unwrap();
    world.beat(staying("b", 2)).unwrap();
    world.pass(30_000);
    assert_eq!(told(&world.take("b", 9, LIMIT, &found(0, 2, 2))), [(0, 0, 3)]);
}

#[test]
fn renewing_can_be_switched_off() {
    let mut world = World::started(&["a"], &[("share.renew.acknowledge.enable", "false")]);
    world.take("a", 1, LIMIT, &found(0, 1, 1));
    let refused = world.acknowledge("a", &[ack(0, 0, AckType::Renew)]);
    assert!(matches!(refused, Err(ShareError::InvalidRequest { .. })));
}

#[test]
fn acknowledgements_hold_all_or_none() {
    let mut world = World::started(&["a", "b"], &[]);
    world.take("a", 2, LIMIT, &found(0, 4, 4));
    world.take("b", 2, LIMIT, &found(0, 4, 4));
    let acks = [ack(0, 1, AckType::Accept), ack(2, 3, AckType::Accept)];
    let refused = world.acknowledge("a", &acks);
    assert!(matches!(refused, Err(ShareError::InvalidRecordState { offset: 2, .. })));
    assert_eq!(world.start(), 0);
    let beyond = world.acknowledge("a", &[ack(0, 9, AckType::Accept)]);
    assert!(matches!(beyond, Err(ShareError::InvalidRecordState { .. })));
    for wrong in [
        vec![ack(1, 0, AckType::Accept)],
        vec![ack(1, 1, AckType::Accept), ack(0, 0, AckType::Accept)],
        vec![ack(0, 1, AckType::Accept), ack(1, 1, AckType::Accept)],
        vec![ShareAcknowledgement { types: vec![], ..ack(0, 1, AckType::Accept) }],
        vec![ShareAcknowledgement {
            types: vec![AckType::Accept; 3],
            ..ack(0, 1, AckType::Accept)
        }],
        vec![ack(0, u64::MAX, AckType::Accept)],
    ] {
        let refused = world.acknowledge("a", &wrong);
        assert!(matches!(refused, Err(ShareError::InvalidRequest { .. })), "{wrong:?}");
    }
    let types = vec![AckType::Release, AckType::Accept];
    world.acknowledge("a", &[ShareAcknowledgement { types, ..ack(0, 1, AckType::Gap) }]).unwrap();
    assert_eq!(told(&world.take("b", 9, LIMIT, &found(0, 4, 4))), [(0, 0, 2)]);
    // Settled already, whoever says it again.
    world.acknowledge("b", &[ack(0, 0, AckType::Accept)]).unwrap();
    world.acknowledge("a", &[ack(0, 1, AckType::Accept)]).unwrap();
}

#[test]
fn only_so_many_are_under_way() {
    let mut world = World::started(&["a"], &[("share.partition.max.record.locks", "3")]);
    assert_eq!(told(&world.take("a", 9, LIMIT, &found(0, 9, 9))), [(0, 2, 1)]);
    assert!(told(&world.take("a", 9, LIMIT, &found(3, 9, 9))).is_empty());
    world.acknowledge("a", &[ack(1, 2, AckType::Accept)]).unwrap();
    assert!(told(&world.take("a", 9, LIMIT, &found(3, 9, 9))).is_empty(), "0 is still open");
    world.acknowledge("a", &[ack(0, 0, AckType::Accept)]).unwrap();
    assert_eq!(told(&world.take("a", 9, LIMIT, &found(3, 9, 9))), [(3, 5, 1)]);
}

#[test]
fn what_is_not_there_is_not_waited_for() {
    let mut world = World::started(&["a"], &[]);
    let gaps = Found { from: 0, end: 10, runs: vec![(2, 4), (7, 8)], keys: None };
    assert_eq!(told(&world.take("a", 9, LIMIT, &gaps)), [(2, 3, 1), (7, 7, 1)]);
    assert_eq!(world.start(), 2);
    world.acknowledge("a", &[ack(2, 3, AckType::Accept), ack(7, 7, AckType::Accept)]).unwrap();
    assert_eq!(world.start(), 10);
}

#[test]
fn the_start_of_the_log_may_move_past_it() {
    let mut world = World::started(&["a"], &[]);
    world.take("a", 2, LIMIT, &found(0, 4, 4));
    let plan = world.groups.plan("g", "a", KEY, 9, (3, 4)).unwrap().unwrap();
    assert_eq!((plan.from, world.start()), (3, 3));
    // Who had it may still say so.
    world.acknowledge("a", &[ack(0, 1, AckType::Accept)]).unwrap();
    let plan = world.groups.plan("g", "a", KEY, 9, (20, 30)).unwrap().unwrap();
    assert_eq!((plan.from, world.start()), (20, 20));
}

#[test]
fn a_log_that_lost_its_end_has_other_records_there() {
    let mut world = World::started(&["a"], &[]);
    world.take("a", 6, LIMIT, &found(0, 6, 6));
    world.acknowledge("a", &[ack(2, 5, AckType::Accept)]).unwrap();
    let events = world.groups.truncated(KEY, 4);
    world.events.extend(events);
    world.restart();
    assert_eq!(told(&world.take("a", 9, LIMIT, &found(0, 6, 6))), [(0, 1, 1), (4, 5, 1)]);
}

#[test]
fn offsets_are_set_anew_only_without_members() {
    let mut world = World::started(&["a"], &[]);
    assert!(matches!(world.groups.alter("g", KEY, 7), Err(ShareError::GroupNotEmpty { .. })));
    world.beat(staying("a", LEAVE)).unwrap();
    let event = world.groups.alter("g", KEY, 7).unwrap();
    world.make(event);
    assert_eq!(world.start(), 7);
    assert_eq!(world.groups.partition("g", KEY).unwrap().epoch, 1);
    let event = world.groups.forget("g", TOPIC).unwrap().unwrap();
    world.make(event);
    assert!(world.groups.partition("g", KEY).is_none());
    assert_eq!(world.groups.forget("g", TOPIC), Ok(None));
}

fn keyed(keys: &[Option<u64>]) -> Found {
    let end = keys.len() as u64;
    let keys = (0..end).zip(keys.iter().copied()).collect();
    Found { from: 0, end, runs: vec![(0, end)], keys: Some(keys) }
}

#[test]
fn a_key_under_way_is_held_back_and_others_flow() {
    let mut world = World::started(&["a", "b"], &[("share.order.by.key", "true")]);
    let all = keyed(&[Some(1), Some(1), Some(2), None, None, Some(1), Some(2)]);
    let plan = world.groups.plan("g", "a", KEY, 9, (0, 7)).unwrap().unwrap();
    assert!(plan.keys);
    assert_eq!(told(&world.take("a", 9, LIMIT, &all)), [(0, 0, 1), (2, 4, 1)]);
    assert!(told(&world.take("b", 9, LIMIT, &all)).is_empty());
    // A retry comes before what it held back.
    world.acknowledge("a", &[ack(0, 0, AckType::Release)]).unwrap();
    assert_eq!(told(&world.take("b", 9, LIMIT, &all)), [(0, 0, 2)]);
    world.acknowledge("b", &[ack(0, 0, AckType::Accept)]).unwrap();
    assert_eq!(told(&world.take("b", 9, LIMIT, &all)), [(1, 1, 1)]);
    world.acknowledge("b", &[ack(1, 1, AckType::Reject)]).unwrap();
    world.acknowledge("a", &[ack(2, 2, AckType::Accept)]).unwrap();
    assert_eq!(told(&world.take("a", 9, LIMIT, &all)), [(5, 6, 1)]);
}

#[test]
fn order_by_key_is_known_again_after_a_restart() {
    let mut world = World::started(&["a"], &[("share.order.by.key", "true")]);
    let all = keyed(&[Some(1), Some(2), Some(1), Some(2)]);
    world.groups.plan("g", "a", KEY, 9, (0, 4)).unwrap();
    assert_eq!(told(&world.take("a", 9, LIMIT, &all)), [(0, 1, 1)]);
    world.acknowledge("a", &[ack(1, 1, AckType::Accept)]).unwrap();
    world.restart();
    let plan = world.groups.plan("g", "a", KEY, 9, (0, 4)).unwrap().unwrap();
    assert_eq!((plan.from, plan.keys), (0, true));
    assert_eq!(told(&world.take("a", 9, LIMIT, &all)), [(0, 0, 1), (3, 3, 1)]);
}
