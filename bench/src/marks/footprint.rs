//! W8: what an idle broker occupies, and how soon it is there.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::BytesMut;
use onrush::{Config, Onrush};
use onrush_client::{Acks, Client, NewRecord, NewTopic};
use onrush_protocol::PROTOCOL_VERSION;
use onrush_protocol::frame::{FrameHeader, HEADER_LEN};
use onrush_protocol::request::{HelloRequest, RequestMessage};

use super::broker::Broker;
use super::{Goal, Reading, Setup, Workload};

const IDLE_RSS: Goal = Goal::at_most(Workload::W8, "RSS, idle", "MiB", "", [12.0, 6.0]);
const READY: Goal = Goal::told(Workload::W8, "process start to ready", "ms", "");
const FIRST_ACK: Goal = Goal::at_most(
    Workload::W8,
    "process start to first durable ack, new topic",
    "ms",
    "",
    [30.0, 15.0],
);
const EMBEDDED: Goal =
    Goal::at_most(Workload::W8, "Onrush::open to first ack, new topic", "ms", "", [5.0, 2.5]);
const CONNECTION: Goal =
    Goal::at_most(Workload::W8, "RSS an idle connection", "KiB", "", [20.0, 10.0]);

/// Connections that stay idle, at most.
const CONNECTIONS: u32 = 10_000;

impl Setup {
    /// W8.
    pub(super) fn footprint(&self) -> Result<Vec<Reading>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let scratch = self.scratch()?;
        let broker = Broker::start(self, &scratch.path().join("started"))?;
        runtime.block_on(first_ack(Client::connect(&broker.address)))?;
        let first_ack_ms = broker.started.elapsed().as_secs_f64() * 1e3;
        let ready_ms = broker.ready_after.as_secs_f64() * 1e3;
        broker.stop()?;

        let opened = Instant::now();
        let embedded = Onrush::open(Config::ephemeral()).context("cannot open embedded")?;
        runtime.block_on(first_ack(async { Ok::<_, onrush_client::Error>(embedded.client()) }))?;
        let embedded_ms = opened.elapsed().as_secs_f64() * 1e3;
        drop(embedded);

        let broker = Broker::start(self, &scratch.path().join("idle"))?;
        let idle = self.settled_rss(&broker)?;
        let limit = onrush_sys::process::raise_descriptor_limit()?.saturating_sub(100);
        let count = u32::try_from(limit).unwrap_or(u32::MAX).min(CONNECTIONS);
        let connections: Vec<TcpStream> =
            (0..count).map(|_| greet(&broker.address)).collect::<Result<_>>()?;
        let each = (self.settled_rss(&broker)? - idle) / f64::from(count) / 1024.0;
        drop(connections);
        broker.stop()?;
        Ok(vec![
            IDLE_RSS.absolute(idle / f64::from(1 << 20)),
            READY.absolute(ready_ms),
            FIRST_ACK.absolute(first_ack_ms),
            EMBEDDED.absolute(embedded_ms),
            CONNECTION.absolute(each),
        ])
    }

    /// Resident memory of a broker that has been idle for a second: nothing tells when its start-up
    /// is over, and what is asked for is what it keeps.
    pub(super) fn settled_rss(&self, broker: &Broker) -> Result<f64> {
        std::thread::sleep(Duration::from_secs(1));
        broker.rss_bytes()
    }
}

/// Makes a topic and waits until one record in it is on stable storage.
async fn first_ack<E>(client: impl Future<Output = Result<Client, E>>) -> Result<()>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let client = client.await?;
    client.admin().create_topic(NewTopic::named("first")).await?;
    let producer = client.producer().acks(Acks::All).build().await?;
    producer.send(NewRecord::to("first").value(b"ack")).await?.await?;
    Ok(())
}

/// A connection past its handshake.
fn greet(address: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).context("cannot connect")?;
    let mut hello = BytesMut::new();
    let request = HelloRequest {
        version_min: PROTOCOL_VERSION,
        version_max: PROTOCOL_VERSION,
        features: 0,
        client_name: "onrush-marks".to_owned(),
        client_version: env!("CARGO_PKG_VERSION").to_owned(),
        max_frame: 1 << 20,
    };
    request.encode_frame(&mut hello, 1, 0);
    stream.write_all(&hello)?;
    let mut header = [0; HEADER_LEN];
    stream.read_exact(&mut header).context("the broker closed a new connection")?;
    let header = FrameHeader::read(&header);
    let mut body = vec![0; header.frame_len() - HEADER_LEN];
    stream.read_exact(&mut body)?;
    Ok(stream)
}
