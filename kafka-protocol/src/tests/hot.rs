//! Produce and Fetch around their records, held against the plain messages.

use bytes::Bytes;

use super::Dice;
use crate::fetch::{FetchResponseWriter, FetchedPartition, FetchedTop};
use crate::messages::*;
use crate::produce::{ProduceResponseWriter, ProduceView, ProducedPartition};
use crate::wire::{Field, Layout};
use crate::{ApiKey, ErrorCode, Message, Reader, TopicRef, Writer, response_frame};

const SEEDS: u64 = if cfg!(miri) { 1 } else { 100 };

/// Every version, or a few for an interpreter.
const STEP: usize = if cfg!(miri) { 4 } else { 1 };

fn layout(key: ApiKey, version: i16) -> Layout {
    Layout { version, flexible: version >= key.flexible_from() }
}

fn topic<'a>(name: &'a str, id: crate::Uuid, version: i16) -> TopicRef<'a> {
    if version >= 13 { TopicRef::Id(id) } else { TopicRef::Name(name) }
}

#[test]
fn the_view_of_a_produce_finds_what_the_plain_message_holds() {
    for version in ProduceRequest::VERSIONS.step_by(STEP) {
        for seed in 0..SEEDS {
            let mut dice = Dice::new(seed);
            let request =
                ProduceRequest::sample(&mut dice, layout(ApiKey::PRODUCE, version), false);
            let mut frame = b"before".to_vec();
            request.encode(&mut Writer::new(&mut frame), version).unwrap();

            let mut input = Reader::new(&frame);
            input.bytes(6).unwrap();
            let view = ProduceView::decode(&mut input, version).unwrap();
            assert_eq!(input.remaining(), 0);
            assert_eq!(view.transactional_id, request.transactional_id.as_deref());
            assert_eq!((view.acks, view.timeout_ms), (request.acks, request.timeout_ms));
            assert_eq!(view.topics, request.topic_data.len());
            let mut found = view.partitions();
            for (number, data) in request.topic_data.iter().enumerate() {
                for partition in &data.partition_data {
                    let found = found.next().unwrap();
                    assert_eq!(found.topic, topic(&data.name, data.topic_id, version));
                    assert_eq!(found.topic_number, number);
                    assert_eq!(found.topic_partitions, data.partition_data.len());
                    assert_eq!(found.index, partition.index);
                    let records = found.records.map(|range| &frame[range]);
                    assert_eq!(records, partition.records.as_deref());
                }
            }
            assert_eq!(found.next(), None);

            for cut in 6..frame.len() {
                if cfg!(miri) && cut % 7 != 0 {
                    continue;
                }
                let mut input = Reader::new(&frame[..cut]);
                input.bytes(6).unwrap();
                assert!(ProduceView::decode(&mut input, version).is_err(), "cut at {cut}");
            }
        }
    }
}

#[test]
fn the_writer_of_a_produce_response_writes_what_the_plain_message_does() {
    for version in ProduceResponse::VERSIONS.step_by(STEP) {
        for seed in 0..SEEDS {
            let mut dice = Dice::new(seed);
            let layout = layout(ApiKey::PRODUCE, version);
            let mut response = ProduceResponse::sample(&mut dice, layout, false);
            response.node_endpoints.clear();
            for topic in &mut response.responses {
                for partition in &mut topic.partition_responses {
                    partition.record_errors.clear();
                }
            }
            let mut expected = Vec::new();
            response_frame(&response, version, 77, &mut expected).unwrap();

            let mut out = b"before".to_vec();
            let topics = response.responses.len();
            let mut writer = ProduceResponseWriter::begin(&mut out, version, 77, topics).unwrap();
            for data in &response.responses {
                let named = topic(&data.name, data.topic_id, version);
                writer.topic(named, data.partition_responses.len()).unwrap();
                for partition in &data.partition_responses {
                    let leader = &partition.current_leader;
                    let led = *leader != ProduceResponseLeaderIdAndEpoch::default();
                    writer
                        .partition(&ProducedPartition {
                            index: partition.index,
                            error_code: ErrorCode(partition.error_code),
                            base_offset: partition.base_offset,
                            log_append_time_ms: partition.log_append_time_ms,
                            log_start_offset: partition.log_start_offset,
                            error_message: partition.error_message.as_deref(),
                            current_leader: led.then_some((leader.leader_id, leader.leader_epoch)),
                        })
                        .unwrap();
                }
            }
            writer.finish(response.throttle_time_ms).unwrap();
            assert_eq!(&out[6..], expected, "v{version} seed {seed}");
        }
    }
}

#[test]
fn the_parts_of_a_fetch_response_and_its_records_are_the_plain_message() {
    for version in FetchResponse::VERSIONS.step_by(STEP) {
        for seed in 0..SEEDS {
            let mut dice = Dice::new(seed);
            let mut response =
                FetchResponse::sample(&mut dice, layout(ApiKey::FETCH, version), false);
            response.node_endpoints.clear();
            for topic in &mut response.responses {
                for partition in &mut topic.partitions {
                    partition.snapshot_id = SnapshotId::default();
                    partition.records.get_or_insert_with(Bytes::new);
                }
            }
            let mut expected = Vec::new();
            response_frame(&response, version, 77, &mut expected).unwrap();
            assert_eq!(spliced(&response, version), expected, "v{version} seed {seed}");
        }
    }
}

/// The response as a broker sends it: the writer's parts, and the records between them.
fn spliced(response: &FetchResponse, version: i16) -> Vec<u8> {
    let mut parts = Vec::new();
    let mut splices = Vec::new();
    let top = FetchedTop {
        throttle_time_ms: response.throttle_time_ms,
        error_code: ErrorCode(response.error_code),
        session_id: response.session_id,
    };
    let topics = response.responses.len();
    let mut writer = FetchResponseWriter::begin(&mut parts, version, 77, top, topics).unwrap();
    for data in &response.responses {
        let named = topic(&data.topic, data.topic_id, version);
        writer.topic(named, data.partitions.len()).unwrap();
        for partition in &data.partitions {
            let records = partition.records.clone().unwrap();
            let at = writer.partition(&fetched(partition), records.len()).unwrap();
            splices.push((at, records));
        }
    }
    writer.finish().unwrap();
    let mut whole = Vec::new();
    let mut sent = 0;
    for (at, records) in splices {
        whole.extend_from_slice(&parts[sent..at]);
        whole.extend_from_slice(&records);
        sent = at;
    }
    whole.extend_from_slice(&parts[sent..]);
    whole
}

fn fetched(partition: &FetchResponsePartitionData) -> FetchedPartition<'_> {
    let diverging = &partition.diverging_epoch;
    let diverges = *diverging != FetchResponseEpochEndOffset::default();
    let leader = &partition.current_leader;
    let led = *leader != FetchResponseLeaderIdAndEpoch::default();
    FetchedPartition {
        index: partition.partition_index,
        error_code: ErrorCode(partition.error_code),
        high_watermark: partition.high_watermark,
        last_stable_offset: partition.last_stable_offset,
        log_start_offset: partition.log_start_offset,
        aborted_transactions: partition.aborted_transactions.as_deref(),
        preferred_read_replica: partition.preferred_read_replica,
        diverging_epoch: diverges.then_some((diverging.epoch, diverging.end_offset)),
        current_leader: led.then_some((leader.leader_id, leader.leader_epoch)),
    }
}
