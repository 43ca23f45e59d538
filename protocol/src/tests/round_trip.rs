//! What was encoded decodes to the same, and encodes to the same bytes again.

use bytes::BytesMut;
use onrush_record::{Offset, TopicId};
use proptest::prelude::*;
use smallvec::smallvec;

use super::sample::{Sample, Source};
use super::split;
use crate::error::{ErrorCode, ErrorKind, WireError};
use crate::opcode::{Opcode, RESERVED};
use crate::request::*;
use crate::response::{
    Deliver, FetchPartResponse, FetchResponse, ProduceResponse, Response, Throttle,
    encode_error_frame, encode_reply_frame,
};
use crate::wire::{DecodeError, MAX_STR_LEN, Maybe, Message};

fn entropy() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..2048)
}

proptest! {
    #![proptest_config(super::cases())]

    #[test]
    fn every_request_survives(bytes in entropy()) {
        for request in Request::samples(&mut Source::new(&bytes)) {
            let mut body = BytesMut::new();
            request.encode(&mut body);
            let decoded = Request::decode(request.opcode(), &body);
            prop_assert_eq!(decoded.as_ref(), Ok(&request));
            let mut again = BytesMut::new();
            decoded.unwrap().encode(&mut again);
            prop_assert_eq!(body, again);
        }
    }

    #[test]
    fn every_response_survives(bytes in entropy()) {
        for response in Response::samples(&mut Source::new(&bytes)) {
            let mut body = BytesMut::new();
            response.encode(&mut body);
            let opcode = response.opcode();
            prop_assert_eq!(Response::decode(opcode, &body), Ok(Ok(response)));
        }
    }

    #[test]
    fn errors_survive_under_every_opcode(bytes in entropy()) {
        let error = WireError::sample(&mut Source::new(&bytes));
        for opcode in Opcode::ALL {
            if matches!(opcode, Opcode::Deliver | Opcode::Throttle | Opcode::Credit) {
                continue;
            }
            let mut frame = BytesMut::new();
            encode_error_frame(&mut frame, opcode.code(), 9, &error);
            let (header, body) = split(&frame);
            prop_assert_eq!((header.opcode, header.correlation), (opcode.code(), 9));
            prop_assert_eq!(Response::from_frame(&header, body), Ok(Err(error.clone())));
        }
    }

    #[test]
    fn pushes_survive(bytes in entropy()) {
        let mut deliver = Deliver::sample(&mut Source::new(&bytes));
        deliver.error = Maybe::NONE;
        let mut frame = BytesMut::new();
        deliver.encode_frame(&mut frame, 5);
        frame.extend_from_slice(b"batch");
        let (header, body) = split(&frame);
        prop_assert_eq!(&frame[header.payload_range()], b"batch");
        prop_assert_eq!(Deliver::from_frame(&header, body), Ok(deliver));
        prop_assert!(Throttle::from_frame(&header, body).is_err());

        let throttle = Throttle::sample(&mut Source::new(&bytes));
        let mut frame = BytesMut::new();
        throttle.encode_frame(&mut frame);
        let (header, body) = split(&frame);
        prop_assert_eq!(Throttle::from_frame(&header, body), Ok(throttle));
        prop_assert!(Deliver::from_frame(&header, body).is_err());
    }
}

fn produce(lengths: &[u32]) -> ProduceRequest {
    ProduceRequest {
        acks: Acks::All,
        flags: 0,
        timeout_ms: 1000,
        parts: lengths
            .iter()
            .map(|&batches_length| ProducePart {
                topic_id: TopicId::new([7; 16]),
                partition: 1,
                leader_epoch: Maybe::NONE,
                expected_offset: Maybe::some(Offset::new(5)),
                batches_length,
            })
            .collect(),
    }
}

#[test]
fn a_produce_payload_is_split_by_its_parts() {
    let request = produce(&[3, 0, 4]);
    assert!(request.check_payload(7).is_ok());
    let claimed = DecodeError::PayloadMismatch { claimed: 7, payload: 8 };
    assert_eq!(request.check_payload(8), Err(claimed));
    let ranges: Vec<_> = request.ranges().map(|(_, range)| range).collect();
    assert_eq!(ranges, [0..3, 3..3, 3..7]);
    let large = produce(&[u32::MAX, u32::MAX]);
    assert!(large.check_payload(usize::MAX).is_err());
}

#[test]
fn a_fetch_payload_is_split_by_its_parts() {
    let part = |payload_length| FetchPartResponse {
        error: Maybe::NONE,
        log_start: Maybe::some(Offset::ZERO),
        readable_end: Maybe::some(Offset::new(9)),
        payload_length,
    };
    let response = FetchResponse { parts: smallvec![part(2), part(5)] };
    let mut frame = BytesMut::new();
    encode_reply_frame::<FetchRequest>(&mut frame, 3, 7, &Ok(response.clone()));
    let (header, body) = split(&frame);
    assert_eq!(header.payload_len(), 7);
    assert_eq!(Response::from_frame(&header, body), Ok(Ok(Response::Fetch(response.clone()))));
    assert_eq!(response.ranges().map(|(_, range)| range).collect::<Vec<_>>(), [0..2, 2..7]);
    let short = crate::FrameHeader { length: header.length - 1, ..header };
    assert!(Response::from_frame(&short, body).is_err());
}

#[test]
fn a_payload_where_none_belongs_is_an_error() {
    let mut frame = BytesMut::new();
    PingRequest {}.encode_frame(&mut frame, 1, 3);
    let (header, body) = split(&frame);
    let error = Err(DecodeError::UnexpectedPayload { payload: 3 });
    assert_eq!(Request::from_frame(&header, body), error);
}

#[test]
fn requests_without_a_response_say_so() {
    let mut request = produce(&[]);
    assert!(Request::from(request.clone()).has_response());
    request.acks = Acks::None;
    assert!(!Request::from(request).has_response());
    assert!(!Request::from(CreditRequest { subscription: 1, bytes: 1 }).has_response());
    let body = [0, 0];
    assert!(Response::decode(Opcode::Credit, &body).is_err());
    assert!(Request::decode(Opcode::Deliver, &body).is_err());
}

#[test]
fn hot_messages_of_up_to_four_parts_stay_inline() {
    let mut body = BytesMut::new();
    produce(&[1, 2, 3, 4]).encode(&mut body);
    assert!(!ProduceRequest::decode(&body).unwrap().parts.spilled());
    assert!(!ProduceResponse { parts: smallvec![] }.parts.spilled());
}

#[test]
fn text_too_long_is_cut_at_a_character() {
    let long = "漢".repeat(MAX_STR_LEN);
    let mut body = BytesMut::new();
    let request = GroupOffsetsRequest {
        group: long.clone(),
        partitions: None,
        with_end: false,
        stable: false,
    };
    request.encode(&mut body);
    let decoded = GroupOffsetsRequest::decode(&body).unwrap();
    assert_eq!(decoded.group, long[..MAX_STR_LEN / 3 * 3]);
}

#[test]
fn the_tables_are_in_order_and_without_doubles() {
    assert!(ErrorCode::TABLE.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(Opcode::ALL.windows(2).all(|pair| pair[0] < pair[1]));
    for opcode in Opcode::ALL {
        assert_eq!(Opcode::from_code(opcode.code()), Ok(*opcode));
    }
    assert_eq!(ErrorCode::UNKNOWN_TOPIC.to_string(), "UNKNOWN_TOPIC(20)");
    assert_eq!(ErrorCode(65_000).kind(), ErrorKind::Unknown);
    assert_eq!(ErrorCode(65_000).name(), "UNRECOGNISED");
}

#[test]
fn reserved_codes_are_refused_by_name() {
    for &(first, last, name) in RESERVED {
        for code in first..=last {
            let error = Opcode::from_code(code).unwrap_err();
            assert_eq!(error, DecodeError::Reserved { code, name });
            let answer = WireError::from(&error);
            assert_eq!(answer.code, ErrorCode::NOT_AVAILABLE);
            assert!(answer.message.contains(name));
        }
    }
    for code in [0, 5, 9, 19, 24, 36, 39, 80, u16::MAX] {
        let error = Opcode::from_code(code).unwrap_err();
        assert_eq!(error, DecodeError::UnknownOpcode(code));
        assert_eq!(WireError::from(&error).code, ErrorCode::UNKNOWN_OPCODE);
    }
}
