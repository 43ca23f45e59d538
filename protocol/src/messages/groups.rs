//! Consumer groups: membership, offsets, administration.

use onrush_record::{LeaderEpoch, Offset, TopicId};

use crate::error::WireError;
use crate::wire::Maybe;

/// `member_epoch` of a heartbeat that joins.
pub const JOIN: i32 = 0;
/// `member_epoch` of a heartbeat that leaves.
pub const LEAVE: i32 = -1;
/// `member_epoch` of a heartbeat by which a static member leaves for a while, keeping its partitions.
pub const LEAVE_STATIC: i32 = -2;

names! {
    /// Where a group is in its life.
    pub enum GroupState {
        /// 0: no members; committed offsets may remain.
        Empty = 0,
        /// 1: a new target assignment is due.
        Assigning = 1,
        /// 2: members are giving up or taking over partitions.
        Reconciling = 2,
        /// 3: every member has what it should have.
        Stable = 3,
    }

    /// Where a member is on its way to its target assignment.
    pub enum MemberState {
        /// 0: has what it should have.
        Stable = 0,
        /// 1: asked to give up partitions; has not said yet that it did.
        Revoking = 1,
        /// 2: waits for partitions that another member has not given up yet.
        Waiting = 2,
    }
}

message! {
    /// A partition of a topic.
    pub struct TopicPartition {
        /// The topic.
        pub topic_id: TopicId,
        /// The partition.
        pub partition: u32,
    }

    /// What a member wants to read: the topics named, and those whose whole name the expression matches.
    pub struct Subscription {
        /// Topics by name. They need not exist yet.
        pub topics: Vec<String>,
        /// A regular expression (RE2 syntax) over whole topic names.
        pub regex: Option<String>,
    }

    /// Joins a group, stays in it, or leaves.
    pub struct GroupHeartbeatRequest {
        /// The group.
        pub group: String,
        /// The member: chosen by the client, or empty on joining to be given one.
        pub member_id: String,
        /// 0 to join, -1 to leave, -2 to leave as a static member, else the epoch last received.
        pub member_epoch: i32,
        /// Makes the member static: who joins with the same instance id takes over its place.
        pub instance_id: Option<String>,
        /// How long the member may take to give up partitions. Read on joining.
        pub rebalance_timeout_ms: u32,
        /// How long the member may be silent; absent: the broker's default. Read on joining.
        pub session_timeout_ms: Option<u32>,
        /// What the member wants to read; absent: as before. Must be there on joining.
        pub subscription: Option<Subscription>,
        /// How the group's partitions are spread: `uniform` (default) or `range`; absent: no preference.
        pub assignor: Option<String>,
        /// The partitions the member has now; absent: as said before. Must be there on joining (empty) and after a change.
        pub owned: Option<Vec<TopicPartition>>,
    }

    /// What the member should do.
    pub struct GroupHeartbeatResponse {
        /// The member's id.
        pub member_id: String,
        /// The epoch for its next heartbeat and its commits.
        pub member_epoch: i32,
        /// When to send that heartbeat at the latest.
        pub heartbeat_interval_ms: u32,
        /// The partitions it should have, all of them; absent: as said before.
        pub assignment: Option<Vec<TopicPartition>>,
    }

    /// Commits offsets.
    pub struct GroupCommitRequest {
        /// The group.
        pub group: String,
        /// The member; empty: an administrator or a lone consumer, allowed while the group has no members.
        pub member_id: String,
        /// The member's epoch; -1 with an empty `member_id`.
        pub member_epoch: i32,
        /// What to commit. Each offset is judged by itself; an error of the whole request commits nothing.
        pub offsets: Vec<CommitOffset>,
    }

    /// An offset to commit.
    pub struct CommitOffset {
        /// The topic.
        pub topic_id: TopicId,
        /// The partition.
        pub partition: u32,
        /// The next record to read; -1: forget what is committed.
        pub offset: Maybe<Offset>,
        /// Leader epoch of the last record read, or -1.
        pub leader_epoch: Maybe<LeaderEpoch>,
        /// Text of the client's own, at most 4,096 bytes.
        pub metadata: String,
    }

    /// What was committed, now on stable storage.
    pub struct GroupCommitResponse {
        /// In the order of the request.
        pub parts: Vec<CommitResult>,
    }

    /// What became of one offset.
    pub struct CommitResult {
        /// 0, or why this one was not committed: `UNKNOWN_TOPIC`, `UNKNOWN_PARTITION`, `FENCED_MEMBER`, `STALE_MEMBER_EPOCH`, `COMMIT_METADATA_TOO_LARGE`.
        pub error: Maybe<WireError>,
        /// The topic.
        pub topic_id: TopicId,
        /// The partition.
        pub partition: u32,
    }

    /// Asks for committed offsets.
    pub struct GroupOffsetsRequest {
        /// The group. One that does not exist has committed nothing.
        pub group: String,
        /// Which partitions; absent: all that have a commit.
        pub partitions: Option<Vec<TopicPartition>>,
        /// Also look up where each partition ends, to tell the lag.
        pub with_end: bool,
        /// Say `UNSTABLE_OFFSET` of a partition whose offset an open transaction is still to decide.
        pub stable: bool,
    }

    /// Committed offsets.
    pub struct GroupOffsetsResponse {
        /// In the order of the request; all come in order of topic id and partition.
        pub offsets: Vec<CommittedOffset>,
    }

    /// What a group has committed for a partition.
    pub struct CommittedOffset {
        /// 0, or why there is no answer (`UNSTABLE_OFFSET`), or why the end is missing: `UNKNOWN_TOPIC` once it is deleted.
        pub error: Maybe<WireError>,
        /// The topic.
        pub topic_id: TopicId,
        /// The partition.
        pub partition: u32,
        /// The next record to read; -1: nothing is committed.
        pub offset: Maybe<Offset>,
        /// As committed.
        pub leader_epoch: Maybe<LeaderEpoch>,
        /// As committed.
        pub metadata: String,
        /// When it was committed, in milliseconds since 1970; -1 for nothing.
        pub committed_at_ms: i64,
        /// The partition's readable end, if asked for; else -1. The lag is this minus `offset`.
        pub readable_end: Maybe<Offset>,
    }

    /// Asks which groups there are. Empty.
    pub struct GroupListRequest {}

    /// The groups.
    pub struct GroupListResponse {
        /// In order of name.
        pub groups: Vec<GroupListing>,
    }

    /// One group in a list.
    pub struct GroupListing {
        /// Its id.
        pub group: String,
        /// Its state: 0 empty, 1 assigning, 2 reconciling, 3 stable.
        pub state: GroupState,
        /// Its members.
        pub members: u32,
    }

    /// Asks for members and assignments of groups.
    pub struct GroupDescribeRequest {
        /// The groups.
        pub groups: Vec<String>,
    }

    /// Groups in full.
    pub struct GroupDescribeResponse {
        /// In the order of the request.
        pub groups: Vec<GroupDescription>,
    }

    /// One group in full.
    pub struct GroupDescription {
        /// 0, or `UNKNOWN_GROUP`.
        pub error: Maybe<WireError>,
        /// Its id.
        pub group: String,
        /// Its state: 0 empty, 1 assigning, 2 reconciling, 3 stable.
        pub state: GroupState,
        /// Rises with each change of members, subscriptions or topics.
        pub group_epoch: i32,
        /// The group epoch that the target assignment was made for.
        pub target_epoch: i32,
        /// How partitions are spread: `uniform` or `range`.
        pub assignor: String,
        /// Its members, in order of id.
        pub members: Vec<GroupMember>,
    }

    /// A member of a group.
    pub struct GroupMember {
        /// Its id.
        pub member_id: String,
        /// Its instance id, if it is static.
        pub instance_id: Option<String>,
        /// What its client called itself.
        pub client_id: String,
        /// Where it connects from.
        pub client_host: String,
        /// Its epoch.
        pub member_epoch: i32,
        /// Its state: 0 stable, 1 giving up partitions, 2 waiting for partitions.
        pub state: MemberState,
        /// What it wants to read.
        pub subscription: Subscription,
        /// What it has now.
        pub assignment: Vec<TopicPartition>,
        /// What it shall have.
        pub target: Vec<TopicPartition>,
    }

    /// Deletes groups with their committed offsets. Each succeeds or fails by itself.
    pub struct GroupDeleteRequest {
        /// The groups.
        pub groups: Vec<String>,
    }

    /// What became of each.
    pub struct GroupDeleteResponse {
        /// In the order of the request.
        pub groups: Vec<GroupDeleted>,
    }

    /// What became of one.
    pub struct GroupDeleted {
        /// 0 once the deletion is durable, else `UNKNOWN_GROUP` or `GROUP_NOT_EMPTY`.
        pub error: Maybe<WireError>,
        /// Its id.
        pub group: String,
    }
}
