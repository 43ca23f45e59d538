//! One member of a share group.

use std::collections::{BTreeMap, BTreeSet};

use onrush_record::TopicId;

use super::Partitions;
use super::event::MemberRecord;
use super::heartbeat::ShareHeartbeat;
use super::partition::MemberId;
use super::view::ShareMemberDescription;
use crate::group::TopicDirectory;

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) id: MemberId,
    pub(crate) rack: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    /// The names it wants.
    pub(crate) names: BTreeSet<String>,
    /// What they mean today.
    pub(crate) topics: BTreeMap<TopicId, u32>,
    pub(crate) epoch: i32,
    /// Accepted once more: the answer that told the newer one may have been lost.
    pub(crate) epoch_before: i32,
    /// What it shall read.
    pub(crate) target: Partitions,
    /// What it was told to read; None after a restart, when nobody knows.
    pub(crate) told: Option<Partitions>,
    pub(crate) session_due_ms: i64,
    /// When its timer fires; may be earlier than its session ends.
    pub(crate) armed_ms: Option<i64>,
}

impl Member {
    pub(crate) fn new(beat: &ShareHeartbeat) -> Member {
        Member {
            id: MemberId::from(beat.member_id.as_str()),
            rack: beat.rack.clone(),
            client_id: beat.client_id.clone(),
            client_host: beat.client_host.clone(),
            names: BTreeSet::new(),
            topics: BTreeMap::new(),
            epoch: 0,
            epoch_before: 0,
            target: Partitions::new(),
            told: None,
            session_due_ms: i64::MAX,
            armed_ms: None,
        }
    }

    /// Takes over what a heartbeat says of it. Tells whether anything is different now, and whether
    /// the topics it wants are.
    pub(crate) fn describe_itself(&mut self, beat: &ShareHeartbeat) -> (bool, bool) {
        let before = (self.rack.clone(), self.client_id.clone(), self.client_host.clone());
        if beat.rack.is_some() {
            self.rack.clone_from(&beat.rack);
        }
        self.client_id.clone_from(&beat.client_id);
        self.client_host.clone_from(&beat.client_host);
        let after = (&self.rack, &self.client_id, &self.client_host);
        let other_client = (&before.0, &before.1, &before.2) != after;
        let mut other_topics = false;
        if let Some(topics) = &beat.topics {
            let names: BTreeSet<String> = topics.iter().cloned().collect();
            other_topics = names != self.names;
            self.names = names;
        }
        (other_client || other_topics, other_topics)
    }

    /// Looks its topics up; true if they mean something else than before.
    pub(crate) fn resolve(&mut self, directory: &TopicDirectory) -> bool {
        let found = self.names.iter().filter_map(|name| directory.get(name));
        let topics: BTreeMap<TopicId, u32> =
            found.map(|entry| (entry.id, entry.partitions)).collect();
        let changed = topics != self.topics;
        self.topics = topics;
        changed
    }

    pub(crate) fn record(&self) -> MemberRecord {
        MemberRecord {
            member_id: self.id.to_string(),
            rack: self.rack.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            topics: self.names.iter().cloned().collect(),
            epoch: self.epoch,
        }
    }

    pub(crate) fn restore(record: &MemberRecord) -> Member {
        let beat = ShareHeartbeat {
            member_id: record.member_id.clone(),
            rack: record.rack.clone(),
            client_id: record.client_id.clone(),
            client_host: record.client_host.clone(),
            ..ShareHeartbeat::default()
        };
        Member {
            names: record.topics.iter().cloned().collect(),
            epoch: record.epoch,
            epoch_before: record.epoch,
            ..Member::new(&beat)
        }
    }

    pub(crate) fn view(&self) -> ShareMemberDescription {
        ShareMemberDescription {
            member_id: self.id.to_string(),
            rack: self.rack.clone(),
            epoch: self.epoch,
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            topics: self.names.iter().cloned().collect(),
            assignment: self.told.as_ref().unwrap_or(&self.target).iter().copied().collect(),
        }
    }
}
