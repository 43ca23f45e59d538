//! From the broker's answer to what becomes of each batch.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use onrush_protocol::ErrorCode;
use onrush_protocol::response::ProduceResponse;
use onrush_record::Offset;

use super::batch::Batch;
use super::core::Core;
use super::queue::Limits;
use super::split::most_taken;
use super::topic::TopicQueue;
use crate::error::{Error, Expired};
use crate::net::link::Answer;
use crate::net::reply::reply;

/// A batch under way, and where to.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) topic: Arc<TopicQueue>,
    pub(super) partition: usize,
    pub(super) batch: Batch,
}

impl Core {
    /// Settles the batches of one request.
    pub(super) fn answered(&self, sent: Vec<Sent>, answer: Answer) {
        let response = answer
            .and_then(|frame| reply::<ProduceResponse>("Produce", &frame))
            .and_then(|response| match response.parts.len() == sent.len() {
                true => Ok(response),
                false => Err(Error::short_answer("Produce")),
            });
        match response {
            Ok(response) => {
                for (sent, part) in sent.into_iter().zip(response.parts) {
                    let outcome = match part.error.0 {
                        None => Ok(part.base_offset.0),
                        Some(error) => {
                            let at =
                                format_args!("produce to {}/{}", sent.topic.name, sent.partition);
                            Err(Error::broker(at, error))
                        }
                    };
                    self.settle(sent, outcome);
                }
            }
            Err(error) => sent.into_iter().for_each(|sent| self.settle(sent, Err(error.clone()))),
        }
    }

    /// Settles one batch.
    pub(super) fn settle(&self, sent: Sent, outcome: Result<Option<Offset>, Error>) {
        let Sent { topic, partition, batch } = sent;
        let now = self.clock().monotonic();
        let settled = {
            let mut state = topic.state.lock();
            if matches!(&outcome, Err(error) if error.code() == Some(ErrorCode::UNKNOWN_TOPIC)) {
                state.stale = true;
            }
            let giving_up = self.giving_up.load(Ordering::Acquire);
            let refused = outcome.as_ref().err().filter(|_| !giving_up);
            let pieces = refused.and_then(most_taken).and_then(|max| batch.split(max));
            let settled = match pieces {
                Some(pieces) => {
                    self.opened_pieces(&batch, &pieces);
                    state.keep_to(pieces.bytes);
                    state.partitions[partition].take_pieces(pieces.batches);
                    None
                }
                None => state.partitions[partition].settle(batch, outcome, now, giving_up),
            };
            let queue = &mut state.partitions[partition];
            if !queue.listed && queue.has_work() {
                queue.listed = true;
                self.list(&topic, partition);
            }
            settled
        };
        if let Some((batch, outcome)) = settled {
            self.finish(&topic, partition, batch, outcome);
        }
    }
}

/// Why a batch that has waited for too long failed.
pub(super) fn final_error(
    topic: &Arc<str>,
    partition: usize,
    batch: &Batch,
    limits: &Limits,
) -> Error {
    let reason = match &batch.last_error {
        Some(error) => error.to_string(),
        None if batch.is_fresh() => "it never got its turn".to_owned(),
        None => "no answer".to_owned(),
    };
    Error::Expired(Arc::new(Expired {
        topic: Arc::clone(topic),
        partition: u32::try_from(partition).unwrap_or(u32::MAX),
        timeout: limits.delivery_timeout,
        may_have_happened: batch.may_have_happened,
        reason,
    }))
}
