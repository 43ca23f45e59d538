//! Subscriptions: batches pushed as they become readable, against byte credits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use onrush_broker::{Cursor, Partition, Slice, SliceRead, Warming};
use onrush_gateway_net::Conversation as _;
use onrush_protocol::request::{CreditRequest, Isolation, SubscribeRequest, UnsubscribeRequest};
use onrush_protocol::response::{Deliver, SubscribeResponse, UnsubscribeResponse};
use onrush_protocol::wire::Maybe;
use onrush_protocol::{ErrorCode, Message as _, Opcode, WireError};
use onrush_record::Offset;

use super::Session;
use super::errors::{epoch_error, wire_error};
use super::fetch::{RETRY, end, wake};
use super::throttle::Given;

/// What a subscription waits for.
enum Waits {
    /// For its turn.
    Turn,
    /// For records: the partition wakes the session.
    Records,
    /// For credit.
    Credit,
    /// For a cold range to be in memory.
    Cold(SliceRead, Warming),
    /// For room in the I/O loop's queue.
    Queue(Duration),
}

struct Subscription {
    partition: Arc<Partition>,
    isolation: Isolation,
    offset: Offset,
    cursor: Cursor,
    /// Below zero when a batch was larger than what was left.
    credit: i64,
    waits: Waits,
    /// How often the connection had stalled when this last had read everything there was. While
    /// that is so still, what it reads next has just been written.
    at_end: Option<u32>,
}

/// The subscriptions of one connection.
#[derive(Default)]
pub(crate) struct Subscriptions {
    all: BTreeMap<u32, Subscription>,
    /// Where the next turn begins, so that all get theirs.
    next: u32,
    /// Some may have a turn.
    ready: bool,
    /// How often the connection could not take what there was to push.
    stalls: u32,
    /// Their client owes for what it was given before; when to look again.
    held_until: Option<Duration>,
}

impl Subscriptions {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Ends all of them.
    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.ready = false;
    }

    /// Something may have become readable.
    pub(super) fn look_again(&mut self) {
        self.ready |= !self.all.is_empty();
        self.held_until = None;
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        let retries = self.all.values().filter_map(|subscription| match subscription.waits {
            Waits::Queue(at) => Some(at),
            _ => None,
        });
        retries.chain(self.held_until).min()
    }
}

/// What one turn of a subscription came to.
enum Turn {
    Push(Slice),
    Nothing,
    End(WireError),
}

impl Session {
    pub(super) fn subscribe(&mut self, correlation: u32, request: &SubscribeRequest) {
        let reply = self.try_subscribe(request);
        self.reply::<SubscribeRequest>(correlation, reply);
    }

    fn try_subscribe(
        &mut self,
        request: &SubscribeRequest,
    ) -> Result<SubscribeResponse, WireError> {
        let number = request.subscription;
        let max = self.options.subscriptions_max;
        if self.subscriptions.all.contains_key(&number) {
            let text = format!("this connection has a subscription {number} already");
            return Err(WireError::new(ErrorCode::SUBSCRIPTION_EXISTS, text));
        }
        if self.subscriptions.all.len() >= max {
            let text = format!("a connection may have {max} subscriptions; open another one");
            let detail = i64::try_from(max).unwrap_or(i64::MAX);
            return Err(WireError::new(ErrorCode::TOO_MANY_SUBSCRIPTIONS, text).with_detail(detail));
        }
        let partition = self
            .broker
            .partition(request.topic_id, request.partition)
            .map_err(|error| wire_error(&error))?;
        if let Some(error) = epoch_error(request.leader_epoch, &partition) {
            return Err(error);
        }
        let ends = partition.ends();
        // An offset beyond what is readable yet is fine as long as it is not beyond the log.
        if request.offset < ends.start || request.offset > ends.written {
            return Err(wire_error(&onrush_broker::Error::OffsetOutOfRange {
                asked: request.offset,
                start: ends.start,
                end: ends.readable,
            }));
        }
        let leader_epoch = Maybe::some(partition.leader_epoch());
        let subscription = Subscription {
            partition,
            isolation: request.isolation,
            offset: request.offset,
            cursor: Cursor::default(),
            credit: i64::try_from(request.credit).unwrap_or(i64::MAX),
            waits: Waits::Turn,
            at_end: None,
        };
        self.subscriptions.all.insert(number, subscription);
        self.subscriptions.ready = true;
        let (log_start, readable_end) = (ends.start, end(request.isolation, &ends));
        Ok(SubscribeResponse { log_start, readable_end, leader_epoch })
    }

    pub(super) fn credit(&mut self, request: &CreditRequest) {
        if let Some(subscription) = self.subscriptions.all.get_mut(&request.subscription) {
            let bytes = i64::try_from(request.bytes).unwrap_or(i64::MAX);
            subscription.credit = subscription.credit.saturating_add(bytes);
            if matches!(subscription.waits, Waits::Credit) {
                subscription.waits = Waits::Turn;
                self.subscriptions.ready = true;
            }
        }
    }

    pub(super) fn unsubscribe(&mut self, correlation: u32, request: &UnsubscribeRequest) {
        let number = request.subscription;
        let reply = match self.subscriptions.all.remove(&number) {
            Some(_) => Ok(UnsubscribeResponse {}),
            None => Err(WireError::new(
                ErrorCode::UNKNOWN_SUBSCRIPTION,
                format!(
                    "this connection has no subscription {number}; it may have ended by itself"
                ),
            )),
        };
        self.reply::<UnsubscribeRequest>(correlation, reply);
    }

    /// Gives each subscription its turn until the outbox has enough for now. True when it stopped
    /// for that reason.
    pub(super) fn deliver(&mut self) -> bool {
        if !self.subscriptions.ready {
            return false;
        }
        let room = self.options.delivery_bytes_max;
        let mut idle = 0;
        while idle < self.subscriptions.all.len() {
            if self.outbox.waiting_bytes() >= room {
                self.subscriptions.stalls = self.subscriptions.stalls.wrapping_add(1);
                return true;
            }
            let most = match self.may_be_given() {
                Given::Bytes(most) => most,
                Given::NothingUntil(until) => {
                    self.subscriptions.held_until = Some(until);
                    self.note_deadline(until);
                    return false;
                }
            };
            let next = self.subscriptions.next;
            let first = self.subscriptions.all.range(next..).next().map(|(number, _)| *number);
            let Some(number) = first else {
                self.subscriptions.next = 0;
                continue;
            };
            self.subscriptions.next = number.wrapping_add(1);
            if self.turn(number, most) { idle = 0 } else { idle += 1 }
        }
        self.subscriptions.ready = false;
        false
    }

    /// One subscription's turn, to push at most so many bytes; true when it pushed something.
    fn turn(&mut self, number: u32, most: u32) -> bool {
        let Some(mut subscription) = self.subscriptions.all.remove(&number) else { return false };
        match self.next_of(&mut subscription, most) {
            Turn::Nothing => {
                self.subscriptions.all.insert(number, subscription);
                false
            }
            Turn::Push(slice) => {
                self.charge_given(u64::from(slice.len()));
                let ends = subscription.partition.ends();
                let deliver = Deliver {
                    subscription: number,
                    error: Maybe::NONE,
                    log_start: Maybe::some(ends.start),
                    readable_end: Maybe::some(end(subscription.isolation, &ends)),
                };
                self.outbox.push(Opcode::Deliver, Some(slice), |body| deliver.encode(body));
                self.subscriptions.all.insert(number, subscription);
                true
            }
            Turn::End(error) => {
                let deliver = Deliver {
                    subscription: number,
                    error: Maybe::some(error),
                    log_start: Maybe::NONE,
                    readable_end: Maybe::NONE,
                };
                self.outbox.push(Opcode::Deliver, None, |body| deliver.encode(body));
                true
            }
        }
    }

    fn next_of(&self, subscription: &mut Subscription, most: u32) -> Turn {
        let waits = std::mem::replace(&mut subscription.waits, Waits::Turn);
        match waits {
            Waits::Cold(read, warming) if !warming.is_done() => {
                subscription.waits = Waits::Cold(read, warming);
                return Turn::Nothing;
            }
            Waits::Cold(read, _) => return subscription.take(read),
            Waits::Queue(at) if self.now() < at => {
                subscription.waits = Waits::Queue(at);
                return Turn::Nothing;
            }
            Waits::Credit => {
                subscription.waits = Waits::Credit;
                return Turn::Nothing;
            }
            Waits::Turn | Waits::Records | Waits::Queue(_) => {}
        }
        if subscription.credit <= 0 {
            subscription.waits = Waits::Credit;
            subscription.at_end = None;
            return Turn::Nothing;
        }
        let credit = u32::try_from(subscription.credit).unwrap_or(u32::MAX);
        let max = credit.min(self.options.deliver_frame_bytes).min(most);
        loop {
            let Subscription { partition, isolation, offset, cursor, .. } = subscription;
            let read = match isolation {
                Isolation::ReadUncommitted => partition.fetch(*offset, max, cursor),
                // Without what was aborted only once it is in memory.
                Isolation::ReadCommitted => partition.fetch_committed(*offset, max, cursor),
            };
            match read {
                Err(error) => return Turn::End(wire_error(&error)),
                Ok(Some(read)) => return self.warmed(subscription, read),
                Ok(None) if matches!(subscription.waits, Waits::Records) => {
                    subscription.at_end = Some(self.subscriptions.stalls);
                    return Turn::Nothing;
                }
                Ok(None) => {
                    // Asked first and looked again afterwards, so that nothing slips between.
                    wake(*isolation, partition, *offset, &self.signal);
                    subscription.waits = Waits::Records;
                }
            }
        }
    }

    /// Pushes what was read if it is in memory; otherwise has it brought there.
    fn warmed(&self, subscription: &mut Subscription, read: SliceRead) -> Turn {
        let just_written = subscription.at_end == Some(self.subscriptions.stalls);
        if just_written || read.slice.is_cached() {
            return subscription.take(read);
        }
        subscription.waits = match self.broker.warm(read.slice.clone(), &self.signal) {
            Some(warming) => Waits::Cold(read, warming),
            None => Waits::Queue(self.now().saturating_add(RETRY)),
        };
        Turn::Nothing
    }
}

impl Subscription {
    /// Takes what is in memory; for readers of committed records, without what was aborted.
    fn take(&mut self, read: SliceRead) -> Turn {
        let read = match self.isolation {
            Isolation::ReadUncommitted => read,
            Isolation::ReadCommitted => match self.partition.decided(read) {
                Ok(read) => read,
                Err(error) => return Turn::End(wire_error(&error)),
            },
        };
        self.offset = read.next;
        self.credit -= i64::from(read.slice.len());
        self.waits = Waits::Turn;
        Turn::Push(read.slice)
    }
}
