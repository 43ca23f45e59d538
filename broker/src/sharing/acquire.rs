//! Handing records out: finding out what is free, reading it, and taking it.

use std::sync::Arc;

use onrush_record::Offset;
use onrush_storage::{Cursor, SliceRead, StorageError};

use super::Sharing;
use super::calls::{ShareAcquire, ShareAcquired};
use super::scan::{self, Hidden};
use crate::partition::{OffsetSpec, Partition};
use crate::share::{
    AcquiredRange, Found, OffsetReset, Plan, ShareError, ShareEvent, ShareGroups, TopicPartition,
};
use crate::{Error, Result, Signal};

/// So often what was found free was taken by somebody else meanwhile, or was nothing at all, before
/// the caller is told that there is nothing now.
const ATTEMPTS: usize = 8;

/// The most that is read at a time, whatever the caller would take.
const READ_MAX: u32 = 4 << 20;

/// What one attempt came to.
enum Attempt {
    Done(ShareAcquired),
    /// Something is known now that was not: look again.
    Again,
}

impl Sharing {
    pub(super) async fn acquire(
        self: &Arc<Self>,
        partition: &Partition,
        request: &ShareAcquire<'_>,
    ) -> Result<ShareAcquired> {
        self.start(partition, request.group).await?;
        for _ in 0..ATTEMPTS {
            if let Attempt::Done(acquired) = self.attempt(partition, request).await? {
                return Ok(acquired);
            }
        }
        Ok(self.nothing(request.group))
    }

    async fn attempt(
        self: &Arc<Self>,
        partition: &Partition,
        request: &ShareAcquire<'_>,
    ) -> Result<Attempt> {
        let committed = self.config(request.group).read_committed;
        let Some(plan) = self.plan(partition, request, committed)? else {
            return Ok(Attempt::Done(self.nothing(request.group)));
        };
        let mut cursor = Cursor::default();
        let log = partition.log();
        let max_bytes = request.max_bytes.min(READ_MAX);
        let from = Offset::new(plan.from);
        let read = match log.reader.read(from, max_bytes, &mut cursor) {
            Ok(Some(read)) => read,
            Ok(None) => return Ok(Attempt::Done(self.nothing(request.group))),
            // The log's start has moved up meanwhile.
            Err(StorageError::OffsetOutOfRange { start, .. }) if from < start => {
                return Ok(Attempt::Again);
            }
            Err(StorageError::Damaged { to, .. }) if to > from => {
                tracing::error!(log = %log.name, %from, %to, "a share group passes over damage");
                let end = to.get();
                self.take(partition, request, &Found { from: plan.from, end, ..Found::default() })?;
                return Ok(Attempt::Again);
            }
            Err(error) => return Err(Error::storage(&log.name, error)),
        };
        self.warm(&read).await;
        let storage = |error| Error::storage(&log.name, error);
        let hidden = if committed { hidden(partition, &read) } else { Hidden::default() };
        let places = scan::places(&read, plan.upto, &hidden).map_err(storage)?;
        let found = if plan.keys {
            scan::found_keys(plan.from, plan.upto, &places, &read).map_err(storage)?
        } else {
            scan::found(plan.from, &places)
        };
        let ranges = self.take(partition, request, &found)?;
        let (Some(first), Some(last)) = (ranges.first(), ranges.last()) else {
            return Ok(Attempt::Again);
        };
        // Only the batches that hold something for this member travel.
        let (first, last) = (first.first.get(), last.last.get());
        let begin = places.partition_point(|place| place.end <= first);
        let end = places.partition_point(|place| place.first <= last);
        let read = scan::part(&read, &places[begin..end]);
        let metrics = &self.services.metrics;
        metrics.bytes_out.inc_by(read.as_ref().map_or(0, |read| read.slice.len().into()));
        metrics.records_out.inc_by(ranges.iter().map(AcquiredRange::records).sum());
        Ok(Attempt::Done(ShareAcquired { read, ranges, ..self.nothing(request.group) }))
    }

    fn plan(
        &self,
        partition: &Partition,
        request: &ShareAcquire<'_>,
        committed: bool,
    ) -> Result<Option<Plan>> {
        let ends = partition.ends();
        let end = if committed { ends.last_stable } else { ends.readable };
        let mut state = self.state.lock();
        let plan = state.groups.plan(
            request.group,
            request.member_id,
            key(partition),
            u64::from(request.max_records),
            (ends.start.get(), end.get()),
        );
        Ok(plan?)
    }

    fn take(
        &self,
        partition: &Partition,
        request: &ShareAcquire<'_>,
        found: &Found,
    ) -> Result<Vec<AcquiredRange>> {
        let now_ms = self.services.clock.now_ms();
        let mut state = self.state.lock();
        let out = state.groups.acquire(
            now_ms,
            (request.group, request.member_id),
            key(partition),
            (u64::from(request.max_records), request.mode),
            found,
        )?;
        self.tell_due(&mut state);
        for dead in &out.dead {
            self.gave_up(key(partition), dead);
        }
        Ok(out.ranges)
    }

    fn nothing(&self, group: &str) -> ShareAcquired {
        let lock_ms = self.state.lock().groups.config(group).lock_duration_ms;
        ShareAcquired { read: None, ranges: Vec::new(), lock_ms }
    }

    /// What is looked at here must not make a shard wait for the disk.
    async fn warm(&self, read: &SliceRead) {
        if read.slice.is_cached() {
            return;
        }
        let done = Signal::new();
        if let Some(warming) = self.services.io.warm(read.slice.clone(), &done) {
            while !warming.is_done() {
                done.notified().await;
            }
        }
    }

    /// Decides where the group begins to read the partition, the first time it does.
    async fn start(self: &Arc<Self>, partition: &Partition, group: &str) -> Result<()> {
        self.check()?;
        let reset = {
            let state = self.state.lock();
            if state.groups.is_started(group, key(partition)) {
                return Ok(());
            }
            if !state.groups.contains(group) {
                return Err(ShareError::UnknownGroup { group: group.to_owned() }.into());
            }
            state.groups.config(group).offset_reset
        };
        let found = match reset {
            OffsetReset::Earliest => partition.ends().start,
            OffsetReset::Latest => partition.ends().readable,
            OffsetReset::ByDuration(ms) => {
                let from = self.services.clock.now_ms().saturating_sub(ms);
                let found = partition.list_offset(OffsetSpec::Timestamp(from)).await?;
                found.offset.unwrap_or_else(|| partition.ends().readable)
            }
        };
        let begin = |groups: &ShareGroups| -> Result<Vec<ShareEvent>> {
            Ok(groups.begin(group, key(partition), found.get())?.into_iter().collect())
        };
        self.decide(begin).await
    }

    /// Fires `signal` once when an acquire may find something; at once if it may now.
    pub(super) fn wake(
        &self,
        partition: &Partition,
        group: &str,
        signal: &Arc<Signal>,
    ) -> Result<()> {
        self.check()?;
        // Registered first and looked at after, so that nothing slips through between.
        self.waiting.register(group, key(partition), signal);
        let ends = partition.ends();
        let committed = self.config(group).read_committed;
        let end = if committed { ends.last_stable } else { ends.readable };
        let next = {
            let mut state = self.state.lock();
            state.groups.next_wanted(group, key(partition), ends.start.get(), end.get())
        };
        match next.map(Offset::new) {
            Some(next) if committed => partition.wake_on_stable(next, signal),
            Some(next) => partition.wake_on_readable(next, signal),
            None if partition.failed().is_some() => signal.notify(),
            // Nothing more may be under way: records have to be settled first.
            None => {}
        }
        Ok(())
    }
}

/// What a group that reads only what is decided does not get of a read.
fn hidden(partition: &Partition, read: &SliceRead) -> Hidden {
    let undecided = Some(partition.ends().last_stable.get());
    let aborted = partition.aborted(read.first, read.next);
    let mut aborted: Vec<_> =
        aborted.iter().map(|found| (found.producer, found.first_offset.get())).collect();
    aborted.sort_unstable_by_key(|(_, first)| *first);
    Hidden { undecided, aborted }
}

fn key(partition: &Partition) -> TopicPartition {
    (partition.topic_id(), partition.index())
}
