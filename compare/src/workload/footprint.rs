//! What a broker takes for itself, and how soon it is there. Each on a broker of its own, started for it.

use std::net::SocketAddr;
use std::process::Child;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::Parts;
use crate::client::go;
use crate::peer::PeerName;
use crate::reading::Reading;
use crate::setup::Setup;
use crate::topics;

/// How long a broker is left alone: nothing tells when its start is over, and what is asked for is what
/// it keeps.
const SETTLING: Duration = Duration::from_secs(2);
/// Of the topics that are there when it starts again.
const PARTITIONS: u32 = 1000;
const TOPIC: &str = "first";

/// Resident memory of a broker that nobody uses.
pub(super) fn idle(setup: &Setup, name: PeerName) -> Result<Parts> {
    let peer = name.plan(setup)?.start()?;
    std::thread::sleep(SETTLING);
    let rss = Some(peer.server.rss_bytes()? as f64);
    Ok(vec![("idle", Reading { broker_rss: rss, ..Reading::default() })])
}

/// From the start of its process to the first acknowledgement, on a topic that is made for it.
pub(super) fn cold_start(setup: &Setup, name: PeerName) -> Result<Parts> {
    let plan = name.plan(setup)?;
    let first = First::begin(setup, name, plan.address, 1)?;
    let peer = plan.start()?;
    first.wait()?;
    Ok(seconds(peer.server.age()))
}

/// The same on data that it left behind when it was killed, until each of many partitions has acknowledged.
pub(super) fn restart(setup: &Setup, name: PeerName) -> Result<Parts> {
    let plan = name.plan(setup)?;
    let address = plan.address;
    let first = First::begin(setup, name, address, PARTITIONS)?;
    let mut peer = plan.start()?;
    first.wait()?;
    peer.server.kill()?;
    let again = First::begin(setup, name, address, PARTITIONS)?;
    peer.server.start_again()?;
    again.wait()?;
    Ok(seconds(peer.server.age()))
}

fn seconds(time: Duration) -> Parts {
    vec![("to first ack", Reading { seconds: Some(time.as_secs_f64()), ..Reading::default() })]
}

/// Who sends the first messages.
enum First {
    /// This process, once there is something to connect to.
    Kafka { address: SocketAddr, partitions: u32 },
    /// A program that tries already.
    Program(Child),
}

impl First {
    fn begin(setup: &Setup, name: PeerName, address: SocketAddr, partitions: u32) -> Result<First> {
        if name.speaks_kafka() {
            return Ok(First::Kafka { address, partitions });
        }
        Ok(First::Program(go::first(setup, name, address, TOPIC, partitions)?))
    }

    /// Waits until each partition has acknowledged a message.
    fn wait(self) -> Result<()> {
        match self {
            First::Kafka { address, partitions } => topics::first(address, TOPIC, partitions),
            First::Program(program) => {
                let output = program.wait_with_output()?;
                let said = String::from_utf8_lossy(&output.stderr);
                ensure!(output.status.success(), "no first message: {said}");
                Ok(())
            }
        }
    }
}
