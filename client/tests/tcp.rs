//! The TCP transport: the same broker in memory, behind a socket.

#![allow(clippy::unwrap_used)] // A test may panic.

mod fake;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::Poll;

use bytes::BytesMut;
use fake::Fake;
use onrush_client::connector::{Connector, Frame, Payload};
use onrush_client::{Client, NewRecord, Offset, Start, TcpConnector};
use onrush_protocol::frame::{FrameDecoder, FrameStep};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Serves a fake broker by TCP, one connection after the other.
async fn serve(fake: Fake, listener: TcpListener) {
    loop {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut broker = fake.connect().await.unwrap();
        let mut input = BytesMut::new();
        let mut to_broker = VecDeque::new();
        let mut from_broker = VecDeque::new();
        'connection: loop {
            tokio::select! {
                read = socket.read_buf(&mut input) => if matches!(read, Ok(0) | Err(_)) { break },
                received = poll_fn(|cx| broker.stream.poll_receive(cx, &mut from_broker)) => {
                    if received.is_err() { break }
                }
            }
            while let FrameStep::Frame(frame) = FrameDecoder::default().decode(&input).unwrap() {
                let (header, body) = (frame.header, frame.body.to_vec().into());
                let payload = Payload::from_buf([frame.payload.to_vec().into()]);
                to_broker.push_back(Frame { header, body, payload });
                let _ = input.split_to(header.frame_len());
            }
            let sent = poll_fn(|cx| broker.sink.poll_send(cx, &mut to_broker)).await;
            let _ = poll_fn(|cx| {
                let _ = broker.stream.poll_receive(cx, &mut from_broker);
                Poll::Ready(())
            })
            .await;
            for frame in from_broker.drain(..) {
                let payload = frame.payload.concat();
                let bytes = [&frame.header.to_bytes()[..], &frame.body, &payload].concat();
                if socket.write_all(&bytes).await.is_err() {
                    break 'connection;
                }
            }
            if sent.is_err() {
                break;
            }
        }
    }
}

#[tokio::test]
async fn records_go_there_and_back() {
    let fake = Fake::with_topic("t", 1);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = tokio::spawn(serve(fake.clone(), listener));
    let connector = TcpConnector::new(["127.0.0.1:1".to_owned(), address]);
    let client = Client::builder().connector(std::sync::Arc::new(connector)).lazy().unwrap();

    let producer = client.producer().build().await.unwrap();
    let big = "x".repeat(300_000);
    let mut deliveries = Vec::new();
    for i in 0..50 {
        let value = if i % 10 == 0 { big.clone() } else { i.to_string() };
        deliveries.push(producer.send(NewRecord::to("t").value(value.as_bytes())).await.unwrap());
        if i == 25 {
            fake.disconnect();
        }
    }
    for (i, delivery) in deliveries.into_iter().enumerate() {
        assert_eq!(delivery.await.unwrap().offset, Some(Offset::new(i as u64)));
    }
    producer.close().await;

    let mut consumer = client.consumer().start(Start::Earliest).subscribe(&["t"]).await.unwrap();
    let mut records = 0_u64;
    while records < 50 {
        let polled = consumer.poll().await.unwrap();
        for record in polled.records().unwrap() {
            assert_eq!(record.offset, Offset::new(records));
            let value = record.value.unwrap();
            match records % 10 {
                0 => assert_eq!(value, big.as_bytes()),
                _ => assert_eq!(value, records.to_string().as_bytes()),
            }
            records += 1;
        }
    }
    server.abort();
}

#[tokio::test]
async fn nobody_there_is_said_so() {
    let error = Client::connect("127.0.0.1:1").await.unwrap_err();
    assert!(error.to_string().contains("cannot reach a broker at 127.0.0.1:1"), "{error}");
    assert_eq!(error.kind(), onrush_client::Kind::Retry);
}
