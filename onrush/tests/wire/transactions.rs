//! Transactions, byte by byte.

use onrush::Config;
use onrush_protocol::request::{
    Acks, CommitOffset, FetchPart, FetchRequest, GroupOffsetsRequest, HelloRequest, Isolation,
    ListOffsetsPart, ListOffsetsRequest, OffsetSpec, PRODUCE_JOINS, PingRequest, ProduceRequest,
    SubscribeRequest, TransactionDescribeRequest, TransactionEndRequest, TransactionHangingRequest,
    TransactionListRequest, TransactionOffsetsRequest, TransactionOpenRequest,
};
use onrush_protocol::response::{TransactionDescription, TransactionState};
use onrush_protocol::wire::Maybe;
use onrush_protocol::{ErrorCode, WireError, features};
use onrush_record::batch::{BatchBuilder, Batches, Codec};
use onrush_record::{Offset, ProducerEpoch, ProducerId, Sequence, TopicId};
use smallvec::smallvec;

use crate::socket::{Socket, base_offset, broker, frame, hello, part};

/// A transactional producer, as far as its next request needs to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Who {
    id: &'static str,
    producer: ProducerId,
    epoch: ProducerEpoch,
}

impl Who {
    fn open(socket: &mut Socket, id: &'static str, timeout_ms: u32) -> Who {
        let request = TransactionOpenRequest {
            transactional_id: id.to_owned(),
            timeout_ms,
            producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch::NONE,
        };
        let given = socket.ask(&request).unwrap();
        Who { id, producer: given.producer_id, epoch: given.producer_epoch }
    }

    fn batch(self, sequence: i32, value: &str) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Codec::None);
        builder.push(1, None, Some(value.as_bytes()), &[]);
        builder.set_producer(self.producer, self.epoch, Sequence::new(sequence));
        builder.set_transactional(true);
        builder.finish().unwrap()
    }

    fn end(self, socket: &mut Socket, commit: bool) -> Result<Who, WireError> {
        let request = TransactionEndRequest {
            transactional_id: self.id.to_owned(),
            producer_id: self.producer,
            producer_epoch: self.epoch,
            commit,
        };
        let ended = socket.ask(&request)?;
        Ok(Who { producer: ended.producer_id, epoch: ended.producer_epoch, ..self })
    }

    fn offsets(self, topic_id: TopicId, offset: u64) -> TransactionOffsetsRequest {
        TransactionOffsetsRequest {
            transactional_id: self.id.to_owned(),
            producer_id: self.producer,
            producer_epoch: self.epoch,
            group: "movers".to_owned(),
            member_id: String::new(),
            member_epoch: -1,
            offsets: vec![CommitOffset {
                topic_id,
                partition: 0,
                offset: Maybe::some(Offset::new(offset)),
                leader_epoch: Maybe::NONE,
                metadata: String::new(),
            }],
        }
    }
}

fn produce(topic: TopicId, partition: u32, batch: &[u8]) -> ProduceRequest {
    let parts = smallvec![part(topic, partition, batch)];
    ProduceRequest { acks: Acks::All, flags: PRODUCE_JOINS, timeout_ms: 0, parts }
}

/// Appends one record, and gives its offset.
fn append(
    socket: &mut Socket,
    who: Who,
    (topic, partition): (TopicId, u32),
    sequence: i32,
    value: &str,
) -> Result<u64, WireError> {
    let batch = who.batch(sequence, value);
    let response = socket.ask_with(&produce(topic, partition, &batch), &batch)?;
    response.parts[0].error.clone().or(()).map(|()| base_offset(&response))
}

/// The values of the records in `payload`, but for control batches.
fn values(payload: &[u8]) -> Vec<String> {
    let mut values = Vec::new();
    for batch in Batches::new(payload) {
        let batch = batch.unwrap();
        batch.verify().unwrap();
        if !batch.header().attributes.is_control() && batch.header().record_count > 0 {
            let text = |value: Option<&[u8]>| String::from_utf8(value.unwrap().to_vec()).unwrap();
            values.extend(batch.records().unwrap().map(|record| text(record.unwrap().value)));
        }
    }
    values
}

/// What a reader of this isolation finds in a partition from its beginning.
fn read(
    socket: &mut Socket,
    (topic_id, partition): (TopicId, u32),
    isolation: Isolation,
) -> Vec<String> {
    let request = FetchRequest {
        max_wait_ms: 0,
        min_bytes: 1,
        max_bytes: 1 << 20,
        isolation,
        parts: smallvec![FetchPart {
            topic_id,
            partition,
            leader_epoch: Maybe::NONE,
            offset: Offset::ZERO,
            max_bytes: 1 << 20,
        }],
    };
    socket.send(&frame(&request, 900, &[]));
    let received = socket.receive();
    received.reply::<FetchRequest>().unwrap();
    values(&received.payload)
}

/// What the group has committed for partition 0, if that is decided.
fn committed(socket: &mut Socket, topic_id: TopicId) -> Result<Option<u64>, ErrorCode> {
    let partition = onrush_protocol::request::TopicPartition { topic_id, partition: 0 };
    let request = GroupOffsetsRequest {
        group: "movers".to_owned(),
        partitions: Some(vec![partition]),
        with_end: false,
        stable: true,
    };
    let part = socket.ask(&request).unwrap().offsets.remove(0);
    part.error.or(part.offset.0.map(Offset::get)).map_err(|error| error.code)
}

fn describe(socket: &mut Socket, id: &str) -> TransactionDescription {
    // However often it is named, it is described once.
    let request = TransactionDescribeRequest { transactional_ids: vec![id.to_owned(); 600] };
    let [described] = <[_; 1]>::try_from(socket.ask(&request).unwrap().transactions).unwrap();
    described
}

#[test]
fn it_counts_over_partitions_and_a_group_at_once() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic("t", 2);
    let who = Who::open(&mut socket, "mover", 60_000);
    // All at once, without waiting: those behind the first wait with it, in their order.
    let mut bytes = Vec::new();
    for (correlation, (partition, sequence, value)) in
        [(0, 0, "a"), (1, 0, "b"), (0, 1, "c"), (0, 2, "d")].into_iter().enumerate()
    {
        let batch = who.batch(sequence, value);
        let correlation = u32::try_from(correlation).unwrap();
        bytes.extend(frame(&produce(topic, partition, &batch), correlation, &batch));
    }
    bytes.extend(frame(&PingRequest {}, 50, &[]));
    socket.send(&bytes);
    let mut answered = Vec::new();
    while answered.len() < 4 {
        let received = socket.receive();
        if received.header.correlation != 50 {
            let response = received.reply::<ProduceRequest>().unwrap();
            answered.push((received.header.correlation, base_offset(&response)));
        }
    }
    answered.sort_unstable();
    assert_eq!(answered, [(0, 0), (1, 0), (2, 1), (3, 2)]);
    let done = socket.ask(&who.offsets(topic, 7)).unwrap();
    assert_eq!(done.parts[0].error, Maybe::NONE);

    let open = describe(&mut socket, "mover");
    assert_eq!(open.state, TransactionState::Ongoing);
    assert_eq!((open.partitions.len(), open.groups), (2, vec!["movers".to_owned()]));
    for partition in [0, 1] {
        assert!(read(&mut socket, (topic, partition), Isolation::ReadCommitted).is_empty());
    }
    assert_eq!(read(&mut socket, (topic, 0), Isolation::ReadUncommitted), ["a", "c", "d"]);
    assert_eq!(committed(&mut socket, topic), Err(ErrorCode::UNSTABLE_OFFSET));

    let next = who.end(&mut socket, true).unwrap();
    assert_eq!((next.producer, next.epoch.get()), (who.producer, who.epoch.get() + 1));
    // Its answer may be lost.
    assert_eq!(who.end(&mut socket, true).unwrap(), next);
    assert_eq!(read(&mut socket, (topic, 0), Isolation::ReadCommitted), ["a", "c", "d"]);
    assert_eq!(read(&mut socket, (topic, 1), Isolation::ReadCommitted), ["b"]);
    assert_eq!(committed(&mut socket, topic), Ok(Some(7)));
    // What comes late does not slip into the next one.
    let late = append(&mut socket, who, (topic, 0), 3, "late").unwrap_err();
    assert_eq!(late.code, ErrorCode::FENCED_PRODUCER);
    append(&mut socket, next, (topic, 0), 0, "e").unwrap();
}

#[test]
fn what_is_aborted_is_seen_by_readers_of_all_records_only() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic("t", 1);
    let who = Who::open(&mut socket, "mover", 60_000);
    append(&mut socket, who, (topic, 0), 0, "lost").unwrap();
    socket.ask(&who.offsets(topic, 7)).unwrap();
    let who = who.end(&mut socket, false).unwrap();
    append(&mut socket, who, (topic, 0), 0, "kept").unwrap();
    let who = who.end(&mut socket, true).unwrap();
    append(&mut socket, who, (topic, 0), 0, "open").unwrap();
    assert_eq!(committed(&mut socket, topic), Ok(None));

    let all = ["lost", "kept", "open"];
    assert_eq!(read(&mut socket, (topic, 0), Isolation::ReadUncommitted), all);
    assert_eq!(read(&mut socket, (topic, 0), Isolation::ReadCommitted), ["kept"]);
    for (subscription, isolation, wanted) in
        [(1, Isolation::ReadUncommitted, &all[..]), (2, Isolation::ReadCommitted, &["kept"])]
    {
        // A connection each: what is pushed comes between the answers.
        let mut socket = Socket::open(port);
        let subscribe = SubscribeRequest {
            subscription,
            topic_id: topic,
            partition: 0,
            leader_epoch: Maybe::NONE,
            offset: Offset::ZERO,
            credit: 1 << 20,
            isolation,
        };
        socket.ask(&subscribe).unwrap();
        let mut seen = Vec::new();
        while seen.len() < wanted.len() {
            let received = socket.receive();
            assert_eq!(received.deliver().subscription, subscription);
            seen.extend(values(&received.payload));
        }
        assert_eq!(seen, wanted);
    }
    let mut end = |spec| {
        let part =
            ListOffsetsPart { topic_id: topic, partition: 0, leader_epoch: Maybe::NONE, spec };
        let request = ListOffsetsRequest { parts: vec![part] };
        socket.ask(&request).unwrap().parts.remove(0).offset.0.unwrap().get()
    };
    // Two records with a marker each, and one that is open.
    assert_eq!((end(OffsetSpec::Latest), end(OffsetSpec::LastStable)), (5, 4));
}

#[test]
fn a_zombie_is_fenced() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic("t", 1);
    let zombie = Who::open(&mut socket, "mover", 60_000);
    append(&mut socket, zombie, (topic, 0), 0, "zombie's").unwrap();
    let newer = Who::open(&mut socket, "mover", 60_000);
    assert_eq!(newer.producer, zombie.producer);
    let code = |result: Result<_, WireError>| result.unwrap_err().code;
    let refused = append(&mut socket, zombie, (topic, 0), 1, "late");
    assert_eq!(code(refused.map(drop)), ErrorCode::FENCED_PRODUCER);
    for commit in [true, false] {
        let refused = zombie.end(&mut socket, commit);
        assert_eq!(code(refused.map(drop)), ErrorCode::FENCED_PRODUCER);
    }
    let refused = socket.ask(&zombie.offsets(topic, 1));
    assert_eq!(code(refused.map(drop)), ErrorCode::FENCED_PRODUCER);
    append(&mut socket, newer, (topic, 0), 0, "new").unwrap();
    newer.end(&mut socket, true).unwrap();
    assert_eq!(read(&mut socket, (topic, 0), Isolation::ReadCommitted), ["new"]);
}

#[test]
fn one_that_takes_too_long_is_aborted_and_its_producer_gets_on() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic("t", 1);
    let who = Who::open(&mut socket, "slow", 50);
    append(&mut socket, who, (topic, 0), 0, "lost").unwrap();
    while describe(&mut socket, "slow").state != TransactionState::CompleteAbort {
        std::thread::yield_now();
    }
    let refused = append(&mut socket, who, (topic, 0), 1, "late").unwrap_err();
    assert_eq!(refused.code, ErrorCode::FENCED_PRODUCER);
    assert_eq!(who.end(&mut socket, true).unwrap_err().code, ErrorCode::FENCED_PRODUCER);
    let who = who.end(&mut socket, false).unwrap();
    append(&mut socket, who, (topic, 0), 0, "kept").unwrap();
    who.end(&mut socket, true).unwrap();
    assert_eq!(read(&mut socket, (topic, 0), Isolation::ReadCommitted), ["kept"]);
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic("t", 1);
    let open = |id: &str, timeout_ms| TransactionOpenRequest {
        transactional_id: id.to_owned(),
        timeout_ms,
        producer_id: ProducerId::NONE,
        producer_epoch: ProducerEpoch::NONE,
    };
    let code = |error: WireError| error.code;
    let refused = socket.ask(&open("", 1000)).unwrap_err();
    assert_eq!(code(refused), ErrorCode::INVALID_TRANSACTIONAL_ID);
    for timeout_ms in [0, u32::MAX] {
        let refused = socket.ask(&open("a", timeout_ms)).unwrap_err();
        assert_eq!(refused.detail, 15 * 60 * 1000);
        assert_eq!(code(refused), ErrorCode::INVALID_TRANSACTION_TIMEOUT);
    }
    let half = TransactionOpenRequest { producer_id: ProducerId::new(3), ..open("a", 1000) };
    assert_eq!(code(socket.ask(&half).unwrap_err()), ErrorCode::INVALID_REQUEST);
    let who = Who::open(&mut socket, "a", 1000);
    let refused = who.end(&mut socket, true).unwrap_err();
    assert_eq!(code(refused), ErrorCode::INVALID_TRANSACTION_STATE, "nothing is in it");
    let stranger = Who { producer: ProducerId::new(9999), ..who };
    let refused = append(&mut socket, stranger, (topic, 0), 0, "x").unwrap_err();
    assert_eq!(code(refused), ErrorCode::UNKNOWN_TRANSACTIONAL_ID);
    // Without the flag nothing joins.
    let batch = who.batch(0, "x");
    let unflagged = ProduceRequest { flags: 0, ..produce(topic, 0, &batch) };
    let response = socket.ask_with(&unflagged, &batch).unwrap();
    let refused = response.parts[0].error.0.clone().unwrap();
    assert_eq!(code(refused), ErrorCode::NOT_IN_TRANSACTION);
    let odd = ProduceRequest { flags: 2, ..produce(topic, 0, &batch) };
    let refused = socket.ask_with(&odd, &batch).unwrap_err();
    assert_eq!(code(refused), ErrorCode::INVALID_REQUEST);
    let unknown = describe(&mut socket, "nobody").error.0.unwrap();
    assert_eq!(code(unknown), ErrorCode::UNKNOWN_TRANSACTIONAL_ID);
    let list = |regex: &str| TransactionListRequest {
        states: vec![TransactionState::Empty],
        older_than_ms: None,
        regex: Some(regex.to_owned()),
    };
    assert_eq!(socket.ask(&list("[ab]")).unwrap().transactions.len(), 1);
    assert!(socket.ask(&list("b")).unwrap().transactions.is_empty());
    assert_eq!(code(socket.ask(&list("(")).unwrap_err()), ErrorCode::INVALID_REQUEST);
    assert!(socket.ask(&TransactionHangingRequest {}).unwrap().transactions.is_empty());

    let mut plain = Socket::silent(port);
    let features = features::ALL & !features::TRANSACTIONS;
    plain.ask(&HelloRequest { features, ..hello() }).unwrap();
    let refused = plain.ask_with(&produce(topic, 0, &batch), &batch).unwrap_err();
    assert_eq!(code(refused), ErrorCode::FEATURE_NOT_NEGOTIATED);
    let refused = plain.ask(&open("a", 1000)).unwrap_err();
    assert_eq!(code(refused), ErrorCode::FEATURE_NOT_NEGOTIATED);
    plain.ask(&PingRequest {}).unwrap();
}
