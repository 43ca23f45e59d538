//! All topics: what was decided about them, and the live ones; and what was decided about clients.
//!
//! A decision goes into the metadata journal first. What it changes takes effect when it is durable
//! there, whoever still waits for it: so nobody ever acts on what a crash could take back.

mod load;
mod opening;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use onrush_record::{Offset, TopicId};
use parking_lot::{Mutex, RwLock};

use crate::journal::Journal;
use crate::metadata::{Metadata, Record};
use crate::quota::QuotaTable;
use crate::services::Services;
use crate::settings::Overrides;
use crate::topic::TopicConfig;
use crate::{DurableMark, Error, Partition, Result, Topic};

pub(crate) use load::{Opened, Unless, create_partitions};

/// A decision's effect on live topics.
pub(crate) enum Change {
    Create(Arc<Topic>),
    Delete(Arc<Topic>),
    Configure(Arc<Topic>, Overrides, Box<TopicConfig>),
    Grow(Arc<Topic>, Vec<Arc<Partition>>),
    /// All quotas of clients from here on.
    Quotas(QuotaTable),
    /// It has none.
    Nothing,
}

/// What was decided, in the order of the journal.
#[derive(Default)]
struct Decided {
    metadata: Metadata,
    /// Names whose topic is being created or grown: its files are made before it is decided.
    busy: HashSet<String>,
    /// Effects of decisions that are not durable yet.
    pending: VecDeque<(Offset, Change)>,
}

#[derive(Default)]
struct Live {
    by_id: HashMap<TopicId, Arc<Topic>>,
    by_name: HashMap<Arc<str>, Arc<Topic>>,
}

/// All topics.
pub(crate) struct Catalog {
    services: Arc<Services>,
    pub(crate) journal: Journal,
    decided: Mutex<Decided>,
    /// How many effects are pending, for those who look often.
    pending: AtomicUsize,
    live: RwLock<Live>,
}

impl Catalog {
    pub(crate) fn get(&self, id: TopicId) -> Option<Arc<Topic>> {
        self.live.read().by_id.get(&id).cloned()
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<Arc<Topic>> {
        self.live.read().by_name.get(name).cloned()
    }

    /// All topics, in order of name.
    pub(crate) fn topics(&self) -> Vec<Arc<Topic>> {
        let mut topics: Vec<_> = self.live.read().by_id.values().cloned().collect();
        topics.sort_unstable_by(|one, other| one.name().cmp(other.name()));
        topics
    }

    pub(crate) fn cluster_id(&self) -> [u8; 16] {
        self.decided.lock().metadata.cluster_id
    }

    /// All quotas as they were decided.
    pub(crate) fn quotas(&self) -> QuotaTable {
        self.decided.lock().metadata.quotas.clone()
    }

    /// Claims the name of a topic that is to be created or grown, until the claim is dropped.
    pub(crate) fn claim(self: &Arc<Self>, name: &str, exists: bool) -> Result<Claim> {
        self.journal.check()?;
        let mut decided = self.decided.lock();
        match (decided.metadata.id_of(name).is_some(), exists) {
            (true, false) => return Err(Error::TopicExists { topic: name.to_owned() }),
            (false, true) => return Err(Error::UnknownTopic { topic: name.to_owned() }),
            _ => {}
        }
        if !decided.busy.insert(name.to_owned()) {
            return Err(if exists {
                Error::Overloaded { what: "the topic, already being changed," }
            } else {
                Error::TopicExists { topic: name.to_owned() }
            });
        }
        Ok(Claim { catalog: Arc::clone(self), name: name.to_owned() })
    }

    /// Decides: the record goes into the journal, and its effect comes with its durability.
    /// `make` sees the state that the decision is made on.
    pub(crate) fn decide(
        &self,
        make: impl FnOnce(&Metadata) -> Result<(Record, Change)>,
    ) -> Result<DurableMark> {
        let mut decided = self.decided.lock();
        let (record, change) = make(&decided.metadata)?;
        let mark = self.journal.append(&[record.encode()])?;
        decided.metadata.apply(record);
        decided.pending.push_back((mark.upto, change));
        self.pending.store(decided.pending.len(), Ordering::SeqCst);
        Ok(mark)
    }

    /// Waits until a decision is durable, and sees to its effect.
    pub(crate) async fn finish(&self, mark: DurableMark, settle: impl FnOnce()) -> Result<()> {
        self.journal.wait(mark).await?;
        settle();
        Ok(())
    }

    /// Brings the effects of all decisions about that are durable by now, telling `each`.
    pub(crate) fn settle(&self, each: &mut dyn FnMut(&Change)) {
        if self.pending.load(Ordering::SeqCst) == 0 {
            return;
        }
        let durable = self.journal.durable_end();
        let mut decided = self.decided.lock();
        while decided.pending.front().is_some_and(|(upto, _)| *upto <= durable) {
            let Some((_, change)) = decided.pending.pop_front() else { break };
            self.effect(&change);
            each(&change);
        }
        self.pending.store(decided.pending.len(), Ordering::SeqCst);
    }

    fn effect(&self, change: &Change) {
        match change {
            Change::Create(topic) => {
                let mut live = self.live.write();
                live.by_id.insert(topic.id(), Arc::clone(topic));
                live.by_name.insert(Arc::clone(topic.name()), Arc::clone(topic));
            }
            Change::Delete(topic) => {
                let mut live = self.live.write();
                live.by_id.remove(&topic.id());
                if live.by_name.get(topic.name()).is_some_and(|named| named.id() == topic.id()) {
                    live.by_name.remove(topic.name());
                }
                drop(live);
                for partition in topic.partitions() {
                    partition.log().delete();
                }
                load::remove_files(&self.services, topic.id());
            }
            Change::Configure(topic, overrides, config) => {
                topic.configure(overrides.clone(), (**config).clone());
                self.services.want_tick();
            }
            Change::Grow(topic, partitions) => {
                topic.add(partitions.iter().cloned().map(Ok));
            }
            Change::Quotas(table) => self.services.quotas.replace(table.clone()),
            Change::Nothing => {}
        }
    }

    /// The state in records, with the offset it is of, for a snapshot.
    pub(crate) fn snapshot(&self) -> (Offset, Vec<Vec<u8>>) {
        let decided = self.decided.lock();
        (self.journal.mark().upto, decided.metadata.snapshot())
    }
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalog").field("journal", &self.journal).finish_non_exhaustive()
    }
}

/// A name that nobody else may create or grow meanwhile.
#[derive(Debug)]
pub(crate) struct Claim {
    catalog: Arc<Catalog>,
    name: String,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.catalog.decided.lock().busy.remove(&self.name);
    }
}
