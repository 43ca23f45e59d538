//! One member of a group under the classic protocol.

use std::sync::Arc;

use bytes::Bytes;

use super::calls::{ClassicJoin, Ticket};
use super::record::ClassicMemberRecord;

/// A new member that waits for the others to join is given up after this: its client gave up
/// waiting long before, and will not come back under an id it was never told.
const NEW_MEMBER_TIMEOUT_MS: i64 = 5 * 60 * 1000;

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) id: Arc<str>,
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) rebalance_timeout_ms: u32,
    pub(crate) session_timeout_ms: u32,
    pub(crate) protocols: Vec<(String, Bytes)>,
    /// What the leader assigned to it in the last stable generation.
    pub(crate) assignment: Bytes,
    /// Its call that waits for the others to join.
    pub(super) join: Option<Ticket>,
    /// Its call that waits for the leader.
    pub(super) sync: Option<Ticket>,
    /// It has not asked for its assignment in this generation.
    pub(super) owes_sync: bool,
    /// It has not been in any generation yet.
    pub(super) is_new: bool,
    /// Nobody was ever told its id, nor is there another name to find it by.
    pub(super) is_nameless: bool,
    pub(crate) session_due_ms: i64,
    /// When its timer fires; may be earlier than anything is due.
    pub(crate) armed_ms: Option<i64>,
}

impl Member {
    /// A new one, which waits.
    pub(super) fn new(now_ms: i64, id: &Arc<str>, join: &ClassicJoin, ticket: Ticket) -> Member {
        let mut member = Member {
            id: Arc::clone(id),
            instance_id: join.instance_id.clone(),
            client_id: join.client_id.clone(),
            client_host: join.client_host.clone(),
            rebalance_timeout_ms: 0,
            session_timeout_ms: 0,
            protocols: Vec::new(),
            assignment: Bytes::new(),
            join: Some(ticket),
            sync: None,
            owes_sync: false,
            is_new: true,
            is_nameless: join.member_id.is_empty() && join.instance_id.is_none(),
            session_due_ms: now_ms.saturating_add(NEW_MEMBER_TIMEOUT_MS),
            armed_ms: None,
        };
        member.update(join);
        member
    }

    /// Takes over what a join says.
    pub(super) fn update(&mut self, join: &ClassicJoin) {
        self.session_timeout_ms = u32::try_from(join.session_timeout_ms).unwrap_or_default();
        self.rebalance_timeout_ms =
            u32::try_from(join.rebalance_timeout_ms).unwrap_or(self.session_timeout_ms);
        // Copied, so that what is kept for long does not hold on to a whole request.
        let kept =
            |(name, metadata): &(String, Bytes)| (name.clone(), Bytes::copy_from_slice(metadata));
        self.protocols = join.protocols.iter().map(kept).collect();
    }

    /// The member was heard of.
    pub(super) fn heard(&mut self, now_ms: i64) {
        self.session_due_ms = now_ms.saturating_add(i64::from(self.session_timeout_ms));
    }

    /// When it has been silent for too long. One that waits need not say anything, unless it may
    /// have been forgotten by its own client.
    pub(crate) fn due_ms(&self) -> Option<i64> {
        let waits = self.join.is_some() || self.sync.is_some();
        (self.is_new || !waits).then_some(self.session_due_ms)
    }

    pub(super) fn is_static(&self) -> bool {
        self.instance_id.is_some()
    }

    /// What it says under a protocol.
    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|(name, _)| name == protocol);
        found.map_or_else(Bytes::new, |(_, metadata)| metadata.clone())
    }

    pub(super) fn to_record(&self, protocol: &str) -> ClassicMemberRecord {
        ClassicMemberRecord {
            member_id: self.id.to_string(),
            instance_id: self.instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            session_timeout_ms: self.session_timeout_ms,
            metadata: self.metadata(protocol),
            assignment: self.assignment.clone(),
        }
    }

    /// One that has been in a generation already, with nothing but its id and what it says.
    pub(crate) fn known(id: &Arc<str>, protocols: Vec<(String, Bytes)>) -> Member {
        let record = ClassicMemberRecord { member_id: id.to_string(), ..Default::default() };
        Member { protocols, ..Member::from_record(&record, "") }
    }

    /// Whether nobody can ever speak for it, once its call has ended.
    pub(crate) fn is_nameless(&self) -> bool {
        self.is_nameless
    }

    pub(super) fn from_record(record: &ClassicMemberRecord, protocol: &str) -> Member {
        Member {
            id: Arc::from(record.member_id.as_str()),
            instance_id: record.instance_id.clone(),
            client_id: record.client_id.clone(),
            client_host: record.client_host.clone(),
            rebalance_timeout_ms: record.rebalance_timeout_ms,
            session_timeout_ms: record.session_timeout_ms,
            protocols: vec![(protocol.to_owned(), record.metadata.clone())],
            assignment: record.assignment.clone(),
            join: None,
            sync: None,
            owes_sync: false,
            is_new: false,
            is_nameless: false,
            session_due_ms: i64::MAX,
            armed_ms: None,
        }
    }
}
