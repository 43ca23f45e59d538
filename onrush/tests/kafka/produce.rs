//! Produce, byte by byte.

use onrush::Config;
use onrush_kafka_protocol::messages::{ProduceRequest, ProduceResponse};
use onrush_kafka_protocol::{ApiKey, ErrorCode, Uuid};
use onrush_record::batch::{BatchBuilder, Codec};

use crate::socket::{PRODUCE, Served, batch, frame, only, produce, versions_of};

#[test]
fn offsets_go_on_where_they_stopped_whatever_the_acks() {
    let served = Served::new(Config::ephemeral());
    served.topic("t", 1);
    let mut socket = served.open();
    assert_eq!(socket.produce("t", 1, &[b"a", b"b"]), 0);
    assert_eq!(socket.produce("t", -1, &[b"c"]), 2);
    // No answer to this one.
    socket.send(&frame(&produce("t", 0, &[(0, &batch(&[b"d", b"e", b"f"]))]), PRODUCE, 99));
    assert_eq!(socket.produce("t", 1, &[b"g"]), 6);
}

#[test]
fn requests_sent_at_once_are_answered_in_order() {
    let served = Served::new(Config::ephemeral());
    served.topic("t", 2);
    let mut socket = served.open();
    let batch = batch(&[b"value"]);
    for acks in [1, -1] {
        let frames: Vec<u8> = (0..500)
            .flat_map(|number| frame(&produce("t", acks, &[(number % 2, &batch)]), PRODUCE, number))
            .collect();
        socket.send(&frames);
        let mut last = [-1, -1];
        for number in 0..500 {
            let (correlation, answer) = socket.receive::<ProduceResponse>(PRODUCE);
            assert_eq!(correlation, number);
            let part = only(&answer);
            assert_eq!((part.error_code, part.index), (0, number % 2));
            let last = &mut last[usize::try_from(number % 2).unwrap()];
            assert!(part.base_offset > *last);
            *last = part.base_offset;
        }
    }
}

#[test]
fn one_request_may_go_to_many_partitions_and_each_has_its_own_error() {
    let served = Served::new(Config::ephemeral());
    served.topic("one", 3);
    served.topic("two", 1);
    let (a, bc) = (batch(&[b"a"]), batch(&[b"b", b"c"]));
    let mut torn = bc.clone();
    let middle = torn.len() / 2;
    torn[middle] ^= 1;
    let mut request = produce("one", -1, &[(2, &a), (7, &a), (0, &bc), (2, &bc), (-1, &a)]);
    request.topic_data.extend(produce("nowhere", -1, &[(0, &a)]).topic_data);
    request.topic_data.extend(produce("two", -1, &[(0, &torn), (0, &bc)]).topic_data);
    let mut socket = served.open();
    let answer: ProduceResponse = socket.ask(&request, PRODUCE);
    let names: Vec<_> = answer.responses.iter().map(|topic| &*topic.name).collect();
    assert_eq!(names, ["one", "nowhere", "two"]);
    let parts: Vec<_> = answer
        .responses
        .iter()
        .flat_map(|topic| &topic.partition_responses)
        .map(|part| (part.index, ErrorCode(part.error_code), part.base_offset))
        .collect();
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    assert_eq!(
        parts,
        [
            (2, ErrorCode::NONE, 0),
            (7, unknown, -1),
            (0, ErrorCode::NONE, 0),
            (2, ErrorCode::NONE, 1),
            (-1, unknown, -1),
            (0, unknown, -1),
            (0, ErrorCode::CORRUPT_MESSAGE, -1),
            (0, ErrorCode::NONE, 0),
        ]
    );
}

#[test]
fn all_versions_that_are_told_of_but_the_first_three_are_served() {
    let served = Served::new(Config::ephemeral());
    let Uuid(id) = served.topic("t", 1);
    let mut socket = served.open();
    // librdkafka compresses only for brokers that know version 0.
    assert_eq!(versions_of(&mut socket, ApiKey::PRODUCE), (0, 13));
    for version in 3..=13 {
        let mut request = produce("t", -1, &[(0, &batch(&[b"value"]))]);
        if version >= 13 {
            request.topic_data[0].name.clear();
            request.topic_data[0].topic_id = Uuid(id);
        }
        let answer: ProduceResponse = socket.ask(&request, version);
        let part = only(&answer);
        assert_eq!((part.error_code, part.base_offset), (0, i64::from(version) - 3));
    }
    let mut unknown = produce("t", -1, &[(0, &batch(&[b"value"]))]);
    unknown.topic_data[0].topic_id = Uuid([7; 16]);
    let answer: ProduceResponse = socket.ask(&unknown, 13);
    assert_eq!(only(&answer).error_code, ErrorCode::UNKNOWN_TOPIC_ID.0);
}

fn refusal(served: &Served, request: &ProduceRequest, version: i16) -> ErrorCode {
    let answer: ProduceResponse = served.open().ask(request, version);
    ErrorCode(only(&answer).error_code)
}

#[test]
fn what_kafka_refuses_is_refused() {
    let served = Served::new(Config::ephemeral());
    served.topic("t", 1);
    let one = batch(&[b"value"]);
    let two = [one.clone(), one.clone()].concat();
    let of = |batch: &[u8]| produce("t", -1, &[(0, batch)]);
    assert_eq!(refusal(&served, &of(&two), PRODUCE), ErrorCode::INVALID_RECORD);
    assert_eq!(refusal(&served, &of(&[]), PRODUCE), ErrorCode::INVALID_RECORD);
    let acks = produce("t", 2, &[(0, &one)]);
    assert_eq!(refusal(&served, &acks, PRODUCE), ErrorCode::INVALID_REQUIRED_ACKS);
    let mut null = of(&[]);
    null.topic_data[0].partition_data[0].records = None;
    assert_eq!(refusal(&served, &null, PRODUCE), ErrorCode::INVALID_RECORD);
    let mut zstd = BatchBuilder::new(Codec::Zstd);
    zstd.push(1, None, Some(&[0; 100]), &[]);
    let zstd = zstd.finish().unwrap();
    assert_eq!(refusal(&served, &of(&zstd), 6), ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
    assert_eq!(refusal(&served, &of(&zstd), 7), ErrorCode::NONE);
    assert_eq!(refusal(&served, &of(&one[..20]), PRODUCE), ErrorCode::CORRUPT_MESSAGE);
}

#[test]
fn a_refusal_that_wants_no_answer_ends_the_connection() {
    let served = Served::new(Config::ephemeral());
    served.topic("t", 1);
    let batch = batch(&[b"value"]);
    let mut socket = served.open();
    socket.send(&frame(&produce("nowhere", 0, &[(0, &batch)]), PRODUCE, 1));
    socket.is_closed();
    let mut socket = served.open();
    socket.send(&frame(&produce("t", 0, &[(0, &batch[..30])]), PRODUCE, 1));
    socket.is_closed();
}

#[test]
fn a_request_may_be_larger_than_any_buffer() {
    let served = Served::new(Config::ephemeral());
    served.topic("t", 3);
    let value = vec![7; 900_000];
    let large = batch(&[&value]);
    let request = produce("t", -1, &[(0, &large), (1, &batch(&[b"small"])), (2, &large)]);
    let mut socket = served.open();
    let frames = [frame(&request, PRODUCE, 1), frame(&request, PRODUCE, 2)].concat();
    socket.send(&frames);
    for correlation in 1..=2 {
        let (answered, answer) = socket.receive::<ProduceResponse>(PRODUCE);
        assert_eq!(answered, correlation);
        let errors: Vec<_> =
            answer.responses[0].partition_responses.iter().map(|part| part.error_code).collect();
        assert_eq!(errors, [0; 3]);
    }
    let read = socket.fetch("t", 0);
    assert_eq!(read.high_watermark, 2);
}

#[test]
fn a_request_without_partitions_is_answered() {
    let served = Served::new(Config::ephemeral());
    let mut socket = served.open();
    let answer: ProduceResponse =
        socket.ask(&ProduceRequest { acks: 1, ..produce("t", 1, &[]) }, 9);
    assert!(answer.responses.iter().all(|topic| topic.partition_responses.is_empty()));
    let none = ProduceRequest { topic_data: Vec::new(), ..produce("t", 1, &[]) };
    let answer: ProduceResponse = socket.ask(&none, 9);
    assert!(answer.responses.is_empty());
}

#[test]
fn many_connections_append_to_one_partition() {
    let served = Served::new(Config::ephemeral());
    served.topic("t", 1);
    let batch = batch(&[b"value"]);
    let mut sockets: Vec<_> = (0..20).map(|_| served.open()).collect();
    for socket in &mut sockets {
        socket.send(&frame(&produce("t", -1, &[(0, &batch)]), PRODUCE, 1));
    }
    let mut offsets: Vec<_> = sockets
        .iter_mut()
        .map(|socket| only(&socket.receive::<ProduceResponse>(PRODUCE).1).base_offset)
        .collect();
    offsets.sort_unstable();
    assert_eq!(offsets, (0..20).collect::<Vec<i64>>());
}

#[test]
fn unknown_tagged_fields_are_passed_over() {
    let served = Served::new(Config::ephemeral());
    served.topic("t", 1);
    let mut bytes = frame(&produce("t", -1, &[(0, &batch(&[b"value"]))]), PRODUCE, 5);
    // The last byte counts the tagged fields of the request: one, of tag 9 and two bytes.
    *bytes.last_mut().unwrap() = 1;
    bytes.extend([9, 2, 0xaa, 0xbb]);
    let length = u32::try_from(bytes.len() - 4).unwrap();
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    let mut socket = served.open();
    socket.send(&bytes);
    let (correlation, answer) = socket.receive::<ProduceResponse>(PRODUCE);
    assert_eq!((correlation, only(&answer).error_code), (5, 0));
}
