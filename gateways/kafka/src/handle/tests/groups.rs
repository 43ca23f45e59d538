use bytes::Bytes;
use onrush_kafka_protocol::ErrorCode;
use onrush_kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupRequestProtocol,
    JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, ListGroupsRequest,
    ListGroupsResponse, MemberIdentity, OffsetCommitRequest, OffsetCommitRequestPartition,
    OffsetCommitRequestTopic, OffsetCommitResponse, OffsetDeleteRequest,
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic, OffsetDeleteResponse,
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    OffsetFetchResponse, SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse,
};

use super::Server;
use crate::lookup::wire_id;

fn joining(group: &str, member_id: &str) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: group.to_owned(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        member_id: member_id.to_owned(),
        protocol_type: "consumer".to_owned(),
        protocols: vec![JoinGroupRequestProtocol {
            name: "range".to_owned(),
            metadata: Bytes::from_static(b"wants t"),
        }],
        ..Default::default()
    }
}

fn sync(group: &str, generation_id: i32, member: &str) -> SyncGroupRequest {
    SyncGroupRequest {
        group_id: group.to_owned(),
        generation_id,
        member_id: member.to_owned(),
        assignments: vec![SyncGroupRequestAssignment {
            member_id: member.to_owned(),
            assignment: Bytes::from_static(b"has t"),
        }],
        ..Default::default()
    }
}

fn named(sync: SyncGroupRequest) -> SyncGroupRequest {
    SyncGroupRequest {
        protocol_type: Some("consumer".to_owned()),
        protocol_name: Some("range".to_owned()),
        ..sync
    }
}

/// Joins and syncs a member by the newest versions; its id and generation.
fn member(server: &Server, group: &str) -> (String, i32) {
    let told: JoinGroupResponse = server.ask(9, &joining(group, ""));
    assert_eq!(told.error_code, ErrorCode::MEMBER_ID_REQUIRED.0);
    assert_eq!((told.generation_id, told.protocol_name), (-1, None));
    let joined: JoinGroupResponse = server.ask(9, &joining(group, &told.member_id));
    assert_eq!((joined.error_code, &joined.leader), (0, &joined.member_id));
    assert_eq!(joined.protocol_name.as_deref(), Some("range"));
    assert_eq!(joined.members.len(), 1);
    assert_eq!(&joined.members[0].metadata[..], b"wants t");
    let synced: SyncGroupResponse =
        server.ask(5, &named(sync(group, joined.generation_id, &joined.member_id)));
    assert_eq!((synced.error_code, &synced.assignment[..]), (0, &b"has t"[..]));
    (joined.member_id, joined.generation_id)
}

fn offsets(partitions: &[i32], offset: i64) -> Vec<OffsetCommitRequestPartition> {
    let one = |index: &i32| OffsetCommitRequestPartition {
        partition_index: *index,
        committed_offset: offset,
        committed_metadata: Some("note".to_owned()),
        ..Default::default()
    };
    partitions.iter().map(one).collect()
}

fn commit(server: &Server, version: i16, generation: i32, member: &str) -> Vec<ErrorCode> {
    let id = wire_id(server.broker().topic_by_name("t").unwrap().id());
    let topic = OffsetCommitRequestTopic {
        name: if version < 10 { "t".to_owned() } else { String::new() },
        topic_id: if version < 10 { Default::default() } else { id },
        partitions: offsets(&[0, 9], i64::from(version)),
    };
    let request = OffsetCommitRequest {
        group_id: "g".to_owned(),
        generation_id_or_member_epoch: generation,
        member_id: member.to_owned(),
        topics: vec![topic],
        ..Default::default()
    };
    let answer: OffsetCommitResponse = server.ask(version, &request);
    answer.topics[0].partitions.iter().map(|p| ErrorCode(p.error_code)).collect()
}

#[test]
fn a_member_joins_stays_and_leaves_in_every_version() {
    let server = Server::start();
    for version in 0..=9 {
        let group = format!("g{version}");
        let first: JoinGroupResponse = server.ask(version, &joining(&group, ""));
        let joined = if version >= 4 {
            assert_eq!(first.error_code, ErrorCode::MEMBER_ID_REQUIRED.0);
            server.ask(version, &joining(&group, &first.member_id))
        } else {
            first
        };
        assert_eq!((joined.error_code, joined.generation_id), (0, 1), "version {version}");
        let request = sync(&group, 1, &joined.member_id);
        let synced: SyncGroupResponse = match version {
            0..=4 => server.ask(version, &request),
            _ => server.ask(5, &named(request)),
        };
        assert_eq!((synced.error_code, &synced.assignment[..]), (0, &b"has t"[..]));
        let beat = HeartbeatRequest {
            group_id: group.clone(),
            generation_id: 1,
            member_id: joined.member_id.clone(),
            ..Default::default()
        };
        let answer: HeartbeatResponse = server.ask(version.min(4), &beat);
        assert_eq!(answer.error_code, 0);
        let late: HeartbeatResponse =
            server.ask(version.min(4), &HeartbeatRequest { generation_id: 7, ..beat });
        assert_eq!(late.error_code, ErrorCode::ILLEGAL_GENERATION.0);
        let one = MemberIdentity { member_id: joined.member_id.clone(), ..Default::default() };
        let version = version.min(5);
        let leave = LeaveGroupRequest {
            group_id: group.clone(),
            member_id: if version < 3 { joined.member_id.clone() } else { String::new() },
            members: if version < 3 { Vec::new() } else { vec![one] },
        };
        let left: LeaveGroupResponse = server.ask(version, &leave);
        assert_eq!((left.error_code, left.members.iter().all(|m| m.error_code == 0)), (0, true));
        let again: LeaveGroupResponse = server.ask(version, &leave);
        let code = again.members.first().map_or(again.error_code, |member| member.error_code);
        assert_eq!(code, ErrorCode::UNKNOWN_MEMBER_ID.0);
    }
}

#[test]
fn who_does_not_belong_is_told_so() {
    let server = Server::start();
    let stranger: JoinGroupResponse = server.ask(9, &joining("g", "stranger"));
    assert_eq!(stranger.error_code, ErrorCode::UNKNOWN_MEMBER_ID.0);
    assert_eq!(stranger.member_id, "stranger");
    let nobody: JoinGroupResponse = server.ask(3, &joining("", ""));
    assert_eq!(nobody.error_code, ErrorCode::INVALID_GROUP_ID.0);
    assert_eq!(nobody.protocol_name.as_deref(), Some(""));
    let hasty = JoinGroupRequest { session_timeout_ms: 1, ..joining("g", "") };
    let hasty: JoinGroupResponse = server.ask(3, &hasty);
    assert_eq!(hasty.error_code, ErrorCode::INVALID_SESSION_TIMEOUT.0);
    let unnamed: SyncGroupResponse = server.ask(5, &sync("g", 1, "stranger"));
    assert_eq!(unnamed.error_code, ErrorCode::INCONSISTENT_GROUP_PROTOCOL.0);
    let other: SyncGroupResponse = server.ask(3, &sync("g", 1, "stranger"));
    assert_eq!(other.error_code, ErrorCode::UNKNOWN_MEMBER_ID.0);
}

#[test]
fn offsets_are_committed_and_fetched_in_every_version() {
    let server = Server::start();
    server.topic("t", 2);
    let (id, generation) = member(&server, "g");
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    let named = |topic: &str| OffsetFetchRequestTopic {
        name: topic.to_owned(),
        partition_indexes: vec![0, 1],
    };
    for version in 2..=10 {
        assert_eq!(commit(&server, version, generation, &id), [ErrorCode::NONE, unknown]);
        assert_eq!(commit(&server, version, generation + 1, &id)[0], ErrorCode::ILLEGAL_GENERATION);
        assert_eq!(commit(&server, version, generation, "x")[0], ErrorCode::UNKNOWN_MEMBER_ID);
        assert_eq!(commit(&server, version, -1, "")[0], ErrorCode::UNKNOWN_MEMBER_ID);
        for fetch in 1..=7 {
            let request = OffsetFetchRequest {
                group_id: "g".to_owned(),
                topics: Some(vec![named("t"), named("none")]),
                require_stable: fetch == 7,
                ..Default::default()
            };
            let answer: OffsetFetchResponse = server.ask(fetch, &request);
            let found = &answer.topics[0].partitions;
            assert_eq!(found[0].committed_offset, i64::from(version));
            assert_eq!(found[0].metadata.as_deref(), Some("note"));
            assert_eq!((found[1].error_code, found[1].committed_offset), (0, -1));
            assert_eq!(answer.topics[1].partitions[0].committed_offset, -1);
        }
    }
    for version in 8..=10 {
        let id = wire_id(server.broker().topic_by_name("t").unwrap().id());
        let topic = OffsetFetchRequestTopics {
            name: if version < 10 { "t".to_owned() } else { String::new() },
            topic_id: if version < 10 { Default::default() } else { id },
            partition_indexes: vec![0],
        };
        let group = |topics| OffsetFetchRequestGroup {
            group_id: "g".to_owned(),
            topics,
            ..Default::default()
        };
        let request = OffsetFetchRequest {
            groups: vec![group(Some(vec![topic])), group(None)],
            require_stable: true,
            ..Default::default()
        };
        let answer: OffsetFetchResponse = server.ask(version, &request);
        for group in &answer.groups {
            assert_eq!(group.topics[0].partitions[0].committed_offset, 10);
        }
    }
    let missing = OffsetFetchRequestTopics {
        topic_id: onrush_kafka_protocol::Uuid([9; 16]),
        partition_indexes: vec![0],
        ..Default::default()
    };
    let group = OffsetFetchRequestGroup {
        group_id: "g".to_owned(),
        topics: Some(vec![missing]),
        ..Default::default()
    };
    let request = OffsetFetchRequest { groups: vec![group], ..Default::default() };
    let answer: OffsetFetchResponse = server.ask(10, &request);
    let code = answer.groups[0].topics[0].partitions[0].error_code;
    assert_eq!(code, ErrorCode::UNKNOWN_TOPIC_ID.0);
}

#[test]
fn groups_are_listed_described_and_deleted() {
    let server = Server::start();
    server.topic("t", 2);
    let (id, generation) = member(&server, "g");
    assert_eq!(commit(&server, 9, generation, &id)[0], ErrorCode::NONE);
    let describe = |version: i16, group: &str| {
        let request = DescribeGroupsRequest {
            groups: vec![group.to_owned()],
            include_authorized_operations: version >= 3,
        };
        let mut answer: DescribeGroupsResponse = server.ask(version, &request);
        answer.groups.remove(0)
    };
    for version in 0..=6 {
        let group = describe(version, "g");
        assert_eq!((group.error_code, &*group.group_state), (0, "Stable"));
        assert_eq!((&*group.protocol_type, &*group.protocol_data), ("consumer", "range"));
        let member = &group.members[0];
        assert_eq!((&*member.client_id, &*member.client_host), ("tester", "/10.1.2.3"));
        assert_eq!(&member.member_assignment[..], b"has t");
        let operations = if version >= 3 { 3400 } else { i32::MIN };
        assert_eq!(group.authorized_operations, operations);
    }
    assert_eq!((describe(5, "none").error_code, &*describe(5, "none").group_state), (0, "Dead"));
    assert_eq!(describe(6, "none").error_code, ErrorCode::GROUP_ID_NOT_FOUND.0);

    let list = |states: &[&str], types: &[&str]| {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let request = ListGroupsRequest { states_filter: own(states), types_filter: own(types) };
        let answer: ListGroupsResponse = server.ask(5, &request);
        answer
            .groups
            .into_iter()
            .map(|g| (g.group_id, g.group_state, g.group_type))
            .collect::<Vec<_>>()
    };
    let listed = vec![("g".to_owned(), "Stable".to_owned(), "classic".to_owned())];
    assert_eq!(list(&[], &[]), listed);
    assert_eq!(list(&["stable"], &["Classic"]), listed);
    assert!(list(&["Empty"], &[]).is_empty() && list(&[], &["consumer"]).is_empty());

    let delete = |group: &str| {
        let request = DeleteGroupsRequest { groups_names: vec![group.to_owned()] };
        let answer: DeleteGroupsResponse = server.ask(2, &request);
        ErrorCode(answer.results[0].error_code)
    };
    let forget = |group: &str| {
        let partition = |partition_index| OffsetDeleteRequestPartition { partition_index };
        let topic = OffsetDeleteRequestTopic {
            name: "t".to_owned(),
            partitions: vec![partition(9), partition(0)],
        };
        let request = OffsetDeleteRequest { group_id: group.to_owned(), topics: vec![topic] };
        let answer: OffsetDeleteResponse = server.ask(0, &request);
        let codes = answer.topics.iter().flat_map(|topic| &topic.partitions);
        (ErrorCode(answer.error_code), codes.map(|p| ErrorCode(p.error_code)).collect::<Vec<_>>())
    };
    assert_eq!(delete("g"), ErrorCode::NON_EMPTY_GROUP);
    assert_eq!(delete("none"), ErrorCode::GROUP_ID_NOT_FOUND);
    assert_eq!(forget("none"), (ErrorCode::GROUP_ID_NOT_FOUND, Vec::new()));
    let leave = LeaveGroupRequest {
        group_id: "g".to_owned(),
        members: vec![MemberIdentity { member_id: id, ..Default::default() }],
        ..Default::default()
    };
    let left: LeaveGroupResponse = server.ask(5, &leave);
    assert_eq!(left.error_code, 0);
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    assert_eq!(forget("g"), (ErrorCode::NONE, vec![unknown, ErrorCode::NONE]));
    assert_eq!(commit(&server, 3, -1, ""), [ErrorCode::NONE, unknown], "a lone consumer's");
    assert_eq!(delete("g"), ErrorCode::NONE);
    assert!(list(&[], &[]).is_empty());
}
