//! Fetch, byte by byte.

use std::time::Duration;

use onrush::Config;
use onrush_kafka_protocol::messages::{FetchRequest, FetchResponse, FetchResponsePartitionData};
use onrush_kafka_protocol::{ErrorCode, Uuid};
use onrush_record::batch::Batches;

use crate::socket::{FETCH, Served, Socket, fetch, frame, hello};

/// What the batches of a part hold, which all have to be whole and sound.
fn values(part: &FetchResponsePartitionData) -> Vec<(u64, Vec<u8>)> {
    let bytes = part.records.clone().unwrap();
    let mut batches = Batches::new(&bytes);
    let mut all = Vec::new();
    while let Some(batch) = batches.next_batch() {
        let batch = batch.unwrap();
        batch.verify().unwrap();
        for record in batch.records().unwrap() {
            let record = record.unwrap();
            all.push((record.offset.get(), record.value.unwrap().to_vec()));
        }
    }
    assert_eq!(batches.remaining(), 0, "a batch is cut short");
    all
}

#[test]
fn what_was_produced_is_fetched_in_every_version() {
    let served = Served::new(Config::ephemeral());
    let id = served.topic("t", 1);
    let mut socket = served.open();
    socket.produce("t", -1, &[b"a", b"b"]);
    socket.produce("t", -1, &[b"c"]);
    for version in 4..=18 {
        let mut request = fetch("t", &[(0, 1)]);
        if version >= 13 {
            request.topics[0].topic_id = id;
        }
        let answer: FetchResponse = socket.ask(&request, version);
        assert_eq!((answer.error_code, answer.session_id), (0, 0));
        let topic = &answer.responses[0];
        if version >= 13 {
            assert_eq!(topic.topic_id, id);
        } else {
            assert_eq!(topic.topic, "t");
        }
        let part = &topic.partitions[0];
        assert_eq!((part.error_code, part.high_watermark, part.last_stable_offset), (0, 3, 3));
        // The whole batch that holds the offset: the client passes over what is before.
        let found = values(part);
        assert_eq!(found.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(found[2].1, b"c");
    }
}

#[test]
fn partitions_come_in_the_order_asked_for_each_with_its_error() {
    let served = Served::new(Config::ephemeral());
    served.topic("t", 3);
    let mut socket = served.open();
    socket.produce("t", -1, &[b"zero"]);
    let mut request = fetch("t", &[(2, 0), (0, 0), (9, 0), (0, 5), (0, -1), (1, 0)]);
    request.topics.extend(fetch("nowhere", &[(0, 0)]).topics);
    request.max_wait_ms = 60_000;
    let answer: FetchResponse = socket.ask(&request, FETCH);
    let parts: Vec<_> = answer
        .responses
        .iter()
        .flat_map(|topic| &topic.partitions)
        .map(|part| {
            let bytes = part.records.as_ref().map_or(0, |bytes| bytes.len());
            (part.partition_index, ErrorCode(part.error_code), bytes > 0)
        })
        .collect();
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    assert_eq!(
        parts,
        [
            (2, ErrorCode::NONE, false),
            (0, ErrorCode::NONE, true),
            (9, unknown, false),
            (0, ErrorCode::OFFSET_OUT_OF_RANGE, false),
            (0, ErrorCode::OFFSET_OUT_OF_RANGE, false),
            (1, ErrorCode::NONE, false),
            (0, unknown, false),
        ]
    );
}

#[test]
fn a_fetch_is_as_large_as_asked_for_but_holds_a_whole_batch() {
    let served = Served::new(Config::ephemeral());
    served.topic("t", 2);
    let mut socket = served.open();
    let value = vec![1; 1000];
    for _ in 0..10 {
        socket.produce("t", -1, &[&value]);
    }
    let read = |socket: &mut Socket, max: i32, of_part: i32| {
        let mut request = fetch("t", &[(0, 0), (0, 0)]);
        request.max_bytes = max;
        for part in &mut request.topics[0].partitions {
            part.partition_max_bytes = of_part;
        }
        let answer: FetchResponse = socket.ask(&request, FETCH);
        let parts = &answer.responses[0].partitions;
        (values(&parts[0]).len(), values(&parts[1]).len())
    };
    assert_eq!(read(&mut socket, 1, 1 << 20), (1, 0));
    assert_eq!(read(&mut socket, 1 << 20, 1), (1, 1));
    assert_eq!(read(&mut socket, 1 << 20, 3500), (3, 3));
    assert_eq!(read(&mut socket, 5000, 1 << 20), (4, 0));
    assert_eq!(read(&mut socket, 0, 0), (1, 0));
}

#[test]
fn a_large_fetch_goes_from_the_file_to_the_socket_unchanged() {
    let served = Served::new(Config::ephemeral());
    served.topic("t", 2);
    let mut socket = served.open();
    let large: Vec<u8> = (0..400_000_u32).map(|at| at.to_le_bytes()[1]).collect();
    for _ in 0..3 {
        socket.produce("t", -1, &[&large]);
    }
    let mut request = fetch("t", &[(0, 0), (1, 0), (0, 2)]);
    request.topics[0].partitions[0].partition_max_bytes = 2 << 20;
    let answer: FetchResponse = socket.ask(&request, FETCH);
    let parts = &answer.responses[0].partitions;
    let first = values(&parts[0]);
    assert_eq!(first.len(), 3);
    assert!(first.iter().all(|(_, value)| *value == large));
    assert_eq!(values(&parts[1]), []);
    assert_eq!(values(&parts[2]), [(2, large)]);
}

fn waiting(topic: &str, from: i64, min_bytes: i32) -> FetchRequest {
    FetchRequest { max_wait_ms: 60_000, min_bytes, ..fetch(topic, &[(0, from)]) }
}

#[test]
fn a_fetch_at_the_end_waits_for_what_comes() {
    let served = Served::new(Config::ephemeral());
    served.topic("t", 1);
    let (mut reader, mut writer) = (served.open(), served.open());
    reader.send(&frame(&waiting("t", 0, 1), FETCH, 7));
    writer.produce("t", -1, &[b"value"]);
    let (correlation, answer) = reader.receive::<FetchResponse>(FETCH);
    assert_eq!(correlation, 7);
    assert_eq!(values(&answer.responses[0].partitions[0]), [(0, b"value".to_vec())]);
}

#[test]
fn a_fetch_waits_until_there_is_as_much_as_it_asks_for() {
    let served = Served::new(Config::ephemeral());
    served.topic("t", 1);
    let (mut reader, mut writer) = (served.open(), served.open());
    reader.send(&frame(&waiting("t", 0, 1000), FETCH, 7));
    for _ in 0..20 {
        writer.produce("t", -1, &[&[1; 100]]);
    }
    let (_, answer) = reader.receive::<FetchResponse>(FETCH);
    let part = &answer.responses[0].partitions[0];
    assert!(part.records.as_ref().unwrap().len() >= 1000, "{part:?}");
}

#[test]
fn a_fetch_waits_for_no_more_than_it_takes() {
    let served = Served::new(Config::ephemeral().manual_clock());
    served.topic("t", 1);
    let mut socket = served.open();
    socket.produce("t", -1, &[&[1; 1000]]);
    let fetch = FetchRequest { max_bytes: 500, ..waiting("t", 0, 1 << 20) };
    let answer: FetchResponse = socket.ask(&fetch, FETCH);
    assert_eq!(values(&answer.responses[0].partitions[0]).len(), 1);
}

#[test]
fn a_fetch_at_the_end_gives_up_in_time() {
    let served = Served::new(Config::ephemeral().manual_clock());
    served.topic("t", 1);
    let mut socket = served.open();
    // Answered before the fetch is, so that it has begun to wait once this is.
    socket.send(&[frame(&hello(), 3, 1), frame(&waiting("t", 0, 1), FETCH, 2)].concat());
    socket.try_receive().unwrap();
    served.advance(Duration::from_secs(59));
    socket.is_open();
    served.advance(Duration::from_secs(2));
    let (correlation, answer) = socket.receive::<FetchResponse>(FETCH);
    assert_eq!((correlation, answer.error_code), (2, 0));
    assert_eq!(values(&answer.responses[0].partitions[0]), []);
}

#[test]
fn a_fetch_of_nothing_does_not_wait() {
    let served = Served::new(Config::ephemeral());
    let nothing = FetchRequest { topics: Vec::new(), ..waiting("t", 0, 1) };
    let answer: FetchResponse = served.open().ask(&nothing, FETCH);
    assert!(answer.responses.is_empty());
}

#[test]
fn there_are_no_fetch_sessions() {
    let served = Served::new(Config::ephemeral());
    served.topic("t", 1);
    let mut socket = served.open();
    socket.produce("t", -1, &[b"value"]);
    let ask = |socket: &mut Socket, session_id: i32, session_epoch: i32| {
        let request = FetchRequest { session_id, session_epoch, ..fetch("t", &[(0, 0)]) };
        let answer: FetchResponse = socket.ask(&request, FETCH);
        assert_eq!(answer.session_id, 0);
        (ErrorCode(answer.error_code), answer.responses.len())
    };
    assert_eq!(ask(&mut socket, 0, 0), (ErrorCode::NONE, 1));
    assert_eq!(ask(&mut socket, 0, -1), (ErrorCode::NONE, 1));
    // A whole fetch ends the session it names, which is none.
    assert_eq!(ask(&mut socket, 5, 0), (ErrorCode::NONE, 1));
    assert_eq!(ask(&mut socket, 5, -1), (ErrorCode::NONE, 1));
    assert_eq!(ask(&mut socket, 5, 1), (ErrorCode::FETCH_SESSION_ID_NOT_FOUND, 0));
    assert_eq!(ask(&mut socket, 0, 1), (ErrorCode::FETCH_SESSION_ID_NOT_FOUND, 0));
}

#[test]
fn who_knows_another_leader_epoch_is_told() {
    let served = Served::new(Config::ephemeral());
    served.topic("t", 1);
    let mut socket = served.open();
    let ask = |socket: &mut Socket, epoch: i32| {
        let mut request = fetch("t", &[(0, 0)]);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        let answer: FetchResponse = socket.ask(&request, FETCH);
        ErrorCode(answer.responses[0].partitions[0].error_code)
    };
    assert_eq!(ask(&mut socket, 1_000_000), ErrorCode::UNKNOWN_LEADER_EPOCH);
    assert_eq!(ask(&mut socket, -1), ErrorCode::NONE);
}

#[test]
fn a_topic_is_fetched_by_its_id() {
    let served = Served::new(Config::ephemeral());
    served.topic("t", 1);
    let mut socket = served.open();
    let mut request = fetch("", &[(0, 0)]);
    request.topics[0].topic_id = Uuid([9; 16]);
    let answer: FetchResponse = socket.ask(&request, 13);
    let part = &answer.responses[0].partitions[0];
    assert_eq!(ErrorCode(part.error_code), ErrorCode::UNKNOWN_TOPIC_ID);
    assert_eq!(answer.responses[0].topic_id, Uuid([9; 16]));
}

#[test]
fn a_reader_may_take_its_time() {
    let served = Served::new(Config::ephemeral());
    served.topic("t", 1);
    let mut writer = served.open();
    writer.produce("t", -1, &[&vec![3; 900_000]]);
    let mut slow = served.open();
    // Far more than the sockets' buffers hold; nothing of it is read until all is asked for.
    let frames: Vec<u8> =
        (0..40).flat_map(|number| frame(&fetch("t", &[(0, 0)]), FETCH, number)).collect();
    slow.send(&frames);
    writer.produce("t", -1, &[b"other"]);
    for number in 0..40 {
        let (correlation, answer) = slow.receive::<FetchResponse>(FETCH);
        assert_eq!(correlation, number);
        assert_eq!(values(&answer.responses[0].partitions[0])[0].1.len(), 900_000);
    }
}
