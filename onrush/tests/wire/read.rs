//! Fetch and subscribe, byte by byte.

use onrush::Config;
use onrush_protocol::ErrorCode;
use onrush_protocol::request::{
    Acks, CreditRequest, FetchPart, FetchRequest, Isolation, ListOffsetsPart, ListOffsetsRequest,
    OffsetSpec, PingRequest, SubscribeRequest, UnsubscribeRequest,
};
use onrush_protocol::wire::Maybe;
use onrush_record::batch::Batches;
use onrush_record::{Offset, TopicId};
use smallvec::smallvec;

use crate::socket::{Socket, broker, frame};

fn fetch(topic_id: TopicId, offset: u64, max_wait_ms: u32) -> FetchRequest {
    FetchRequest {
        max_wait_ms,
        min_bytes: 1,
        max_bytes: 1 << 20,
        isolation: Isolation::ReadUncommitted,
        parts: smallvec![FetchPart {
            topic_id,
            partition: 0,
            leader_epoch: Maybe::NONE,
            offset: Offset::new(offset),
            max_bytes: 1 << 20,
        }],
    }
}

fn subscribe(topic_id: TopicId, subscription: u32, offset: u64, credit: u64) -> SubscribeRequest {
    SubscribeRequest {
        subscription,
        topic_id,
        partition: 0,
        leader_epoch: Maybe::NONE,
        offset: Offset::new(offset),
        credit,
        isolation: Isolation::ReadUncommitted,
    }
}

/// The offsets of the records in `payload`, each batch whole and sound.
fn offsets(payload: &[u8]) -> Vec<u64> {
    let mut offsets = Vec::new();
    for batch in Batches::new(payload) {
        let batch = batch.unwrap();
        batch.verify().unwrap();
        offsets.extend(batch.records().unwrap().map(|record| record.unwrap().offset.get()));
    }
    offsets
}

#[test]
fn a_fetch_gives_whole_batches_from_the_one_that_holds_the_offset() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic("t", 1);
    socket.produce(topic, Acks::All, &[b"a", b"b"]);
    socket.produce(topic, Acks::All, &[b"c"]);
    socket.send(&frame(&fetch(topic, 1, 0), 9, &[]));
    let answer = socket.receive();
    let part = answer.reply::<FetchRequest>().unwrap().parts.remove(0);
    assert_eq!(offsets(&answer.payload), [0, 1, 2]);
    assert_eq!(part.payload_length as usize, answer.payload.len());
    assert_eq!(part.readable_end, Maybe::some(Offset::new(3)));
    assert_eq!(part.log_start, Maybe::some(Offset::ZERO));
}

#[test]
fn a_fetch_at_the_end_waits_for_what_comes() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut reader = Socket::open(port);
    let mut writer = Socket::open(port);
    let topic = writer.create_topic("t", 1);
    reader.send(&frame(&fetch(topic, 0, 60_000), 9, &[]));
    writer.produce(topic, Acks::Written, &[b"late"]);
    assert_eq!(offsets(&reader.receive().payload), [0]);
}

#[test]
fn a_fetch_at_the_end_gives_up_in_time() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic("t", 1);
    for wait in [0, 20] {
        let part = socket.ask(&fetch(topic, 0, wait)).unwrap().parts.remove(0);
        assert_eq!((part.error, part.payload_length), (Maybe::NONE, 0));
    }
}

#[test]
fn a_fetch_of_what_is_not_there_says_so() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic("t", 1);
    socket.produce(topic, Acks::All, &[b"a"]);
    let part = socket.ask(&fetch(topic, 5, 60_000)).unwrap().parts.remove(0);
    let error = part.error.0.unwrap();
    assert_eq!((error.code, error.detail), (ErrorCode::OFFSET_OUT_OF_RANGE, 1));
    let part = socket.ask(&fetch(TopicId::new([9; 16]), 0, 60_000)).unwrap().parts.remove(0);
    assert_eq!(part.error.0.unwrap().code, ErrorCode::UNKNOWN_TOPIC);
}

#[test]
fn a_large_fetch_goes_from_the_file_to_the_socket_unchanged() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic("t", 1);
    for _ in 0..4 {
        socket.produce(topic, Acks::All, &[&[3; 200 * 1024]]);
    }
    socket.send(&frame(&fetch(topic, 0, 0), 9, &[]));
    assert_eq!(offsets(&socket.receive().payload), [0, 1, 2, 3]);
}

#[test]
fn a_subscription_pushes_what_is_there_and_what_comes() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut reader = Socket::open(port);
    let mut writer = Socket::open(port);
    let topic = writer.create_topic("t", 1);
    writer.produce(topic, Acks::All, &[b"a"]);
    let answer = reader.ask(&subscribe(topic, 3, 0, 1 << 20)).unwrap();
    assert_eq!(answer.readable_end, Offset::new(1));
    let first = reader.receive();
    assert_eq!(first.deliver().subscription, 3);
    assert_eq!(offsets(&first.payload), [0]);
    for offset in 1..50 {
        writer.produce(topic, Acks::Written, &[b"b"]);
        assert_eq!(offsets(&reader.receive().payload), [offset]);
    }
}

#[test]
fn a_subscription_stops_when_its_credit_is_used_up() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic("t", 1);
    for _ in 0..10 {
        socket.produce(topic, Acks::All, &[&[0; 1000]]);
    }
    // Enough for two and a half: a third goes over, and then there is silence.
    socket.ask(&subscribe(topic, 1, 0, 2_600)).unwrap();
    let mut read = offsets(&socket.receive().payload);
    while read.len() < 3 {
        read.extend(offsets(&socket.receive().payload));
    }
    assert_eq!(read, [0, 1, 2]);
    // Had it gone on, the answer would not be the next frame.
    socket.ask(&PingRequest {}).unwrap();
    socket.send(&frame(&CreditRequest { subscription: 1, bytes: 1 << 20 }, 0, &[]));
    while read.len() < 10 {
        read.extend(offsets(&socket.receive().payload));
    }
    assert_eq!(read, (0..10).collect::<Vec<_>>());
    // Credit for what is not there is ignored.
    socket.send(&frame(&CreditRequest { subscription: 77, bytes: 1 }, 0, &[]));
    socket.ask(&PingRequest {}).unwrap();
}

#[test]
fn a_subscription_ends_when_told() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic("t", 1);
    socket.ask(&subscribe(topic, 1, 0, 1 << 20)).unwrap();
    let again = socket.ask(&subscribe(topic, 1, 0, 1)).unwrap_err();
    assert_eq!(again.code, ErrorCode::SUBSCRIPTION_EXISTS);
    socket.ask(&UnsubscribeRequest { subscription: 1 }).unwrap();
    socket.produce(topic, Acks::All, &[b"unheard"]);
    let gone = socket.ask(&UnsubscribeRequest { subscription: 1 }).unwrap_err();
    assert_eq!(gone.code, ErrorCode::UNKNOWN_SUBSCRIPTION);
    let beyond = socket.ask(&subscribe(topic, 1, 99, 1)).unwrap_err();
    assert_eq!(beyond.code, ErrorCode::OFFSET_OUT_OF_RANGE);
}

#[test]
fn a_subscription_ends_with_its_topic() {
    use onrush_protocol::request::{DeleteTopicsRequest, TopicRef};
    let (_broker, port) = broker(Config::ephemeral());
    let mut reader = Socket::open(port);
    let mut writer = Socket::open(port);
    let topic = writer.create_topic("t", 1);
    reader.ask(&subscribe(topic, 1, 0, 1 << 20)).unwrap();
    writer.ask(&DeleteTopicsRequest { topics: vec![TopicRef::Id(topic)] }).unwrap();
    let end = reader.receive().deliver();
    assert_eq!(end.error.0.unwrap().code, ErrorCode::UNKNOWN_TOPIC);
}

#[test]
fn a_slow_reader_keeps_nobody_else_from_reading() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut writer = Socket::open(port);
    let topic = writer.create_topic("t", 1);
    for _ in 0..32 {
        writer.produce(topic, Acks::All, &[&[0; 500 * 1024]]);
    }
    // It asks for everything and reads nothing.
    let mut slow = Socket::open(port);
    slow.send(&frame(&subscribe(topic, 1, 0, 1 << 40), 1, &[]));
    let mut quick = Socket::open(port);
    quick.ask(&subscribe(topic, 1, 0, 1 << 40)).unwrap();
    let mut read = 0;
    while read < 32 {
        read += offsets(&quick.receive().payload).len();
    }
    slow.receive();
    let mut read = 0;
    while read < 32 {
        read += offsets(&slow.receive().payload).len();
    }
}

#[test]
fn the_latest_offset_counts_what_was_just_written() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic("t", 1);
    for end in 1..20 {
        socket.produce(topic, Acks::Written, &[b"a"]);
        let ask = |spec| ListOffsetsRequest {
            parts: vec![ListOffsetsPart {
                topic_id: topic,
                partition: 0,
                leader_epoch: Maybe::NONE,
                spec,
            }],
        };
        let part = socket.ask(&ask(OffsetSpec::Latest)).unwrap().parts.remove(0);
        assert_eq!(part.offset, Maybe::some(Offset::new(end)));
        let part = socket.ask(&ask(OffsetSpec::Earliest)).unwrap().parts.remove(0);
        assert_eq!(part.offset, Maybe::some(Offset::ZERO));
    }
}
