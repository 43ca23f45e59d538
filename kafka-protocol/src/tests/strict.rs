//! What a version cannot say is an error, in both directions, and names its field.

use crate::messages::*;
use crate::wire::{DecodeFault, EncodeFault};
use crate::{
    ApiKey, DecodeError, EncodeError, Message, Reader, RequestHeader, Writer,
    decode_response_header, request_frame, response_frame, response_header,
};

fn encode<M: Message>(message: &M, version: i16) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    message.encode(&mut Writer::new(&mut bytes), version).map(|()| bytes)
}

fn decode<M: Message>(bytes: &[u8], version: i16) -> Result<M, DecodeError> {
    M::decode(&mut Reader::new(bytes), version)
}

#[test]
fn a_value_the_version_cannot_carry_is_refused_unless_it_may_be_dropped() {
    let response = MetadataResponse { cluster_authorized_operations: 7, ..Default::default() };
    assert!(encode(&response, 8).is_ok());
    let fault = EncodeFault::NotInVersion(11);
    assert_eq!(
        encode(&response, 11),
        Err(EncodeError { field: "cluster_authorized_operations", fault })
    );
    let response = MetadataResponse { throttle_time_ms: 7, ..Default::default() };
    assert!(encode(&response, 0).is_ok());
}

#[test]
fn null_is_refused_where_the_version_has_none() {
    let request = MetadataRequest { topics: None, ..Default::default() };
    assert_eq!(encode(&request, 1).unwrap(), [0xff; 4]);
    let fault = EncodeFault::UnexpectedNull;
    assert_eq!(encode(&request, 0), Err(EncodeError { field: "topics", fault }));
    let fault = DecodeFault::UnexpectedNull;
    assert_eq!(
        decode::<MetadataRequest>(&[0xff; 4], 0),
        Err(DecodeError { field: "topics", fault })
    );
}

#[test]
fn what_a_version_lacks_has_its_default() {
    let request = decode::<MetadataRequest>(&[0; 4], 0).unwrap();
    assert_eq!(request.topics, Some(Vec::new()));
    assert!(request.allow_auto_topic_creation);
}

#[test]
fn versions_that_are_not_known_are_errors() {
    let fault = DecodeFault::UnknownVersion(14);
    assert_eq!(
        decode::<MetadataRequest>(&[0; 9], 14),
        Err(DecodeError { field: "Metadata", fault })
    );
    let fault = EncodeFault::UnknownVersion(-1);
    assert_eq!(
        encode(&MetadataRequest::default(), -1),
        Err(EncodeError { field: "Metadata", fault })
    );
}

#[test]
fn counts_beyond_the_bytes_that_are_there_are_errors() {
    let fault = DecodeFault::CountTooLarge { count: 0x7fff_ffff, have: 0 };
    assert_eq!(
        decode::<MetadataRequest>(&[0x7f, 0xff, 0xff, 0xff], 0),
        Err(DecodeError { field: "topics", fault })
    );
    let fault = DecodeFault::BadLength(-2);
    assert_eq!(
        decode::<MetadataRequest>(&[0xff, 0xff, 0xff, 0xfe], 1),
        Err(DecodeError { field: "topics", fault })
    );
}

#[test]
fn a_large_frame_of_tiny_elements_is_refused_before_it_fills_memory() {
    // A name of no letters takes two bytes here, and forty in memory.
    let count: u32 = 50_000;
    let mut bytes = Vec::new();
    Writer::new(&mut bytes).uvarint(count + 1);
    bytes.extend_from_slice(&[1, 0].repeat(50_000));
    bytes.extend_from_slice(&[1, 0, 0, 0]);
    let error = decode::<MetadataRequest>(&bytes, 9).unwrap_err();
    assert_eq!(error.field, "topics");
    assert!(matches!(error.fault, DecodeFault::TooMuchMemory(_)), "{error}");
}

#[test]
fn tagged_fields_are_read_skipped_and_checked() {
    // ApiVersions v3: no error, no keys, throttle 0, then three tagged fields: tag 1 (the epoch
    // of the features), tag 9 (unknown), tag 3 (a bool).
    let head = [0, 0, 1, 0, 0, 0, 0];
    let epoch = [1, 8, 0, 0, 0, 0, 0, 0, 0, 42];
    let bytes = [&head[..], &[3], &epoch, &[9, 3, 1, 2, 3], &[3, 1, 1]].concat();
    let response = decode::<ApiVersionsResponse>(&bytes, 3).unwrap();
    assert_eq!(response.finalized_features_epoch, 42);
    assert!(response.zk_migration_ready);

    // A tagged field with a byte too many, and one that ends behind the message.
    let bytes = [&head[..], &[1, 3, 2, 1, 0]].concat();
    let error = decode::<ApiVersionsResponse>(&bytes, 3).unwrap_err();
    assert_eq!(error.fault, DecodeFault::Trailing(1));
    let bytes = [&head[..], &[1, 9, 200, 1, 0]].concat();
    let error = decode::<ApiVersionsResponse>(&bytes, 3).unwrap_err();
    assert_eq!(error.fault, DecodeFault::Truncated { need: 200, have: 1 });
}

#[test]
fn numbers_of_variable_length_have_32_bits() {
    let mut longest = Vec::new();
    Writer::new(&mut longest).uvarint(u32::MAX);
    assert_eq!(longest, [0xff, 0xff, 0xff, 0xff, 0x0f]);
    for value in [0, 1, 127, 128, 16_383, 16_384, u32::MAX] {
        let mut bytes = Vec::new();
        Writer::new(&mut bytes).uvarint(value);
        assert_eq!(Reader::new(&bytes).uvarint(), Ok(value));
    }
    for bad in [&[0xff, 0xff, 0xff, 0xff, 0x1f][..], &[0xff, 0xff, 0xff, 0xff, 0xff, 0]] {
        let error = Reader::new(bad).uvarint().unwrap_err();
        assert_eq!(error.fault, DecodeFault::BadVarint);
    }
}

#[test]
fn headers_are_longer_from_flexible_versions_on_but_not_in_answers_to_api_versions() {
    let mut out = Vec::new();
    response_header(ApiKey::METADATA, 8, 1, &mut out);
    response_header(ApiKey::METADATA, 9, 1, &mut out);
    response_header(ApiKey::API_VERSIONS, 4, 1, &mut out);
    assert_eq!(out, [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1]);

    for (key, version, len) in [(3, 8, 12), (3, 9, 13), (18, 4, 13), (17, 1, 12), (999, 9, 12)] {
        let client_id = Some("me".to_owned());
        let header =
            RequestHeader { api_key: key, api_version: version, correlation_id: 9, client_id };
        let mut out = Vec::new();
        header.encode(&mut Writer::new(&mut out)).unwrap();
        assert_eq!(out.len(), len);
        assert_eq!(RequestHeader::decode(&mut Reader::new(&out)), Ok(header));
    }
}

#[test]
fn frames_have_their_size_before_them_and_nothing_is_left_of_a_failed_one() {
    let mut out = vec![7];
    request_frame(&MetadataRequest::default(), 0, 5, Some("x"), &mut out).unwrap();
    assert_eq!(out, [7, 0, 0, 0, 15, 0, 3, 0, 0, 0, 0, 0, 5, 0, 1, b'x', 0, 0, 0, 0]);

    out.clear();
    response_frame(&HeartbeatResponse::default(), 4, 5, &mut out).unwrap();
    assert_eq!(out, [0, 0, 0, 12, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0]);
    let mut input = Reader::new(&out[4..]);
    assert_eq!(decode_response_header(ApiKey::HEARTBEAT, 4, &mut input), Ok(5));

    let wrong = MetadataResponse { cluster_authorized_operations: 7, ..Default::default() };
    let before = out.clone();
    assert!(response_frame(&wrong, 11, 5, &mut out).is_err());
    assert_eq!(out, before);
}
