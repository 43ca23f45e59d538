//! Produce, byte by byte.

use std::net::Shutdown;

use onrush::Config;
use onrush_protocol::ErrorCode;
use onrush_protocol::request::{Acks, PingRequest, ProduceRequest};
use onrush_protocol::wire::Maybe;
use onrush_record::{Offset, TopicId};
use smallvec::smallvec;

use crate::socket::{Socket, base_offset, batch, broker, frame, part, produce};

#[test]
fn offsets_go_on_where_they_stopped_whatever_the_acks() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic("t", 1);
    assert_eq!(socket.produce(topic, Acks::Written, &[b"a", b"b"]), 0);
    assert_eq!(socket.produce(topic, Acks::All, &[b"c"]), 2);
    // No answer to this one.
    let silent = batch(&[b"d", b"e", b"f"]);
    socket.send(&frame(&produce(topic, Acks::None, &silent), 99, &silent));
    assert_eq!(socket.produce(topic, Acks::Written, &[b"g"]), 6);
}

#[test]
fn requests_sent_at_once_are_answered_in_order() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic("t", 1);
    for acks in [Acks::Written, Acks::All] {
        let batch = batch(&[b"value"]);
        let start = socket.produce(topic, acks, &[b"first"]) + 1;
        let frames: Vec<u8> = (0..500)
            .flat_map(|number| frame(&produce(topic, acks, &batch), number, &batch))
            .collect();
        socket.send(&frames);
        for number in 0..500 {
            let answer = socket.receive();
            assert_eq!(answer.header.correlation, number);
            let response = answer.reply::<ProduceRequest>().unwrap();
            assert_eq!(base_offset(&response), start + u64::from(number));
        }
    }
}

#[test]
fn one_request_may_go_to_many_partitions() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic("t", 3);
    let (one, two) = (batch(&[b"a"]), batch(&[b"b", b"c"]));
    let request = ProduceRequest {
        parts: smallvec![
            part(topic, 2, &one),
            part(topic, 7, &one),
            part(topic, 0, &two),
            part(topic, 2, &two),
            part(TopicId::new([9; 16]), 0, &one),
        ],
        ..produce(topic, Acks::All, &one)
    };
    let payload = [&one[..], &one, &two, &two, &one].concat();
    let parts = socket.ask_with(&request, &payload).unwrap().parts;
    let offsets: Vec<_> = parts.iter().map(|part| part.base_offset.0.map(Offset::get)).collect();
    assert_eq!(offsets, [Some(0), None, Some(0), Some(1), None]);
    let codes: Vec<_> = parts.iter().map(|part| part.error.0.as_ref().map(|e| e.code)).collect();
    assert_eq!(codes[1], Some(ErrorCode::UNKNOWN_PARTITION));
    assert_eq!(parts[1].error.0.as_ref().unwrap().detail, 3);
    assert_eq!(codes[4], Some(ErrorCode::UNKNOWN_TOPIC));
}

#[test]
fn a_part_may_hold_several_batches() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic("t", 1);
    let both = [batch(&[b"a", b"b"]), batch(&[b"c"])].concat();
    let response = socket.ask_with(&produce(topic, Acks::Written, &both), &both).unwrap();
    assert_eq!(base_offset(&response), 0);
    assert_eq!(socket.produce(topic, Acks::Written, &[b"d"]), 3);

    // All of it or nothing.
    let mut half = [batch(&[b"e"]), batch(&[b"f"])].concat();
    let last = half.len() - 1;
    half[last] ^= 1;
    let response = socket.ask_with(&produce(topic, Acks::Written, &half), &half).unwrap();
    assert_eq!(response.parts[0].error.0.as_ref().unwrap().code, ErrorCode::BATCH_INVALID);
    assert_eq!(socket.produce(topic, Acks::Written, &[b"g"]), 4);
}

#[test]
fn frames_that_hold_the_whole_budget_get_to_their_end() {
    // Each of these frames alone is more than may be held, and all of them are under way at once.
    let config = Config::ephemeral().memory_budget_bytes(256 << 10);
    let (_broker, port) = broker(config);
    let mut sockets: Vec<Socket> = (0..4).map(|_| Socket::open(port)).collect();
    let topic = sockets[0].create_topic("t", 1);
    let large = batch(&[&vec![b'x'; 600 << 10]]);
    let small = batch(&[b"y"]);
    for socket in &mut sockets {
        // Only who has produced is held to the budget.
        socket.ask_with(&produce(topic, Acks::All, &small), &small).unwrap();
    }
    let request = frame(&produce(topic, Acks::All, &large), 77, &large);
    let (first, rest) = request.split_at(request.len() / 2);
    for socket in &mut sockets {
        socket.send(first);
    }
    for socket in &mut sockets {
        socket.send(rest);
    }
    for socket in &mut sockets {
        socket.receive().reply::<ProduceRequest>().unwrap();
    }
}

#[test]
fn a_frame_may_be_larger_than_any_buffer() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic("t", 8);
    let large = batch(&[&[7; 900 * 1024]]);
    let request = ProduceRequest {
        parts: (0..8).map(|partition| part(topic, partition, &large)).collect(),
        ..produce(topic, Acks::All, &large)
    };
    let response = socket.ask_with(&request, &large.repeat(8)).unwrap();
    assert!(response.parts.iter().all(|part| part.error == Maybe::NONE));
    // What follows it in the same stream is found.
    socket.ask(&PingRequest {}).unwrap();
}

#[test]
fn unsound_batches_are_refused_and_sound_ones_beside_them_are_not() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic("t", 1);
    let sound = batch(&[b"sound"]);
    let mut flipped = sound.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    let mut magic = sound.clone();
    magic[16] = 1;
    let mut count = sound.clone();
    count[60] = 9;
    let cut = sound[..sound.len() - 1].to_vec();
    let large = batch(&[&[1; 2 << 20]]);

    let mut frames = Vec::new();
    let all = [&sound, &flipped, &magic, &count, &cut, &large, &Vec::new(), &sound];
    for (number, batch) in (0_u32..).zip(all) {
        frames.extend(frame(&produce(topic, Acks::Written, batch), number, batch));
    }
    socket.send(&frames);
    // They are answered out of order, as refusals need no append.
    let mut answers: Vec<_> = all.iter().map(|_| socket.receive()).collect();
    answers.sort_by_key(|answer| answer.header.correlation);
    let parts: Vec<_> = answers
        .iter()
        .map(|answer| answer.reply::<ProduceRequest>().unwrap().parts[0].clone())
        .collect();
    let code = |number: usize| parts[number].error.0.as_ref().map(|error| error.code);
    assert_eq!(parts[0].base_offset.0.map(Offset::get), Some(0));
    for number in [1, 2, 3, 4, 6] {
        assert_eq!(code(number), Some(ErrorCode::BATCH_INVALID), "{number}: {:?}", parts[number]);
    }
    assert_eq!(code(5), Some(ErrorCode::BATCH_TOO_LARGE));
    assert_eq!(parts[7].base_offset.0.map(Offset::get), Some(1));
}

#[test]
fn parts_that_do_not_use_up_the_payload_are_refused() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic("t", 1);
    let sound = batch(&[b"sound"]);
    let mut request = produce(topic, Acks::Written, &sound);
    request.parts[0].batches_length += 1;
    assert_eq!(socket.ask_with(&request, &sound).unwrap_err().code, ErrorCode::MALFORMED);
    assert_eq!(socket.produce(topic, Acks::Written, &[b"next"]), 0);
}

#[test]
fn a_refusal_that_wants_no_answer_ends_the_connection() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let sound = batch(&[b"sound"]);
    socket.send(&frame(&produce(TopicId::new([9; 16]), Acks::None, &sound), 1, &sound));
    socket.is_closed();
}

#[test]
fn an_expected_offset_is_held() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic("t", 1);
    let one = batch(&[b"one"]);
    let mut request = produce(topic, Acks::All, &one);
    for (expected, outcome) in [(0, Ok(0)), (0, Err(1)), (1, Ok(1)), (7, Err(2))] {
        request.parts[0].expected_offset = Maybe::some(Offset::new(expected));
        let part = socket.ask_with(&request, &one).unwrap().parts.remove(0);
        match outcome {
            Ok(offset) => assert_eq!(part.base_offset.0.map(Offset::get), Some(offset)),
            Err(end) => {
                let error = part.error.0.unwrap();
                assert_eq!(error.code, ErrorCode::EXPECTED_OFFSET_MISMATCH);
                assert_eq!(error.detail, end);
            }
        }
    }
}

#[test]
fn who_closes_its_own_side_still_gets_its_answers() {
    let (_broker, port) = broker(Config::ephemeral());
    let mut socket = Socket::open(port);
    let topic = socket.create_topic("t", 1);
    let one = batch(&[b"one"]);
    socket.send(&frame(&produce(topic, Acks::All, &one), 5, &one));
    socket.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(socket.receive().header.correlation, 5);
    socket.is_closed();
}
