//! Settings, offsets, acknowledgements: what is decided about share groups.

use std::sync::Arc;

use onrush_record::{Offset, TopicId};

use super::{Sharing, append};
use crate::group::GROUP_ID_MAX_LEN;
use crate::share::{
    ShareAcknowledgement, ShareConfig, ShareDescription, ShareEvent, ShareListing, ShareOffset,
    TopicPartition, What, changed,
};
use crate::{Broker, ConfigEntry, Error, Result};

impl Sharing {
    pub(super) fn list(&self) -> Result<Vec<ShareListing>> {
        self.check()?;
        Ok(self.state.lock().groups.list())
    }

    pub(super) fn describe(&self, group: &str) -> Result<ShareDescription> {
        self.check()?;
        Ok(self.state.lock().groups.describe(group)?)
    }

    pub(crate) fn contains(&self, group: &str) -> bool {
        // Most brokers have no share groups, and need no lock to know that.
        self.journal().is_some() && self.state.lock().groups.contains(group)
    }

    pub(super) fn check_member(&self, group: &str, member: &str) -> Result<()> {
        self.check()?;
        Ok(self.state.lock().groups.check_member(group, member)?)
    }

    pub(super) fn config(&self, group: &str) -> ShareConfig {
        self.state.lock().groups.config(group)
    }

    pub(super) fn describe_config(&self, group: &str) -> Result<Vec<ConfigEntry>> {
        self.check()?;
        let state = self.state.lock();
        Ok(state.groups.config(group).describe(&state.groups.overrides(group)))
    }

    /// The groups that were given settings of their own.
    pub(crate) fn configured(&self) -> Result<Vec<String>> {
        self.check()?;
        Ok(self.state.lock().groups.configured().map(str::to_owned).collect())
    }

    pub(crate) async fn delete(self: &Arc<Self>, group: &str) -> Result<()> {
        self.decide(|groups| Ok(vec![groups.delete(group)?])).await
    }

    pub(super) async fn acknowledge(
        self: &Arc<Self>,
        group: &str,
        member: &str,
        partition: TopicPartition,
        acks: &[ShareAcknowledgement],
    ) -> Result<()> {
        self.check()?;
        let Some(journal) = self.journal() else {
            return Err(crate::share::ShareError::UnknownGroup { group: group.to_owned() }.into());
        };
        let now_ms = self.services.clock.now_ms();
        let mark = {
            let mut state = self.state.lock();
            let judged = state.groups.acknowledge(group, member, partition, acks)?;
            state.groups.renew(now_ms, group, partition, &judged.renewed);
            let changes = judged.changes;
            let has_changed = !changes.is_empty();
            let settled = || ShareEvent::new(group, What::Settled { partition, changes });
            let events = Vec::from_iter(has_changed.then(settled));
            // Also without a change: what is settled already may not be durably.
            let mark = append(&journal, &events)?;
            events.iter().for_each(|event| state.groups.apply(event));
            self.waiting.wake(&events);
            judged.dead.iter().for_each(|dead| self.gave_up(partition, dead));
            mark
        };
        journal.wait(mark).await
    }

    pub(super) async fn configure(
        self: &Arc<Self>,
        group: &str,
        set: Vec<(String, String)>,
        unset: Vec<String>,
        validate_only: bool,
    ) -> Result<()> {
        if !(1..=GROUP_ID_MAX_LEN).contains(&group.len()) {
            let reason = "group ids are 1 to 32767 bytes".to_owned();
            return Err(Error::InvalidRequest { reason });
        }
        let changed = |groups: &crate::share::ShareGroups| -> Result<Vec<ShareEvent>> {
            let before = groups.overrides(group);
            let overrides = changed(&before, set, &unset)?;
            groups.defaults().with(&overrides)?;
            let what = What::Configured { overrides: overrides.clone() };
            Ok(if overrides == before { Vec::new() } else { vec![ShareEvent::new(group, what)] })
        };
        if validate_only {
            self.check()?;
            return changed(&self.state.lock().groups).map(drop);
        }
        self.decide(changed).await
    }

    pub(super) async fn offsets(
        &self,
        broker: &Broker,
        group: &str,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<Vec<(TopicPartition, Result<Option<ShareOffset>>)>> {
        self.check()?;
        let (progress, wait) = {
            let state = self.state.lock();
            let progress = state.groups.progress(group)?;
            (progress, self.journal().map(|journal| (journal.mark(), journal)))
        };
        if let Some((mark, journal)) = wait {
            journal.wait(mark).await?;
        }
        let asked: Vec<TopicPartition> = match partitions {
            Some(partitions) => partitions.to_vec(),
            None => progress.keys().copied().collect(),
        };
        let found = |key: &TopicPartition| -> Result<Option<ShareOffset>> {
            let partition = broker.partition(key.0, key.1)?;
            let Some(progress) = progress.get(key) else { return Ok(None) };
            let ends = partition.ends();
            let start = Offset::new(progress.start).max(ends.start);
            Ok(Some(ShareOffset {
                start,
                leader_epoch: partition.leader_epoch(),
                lag: ends.readable.since(start).saturating_sub(progress.settled),
            }))
        };
        Ok(asked.into_iter().map(|key| (key, found(&key))).collect())
    }

    pub(super) async fn alter_offsets(
        self: &Arc<Self>,
        broker: &Broker,
        group: &str,
        offsets: &[(TopicPartition, Offset)],
    ) -> Result<Vec<Result<()>>> {
        let known = |key: &TopicPartition| broker.partition(key.0, key.1).map(drop);
        let results: Vec<Result<()>> = offsets.iter().map(|(key, _)| known(key)).collect();
        self.decide(|groups| {
            // Says whether it may be at all, even if no partition is left of it.
            groups.delete(group)?;
            let sound = offsets.iter().zip(&results).filter(|(_, result)| result.is_ok());
            let events =
                sound.map(|((key, start), _)| Ok(groups.alter(group, *key, start.get())?));
            events.collect()
        })
        .await?;
        Ok(results)
    }

    pub(super) async fn delete_offsets(
        self: &Arc<Self>,
        broker: &Broker,
        group: &str,
        topics: &[TopicId],
    ) -> Result<Vec<Result<()>>> {
        let known = |id: &TopicId| match broker.topic(*id) {
            Some(_) => Ok(()),
            None => Err(Error::UnknownTopic { topic: id.to_string() }),
        };
        let results: Vec<Result<()>> = topics.iter().map(known).collect();
        self.decide(|groups| {
            groups.delete(group)?;
            let mut events = Vec::new();
            for topic in topics {
                events.extend(groups.forget(group, *topic)?);
            }
            Ok(events)
        })
        .await?;
        Ok(results)
    }
}
