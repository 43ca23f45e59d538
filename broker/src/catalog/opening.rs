//! Opening the partitions there are: what each finds and changes after a kill is made durable for many
//! at once.

use std::sync::Arc;

use onrush_record::Offset;
use onrush_record::batch::{BatchHeader, Marker};
use onrush_storage::{OpenOptions, Opening, RecoveryReport};

use super::load::Opened;
use crate::producer::ProducerTable;
use crate::services::Services;
use crate::shared_log::{LogName, SharedLog};
use crate::topic::{TopicCore, partition_directory};
use crate::{Error, Partition, Result};

/// From so many partitions on, opening them is shared between two threads.
const PARALLEL_FROM: usize = 64;
/// About so many files, at most, are open at once for what is made durable together; and so many
/// partitions have their epochs stored together, a file of each being open.
const TOGETHER: usize = 256;

/// A partition, by its topic and number.
pub(super) type Place = (Arc<TopicCore>, u32);
/// A partition, or why it cannot be used.
pub(super) type Found = (Result<Arc<Partition>>, Opened);

/// Opens them all. `clean` says that the last stop was, so that there is nothing to recover.
pub(super) fn open_all(services: &Arc<Services>, places: &[Place], clean: bool) -> Vec<Found> {
    if places.len() < PARALLEL_FROM || onrush_sys::thread::cores() < 2 {
        return open_in_turn(services, places, clean);
    }
    let (ours, theirs) = places.split_at(places.len() / 2);
    let helper = {
        let (services, theirs) = (Arc::clone(services), theirs.to_vec());
        onrush_sys::thread::spawn("onrush-open", move || open_in_turn(&services, &theirs, clean))
    };
    let mut found = open_in_turn(services, ours, clean);
    let rest = helper.ok().and_then(|helper| helper.join().ok());
    found.extend(rest.unwrap_or_else(|| open_in_turn(services, theirs, clean)));
    found
}

/// How many of [`TOGETHER`] this process may have: two threads, and half of its descriptors are for the
/// segments that stay open.
fn together() -> usize {
    let eighth = onrush_sys::process::descriptor_limit() / 8;
    usize::try_from(eighth).unwrap_or(TOGETHER).clamp(1, TOGETHER)
}

fn open_in_turn(services: &Arc<Services>, places: &[Place], clean: bool) -> Vec<Found> {
    let mut found = Vec::with_capacity(places.len());
    for some in places.chunks(together()) {
        let from = found.len();
        open_together(services, some, clean, &mut found);
        if !clean {
            settle_epochs(services, &found[from..]);
        }
    }
    found
}

/// Opens some; what recovery found is made durable for as many of them at once as their files allow.
fn open_together(services: &Arc<Services>, places: &[Place], clean: bool, found: &mut Vec<Found>) {
    let options = OpenOptions { leader_epoch: services.epoch, clean };
    let together = together();
    let mut places = places.iter();
    while places.len() > 0 {
        let (mut begun, mut files) = (Vec::new(), 0);
        for (core, index) in places.by_ref() {
            let (directory, config) =
                (partition_directory(core.id, *index), core.settings().config.log());
            let opening = Opening::begin(&services.storage, &directory, config, options);
            files += opening.as_ref().map_or(0, Opening::files);
            begun.push((core, *index, opening));
            if files >= together {
                break;
            }
        }
        let openings = begun.iter_mut().flat_map(|(.., opening)| opening);
        Opening::settle_all(&*services.storage.disk, openings);
        let opened = begun
            .into_iter()
            .map(|(core, index, opening)| open_partition(services, core, index, opening));
        found.extend(opened);
    }
}

/// Makes their epochs durable now: each would wait for the disk with its first append, its shard too.
fn settle_epochs(services: &Services, found: &[Found]) {
    let opened = || found.iter().filter_map(|(partition, _)| partition.as_ref().ok());
    let mut logs: Vec<_> = opened().map(|partition| partition.log().lock()).collect();
    let mut writers: Vec<_> = logs.iter_mut().map(|log| &mut log.writer).collect();
    onrush_storage::settle_epochs(&*services.storage.disk, &mut writers);
}

fn open_partition(
    services: &Arc<Services>,
    core: &Arc<TopicCore>,
    index: u32,
    opening: onrush_storage::Result<Opening>,
) -> Found {
    let name = LogName { topic: Arc::clone(&core.name), partition: index };
    let shown = name.to_string();
    match open_log(core, name, opening) {
        Ok((log, report)) => {
            let partition = Partition::new(Arc::clone(core), index, log, Arc::clone(services));
            (Ok(partition), Opened { name: shown, result: Ok(report) })
        }
        Err(error) => {
            tracing::error!(partition = shown, %error, "cannot open a partition; the rest goes on");
            (Err(error.clone()), Opened { name: shown, result: Err(error) })
        }
    }
}

fn open_log(
    core: &TopicCore,
    name: LogName,
    opening: onrush_storage::Result<Opening>,
) -> Result<(Arc<SharedLog>, RecoveryReport)> {
    let mut sent: Vec<(BatchHeader, Option<Marker>)> = Vec::new();
    let mut visit = |header: &BatchHeader, control: &[u8]| {
        if header.producer_id.is_some() {
            sent.push((*header, Marker::parse(control)));
        }
    };
    let recovered = opening.and_then(|opening| opening.finish(&mut visit));
    let recovered = recovered.map_err(|error| Error::storage(&name, error))?;
    let (from, mut producers) = match &recovered.attachment {
        Some((offset, bytes)) => match ProducerTable::decode(bytes) {
            Some(table) => (*offset, table),
            None => {
                return Err(Error::Damaged {
                    what: format!("partition {name}"),
                    reason: "its checkpoint's list of producers is not what was written".to_owned(),
                    resume_at: None,
                });
            }
        },
        None => (Offset::ZERO, ProducerTable::default()),
    };
    for (header, marker) in sent.iter().filter(|(header, _)| header.base_offset >= from) {
        producers.replay(header, *marker);
    }
    // What recovery publishes is durable, the markers with it.
    producers.settle(recovered.writer.written_end());
    if !recovered.report.clean && core.settings().config.cleanup.compacts {
        crate::cleaner::forget_cleaned(&mut producers, &recovered.reader);
    }
    Ok((SharedLog::new(name, recovered.writer, recovered.reader, producers), recovered.report))
}
