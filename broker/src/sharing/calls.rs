//! What callers ask of share groups.

use std::sync::Arc;

use onrush_record::{Offset, TopicId};
use onrush_storage::SliceRead;

use crate::share::{
    AcquireMode, AcquiredRange, ShareAcknowledgement, ShareDescription, ShareError, ShareHeartbeat,
    ShareHeartbeatReply, ShareListing, ShareOffset, ShareSession, ShareSessionRequest,
    TopicPartition,
};
use crate::{Broker, ConfigEntry, Result, Signal};

/// A member asks for records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareAcquire<'a> {
    /// The group.
    pub group: &'a str,
    /// The member.
    pub member_id: &'a str,
    /// The partition.
    pub partition: TopicPartition,
    /// How many it takes at most; with 0 it gets nothing.
    pub max_records: u32,
    /// How many bytes of batches it takes, though at least one batch.
    pub max_bytes: u32,
    /// How closely the number is kept.
    pub mode: AcquireMode,
}

/// What it gets.
#[derive(Clone, Debug)]
pub struct ShareAcquired {
    /// Whole batches, which may hold records it did not get; None when it got nothing.
    pub read: Option<SliceRead>,
    /// The records it has now, in order.
    pub ranges: Vec<AcquiredRange>,
    /// How long it may keep them without a word.
    pub lock_ms: u32,
}

impl ShareAcquired {
    /// How many records.
    pub fn records(&self) -> u64 {
        self.ranges.iter().map(AcquiredRange::records).sum()
    }
}

impl Broker {
    /// A member joins, stays or leaves. The answer holds even if the broker crashes right after.
    ///
    /// # Errors
    /// What the group says, or that share groups are disabled.
    pub async fn share_heartbeat(&self, beat: ShareHeartbeat) -> Result<ShareHeartbeatReply> {
        if !self.inner.sharing.contains(&beat.group) && self.group_describe(&beat.group).is_ok() {
            return Err(ShareError::OtherKind { group: beat.group }.into());
        }
        self.inner.sharing.heartbeat(beat).await
    }

    /// All share groups, in order of id.
    ///
    /// # Errors
    /// When share groups are disabled.
    pub fn share_list(&self) -> Result<Vec<ShareListing>> {
        self.inner.sharing.list()
    }

    /// One share group in full.
    ///
    /// # Errors
    /// When there is none of that name, or share groups are disabled.
    pub fn share_describe(&self, group: &str) -> Result<ShareDescription> {
        self.inner.sharing.describe(group)
    }

    /// Deletes a share group that has no members, with all it has done; its settings stay.
    ///
    /// # Errors
    /// When it has members, does not exist, or share groups are disabled.
    pub async fn share_delete(&self, group: &str) -> Result<()> {
        self.inner.sharing.delete(group).await
    }

    /// Finds, opens or ends a member's share session, as the fetch's epoch says. A session that
    /// ends is to be closed ([`Broker::share_session_close`]) after the request's
    /// acknowledgements.
    ///
    /// # Errors
    /// When there is no such session, or the epoch is another; when who opens one is no member.
    pub fn share_session_fetch(&self, request: ShareSessionRequest) -> Result<ShareSession> {
        if request.epoch == 0 {
            self.inner.sharing.check_member(&request.group, &request.member_id)?;
        }
        Ok(self.inner.sharing.sessions.lock().fetch(request)?)
    }

    /// Finds or ends a member's share session for acknowledgements that come by themselves.
    ///
    /// # Errors
    /// When there is no such session, or the epoch is another.
    pub fn share_session_acknowledge(
        &self,
        group: &str,
        member_id: &str,
        epoch: i32,
    ) -> Result<ShareSession> {
        Ok(self.inner.sharing.sessions.lock().acknowledge(group, member_id, epoch)?)
    }

    /// Ends a member's share session, and releases the records it has.
    ///
    /// # Errors
    /// When share groups are disabled.
    pub async fn share_session_close(&self, group: &str, member_id: &str) -> Result<()> {
        let sharing = &self.inner.sharing;
        sharing.sessions.lock().close(group, member_id, None);
        sharing.release(group, member_id).map(drop)
    }

    /// The connection of a member's share session is gone: ends it, unless the member has opened
    /// another one since.
    pub fn share_session_lost(&self, group: &str, member_id: &str, id: u64) {
        let sharing = &self.inner.sharing;
        if sharing.sessions.lock().close(group, member_id, Some(id))
            && let Err(error) = sharing.release(group, member_id)
        {
            tracing::warn!(%error, "cannot write down that a member's records are free again");
        }
    }

    /// Hands a member records of a partition, as many as are free and it takes. It does not wait
    /// for records to come: leave a signal with [`Broker::share_wake`].
    ///
    /// Nothing of it is durable: after a restart the records are free again.
    ///
    /// # Errors
    /// When the group has no such member, or the partition cannot be read.
    pub async fn share_acquire(&self, request: ShareAcquire<'_>) -> Result<ShareAcquired> {
        let (topic, index) = request.partition;
        let partition = self.partition(topic, index)?;
        self.inner.sharing.acquire(&partition, &request).await
    }

    /// Fires `signal` once when [`Broker::share_acquire`] may have something for the group, at once
    /// if it may now. Registering again before it fires costs nothing more.
    ///
    /// # Errors
    /// When there is no such partition, or share groups are disabled.
    pub fn share_wake(
        &self,
        group: &str,
        partition: TopicPartition,
        signal: &Arc<Signal>,
    ) -> Result<()> {
        let partition = self.partition(partition.0, partition.1)?;
        self.inner.sharing.wake(&partition, group, signal)
    }

    /// How long a member of the group may keep a record without a word.
    pub fn share_lock_ms(&self, group: &str) -> u32 {
        self.inner.sharing.config(group).lock_duration_ms
    }

    /// A member says what became of records it has, of one partition: all or none of it holds. It
    /// is durable when this returns.
    ///
    /// # Errors
    /// [`ShareError::InvalidRecordState`] if it does not have all of them.
    pub async fn share_acknowledge(
        &self,
        group: &str,
        member_id: &str,
        partition: TopicPartition,
        acks: &[ShareAcknowledgement],
    ) -> Result<()> {
        self.inner.sharing.acknowledge(group, member_id, partition, acks).await
    }

    /// Changes a share group's settings, durably. The group need not exist.
    ///
    /// # Errors
    /// [`crate::Error::InvalidConfig`] names the key and what is allowed.
    pub async fn share_configure(
        &self,
        group: &str,
        set: Vec<(String, String)>,
        unset: Vec<String>,
        validate_only: bool,
    ) -> Result<()> {
        self.inner.sharing.configure(group, set, unset, validate_only).await
    }

    /// All settings of a share group, whether it exists or not.
    ///
    /// # Errors
    /// When share groups are disabled.
    pub fn share_config(&self, group: &str) -> Result<Vec<ConfigEntry>> {
        self.inner.sharing.describe_config(group)
    }

    /// How far a share group has come, in these partitions or all it has begun to read; None where
    /// it has not.
    ///
    /// # Errors
    /// When there is no such group, or share groups are disabled.
    pub async fn share_offsets(
        &self,
        group: &str,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<Vec<(TopicPartition, Result<Option<ShareOffset>>)>> {
        self.inner.sharing.offsets(self, group, partitions).await
    }

    /// Has a group without members read partitions from other offsets on, whatever it had done of
    /// them; one result for each. It is durable when this returns.
    ///
    /// # Errors
    /// When there is no such group, or it has members.
    pub async fn share_alter_offsets(
        &self,
        group: &str,
        offsets: Vec<(TopicPartition, Offset)>,
    ) -> Result<Vec<Result<()>>> {
        self.inner.sharing.alter_offsets(self, group, &offsets).await
    }

    /// Has a group without members forget what it has done of topics; one result for each. It is
    /// durable when this returns.
    ///
    /// # Errors
    /// When there is no such group, or it has members.
    pub async fn share_delete_offsets(
        &self,
        group: &str,
        topics: &[TopicId],
    ) -> Result<Vec<Result<()>>> {
        self.inner.sharing.delete_offsets(self, group, topics).await
    }
}
