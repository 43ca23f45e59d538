//! One member, and the steps it takes towards its target.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::assignor::Assignor;
use super::config::ConsumerConfig;
use super::event::MemberRecord;
use super::heartbeat::JOIN;
use super::subscription::{Compiled, Topics};
use super::{Partitions, TopicPartition};

/// Where a member is on its way to its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemberState {
    /// Has what it should have.
    Stable,
    /// Asked to give up partitions; has not said yet that it did.
    Revoking,
    /// Waits for partitions that another member has not given up yet.
    Waiting,
}

/// Who holds which partition: assigned to it, or asked back from it and not given up yet.
pub(crate) type Holders = HashMap<TopicPartition, Arc<str>>;

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) id: Arc<str>,
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) rebalance_timeout_ms: u32,
    pub(crate) session_timeout_ms: u32,
    /// Its session is as long as its group says, for it did not ask for another.
    pub(crate) session_of_group: bool,
    pub(crate) assignor: Option<Assignor>,
    pub(crate) subscription: Arc<Compiled>,
    /// What the subscription means today.
    pub(crate) topics: Arc<Topics>,

    /// What the member may call its epoch.
    pub(crate) epoch: i32,
    /// What it called its epoch when it last spoke: accepted once more, for the answer that told
    /// it a newer one may have been lost.
    pub(crate) epoch_before: i32,
    pub(crate) state: MemberState,
    /// What it may hold. Of a member that is away: what it will have again.
    pub(crate) assigned: Partitions,
    /// What it was asked to give up and may still hold.
    pub(crate) revoking: Partitions,
    /// What it shall have in the end.
    pub(crate) target: Partitions,
    /// What it last said it holds.
    pub(crate) owned: Partitions,
    /// `owned == assigned`: nothing to tell it.
    pub(crate) confirmed: bool,
    /// A static member that left to come back; it holds nothing meanwhile.
    pub(crate) away: bool,

    pub(crate) session_due_ms: i64,
    /// When it must have given up what is in `revoking`.
    pub(crate) revoke_due_ms: Option<i64>,
    /// What it has besides if it speaks the classic protocol.
    pub(crate) classic: Option<Box<ClassicSide>>,
    /// When its timer fires; may be earlier than anything is due.
    pub(crate) armed_ms: Option<i64>,
    /// Something that must survive a restart has changed.
    pub(crate) changed: bool,
}

/// What a member that speaks the classic protocol has in a group that the broker assigns.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClassicSide {
    /// The ways of assigning it knows, with what it would say to a leader.
    pub(crate) protocols: Vec<(String, Bytes)>,
    /// When it must have joined again, or asked for its assignment.
    pub(crate) due_ms: Option<i64>,
}

impl Member {
    /// A new one, with nothing yet but its id and what it wants.
    pub(crate) fn new(id: &str, subscription: Arc<Compiled>) -> Self {
        Self {
            id: Arc::from(id),
            instance_id: None,
            client_id: String::new(),
            client_host: String::new(),
            rebalance_timeout_ms: 0,
            session_timeout_ms: 0,
            session_of_group: false,
            assignor: None,
            subscription,
            topics: Arc::default(),
            epoch: JOIN,
            epoch_before: JOIN,
            state: MemberState::Stable,
            assigned: Partitions::new(),
            revoking: Partitions::new(),
            target: Partitions::new(),
            owned: Partitions::new(),
            confirmed: false,
            away: false,
            session_due_ms: i64::MAX,
            revoke_due_ms: None,
            classic: None,
            armed_ms: None,
            changed: true,
        }
    }

    /// The earliest time at which something is due.
    pub(crate) fn due_ms(&self) -> i64 {
        let classic_ms = self.classic.as_ref().and_then(|classic| classic.due_ms);
        let due_ms = self.session_due_ms.min(self.revoke_due_ms.unwrap_or(i64::MAX));
        due_ms.min(classic_ms.unwrap_or(i64::MAX))
    }

    /// Whether its subscription names this topic, or matches its name.
    pub(crate) fn wants(&self, topic: &str) -> bool {
        self.subscription.matches(topic)
    }

    /// Takes over what its group has set.
    pub(crate) fn follow(&mut self, config: &ConsumerConfig) {
        if self.session_of_group {
            self.session_timeout_ms = config.session_timeout_ms;
        }
    }

    /// The member was heard of.
    pub(crate) fn heard(&mut self, now_ms: i64) {
        self.session_due_ms = now_ms.saturating_add(i64::from(self.session_timeout_ms));
    }

    /// Notes what the member says it holds.
    pub(crate) fn report(&mut self, owned: Partitions) {
        self.owned = owned;
        self.confirmed = self.owned == self.assigned;
    }

    /// Takes back everything at once: the member has said, or time has, that it holds nothing.
    pub(crate) fn release_all(&mut self, holders: &mut Holders) {
        for partition in self.assigned.iter().chain(&self.revoking) {
            release(holders, partition, &self.id);
        }
        self.revoking.clear();
        self.revoke_due_ms = None;
        self.owned.clear();
    }

    /// One step towards the target made for `target_epoch`. `fresh` says that `owned` was part of
    /// the very heartbeat being handled, so that what it leaves out is truly given up: the member
    /// has acted on every earlier answer it is ever going to act on.
    pub(crate) fn reconcile(
        &mut self,
        holders: &mut Holders,
        target_epoch: i32,
        now_ms: i64,
        fresh: bool,
    ) {
        if self.state == MemberState::Revoking {
            if !fresh || self.revoking.iter().any(|partition| self.owned.contains(partition)) {
                return;
            }
            self.give_up_revoked(holders);
        } else if self.state == MemberState::Stable && self.epoch == target_epoch {
            return;
        }

        let gone: Partitions = self.assigned.difference(&self.target).copied().collect();
        if !gone.is_empty() {
            self.assigned.retain(|partition| !gone.contains(partition));
            self.revoking = gone;
            self.changed = true;
            if !fresh || self.revoking.iter().any(|partition| self.owned.contains(partition)) {
                let timeout = i64::from(self.rebalance_timeout_ms);
                self.state = MemberState::Revoking;
                self.revoke_due_ms = Some(now_ms.saturating_add(timeout));
                self.confirmed = false;
                return;
            }
            self.give_up_revoked(holders);
        }
        self.take_free(holders, target_epoch);
    }

    fn give_up_revoked(&mut self, holders: &mut Holders) {
        for partition in std::mem::take(&mut self.revoking) {
            release(holders, &partition, &self.id);
        }
        self.revoke_due_ms = None;
        self.changed = true;
    }

    /// Takes what it shall have and nobody holds.
    fn take_free(&mut self, holders: &mut Holders, target_epoch: i32) {
        let mut state = MemberState::Stable;
        for partition in &self.target {
            if self.assigned.contains(partition) {
                continue;
            }
            if holders.contains_key(partition) {
                state = MemberState::Waiting;
                continue;
            }
            holders.insert(*partition, Arc::clone(&self.id));
            self.assigned.insert(*partition);
            self.changed = true;
        }
        self.changed |= self.epoch != target_epoch;
        self.epoch = target_epoch;
        self.state = state;
        self.confirmed = self.owned == self.assigned;
    }

    pub(crate) fn to_record(&self) -> MemberRecord {
        MemberRecord {
            member_id: self.id.to_string(),
            instance_id: self.instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            session_timeout_ms: if self.session_of_group { 0 } else { self.session_timeout_ms },
            assignor: self.assignor,
            subscription: self.subscription.subscription.clone(),
            epoch: self.epoch,
            epoch_before: self.epoch_before,
            away: self.away,
            assigned: self.assigned.iter().copied().collect(),
            revoking: self.revoking.iter().copied().collect(),
            classic: self.classic.as_ref().map(|classic| classic.protocols.clone()),
        }
    }

    /// A member as it was journalled. What it shall have is decided anew once it is heard of.
    pub(crate) fn from_record(record: &MemberRecord) -> Self {
        let assigned: Partitions = record.assigned.iter().copied().collect();
        let revoking: Partitions = record.revoking.iter().copied().collect();
        let subscription = Compiled::new(record.subscription.clone())
            .unwrap_or_else(|_| Compiled::names_only(record.subscription.clone()));
        Self {
            id: Arc::from(record.member_id.as_str()),
            instance_id: record.instance_id.clone(),
            client_id: record.client_id.clone(),
            client_host: record.client_host.clone(),
            rebalance_timeout_ms: record.rebalance_timeout_ms,
            session_timeout_ms: record.session_timeout_ms,
            session_of_group: record.session_timeout_ms == 0,
            assignor: record.assignor,
            subscription,
            topics: Arc::default(),
            epoch: record.epoch,
            epoch_before: record.epoch_before,
            state: if revoking.is_empty() { MemberState::Stable } else { MemberState::Revoking },
            target: assigned.clone(),
            assigned,
            revoking,
            owned: Partitions::new(),
            confirmed: false,
            away: record.away,
            session_due_ms: i64::MAX,
            revoke_due_ms: None,
            classic: record.classic.as_ref().map(|protocols| {
                Box::new(ClassicSide { protocols: protocols.clone(), due_ms: None })
            }),
            armed_ms: None,
            changed: false,
        }
    }
}

fn release(holders: &mut Holders, partition: &TopicPartition, id: &Arc<str>) {
    if holders.get(partition).is_some_and(|holder| holder == id) {
        holders.remove(partition);
    }
}
