//! Produce: all requests of one read, grouped so that each partition is appended to once.

use std::sync::Arc;
use std::time::Duration;

use onrush_broker::{Acks as BrokerAcks, Partition, Placed, ProduceBatch};
use onrush_protocol::request::{Acks, Parts, ProduceRequest};
use onrush_protocol::response::{ProducePartResponse, ProduceResponse};
use onrush_protocol::wire::Maybe;
use onrush_protocol::{Message as _, Opcode, WireError};

use super::acks::{PartitionKey, RequestKey, failed};
use super::errors::{epoch_error, wire_error};
use super::{Close, Session};

/// One part of one produce request, its batches still where they were received.
struct Entry<'b> {
    partition: Arc<Partition>,
    name: PartitionKey,
    /// Nothing: the producer wants no answer.
    request: Option<RequestKey>,
    part: u32,
    deadline: Duration,
    batch: ProduceBatch<'b>,
}

/// Parts that will be appended together.
#[derive(Default)]
pub(crate) struct Group<'b> {
    entries: Vec<Entry<'b>>,
}

impl Session {
    /// Takes a produce request into the group. What is wrong with it is answered at once.
    pub(super) fn produce<'b>(
        &mut self,
        correlation: u32,
        body: &[u8],
        mut payload: &'b mut [u8],
        group: &mut Group<'b>,
    ) -> Result<(), Close> {
        let request = ProduceRequest::decode(body)
            .and_then(|request| request.check_payload(payload.len()).map(|()| request));
        let request = match request {
            Ok(request) => request,
            Err(error) => {
                self.refuse(Opcode::Produce, correlation, &WireError::from(&error));
                return Ok(());
            }
        };
        self.produces = true;
        let acks = match request.acks {
            Acks::None => BrokerAcks::None,
            Acks::Written => BrokerAcks::Written,
            Acks::All => BrokerAcks::All,
        };
        let answered = request.acks != Acks::None;
        if request.parts.is_empty() {
            if answered {
                let response = Ok(ProduceResponse { parts: Parts::new() });
                self.outbox.respond(Opcode::Produce, correlation, |body| response.encode(body));
            }
            return Ok(());
        }
        let key = answered.then(|| self.acks.begin(correlation, request.parts.len()));
        let timeout = match request.timeout_ms {
            0 => self.shared.options.produce_timeout,
            ms => Duration::from_millis(u64::from(ms)),
        };
        let deadline = self.now().saturating_add(timeout);
        if request.acks == Acks::All {
            self.note_deadline(deadline);
        }
        for (part, asked) in (0_u32..).zip(&request.parts) {
            let (bytes, rest) = payload.split_at_mut(asked.batches_length as usize);
            payload = rest;
            let found =
                self.broker.partition(asked.topic_id, asked.partition).map_err(|e| wire_error(&e));
            let found = found.and_then(|partition| {
                epoch_error(asked.leader_epoch, &partition).map_or(Ok(partition), Err)
            });
            match found {
                Ok(partition) => group.entries.push(Entry {
                    partition,
                    name: (asked.topic_id, asked.partition),
                    request: key,
                    part,
                    deadline,
                    batch: ProduceBatch { bytes, expected_offset: asked.expected_offset.0, acks },
                }),
                Err(error) => self.produced_nothing(key, part, error)?,
            }
        }
        Ok(())
    }

    /// Appends the group, one append for each partition, and answers what can be answered.
    pub(super) fn append(&mut self, group: Group<'_>) -> Result<(), Close> {
        let mut entries = group.entries;
        if entries.is_empty() {
            return Ok(());
        }
        let one_partition = entries.iter().all(|entry| entry.name == entries[0].name);
        if !one_partition {
            // Stable: what one producer sent to one partition keeps its order.
            entries.sort_by_key(|entry| entry.name);
        }
        let mut batches = Vec::with_capacity(entries.len());
        let mut places = Vec::with_capacity(entries.len());
        for Entry { partition, name, request, part, deadline, batch } in entries {
            batches.push(batch);
            places.push(Place { partition, name, request, part, deadline });
        }
        let mut results = std::mem::take(&mut self.produce_results);
        let mut at = 0;
        while at < places.len() {
            let name = places[at].name;
            let end = at + places[at..].iter().take_while(|place| place.name == name).count();
            results.clear();
            places[at].partition.produce(&mut batches[at..end], &mut results);
            for (place, result) in places[at..end].iter().zip(results.drain(..)) {
                self.placed(place, result)?;
            }
            at = end;
        }
        self.produce_results = results;
        self.progress_acks();
        Ok(())
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
            Some(mark) => self.acks.answer_when_durable(
                key,
                place.part,
                answer,
                mark,
                &place.partition,
                place.deadline,
            ),
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

/// An entry without its bytes.
struct Place {
    partition: Arc<Partition>,
    name: PartitionKey,
    request: Option<RequestKey>,
    part: u32,
    deadline: Duration,
}
