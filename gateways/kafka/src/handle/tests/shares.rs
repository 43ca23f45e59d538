use onrush_kafka_protocol::messages::{
    AcknowledgePartition, AcknowledgeTopic, DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsRequestGroup, DescribeShareGroupOffsetsResponse,
    ShareAcknowledgeRequest, ShareAcknowledgeRequestAcknowledgementBatch, ShareAcknowledgeResponse,
    ShareFetchRequest, ShareFetchRequestAcknowledgementBatch, ShareFetchRequestFetchPartition,
    ShareFetchRequestFetchTopic, ShareFetchResponse, ShareFetchResponsePartitionData,
    ShareGroupDescribeRequest, ShareGroupDescribeResponse, ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse,
};
use onrush_kafka_protocol::{ErrorCode, Uuid};

use super::configs::alter_of;
use super::{Server, now_ms};
use crate::lookup::wire_id;

const GROUP: i8 = 32;

fn heartbeat(server: &Server, member_epoch: i32) -> ShareGroupHeartbeatResponse {
    let request = ShareGroupHeartbeatRequest {
        group_id: "s".to_owned(),
        member_id: "m".to_owned(),
        member_epoch,
        subscribed_topic_names: (member_epoch == 0).then(|| vec!["t".to_owned()]),
        ..Default::default()
    };
    server.ask(1, &request)
}

fn fetch(
    server: &Server,
    epoch: i32,
    acknowledge: Option<(i64, i64, i8)>,
) -> (ShareFetchResponse, Option<ShareFetchResponsePartitionData>) {
    let batch = |(first_offset, last_offset, kind)| ShareFetchRequestAcknowledgementBatch {
        first_offset,
        last_offset,
        acknowledge_types: vec![kind],
    };
    let partition = ShareFetchRequestFetchPartition {
        acknowledgement_batches: acknowledge.map(batch).into_iter().collect(),
        ..Default::default()
    };
    let topic_id = wire_id(server.broker().topic_by_name("t").unwrap().id());
    let request = ShareFetchRequest {
        group_id: Some("s".to_owned()),
        member_id: Some("m".to_owned()),
        share_session_epoch: epoch,
        // However little is asked for, a batch comes, and nobody waits for what is there.
        max_bytes: 0,
        max_wait_ms: 60_000,
        max_records: 500,
        batch_size: 500,
        topics: vec![ShareFetchRequestFetchTopic { topic_id, partitions: vec![partition] }],
        ..Default::default()
    };
    let mut answer: ShareFetchResponse = server.ask(2, &request);
    let part = answer.responses.first_mut().map(|topic| topic.partitions.remove(0));
    (answer, part)
}

#[test]
fn records_are_acquired_released_and_accepted() {
    let server = Server::start();
    server.topic("t", 1);
    assert_eq!(
        alter_of(&server, GROUP, "s", &[("share.auto.offset.reset", 0, Some("earliest"))]).0,
        0
    );
    let joined = heartbeat(&server, 0);
    assert_eq!((joined.error_code, joined.member_id.as_deref()), (0, Some("m")));
    assert!(joined.assignment.is_some() && joined.heartbeat_interval_ms > 0);
    let placed = server.write("t", 0, &[now_ms(); 4]);
    let partition = server.partition("t", 0);
    if let Some(mark) = placed.await_durable {
        futures::executor::block_on(partition.wait_durable(mark)).unwrap();
    } else {
        let latest = partition.list_offset(onrush_broker::OffsetSpec::Latest);
        futures::executor::block_on(latest).unwrap();
    }
    let (answer, part) = fetch(&server, 0, None);
    let part = part.unwrap();
    assert_eq!((answer.error_code, part.error_code), (0, 0));
    assert!(answer.acquisition_lock_timeout_ms > 0 && !part.records.is_empty());
    let acquired = &part.acquired_records[0];
    assert_eq!((acquired.first_offset, acquired.last_offset, acquired.delivery_count), (0, 3, 1));
    // Two are released and come again; the last two are accepted.
    let (_, part) = fetch(&server, 1, Some((0, 1, 2)));
    let part = part.unwrap();
    assert_eq!(part.acknowledge_error_code, 0);
    let again = &part.acquired_records[0];
    assert_eq!((again.first_offset, again.last_offset, again.delivery_count), (0, 1, 2));
    let (_, part) = fetch(&server, 2, Some((0, 3, 1)));
    assert_eq!(part.unwrap().acknowledge_error_code, 0);
    // What lies before all that is left to settle is passed over, as a repeated answer would be.
    let (_, part) = fetch(&server, 3, Some((0, 0, 1)));
    assert_eq!(part.unwrap().acknowledge_error_code, 0);
    let (_, part) = fetch(&server, 4, Some((0, 0, 9)));
    assert_eq!(part.unwrap().acknowledge_error_code, ErrorCode::INVALID_REQUEST.0);
    let (answer, _) = fetch(&server, 77, None);
    assert_eq!(answer.error_code, ErrorCode::INVALID_SHARE_SESSION_EPOCH.0);

    let group = DescribeShareGroupOffsetsRequestGroup { group_id: "s".to_owned(), topics: None };
    let request = DescribeShareGroupOffsetsRequest { groups: vec![group] };
    let answer: DescribeShareGroupOffsetsResponse = server.ask(1, &request);
    let described = &answer.groups[0].topics[0].partitions[0];
    assert_eq!((described.start_offset, described.lag), (4, 0));
    let request = ShareGroupDescribeRequest {
        group_ids: vec!["s".to_owned(), "none".to_owned()],
        include_authorized_operations: true,
    };
    let answer: ShareGroupDescribeResponse = server.ask(1, &request);
    assert_eq!((&*answer.groups[0].group_state, answer.groups[0].members.len()), ("Stable", 1));
    assert_eq!(answer.groups[1].error_code, ErrorCode::GROUP_ID_NOT_FOUND.0);
    assert_eq!(heartbeat(&server, -1).error_code, 0);
}

#[test]
fn acknowledgements_go_without_a_fetch_too() {
    let server = Server::start();
    server.topic("t", 1);
    let acknowledge = |group: Option<&str>, epoch: i32| {
        let batch = ShareAcknowledgeRequestAcknowledgementBatch {
            first_offset: 0,
            last_offset: 0,
            acknowledge_types: vec![1],
        };
        let partition =
            AcknowledgePartition { partition_index: 0, acknowledgement_batches: vec![batch] };
        let request = ShareAcknowledgeRequest {
            group_id: group.map(str::to_owned),
            member_id: Some("m".to_owned()),
            share_session_epoch: epoch,
            topics: vec![AcknowledgeTopic { topic_id: Uuid([1; 16]), partitions: vec![partition] }],
            ..Default::default()
        };
        let answer: ShareAcknowledgeResponse = server.ask(2, &request);
        ErrorCode(answer.error_code)
    };
    assert_eq!(acknowledge(None, 1), ErrorCode::INVALID_REQUEST);
    assert_eq!(acknowledge(Some("s"), 1), ErrorCode::SHARE_SESSION_NOT_FOUND);
    let refused = alter_of(&server, GROUP, "s", &[("no.such.key", 0, Some("1"))]);
    assert_eq!(ErrorCode(refused.0), ErrorCode::INVALID_CONFIG);
    assert_eq!(alter_of(&server, GROUP, "", &[]).0, ErrorCode::INVALID_REQUEST.0);
}
