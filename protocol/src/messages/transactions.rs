//! Transactions: appends to several partitions, and commits of offsets, that count all or not at all.

use onrush_record::{Offset, ProducerEpoch, ProducerId, TopicId};

use super::groups::{CommitOffset, CommitResult, TopicPartition};
use crate::error::WireError;
use crate::wire::Maybe;

names! {
    /// How far a transaction has come.
    pub enum TransactionState {
        /// 0: the producer has begun none yet.
        Empty = 0,
        /// 1: it is open.
        Ongoing = 1,
        /// 2: it is decided that it counts; not everyone concerned knows yet.
        PrepareCommit = 2,
        /// 3: it is decided that it does not count; not everyone concerned knows yet.
        PrepareAbort = 3,
        /// 4: it counts, and everyone concerned knows.
        CompleteCommit = 4,
        /// 5: it does not count, and everyone concerned knows.
        CompleteAbort = 5,
    }
}

message! {
    /// Asks who a transactional producer is; fences who had its id before and aborts what that left open.
    pub struct TransactionOpenRequest {
        /// Names the producer across its restarts.
        pub transactional_id: String,
        /// How long a transaction of it may take before the broker aborts it.
        pub timeout_ms: u32,
        /// -1 for a new instance of the producer; else who it was, to get on as the same instance.
        pub producer_id: ProducerId,
        /// -1, or the epoch that goes with `producer_id`.
        pub producer_epoch: ProducerEpoch,
    }

    /// Who the producer is from here on.
    pub struct TransactionOpenResponse {
        /// The id, for the producer field of record batches.
        pub producer_id: ProducerId,
        /// The epoch, for the same place.
        pub producer_epoch: ProducerEpoch,
    }

    /// Commits a group's offsets as part of the producer's transaction, which begins by it if none is open.
    pub struct TransactionOffsetsRequest {
        /// The transactional id.
        pub transactional_id: String,
        /// The producer.
        pub producer_id: ProducerId,
        /// Its epoch.
        pub producer_epoch: ProducerEpoch,
        /// The group.
        pub group: String,
        /// The member that read what is committed; empty: nobody is asked for.
        pub member_id: String,
        /// The member's epoch; -1 with an empty `member_id`.
        pub member_epoch: i32,
        /// What to commit. Each offset is judged by itself.
        pub offsets: Vec<CommitOffset>,
    }

    /// What will be committed with the transaction, now on stable storage.
    pub struct TransactionOffsetsResponse {
        /// In the order of the request.
        pub parts: Vec<CommitResult>,
    }

    /// Ends the producer's transaction.
    pub struct TransactionEndRequest {
        /// The transactional id.
        pub transactional_id: String,
        /// The producer.
        pub producer_id: ProducerId,
        /// Its epoch.
        pub producer_epoch: ProducerEpoch,
        /// Whether all of it counts, or none of it.
        pub commit: bool,
    }

    /// It is decided, on stable storage. Who the producer is from here on.
    pub struct TransactionEndResponse {
        /// The producer's id, as a rule the same.
        pub producer_id: ProducerId,
        /// Its epoch, a new one.
        pub producer_epoch: ProducerEpoch,
    }

    /// Asks which transactional ids there are.
    pub struct TransactionListRequest {
        /// Only those in one of these states; empty: in any.
        pub states: Vec<TransactionState>,
        /// Only those whose open transaction is older than so many milliseconds; absent: of any age.
        pub older_than_ms: Option<u64>,
        /// Only those whose whole id this regular expression (RE2 syntax) matches; absent: all.
        pub regex: Option<String>,
    }

    /// The transactional ids.
    pub struct TransactionListResponse {
        /// In order of id.
        pub transactions: Vec<TransactionListing>,
    }

    /// One transactional id in a list.
    pub struct TransactionListing {
        /// The id.
        pub transactional_id: String,
        /// Its producer.
        pub producer_id: ProducerId,
        /// Its state: 0 none begun, 1 open, 2 being committed, 3 being aborted, 4 committed, 5 aborted.
        pub state: TransactionState,
    }

    /// Asks for transactional ids in full.
    pub struct TransactionDescribeRequest {
        /// The ids.
        pub transactional_ids: Vec<String>,
    }

    /// Transactional ids in full.
    pub struct TransactionDescribeResponse {
        /// In the order of the request, each once.
        pub transactions: Vec<TransactionDescription>,
    }

    /// One transactional id in full.
    pub struct TransactionDescription {
        /// 0, or `UNKNOWN_TRANSACTIONAL_ID`.
        pub error: Maybe<WireError>,
        /// The id.
        pub transactional_id: String,
        /// Its state: 0 none begun, 1 open, 2 being committed, 3 being aborted, 4 committed, 5 aborted.
        pub state: TransactionState,
        /// Its producer; -1 with an error.
        pub producer_id: ProducerId,
        /// The producer's epoch.
        pub producer_epoch: ProducerEpoch,
        /// How long a transaction of it may take.
        pub timeout_ms: u32,
        /// When its transaction began, in milliseconds since 1970; -1 when none is under way.
        pub started_at_ms: i64,
        /// The partitions that take part.
        pub partitions: Vec<TopicPartition>,
        /// The groups that take part.
        pub groups: Vec<String>,
    }

    /// Asks which transactions are open in partitions though the broker's coordinator knows nothing of them. Empty.
    pub struct TransactionHangingRequest {}

    /// What hangs.
    pub struct TransactionHangingResponse {
        /// In no order.
        pub transactions: Vec<HangingTransaction>,
    }

    /// A transaction that nothing will end by itself; readers of what is committed wait for it.
    pub struct HangingTransaction {
        /// The topic.
        pub topic_id: TopicId,
        /// The partition.
        pub partition: u32,
        /// Whose it is.
        pub producer_id: ProducerId,
        /// Of which epoch.
        pub producer_epoch: ProducerEpoch,
        /// Its first record.
        pub first_offset: Offset,
    }

    /// Aborts a hanging transaction in one partition.
    pub struct TransactionAbortRequest {
        /// The topic.
        pub topic_id: TopicId,
        /// The partition.
        pub partition: u32,
        /// Whose it is.
        pub producer_id: ProducerId,
        /// Of which epoch.
        pub producer_epoch: ProducerEpoch,
    }

    /// It is aborted there, on stable storage. Empty.
    pub struct TransactionAbortResponse {}
}
