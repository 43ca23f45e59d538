//! What callers ask of consumer groups.

use onrush_record::Offset;

use crate::group::{
    CONFIG_PREFIX, ClassicDescription, ClassicHeartbeat, ClassicJoin, ClassicJoined, ClassicSync,
    ClassicSynced, CommittedOffset, GroupCommit, GroupDescription, GroupError, GroupHeartbeat,
    GroupHeartbeatReply, GroupKind, GroupListing, GroupState, LeavingMember, TopicPartition,
};
use crate::{Broker, ConfigEntry, Error, Kind, Result};

/// How far behind a group is in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionLag {
    /// The partition.
    pub partition: TopicPartition,
    /// The next record the group reads.
    pub committed: Offset,
    /// The end of what it could read.
    pub readable_end: Offset,
}

impl PartitionLag {
    /// Records between the two.
    pub fn records(&self) -> u64 {
        self.readable_end.since(self.committed)
    }
}

impl Broker {
    /// A member joins, stays or leaves. The answer holds even if the broker crashes right after.
    ///
    /// # Errors
    /// What the group says, or that groups are disabled.
    pub async fn group_heartbeat(&self, beat: GroupHeartbeat) -> Result<GroupHeartbeatReply> {
        self.no_share_group(&beat.group)?;
        self.inner.coordinator.heartbeat(beat).await
    }

    /// Commits offsets; one result for each. They are durable when this returns.
    ///
    /// # Errors
    /// What the group says of the whole commit, or that groups are disabled.
    pub async fn group_commit(&self, commit: GroupCommit) -> Result<Vec<Result<()>>> {
        self.no_share_group(&commit.group)?;
        self.inner.coordinator.commit(commit).await
    }

    /// What a group has committed, for these partitions or all it has.
    ///
    /// # Errors
    /// When groups are disabled.
    pub async fn group_offsets(
        &self,
        group: &str,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<Vec<(TopicPartition, Option<CommittedOffset>)>> {
        self.inner.coordinator.offsets(group, partitions).await
    }

    /// How far behind a group is, in every partition it has committed for.
    ///
    /// # Errors
    /// When groups are disabled.
    pub async fn group_lag(&self, group: &str) -> Result<Vec<PartitionLag>> {
        let offsets = self.group_offsets(group, None).await?;
        let lag = offsets.into_iter().filter_map(|(partition, committed)| {
            let committed = committed?.offset;
            let readable_end = self.partition(partition.0, partition.1).ok()?.ends().readable;
            Some(PartitionLag { partition, committed, readable_end })
        });
        Ok(lag.collect())
    }

    /// All groups, share groups among them.
    ///
    /// # Errors
    /// When groups are disabled.
    pub fn group_list(&self) -> Result<Vec<GroupListing>> {
        let mut groups = self.inner.coordinator.list()?;
        groups.extend(self.share_list()?.into_iter().map(|listed| GroupListing {
            group: listed.group,
            kind: GroupKind::Share,
            protocol_type: GroupKind::Share.name().to_owned(),
            state: if listed.members == 0 { GroupState::Empty } else { GroupState::Stable },
            members: listed.members,
        }));
        groups.sort_by(|one, other| one.group.cmp(&other.group));
        Ok(groups)
    }

    /// Refuses what is not for share groups.
    fn no_share_group(&self, group: &str) -> Result<()> {
        if self.inner.sharing.contains(group) {
            return Err(Error::Group(GroupError::UnknownGroup { group: group.to_owned() }));
        }
        Ok(())
    }

    /// One group in full.
    ///
    /// # Errors
    /// When there is none of that name, or groups are disabled.
    pub fn group_describe(&self, group: &str) -> Result<GroupDescription> {
        self.inner.coordinator.describe(group)
    }

    /// Has a group forget what it committed; one result for each partition.
    ///
    /// # Errors
    /// When there is no such group, it has members that are no consumers, or groups are disabled.
    pub async fn group_delete_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Result<()>>> {
        self.inner.coordinator.delete_offsets(group, partitions).await
    }

    /// A member under the classic protocol joins, or joins again. Waits for the others; the future
    /// may be dropped, for example when the member's connection is lost.
    ///
    /// # Errors
    /// What the group says, or that groups are disabled.
    pub async fn classic_join(&self, join: ClassicJoin) -> Result<ClassicJoined> {
        if self.inner.sharing.contains(&join.group) {
            return Err(Error::Group(GroupError::InconsistentProtocol { group: join.group }));
        }
        self.inner.coordinator.classic_join(join).await
    }

    /// A member under the classic protocol asks for its assignment, or hands in everybody's. Waits
    /// for the leader; the future may be dropped.
    ///
    /// # Errors
    /// What the group says, or that groups are disabled.
    pub async fn classic_sync(&self, sync: ClassicSync) -> Result<ClassicSynced> {
        self.inner.coordinator.classic_sync(sync).await
    }

    /// A member under the classic protocol is still there.
    ///
    /// # Errors
    /// What the group says, a rebalance above all, or that groups are disabled.
    pub async fn classic_heartbeat(
        &self,
        group: &str,
        generation: i32,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> Result<()> {
        let beat = ClassicHeartbeat { group, generation, member_id, instance_id };
        self.inner.coordinator.classic_heartbeat(&beat)
    }

    /// Members under the classic protocol leave, or an administrator removes them; one result for
    /// each.
    ///
    /// # Errors
    /// When there is no such group, or groups are disabled.
    pub async fn classic_leave(
        &self,
        group: &str,
        members: Vec<LeavingMember>,
    ) -> Result<Vec<Result<()>>> {
        self.inner.coordinator.classic_leave(group, &members).await
    }

    /// One group under the classic protocol in full, or one that only keeps offsets.
    ///
    /// # Errors
    /// When there is none of that name, it is under another protocol, or groups are disabled.
    pub fn classic_describe(&self, group: &str) -> Result<ClassicDescription> {
        self.inner.coordinator.describe_classic(group)
    }

    /// Changes settings of a group, durably, whatever kind of group it is or will be: consumer and
    /// share groups have settings of different names. The group need not exist. Damage in the journal
    /// of one kind keeps nobody from changing those of the other.
    ///
    /// # Errors
    /// [`crate::Error::InvalidConfig`] names the key and what is allowed; then nothing has changed.
    pub async fn group_configure(
        &self,
        group: &str,
        set: Vec<(String, String)>,
        unset: Vec<String>,
        validate_only: bool,
    ) -> Result<()> {
        let of_consumers = |key: &str| key.starts_with(CONFIG_PREFIX);
        let (set, share_set): (Vec<_>, Vec<_>) =
            set.into_iter().partition(|(key, _)| of_consumers(key));
        let (unset, share_unset): (Vec<_>, Vec<_>) =
            unset.into_iter().partition(|key| of_consumers(key));
        let coordinator = &self.inner.coordinator;
        let for_share = !share_set.is_empty() || !share_unset.is_empty();
        let for_consumers = !set.is_empty() || !unset.is_empty();
        // Both are judged before either is changed.
        if for_consumers || !for_share {
            coordinator.configure(group, set.clone(), &unset, true).await?;
        }
        if for_share {
            self.share_configure(group, share_set.clone(), share_unset.clone(), true).await?;
        }
        if validate_only {
            return Ok(());
        }
        if for_consumers {
            coordinator.configure(group, set, &unset, false).await?;
        }
        match for_share {
            true => self.share_configure(group, share_set, share_unset, false).await,
            false => Ok(()),
        }
    }

    /// All settings of a group, those of either kind, whether it exists or not; in order of key.
    /// Those of a kind whose journal is damaged are left out: what they are is not known.
    ///
    /// # Errors
    /// When groups of both kinds are disabled.
    pub fn group_config(&self, group: &str) -> Result<Vec<ConfigEntry>> {
        of_either(self.inner.coordinator.describe_config(group), self.share_config(group))
    }

    /// The groups that were given settings of their own, whether they exist or not, in order of id;
    /// without what a damaged journal would know.
    ///
    /// # Errors
    /// When groups of both kinds are disabled.
    pub fn group_configured(&self) -> Result<Vec<String>> {
        let configured = self.inner.coordinator.configured();
        let mut groups = of_either(configured, self.inner.sharing.configured())?;
        groups.sort_unstable();
        groups.dedup();
        Ok(groups)
    }

    /// Deletes a group that has no members, with its offsets; a share group, too.
    ///
    /// # Errors
    /// When it has members, does not exist, or groups are disabled.
    pub async fn group_delete(&self, group: &str) -> Result<()> {
        if self.inner.sharing.contains(group) {
            return self.share_delete(group).await;
        }
        self.inner.coordinator.delete(group).await
    }
}

/// What there is of either kind of groups: damage in the journal of one disables that kind alone.
fn of_either<T>(consumers: Result<Vec<T>>, shares: Result<Vec<T>>) -> Result<Vec<T>> {
    match (consumers, shares) {
        (Ok(mut found), Ok(more)) => {
            found.extend(more);
            Ok(found)
        }
        (Ok(found), Err(error)) | (Err(error), Ok(found)) if error.kind() == Kind::Fatal => {
            Ok(found)
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}
