//! Requests of one connection are answered in their order, whatever each of them waits for.

use onrush::Config;
use onrush_kafka_protocol::messages::{ApiVersionsResponse, FetchResponse, ProduceResponse};

use crate::socket::{FETCH, PRODUCE, Served, batch, fetch, frame, hello, only, produce};

#[test]
fn what_comes_behind_a_waiting_fetch_is_answered_after_it() {
    let served = Served::new(Config::ephemeral());
    served.topic("t", 1);
    let (mut socket, mut other) = (served.open(), served.open());
    let mut waiting = fetch("t", &[(0, 0)]);
    waiting.max_wait_ms = 60_000;
    let record = batch(&[b"second"]);
    socket.send(
        &[
            frame(&waiting, FETCH, 1),
            frame(&hello(), 3, 2),
            frame(&produce("t", -1, &[(0, &record)]), PRODUCE, 3),
            frame(&produce("t", 1, &[(0, &record)]), PRODUCE, 4),
            frame(&hello(), 0, 5),
        ]
        .concat(),
    );
    assert_eq!(other.produce("t", -1, &[b"first"]), 0);
    assert_eq!(socket.receive::<FetchResponse>(FETCH).0, 1);
    assert_eq!(socket.receive::<ApiVersionsResponse>(3).0, 2);
    let (correlation, answer) = socket.receive::<ProduceResponse>(PRODUCE);
    assert_eq!((correlation, only(&answer).base_offset), (3, 1));
    let (correlation, answer) = socket.receive::<ProduceResponse>(PRODUCE);
    assert_eq!((correlation, only(&answer).base_offset), (4, 2));
    assert_eq!(socket.receive::<ApiVersionsResponse>(0).0, 5);
}

#[test]
fn a_fetch_sees_what_was_produced_before_it() {
    let served = Served::new(Config::ephemeral());
    served.topic("t", 1);
    let mut socket = served.open();
    let record = batch(&[b"value"]);
    for (round, acks) in (0..).zip([0, 1, -1]) {
        socket.send(
            &[
                frame(&produce("t", acks, &[(0, &record)]), PRODUCE, 1),
                frame(&fetch("t", &[(0, round)]), FETCH, 2),
            ]
            .concat(),
        );
        if acks != 0 {
            assert_eq!(socket.receive::<ProduceResponse>(PRODUCE).0, 1);
        }
        let (correlation, answer) = socket.receive::<FetchResponse>(FETCH);
        let part = &answer.responses[0].partitions[0];
        assert_eq!((correlation, part.error_code), (2, 0));
        // What wants no acknowledgement may be readable only once it is durable.
        if acks == -1 {
            assert_eq!(part.high_watermark, round + 1);
        }
    }
}

#[test]
fn many_requests_sent_at_once_are_all_answered() {
    let served = Served::new(Config::ephemeral());
    served.topic("t", 1);
    let mut socket = served.open();
    let record = batch(&[&[5; 300]]);
    let frames: Vec<u8> = (0..2000)
        .flat_map(|number| match number % 4 {
            0 => frame(&hello(), 3, number),
            1 => frame(&fetch("t", &[(0, 0)]), FETCH, number),
            _ => frame(&produce("t", -1, &[(0, &record)]), PRODUCE, number),
        })
        .collect();
    let mut sending = crate::socket::Socket { stream: socket.stream.try_clone().unwrap(), next: 0 };
    let sender = std::thread::scope(|scope| {
        let sender = scope.spawn(move || sending.send(&frames));
        for number in 0..2000_i32 {
            let frame = socket.try_receive().unwrap();
            assert_eq!(frame[..4], number.to_be_bytes());
        }
        sender.join()
    });
    sender.unwrap();
}

#[test]
fn who_closes_its_own_side_still_gets_its_answers() {
    let served = Served::new(Config::ephemeral());
    served.topic("t", 1);
    let mut socket = served.open();
    let record = batch(&[b"value"]);
    socket.send(
        &[frame(&produce("t", -1, &[(0, &record)]), PRODUCE, 1), frame(&hello(), 3, 2)].concat(),
    );
    socket.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(socket.receive::<ProduceResponse>(PRODUCE).0, 1);
    assert_eq!(socket.receive::<ApiVersionsResponse>(3).0, 2);
    socket.is_closed();
}

#[test]
fn a_broker_that_stops_answers_what_waits() {
    let served = Served::new(Config::ephemeral());
    served.topic("t", 1);
    let mut socket = served.open();
    let mut waiting = fetch("t", &[(0, 0)]);
    waiting.max_wait_ms = 60_000;
    socket.send(&[frame(&hello(), 3, 1), frame(&waiting, FETCH, 2)].concat());
    socket.receive::<ApiVersionsResponse>(3);
    served.stop();
    assert_eq!(socket.receive::<FetchResponse>(FETCH).0, 2);
    socket.is_closed();
}
