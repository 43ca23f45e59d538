//! Transactions: what is sent between `begin` and `commit` counts all together, or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use onrush_protocol::ErrorCode;
use onrush_protocol::request::{
    CommitOffset, TransactionEndRequest, TransactionOffsetsRequest, TransactionOpenRequest,
};
use onrush_protocol::wire::Maybe;
use onrush_record::Offset;

use super::Producer;
use super::batch::Identity;
use super::core::Core;
use super::phase::{self, Phase, Transactions, must_abort};
use crate::consumer::GroupMemberRef;
use crate::error::{Error, Kind, Result};
use crate::metadata::{self, TopicPartition};

impl Producer {
    /// Begins a transaction: what is sent from here on, by all clones, is part of it. Costs nothing.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = onrush::Onrush::open(onrush::Config::ephemeral())?;
    /// # let client = broker.client();
    /// # for topic in ["orders", "parcels"] {
    /// #     client.admin().create_topic(onrush_client::NewTopic::named(topic)).await?;
    /// # }
    /// use onrush_client::{Error, NewRecord};
    /// let producer = client.producer().transactional_id("shop-1").build().await?;
    /// producer.begin()?;
    /// for topic in ["orders", "parcels"] {
    ///     // Whether it arrives, commit() waits for.
    ///     drop(producer.send(NewRecord::to(topic).value(b"3 apples")).await?);
    /// }
    /// match producer.commit().await {
    ///     Ok(()) => {} // both are there, for everyone, for good
    ///     Err(error @ Error::Fenced(_)) => return Err(error.into()), // a newer shop-1 is at work
    ///     Err(_) => producer.abort().await?, // neither ever will be
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the last one has not come to its end, this producer is fenced, or was built without
    /// [`transactional_id`](super::ProducerBuilder::transactional_id).
    pub fn begin(&self) -> Result<()> {
        let (core, all) = self.transactional()?;
        core.begin(all)
    }

    /// Makes offsets of a group part of the transaction: if it is committed, the group goes on
    /// there. For a job that reads, transforms and writes: what it has read counts as read when,
    /// and only when, what it has written counts. Each offset is the next record to read of its
    /// partition, as [`Consumer::positions`](crate::Consumer::positions) gives them; the group is
    /// [`Consumer::group_member`](crate::Consumer::group_member), or its name.
    ///
    /// A call that is dropped before it ends makes the transaction fail: nobody knows what of it
    /// became part of it.
    ///
    /// # Errors
    /// When no transaction is open, or the group has given the member up. The transaction can only
    /// be aborted then.
    pub async fn send_offsets(
        &self,
        group: impl Into<GroupMemberRef>,
        offsets: &[(TopicPartition, Offset)],
    ) -> Result<()> {
        let (core, all) = self.transactional()?;
        let number = all.number();
        let _before_its_end = all.ending.lock().await;
        all.check_open()?;
        all.check_number(number)?;
        if offsets.is_empty() {
            return Ok(());
        }
        let mut fails =
            FailsUnlessDone { core, cause: Some(Error::invalid("send_offsets was dropped")) };
        let sent = self.offsets(core, all, group.into(), offsets).await;
        fails.cause = sent.as_ref().err().cloned();
        sent
    }

    async fn offsets(
        &self,
        core: &Core,
        all: &Transactions,
        group: GroupMemberRef,
        offsets: &[(TopicPartition, Offset)],
    ) -> Result<()> {
        let mut parts = Vec::with_capacity(offsets.len());
        for (at, offset) in offsets {
            let known = all.topics.lock().get(&at.topic).copied();
            let topic_id = match known {
                Some(id) => id,
                None => {
                    let id = metadata::topic(&core.link, &at.topic).await?.id;
                    all.topics.lock().insert(Arc::clone(&at.topic), id);
                    id
                }
            };
            parts.push(CommitOffset {
                topic_id,
                partition: at.partition,
                offset: Maybe::some(*offset),
                leader_epoch: Maybe::NONE,
                metadata: String::new(),
            });
        }
        let who = core.identity();
        let (member_id, member_epoch) = match group.member {
            Some((id, epoch)) => (id.to_string(), epoch),
            None => (String::new(), -1),
        };
        let request = TransactionOffsetsRequest {
            transactional_id: all.id.to_string(),
            producer_id: who.id,
            producer_epoch: who.epoch,
            group: group.group.to_string(),
            member_id,
            member_epoch,
            offsets: parts,
        };
        all.touch();
        // A member of an older epoch may have lost what it has read to another.
        let again = |error: &Error| error.code() != Some(ErrorCode::STALE_MEMBER_EPOCH);
        let response = core.link.call_while(&request, again).await?;
        if response.parts.len() != offsets.len() {
            return Err(Error::short_answer("TransactionOffsets"));
        }
        for (part, (at, _)) in response.parts.into_iter().zip(offsets) {
            if let Some(error) = part.error.0 {
                all.topics.lock().remove(&at.topic);
                let doing = format_args!("offset of {at} for group {}", group.group);
                return Err(Error::broker(doing, error));
            }
        }
        Ok(())
    }

    /// Waits until all that was sent is delivered, then makes the transaction count, all of it at
    /// once and for good. Takes no more records from the moment it is first polled. When dropped
    /// before it ends it may or may not have happened: call it again to learn which.
    ///
    /// # Errors
    /// [`Error::MustAbort`] when something in it failed: nothing of it counts, and
    /// [`abort`](Self::abort) is due. [`Error::Fenced`] when another producer of this transactional
    /// id is at work: for good. Any other, such as a broker that cannot be reached, may pass: call
    /// it again, or abort. Where an answer was lost, whatever the broker says next is no word on
    /// what it did before: [`Error::CommitUnknown`] then, and [`Kind::Unknown`] for a producer that
    /// is fenced.
    pub async fn commit(&self) -> Result<()> {
        let (core, all) = self.transactional()?;
        let number = all.number();
        let _one_at_a_time = all.ending.lock().await;
        all.check_number(number)?;
        match all.start_commit() {
            Phase::Ready => {
                return Err(Error::invalid("no transaction is open: call begin() first"));
            }
            Phase::Fenced(error) => return Err(error),
            Phase::Failed { cause, over } => return Err(self.failed(core, all, cause, over).await),
            Phase::Open | Phase::Committing { .. } => {}
        }
        core.set_shut(true);
        core.wait_for_senders();
        self.flush().await;
        if all.end_untouched() {
            return Ok(());
        }
        let asked = match all.ask() {
            Ok(before) => Asked::new(before),
            Err((cause, over)) => return Err(self.failed(core, all, cause, over).await),
        };
        let Err(error) = core.end(all, true, Phase::Ready, &asked).await else { return Ok(()) };
        let in_doubt = asked.is_in_doubt();
        if !in_doubt {
            // The broker has said that it has not happened.
            all.set(Phase::Committing { asked: false });
        }
        match error.kind() {
            _ if is_fenced(&error) => Err(self.failed(core, all, error, false).await),
            _ if in_doubt => Err(phase::in_doubt(error)),
            Kind::Refused => {
                all.set(Phase::Failed { cause: error.clone(), over: false });
                Err(must_abort(&error))
            }
            _ => Err(error),
        }
    }

    /// What to say of a transaction that failed. When it seems to be for another producer, it may
    /// have been aborted for taking too long as well: that is found out by aborting it.
    async fn failed(&self, core: &Core, all: &Transactions, cause: Error, over: bool) -> Error {
        if over || !is_fenced(&cause) {
            return must_abort(&cause);
        }
        let asked = matches!(all.phase(), Phase::Committing { asked: true });
        let then = Phase::Failed { cause: cause.clone(), over: true };
        match self.give_up(core, all, asked, then).await {
            Ok(()) => must_abort(&cause),
            Err(error) => error,
        }
    }

    /// Makes the transaction never count. Records that were not sent yet fail with
    /// [`Error::Aborted`]. When dropped before it ends, call it again.
    ///
    /// # Errors
    /// When none is open; [`Error::Fenced`] when another producer of this transactional id is at
    /// work; when a [`commit`](Self::commit) whose outcome was not known turns out to have
    /// happened; [`Error::CommitUnknown`] when that is still not known; when the broker cannot be
    /// reached. Call it again, unless [`begin`](Self::begin) says that all is over.
    pub async fn abort(&self) -> Result<()> {
        let (core, all) = self.transactional()?;
        let number = all.number();
        let _one_at_a_time = all.ending.lock().await;
        all.check_number(number)?;
        let asked = match all.phase() {
            Phase::Ready => {
                return Err(Error::invalid("no transaction is open: call begin() first"));
            }
            Phase::Fenced(error) => return Err(error),
            Phase::Failed { over, .. } => {
                if over {
                    core.set_shut(true);
                    core.drop_unsent().await;
                    all.set(Phase::Ready);
                    return Ok(());
                }
                false
            }
            Phase::Committing { asked: true } => true,
            Phase::Open | Phase::Committing { asked: false } => {
                all.set(Phase::Failed { cause: Error::Aborted, over: false });
                false
            }
        };
        self.give_up(core, all, asked, Phase::Ready).await
    }

    /// Has the broker abort it, and goes on to `then`; `asked`: unless it has been committed before,
    /// which may be.
    async fn give_up(
        &self,
        core: &Core,
        all: &Transactions,
        asked: bool,
        then: Phase,
    ) -> Result<()> {
        core.set_shut(true);
        core.wait_for_senders();
        core.drop_unsent().await;
        if !all.is_touched() {
            all.set(then);
            return Ok(());
        }
        let sure = |error| if asked { phase::in_doubt(error) } else { error };
        let error = match core.end(all, false, then.clone(), &Asked::new(false)).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if !is_fenced(&error) && !is_unknown(&error) {
            return Err(sure(error));
        }
        if asked {
            // The producer has another epoch since, or another id after the last epoch: if that is
            // from the commit, the broker says so when it is asked for it again.
            match core.end(all, true, Phase::Ready, &Asked::new(true)).await {
                Ok(()) => {
                    return Err(Error::invalid(
                        "the transaction was not aborted: an earlier commit() has committed it",
                    ));
                }
                Err(again) if is_fenced(&again) => return Err(all.fenced(&again, true)),
                Err(again) if is_unknown(&error) && is_unknown(&again) => {}
                Err(again) => return Err(phase::in_doubt(again)),
            }
        } else if is_fenced(&error) {
            return Err(all.fenced(&error, false));
        }
        // The broker has forgotten the id, and with it aborted what was open.
        match core.open_transactional(all, core.identity()).await {
            Ok(()) => {
                all.set(then);
                match asked {
                    false => Ok(()),
                    true => Err(phase::in_doubt(Error::invalid(
                        "the broker has forgotten its transactional id, and cannot tell any more",
                    ))),
                }
            }
            Err(error) if is_fenced(&error) => Err(all.fenced(&error, asked)),
            Err(error) => Err(sure(error)),
        }
    }

    pub(super) fn transactional(&self) -> Result<(&Core, &Transactions)> {
        let core = &self.inner.core;
        match &core.transactions {
            Some(all) => Ok((core, all)),
            None => Err(Error::invalid(
                "this producer has no transactions: call transactional_id() on its builder",
            )),
        }
    }
}

fn is_fenced(error: &Error) -> bool {
    error.code() == Some(ErrorCode::FENCED_PRODUCER)
}

/// The broker has forgotten the transactional id, or given the producer another id since.
fn is_unknown(error: &Error) -> bool {
    error.code() == Some(ErrorCode::UNKNOWN_TRANSACTIONAL_ID)
}

/// Whether an end that the broker was asked for may have happened though it did not say so.
struct Asked(AtomicBool);

impl Asked {
    /// `before`: it was asked for before, and nobody has said what became of that.
    fn new(before: bool) -> Self {
        Self(AtomicBool::new(before))
    }

    /// That is how one attempt ended.
    fn note(&self, error: &Error) {
        if matches!(error.kind(), Kind::Unknown | Kind::Closed) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    fn is_in_doubt(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Makes the transaction fail when it is dropped with a cause.
struct FailsUnlessDone<'a> {
    core: &'a Core,
    cause: Option<Error>,
}

impl Drop for FailsUnlessDone<'_> {
    fn drop(&mut self) {
        if let Some(cause) = &self.cause {
            self.core.fail_transaction(self.core.transaction(), cause);
        }
    }
}

impl Core {
    /// Makes the producer known, and fences its predecessor.
    /// `before`: who it was, if it goes on; [`Identity::NONE`] for a new one.
    pub(super) async fn open_transactional(
        &self,
        all: &Transactions,
        before: Identity,
    ) -> Result<()> {
        let request = TransactionOpenRequest {
            transactional_id: all.id.to_string(),
            timeout_ms: all.timeout_ms,
            producer_id: before.id,
            producer_epoch: before.epoch,
        };
        let given = self.link.call_again(&request).await?;
        self.set_identity(Identity::transactional(given.producer_id, given.producer_epoch));
        Ok(())
    }

    /// Asks the broker to end the transaction, and goes on to `then`; the producer has a new epoch.
    async fn end(
        &self,
        all: &Transactions,
        commit: bool,
        then: Phase,
        asked: &Asked,
    ) -> Result<()> {
        let who = self.identity();
        let request = TransactionEndRequest {
            transactional_id: all.id.to_string(),
            producer_id: who.id,
            producer_epoch: who.epoch,
            commit,
        };
        let again = |error: &Error| {
            asked.note(error);
            true
        };
        let next = self.link.call_while(&request, again).await;
        let next = next.inspect_err(|error| asked.note(error))?;
        self.set_identity(Identity::transactional(next.producer_id, next.producer_epoch));
        all.set(then);
        Ok(())
    }

    /// Something in the transaction of this number has failed: it takes no more, and can only be
    /// aborted.
    pub(super) fn fail_transaction(&self, number: u64, cause: &Error) {
        if let Some(all) = &self.transactions {
            all.fail(number, cause, || self.set_shut(true));
        }
    }
}
