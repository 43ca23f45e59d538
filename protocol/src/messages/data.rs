//! Records in and out: produce, fetch, subscribe. The hot part: no text but in errors, nothing
//! allocated for up to four parts.

use std::ops::Range;

use onrush_record::{LeaderEpoch, Offset, TopicId};
use smallvec::SmallVec;

use crate::error::WireError;
use crate::wire::{DecodeError, Maybe};

/// Flag of `Produce`: the partitions join the transaction of the batches' producer first.
pub const PRODUCE_JOINS: u8 = 1;

/// Parts of one request or response; the first few live inside the message.
pub type Parts<T> = SmallVec<[T; 4]>;

names! {
    /// When an append is acknowledged.
    pub enum Acks {
        /// 0: never. The request has no response at all; a refusal closes the connection.
        None = 0,
        /// 1: when written to the page cache: survives the broker's process, not the machine.
        Written = 1,
        /// 2: when on stable storage.
        All = 2,
    }

    /// Which records a reader sees.
    pub enum Isolation {
        /// 0: all readable ones.
        ReadUncommitted = 0,
        /// 1: without those of open or aborted transactions. The same as 0 until there are any.
        ReadCommitted = 1,
    }
}

message! {
    /// Appends record batches; they are the frame's payload.
    pub struct ProduceRequest {
        /// When to acknowledge: 0 never (no response is sent), 1 when written, 2 when on stable storage.
        pub acks: Acks,
        /// 0, or 1: the partitions join the transaction of the batches' producer first. Others are `INVALID_REQUEST`.
        pub flags: u8,
        /// How long to wait for what `acks` asks before answering `TIMED_OUT`; 0: as the broker likes.
        pub timeout_ms: u32,
        /// What goes where. The payload holds the batches of the parts, in this order.
        pub parts: Parts<ProducePart>,
    }

    /// Batches for one partition.
    pub struct ProducePart {
        /// The topic.
        pub topic_id: TopicId,
        /// The partition.
        pub partition: u32,
        /// The leader epoch the client knows, or -1 not to check.
        pub leader_epoch: Maybe<LeaderEpoch>,
        /// Append only if the first record gets this offset; -1: wherever.
        pub expected_offset: Maybe<Offset>,
        /// Bytes of payload for this part: one or more whole record batches.
        pub batches_length: u32,
    }

    /// What became of each part.
    pub struct ProduceResponse {
        /// In the order of the request.
        pub parts: Parts<ProducePartResponse>,
    }

    /// What became of the batches for one partition: all were appended, one behind the other, or none.
    pub struct ProducePartResponse {
        /// 0 when appended (or found to have been appended before), else why not.
        pub error: Maybe<WireError>,
        /// Offset of the part's first record; -1 with an error.
        pub base_offset: Maybe<Offset>,
        /// First offset the partition still has; -1 if not known.
        pub log_start: Maybe<Offset>,
        /// Time given by the broker where the topic asks for append time; else -1.
        pub timestamp: i64,
    }

    /// Reads record batches.
    pub struct FetchRequest {
        /// How long to wait for `min_bytes`, in milliseconds.
        pub max_wait_ms: u32,
        /// Answer once there are this many bytes over all parts; 0 or 1: once there are any.
        pub min_bytes: u32,
        /// Answer with at most this much, one batch always excepted.
        pub max_bytes: u32,
        /// 0 all readable records, 1 committed ones only.
        pub isolation: Isolation,
        /// What to read.
        pub parts: Parts<FetchPart>,
    }

    /// One partition to read from.
    pub struct FetchPart {
        /// The topic.
        pub topic_id: TopicId,
        /// The partition.
        pub partition: u32,
        /// The leader epoch the client knows, or -1 not to check.
        pub leader_epoch: Maybe<LeaderEpoch>,
        /// First record wanted. The batch that holds it comes whole.
        pub offset: Offset,
        /// At most this much from this partition, one batch always excepted.
        pub max_bytes: u32,
    }

    /// What was read; the batches are the frame's payload.
    pub struct FetchResponse {
        /// In the order of the request. The payload holds the batches of the parts, in this order.
        pub parts: Parts<FetchPartResponse>,
    }

    /// What was read from one partition.
    pub struct FetchPartResponse {
        /// 0, or why nothing was read.
        pub error: Maybe<WireError>,
        /// First offset the partition still has; -1 if not known.
        pub log_start: Maybe<Offset>,
        /// One past the last offset that may be read; -1 if not known.
        pub readable_end: Maybe<Offset>,
        /// Bytes of payload from this partition: whole record batches, or 0.
        pub payload_length: u32,
    }

    /// Begins a subscription to one partition.
    pub struct SubscribeRequest {
        /// A number of the client's choice, free on this connection.
        pub subscription: u32,
        /// The topic.
        pub topic_id: TopicId,
        /// The partition.
        pub partition: u32,
        /// The leader epoch the client knows, or -1 not to check.
        pub leader_epoch: Maybe<LeaderEpoch>,
        /// First record wanted. The batch that holds it comes whole.
        pub offset: Offset,
        /// Bytes of payload the broker may push before it is given more.
        pub credit: u64,
        /// 0 all readable records, 1 committed ones only.
        pub isolation: Isolation,
    }

    /// The subscription stands; its first `Deliver` comes after this.
    pub struct SubscribeResponse {
        /// First offset the partition still has.
        pub log_start: Offset,
        /// One past the last offset that may be read now.
        pub readable_end: Offset,
        /// The partition's leader epoch.
        pub leader_epoch: Maybe<LeaderEpoch>,
    }

    /// Gives a subscription more credit. Has no response; one for a subscription that is gone is ignored.
    pub struct CreditRequest {
        /// The subscription.
        pub subscription: u32,
        /// Bytes to add.
        pub bytes: u64,
    }

    /// Ends a subscription.
    pub struct UnsubscribeRequest {
        /// The subscription.
        pub subscription: u32,
    }

    /// The subscription has ended; no `Deliver` of it comes after this. Empty.
    pub struct UnsubscribeResponse {}

    /// Pushed: batches of a subscription, which are the frame's payload; or, with an error, its end.
    pub struct Deliver {
        /// The subscription.
        pub subscription: u32,
        /// 0, or why the subscription has ended.
        pub error: Maybe<WireError>,
        /// First offset the partition still has; -1 if not known.
        pub log_start: Maybe<Offset>,
        /// One past the last offset that may be read; -1 if not known.
        pub readable_end: Maybe<Offset>,
    }
}

/// Walks the lengths that parts claim of a payload and says whether they use it up exactly.
fn split_payload<T>(
    parts: &[T],
    payload: usize,
    length: impl Fn(&T) -> u32,
) -> Result<(), DecodeError> {
    let claimed = parts.iter().map(|part| u64::from(length(part))).sum();
    if u64::try_from(payload) == Ok(claimed) {
        Ok(())
    } else {
        Err(DecodeError::PayloadMismatch { claimed, payload })
    }
}

impl ProduceRequest {
    /// Whether the parts use up a payload of `payload` bytes exactly.
    pub fn check_payload(&self, payload: usize) -> Result<(), DecodeError> {
        split_payload(&self.parts, payload, |part| part.batches_length)
    }

    /// Each part with where its batches are in the payload. Ranges are within the payload only
    /// after [`Self::check_payload`] has agreed.
    pub fn ranges(&self) -> impl Iterator<Item = (&ProducePart, Range<usize>)> {
        let mut at = 0_usize;
        self.parts.iter().map(move |part| {
            let start = at;
            at = at.saturating_add(part.batches_length as usize);
            (part, start..at)
        })
    }
}

impl FetchResponse {
    /// Whether the parts use up a payload of `payload` bytes exactly.
    pub fn check_payload(&self, payload: usize) -> Result<(), DecodeError> {
        split_payload(&self.parts, payload, |part| part.payload_length)
    }

    /// Each part with where its batches are in the payload. Ranges are within the payload only
    /// after [`Self::check_payload`] has agreed.
    pub fn ranges(&self) -> impl Iterator<Item = (&FetchPartResponse, Range<usize>)> {
        let mut at = 0_usize;
        self.parts.iter().map(move |part| {
            let start = at;
            at = at.saturating_add(part.payload_length as usize);
            (part, start..at)
        })
    }
}
