//! Why a share group does not do what it was asked.

/// Why a share group did not do what it was asked. Nothing has happened in any of these cases.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// A field makes no sense.
    #[error("request for share group {group} makes no sense: {reason}")]
    InvalidRequest {
        /// The group.
        group: String,
        /// What is wrong, and what would be right.
        reason: &'static str,
    },
    /// No such group.
    #[error("there is no share group {group}")]
    UnknownGroup {
        /// The group.
        group: String,
    },
    /// The name is that of a group of another kind.
    #[error("group {group} is no share group; choose another name, or delete that group")]
    OtherKind {
        /// The group.
        group: String,
    },
    /// No such member.
    #[error(
        "share group {group} has no member {member}: its session expired or it left; join again"
    )]
    UnknownMember {
        /// The group.
        group: String,
        /// The member.
        member: String,
    },
    /// The epoch is not the member's.
    #[error(
        "member {member} of share group {group} is at epoch {current}, not {found}; join again"
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
    /// The group has as many members as it may.
    #[error("share group {group} has {max} members, which is the most it may have")]
    GroupFull {
        /// The group.
        group: String,
        /// The most.
        max: usize,
    },
    /// The group has members.
    #[error("share group {group} has {members} members; stop them first")]
    GroupNotEmpty {
        /// The group.
        group: String,
        /// How many.
        members: usize,
    },
    /// An acknowledgement of a record that the member does not have.
    #[error(
        "record {offset} is not acquired by member {member} of share group {group}: \
         its lock may have timed out, and another member may have it now"
    )]
    InvalidRecordState {
        /// The group.
        group: String,
        /// The member.
        member: String,
        /// The first such record.
        offset: u64,
    },
    /// The member has no share session.
    #[error("member {member} of share group {group} has no share session; open one with epoch 0")]
    SessionNotFound {
        /// The group.
        group: String,
        /// The member.
        member: String,
    },
    /// The epoch is not the share session's.
    #[error(
        "the share session of member {member} of share group {group} is at epoch {current}, \
         not {found}; open a new one with epoch 0"
    )]
    InvalidSessionEpoch {
        /// The group.
        group: String,
        /// The member.
        member: String,
        /// The epoch it claims.
        found: i32,
        /// The epoch it has.
        current: i32,
    },
    /// There are as many share sessions as there may be.
    #[error("there are {max} share sessions, which is the most there may be; try again later")]
    SessionLimit {
        /// The most.
        max: usize,
    },
}

pub(crate) fn unknown_group(group: &str) -> ShareError {
    ShareError::UnknownGroup { group: group.to_owned() }
}

pub(crate) fn unknown_member(group: &str, member: &str) -> ShareError {
    ShareError::UnknownMember { group: group.to_owned(), member: member.to_owned() }
}
