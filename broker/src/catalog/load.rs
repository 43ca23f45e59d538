//! Making, opening and removing what topics are on disk.

use std::collections::HashSet;
use std::sync::Arc;

use onrush_record::TopicId;
use onrush_storage::RecoveryReport;

use super::opening::open_all;
use super::{Catalog, Decided, Live};
use crate::io_queue::Job;
use crate::journal::{self, Journal};
use crate::metadata::{Metadata, Record, TopicRecord};
use crate::producer::ProducerTable;
use crate::services::Services;
use crate::shared_log::{LogName, SharedLog};
use crate::topic::{TopicCore, partition_directory, topic_directory, topics_directory};
use crate::{Error, Partition, Result, Topic};

/// What opening one partition found.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) name: String,
    pub(crate) result: Result<RecoveryReport>,
}

impl Catalog {
    /// Replays the metadata journal and opens every topic it knows.
    pub(crate) fn open(
        services: &Arc<Services>,
        fresh: bool,
        clean: bool,
    ) -> Result<(Arc<Catalog>, Vec<Opened>)> {
        let mut metadata = Metadata::default();
        let journal = Journal::open(services, journal::Name::Metadata, clean, &mut |record| {
            match Record::decode(record) {
                Some(record) => {
                    metadata.apply(record);
                    Ok(())
                }
                None => Err("it holds a record that this version does not know".to_owned()),
            }
        })?;
        if fresh || metadata == Metadata::default() && journal.check().is_ok() {
            let mut id = [0; 16];
            services.random.fill(&mut id);
            let created = Record::ClusterCreated { id };
            // Durable with the first decision: before that, nobody can have built on it.
            journal.append(&[created.encode()])?;
            metadata.apply(created);
        }
        services.quotas.replace(metadata.quotas.clone());
        let (topics, opened) = open_topics(services, &metadata, clean);
        let mut live = Live::default();
        for topic in topics {
            live.by_id.insert(topic.id(), Arc::clone(&topic));
            live.by_name.insert(Arc::clone(topic.name()), topic);
        }
        let catalog = Arc::new(Catalog {
            services: Arc::clone(services),
            journal,
            decided: parking_lot::Mutex::new(Decided { metadata, ..Decided::default() }),
            pending: Default::default(),
            live: parking_lot::RwLock::new(live),
        });
        catalog.remove_orphans();
        Ok((catalog, opened))
    }

    /// Removes directories of topics that are not there: what a crash left of a creation that was
    /// never decided, or of a deletion that was. Not while it is uncertain what was decided.
    fn remove_orphans(&self) {
        if self.journal.check().is_err() {
            return;
        }
        let Ok(entries) = self.services.storage.disk.list(&topics_directory()) else { return };
        let live = self.live.read();
        let journals: HashSet<TopicId> = journal::Name::ALL.map(journal::Name::id).into();
        for id in entries.iter().filter_map(|entry| entry.name.parse::<TopicId>().ok()) {
            if !live.by_id.contains_key(&id) && !journals.contains(&id) {
                remove_files(&self.services, id);
            }
        }
    }
}

/// Removes a topic's directory, on the I/O loop.
pub(super) fn remove_files(services: &Arc<Services>, id: TopicId) {
    let with = Arc::clone(services);
    services.io.push(Job::Call(Box::new(move || {
        let disk = &with.storage.disk;
        let removed = disk
            .remove_dir_all(&topic_directory(id))
            .and_then(|()| disk.sync_dir(&topics_directory()));
        match removed {
            Ok(()) => {
                tracing::info!(topic = %id, "removed the files of a deleted topic");
                if with.space.is_full() {
                    with.space.check();
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            // The next start finds it and tries again.
            Err(error) => tracing::warn!(topic = %id, %error, "cannot remove a topic's files"),
        }
    })));
}

/// Removes a topic's directory unless told that the topic was decided: what is left when creating
/// it fails or is given up half way.
#[derive(Debug)]
pub(crate) struct Unless {
    services: Arc<Services>,
    id: Option<TopicId>,
}

impl Unless {
    pub(crate) fn decided(services: &Arc<Services>, id: TopicId) -> Unless {
        Unless { services: Arc::clone(services), id: Some(id) }
    }

    pub(crate) fn keep(mut self) {
        self.id = None;
    }
}

impl Drop for Unless {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            remove_files(&self.services, id);
        }
    }
}

/// Makes the logs of partitions `from` to `to`, durably. Waits for the disk.
pub(crate) fn create_partitions(
    services: &Arc<Services>,
    core: &Arc<TopicCore>,
    from: u32,
    to: u32,
) -> Result<Vec<Arc<Partition>>> {
    let disk = &services.storage.disk;
    let config = core.settings().config.log();
    let directories: Vec<_> = (from..to).map(|index| partition_directory(core.id, index)).collect();
    for directory in &directories {
        // A partition that was being added when the broker stopped, and was never decided.
        if from > 0 && disk.exists(directory).unwrap_or(false) {
            let removed = disk.remove_dir_all(directory);
            removed.map_err(|e| Error::io("remove", directory.display().to_string(), &e))?;
        }
    }
    let made = onrush_storage::create_all(&services.storage, &directories, &config, services.epoch);
    let made = made.map_err(|error| Error::storage(&core.name, error))?;
    for parent in [topic_directory(core.id), topics_directory()] {
        let synced = disk.sync_dir(&parent);
        synced.map_err(|e| Error::io("sync", parent.display().to_string(), &e))?;
    }
    let partition = |(index, (writer, reader))| {
        let name = LogName { topic: Arc::clone(&core.name), partition: index };
        let log = SharedLog::new(name, writer, reader, ProducerTable::default());
        Partition::new(Arc::clone(core), index, log, Arc::clone(services))
    };
    Ok((from..to).zip(made).map(partition).collect())
}

fn open_topics(
    services: &Arc<Services>,
    metadata: &Metadata,
    clean: bool,
) -> (Vec<Arc<Topic>>, Vec<Opened>) {
    let mut topics = Vec::with_capacity(metadata.topics.len());
    let mut work = Vec::new();
    for (&id, record) in &metadata.topics {
        let topic = live_topic(services, id, record);
        work.extend((0..record.partitions).map(|index| (Arc::clone(topic.core()), index)));
        topics.push(topic);
    }
    let mut found = open_all(services, &work, clean).into_iter();
    let mut opened = Vec::new();
    for topic in &topics {
        let count = metadata.topics.get(&topic.id()).map_or(0, |record| record.partitions);
        topic.add(found.by_ref().take(count as usize).map(|(partition, report)| {
            opened.push(report);
            partition
        }));
    }
    (topics, opened)
}

fn live_topic(services: &Services, id: TopicId, record: &TopicRecord) -> Arc<Topic> {
    let overrides = record.overrides.clone();
    let config = services.config.topic_defaults.with(&overrides).unwrap_or_else(|error| {
        // It was checked when it was decided; another version may have allowed something else.
        tracing::error!(topic = record.name, %error, "using the broker's defaults instead");
        services.config.topic_defaults.clone()
    });
    Topic::new(id, &record.name, overrides, config)
}
