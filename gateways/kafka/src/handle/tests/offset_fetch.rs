use onrush_kafka_protocol::ErrorCode;
use onrush_kafka_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, OffsetCommitRequest,
    OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponse,
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponse,
    OffsetFetchResponseGroup,
};

use super::Server;

const MEMBER: &str = "AAAAAAAAAAAAAAAAAAAAAQ";

fn asked(group: &str, member: Option<&str>, epoch: i32, parts: &[i32]) -> OffsetFetchRequestGroup {
    let topic = OffsetFetchRequestTopics {
        name: "t".to_owned(),
        partition_indexes: parts.to_vec(),
        ..Default::default()
    };
    OffsetFetchRequestGroup {
        group_id: group.to_owned(),
        member_id: member.map(str::to_owned),
        member_epoch: epoch,
        topics: Some(vec![topic]),
    }
}

fn ask(server: &Server, group: OffsetFetchRequestGroup) -> OffsetFetchResponseGroup {
    let request = OffsetFetchRequest { groups: vec![group], ..Default::default() };
    server.ask::<_, OffsetFetchResponse>(9, &request).groups.remove(0)
}

/// The error of the whole, and each partition's error and offset.
fn told(group: &OffsetFetchResponseGroup) -> (ErrorCode, Vec<(i16, i64)>) {
    let partitions = group.topics.iter().flat_map(|topic| &topic.partitions);
    let partitions = partitions.map(|one| (one.error_code, one.committed_offset)).collect();
    (ErrorCode(group.error_code), partitions)
}

/// Begins a group of the newer protocol, and gives its member's epoch.
fn begin(server: &Server) -> i32 {
    let request = ConsumerGroupHeartbeatRequest {
        group_id: "g".to_owned(),
        member_id: MEMBER.to_owned(),
        rebalance_timeout_ms: 10_000,
        subscribed_topic_names: Some(vec!["t".to_owned()]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    };
    let answer: ConsumerGroupHeartbeatResponse = server.ask(1, &request);
    assert_eq!(answer.error_code, 0, "{answer:?}");
    answer.member_epoch
}

#[test]
fn who_is_no_member_is_told_and_a_group_that_is_none_has_committed_nothing() {
    let server = Server::start();
    server.topic("t", 1);
    let nothing = (ErrorCode::NONE, vec![(0, -1)]);
    assert_eq!(told(&ask(&server, asked("g", None, -1, &[0]))), nothing);
    assert_eq!(told(&ask(&server, asked("g", Some(MEMBER), 3, &[0]))), nothing);
    let epoch = begin(&server);
    assert_eq!(told(&ask(&server, asked("g", None, -1, &[0]))), nothing);
    assert_eq!(told(&ask(&server, asked("g", Some(MEMBER), epoch, &[0]))), nothing);
    let refused = |member, epoch| told(&ask(&server, asked("g", member, epoch, &[0])));
    let (unknown, stale) = (ErrorCode::UNKNOWN_MEMBER_ID, ErrorCode::STALE_MEMBER_EPOCH);
    assert_eq!(refused(Some("other"), epoch), (unknown, vec![]));
    assert_eq!(refused(None, epoch), (unknown, vec![]));
    assert_eq!(refused(Some(MEMBER), epoch + 1), (stale, vec![]));
    assert_eq!(refused(Some(MEMBER), -1), (stale, vec![]));
}

#[test]
fn a_partition_named_twice_is_answered_twice() {
    let server = Server::start();
    server.topic("t", 2);
    let partition = OffsetCommitRequestPartition { committed_offset: 7, ..Default::default() };
    let topic = OffsetCommitRequestTopic {
        name: "t".to_owned(),
        partitions: vec![partition],
        ..Default::default()
    };
    let request = OffsetCommitRequest {
        group_id: "simple".to_owned(),
        topics: vec![topic],
        ..Default::default()
    };
    let answer: OffsetCommitResponse = server.ask(8, &request);
    assert_eq!(answer.topics[0].partitions[0].error_code, 0);
    let found = ask(&server, asked("simple", None, -1, &[0, 1, 0]));
    assert_eq!(told(&found), (ErrorCode::NONE, vec![(0, 7), (0, -1), (0, 7)]));
}
