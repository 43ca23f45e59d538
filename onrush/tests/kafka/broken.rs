//! Frames that are none, and requests that are not served.

use std::io::{ErrorKind, Read as _};
use std::time::Duration;

use onrush::Config;
use onrush_kafka_protocol::messages::{
    AlterClientQuotasRequest, AlterClientQuotasRequestEntityData,
    AlterClientQuotasRequestEntryData, AlterClientQuotasResponse, ApiVersionsResponse,
    FetchRequest, FetchResponse, OpData, ProduceRequest, ProduceResponse,
};
use onrush_kafka_protocol::{ApiKey, ErrorCode};

use crate::socket::{FETCH, PRODUCE, Served, Socket, batch, fetch, frame, hello, only, produce};

/// The broker still serves others.
pub(crate) fn still_serves(served: &Served) {
    assert_eq!(served.open().versions().error_code, 0);
}

/// A frame of any API: header, client id, then these bytes.
pub(crate) fn raw(key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    bytes.extend(key.to_be_bytes());
    bytes.extend(version.to_be_bytes());
    bytes.extend(7_i32.to_be_bytes());
    bytes.extend((-1_i16).to_be_bytes());
    if version >= ApiKey(key).flexible_from() {
        bytes.push(0);
    }
    bytes.extend(body);
    let length = u32::try_from(bytes.len() - 4).unwrap();
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    bytes
}

#[test]
fn what_is_no_frame_ends_the_connection() {
    let served = Served::new(Config::ephemeral());
    let http = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let tls = [0x16, 3, 1, 2, 0, 1, 0, 1];
    let cases: [&[u8]; 7] = [
        &(-1_i32).to_be_bytes(),
        &i32::MIN.to_be_bytes(),
        &i32::MAX.to_be_bytes(),
        &0_i32.to_be_bytes(),
        &7_i32.to_be_bytes(),
        http,
        &tls,
    ];
    for bytes in cases {
        let mut socket = served.open();
        socket.send(bytes);
        socket.is_closed();
    }
    still_serves(&served);
}

#[test]
fn too_new_a_version_of_api_versions_is_answered_in_the_oldest() {
    let served = Served::new(Config::ephemeral());
    let mut socket = served.open();
    // As franz-go begins every connection.
    for version in [5, 99, -1] {
        socket.send(&raw(ApiKey::API_VERSIONS.0, version, &[]));
        let (correlation, answer) = socket.receive::<ApiVersionsResponse>(0);
        assert_eq!(
            (correlation, ErrorCode(answer.error_code)),
            (7, ErrorCode::UNSUPPORTED_VERSION)
        );
        let [only] = answer.api_keys.as_slice() else { panic!("{answer:?}") };
        assert_eq!((only.api_key, only.min_version, only.max_version), (18, 0, 4));
    }
    assert_eq!(socket.versions().error_code, 0);
}

#[test]
fn every_version_of_api_versions_tells_the_same() {
    let served = Served::new(Config::ephemeral());
    let mut socket = served.open();
    let told = socket.versions().api_keys;
    for version in 0..=4 {
        let answer: ApiVersionsResponse = socket.ask(&hello(), version);
        assert_eq!((answer.error_code, answer.api_keys), (0, told.clone()));
    }
    let mut nameless = hello();
    nameless.client_software_name = "\"; drop".to_owned();
    let answer: ApiVersionsResponse = socket.ask(&nameless, 3);
    assert_eq!(ErrorCode(answer.error_code), ErrorCode::INVALID_REQUEST);
}

#[test]
fn what_is_not_served_ends_the_connection() {
    let served = Served::new(Config::ephemeral());
    let cases = [
        (4, 0),
        (999, 0),
        (-1, 0),
        (ApiKey::PRODUCE.0, 2),
        (ApiKey::PRODUCE.0, 14),
        (1, 3),
        (1, 99),
    ];
    for (key, version) in cases {
        let mut socket = served.open();
        socket.send(&raw(key, version, &[0; 40]));
        socket.is_closed();
    }
    still_serves(&served);
}

#[test]
fn bodies_that_announce_more_than_they_hold_end_the_connection() {
    let served = Served::new(Config::ephemeral());
    let count = i32::MAX.to_be_bytes();
    // A fetch of version 4 with 2³¹ topics.
    let of_fetch = [&[0; 17][..], &count].concat();
    // A produce of version 3 with 2³¹ topics, and with one topic of 2³¹ partitions.
    let head = [0xff, 0xff, 0, 1, 0, 0, 0, 0];
    let of_topics = [&head[..], &count].concat();
    let of_partitions = [&head[..], &[0, 0, 0, 1, 0, 1, b't'], &count].concat();
    // Records of two gigabytes.
    let of_records =
        [&head[..], &[0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 0], &count].concat();
    let cases = [(1, 4, of_fetch), (0, 3, of_topics), (0, 3, of_partitions), (0, 3, of_records)];
    for (key, version, body) in cases {
        let mut socket = served.open();
        socket.send(&raw(key, version, &body));
        socket.is_closed();
    }
    still_serves(&served);
}

#[test]
fn a_request_that_never_ends_is_cut_off() {
    let served = Served::new(Config::ephemeral().manual_clock());
    let mut socket = served.open();
    let whole = frame(&hello(), 3, 1);
    // Sent before it, so that the beginning has arrived once this is answered.
    socket.send(&[&whole, &whole[..10]].concat());
    socket.try_receive().unwrap();
    served.advance(Duration::from_secs(31));
    socket.is_closed();
    still_serves(&served);
}

#[test]
fn a_request_that_we_do_not_read_has_its_time_afterwards() {
    let served = Served::new(Config::ephemeral().manual_clock());
    served.topic("t", 1);
    let (mut socket, mut other) = (served.open(), served.open());
    let waiting = FetchRequest { max_wait_ms: 600_000, ..fetch("t", &[(0, 0)]) };
    let whole = frame(&hello(), 3, 4);
    // Behind a fetch that waits nothing is read. What is first is answered once all has arrived.
    let requests = [frame(&hello(), 3, 1), frame(&waiting, FETCH, 2), frame(&hello(), 3, 3)];
    socket.send(&[&requests.concat(), &whole[..10]].concat());
    socket.try_receive().unwrap();
    served.advance(Duration::from_secs(31));
    served.advance(Duration::from_secs(28));
    other.produce("t", -1, &[b"value"]);
    assert_eq!(socket.receive::<FetchResponse>(FETCH).0, 2);
    assert_eq!(socket.receive::<ApiVersionsResponse>(3).0, 3);
    served.advance(Duration::from_secs(28));
    socket.send(&whole[10..]);
    assert_eq!(socket.receive::<ApiVersionsResponse>(3).0, 4);
    // Then it is the client's turn.
    socket.send(&[&whole, &whole[..10]].concat());
    socket.try_receive().unwrap();
    served.advance(Duration::from_secs(31));
    socket.is_closed();
}

#[test]
fn only_a_produce_may_be_long() {
    let served = Served::new(Config::ephemeral());
    let announced = |key: ApiKey, length: i32| {
        let mut bytes = raw(key.0, 3, &[0; 40]);
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        bytes
    };
    let mut socket = served.open();
    socket.send(&announced(ApiKey::METADATA, (16 << 20) + 1));
    socket.is_closed();
    for (key, length) in [(ApiKey::METADATA, 16 << 20), (ApiKey::PRODUCE, 100 << 20)] {
        let mut socket = served.open();
        socket.send(&[frame(&hello(), 3, 1), announced(key, length)].concat());
        assert_eq!(socket.receive::<ApiVersionsResponse>(3).0, 1);
        socket.stream.set_nonblocking(true).unwrap();
        let error = socket.stream.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "closed");
    }
    still_serves(&served);
}

#[test]
fn who_does_nothing_is_let_go_and_who_waits_is_not() {
    let served = Served::new(Config::ephemeral().manual_clock());
    served.topic("t", 1);
    let (mut idle, mut active, mut waiting) = (served.open(), served.open(), served.open());
    idle.versions();
    active.versions();
    let long = FetchRequest { max_wait_ms: 3_600_000, ..fetch("t", &[(0, 0)]) };
    waiting.send(&[frame(&hello(), 3, 1), frame(&long, FETCH, 2)].concat());
    waiting.try_receive().unwrap();
    served.advance(Duration::from_secs(599));
    active.versions();
    served.advance(Duration::from_secs(2));
    idle.is_closed();
    active.produce("t", -1, &[b"value"]);
    assert_eq!(waiting.receive::<FetchResponse>(FETCH).0, 2);
    served.advance(Duration::from_secs(599));
    waiting.versions();
    served.advance(Duration::from_secs(2));
    active.is_closed();
    served.advance(Duration::from_secs(600));
    waiting.is_closed();
}

/// Lets every client that is named as these are send one byte of records a second.
fn limit(socket: &mut Socket) {
    let entity = AlterClientQuotasRequestEntityData {
        entity_type: "client-id".to_owned(),
        entity_name: Some("raw".to_owned()),
    };
    let op = OpData { key: "producer_byte_rate".to_owned(), value: 1.0, remove: false };
    let entry = AlterClientQuotasRequestEntryData { entity: vec![entity], ops: vec![op] };
    let request = AlterClientQuotasRequest { entries: vec![entry], validate_only: false };
    let answer: AlterClientQuotasResponse = socket.ask(&request, 1);
    assert_eq!(answer.entries[0].error_code, 0, "{answer:?}");
}

/// What is far over that quota: who sends it is muted for the longest time there is.
fn heavy() -> ProduceRequest {
    produce("t", -1, &[(0, &batch(&[&[0; 1000]]))])
}

const LONGEST_MUTE_MS: i32 = 600_000;

/// As with Kafka, which counts from what came or was sent last, and asks not why nothing else does.
#[test]
fn who_is_muted_is_let_go_no_earlier_and_no_later_than_who_is_silent() {
    for idle in [300, 900] {
        let idle_timeout = Some(Duration::from_secs(idle));
        let config = Config::ephemeral().manual_clock();
        let served = Served::new(config.kafka(|options| options.idle_timeout = idle_timeout));
        served.topic("t", 1);
        let mut socket = served.open();
        limit(&mut socket);
        let answer: ProduceResponse = socket.ask(&heavy(), PRODUCE);
        assert_eq!(answer.throttle_time_ms, LONGEST_MUTE_MS);
        served.advance(Duration::from_secs(idle - 1));
        socket.is_open();
        served.advance(Duration::from_secs(2));
        socket.is_closed();
    }
}

/// Half of a request that is not read has no time to be late in.
#[test]
fn who_is_muted_is_not_too_slow() {
    let config = Config::ephemeral().manual_clock().kafka(|options| options.idle_timeout = None);
    let served = Served::new(config);
    served.topic("t", 1);
    let mut socket = served.open();
    limit(&mut socket);
    let next = frame(&hello(), 3, 2);
    let (half, rest) = next.split_at(next.len() / 2);
    socket.send(&[&frame(&heavy(), PRODUCE, 1), half].concat());
    let (_, answer) = socket.receive::<ProduceResponse>(PRODUCE);
    assert_eq!(answer.throttle_time_ms, LONGEST_MUTE_MS);
    served.advance(Duration::from_secs(590));
    socket.is_open();
    served.advance(Duration::from_secs(20));
    socket.is_open();
    socket.send(rest);
    assert_eq!(socket.receive::<ApiVersionsResponse>(3).0, 2);
}

/// Kept until that is paid for, it would use up the byte budget of all.
#[test]
fn what_comes_with_what_goes_over_a_quota_is_taken() {
    let config = Config::ephemeral().manual_clock().kafka(|options| options.idle_timeout = None);
    let served = Served::new(config);
    served.topic("t", 1);
    let mut socket = served.open();
    limit(&mut socket);
    let behind = [frame(&heavy(), PRODUCE, 2), frame(&hello(), 3, 3)].concat();
    socket.send(&[&frame(&heavy(), PRODUCE, 1), &behind[..]].concat());
    for correlation in [1, 2] {
        let (got, answer) = socket.receive::<ProduceResponse>(PRODUCE);
        assert_eq!((got, only(&answer).error_code), (correlation, 0));
        assert_eq!(answer.throttle_time_ms, LONGEST_MUTE_MS);
    }
    assert_eq!(socket.receive::<ApiVersionsResponse>(3).0, 3);
}

#[test]
fn nobody_is_let_go_where_that_is_not_wanted() {
    let config = Config::ephemeral().manual_clock().kafka(|options| options.idle_timeout = None);
    let served = Served::new(config);
    let mut socket = served.open();
    socket.versions();
    served.advance(Duration::from_secs(86_400));
    socket.versions();
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let served = Served::new(Config::ephemeral());
    served.topic("t", 1);
    let mut socket = served.open();
    for byte in frame(&hello(), 3, 1) {
        socket.send(&[byte]);
    }
    assert_eq!(socket.receive::<ApiVersionsResponse>(3).0, 1);
    let record = batch(&[b"value"]);
    for byte in frame(&produce("t", -1, &[(0, &record)]), PRODUCE, 5) {
        socket.send(&[byte]);
    }
    let (correlation, answer) = socket.receive::<ProduceResponse>(PRODUCE);
    assert_eq!((correlation, only(&answer).error_code), (5, 0));
    for byte in frame(&fetch("t", &[(0, 0)]), FETCH, 6) {
        socket.send(&[byte]);
    }
    assert!(socket.try_receive().unwrap().len() > record.len());
}
