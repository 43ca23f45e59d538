//! What one run of a client against a broker measured.

use serde::{Deserialize, Serialize};

/// Latency percentiles in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
}

/// One run. What a tool does not tell is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Reading {
    /// How many messages it was.
    pub(crate) messages: Option<u64>,
    /// Messages a second, produced or consumed.
    pub(crate) per_second: Option<f64>,
    /// From when a message was due (or sent, where a tool has no schedule) to its acknowledgement.
    pub(crate) ack: Option<Latency>,
    /// From when a message was due to when it was consumed.
    pub(crate) end_to_end: Option<Latency>,
    /// Processor time of the broker, nanoseconds a message.
    pub(crate) broker_cpu: Option<f64>,
    /// Processor time of the client, nanoseconds a message.
    pub(crate) client_cpu: Option<f64>,
    /// Resident memory of the broker afterwards.
    pub(crate) broker_rss: Option<f64>,
    /// The most that it had resident at once, from the begin of this run to its end.
    pub(crate) broker_rss_peak: Option<f64>,
    /// Bytes that the broker's files grew by, a message; room that is reserved but not written is left out.
    pub(crate) disk_bytes_per_message: Option<f64>,
    /// How long it took, where that is what was asked: of a start, until the first acknowledgement.
    pub(crate) seconds: Option<f64>,
    /// Messages a second that one more consumer took beside the load.
    pub(crate) beside_per_second: Option<f64>,
    /// What the partition with the fewest messages got, as a part of an even share.
    pub(crate) least_share: Option<f64>,
    /// What the host of this machine took for itself meanwhile, as a percentage of the time of all cores.
    pub(crate) stolen: Option<f64>,
}
