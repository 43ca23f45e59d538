//! Fetch: answered at once when there is enough, otherwise when there is or time is up.

use std::sync::Arc;
use std::time::Duration;

use onrush_broker::{Cursor, Ends, Partition, Result as Read, Signal, Slice, SliceRead, Warming};
use onrush_gateway_net::Conversation as _;
use onrush_protocol::request::Isolation;
use onrush_protocol::request::{FetchPart, FetchRequest};
use onrush_protocol::response::{FetchPartResponse, FetchResponse};
use onrush_protocol::wire::Maybe;
use onrush_protocol::{Message as _, Opcode, WireError};
use onrush_record::Offset;
use smallvec::SmallVec;

use super::errors::{epoch_error, wire_error};
use super::throttle::{Given, PATIENCE};
use super::{Session, kind};

/// How long until a cold range is offered to the broker's I/O loop again, when its queue is full.
pub(super) const RETRY: Duration = Duration::from_millis(5);

/// One partition that a fetch reads.
struct Source {
    asked: FetchPart,
    partition: Result<Arc<Partition>, WireError>,
    cursor: Cursor,
    isolation: Isolation,
    /// Where the log ended before it was last read: what is appended since has not been seen.
    end: Offset,
    /// The end of the log at which the partition was asked to wake us.
    asked_at: Option<Offset>,
    /// There was more than was read; or it was not read at all.
    cut: bool,
}

/// A fetch without its answer.
struct Pending {
    correlation: u32,
    min_bytes: u64,
    max_bytes: u32,
    since: Duration,
    deadline: Duration,
    /// When it is answered although its client owes for what it was given before.
    patience: Duration,
    /// It owes; when to look again.
    held_until: Option<Duration>,
    sources: SmallVec<[Source; 1]>,
    /// The answer, while some of it is brought into memory.
    cold: Option<Cold>,
}

struct Cold {
    found: Found,
    waiting: Vec<Warming>,
}

/// What reading all sources gave.
#[derive(Default)]
struct Found {
    parts: SmallVec<[FetchPartResponse; 4]>,
    slices: SmallVec<[Slice; 4]>,
    bytes: u64,
    failed: bool,
}

/// The unanswered fetches of one connection.
#[derive(Default)]
pub(crate) struct Fetches {
    pending: Vec<Pending>,
}

impl Fetches {
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.pending.iter().filter_map(Pending::deadline).min()
    }
}

/// Reads what there is for readers of this isolation.
fn read(
    partition: &Partition,
    isolation: Isolation,
    from: Offset,
    max_bytes: u32,
    cursor: &mut Cursor,
) -> Read<Option<SliceRead>> {
    match isolation {
        Isolation::ReadUncommitted => partition.fetch(from, max_bytes, cursor),
        Isolation::ReadCommitted => {
            let read = partition.fetch_committed(from, max_bytes, cursor)?;
            read.map(|read| partition.decided(read)).transpose()
        }
    }
}

/// Has the partition wake us once there is more to read than up to `end`.
pub(super) fn wake(isolation: Isolation, partition: &Partition, end: Offset, signal: &Arc<Signal>) {
    match isolation {
        Isolation::ReadUncommitted => partition.wake_on_readable(end, signal),
        Isolation::ReadCommitted => partition.wake_on_stable(end, signal),
    }
}

/// The end of what may be read.
pub(super) fn end(isolation: Isolation, ends: &Ends) -> Offset {
    match isolation {
        Isolation::ReadUncommitted => ends.readable,
        Isolation::ReadCommitted => ends.last_stable,
    }
}

impl Source {
    fn read(&mut self, room: u32, found: &mut Found) {
        let (error, length, ends) = match &self.partition {
            Err(error) => (Some(error.clone()), 0, None),
            Ok(partition) => {
                let max = self.asked.max_bytes.min(room);
                self.end = end(self.isolation, &partition.ends());
                match read(partition, self.isolation, self.asked.offset, max, &mut self.cursor) {
                    Err(error) => (Some(wire_error(&error)), 0, Some(partition.ends())),
                    Ok(None) => {
                        self.cut = false;
                        (None, 0, Some(partition.ends()))
                    }
                    Ok(Some(read)) => {
                        self.cut = read.next < self.end;
                        let length = read.slice.len();
                        found.slices.push(read.slice);
                        (None, length, Some(partition.ends()))
                    }
                }
            }
        };
        found.failed |= error.is_some();
        found.bytes += u64::from(length);
        found.parts.push(FetchPartResponse {
            error: Maybe(error),
            log_start: Maybe(ends.as_ref().map(|ends| ends.start)),
            readable_end: Maybe(ends.as_ref().map(|ends| end(self.isolation, ends))),
            payload_length: length,
        });
    }
}

impl Pending {
    /// When it is answered whatever there is. What is found already, and being brought into
    /// memory, is waited for as long as that takes.
    fn deadline(&self) -> Option<Duration> {
        self.cold.is_none().then_some(self.held_until.unwrap_or(self.deadline))
    }

    fn read(&mut self, most: u32) -> Found {
        let mut found = Found::default();
        for source in &mut self.sources {
            let taken = u32::try_from(found.bytes).unwrap_or(u32::MAX);
            let room = self.max_bytes.min(most).saturating_sub(taken);
            if room == 0 && found.bytes > 0 {
                source.skip(&mut found);
            } else {
                source.read(room, &mut found);
            }
        }
        found
    }

    /// Reads nothing, but tells of the partitions.
    fn nothing(&mut self) -> Found {
        let mut found = Found::default();
        for source in &mut self.sources {
            source.cut = true;
            source.skip(&mut found);
        }
        found
    }
}

impl Source {
    /// Makes sure to be woken when there is more to read than there was when it was read.
    fn wait(&mut self, signal: &Arc<Signal>) {
        let Ok(partition) = &self.partition else { return };
        // Each time: what was asked for may have fired for another fetch of this connection.
        let end = self.end.max(self.asked.offset);
        self.asked_at = Some(end);
        wake(self.isolation, partition, end, signal);
    }

    /// There is no room left in the answer: an empty part, unless there is an error to tell.
    fn skip(&self, found: &mut Found) {
        let (error, ends) = match &self.partition {
            Err(error) => (Some(error.clone()), None),
            Ok(partition) => (None, Some(partition.ends())),
        };
        found.parts.push(FetchPartResponse {
            error: Maybe(error),
            log_start: Maybe(ends.as_ref().map(|ends| ends.start)),
            readable_end: Maybe(ends.as_ref().map(|ends| end(self.isolation, ends))),
            payload_length: 0,
        });
    }
}

impl Session {
    pub(super) fn fetch(&mut self, correlation: u32, request: FetchRequest) {
        let frame_room = self.client_frame_max.saturating_sub(64 * 1024).max(64 * 1024);
        let sources = request
            .parts
            .into_iter()
            .map(|asked| {
                let partition = self
                    .broker
                    .partition(asked.topic_id, asked.partition)
                    .map_err(|error| wire_error(&error))
                    .and_then(|partition| {
                        epoch_error(asked.leader_epoch, &partition).map_or(Ok(partition), Err)
                    });
                let (cursor, isolation) = (Cursor::default(), request.isolation);
                Source {
                    asked,
                    partition,
                    cursor,
                    isolation,
                    end: Offset::ZERO,
                    asked_at: None,
                    cut: true,
                }
            })
            .collect();
        let wait = Duration::from_millis(u64::from(request.max_wait_ms));
        let since = self.now();
        let mut pending = Pending {
            correlation,
            min_bytes: u64::from(request.min_bytes.max(1)),
            max_bytes: request.max_bytes.min(frame_room),
            since,
            deadline: since.saturating_add(wait),
            patience: since.saturating_add(wait.max(PATIENCE)),
            held_until: None,
            sources,
            cold: None,
        };
        if !self.try_answer(&mut pending, wait.is_zero()) {
            if let Some(deadline) = pending.deadline() {
                self.note_deadline(deadline);
            }
            self.fetches.pending.push(pending);
        }
    }

    pub(super) fn progress_fetches(&mut self) {
        if !self.fetches.pending.is_empty() {
            let now = self.now();
            self.answer_fetches(|pending| now >= pending.deadline);
        }
    }

    /// Answers all fetches with what there is.
    pub(super) fn end_fetches(&mut self) {
        self.fetches.pending.iter_mut().for_each(|pending| pending.patience = Duration::ZERO);
        self.answer_fetches(|_| true);
    }

    fn answer_fetches(&mut self, late: impl Fn(&Pending) -> bool) {
        let mut all = std::mem::take(&mut self.fetches.pending);
        all.retain_mut(|pending| {
            let late = late(pending);
            !self.try_answer(pending, late)
        });
        self.fetches.pending = all;
    }

    /// Answers if there is enough or `late`; true when the fetch is done with.
    fn try_answer(&mut self, pending: &mut Pending, late: bool) -> bool {
        let found = match pending.cold.take() {
            Some(Cold { found, mut waiting }) => {
                waiting.retain(|warming| !warming.is_done());
                if !waiting.is_empty() {
                    pending.cold = Some(Cold { found, waiting });
                    return false;
                }
                found
            }
            None => {
                let Some(found) = self.find(pending) else { return false };
                // Whole batches are read, so that what is asked for may be more than what fits.
                let is_all = pending.sources.iter().all(|source| !source.cut);
                if found.bytes < pending.min_bytes && is_all && !found.failed && !late {
                    pending.sources.iter_mut().for_each(|source| source.wait(&self.signal));
                    return false;
                }
                match self.warm(pending, found) {
                    Some(found) => found,
                    None => return false,
                }
            }
        };
        self.charge_given(found.bytes);
        let response = Ok(FetchResponse { parts: found.parts });
        self.outbox.respond_with(
            Opcode::Fetch,
            pending.correlation,
            found.slices.into_iter(),
            |body| response.encode(body),
        );
        let took = self.now().saturating_sub(pending.since);
        self.meter.answered(kind(Opcode::Fetch), took);
        true
    }

    /// Reads what there is for a client that owes nothing; nothing at all if it is to wait.
    fn find(&mut self, pending: &mut Pending) -> Option<Found> {
        let most = match self.may_be_given() {
            Given::Bytes(most) => most,
            Given::NothingUntil(_) if self.now() >= pending.patience => {
                return Some(pending.nothing());
            }
            Given::NothingUntil(until) => {
                let until = until.min(pending.patience);
                pending.held_until = Some(until);
                self.note_deadline(until);
                return None;
            }
        };
        pending.held_until = None;
        pending.sources.iter_mut().for_each(|source| source.cut = true);
        Some(pending.read(most))
    }

    /// Has what is not in memory brought there; gives back what needs no waiting.
    fn warm(&self, pending: &mut Pending, found: Found) -> Option<Found> {
        // What is read where the log ended when the fetch began to wait has just been written.
        if pending.sources.iter().all(|source| source.asked_at == Some(source.asked.offset)) {
            return Some(found);
        }
        let mut waiting = Vec::new();
        for slice in found.slices.iter().filter(|slice| !slice.is_cached()) {
            // With the queue full the range is read by whoever sends it: late beats never.
            waiting.extend(self.broker.warm(slice.clone(), &self.signal));
        }
        if waiting.is_empty() {
            return Some(found);
        }
        pending.cold = Some(Cold { found, waiting });
        None
    }
}
