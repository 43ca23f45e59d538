//! Following the group: giving up and taking over partitions, in the application's own time.

use std::collections::{BTreeMap, BTreeSet};

use onrush_protocol::request::TopicRef;

use super::Consumer;
use super::listener::Commits;
use super::membership::{Change, Key};
use super::slot::Slot;
use crate::error::Result;
use crate::metadata::{self, TopicPartition};

impl Consumer {
    /// Does what the group asks for, if anything. May be dropped at any await and called again.
    pub(super) async fn follow_group(&mut self) -> Result<()> {
        let Some(membership) = self.membership.clone() else { return Ok(()) };
        loop {
            self.commit_revoked().await;
            match membership.change()? {
                None => return Ok(()),
                Some(Change::Lost) => self.lose_all(),
                Some(Change::Target(target)) => {
                    if self.give_up_all_but(&target).await {
                        continue; // The listener's commits go first.
                    }
                    self.take_over(&target).await?;
                    membership.settled(self.owned(), &target);
                }
            }
        }
    }

    fn owned(&self) -> Vec<Key> {
        self.slots.values().map(|slot| (slot.topic_id, slot.at.partition)).collect()
    }

    fn lose_all(&mut self) {
        let lost: Vec<TopicPartition> = self.slots.keys().cloned().collect();
        for at in &lost {
            self.remove(at);
        }
        self.revoking.clear();
        self.revoked_commits = None;
        if let Some(listener) = &self.settings.listener
            && !lost.is_empty()
        {
            listener.lost(&lost);
        }
    }

    /// Begins to give up what is not in `target`; says whether there is anything of that kind.
    async fn give_up_all_but(&mut self, target: &[Key]) -> bool {
        let keep: BTreeSet<Key> = target.iter().copied().collect();
        let revoked: Vec<TopicPartition> = self
            .slots
            .values()
            .filter(|slot| !keep.contains(&(slot.topic_id, slot.at.partition)))
            .map(|slot| slot.at.clone())
            .collect();
        if revoked.is_empty() {
            return false;
        }
        if self.settings.auto_commit.is_some() {
            let offsets = self.uncommitted(|at| revoked.contains(at));
            if let Err(error) = self.commit_all(&offsets).await {
                tracing::warn!(%error, "partitions are given up without a commit");
            }
        }
        let mut commits = Commits::default();
        if let Some(listener) = &self.settings.listener {
            listener.revoked(&revoked, &mut commits);
        }
        self.revoking = revoked;
        self.revoked_commits = Some(commits);
        true
    }

    /// Commits what the listener wanted committed, and lets go.
    async fn commit_revoked(&mut self) {
        if let Some(commits) = self.revoked_commits.clone() {
            if let Err(error) = self.commit_all(&commits.offsets).await {
                tracing::warn!(%error, "partitions are given up without the listener's commit");
            }
            self.revoked_commits = None;
        }
        for at in std::mem::take(&mut self.revoking) {
            self.remove(&at);
        }
    }

    /// Begins to read what is in `target` and new.
    async fn take_over(&mut self, target: &[Key]) -> Result<()> {
        let have: BTreeSet<Key> = self.owned().into_iter().collect();
        let new: Vec<Key> = target.iter().copied().filter(|key| !have.contains(key)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let ids: BTreeSet<_> = new.iter().map(|(id, _)| *id).collect();
        let asked = ids.iter().copied().map(TopicRef::Id).collect();
        let found = metadata::topics(&self.feed.link, asked).await?;
        // A topic that was deleted meanwhile has no name; the next assignment will not have it.
        let names: BTreeMap<_, _> =
            found.into_iter().flatten().map(|info| (info.id, info.name)).collect();
        let committed = self.committed(&new).await?;
        let mut slots = Vec::with_capacity(new.len());
        for (&(topic_id, partition), committed) in new.iter().zip(committed) {
            let Some(name) = names.get(&topic_id) else { continue };
            let at = TopicPartition { topic: name.clone(), partition };
            let position = match committed {
                Some(offset) => offset,
                None => self.resolve(&at, topic_id, self.settings.start).await?,
            };
            let mut slot = Slot::new(at, topic_id, position);
            slot.committed = committed;
            slots.push(slot);
        }
        let assigned: Vec<TopicPartition> = slots.iter().map(|slot| slot.at.clone()).collect();
        for slot in slots {
            self.slots.insert(slot.at.clone(), slot);
        }
        self.unsettled = true;
        if let Some(listener) = &self.settings.listener {
            listener.assigned(&assigned);
        }
        Ok(())
    }
}
