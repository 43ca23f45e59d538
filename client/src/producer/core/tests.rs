//! What threads that share a producer can do to each other.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use onrush_protocol::request::Acks;
use onrush_protocol::{ErrorCode, WireError};
use onrush_record::batch::{BatchBuilder, Codec};
use onrush_record::{ProducerEpoch, ProducerId, Sequence, TopicId};
use onrush_sys::SystemClock;

use super::*;
use crate::connector::{BoxFuture, Connection, Connector};
use crate::net::link::LinkConfig;
use crate::producer::batch::Identity;
use crate::producer::phase::Phase;
use crate::producer::queue::{Next, PartitionQueue};

#[derive(Debug)]
struct Nowhere;

impl Connector for Nowhere {
    fn connect(&self) -> BoxFuture<'_, io::Result<Connection>> {
        Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
    }

    fn address(&self) -> String {
        "nowhere".to_owned()
    }
}

const LIMITS: Limits = Limits {
    max_in_flight: 5,
    open_window: 5,
    linger: Duration::ZERO,
    delivery_timeout: Duration::from_secs(1),
};

fn core() -> Arc<Core> {
    core_with(None)
}

fn core_with(transactions: Option<Transactions>) -> Arc<Core> {
    let link = LinkConfig {
        connector: Arc::new(Nowhere),
        clock: Arc::new(SystemClock),
        client_id: Arc::from("test"),
        request_timeout: Duration::from_secs(1),
    };
    let settings = Settings {
        acks: Acks::All,
        codec: Codec::None,
        batch_bytes: 1 << 10,
        buffer_bytes: 1 << 20,
        partition_buffer_bytes: 1 << 20,
        limits: LIMITS,
    };
    Core::new(LinkShared::new(link), &settings, transactions)
}

fn topic_t() -> TopicInfo {
    TopicInfo { name: Arc::from("t"), id: TopicId::new([1; 16]), partitions: 1 }
}

fn of_epoch(epoch: i16) -> Identity {
    Identity::transactional(ProducerId::new(1), ProducerEpoch::new(epoch))
}

#[test]
fn a_topic_learned_while_the_next_transaction_begins_is_of_that_one() {
    let core = core();
    core.set_identity(of_epoch(1));
    let info = topic_t();
    // begin() looks through the topics, while another clone is about to add one.
    let looking = core.topics.read();
    std::thread::scope(|scope| {
        scope.spawn(|| core.learn(&info));
        // A lock that a writer waits for is given to no other reader.
        while core.topics.try_read().is_some() {
            std::thread::yield_now();
        }
        core.set_identity(of_epoch(2));
        drop(looking);
    });
    let topic = core.all_topics().pop().expect("it was added");
    assert_eq!(topic.state.lock().partitions[0].identity(), of_epoch(2));
}

/// One more record to be sent.
fn open_one(queue: &mut PartitionQueue) -> Next {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.push(0, None, Some(b"x"), &[]);
    let mut batch = Batch::new(builder, Duration::ZERO, 0);
    batch.count = 1;
    queue.open = Some(batch);
    queue.next(Duration::ZERO, &LIMITS, true)
}

fn send(queue: &mut PartitionQueue) -> Batch {
    match open_one(queue) {
        Next::Send(batch) => batch,
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_goes_behind_the_first_of_a_row_before_that_is_appended() {
    let refused = || Error::broker("produce", WireError::new(ErrorCode::BATCH_TOO_LARGE, "large"));
    let mut queue = PartitionQueue::new(of_epoch(1));
    let first = send(&mut queue);
    assert!(matches!(open_one(&mut queue), Next::Wait(None)));
    // Refused for good: the next is the first.
    assert!(queue.settle(first, Err(refused()), Duration::ZERO, false).is_some());
    let first = send(&mut queue);
    assert_eq!(first.first_sequence, Sequence::new(0));
    assert!(matches!(open_one(&mut queue), Next::Wait(None)));
    assert!(queue.settle(first, Ok(None), Duration::ZERO, false).is_some());
    // From there on the broker keeps the order.
    let behind = [send(&mut queue), send(&mut queue)];
    for batch in behind {
        assert!(queue.settle(batch, Ok(None), Duration::ZERO, false).is_some());
    }
    // Another epoch of the same producer is known, another topic's partition knows nobody.
    queue.renew(of_epoch(2));
    let _two = [send(&mut queue), send(&mut queue)];
    queue.restart(of_epoch(2));
    let _first = send(&mut queue);
    assert!(matches!(open_one(&mut queue), Next::Wait(None)));
    // Without numbers there is no order to keep.
    let mut unnumbered = PartitionQueue::new(Identity::NONE);
    let _two = [send(&mut unnumbered), send(&mut unnumbered)];
}

#[test]
fn what_was_for_a_topic_that_is_gone_gives_back_no_number_of_the_new_one() {
    let mut queue = PartitionQueue::new(of_epoch(1));
    let old = send(&mut queue);
    queue.restart(of_epoch(1));
    let new = send(&mut queue);
    assert_eq!((old.first_sequence, new.first_sequence), (Sequence::new(0), Sequence::new(0)));
    assert!(queue.settle(new, Ok(None), Duration::ZERO, false).is_some());
    let gone = WireError::new(ErrorCode::UNKNOWN_TOPIC, "another has its name");
    let gone = Error::broker("produce", gone);
    assert!(queue.settle(old, Err(gone), Duration::ZERO, false).is_some());
    // Under the number of one before, the broker would take it for that one sent again.
    assert_eq!(send(&mut queue).first_sequence, Sequence::new(1));
}

#[test]
fn what_may_have_been_appended_is_not_told_to_be_refused_when_all_ends() {
    let core = core();
    core.set_identity(of_epoch(1));
    core.learn(&topic_t()).expect("it has a partition");
    let record = NewRecord::to("t").value(b"x");
    let delivery = core.append(&record, 0).expect("there is room");
    let topic = core.all_topics().pop().expect("it was added");
    let again = WireError::new(ErrorCode::NOT_OWNER, "later");
    for error in [Error::lost("nowhere", "gone"), Error::broker("produce", again)] {
        let queue = &mut topic.state.lock().partitions[0];
        let Next::Send(batch) = queue.next(Duration::MAX, &LIMITS, true) else { panic!() };
        assert!(queue.settle(batch, Err(error), Duration::ZERO, false).is_none());
    }
    core.fail_all();
    let error = delivery.try_outcome().expect("it has ended").expect_err("it failed");
    assert_eq!(error.kind(), crate::error::Kind::Unknown, "{error}");
}

#[test]
fn one_that_another_ends_while_it_begins_takes_no_records() {
    let core = core_with(Some(Transactions::new(Arc::from("a"), 1000)));
    let all = core.transactions.as_ref().expect("it has them");
    core.learn(&topic_t()).expect("it has a partition");
    let topic = core.all_topics().pop().expect("it was added");
    // Beginning it numbers the records of all topics anew.
    let taken = topic.state.lock();
    std::thread::scope(|scope| {
        let beginning = scope.spawn(|| core.begin(all));
        while !matches!(all.phase(), Phase::Open) {
            std::thread::yield_now();
        }
        // Another clone commits, which takes no lock of a topic that this test has not taken.
        assert!(matches!(all.start_commit(), Phase::Open));
        core.set_shut(true);
        assert!(all.end_untouched());
        assert!(all.beginning.try_lock().is_none(), "and begins the next when this one has begun");
        drop(taken);
        beginning.join().expect("it does not panic").expect("none was open");
    });
    assert!(core.is_shut());
    core.begin(all).expect("none is open");
    assert!(!core.is_shut());
}
