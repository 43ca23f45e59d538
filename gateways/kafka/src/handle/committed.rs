//! An offset to commit, from a request's fields to what the broker takes.

use onrush_broker::group::{OffsetCommit, TopicPartition};
use onrush_kafka_protocol::ErrorCode;
use onrush_record::{LeaderEpoch, Offset};

/// An offset as the broker takes it.
///
/// # Errors
/// What to answer where there is no such offset.
pub(crate) fn committed(
    partition: TopicPartition,
    offset: i64,
    leader_epoch: i32,
    metadata: Option<String>,
) -> Result<OffsetCommit, ErrorCode> {
    let offset = u64::try_from(offset).map_err(|_| ErrorCode::INVALID_REQUEST)?;
    Ok(OffsetCommit {
        partition,
        offset: Some(Offset::new(offset)),
        leader_epoch: u32::try_from(leader_epoch).ok().map(LeaderEpoch::new),
        metadata: metadata.unwrap_or_default(),
    })
}
