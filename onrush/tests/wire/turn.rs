//! What many connections send at the same time: it is appended together, and each has its own answer.

use std::collections::BTreeSet;

use onrush::Config;
use onrush_protocol::ErrorCode;
use onrush_protocol::request::{
    Acks, FetchPart, FetchRequest, Isolation, ListOffsetsPart, ListOffsetsRequest, OffsetSpec,
    ProduceRequest,
};
use onrush_protocol::wire::Maybe;
use onrush_record::batch::{BatchBuilder, Batches, Codec};
use onrush_record::{Offset, ProducerEpoch, ProducerId, Sequence, TopicId};
use smallvec::smallvec;

use crate::socket::{Received, Socket, base_offset, batch, broker, frame, part, produce};

/// Connections that send at once.
const CONNECTIONS: u32 = 48;
/// How often they do.
const ROUNDS: u32 = 40;

fn fetch(topic_id: TopicId, offset: u64) -> FetchRequest {
    let part = FetchPart {
        topic_id,
        partition: 0,
        leader_epoch: Maybe::NONE,
        offset: Offset::new(offset),
        max_bytes: 8 << 20,
    };
    FetchRequest {
        max_wait_ms: 0,
        min_bytes: 1,
        max_bytes: 8 << 20,
        isolation: Isolation::ReadUncommitted,
        parts: smallvec![part],
    }
}

/// The values of the log's records from `offset` on, whole and sound, each with its offset.
fn records(socket: &mut Socket, topic: TopicId, mut offset: u64) -> Vec<(u64, Vec<u8>)> {
    let mut all = Vec::new();
    loop {
        socket.send(&frame(&fetch(topic, offset), 7, &[]));
        let payload = socket.receive().payload;
        if payload.is_empty() {
            return all;
        }
        for batch in Batches::new(&payload) {
            let batch = batch.unwrap();
            batch.verify().unwrap();
            for record in batch.records().unwrap() {
                let record = record.unwrap();
                all.push((record.offset.get(), record.value.unwrap().to_vec()));
            }
        }
        offset = all.last().unwrap().0 + 1;
    }
}

/// A batch of one record with a producer and a sequence.
fn numbered(producer: u32, sequence: i32, value: &[u8]) -> Vec<u8> {
    let producer = ProducerId::new(i64::from(producer) + 1000);
    let mut builder = BatchBuilder::new(Codec::None).with_producer(
        producer,
        ProducerEpoch::new(0),
        Sequence::new(sequence),
    );
    builder.push(1, None, Some(value), &[]);
    builder.finish().unwrap()
}

fn code(answer: &Received) -> Option<ErrorCode> {
    let parts = answer.reply::<ProduceRequest>().unwrap().parts;
    parts[0].error.0.as_ref().map(|error| error.code)
}

/// Asks where the log ends; it answers once all that is there is durable.
fn latest(topic_id: TopicId) -> ListOffsetsRequest {
    ListOffsetsRequest {
        parts: vec![ListOffsetsPart {
            topic_id,
            partition: 0,
            leader_epoch: Maybe::NONE,
            spec: OffsetSpec::Latest,
        }],
    }
}

#[test]
fn each_of_many_connections_has_its_own_offset_and_only_who_erred_an_error() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic("t", 1);
    let mut sockets: Vec<_> = (0..CONNECTIONS).map(|_| Socket::open(port)).collect();
    let mut expected = Vec::new();
    for number in (0..CONNECTIONS).filter(|number| number % 8 == 6) {
        let bytes = numbered(number, 0, b"first");
        let response = socket.ask_with(&produce(topic, Acks::Written, &bytes), &bytes).unwrap();
        expected.push((base_offset(&response), b"first".to_vec()));
    }
    for round in 0..ROUNDS {
        let acks = if round % 2 == 0 { Acks::Written } else { Acks::All };
        for (number, socket) in (0_u32..).zip(&mut sockets) {
            let value = format!("{round}/{number}").into_bytes();
            let mut bytes = batch(&[&value]);
            let mut request = produce(topic, acks, &bytes);
            match number % 8 {
                3 => request.parts[0].partition = 5,
                5 => *bytes.last_mut().unwrap() ^= 1,
                // Nobody can be there yet.
                6 => {
                    bytes = numbered(number, 9, &value);
                    request = produce(topic, acks, &bytes);
                }
                _ => {}
            }
            socket.send(&frame(&request, round, &bytes));
        }
        for (number, socket) in (0_u32..).zip(&mut sockets) {
            let answer = socket.receive();
            assert_eq!(answer.header.correlation, round);
            match number % 8 {
                3 => assert_eq!(code(&answer), Some(ErrorCode::UNKNOWN_PARTITION)),
                5 => assert_eq!(code(&answer), Some(ErrorCode::BATCH_INVALID)),
                6 => assert_eq!(code(&answer), Some(ErrorCode::OUT_OF_ORDER_SEQUENCE)),
                _ => {
                    let offset = base_offset(&answer.reply::<ProduceRequest>().unwrap());
                    expected.push((offset, format!("{round}/{number}").into_bytes()));
                }
            }
        }
    }
    expected.sort();
    socket.ask(&latest(topic)).unwrap();
    assert_eq!(records(&mut socket, topic, 0), expected);
}

#[test]
fn what_a_connection_asks_sees_what_it_sent_before() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic("t", 1);
    let one = batch(&[b"one"]);
    for round in 0..50_u32 {
        let mut frames = frame(&produce(topic, Acks::Written, &one), 1, &one);
        frames.extend(frame(&latest(topic), 2, &[]));
        frames.extend(frame(&produce(topic, Acks::Written, &one), 3, &one));
        socket.send(&frames);
        let mut answers: Vec<_> = (0..3).map(|_| socket.receive()).collect();
        answers.sort_by_key(|answer| answer.header.correlation);
        let base = u64::from(round) * 2;
        assert_eq!(base_offset(&answers[0].reply::<ProduceRequest>().unwrap()), base);
        let listed = answers[1].reply::<ListOffsetsRequest>().unwrap().parts.remove(0);
        // The query may see what came after it as well, but never less than what came before.
        let end = listed.offset.0.unwrap().get();
        assert!((base + 1..=base + 2).contains(&end), "{end} after {base}");
        assert_eq!(base_offset(&answers[2].reply::<ProduceRequest>().unwrap()), base + 1);
    }
}

#[test]
fn a_fetch_of_what_is_readable_once_written_sees_the_produce_before_it() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic_with("t", 1, &[("visibility", "written")]);
    let one = batch(&[b"one"]);
    for round in 0..50_u64 {
        let mut frames = frame(&produce(topic, Acks::None, &one), 1, &one);
        frames.extend(frame(&fetch(topic, round), 2, &[]));
        socket.send(&frames);
        let answer = socket.receive();
        assert_eq!(answer.header.correlation, 2);
        assert_eq!(Batches::new(&answer.payload).count(), 1, "round {round}");
    }
}

#[test]
fn connections_that_go_away_with_unanswered_produces_do_no_harm() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut stays = Socket::open(port);
    let topic = stays.create_topic("t", 1);
    let one = batch(&[b"one"]);
    let mut offsets = BTreeSet::new();
    for round in 0..ROUNDS {
        let mut leave: Vec<_> = (0..4).map(|_| Socket::open(port)).collect();
        for socket in &mut leave {
            socket.send(&frame(&produce(topic, Acks::Written, &one), 1, &one).repeat(3));
        }
        stays.send(&frame(&produce(topic, Acks::Written, &one), round, &one));
        drop(leave);
        let answer = stays.receive();
        assert_eq!(answer.header.correlation, round);
        assert!(offsets.insert(base_offset(&answer.reply::<ProduceRequest>().unwrap())));
    }
    stays.ask(&latest(topic)).unwrap();
    let records = records(&mut stays, topic, 0);
    assert!((0..).zip(&records).all(|(at, (offset, value))| *offset == at && value == b"one"));
    assert!(records.len() >= offsets.len());
}

#[test]
fn large_frames_and_small_ones_go_together() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic("t", 1);
    let mut sockets: Vec<_> = (0..8).map(|_| Socket::open(port)).collect();
    let values: Vec<Vec<u8>> = vec![vec![1; 900 * 1024], vec![2; 10], vec![3; 40 * 1024]];
    let mut expected = Vec::new();
    for round in 0..6_u32 {
        let of = |number: usize| &values[(number + round as usize) % values.len()];
        std::thread::scope(|scope| {
            for (number, socket) in sockets.iter_mut().enumerate() {
                let bytes = batch(&[of(number)]);
                let small = batch(&[b"small"]);
                let mut frames = frame(&produce(topic, Acks::Written, &small), 1, &small);
                frames.extend(frame(&produce(topic, Acks::Written, &bytes), 2, &bytes));
                frames.extend(frame(&produce(topic, Acks::Written, &small), 3, &small));
                scope.spawn(move || socket.send(&frames));
            }
        });
        for (number, socket) in sockets.iter_mut().enumerate() {
            let mut last = None;
            for value in [&b"small".to_vec(), of(number), &b"small".to_vec()] {
                let answer = socket.receive().reply::<ProduceRequest>().unwrap();
                let offset = base_offset(&answer);
                assert!(last < Some(offset), "a connection's requests keep their order");
                last = Some(offset);
                expected.push((offset, value.clone()));
            }
        }
    }
    expected.sort();
    socket.ask(&latest(topic)).unwrap();
    assert!(records(&mut socket, topic, 0) == expected);
}

#[test]
fn one_turn_may_go_to_many_partitions() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic("t", 3);
    let one = batch(&[b"one"]);
    let request = ProduceRequest {
        parts: (0..3).rev().map(|partition| part(topic, partition, &one)).collect(),
        ..produce(topic, Acks::Written, &one)
    };
    let mut sockets: Vec<_> = (0..16).map(|_| Socket::open(port)).collect();
    for socket in &mut sockets {
        socket.send(&frame(&request, 1, &one.repeat(3)).repeat(2));
    }
    let mut seen = BTreeSet::new();
    for socket in &mut sockets {
        for _ in 0..2 {
            let parts = socket.receive().reply::<ProduceRequest>().unwrap().parts;
            for (number, part) in parts.iter().enumerate() {
                assert!(seen.insert((number, part.base_offset.0.unwrap().get())));
            }
        }
    }
    let all = (0..3).flat_map(|number| (0..32).map(move |offset| (number, offset)));
    assert_eq!(seen, all.collect());
}
