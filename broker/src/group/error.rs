//! Why a group does not do what it was asked.

use onrush_record::TopicId;

/// Why a group did not do what it was asked. Nothing has happened in any of these cases.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// Not a legal group id.
    #[error("group ids are 1 to 32767 bytes, this one has {len}; choose another")]
    InvalidGroupId {
        /// Its length in bytes.
        len: usize,
    },
    /// A field makes no sense.
    #[error("request for group {group} makes no sense: {reason}")]
    InvalidRequest {
        /// The group.
        group: String,
        /// What is wrong, and what would be right.
        reason: &'static str,
    },
    /// No such member.
    #[error("group {group} has no member {member}: its session expired or it left; join again")]
    UnknownMember {
        /// The group.
        group: String,
        /// The member.
        member: String,
    },
    /// The epoch is not the member's.
    #[error(
        "member {member} of group {group} is at epoch {current}, not {found}; \
         give up all partitions and join again"
    )]
    FencedMember {
        /// The group.
        group: String,
        /// The member.
        member: String,
        /// The epoch it claims.
        found: i32,
        /// The epoch it has.
        current: i32,
    },
    /// A commit with an epoch the member no longer has.
    #[error(
        "member {member} of group {group} is at epoch {current}, the commit says {found}; \
         commit again with the epoch of the newest heartbeat"
    )]
    StaleEpoch {
        /// The group.
        group: String,
        /// The member.
        member: String,
        /// The epoch it claims.
        found: i32,
        /// The epoch it has.
        current: i32,
    },
    /// Another member has taken over the instance id.
    #[error("instance {instance} of group {group} was taken over by another member; stop this one")]
    FencedInstance {
        /// The group.
        group: String,
        /// The instance id.
        instance: String,
    },
    /// A committed partition is with another member.
    #[error("partition {partition} of topic {topic} is with another member of group {group}")]
    HeldByAnother {
        /// The group.
        group: String,
        /// The topic.
        topic: TopicId,
        /// The partition.
        partition: u32,
    },
    /// The regular expression cannot be used.
    #[error("regular expression of group {group} cannot be used: {reason}")]
    InvalidRegex {
        /// The group.
        group: String,
        /// Why.
        reason: String,
    },
    /// No assignor has this name.
    #[error("there is no assignor {name}; use uniform or range")]
    UnknownAssignor {
        /// The name.
        name: String,
    },
    /// The group has as many members as it may.
    #[error("group {group} has {max} members, which is the most it may have")]
    GroupFull {
        /// The group.
        group: String,
        /// The most.
        max: usize,
    },
    /// No such group.
    #[error("there is no group {group}")]
    UnknownGroup {
        /// The group.
        group: String,
    },
    /// The group has members.
    #[error("group {group} has {members} members; stop them first")]
    GroupNotEmpty {
        /// The group.
        group: String,
        /// How many.
        members: usize,
    },
    /// A transaction is still to decide what is committed.
    #[error(
        "a transaction is still to decide what group {group} has committed for partition \
         {partition} of topic {topic}; ask again shortly"
    )]
    UnstableOffset {
        /// The group.
        group: String,
        /// The topic.
        topic: TopicId,
        /// The partition.
        partition: u32,
    },
    /// The metadata of a commit is too long.
    #[error("commit metadata has {len} bytes, at most {max} are kept")]
    MetadataTooLarge {
        /// Its length in bytes.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// The generation is not the group's.
    #[error("group {group} is in generation {current}, not {found}; join again")]
    IllegalGeneration {
        /// The group.
        group: String,
        /// The member.
        member: String,
        /// The generation it claims.
        found: i32,
        /// The group's.
        current: i32,
    },
    /// Members have to join again.
    #[error("group {group} is being rebalanced; join again")]
    RebalanceInProgress {
        /// The group.
        group: String,
    },
    /// A member must join with the id it is given.
    #[error("join group {group} again, as member {member_id}")]
    MemberIdRequired {
        /// The group.
        group: String,
        /// The id.
        member_id: String,
    },
    /// The group is of another kind, or its members know no protocol that this one knows.
    #[error(
        "group {group} has another protocol type, or no protocol that all its members know; \
         give all members a protocol in common, or choose another group"
    )]
    InconsistentProtocol {
        /// The group.
        group: String,
    },
    /// A session timeout out of the broker's bounds.
    #[error("session timeouts are {min_ms} to {max_ms} ms, this one has {asked_ms}")]
    InvalidSessionTimeout {
        /// What was asked for.
        asked_ms: i32,
        /// The least allowed.
        min_ms: u32,
        /// The most allowed.
        max_ms: u32,
    },
    /// Members read the topic whose offsets were to be forgotten.
    #[error("members of group {group} are subscribed to topic {topic}; stop them first")]
    SubscribedToTopic {
        /// The group.
        group: String,
        /// The topic.
        topic: TopicId,
    },
    /// Another member, still alive, has the instance id.
    #[error(
        "instance {instance} of group {group} is with another member; \
         stop that one, or wait until its session ends"
    )]
    UnreleasedInstance {
        /// The group.
        group: String,
        /// The instance id.
        instance: String,
    },
    /// No such topic.
    #[error("there is no topic with id {topic}; it may have been deleted")]
    UnknownTopic {
        /// The topic.
        topic: TopicId,
    },
    /// No such partition.
    #[error("topic {topic} has {partitions} partitions; there is no partition {partition}")]
    UnknownPartition {
        /// The topic.
        topic: TopicId,
        /// The partition.
        partition: u32,
        /// How many the topic has.
        partitions: u32,
    },
}
