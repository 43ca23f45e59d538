//! What an operator may tune, and what never changes.

use std::time::Duration;

/// Limits and timeouts of the gateway.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether a client that asks about a topic that does not exist creates it.
    pub auto_create_topics: bool,
    /// The partitions of a topic created so. None: what the broker gives topics that do not say.
    pub num_partitions: Option<u32>,
    /// Largest request accepted, as its length field counts.
    pub request_bytes_max: u32,
    /// Largest request accepted that is no Produce.
    pub control_bytes_max: u32,
    /// How long a connection may be idle before it is closed; nothing: for ever.
    pub idle_timeout: Option<Duration>,
    /// Connections beyond which new ones are refused.
    pub connections_max: usize,
    /// Produce requests of one connection that may be unanswered before it is no longer read from.
    pub in_flight_max: u32,
    /// Encoded bytes that may wait for a slow reader before its requests are no longer served.
    pub outbox_bytes_max: usize,
    /// Runs of record batches up to this size are copied behind their header and leave in one
    /// system call; larger ones go from the file to the socket.
    pub copy_bytes_max: u32,
    /// Bytes of record batches in one fetch response, one batch always excepted.
    pub fetch_bytes_max: u32,
    /// How long a frame that has begun may take to arrive.
    pub frame_timeout: Duration,
    /// How long an append may wait for its sync when the request does not say.
    pub produce_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            auto_create_topics: true,
            num_partitions: None,
            request_bytes_max: 100 * 1024 * 1024,
            control_bytes_max: 16 * 1024 * 1024,
            idle_timeout: Some(Duration::from_secs(600)),
            connections_max: 100_000,
            in_flight_max: 1024,
            outbox_bytes_max: 1024 * 1024,
            copy_bytes_max: 16 * 1024,
            fetch_bytes_max: 55 * 1024 * 1024,
            frame_timeout: Duration::from_secs(30),
            produce_timeout: Duration::from_secs(30),
        }
    }
}
