//! Appending what producers send.

use onrush_record::batch::{BatchHeader, Codec};
use onrush_record::{Offset, ProducerId, TimestampMs};
use onrush_storage::{StorageError, Visibility};

use super::Partition;
use super::check::{Few, check};
use super::judge::{Decided, Judge};
use super::recompress::recompressed;
use crate::topic::{TimestampType, TopicConfig};
use crate::{Acks, DurableMark, Error};

/// What one producer sends for this partition: one record batch or several, all accepted or none.
#[derive(Debug)]
pub struct ProduceBatch<'a> {
    /// Whole batches, back to back: base offset and epoch are stamped into them in place.
    pub bytes: &'a mut [u8],
    /// Append only if the log ends here.
    pub expected_offset: Option<Offset>,
    /// When the producer wants to hear of it. Of a transaction's batches it hears once they are
    /// durable, whatever it asks: what a transaction counts on must not be lost.
    pub acks: Acks,
}

/// Where batches are in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The offset of the first record.
    pub base_offset: Offset,
    /// The offset after the last.
    pub next_offset: Offset,
    /// The broker's timestamp where the topic uses it, else -1.
    pub timestamp: TimestampMs,
    /// The log's first offset.
    pub log_start: Offset,
    /// Acknowledge only once this is durable; None: at once.
    pub await_durable: Option<DurableMark>,
    /// All of it was in the log already.
    pub duplicate: bool,
}

/// What was accepted of one call.
#[derive(Default)]
struct Accepted {
    bytes: u64,
    records: u64,
    batches: u64,
    /// Somebody wants to hear once it is durable.
    acks_all: bool,
}

impl Partition {
    /// Appends what is given, in order, by one write for all that is accepted; one answer for each
    /// is added to `results`. Nothing is written of what is refused.
    pub fn produce(
        &self,
        parts: &mut [ProduceBatch<'_>],
        results: &mut Vec<Result<Placed, Error>>,
    ) {
        if let Some(error) = self.services.refuses_produce() {
            results.extend(parts.iter().map(|_| Err(error.clone())));
            return;
        }
        let settings = self.topic.settings();
        let config = &settings.config;
        match config.compression.codec() {
            None => self.check_and_append(parts, |_| None, config, results),
            Some(codec) => self.produce_recompressed(parts, codec, config, results),
        }
    }

    /// The same for a topic that has a compression of its own: what differs is made anew, in memory
    /// of its own.
    fn produce_recompressed(
        &self,
        parts: &mut [ProduceBatch<'_>],
        codec: Codec,
        config: &TopicConfig,
        results: &mut Vec<Result<Placed, Error>>,
    ) {
        let mut made = recompressed(parts, codec, config.max_message_bytes);
        let refused: Vec<Option<Error>> =
            made.iter().map(|made| made.as_ref().err().cloned()).collect();
        let mut parts: Vec<ProduceBatch<'_>> = parts
            .iter_mut()
            .zip(&mut made)
            .map(|(part, made)| ProduceBatch {
                bytes: match made {
                    Ok(Some(made)) => made.as_mut_slice(),
                    Ok(None) | Err(_) => &mut *part.bytes,
                },
                expected_offset: part.expected_offset,
                acks: part.acks,
            })
            .collect();
        self.check_and_append(&mut parts, |at| refused[at].clone(), config, results);
    }

    /// Appends what is in order and was not refused before.
    fn check_and_append(
        &self,
        parts: &mut [ProduceBatch<'_>],
        refused: impl Fn(usize) -> Option<Error>,
        config: &TopicConfig,
        results: &mut Vec<Result<Placed, Error>>,
    ) {
        let now_ms = self.services.clock.now_ms();
        let mut headers = Few::new();
        let checked: Few<Result<usize, Error>> = parts
            .iter_mut()
            .enumerate()
            .map(|(at, part)| {
                if let Some(error) = refused(at) {
                    return Err(error);
                }
                let before = headers.len();
                let checked = check(part.bytes, config, now_ms, &mut headers);
                if checked.is_err() {
                    headers.truncate(before);
                }
                checked
            })
            .collect();
        self.append(parts, &headers, checked, config, now_ms, results);
    }

    fn append(
        &self,
        parts: &mut [ProduceBatch<'_>],
        headers: &[BatchHeader],
        checked: Few<Result<usize, Error>>,
        config: &TopicConfig,
        now_ms: TimestampMs,
        results: &mut Vec<Result<Placed, Error>>,
    ) {
        let timestamp = match config.timestamp_type {
            TimestampType::CreateTime => -1,
            TimestampType::LogAppendTime => now_ms,
        };
        let mut append = Few::new();
        let mut decided: Few<Result<Decided, Error>> = Few::new();

        let mut state = self.log.lock();
        if self.log.is_deleted() {
            drop(state);
            results.extend(parts.iter().map(|_| Err(self.topic.unknown())));
            return;
        }
        // Asked again under the lock: once stopping has closed this log, nothing may follow.
        if self.services.is_stopping() {
            drop(state);
            results.extend(parts.iter().map(|_| Err(Error::ShuttingDown)));
            return;
        }
        let admit = |header: &BatchHeader| self.admits(header);
        let mut judge = Judge::new(&self.log, &mut state, &admit, now_ms, timestamp);
        let mut of_part = headers;
        let mut transactional: Few<bool> = Few::new();
        for (part, checked) in parts.iter().zip(&checked) {
            decided.push(match checked {
                Ok(count) => {
                    let (these, rest) = of_part.split_at(*count);
                    of_part = rest;
                    transactional.push(is_transactional(these));
                    judge.decide(these, part.expected_offset, &mut append)
                }
                Err(error) => {
                    transactional.push(false);
                    judge.refuse(producer_of(part.bytes));
                    Err(error.clone())
                }
            });
        }
        let first = judge.first();
        let outcome = self.write(judge, parts, headers, &checked, &append, now_ms);
        let log_start = self.log.ends().start;
        // Taken under the lock: a failure that comes later must not go unseen.
        let incarnation = self.log.incarnation();
        drop(state);

        let minimum = config.least_acks().max(self.services.config.acks_minimum);
        let failure = match outcome {
            Ok(accepted) => {
                if accepted.batches > 0 {
                    self.tell(&accepted, minimum, config.visibility);
                }
                None
            }
            Err(error) => Some(self.append_failed(error)),
        };
        for ((part, decided), transactional) in parts.iter().zip(decided).zip(transactional) {
            let decided = match (decided, &failure) {
                // A duplicate of what this call was to append goes the way of that.
                (Ok(decided), Some(error)) if decided.next_offset > first => Err(error.clone()),
                (decided, _) => decided,
            };
            let minimum = if transactional { Acks::All } else { minimum };
            let acks = effective(part.acks, minimum);
            results.push(self.answer(decided, acks, log_start, incarnation));
        }
    }

    /// Writes what was accepted, all by one write.
    fn write(
        &self,
        mut judge: Judge<'_>,
        parts: &mut [ProduceBatch<'_>],
        headers: &[BatchHeader],
        checked: &[Result<usize, Error>],
        append: &[bool],
        now_ms: TimestampMs,
    ) -> Result<Accepted, StorageError> {
        let mut accepted = Accepted::default();
        let mut slices: Few<&mut [u8]> = Few::new();
        let mut chosen: Few<BatchHeader> = Few::new();
        let mut batches = headers.iter().zip(append);
        for (part, checked) in parts.iter_mut().zip(checked) {
            let mut rest: &mut [u8] = part.bytes;
            for (header, &append) in batches.by_ref().take(*checked.as_ref().unwrap_or(&0)) {
                let (batch, after) = rest.split_at_mut(header.total_len as usize);
                rest = after;
                if append {
                    accepted.bytes += u64::from(header.total_len);
                    accepted.records += u64::from(header.record_count);
                    accepted.batches += 1;
                    accepted.acks_all |=
                        part.acks == Acks::All || header.attributes.is_transactional();
                    slices.push(batch);
                    chosen.push(*header);
                }
            }
        }
        if chosen.is_empty() {
            return Ok(accepted);
        }
        let (state, end) = judge.state();
        match state.writer.append(&mut slices, &chosen, now_ms) {
            Ok(appended) => {
                debug_assert_eq!(appended.end, end, "the log and the broker count alike");
                // Under the lock, so that the flush that takes them off the budget comes after.
                state.unsynced += accepted.bytes;
                self.services.budget.wrote(accepted.bytes);
                Ok(accepted)
            }
            Err(error) => {
                judge.undo();
                Err(error)
            }
        }
    }

    /// Tells the sync loop, those who read what is written, and the counters.
    fn tell(&self, accepted: &Accepted, minimum: Acks, visibility: Visibility) {
        let awaited = accepted.acks_all
            || minimum == Acks::All
            || (visibility == Visibility::Durable && self.log.has_readers());
        if visibility == Visibility::Written {
            self.log.readable.fire(self.log.ends().readable);
            self.log.fire_stable();
        }
        self.services.sync.wrote(&self.log, accepted.bytes, awaited);
        let metrics = &self.services.metrics;
        metrics.bytes_in.inc_by(accepted.bytes);
        metrics.records_in.inc_by(accepted.records);
        metrics.batches_in.inc_by(accepted.batches);
    }

    fn answer(
        &self,
        decided: Result<Decided, Error>,
        acks: Acks,
        log_start: Offset,
        incarnation: u32,
    ) -> Result<Placed, Error> {
        let metrics = &self.services.metrics;
        match decided {
            Ok(decided) => {
                if decided.duplicate {
                    metrics.duplicates.inc();
                }
                let mark = DurableMark { upto: decided.next_offset, incarnation };
                Ok(Placed {
                    base_offset: decided.base_offset,
                    next_offset: decided.next_offset,
                    timestamp: decided.timestamp,
                    log_start,
                    await_durable: (acks == Acks::All).then_some(mark),
                    duplicate: decided.duplicate,
                })
            }
            Err(error) => {
                metrics.batches_refused.inc();
                Err(error)
            }
        }
    }

    fn append_failed(&self, error: StorageError) -> Error {
        if matches!(error, StorageError::Full { .. }) {
            self.services.space.refuse_produce();
            return self.services.space.error();
        }
        Error::storage(&self.log.name, error)
    }
}

/// One that asks for no acknowledgement gets none, whatever the minimum.
fn effective(asked: Acks, minimum: Acks) -> Acks {
    if asked == Acks::None { Acks::None } else { asked.max(minimum) }
}

fn is_transactional(headers: &[BatchHeader]) -> bool {
    headers.iter().any(|header| header.attributes.is_transactional())
}

fn producer_of(bytes: &[u8]) -> ProducerId {
    BatchHeader::parse(bytes).map_or(ProducerId::NONE, |header| header.producer_id)
}
