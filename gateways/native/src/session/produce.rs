//! Produce: its parts are gathered in the shard's turn, and answered once that has appended them.

use std::rc::Rc;
use std::time::Duration;

use onrush_broker::{Acks as BrokerAcks, Placed};
use onrush_gateway_net::{Conversation as _, Entry, Place, RequestKey, Turn};
use onrush_protocol::request::{Acks, ProduceRequest};
use onrush_protocol::response::ProducePartResponse;
use onrush_protocol::wire::Maybe;
use onrush_protocol::{FrameHeader, Message as _, Opcode, WireError};

use super::acks::failed;
use super::errors::{epoch_error, wire_error};
use super::joining::{Asked, Join};
use super::{Close, Session, Source};

/// An idle connection keeps room for at most so many answers.
const ANSWERS_KEPT: usize = 8;

impl Session {
    /// Takes a produce request. What is wrong with it is answered at once.
    pub(super) fn produce(
        &mut self,
        turn: &mut Turn,
        header: &FrameHeader,
        source: Source,
    ) -> Result<(), Close> {
        self.charge_sent(header.frame_len());
        let request = ProduceRequest::decode(source.body(header, turn)).and_then(|request| {
            request.check_payload(source.payload_len(header)).map(|()| request)
        });
        let request = match request {
            Ok(request) => request,
            Err(error) => {
                self.refuse(Opcode::Produce, header.correlation, &WireError::from(&error));
                return Ok(());
            }
        };
        self.produces = true;
        let timeout = match request.timeout_ms {
            0 => self.options.produce_timeout,
            ms => Duration::from_millis(u64::from(ms)),
        };
        let since = self.now();
        let deadline = since.saturating_add(timeout);
        let asked = Asked { header: *header, source, request, since, deadline, kept: None };
        if self.joins.is_empty() {
            return self.produce_next(turn, asked);
        }
        let asked = self.keep(turn, asked);
        self.joins.hold(asked);
        Ok(())
    }

    /// Takes a produce request that waits for none before it.
    pub(super) fn produce_next(&mut self, turn: &mut Turn, asked: Asked) -> Result<(), Close> {
        match self.join(&asked.request, asked.source.payload(&asked.header, turn)) {
            Join::Done => self.gather(turn, asked),
            Join::Refused(error) => self.refuse_produce(&asked, error),
            Join::Waits(adding) => {
                let asked = self.keep(turn, asked);
                self.joins.begin(asked, adding);
                Ok(())
            }
        }
    }

    /// Gathers what may be appended.
    pub(super) fn gather(&mut self, turn: &mut Turn, asked: Asked) -> Result<(), Close> {
        let key = self.key(&asked);
        let Asked { header, source, request, deadline, .. } = asked;
        let acks = match request.acks {
            Acks::None => BrokerAcks::None,
            Acks::Written => BrokerAcks::Written,
            Acks::All => BrokerAcks::All,
        };
        if request.parts.is_empty() {
            if let Some(key) = key {
                self.acks.answer_empty(key, &mut self.outbox);
            }
            return Ok(());
        }
        if request.acks == Acks::All {
            self.note_deadline(deadline);
        }
        let mut payload = source.hold(&header, turn);
        for (part, asked) in (0_u32..).zip(&request.parts) {
            let length = asked.batches_length as usize;
            let found =
                self.broker.partition(asked.topic_id, asked.partition).map_err(|e| wire_error(&e));
            let found = found.and_then(|partition| {
                epoch_error(asked.leader_epoch, &partition).map_or(Ok(partition), Err)
            });
            match found {
                Ok(partition) => {
                    let name = (asked.topic_id, asked.partition);
                    self.gathered += 1;
                    turn.gather(Entry {
                        place: Place { partition, name, request: key, part, deadline },
                        inbox: Rc::clone(&self.inbox),
                        payload,
                        length,
                        expected_offset: asked.expected_offset.0,
                        acks,
                    });
                }
                Err(error) => self.produced_nothing(key, part, error)?,
            }
            payload = payload.after(length);
        }
        Ok(())
    }

    /// Where the answer to a request is kept; nothing: none is wanted.
    pub(super) fn key(&mut self, asked: &Asked) -> Option<RequestKey> {
        let Asked { header, request, since, kept, .. } = asked;
        match kept {
            Some(kept) => kept.key,
            None if request.acks == Acks::None => None,
            None => Some(self.acks.begin(header.correlation, request.parts.len(), *since)),
        }
    }

    /// Has the turn append what it has gathered, if some of it came from here, and answers that.
    pub(crate) fn append(&mut self, turn: &mut Turn) {
        if self.gathered > 0 {
            turn.append(Some(&self.inbox));
            self.take_answers();
            self.progress_acks();
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
            let placed = self.placed(&place, result);
            self.closed_by(placed);
        }
        if answers.capacity() > ANSWERS_KEPT {
            *answers = Vec::new();
        }
    }

    fn placed(
        &mut self,
        place: &Place,
        result: Result<Placed, onrush_broker::Error>,
    ) -> Result<(), Close> {
        let (answer, mark) = match result {
            Ok(placed) => {
                let answer = ProducePartResponse {
                    error: Maybe::NONE,
                    base_offset: Maybe::some(placed.base_offset),
                    log_start: Maybe::some(placed.log_start),
                    timestamp: placed.timestamp,
                };
                (answer, placed.await_durable)
            }
            Err(error) => {
                let mark = error.await_durable();
                if place.request.is_none() {
                    return self.produced_nothing(None, place.part, wire_error(&error));
                }
                (failed(wire_error(&error)), mark)
            }
        };
        let Some(key) = place.request else { return Ok(()) };
        match mark {
            None => self.acks.answer(key, place.part, answer, &mut self.outbox),
            Some(mark) => {
                // It may have been passed over when the deadlines were last counted.
                self.note_deadline(place.deadline);
                let (partition, deadline) = (&place.partition, place.deadline);
                self.acks.answer_when_durable(key, place.part, answer, mark, partition, deadline);
            }
        }
        Ok(())
    }

    /// A part was refused. Who wants no answers learns it by the end of the connection.
    fn produced_nothing(
        &mut self,
        key: Option<RequestKey>,
        part: u32,
        error: WireError,
    ) -> Result<(), Close> {
        match key {
            Some(key) => {
                self.acks.answer(key, part, failed(error), &mut self.outbox);
                Ok(())
            }
            None => Err(Close::Refused(error)),
        }
    }
}
