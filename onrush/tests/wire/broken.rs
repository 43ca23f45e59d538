//! Frames that are not as they should be: a stable code or a clean close, and the broker goes on.

use std::net::Shutdown;
use std::time::Duration;

use bytes::BytesMut;
use onrush::{Client, Config, NewRecord, Onrush};
use onrush_protocol::frame::{FLAG_RESPONSE, encode_frame};
use onrush_protocol::request::{
    Acks, HelloRequest, Isolation, PingRequest, SubscribeRequest, UnsubscribeRequest,
};
use onrush_protocol::wire::Maybe;
use onrush_protocol::{ErrorCode, Opcode};
use onrush_record::{Offset, TopicId};
use onrush_sys::{Random as _, SeededRandom};

use crate::socket::{Socket, broker, frame, hello};

fn raw(opcode: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    encode_frame(&mut bytes, Opcode::Ping, 0, 9, 0, |out| out.extend_from_slice(body));
    bytes[4..6].copy_from_slice(&opcode.to_le_bytes());
    bytes.to_vec()
}

fn still_serves(port: u16) {
    Socket::open(port).ask(&PingRequest {}).unwrap();
}

#[test]
fn the_first_frame_has_to_be_hello() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::silent(port);
    socket.send(&frame(&PingRequest {}, 7, &[]));
    let refusal = socket.receive();
    assert_eq!(refusal.header.correlation, 7);
    assert_eq!(refusal.error(), ErrorCode::HANDSHAKE_REQUIRED);
    socket.is_closed();
}

#[test]
fn a_version_nobody_speaks_is_refused_with_the_one_we_do() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::silent(port);
    let future = HelloRequest { version_min: 900, version_max: 901, ..hello() };
    let refusal = socket.ask(&future).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::VERSION_NOT_SUPPORTED);
    assert_eq!(refusal.detail, 1);
    socket.is_closed();
}

#[test]
fn hello_is_said_once() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    assert_eq!(socket.ask(&hello()).unwrap_err().code, ErrorCode::INVALID_REQUEST);
    socket.is_closed();
}

#[test]
fn what_was_not_negotiated_is_refused() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::silent(port);
    socket.ask(&HelloRequest { features: 0, ..hello() }).unwrap();
    let subscribe = SubscribeRequest {
        subscription: 1,
        topic_id: TopicId::new([1; 16]),
        partition: 0,
        leader_epoch: Maybe::NONE,
        offset: Offset::ZERO,
        credit: 1,
        isolation: Isolation::ReadUncommitted,
    };
    assert_eq!(socket.ask(&subscribe).unwrap_err().code, ErrorCode::FEATURE_NOT_NEGOTIATED);
    socket.ask(&PingRequest {}).unwrap();
}

#[test]
fn a_frame_announced_too_large_is_refused_before_it_comes() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    // The length alone is enough.
    socket.send(&u32::MAX.to_le_bytes());
    let refusal = socket.receive();
    assert_eq!(refusal.error(), ErrorCode::FRAME_TOO_LARGE);
    socket.is_closed();
    still_serves(port);
}

#[test]
fn a_length_that_does_not_cover_the_header_ends_the_connection() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    socket.send(&[3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(socket.receive().error(), ErrorCode::MALFORMED);
    socket.is_closed();
}

#[test]
fn a_body_beyond_its_frame_ends_the_connection() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let mut bytes = frame(&PingRequest {}, 1, &[]);
    bytes[12] = 200;
    socket.send(&bytes);
    assert_eq!(socket.receive().error(), ErrorCode::MALFORMED);
    socket.is_closed();
}

#[test]
fn unknown_and_reserved_operations_are_refused_by_name_and_the_connection_goes_on() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    for (opcode, code, name) in [
        (999, ErrorCode::UNKNOWN_OPCODE, "999"),
        (41, ErrorCode::NOT_AVAILABLE, "streams"),
        (50, ErrorCode::NOT_AVAILABLE, "queues"),
        (69, ErrorCode::NOT_AVAILABLE, "transactions"),
        (70, ErrorCode::NOT_AVAILABLE, "authentication"),
        (Opcode::Deliver.code(), ErrorCode::UNKNOWN_OPCODE, "Deliver"),
        (Opcode::Throttle.code(), ErrorCode::UNKNOWN_OPCODE, "Throttle"),
    ] {
        socket.send(&raw(opcode, &[]));
        let refusal = socket.receive();
        assert_eq!(refusal.header.opcode, opcode);
        assert_eq!(refusal.error(), code, "{opcode}");
        let text = String::from_utf8_lossy(&refusal.body).into_owned();
        assert!(text.contains(name), "{opcode}: {text}");
    }
    socket.ask(&PingRequest {}).unwrap();
}

#[test]
fn a_body_that_does_not_decode_is_refused_and_the_connection_goes_on() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    for opcode in Opcode::ALL {
        if matches!(opcode, Opcode::Deliver | Opcode::Throttle | Opcode::Credit) {
            continue;
        }
        // No message begins like this and ends here.
        socket.send(&raw(opcode.code(), &[0xff; 3]));
        let refusal = socket.receive();
        assert_eq!(refusal.header.opcode, opcode.code());
        assert_eq!(refusal.error(), ErrorCode::MALFORMED, "{opcode:?}");
    }
    socket.ask(&PingRequest {}).unwrap();
}

#[test]
fn a_response_from_a_client_and_a_payload_where_none_belongs_are_refused() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let mut bytes = frame(&PingRequest {}, 1, &[]);
    bytes[6] = u8::try_from(FLAG_RESPONSE).unwrap();
    socket.send(&bytes);
    assert_eq!(socket.receive().error(), ErrorCode::UNKNOWN_OPCODE);
    socket.send(&frame(&PingRequest {}, 2, b"payload"));
    assert_eq!(socket.receive().error(), ErrorCode::MALFORMED);
    socket.ask(&PingRequest {}).unwrap();
}

#[test]
fn noise_hurts_nobody() {
    let (_broker, port) = broker(Config::ephemeral());
    let random = SeededRandom::new(0x0bad_f00d);
    for round in 0..200 {
        // Half of them past the handshake, so that more than the first frame is tried.
        let mut socket = if round % 2 == 0 { Socket::silent(port) } else { Socket::open(port) };
        let mut noise = vec![0; usize::try_from(random.below(2000)).unwrap()];
        random.fill(&mut noise);
        if round % 4 == 1 && noise.len() > 16 {
            // A plausible header before the noise.
            let length = u32::try_from(noise.len() - 4).unwrap();
            noise[..4].copy_from_slice(&length.to_le_bytes());
            noise[4..8].copy_from_slice(&[u8::try_from(round % 36).unwrap(), 0, 0, 0]);
            noise[12..16].copy_from_slice(&(length - 12).to_le_bytes());
        }
        socket.send(&noise);
        let _ = socket.stream.shutdown(Shutdown::Write);
        while socket.try_receive().is_some() {}
    }
    still_serves(port);
}

/// Time moves by hand, so that nothing here waits for it.
fn timed() -> (Onrush, u16) {
    broker(Config::ephemeral().manual_clock())
}

#[tokio::test]
async fn who_does_not_say_hello_in_time_is_cut_off() {
    let (broker, port) = timed();
    let mut silent = Socket::silent(port);
    let mut greeted = Socket::open(port);
    broker.advance(Duration::from_secs(11)).await.unwrap();
    silent.is_closed();
    greeted.ask(&PingRequest {}).unwrap();
}

#[tokio::test]
async fn a_frame_that_never_ends_is_cut_off_with_a_word() {
    let (broker, port) = timed();
    let mut socket = Socket::open(port);
    let whole = frame(&PingRequest {}, 1, &[]);
    // Sent before it, so that the beginning has arrived once this is answered.
    socket.send(&[whole.as_slice(), &whole[..10]].concat());
    socket.receive();
    broker.advance(Duration::from_secs(31)).await.unwrap();
    assert_eq!(socket.receive().error(), ErrorCode::TIMED_OUT);
    socket.is_closed();
}

#[tokio::test]
async fn who_does_nothing_is_let_go_and_who_is_subscribed_is_not() {
    let (broker, port) = timed();
    let (mut idle, mut reader) = (Socket::open(port), Socket::open(port));
    let topic = reader.create_topic("t", 1);
    let subscribe = SubscribeRequest {
        subscription: 1,
        topic_id: topic,
        partition: 0,
        leader_epoch: Maybe::NONE,
        offset: Offset::ZERO,
        credit: 1 << 20,
        isolation: Isolation::ReadUncommitted,
    };
    reader.ask(&subscribe).unwrap();
    // Its own clock is not the broker's.
    let record = |value: &'static [u8]| NewRecord::to("t").value(value).timestamp(1);
    // A client of the library comes back by itself.
    let client = Client::connect(&format!("127.0.0.1:{port}")).await.unwrap();
    let producer = client.producer().build().await.unwrap();
    producer.send(record(b"first")).await.unwrap().await.unwrap();
    reader.receive().deliver();
    broker.advance(Duration::from_secs(601)).await.unwrap();
    idle.is_closed();
    producer.send(record(b"second")).await.unwrap().await.unwrap();
    reader.receive().deliver();
    reader.ask(&UnsubscribeRequest { subscription: 1 }).unwrap();
    broker.advance(Duration::from_secs(601)).await.unwrap();
    reader.is_closed();
}

#[test]
fn a_frame_may_come_byte_by_byte() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::silent(port);
    for byte in frame(&hello(), 1, &[]) {
        socket.send(&[byte]);
    }
    socket.receive().reply::<HelloRequest>().unwrap();
    let topic = socket.create_topic("slow", 1);
    let batch = crate::socket::batch(&[b"value"]);
    for byte in frame(&crate::socket::produce(topic, Acks::Written, &batch), 5, &batch) {
        socket.send(&[byte]);
    }
    assert_eq!(socket.receive().header.correlation, 5);
}
