//! Events and snapshots as bytes.

use onrush_record::{LeaderEpoch, Offset};
use proptest::prelude::*;

use super::*;

fn partition() -> impl Strategy<Value = TopicPartition> {
    (any::<[u8; 16]>(), any::<u32>()).prop_map(|(topic, index)| (TopicId::new(topic), index))
}

fn offset() -> impl Strategy<Value = CommittedOffset> {
    (any::<u64>(), any::<Option<u32>>(), ".{0,8}", any::<i64>()).prop_map(
        |(offset, epoch, metadata, committed_at_ms)| CommittedOffset {
            offset: Offset::new(offset),
            leader_epoch: epoch.map(LeaderEpoch::new),
            metadata,
            committed_at_ms,
        },
    )
}

fn record() -> impl Strategy<Value = MemberRecord> {
    let names = (".{0,8}", prop::option::of(".{0,8}"), ".{0,8}", ".{0,8}");
    let subscription = (prop::collection::vec(".{0,8}", 0..3), prop::option::of(".{0,8}"));
    let assignor = prop::sample::select(vec![None, Some(Assignor::Uniform), Some(Assignor::Range)]);
    let held = || prop::collection::vec(partition(), 0..4);
    let numbers = any::<(u32, u32, i32, i32, bool)>();
    let said = prop::collection::vec(any::<u8>(), 0..8).prop_map(bytes::Bytes::from);
    let classic = prop::option::of(prop::collection::vec((".{0,8}", said), 0..3));
    (names, subscription, assignor, held(), held(), numbers, classic).prop_map(
        |(names, subscription, assignor, assigned, revoking, numbers, classic)| MemberRecord {
            member_id: names.0,
            instance_id: names.1,
            client_id: names.2,
            client_host: names.3,
            rebalance_timeout_ms: numbers.0,
            session_timeout_ms: numbers.1,
            assignor,
            subscription: Subscription { topics: subscription.0, regex: subscription.1 },
            epoch: numbers.2,
            epoch_before: numbers.3,
            away: numbers.4,
            assigned,
            revoking,
            classic,
        },
    )
}

fn classic() -> impl Strategy<Value = ClassicRecord> {
    let text = || prop::option::of(".{0,8}");
    let bytes = || prop::collection::vec(any::<u8>(), 0..8).prop_map(bytes::Bytes::from);
    let member = (".{0,2}", text(), ".{0,8}", ".{0,8}", any::<(u32, u32)>(), bytes(), bytes())
        .prop_map(|(member_id, instance_id, client_id, client_host, timeouts, said, given)| {
            ClassicMemberRecord {
                member_id,
                instance_id,
                client_id,
                client_host,
                rebalance_timeout_ms: timeouts.0,
                session_timeout_ms: timeouts.1,
                metadata: said,
                assignment: given,
            }
        });
    let names = (text(), text(), text());
    (any::<(i32, i64)>(), names, prop::collection::vec(member, 0..4)).prop_map(
        |((generation, at_ms), (protocol_type, protocol_name, leader), members)| ClassicRecord {
            generation,
            protocol_type,
            protocol_name,
            leader,
            at_ms,
            members,
        },
    )
}

fn event() -> impl Strategy<Value = GroupEvent> {
    let group = || ".{1,8}";
    let offsets = || prop::collection::vec((partition(), prop::option::of(offset())), 0..4);
    prop_oneof![
        (group(), any::<i32>(), any::<i64>())
            .prop_map(|(group, epoch, at_ms)| GroupEvent::GroupEpochBumped { group, epoch, at_ms }),
        (group(), record()).prop_map(|(group, member)| {
            GroupEvent::MemberChanged { group, member: Box::new(member) }
        }),
        (group(), ".{0,8}")
            .prop_map(|(group, member_id)| GroupEvent::MemberRemoved { group, member_id }),
        (group(), offsets())
            .prop_map(|(group, offsets)| GroupEvent::OffsetsCommitted { group, offsets }),
        (group(), 0_i64..3, offsets()).prop_map(|(group, producer, offsets)| {
            let producer = onrush_record::ProducerId::new(producer);
            GroupEvent::OffsetsPending { group, producer, offsets }
        }),
        (group(), 0_i64..3, any::<bool>()).prop_map(|(group, producer, commits)| {
            let producer = onrush_record::ProducerId::new(producer);
            GroupEvent::PendingEnded { group, producer, commits }
        }),
        (group(), prop::collection::btree_map(".{0,8}", ".{0,8}", 0..3))
            .prop_map(|(group, overrides)| GroupEvent::GroupConfigured { group, overrides }),
        group().prop_map(|group| GroupEvent::GroupDeleted { group }),
        (group(), classic()).prop_map(|(group, record)| {
            GroupEvent::ClassicGeneration { group, record: Box::new(record) }
        }),
        group().prop_map(|group| GroupEvent::ClassicEnded { group }),
    ]
}

proptest! {
    #[test]
    fn events_survive_and_their_parts_do_not_pass_for_them(event in event()) {
        let mut bytes = Vec::new();
        event.encode(&mut bytes);
        prop_assert_eq!(GroupEvent::decode(&bytes), Ok(event));
        for cut in 0..bytes.len() {
            prop_assert!(GroupEvent::decode(&bytes[..cut]).is_err());
        }
        bytes.push(0);
        prop_assert_eq!(GroupEvent::decode(&bytes), Err(EventError::Trailing));
    }

    #[test]
    fn arbitrary_bytes_never_panic(kind in 0_u8..20, rest in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = [&[1, kind][..], &rest].concat();
        let _ = GroupEvent::decode(&bytes);
        let _ = GroupEvent::decode(&rest);
        let _ = Groups::restore(GroupSettings::default(), &rest);
    }

    #[test]
    fn any_events_can_be_replayed(events in prop::collection::vec(event(), 0..20)) {
        let mut groups = Groups::new(GroupSettings::default());
        events.iter().for_each(|event| groups.apply(event));
        groups.start(0);
        let _ = groups.expire(i64::MAX, &TopicDirectory::new());
    }
}

#[test]
fn a_newer_version_is_refused_by_name() {
    assert_eq!(GroupEvent::decode(&[2, 1, 0, 0, 0, 0]), Err(EventError::NewerVersion(2)));
    assert_eq!(GroupEvent::decode(&[]), Err(EventError::Truncated));
}

#[test]
fn a_snapshot_is_the_state() {
    let mut world = World::new(4);
    world.join("a");
    world.stay("a", 1, Some(&[0, 1, 2, 3])).unwrap();
    world.join("b");
    world.stay("a", 1, None).unwrap();
    world.commit(commit_of("a", 1, 3, 17)).unwrap();
    let snapshot = world.groups.snapshot();
    let restored = Groups::restore(GroupSettings::default(), &snapshot).unwrap();
    assert_eq!(restored.events(), world.groups.events());
    assert_eq!(restored.offsets("g", None), world.groups.offsets("g", None));
    let mut replayed = Groups::new(GroupSettings::default());
    world.events.iter().for_each(|event| replayed.apply(event));
    assert_eq!(replayed.events(), world.groups.events());
}
