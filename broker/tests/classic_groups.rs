//! Groups under the classic protocol behind the broker: calls that wait, on threads of their own.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::sync::Arc;

use bytes::Bytes;
use futures::executor::block_on;
use futures::future::{Either, join, select};
use onrush_broker::group::{
    ClassicJoin, ClassicJoined, ClassicSync, ClassicSynced, GroupError, GroupSettings, GroupState,
    LeavingMember,
};
use onrush_broker::{BrokerConfig, Error};
use onrush_sys::{SystemClock, TempDir};
use support::{Running, config, directory, disk};

fn start(directory: &TempDir) -> Running {
    let group = GroupSettings { initial_rebalance_delay_ms: 20, ..GroupSettings::default() };
    let config = BrokerConfig { group, ..config() };
    Running::with(disk(directory), config, Arc::new(SystemClock)).unwrap()
}

fn joins(member: &str) -> ClassicJoin {
    ClassicJoin {
        group: "g".to_owned(),
        member_id: member.to_owned(),
        client_id: "client".to_owned(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        protocol_type: "consumer".to_owned(),
        protocols: vec![("range".to_owned(), Bytes::from_static(b"said"))],
        ..ClassicJoin::default()
    }
}

fn sync(joined: &ClassicJoined, given: &[(&ClassicJoined, &'static str)]) -> ClassicSync {
    let own = |(to, what): &(&ClassicJoined, &'static str)| {
        (to.member_id.clone(), Bytes::from_static(what.as_bytes()))
    };
    ClassicSync {
        group: "g".to_owned(),
        generation: joined.generation,
        member_id: joined.member_id.clone(),
        assignments: given.iter().map(own).collect(),
        ..ClassicSync::default()
    }
}

/// Two members, the leader first.
fn pair(running: &Running) -> (ClassicJoined, ClassicJoined) {
    let broker = &running.broker;
    let both = join(broker.classic_join(joins("")), broker.classic_join(joins("")));
    let (a, b) = block_on(both);
    let (a, b) = (a.unwrap(), b.unwrap());
    if a.members.is_empty() { (b, a) } else { (a, b) }
}

fn stable(running: &Running) -> (ClassicJoined, ClassicJoined) {
    let (a, b) = pair(running);
    let broker = &running.broker;
    let (of_b, of_a) = block_on(join(
        broker.classic_sync(sync(&b, &[])),
        broker.classic_sync(sync(&a, &[(&a, "of a"), (&b, "of b")])),
    ));
    assert_eq!(
        (&*of_a.unwrap().assignment, &*of_b.unwrap().assignment),
        (&b"of a"[..], &b"of b"[..])
    );
    (a, b)
}

fn beat(running: &Running, joined: &ClassicJoined) -> Result<(), Error> {
    let (generation, member) = (joined.generation, &joined.member_id);
    block_on(running.broker.classic_heartbeat("g", generation, member, None))
}

#[test]
fn members_wait_for_each_other_and_survive_a_crash() {
    let directory = directory();
    let running = start(&directory);
    let (a, b) = stable(&running);
    beat(&running, &a).unwrap();
    running.kill();

    let running = start(&directory);
    beat(&running, &a).unwrap();
    let found: ClassicSynced = block_on(running.broker.classic_sync(sync(&b, &[]))).unwrap();
    assert_eq!(found.assignment, "of b");
    let shown = running.broker.classic_describe("g").unwrap();
    assert_eq!((shown.state, shown.members.len()), (GroupState::Stable, 2));
    assert_eq!(shown.members[0].metadata, "said");
    running.stop();
}

#[test]
fn a_dropped_join_takes_itself_back() {
    let directory = directory();
    let running = start(&directory);
    let (a, b) = stable(&running);
    let broker = &running.broker;
    {
        // Somebody new, whose connection is lost while it waits.
        let lost = Box::pin(broker.classic_join(joins("")));
        let rejoin = Box::pin(broker.classic_join(joins(&a.member_id)));
        let Either::Right(((), lost)) =
            block_on(select(select(lost, rejoin), std::future::ready(())))
        else {
            panic!("they wait for b");
        };
        drop(lost);
    }
    assert!(matches!(
        beat(&running, &b),
        Err(Error::Group(GroupError::RebalanceInProgress { .. }))
    ));
    let again =
        join(broker.classic_join(joins(&a.member_id)), broker.classic_join(joins(&b.member_id)));
    let (again_a, again_b) = block_on(again);
    assert_eq!(again_a.unwrap().members.len() + again_b.unwrap().members.len(), 2);
    running.stop();
}

#[test]
fn leaving_lets_the_others_go_on() {
    let directory = directory();
    let running = start(&directory);
    let (a, b) = stable(&running);
    let leaving = LeavingMember { member_id: a.member_id.clone(), ..LeavingMember::default() };
    let results = block_on(running.broker.classic_leave("g", vec![leaving])).unwrap();
    assert_eq!(results, [Ok(())]);
    let alone = block_on(running.broker.classic_join(joins(&b.member_id))).unwrap();
    assert_eq!(alone.members.len(), 1);
    assert!(matches!(beat(&running, &a), Err(Error::Group(GroupError::UnknownMember { .. }))));
    running.stop();
}
