use onrush_kafka_protocol::ErrorCode;
use onrush_kafka_protocol::messages::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopic,
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopic, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};

use super::{Server, now_ms};

fn at(partition_index: i32, timestamp: i64) -> ListOffsetsPartition {
    ListOffsetsPartition { partition_index, timestamp, ..ListOffsetsPartition::default() }
}

fn list(partitions: Vec<ListOffsetsPartition>) -> ListOffsetsRequest {
    ListOffsetsRequest {
        replica_id: -1,
        topics: vec![ListOffsetsTopic { name: "t".to_owned(), partitions }],
        ..ListOffsetsRequest::default()
    }
}

fn one(server: &Server, version: i16, timestamp: i64) -> ListOffsetsPartitionResponse {
    let answer: ListOffsetsResponse = server.ask(version, &list(vec![at(0, timestamp)]));
    answer.topics[0].partitions[0].clone()
}

#[test]
fn the_latest_offset_is_past_what_was_just_written() {
    let server = Server::start();
    server.topic("t", 1);
    for round in 1..=20 {
        server.write("t", 0, &[now_ms(), now_ms()]);
        assert_eq!(one(&server, 11, -1).offset, round * 2);
    }
}

#[test]
fn offsets_are_found_by_time_and_by_name_in_every_version() {
    let server = Server::start();
    server.topic("t", 1);
    let now = now_ms();
    server.write("t", 0, &[now - 30, now - 20]);
    server.write("t", 0, &[now + 50]);
    server.write("t", 0, &[now - 10]);
    assert_eq!(one(&server, 11, -1).offset, 4);
    let answers: Vec<ListOffsetsResponse> = server.ask_all(|_| list(vec![at(0, -2)]));
    for (version, answer) in (1..).zip(answers) {
        let found = &answer.topics[0].partitions[0];
        let epoch = if version < 4 { -1 } else { 0 };
        assert_eq!((found.error_code, found.offset, found.timestamp), (0, 0, -1));
        assert_eq!(found.leader_epoch, epoch, "version {version}");
    }
    let by_time = one(&server, 5, now - 25);
    assert_eq!((by_time.offset, by_time.timestamp), (1, now - 20));
    let newest = one(&server, 7, -3);
    assert_eq!((newest.offset, newest.timestamp), (2, now + 50));
    let later = one(&server, 7, now + 1000);
    assert_eq!((later.error_code, later.offset, later.timestamp), (0, -1, -1));
    assert_eq!(one(&server, 8, -4).offset, 0, "the earliest local one is the earliest");
    for (version, tiered) in [(9, -5), (11, -6)] {
        assert_eq!(
            (one(&server, version, tiered).error_code, one(&server, version, tiered).offset),
            (0, -1)
        );
    }
    for (version, later) in [(6, -3), (7, -4), (8, -5), (10, -6), (11, -7)] {
        assert_eq!(one(&server, version, later).error_code, ErrorCode::UNSUPPORTED_VERSION.0);
    }
}

#[test]
fn what_is_not_there_is_refused_partition_by_partition() {
    let server = Server::start();
    server.topic("t", 1);
    let stale = ListOffsetsPartition { current_leader_epoch: 9, ..at(0, -1) };
    let answer: ListOffsetsResponse = server.ask(4, &list(vec![stale, at(1, -1), at(-1, -1)]));
    let codes: Vec<i16> = answer.topics[0].partitions.iter().map(|p| p.error_code).collect();
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0;
    assert_eq!(codes, [ErrorCode::UNKNOWN_LEADER_EPOCH.0, unknown, unknown]);
    let twice: ListOffsetsResponse = server.ask(4, &list(vec![at(0, -1), at(0, -2)]));
    let codes: Vec<i16> = twice.topics[0].partitions.iter().map(|p| p.error_code).collect();
    assert_eq!(codes, [ErrorCode::INVALID_REQUEST.0; 2]);
}

#[test]
fn epochs_end_where_the_log_does() {
    let server = Server::start();
    server.topic("t", 1);
    let ask = |leader_epoch: i32| {
        let partition = OffsetForLeaderPartition { leader_epoch, ..Default::default() };
        let topic = OffsetForLeaderTopic { topic: "t".to_owned(), partitions: vec![partition] };
        let request = OffsetForLeaderEpochRequest { topics: vec![topic], ..Default::default() };
        let answers: Vec<OffsetForLeaderEpochResponse> = server.ask_all(|_| request.clone());
        let found = answers[2].topics[0].partitions[0].clone();
        assert_eq!(answers[0].topics[0].partitions[0].end_offset, found.end_offset);
        (found.error_code, found.leader_epoch, found.end_offset)
    };
    assert_eq!(ask(0), (0, 0, 0), "nothing written yet");
    server.write("t", 0, &[now_ms(); 3]);
    assert_eq!(ask(0), (0, 0, 3));
    assert_eq!(ask(1), (0, -1, -1), "there is no such epoch yet");
    assert_eq!(ask(-1), (0, -1, -1));
}

#[test]
fn records_are_deleted_before_an_offset() {
    let server = Server::start();
    server.topic("t", 1);
    server.write("t", 0, &[now_ms(); 10]);
    assert_eq!(one(&server, 11, -1).offset, 10);
    let delete = |topic: &str, partition_index: i32, offset: i64| {
        let partition = DeleteRecordsPartition { partition_index, offset };
        let topic = DeleteRecordsTopic { name: topic.to_owned(), partitions: vec![partition] };
        let request = DeleteRecordsRequest { topics: vec![topic], ..Default::default() };
        let answer: DeleteRecordsResponse = server.ask(2, &request);
        let result = &answer.topics[0].partitions[0];
        (result.error_code, result.low_watermark)
    };
    assert_eq!(delete("t", 0, 4), (0, 4));
    assert_eq!(one(&server, 11, -2).offset, 4);
    assert_eq!(delete("t", 0, 2), (0, 4), "what is gone stays gone");
    let out = ErrorCode::OFFSET_OUT_OF_RANGE.0;
    assert_eq!(delete("t", 0, 11), (out, -1));
    assert_eq!(delete("t", 0, -2), (out, -1));
    assert_eq!(delete("t", 0, -1), (0, 10));
    assert_eq!(delete("t", 1, 0), (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0, -1));
    assert_eq!(delete("none", 0, 0), (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0, -1));
}
