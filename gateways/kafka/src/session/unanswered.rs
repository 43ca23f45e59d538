//! A produce request whose answer is not complete.

use std::time::Duration;

use onrush_broker::Placed;
use onrush_kafka_protocol::produce::{ProduceResponseWriter, ProducedPartition};
use onrush_kafka_protocol::{EncodeError, ErrorCode};
use smallvec::SmallVec;

use super::frame::Head;
use super::joining;
use super::topic::{Named, Refusal};
use crate::lookup::wire_offset;

/// What is known of its answer, and how many parts are missing from that.
pub(super) struct Unanswered {
    head: Head,
    since: Duration,
    /// The topics, and how many parts each has.
    topics: SmallVec<[(Named, usize); 1]>,
    /// The parts, topic by topic.
    parts: SmallVec<[Part; 1]>,
    missing: usize,
    /// How long the client is told to wait before it sends more.
    pub(super) throttle_time_ms: i32,
}

/// One partition of the request.
struct Part {
    index: i32,
    outcome: Outcome,
}

/// What is answered of a part.
pub(super) type Outcome = Result<Placed, Refusal>;

impl Unanswered {
    /// A request without any part yet.
    pub(super) fn new(head: Head, since: Duration) -> Self {
        let (topics, parts) = (SmallVec::new(), SmallVec::new());
        Self { head, since, topics, parts, missing: 0, throttle_time_ms: 0 }
    }

    /// When it began.
    pub(super) fn since(&self) -> Duration {
        self.since
    }

    /// The parts that follow are of this topic.
    pub(super) fn topic(&mut self, named: Named) {
        self.topics.push((named, 0));
    }

    /// One more part, which is missing; tells its number.
    pub(super) fn part(&mut self, index: i32) -> u32 {
        if let Some((_, parts)) = self.topics.last_mut() {
            *parts += 1;
        }
        self.missing += 1;
        let outcome = Err(Refusal::new(ErrorCode::UNKNOWN_SERVER_ERROR, ""));
        self.parts.push(Part { index, outcome });
        u32::try_from(self.parts.len() - 1).unwrap_or(u32::MAX)
    }

    /// Notes what is to be answered of a part; it still counts as missing.
    pub(super) fn note(&mut self, part: u32, outcome: Outcome) {
        let version = self.head.version;
        if let Some(part) = self.parts.get_mut(part as usize) {
            part.outcome = outcome
                .map_err(|refusal| Refusal { code: as_known(refusal.code, version), ..refusal });
        }
    }

    /// A part is missing no more.
    pub(super) fn complete(&mut self) {
        self.missing = self.missing.saturating_sub(1);
    }

    pub(super) fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// The frame of the answer.
    pub(super) fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let Head { version, correlation, .. } = self.head;
        let mut frame = Vec::with_capacity(64 + 64 * self.parts.len());
        let topics = self.topics.len();
        let mut writer = ProduceResponseWriter::begin(&mut frame, version, correlation, topics)?;
        let mut parts = self.parts.iter();
        for (named, count) in &self.topics {
            writer.topic(named.as_ref(), *count)?;
            for part in parts.by_ref().take(*count) {
                writer.partition(&part.answer())?;
            }
        }
        writer.finish(self.throttle_time_ms)?;
        Ok(frame)
    }
}

impl Part {
    fn answer(&self) -> ProducedPartition<'_> {
        match &self.outcome {
            Ok(placed) => ProducedPartition {
                index: self.index,
                error_code: ErrorCode::NONE,
                base_offset: wire_offset(placed.base_offset),
                log_append_time_ms: placed.timestamp,
                log_start_offset: wire_offset(placed.log_start),
                error_message: None,
                current_leader: None,
            },
            Err(refusal) => ProducedPartition {
                error_message: Some(&refusal.message),
                ..ProducedPartition::failed(self.index, refusal.code)
            },
        }
    }
}

/// The code that clients of a version know for what is wrong with a transaction.
fn as_known(code: ErrorCode, version: i16) -> ErrorCode {
    match code {
        ErrorCode::PRODUCER_FENCED => ErrorCode::INVALID_PRODUCER_EPOCH,
        // Such a client can abort the transaction and go on.
        ErrorCode::INVALID_TXN_STATE if version >= joining::FROM => {
            ErrorCode::TRANSACTION_ABORTABLE
        }
        // An older one knows this to be tried again.
        ErrorCode::CONCURRENT_TRANSACTIONS if version < joining::FROM => {
            ErrorCode::NOT_ENOUGH_REPLICAS
        }
        other => other,
    }
}
