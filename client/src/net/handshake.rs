//! The first exchange on a connection.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use onrush_protocol::frame::DEFAULT_MAX_FRAME;
use onrush_protocol::request::HelloRequest;
use onrush_protocol::response::HelloResponse;
use onrush_protocol::{FrameHeader, Message, Opcode, PROTOCOL_VERSION, features};

use crate::connector::{Connection, Frame, Payload};
use crate::error::Error;
use crate::net::link::LinkShared;
use crate::net::reply::reply;

/// How long a connection and its first exchange may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects and greets.
pub(super) async fn establish(shared: &LinkShared) -> Result<Connection, Error> {
    let address = || shared.config.connector.address();
    let mut attempt = pin!(async {
        let connected = shared.config.connector.connect().await;
        let mut connection = connected.map_err(|error| Error::not_connected(address(), &error))?;
        greet(shared, &mut connection).await?;
        Ok(connection)
    });
    let mut timeout = shared.config.clock.sleep(CONNECT_TIMEOUT);
    poll_fn(|cx| {
        if let Poll::Ready(outcome) = attempt.as_mut().poll(cx) {
            return Poll::Ready(outcome);
        }
        timeout.as_mut().poll(cx).map(|()| {
            Err(Error::unreachable(address(), format!("no answer within {CONNECT_TIMEOUT:?}")))
        })
    })
    .await
}

async fn greet(shared: &LinkShared, connection: &mut Connection) -> Result<(), Error> {
    let hello = HelloRequest {
        version_min: PROTOCOL_VERSION,
        version_max: PROTOCOL_VERSION,
        features: features::ALL,
        client_name: shared.config.client_id.to_string(),
        client_version: concat!("onrush-client/", env!("CARGO_PKG_VERSION")).to_owned(),
        max_frame: DEFAULT_MAX_FRAME,
    };
    let mut body = BytesMut::new();
    hello.encode(&mut body);
    let header = FrameHeader::new(Opcode::Hello, 0, 0, body.len(), 0);
    let mut leaving = VecDeque::new();
    leaving.push_back(Frame { header, body: body.freeze(), payload: Payload::new() });
    let mut arrived = VecDeque::new();
    let exchange = poll_fn(|cx| {
        if let Poll::Ready(Err(error)) = connection.sink.poll_send(cx, &mut leaving) {
            return Poll::Ready(Err(error));
        }
        connection.stream.poll_receive(cx, &mut arrived)
    });
    let address = || shared.config.connector.address();
    exchange.await.map_err(|error| Error::unreachable(address(), error))?;
    let Some(answer) = arrived.pop_front() else {
        return Err(Error::unreachable(address(), "an empty answer"));
    };
    let hello: HelloResponse = reply("Hello", &answer)?;
    shared.max_frame.store(hello.max_frame, std::sync::atomic::Ordering::Relaxed);
    Ok(())
}
