//! Produce: its parts are gathered in the shard's turn, and answered once that has appended them.

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use onrush_broker::{Acks, DurableMark, Error, Partition, Placed, QuotaKind};
use onrush_gateway_net::{
    Conversation as _, Entry, Outcome, Place, RequestKey, Source, Turn, Waiting,
};
use onrush_kafka_protocol::produce::{PartitionView, ProduceView};
use onrush_kafka_protocol::{ApiKey, DecodeError, ErrorCode};
use smallvec::SmallVec;

use super::frame::Head;
use super::joining;
use super::queue::Running;
use super::topic::{Found, Refusal};
use super::unanswered::Unanswered;
use super::{Session, Unreadable, kind};

/// The first version whose consumers know zstd.
const ZSTD_FROM: i16 = 7;
/// An idle connection keeps room for at most so many answers.
const ANSWERS_KEPT: usize = 8;

/// Where a record batch has what is looked at before it is appended.
mod layout {
    use std::ops::Range;

    /// Its length, which counts neither itself nor what is before.
    pub(super) const LENGTH: Range<usize> = 8..12;
    pub(super) const ATTRIBUTES: Range<usize> = 21..23;
    pub(super) const CODEC_BITS: u16 = 7;
    pub(super) const ZSTD: u16 = 4;
}

/// A produce request, taken apart.
pub(super) struct Asked {
    acks: i16,
    timeout_ms: i32,
    /// What is to be appended where.
    pub(super) parts: SmallVec<[Part; 2]>,
    /// What is refused from the start.
    pub(super) refused: SmallVec<[(u32, Refusal); 1]>,
    unanswered: Unanswered,
}

/// One part of it that may be appended.
pub(super) struct Part {
    pub(super) number: u32,
    pub(super) partition: Arc<Partition>,
    /// Its batch, within the frame.
    pub(super) records: Range<usize>,
}

impl Session {
    /// Gathers a produce request.
    pub(super) fn produce(&mut self, turn: &mut Turn, head: Head, source: Source) {
        let bytes = source.bytes(turn);
        let length = bytes.len() as u64;
        let (mut asked, joins) = match self.take_apart(head, bytes) {
            Ok(asked) => asked,
            Err(error) => return self.close(&Unreadable(head, &error)),
        };
        self.produces = true;
        asked.unanswered.throttle_time_ms = self.context.charge(QuotaKind::Produce, length);
        self.note_mute();
        match joins {
            Some(id) => self.join(turn, source, id, asked),
            None => self.gather(turn, source, asked),
        }
    }

    /// Gathers what has been taken apart.
    pub(super) fn gather(&mut self, turn: &mut Turn, source: Source, asked: Asked) {
        let acks = match asked.acks {
            0 => Acks::None,
            1 => Acks::Written,
            _ => Acks::All,
        };
        let timeout = match u64::try_from(asked.timeout_ms) {
            Ok(0) | Err(_) => self.context.options.produce_timeout,
            Ok(ms) => Duration::from_millis(ms),
        };
        let deadline = asked.unanswered.since().saturating_add(timeout);
        let request =
            (acks != Acks::None).then(|| self.queue.begin(Running::Produce(asked.unanswered)));
        if !asked.parts.is_empty() {
            if acks == Acks::All {
                self.note_deadline(deadline);
            }
            let frame = turn.hold(source);
            for Part { number: part, partition, records } in asked.parts {
                self.gathered += 1;
                let name = (partition.topic_id(), partition.index());
                turn.gather(Entry {
                    place: Place { partition, name, request, part, deadline },
                    inbox: Rc::clone(&self.inbox),
                    payload: frame.after(records.start),
                    length: records.len(),
                    expected_offset: None,
                    acks,
                });
            }
        }
        for (part, refusal) in asked.refused {
            self.answer(request, part, Err(refusal));
        }
        self.send_answers();
    }

    /// Also tells the transaction that its partitions have to be added to first.
    fn take_apart(
        &mut self,
        head: Head,
        frame: &[u8],
    ) -> Result<(Asked, Option<String>), DecodeError> {
        let (header, mut reader) = Head::header(frame)?;
        self.context.calls_itself(header.client_id);
        let view = ProduceView::decode(&mut reader, head.version)?;
        let mut asked = Asked {
            acks: view.acks,
            timeout_ms: view.timeout_ms,
            parts: SmallVec::new(),
            refused: SmallVec::new(),
            unanswered: Unanswered::new(head, self.context.now()),
        };
        let mut open: Option<(usize, Found)> = None;
        for part in view.partitions() {
            let found = match open.take() {
                Some((number, found)) if number == part.topic_number => found,
                _ => {
                    let found = Found::find(&self.context.broker, part.topic);
                    asked.unanswered.topic(found.named.clone());
                    found
                }
            };
            let number = asked.unanswered.part(part.index);
            let checked = check(head, view.acks, frame, &part)
                .and_then(|records| Ok((found.partition(part.index)?, records)));
            match checked {
                Ok((partition, records)) => asked.parts.push(Part { number, partition, records }),
                Err(refusal) => asked.refused.push((number, refusal)),
            }
            open = Some((part.topic_number, found));
        }
        let joins = view.transactional_id.filter(|_| head.version >= joining::FROM);
        Ok((asked, joins.map(str::to_owned)))
    }

    /// Has the turn append what it has gathered, if some of it came from here, and answers that.
    pub(super) fn append(&mut self, turn: &mut Turn) {
        if self.gathered > 0 {
            turn.append(Some(&self.inbox));
            self.take_answers();
            self.progress_lanes();
        }
    }

    /// Answers what was appended, as far as it can be answered.
    pub(super) fn take_answers(&mut self) {
        if self.gathered == 0 {
            return;
        }
        let inbox = Rc::clone(&self.inbox);
        let mut answers = inbox.answers.borrow_mut();
        for (place, result) in answers.drain(..) {
            self.gathered -= 1;
            self.appended(&place, result);
        }
        if answers.capacity() > ANSWERS_KEPT {
            *answers = Vec::new();
        }
        self.send_answers();
    }

    fn appended(&mut self, place: &Place, result: Result<Placed, Error>) {
        let mark = match &result {
            Ok(placed) => placed.await_durable,
            Err(error) => error.await_durable(),
        };
        let outcome = result.map_err(|error| Refusal::from(&error));
        match (place.request, mark) {
            (Some(request), Some(mark)) => self.answer_when_durable(request, place, outcome, mark),
            (request, _) => self.answer(request, place.part, outcome),
        }
    }

    fn answer_when_durable(
        &mut self,
        request: RequestKey,
        place: &Place,
        outcome: Result<Placed, Refusal>,
        mark: DurableMark,
    ) {
        let Some(unanswered) = self.queue.produce(request) else { return };
        unanswered.note(place.part, outcome);
        let Place { part, deadline, .. } = *place;
        // It may have been passed over when the deadlines were last counted.
        self.note_deadline(deadline);
        self.lanes.wait(Waiting { request, part, mark, deadline }, &place.partition);
    }

    /// Answers a part. Who wants no answers learns of a refusal by the end of the connection.
    fn answer(&mut self, request: Option<RequestKey>, part: u32, outcome: Result<Placed, Refusal>) {
        match (request, outcome) {
            (Some(request), outcome) => {
                if let Some(unanswered) = self.queue.produce(request) {
                    unanswered.note(part, outcome);
                    unanswered.complete();
                }
            }
            (None, Ok(_)) => {}
            (None, Err(Refusal { message, .. })) => self.close(&format_args!(
                "records that want no acknowledgement were refused: {message}"
            )),
        }
    }

    /// Answers whatever has become durable, failed, or run out of time.
    pub(super) fn progress_lanes(&mut self) {
        let Self { queue, lanes, context, signal, .. } = self;
        lanes.progress(
            || context.now(),
            signal,
            |Waiting { request, part, .. }, outcome| {
                let Some(unanswered) = queue.produce(request) else { return };
                match outcome {
                    Outcome::Durable => {}
                    Outcome::Failed(error) => unanswered.note(part, Err(Refusal::from(&error))),
                    Outcome::Late => unanswered.note(part, Err(late())),
                }
                unanswered.complete();
            },
        );
        self.send_answers();
    }

    /// Sends the answers that are complete, in the order of the requests.
    fn send_answers(&mut self) {
        while let Some(Running::Produce(first)) = self.queue.running.front()
            && first.is_complete()
        {
            match first.encode() {
                Ok(frame) => self.outbox.bytes().extend_from_slice(&frame),
                Err(error) => return self.close(&error),
            }
            let took = self.context.now().saturating_sub(first.since());
            self.meter.answered(kind(ApiKey::PRODUCE), took);
            self.queue.finish();
        }
    }
}

/// Where the record batch of a part lies in the frame, unless Kafka refuses it without looking
/// into it.
fn check(
    head: Head,
    acks: i16,
    frame: &[u8],
    part: &PartitionView<'_>,
) -> Result<Range<usize>, Refusal> {
    if !(-1..=1).contains(&acks) {
        let text = format!("acks={acks} is none of -1 (all), 0, 1");
        return Err(Refusal::new(ErrorCode::INVALID_REQUIRED_ACKS, text));
    }
    let records = part.records.clone().unwrap_or_default();
    let bytes = &frame[records.clone()];
    if bytes.is_empty() {
        let text = "there is no record batch for this partition";
        return Err(Refusal::new(ErrorCode::INVALID_RECORD, text));
    }
    let announced = bytes.get(layout::LENGTH).and_then(|bytes| bytes.first_chunk::<4>());
    let length = announced.map(|bytes| u32::from_be_bytes(*bytes) as usize + layout::LENGTH.end);
    if length.is_some_and(|length| length < bytes.len()) {
        let text = "there is more than one record batch for this partition";
        return Err(Refusal::new(ErrorCode::INVALID_RECORD, text));
    }
    let attributes = bytes.get(layout::ATTRIBUTES).and_then(|bytes| bytes.first_chunk::<2>());
    let codec = attributes.map(|bytes| u16::from_be_bytes(*bytes) & layout::CODEC_BITS);
    if head.version < ZSTD_FROM && codec == Some(layout::ZSTD) {
        let text = "zstd needs version 7 of Produce; use a newer client, or another compression";
        return Err(Refusal::new(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE, text));
    }
    Ok(records)
}

fn late() -> Refusal {
    Refusal::new(
        ErrorCode::REQUEST_TIMED_OUT,
        "the records are written, but did not reach stable storage in the time given",
    )
}
