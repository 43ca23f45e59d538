//! Transactions: all of one counts, or none of it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use onrush_broker::group::{GroupCommit, GroupError, OffsetCommit};
use onrush_broker::transaction::{
    TransactionError, TransactionFilter, TransactionState, TransactionalCommit,
};
use onrush_broker::{Acks, Error, Kind, NewTopic, OffsetSpec, Partition, Signal};
use onrush_record::batch::{BatchBuilder, Codec};
use onrush_record::{Offset, ProducerEpoch, ProducerId, Sequence, TopicId};
use onrush_sys::{Clock as _, ManualClock, SystemClock};
use support::committed::read_committed;
use support::{Running, config, directory, disk, numbered, produce, produce_durably, read_all};

type Who = (ProducerId, ProducerEpoch);

const TIMEOUT_MS: i32 = 60_000;

fn sent(who: Who, sequence: i32, values: &[&str]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Codec::None);
    for value in values {
        builder.push(SystemClock.now_ms(), None, Some(value.as_bytes()), &[]);
    }
    builder.set_producer(who.0, who.1, Sequence::new(sequence));
    builder.set_transactional(true);
    builder.finish().unwrap()
}

fn init(running: &Running, id: &str) -> Who {
    block_on(running.broker.init_transactional(id, TIMEOUT_MS, None)).unwrap()
}

fn at(partition: &Partition) -> (TopicId, u32) {
    (partition.topic_id(), partition.index())
}

fn add(running: &Running, id: &str, who: Who, partition: &Partition) -> Result<(), Error> {
    let partitions = [at(partition)];
    block_on(running.broker.transaction_add_partitions(id, who.0, who.1, &partitions))
}

fn end(running: &Running, id: &str, who: Who, commit: bool, bump: bool) -> Result<Who, Error> {
    block_on(running.broker.transaction_end(id, who.0, who.1, commit, bump))
}

fn state(running: &Running, id: &str) -> TransactionState {
    running.broker.transaction(id).unwrap().state
}

fn transaction_error(error: Error) -> TransactionError {
    match error {
        Error::Transaction(error) => error,
        other => panic!("{other:?}"),
    }
}

fn offsets(topic: TopicId, offset: u64) -> GroupCommit {
    let offset = OffsetCommit {
        partition: (topic, 0),
        offset: Some(Offset::new(offset)),
        leader_epoch: None,
        metadata: String::new(),
    };
    let mut commit = GroupCommit { group: "g".to_owned(), ..GroupCommit::default() };
    commit.member_epoch = -1;
    commit.offsets = vec![offset];
    commit
}

fn committed(running: &Running, topic: TopicId) -> Option<u64> {
    let found = block_on(running.broker.group_offsets("g", Some(&[(topic, 0)]))).unwrap();
    found[0].1.as_ref().map(|offset| offset.offset.get())
}

#[test]
fn what_is_committed_is_read_once_it_is_and_what_is_aborted_never() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic("orders");
    let who = init(&running, "a");
    for (round, commit) in [true, false, true].into_iter().enumerate() {
        let round = i32::try_from(round).unwrap();
        add(&running, "a", who, &partition).unwrap();
        let value = format!("value {round}");
        produce_durably(&partition, sent(who, round, &[&value])).unwrap();
        let ends = partition.ends();
        assert_eq!(ends.last_stable.plus(1), ends.readable, "it stops before what is open");
        assert_eq!(end(&running, "a", who, commit, false).unwrap(), who);
        let ends = partition.ends();
        assert_eq!(
            (ends.last_stable, ends.readable.get()),
            (ends.readable, 2 * (round as u64 + 1))
        );
        // Asked again, it says the same; otherwise it is refused.
        end(&running, "a", who, commit, false).unwrap();
        let refused = end(&running, "a", who, !commit, false).unwrap_err();
        assert!(matches!(transaction_error(refused), TransactionError::InvalidState { .. }));
    }
    assert_eq!(read_committed(&partition), ["value 0", "value 2"]);
    let aborted = partition.aborted(Offset::ZERO, Offset::new(100));
    assert_eq!(aborted.len(), 1);
    assert_eq!((aborted[0].producer, aborted[0].first_offset), (who.0, Offset::new(2)));
    let latest = block_on(partition.list_offset(OffsetSpec::LastStable)).unwrap();
    assert_eq!(latest.offset, Some(Offset::new(6)));
    running.stop();
}

#[test]
fn a_reader_at_the_last_stable_offset_is_woken_by_the_end() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic("orders");
    let who = init(&running, "a");
    add(&running, "a", who, &partition).unwrap();
    produce_durably(&partition, sent(who, 0, &["x"])).unwrap();
    let (signal, uncommitted) = (Signal::new(), Signal::new());
    partition.wake_on_stable(Offset::ZERO, &signal);
    partition.wake_on_readable(Offset::ZERO, &uncommitted);
    block_on(uncommitted.notified());
    assert!(!signal.take());
    let latest = block_on(partition.list_offset(OffsetSpec::LastStable)).unwrap();
    assert_eq!(latest.offset, Some(Offset::ZERO));
    end(&running, "a", who, true, false).unwrap();
    block_on(signal.notified());
    assert_eq!(partition.ends().last_stable, Offset::new(2));
    running.stop();
}

#[test]
fn only_what_was_added_takes_part() {
    let directory = directory();
    let running = Running::start(&directory);
    let (orders, others) = (running.topic("orders"), running.topic("others"));
    let who = init(&running, "a");
    let early = produce(&orders, Acks::All, sent(who, 0, &["x"])).unwrap_err();
    assert!(matches!(transaction_error(early), TransactionError::NotAdded { .. }));
    add(&running, "a", who, &orders).unwrap();
    let placed = produce(&orders, Acks::Written, sent(who, 0, &["x"])).unwrap();
    assert!(placed.await_durable.is_some(), "durable before its ack, whatever it asked");
    let elsewhere = produce(&others, Acks::All, sent(who, 0, &["x"])).unwrap_err();
    assert!(matches!(transaction_error(elsewhere), TransactionError::NotAdded { .. }));
    // A batch outside of the transaction that its producer has open there.
    let mut plain = numbered(who.0, 1, &["y"]);
    onrush_record::batch::set_producer(&mut plain, who.0, who.1, Sequence::new(1));
    let outside = produce(&orders, Acks::All, plain).unwrap_err();
    assert!(matches!(transaction_error(outside), TransactionError::InvalidState { .. }));
    end(&running, "a", who, true, false).unwrap();
    let late = produce(&orders, Acks::All, sent(who, 1, &["z"])).unwrap_err();
    assert!(matches!(transaction_error(late), TransactionError::NotAdded { .. }));
    // What was sent before is recognised all the same.
    assert!(produce_durably(&orders, sent(who, 0, &["x"])).unwrap().duplicate);
    let unknown = (ProducerId::new(12_345), ProducerEpoch::new(0));
    let stranger = produce(&orders, Acks::All, sent(unknown, 0, &["x"])).unwrap_err();
    assert!(matches!(transaction_error(stranger), TransactionError::ProducerIdMapping { .. }));
    assert_eq!(read_committed(&orders), ["x"]);
    running.stop();
}

#[test]
fn a_new_instance_fences_the_old_and_aborts_what_it_left_open() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic("orders");
    let old = init(&running, "a");
    add(&running, "a", old, &partition).unwrap();
    produce_durably(&partition, sent(old, 0, &["lost"])).unwrap();
    let new = init(&running, "a");
    assert_eq!(new.0, old.0);
    assert!(new.1 > old.1);
    assert_eq!(state(&running, "a"), TransactionState::Empty);
    assert_eq!(partition.ends().last_stable, partition.ends().readable);
    let zombie = produce(&partition, Acks::All, sent(old, 1, &["zombie"])).unwrap_err();
    assert!(matches!(zombie, Error::FencedProducer { .. }), "{zombie}");
    for refused in [
        add(&running, "a", old, &partition).unwrap_err(),
        end(&running, "a", old, true, false).unwrap_err(),
        block_on(running.broker.init_transactional("a", TIMEOUT_MS, Some(old))).unwrap_err(),
    ] {
        assert!(matches!(transaction_error(refused), TransactionError::Fenced { .. }));
    }
    add(&running, "a", new, &partition).unwrap();
    produce_durably(&partition, sent(new, 0, &["kept"])).unwrap();
    end(&running, "a", new, true, false).unwrap();
    assert_eq!(read_committed(&partition), ["kept"]);
    running.stop();
}

#[test]
fn ending_with_a_new_epoch_shuts_out_what_comes_late() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic("orders");
    let first = init(&running, "a");
    add(&running, "a", first, &partition).unwrap();
    produce_durably(&partition, sent(first, 0, &["x"])).unwrap();
    let second = end(&running, "a", first, true, true).unwrap();
    assert_eq!((second.0, second.1.get()), (first.0, first.1.get() + 1));
    assert_eq!(end(&running, "a", first, true, true).unwrap(), second, "its answer was lost");
    let late = produce(&partition, Acks::All, sent(first, 1, &["late"])).unwrap_err();
    assert!(matches!(late, Error::FencedProducer { .. }), "{late}");
    add(&running, "a", second, &partition).unwrap();
    produce_durably(&partition, sent(second, 0, &["y"])).unwrap();
    let third = end(&running, "a", second, false, true).unwrap();
    // Nothing is open: it may be aborted all the same, and gives a new epoch.
    let fourth = end(&running, "a", third, false, true).unwrap();
    assert_eq!(fourth.1.get(), third.1.get() + 1);
    assert!(end(&running, "a", fourth, true, true).is_err());
    assert_eq!(read_committed(&partition), ["x"]);
    running.stop();
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted() {
    let directory = directory();
    let clock = ManualClock::new(SystemClock.now_ms());
    let running = Running::with(disk(&directory), config(), Arc::new(clock.clone())).unwrap();
    let partition = running.topic("orders");
    let who = init(&running, "a");
    add(&running, "a", who, &partition).unwrap();
    produce_durably(&partition, sent(who, 0, &["slow"])).unwrap();
    clock.advance(Duration::from_millis(59_999));
    running.broker.tick();
    assert_eq!(state(&running, "a"), TransactionState::Ongoing);
    let signal = Signal::new();
    partition.wake_on_stable(Offset::ZERO, &signal);
    clock.advance(Duration::from_millis(1));
    running.broker.tick();
    block_on(signal.notified());
    assert_eq!(partition.ends().last_stable, Offset::new(2));
    assert!(read_committed(&partition).is_empty());
    let late = end(&running, "a", who, true, false).unwrap_err();
    assert!(matches!(transaction_error(late), TransactionError::Fenced { .. }));
    // Who knows its last identity goes on with a new one.
    let next = block_on(running.broker.init_transactional("a", TIMEOUT_MS, Some(who))).unwrap();
    assert!(next.1 > who.1);
    // An id that nobody uses is forgotten.
    clock.advance(Duration::from_secs(7 * 24 * 60 * 60 + 1));
    running.broker.tick();
    let error = running.broker.transaction("a").unwrap_err();
    assert!(matches!(transaction_error(error), TransactionError::UnknownId { .. }));
    running.stop();
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic("orders");
    let broker = &running.broker;
    for timeout_ms in [0, -1, 15 * 60 * 1000 + 1] {
        let error = block_on(broker.init_transactional("a", timeout_ms, None)).unwrap_err();
        assert!(matches!(transaction_error(error), TransactionError::InvalidTimeout { .. }));
    }
    let error = block_on(broker.init_transactional("", TIMEOUT_MS, None)).unwrap_err();
    assert!(matches!(transaction_error(error), TransactionError::InvalidId { .. }));
    let who = init(&running, "a");
    let error = add(&running, "b", who, &partition).unwrap_err();
    assert!(matches!(transaction_error(error), TransactionError::ProducerIdMapping { .. }));
    let nowhere = [(TopicId::new([9; 16]), 0)];
    let error = block_on(broker.transaction_add_partitions("a", who.0, who.1, &nowhere));
    assert!(matches!(error, Err(Error::UnknownTopic { .. })));
    let error = end(&running, "a", who, true, false).unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    assert!(matches!(transaction_error(error), TransactionError::InvalidState { .. }));
    running.stop();
}

#[test]
fn offsets_are_committed_with_the_transaction() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic("orders");
    let (topic, broker) = (partition.topic_id(), &running.broker);
    let who = init(&running, "a");
    let commit = |offset| {
        let id = "a".to_owned();
        let commit = offsets(topic, offset);
        let commit = TransactionalCommit { id, producer: who.0, epoch: who.1, commit };
        block_on(broker.transaction_commit_offsets(commit))
    };
    let stable = || {
        let found = block_on(broker.group_offsets_stable("g", Some(&[(topic, 0)]))).unwrap();
        found.into_iter().next().unwrap().1.map(|offset| offset.map(|offset| offset.offset.get()))
    };
    let early = commit(1).unwrap_err();
    assert!(matches!(transaction_error(early), TransactionError::GroupNotAdded { .. }));
    for (offset, commits) in [(5, false), (7, true)] {
        block_on(broker.transaction_add_group("a", who.0, who.1, "g")).unwrap();
        commit(offset).unwrap().remove(0).unwrap();
        assert_eq!(committed(&running, topic), None, "it is pending");
        let unstable = stable().unwrap_err();
        assert!(matches!(unstable, Error::Group(GroupError::UnstableOffset { .. })), "{unstable}");
        assert_eq!(unstable.kind(), Kind::Retry);
        end(&running, "a", who, commits, false).unwrap();
        assert_eq!(stable().unwrap(), commits.then_some(offset));
    }
    assert_eq!(committed(&running, topic), Some(7));
    running.stop();
}

#[test]
fn a_restart_loses_nothing_of_an_open_transaction() {
    let directory = directory();
    for clean in [true, false] {
        let name = format!("orders-{clean}");
        let running = Running::start(&directory);
        let partition = running.topic(&name);
        let topic = partition.topic_id();
        let who = init(&running, &name);
        add(&running, &name, who, &partition).unwrap();
        let broker = &running.broker;
        block_on(broker.transaction_add_group(&name, who.0, who.1, "g")).unwrap();
        produce_durably(&partition, sent(who, 0, &["before"])).unwrap();
        let commit = offsets(topic, 3);
        let commit =
            TransactionalCommit { id: name.clone(), producer: who.0, epoch: who.1, commit };
        block_on(broker.transaction_commit_offsets(commit)).unwrap().remove(0).unwrap();
        drop(partition);
        if clean {
            running.stop()
        } else {
            running.kill()
        }

        let running = Running::start(&directory);
        assert_eq!(running.report.clean, clean);
        let partition = running.partition(&name);
        assert_eq!(partition.ends().last_stable, Offset::ZERO);
        assert_eq!(state(&running, &name), TransactionState::Ongoing);
        produce_durably(&partition, sent(who, 1, &["after"])).unwrap();
        end(&running, &name, who, true, false).unwrap();
        assert_eq!(read_committed(&partition), ["before", "after"]);
        assert_eq!(committed(&running, topic), Some(3));
        drop(partition);
        if clean {
            running.stop()
        } else {
            running.kill()
        }

        let running = Running::start(&directory);
        let partition = running.partition(&name);
        assert_eq!(read_committed(&partition), ["before", "after"]);
        assert_eq!(state(&running, &name), TransactionState::CompleteCommit);
        drop(partition);
        running.stop();
    }
}

#[test]
fn an_aborted_transaction_stays_aborted_after_restarts_and_is_forgotten_with_its_records() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic("orders");
    let who = init(&running, "a");
    add(&running, "a", who, &partition).unwrap();
    produce_durably(&partition, sent(who, 0, &["x"])).unwrap();
    end(&running, "a", who, false, false).unwrap();
    drop(partition);
    running.kill();
    for _ in 0..2 {
        let running = Running::start(&directory);
        let partition = running.partition("orders");
        assert_eq!(partition.aborted(Offset::ZERO, Offset::new(9)).len(), 1);
        assert!(read_committed(&partition).is_empty());
        assert_eq!(read_all(&partition).len(), 2, "the record and its marker");
        drop(partition);
        running.stop();
    }
}

#[test]
fn transactions_can_be_looked_at_and_hanging_ones_ended() {
    let directory = directory();
    let clock = ManualClock::new(SystemClock.now_ms());
    let mut config = config();
    config.transaction.id_expiration_ms = 1000;
    let running = Running::with(disk(&directory), config, Arc::new(clock.clone())).unwrap();
    let partition = running.topic("orders");
    let (a, b) = (init(&running, "a"), init(&running, "b"));
    add(&running, "a", a, &partition).unwrap();
    produce_durably(&partition, sent(a, 0, &["x", "y"])).unwrap();
    let broker = &running.broker;
    let ids = |filter: TransactionFilter| {
        let found = broker.transactions(&filter).unwrap();
        found.into_iter().map(|found| found.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(TransactionFilter::default()), ["a", "b"]);
    let states = vec![TransactionState::Ongoing];
    assert_eq!(ids(TransactionFilter { states, ..Default::default() }), ["a"]);
    let producers = vec![b.0];
    assert_eq!(ids(TransactionFilter { producers, ..Default::default() }), ["b"]);
    let pattern = Some("[b-z]+".to_owned());
    assert_eq!(ids(TransactionFilter { pattern, ..Default::default() }), ["b"]);
    let pattern = Some("(".to_owned());
    assert!(broker.transactions(&TransactionFilter { pattern, ..Default::default() }).is_err());
    clock.advance(Duration::from_millis(500));
    let filter = |ms| TransactionFilter { longer_than_ms: Some(ms), ..Default::default() };
    assert_eq!((ids(filter(499)), ids(filter(500))), (vec!["a".to_owned()], vec![]));
    let described = broker.transaction("a").unwrap();
    assert_eq!((described.producer, described.epoch, described.timeout_ms), (a.0, a.1, TIMEOUT_MS));
    assert_eq!(described.partitions, [at(&partition)]);
    let producer = partition.producers()[0];
    assert_eq!((producer.producer, producer.transaction_start), (a.0, Some(Offset::ZERO)));
    assert_eq!(producer.last_sequence, Some(Sequence::new(1)));

    assert!(broker.hanging_transactions().unwrap().is_empty());
    let refused = block_on(broker.transaction_abort_hanging(at(&partition), a.0, a.1, false));
    assert!(matches!(
        transaction_error(refused.unwrap_err()),
        TransactionError::InvalidState { .. }
    ));
    drop(partition);
    running.kill();
    // The coordinator forgets everything, the partition does not.
    let journal = directory.path().join("topics").join(TopicId::new(journal_id()).to_string());
    std::fs::remove_dir_all(journal).unwrap();
    let running = Running::start(&directory);
    let (broker, partition) = (&running.broker, running.partition("orders"));
    let hanging = broker.hanging_transactions().unwrap();
    assert_eq!(hanging.len(), 1);
    assert_eq!((hanging[0].partition, hanging[0].first_offset), (at(&partition), Offset::ZERO));
    let (producer, epoch) = (hanging[0].producer, hanging[0].epoch);
    block_on(broker.transaction_abort_hanging(at(&partition), producer, epoch, false)).unwrap();
    assert!(broker.hanging_transactions().unwrap().is_empty());
    assert_eq!(partition.ends().last_stable, partition.ends().readable);
    assert!(read_committed(&partition).is_empty());
    drop(partition);
    running.stop();
}

fn journal_id() -> [u8; 16] {
    let mut id = [0; 16];
    id[15] = 3;
    id
}

#[test]
fn a_deleted_topic_is_no_hindrance() {
    let directory = directory();
    let running = Running::start(&directory);
    let (orders, others) = (running.topic("orders"), running.topic("others"));
    let who = init(&running, "a");
    add(&running, "a", who, &orders).unwrap();
    add(&running, "a", who, &others).unwrap();
    produce_durably(&orders, sent(who, 0, &["x"])).unwrap();
    produce_durably(&others, sent(who, 0, &["y"])).unwrap();
    block_on(running.broker.delete_topic(others.topic_id())).unwrap();
    end(&running, "a", who, true, false).unwrap();
    assert_eq!(state(&running, "a"), TransactionState::CompleteCommit);
    assert_eq!(read_committed(&orders), ["x"]);
    running.stop();
}

#[test]
fn many_transactions_are_bounded_by_snapshots() {
    let directory = directory();
    let mut config = config();
    config.journal_snapshot_bytes = 4000;
    let clock = Arc::new(SystemClock);
    let running = Running::with(disk(&directory), config.clone(), clock.clone()).unwrap();
    let new = NewTopic { name: "orders".to_owned(), partitions: Some(4), ..NewTopic::default() };
    block_on(running.broker.create_topic(new)).unwrap();
    let topic = running.broker.topic_by_name("orders").unwrap();
    let mut who = init(&running, "a");
    for round in 0..60u32 {
        let partition = topic.partition(round % 4).unwrap();
        add(&running, "a", who, &partition).unwrap();
        produce_durably(&partition, sent(who, 0, &["x"])).unwrap();
        who = end(&running, "a", who, round % 3 > 0, true).unwrap();
    }
    let expected: Vec<_> =
        (0..4).map(|index| read_committed(&topic.partition(index).unwrap()).len()).collect();
    drop(topic);
    running.kill();
    let journal = directory.path().join("topics").join(TopicId::new(journal_id()).to_string());
    let running = Running::with(disk(&directory), config, clock).unwrap();
    assert!(journal.join("snapshot").exists());
    let topic = running.broker.topic_by_name("orders").unwrap();
    let found: Vec<_> =
        (0..4).map(|index| read_committed(&topic.partition(index).unwrap()).len()).collect();
    assert_eq!((found, expected.iter().sum::<usize>()), (expected, 40));
    let next = block_on(running.broker.init_transactional("a", TIMEOUT_MS, Some(who))).unwrap();
    assert_eq!((next.0, next.1.get()), (who.0, who.1.get() + 1));
    running.stop();
}
