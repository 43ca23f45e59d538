//! How long a run takes, as it was measured on a machine of two cores: to be told before a race begins.

use std::time::Duration;

use crate::client::Client;
use crate::peer::PeerName;
use crate::setup::Extent;
use crate::workload::{Kind, Workload};

/// What a run takes besides its load: a topic made and deleted, what it wrote brought to the disk.
const AROUND: f64 = 1.0;
/// The least that a load takes which goes by the clock: a shorter one tells nothing.
const TIMED_MIN: f64 = 3.5;
/// What each of Java's tools takes to begin.
const JAVA: f64 = 1.5;

/// How long it is expected to take.
pub(crate) fn run(workload: Workload, peer: PeerName, client: Client, extent: Extent) -> Duration {
    let Workload { kind, .. } = workload;
    if let Some(seconds) = start(kind, peer) {
        return Duration::from_secs_f64(seconds);
    }
    let around = if client == Client::Java { AROUND + 2.0 * JAVA } else { AROUND };
    let load = load(kind, peer, client) / f64::from(extent.divisor());
    let load = if timed(kind) { load.max(TIMED_MIN) } else { load };
    Duration::from_secs_f64(around + load)
}

/// What a round of the bare rungs takes.
pub(crate) fn limits(extent: Extent) -> Duration {
    Duration::from_secs(20) / extent.divisor() + Duration::from_secs(4)
}

/// Seconds that a broker of its own takes.
fn start(kind: Kind, peer: PeerName) -> Option<f64> {
    let (start, restart) = match peer {
        PeerName::Kafka => (4.5, 39.0),
        // Only started: its restart is left out.
        PeerName::Rabbit => (4.0, 0.0),
        PeerName::Onrush
        | PeerName::Nats
        | PeerName::NatsSynced
        | PeerName::Redis
        | PeerName::RedisSynced => (0.1, 2.0),
    };
    match kind {
        Kind::Idle => Some(start + 2.0),
        Kind::ColdStart => Some(start),
        Kind::Restart => Some(start + restart),
        _ => None,
    }
}

fn timed(kind: Kind) -> bool {
    matches!(kind, Kind::Single | Kind::Latency | Kind::Backlog | Kind::Retention | Kind::Slow)
}

/// Seconds of a standard load.
fn load(kind: Kind, peer: PeerName, client: Client) -> f64 {
    match kind {
        Kind::Single => 5.0,
        Kind::Latency => 7.0,
        Kind::Backlog => 11.0,
        Kind::Retention | Kind::Slow => 6.5,
        Kind::Crowd => 2.0,
        Kind::Partitions1000 if peer == PeerName::Kafka => 14.0,
        _ => match (client, peer) {
            (Client::Native, _) => 4.0,
            (Client::Librdkafka, PeerName::Kafka) => 6.5,
            (Client::Librdkafka, _) => 4.5,
            (Client::Java, PeerName::Kafka) => 18.0,
            (Client::Java, _) => 13.0,
            (Client::Go, PeerName::Nats | PeerName::NatsSynced) => 18.0,
            (Client::Go, PeerName::RedisSynced) => 15.0,
            (Client::Go, PeerName::Redis) => 8.5,
            (Client::Go, _) => 3.5,
        },
    }
}
