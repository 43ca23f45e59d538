//! What an operator may tune, and what never changes.

use std::time::Duration;

use onrush_broker::ReadMode;

/// Limits and timeouts of the gateway.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes of the receive buffer that all connections of a shard share. One read fills at most
    /// this much, so that it also bounds what one connection does before the next has its turn.
    pub receive_buffer_bytes: usize,
    /// Largest frame accepted, as the length field counts.
    pub frame_bytes_max: u32,
    /// Requests of one connection that may be unanswered before it is no longer read from.
    pub in_flight_max: u32,
    /// Encoded bytes that may wait for a slow reader before its requests are no longer read.
    pub outbox_bytes_max: usize,
    /// Bytes of record batches that are queued for one connection before they are sent; they lie
    /// in the log's files, this bounds the work of one turn.
    pub delivery_bytes_max: u64,
    /// Largest payload of one pushed frame, one batch always excepted.
    pub deliver_frame_bytes: u32,
    /// Runs of record batches up to this size are copied behind their header and leave in one
    /// system call; larger ones go from the file to the socket.
    pub copy_bytes_max: u32,
    /// Subscriptions that one connection may have.
    pub subscriptions_max: usize,
    /// How long a new connection may take to say hello.
    pub hello_timeout: Duration,
    /// How long a frame that has begun may take to arrive.
    pub frame_timeout: Duration,
    /// How long a connection may be idle before it is closed; nothing: for ever.
    pub idle_timeout: Option<Duration>,
    /// How long an append may wait for its sync when the request does not say.
    pub produce_timeout: Duration,
    /// How connections within the process get record batches.
    pub reads: ReadMode,
    /// The address to name in metadata, where it differs from the one connected to.
    pub advertised: Option<(String, u16)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            receive_buffer_bytes: 256 * 1024,
            frame_bytes_max: onrush_protocol::frame::DEFAULT_MAX_FRAME,
            in_flight_max: 1024,
            outbox_bytes_max: 1024 * 1024,
            delivery_bytes_max: 1024 * 1024,
            deliver_frame_bytes: 512 * 1024,
            copy_bytes_max: 16 * 1024,
            subscriptions_max: 16 * 1024,
            hello_timeout: Duration::from_secs(10),
            frame_timeout: Duration::from_secs(30),
            idle_timeout: Some(Duration::from_secs(600)),
            produce_timeout: Duration::from_secs(30),
            reads: ReadMode::Mapped,
            advertised: None,
        }
    }
}
