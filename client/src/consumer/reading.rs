//! From what arrives to what a poll hands out; beginning and ending subscriptions.

use onrush_protocol::ErrorCode;

use super::feed::{Arrived, Wanted, What};
use super::slot::{Current, Piece};
use super::{Consumer, LEAST_CREDIT, PAUSE, Start};
use crate::error::{Error, Kind, Result};
use crate::metadata::TopicPartition;

impl Consumer {
    /// The next records, if any have arrived.
    pub(super) async fn next_piece(&mut self) -> Result<Option<Piece>> {
        loop {
            if let Some(current) = &mut self.current {
                let Some(slot) = self.slots.get_mut(&current.at) else {
                    self.current = None;
                    continue;
                };
                let cap = self.settings.decompressed_bytes;
                match slot.take(current, &mut self.scratch, cap) {
                    Ok(Some(piece)) => return Ok(Some(piece)),
                    Ok(None) if current.done < current.bytes.len() => continue,
                    Ok(None) => {}
                    Err(error) => {
                        let at = current.at.clone();
                        self.stop(&at);
                        return Err(error);
                    }
                }
                self.finish_current();
            }
            let Some(Arrived { subscription, what }) = self.feed.take() else { return Ok(None) };
            let Some(at) = self.subscriptions.get(&subscription).cloned() else { continue };
            match what {
                What::Batches(bytes, readable_end) => {
                    if let (Some(slot), Some(end)) = (self.slots.get_mut(&at), readable_end) {
                        slot.readable_end = end;
                    }
                    self.current = Some(Current { at, bytes, done: 0 });
                }
                What::End(error) => self.ended(&at, error).await?,
            }
        }
    }

    /// Gives credit for a delivery that is used up.
    fn finish_current(&mut self) {
        let Some(current) = self.current.take() else { return };
        let enough = self.credit_each() / 4;
        let Some(slot) = self.slots.get_mut(&current.at) else { return };
        slot.owed += current.bytes.len() as u64;
        if slot.owed >= enough
            && let Some(number) = slot.subscription
        {
            self.feed.credit(number, std::mem::take(&mut slot.owed));
        }
    }

    fn credit_each(&self) -> u64 {
        let partitions = self.slots.len().max(1) as u64;
        (self.settings.credit_bytes / partitions).max(LEAST_CREDIT)
    }

    /// The broker ended a subscription.
    async fn ended(&mut self, at: &TopicPartition, error: Error) -> Result<()> {
        self.stop(at);
        let now = self.feed.link.now();
        let Some(slot) = self.slots.get_mut(at) else { return Ok(()) };
        if error.code() == Some(ErrorCode::OFFSET_OUT_OF_RANGE) {
            let start = match self.settings.start {
                start @ (Start::Earliest | Start::Latest) => start,
                _ => return Err(error),
            };
            let topic_id = slot.topic_id;
            tracing::warn!(%error, ?start, "the offset to read does not exist, going elsewhere");
            let position = self.resolve(at, topic_id, start).await?;
            if let Some(slot) = self.slots.get_mut(at) {
                slot.position = position;
            }
            return Ok(());
        }
        slot.not_before = now.saturating_add(PAUSE.max(error.retry_after()));
        let leaving = self.membership.is_some() && error.code() == Some(ErrorCode::UNKNOWN_TOPIC);
        if error.kind() == Kind::Retry || leaving {
            tracing::debug!(%error, "reading is interrupted");
            return Ok(());
        }
        Err(error)
    }

    /// Subscribes to what should be read and is not.
    pub(super) fn subscribe_all(&mut self) {
        if !std::mem::take(&mut self.unsettled) {
            return;
        }
        let (credit, now) = (self.credit_each(), self.feed.link.now());
        for slot in self.slots.values_mut() {
            if slot.subscription.is_some() || slot.paused {
                continue;
            }
            if slot.not_before > now {
                self.unsettled = true;
                continue;
            }
            let number = self.feed.subscribe(Wanted {
                topic_id: slot.topic_id,
                partition: slot.at.partition,
                offset: slot.position,
                credit,
                isolation: self.settings.isolation,
            });
            slot.subscription = Some(number);
            slot.expected = None;
            slot.owed = 0;
            self.subscriptions.insert(number, slot.at.clone());
        }
    }

    /// Ends a partition's subscription; another is begun at its position when that is wanted.
    pub(super) fn stop(&mut self, at: &TopicPartition) {
        if self.current.as_ref().is_some_and(|current| current.at == *at) {
            self.current = None;
        }
        if let Some(slot) = self.slots.get_mut(at)
            && let Some(number) = slot.subscription.take()
        {
            self.subscriptions.remove(&number);
            self.feed.unsubscribe(number);
        }
        self.unsettled = true;
    }

    pub(super) fn remove(&mut self, at: &TopicPartition) {
        self.stop(at);
        self.slots.remove(at);
    }

    /// The connection was lost, and every subscription with it.
    pub(super) fn forget_subscriptions(&mut self) {
        self.current = None;
        self.subscriptions.clear();
        for number in self.slots.values_mut().filter_map(|slot| slot.subscription.take()) {
            // One that was begun since then is of the new connection.
            self.feed.unsubscribe(number);
        }
        self.unsettled = true;
    }
}
