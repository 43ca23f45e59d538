//! Holds `docs/PROTOCOL.md` and the code together: every byte table, the tables of opcodes and
//! error codes, and every example frame of the page are what the code says.
//!
//! After a change of the code: `ONRUSH_BLESS=1 cargo test -p onrush-protocol document` rewrites
//! the parts between `<!-- … -->` and `<!-- end -->`; read the difference before committing it.

use std::fmt::Write;

use bytes::BytesMut;
use onrush_record::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, TopicId};
use smallvec::smallvec;

use super::decode_any;
use crate::error::{ErrorCode, WireError};
use crate::frame::{FrameDecoder, FrameStep};
use crate::messages::{Table, data, groups, offsets, session, topics, transactions};
use crate::opcode::{Opcode, RESERVED};
use crate::request::*;
use crate::response::*;
use crate::wire::{Maybe, Wire};
use crate::{FrameHeader, HEADER_LEN};

const PAGE: &str = include_str!("../../../docs/PROTOCOL.md");

fn tables() -> Vec<Table> {
    [
        session::tables(),
        data::tables(),
        offsets::tables(),
        topics::tables(),
        groups::tables(),
        transactions::tables(),
    ]
    .concat()
}

fn field_table(name: &str) -> Option<String> {
    let (_, fields) = tables().into_iter().find(|(table, _)| *table == name)?;
    if fields.is_empty() {
        return Some("No fields.\n".to_owned());
    }
    let mut text = "| Field | Type | Meaning |\n|---|---|---|\n".to_owned();
    for (field, ty, meaning) in fields {
        let _ = writeln!(text, "| `{field}` | {ty} | {meaning} |");
    }
    Some(text)
}

fn opcode_table() -> String {
    let mut text = "| Code | Name | What it does |\n|---|---|---|\n".to_owned();
    for opcode in Opcode::ALL {
        let _ = writeln!(text, "| {} | {} | {} |", opcode.code(), opcode.name(), opcode.meaning());
    }
    for (first, last, name) in RESERVED {
        let _ = writeln!(text, "| {first}–{last} | – | Reserved: {name} |");
    }
    text
}

fn error_table() -> String {
    let mut text = "| Code | Name | Outcome | Meaning |\n|---|---|---|---|\n".to_owned();
    text.push_str("| 0 | NONE | done | Success. |\n");
    for code in ErrorCode::TABLE {
        let (name, kind, meaning) = (code.name(), code.kind().name(), code.meaning());
        let _ = writeln!(text, "| {} | {name} | {kind} | {meaning} |", code.0);
    }
    text
}

/// A frame with a name for each of its fields.
struct Example {
    lines: Vec<(String, Vec<u8>)>,
}

impl Example {
    fn new(frame: &[u8], body: &impl Wire, payload: &[u8]) -> Self {
        let header = FrameHeader::read(frame.first_chunk::<HEADER_LEN>().unwrap());
        let opcode = Opcode::from_code(header.opcode).unwrap();
        let direction = match header.flags {
            0 => "request",
            1 => "response",
            _ => "push",
        };
        let mut lines = vec![
            (format!("length: {}", header.length), frame[0..4].to_vec()),
            (format!("opcode: {} {}", header.opcode, opcode.name()), frame[4..6].to_vec()),
            (format!("flags: {direction}"), frame[6..8].to_vec()),
            (format!("correlation: {}", header.correlation), frame[8..12].to_vec()),
            (format!("body_length: {}", header.body_length), frame[12..16].to_vec()),
        ];
        if header.is_response() {
            lines.push(("error: none".to_owned(), frame[16..18].to_vec()));
        }
        let mut fields = Vec::new();
        body.lines("", &mut fields);
        lines.extend(fields.into_iter().map(|(name, bytes)| (name, bytes.to_vec())));
        if !payload.is_empty() {
            lines.push(("payload".to_owned(), payload.to_vec()));
        }
        let bytes: Vec<u8> = lines.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        assert_eq!(bytes, [frame, payload].concat(), "lines leave nothing out");
        Self { lines }
    }

    fn request<R: RequestMessage>(request: &R, correlation: u32, payload: &[u8]) -> Self {
        let mut frame = BytesMut::new();
        request.encode_frame(&mut frame, correlation, payload.len());
        Self::new(&frame, request, payload)
    }

    fn response<R: RequestMessage>(fields: R::Response, correlation: u32, payload: &[u8]) -> Self {
        let mut frame = BytesMut::new();
        let reply = Ok(fields);
        encode_reply_frame::<R>(&mut frame, correlation, payload.len(), &reply);
        let Ok(fields) = reply else { unreachable!("made above") };
        Self::new(&frame, &fields, payload)
    }

    fn text(&self) -> String {
        let mut text = "```frame\n".to_owned();
        for (name, bytes) in &self.lines {
            for (index, row) in bytes.chunks(16).enumerate() {
                let hex: Vec<_> = row.iter().map(|byte| format!("{byte:02x}")).collect();
                let name = if index == 0 { name.as_str() } else { "" };
                let _ = writeln!(text, "{}", format!("{:<48} {name}", hex.join(" ")).trim_end());
            }
        }
        text + "```\n"
    }
}

/// One record, key `k`, value `hello`, timestamp 1700000000000, from producer 7, as a producer
/// sends it: base offset 0, leader epoch -1, sequence 0.
fn batch() -> Vec<u8> {
    let record = [22, 0, 0, 0, 2, b'k', 10, b'h', b'e', b'l', b'l', b'o'];
    let record = [&record[..], &[0]].concat();
    let mut checked = Vec::new();
    checked.extend_from_slice(&0_i16.to_be_bytes());
    checked.extend_from_slice(&0_i32.to_be_bytes());
    checked.extend_from_slice(&1_700_000_000_000_i64.to_be_bytes());
    checked.extend_from_slice(&1_700_000_000_000_i64.to_be_bytes());
    checked.extend_from_slice(&7_i64.to_be_bytes());
    checked.extend_from_slice(&0_i16.to_be_bytes());
    checked.extend_from_slice(&0_i32.to_be_bytes());
    checked.extend_from_slice(&1_i32.to_be_bytes());
    let mut record = record;
    record[0] = u8::try_from((record.len() - 1) * 2).unwrap();
    checked.extend_from_slice(&record);
    let mut batch = 0_i64.to_be_bytes().to_vec();
    let length = i32::try_from(checked.len() + 9).unwrap();
    batch.extend_from_slice(&length.to_be_bytes());
    batch.extend_from_slice(&(-1_i32).to_be_bytes());
    batch.push(2);
    batch.extend_from_slice(&onrush_record::crc32c(&checked).to_be_bytes());
    batch.extend_from_slice(&checked);
    batch
}

#[test]
fn the_batch_of_the_examples_is_sound() {
    onrush_record::batch::validate(&batch(), 1000).unwrap();
}

fn topic() -> TopicId {
    TopicId::new(std::array::from_fn(|index| 0xa0 + u8::try_from(index).unwrap()))
}

fn partition() -> TopicPartition {
    TopicPartition { topic_id: topic(), partition: 2 }
}

fn session_example(name: &str) -> Option<Example> {
    Some(match name {
        "hello" => Example::request(
            &HelloRequest {
                version_min: 1,
                version_max: 1,
                features: crate::features::ALL,
                client_name: "demo".to_owned(),
                client_version: "0.1".to_owned(),
                max_frame: crate::frame::DEFAULT_MAX_FRAME,
            },
            1,
            &[],
        ),
        "hello-response" => Example::response::<HelloRequest>(
            HelloResponse {
                version: 1,
                features: crate::features::ALL,
                broker_version: "0.1.0".to_owned(),
                node_id: 1,
                cluster_id: "c1".to_owned(),
                max_frame: crate::frame::DEFAULT_MAX_FRAME,
                max_in_flight: 1024,
            },
            1,
            &[],
        ),
        "metadata" => Example::request(
            &MetadataRequest {
                topics: Some(vec![TopicRef::Name("logs".to_owned())]),
                internal: false,
            },
            2,
            &[],
        ),
        "metadata-response" => Example::response::<MetadataRequest>(
            MetadataResponse {
                node_id: 1,
                cluster_id: "c1".to_owned(),
                brokers: vec![BrokerInfo { id: 1, host: "127.0.0.1".to_owned(), port: 7222 }],
                topics: vec![TopicMetadata {
                    error: Maybe::NONE,
                    name: "logs".to_owned(),
                    topic_id: topic(),
                    internal: false,
                    partitions: vec![PartitionMetadata {
                        error: Maybe::NONE,
                        index: 0,
                        leader_id: 1,
                        leader_epoch: Maybe::some(LeaderEpoch::new(3)),
                    }],
                }],
            },
            2,
            &[],
        ),
        "error" => {
            let error = WireError::new(ErrorCode::INVALID_GROUP_ID, "group id is empty");
            let mut frame = BytesMut::new();
            let reply = Reply::<GroupOffsetsResponse>::Err(error);
            encode_reply_frame::<GroupOffsetsRequest>(&mut frame, 9, 0, &reply);
            let at = |range: std::ops::Range<usize>| frame[range].to_vec();
            Example {
                lines: vec![
                    ("length".to_owned(), at(0..4)),
                    ("opcode: 32 GroupOffsets".to_owned(), at(4..6)),
                    ("flags: response".to_owned(), at(6..8)),
                    ("correlation: 9".to_owned(), at(8..12)),
                    ("body_length".to_owned(), at(12..16)),
                    ("code: 64 INVALID_GROUP_ID".to_owned(), at(16..18)),
                    ("message: \"group id is empty\"".to_owned(), at(18..37)),
                    ("retry_after_ms".to_owned(), at(37..41)),
                    ("detail: -1".to_owned(), at(41..49)),
                ],
            }
        }
        _ => return None,
    })
}

fn data_example(name: &str) -> Option<Example> {
    let batch = batch();
    let length = u32::try_from(batch.len()).unwrap();
    Some(match name {
        "produce" => Example::request(
            &ProduceRequest {
                acks: Acks::All,
                flags: 0,
                timeout_ms: 30_000,
                parts: smallvec![ProducePart {
                    topic_id: topic(),
                    partition: 0,
                    leader_epoch: Maybe::some(LeaderEpoch::new(3)),
                    expected_offset: Maybe::NONE,
                    batches_length: length,
                }],
            },
            3,
            &batch,
        ),
        "produce-response" => Example::response::<ProduceRequest>(
            ProduceResponse {
                parts: smallvec![ProducePartResponse {
                    error: Maybe::NONE,
                    base_offset: Maybe::some(Offset::new(41)),
                    log_start: Maybe::some(Offset::ZERO),
                    timestamp: -1,
                }],
            },
            3,
            &[],
        ),
        "fetch" => Example::request(
            &FetchRequest {
                max_wait_ms: 500,
                min_bytes: 1,
                max_bytes: 1 << 20,
                isolation: Isolation::ReadUncommitted,
                parts: smallvec![FetchPart {
                    topic_id: topic(),
                    partition: 0,
                    leader_epoch: Maybe::NONE,
                    offset: Offset::new(41),
                    max_bytes: 1 << 20,
                }],
            },
            4,
            &[],
        ),
        "subscribe" => Example::request(
            &SubscribeRequest {
                subscription: 1,
                topic_id: topic(),
                partition: 0,
                leader_epoch: Maybe::NONE,
                offset: Offset::ZERO,
                credit: 1 << 20,
                isolation: Isolation::ReadCommitted,
            },
            5,
            &[],
        ),
        "deliver" => {
            let deliver = Deliver {
                subscription: 1,
                error: Maybe::NONE,
                log_start: Maybe::some(Offset::ZERO),
                readable_end: Maybe::some(Offset::new(1)),
            };
            let mut frame = BytesMut::new();
            deliver.encode_frame(&mut frame, batch.len());
            Example::new(&frame, &deliver, &batch)
        }
        "credit" => Example::request(&CreditRequest { subscription: 1, bytes: 81 }, 0, &[]),
        _ => return None,
    })
}

fn group_example(name: &str) -> Option<Example> {
    Some(match name {
        "join" => Example::request(
            &GroupHeartbeatRequest {
                group: "readers".to_owned(),
                member_id: String::new(),
                member_epoch: JOIN,
                instance_id: None,
                rebalance_timeout_ms: 60_000,
                session_timeout_ms: None,
                subscription: Some(Subscription { topics: vec!["logs".to_owned()], regex: None }),
                assignor: None,
                owned: Some(vec![]),
            },
            6,
            &[],
        ),
        "join-response" => Example::response::<GroupHeartbeatRequest>(
            GroupHeartbeatResponse {
                member_id: "m-1".to_owned(),
                member_epoch: 1,
                heartbeat_interval_ms: 3000,
                assignment: Some(vec![partition()]),
            },
            6,
            &[],
        ),
        "commit" => Example::request(
            &GroupCommitRequest {
                group: "readers".to_owned(),
                member_id: "m-1".to_owned(),
                member_epoch: 1,
                offsets: vec![CommitOffset {
                    topic_id: topic(),
                    partition: 2,
                    offset: Maybe::some(Offset::new(42)),
                    leader_epoch: Maybe::NONE,
                    metadata: String::new(),
                }],
            },
            7,
            &[],
        ),
        _ => return None,
    })
}

fn transaction_example(name: &str) -> Option<Example> {
    Some(match name {
        "transaction-open" => Example::request(
            &TransactionOpenRequest {
                transactional_id: "mover".to_owned(),
                timeout_ms: 60_000,
                producer_id: ProducerId::NONE,
                producer_epoch: ProducerEpoch::NONE,
            },
            8,
            &[],
        ),
        "transaction-end" => Example::request(
            &TransactionEndRequest {
                transactional_id: "mover".to_owned(),
                producer_id: ProducerId::new(7),
                producer_epoch: ProducerEpoch::new(0),
                commit: true,
            },
            9,
            &[],
        ),
        _ => return None,
    })
}

fn example(name: &str) -> Option<String> {
    session_example(name)
        .or_else(|| data_example(name))
        .or_else(|| group_example(name))
        .or_else(|| transaction_example(name))
        .map(|example| example.text())
}

/// The text that belongs between a marker and its end.
fn generated(marker: &str) -> Option<String> {
    match marker.split_once(' ') {
        None if marker == "opcodes" => Some(opcode_table()),
        None if marker == "errors" => Some(error_table()),
        Some(("fields", name)) => field_table(name),
        Some(("example", name)) => example(name),
        _ => None,
    }
}

/// The page with everything between markers made anew.
fn renewed() -> String {
    let mut lines = PAGE.lines();
    let mut page = String::new();
    while let Some(line) = lines.next() {
        page.push_str(line);
        page.push('\n');
        let marker = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
        let Some(marker) = marker.filter(|marker| *marker != "end") else { continue };
        let text = generated(marker).unwrap_or_else(|| panic!("no marker is called {marker}"));
        page.push_str(&text);
        page.push_str("<!-- end -->\n");
        assert!(lines.any(|line| line == "<!-- end -->"), "marker {marker} has no end");
    }
    page
}

#[test]
fn the_page_says_what_the_code_does() {
    let renewed = renewed();
    if std::env::var_os("ONRUSH_BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/PROTOCOL.md");
        std::fs::write(path, &renewed).unwrap();
    } else {
        assert!(renewed == PAGE, "docs/PROTOCOL.md is out of date: see the top of this file");
    }
}

#[test]
fn the_page_has_every_message() {
    for (name, _) in tables() {
        let marker = format!("<!-- fields {name} -->");
        assert_eq!(PAGE.matches(&marker).count(), 1, "{marker}");
    }
    for opcode in Opcode::ALL {
        let heading = format!("### {} ({})\n", opcode.name(), opcode.code());
        assert_eq!(PAGE.matches(&heading).count(), 1, "{heading}");
    }
}

/// Reads the frames out of the page, as its reader would: hex up to the first double space.
fn frames_of_the_page() -> Vec<Vec<u8>> {
    let blocks = PAGE.split("```frame\n").skip(1);
    blocks
        .map(|block| {
            let block = block.split("```").next().unwrap();
            block
                .lines()
                .flat_map(|line| line.get(..48).unwrap_or(line).split_whitespace())
                .map(|byte| u8::from_str_radix(byte, 16).unwrap())
                .collect()
        })
        .collect()
}

#[test]
fn every_frame_of_the_page_decodes() {
    let frames = frames_of_the_page();
    assert!(frames.len() >= 14, "{}", frames.len());
    for bytes in frames {
        let step = FrameDecoder::default().decode(&bytes);
        let Ok(FrameStep::Frame(frame)) = step else { panic!("{step:?}") };
        assert_eq!(frame.header.frame_len(), bytes.len());
        decode_any(&frame.header, frame.body).unwrap();
        if !frame.payload.is_empty() {
            onrush_record::batch::validate(frame.payload, 1000).unwrap();
        }
    }
}
