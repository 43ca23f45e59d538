//! Sending records.
//!
//! A record is encoded straight into the open batch of its partition. The task of the producer's
//! connection takes batches as they can go: at once when nothing is under way, otherwise with all
//! that came meanwhile. `topic` holds what sends touch, `queue` the order of one partition's
//! batches, `pump` and `outcome` the way out and back.

mod batch;
mod core;
mod delivery;
mod outcome;
mod phase;
mod pool;
mod pump;
mod queue;
mod record;
mod split;
mod topic;
mod transaction;
mod unsettled;

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use onrush_protocol::request::InitProducerRequest;
use onrush_record::batch::Codec;

use self::batch::Identity;
use self::core::{Core, Settings};
pub use self::delivery::{Delivered, Delivery};
use self::phase::{Phase, Transactions};
use self::queue::Limits;
pub use self::record::NewRecord;
use self::topic::Refusal;
use crate::connector::BoxFuture;
use crate::error::{Error, Result};
use crate::metadata;
use crate::net::link::{Link, LinkConfig, LinkShared};

pub use onrush_protocol::request::Acks;

/// Why [`Producer::try_send`] took no record.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrySend {
    /// The buffer is full; room comes as batches are acknowledged.
    #[error("the producer's buffer is full; await send(), or wait for deliveries")]
    Full,
    /// The topic was not sent to before. [`Producer::send`] and [`Producer::prepare`] look it up.
    #[error("the topic is not known yet; call prepare() first, or await send()")]
    UnknownTopic,
    /// It will not be taken later either.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// When a batch is full, unless the producer is told otherwise.
const BATCH_BYTES: usize = 256 << 10;
/// The same where nothing is acknowledged.
const UNANSWERED_BATCH_BYTES: usize = 64 << 10;

/// Sets up a [`Producer`].
#[derive(Clone, Debug)]
pub struct ProducerBuilder {
    link: LinkConfig,
    settings: Settings,
    batch_bytes: Option<usize>,
    idempotent: bool,
    transactional_id: Option<Arc<str>>,
    transaction_timeout: Duration,
}

impl ProducerBuilder {
    pub(crate) fn new(link: LinkConfig) -> Self {
        let limits = Limits {
            max_in_flight: 5,
            open_window: 1,
            linger: Duration::ZERO,
            delivery_timeout: Duration::from_secs(120),
        };
        let settings = Settings {
            acks: Acks::All,
            codec: Codec::None,
            batch_bytes: BATCH_BYTES,
            buffer_bytes: 32 << 20,
            partition_buffer_bytes: 1 << 20,
            limits,
        };
        Self {
            link,
            settings,
            batch_bytes: None,
            idempotent: true,
            transactional_id: None,
            transaction_timeout: Duration::from_secs(60),
        }
    }

    /// When a record counts as delivered. Default: [`Acks::All`], on stable storage.
    #[must_use]
    pub fn acks(mut self, acks: Acks) -> Self {
        self.settings.acks = acks;
        self
    }

    /// How long a batch that is not full waits for more. Default: not at all; batches then hold
    /// what came while the one before was under way.
    #[must_use]
    pub fn linger(mut self, linger: Duration) -> Self {
        self.settings.limits.linger = linger;
        self
    }

    /// Size at which a batch is full, before compression. A larger record has a batch of its own.
    /// Where a topic takes no batches so large (`max.message.bytes`), the first one refused is sent
    /// again in pieces, and later ones are kept as small. Default: 256 KiB: what is gained by larger
    /// batches is most where each waits for the disk. With [`Acks::None`], where nobody says
    /// what was refused, 64 KiB.
    #[must_use]
    pub fn batch_bytes(mut self, bytes: usize) -> Self {
        self.batch_bytes = Some(bytes.clamp(1 << 10, 64 << 20));
        self
    }

    /// Memory for records that are not acknowledged yet; when it is full, sends wait. Default: 32 MiB.
    #[must_use]
    pub fn buffer_bytes(mut self, bytes: usize) -> Self {
        self.settings.buffer_bytes = bytes.max(1 << 10);
        self
    }

    /// How much of that one partition's full batches may take while they wait, at least two of
    /// them. A queue that stays in the processor's cache is faster than a long one, which only
    /// makes records wait. Default: 1 MiB.
    #[must_use]
    pub fn partition_buffer_bytes(mut self, bytes: usize) -> Self {
        self.settings.partition_buffer_bytes = bytes;
        self
    }

    /// How batches are compressed. Default: not.
    #[must_use]
    pub fn compression(mut self, codec: Codec) -> Self {
        self.settings.codec = codec;
        self
    }

    /// Whether retries leave neither duplicates nor changes of order, as the broker recognises what
    /// it has already. Default: yes, unless there are no acknowledgements to begin with. Without
    /// it, a batch whose outcome is unknown is not sent again.
    #[must_use]
    pub fn idempotent(mut self, idempotent: bool) -> Self {
        self.idempotent = idempotent;
        self
    }

    /// Batches of one partition under way at a time, 1 to 5: an idempotent producer's last five
    /// are what a broker remembers. Default: 5.
    #[must_use]
    pub fn max_in_flight(mut self, batches: usize) -> Self {
        self.settings.limits.max_in_flight = batches.clamp(1, 5);
        self
    }

    /// How long a record may take, waiting, sending and retries together. Default: 2 minutes. While
    /// the broker makes this client wait for its quota, ten minutes at most, what is under way has
    /// that longer; `flush`, `commit` and `abort` wait for it.
    #[must_use]
    pub fn delivery_timeout(mut self, timeout: Duration) -> Self {
        self.settings.limits.delivery_timeout = timeout;
        self
    }

    /// Sends records in transactions: see [`Producer::begin`]. The id names the producer across its
    /// restarts: building it fences the one before of the same id, and aborts what that left open.
    /// Two that are meant to work at a time have different ids. Needs idempotence and
    /// [`Acks::All`].
    #[must_use]
    pub fn transactional_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.transactional_id = Some(id.into());
        self
    }

    /// How long a transaction may take before the broker aborts it. Default: a minute.
    #[must_use]
    pub fn transaction_timeout(mut self, timeout: Duration) -> Self {
        self.transaction_timeout = timeout;
        self
    }

    /// Connects and makes the producer.
    ///
    /// # Errors
    /// When the broker cannot be reached or gives no producer id, or the settings contradict each
    /// other.
    pub async fn build(mut self) -> Result<Producer> {
        if self.transactional_id.is_some() && (!self.idempotent || self.settings.acks != Acks::All)
        {
            return Err(Error::invalid(
                "transactions need acks(Acks::All) and idempotent(true), the defaults",
            ));
        }
        let timeout_ms = u32::try_from(self.transaction_timeout.as_millis()).unwrap_or(u32::MAX);
        let transactions = self.transactional_id.map(|id| Transactions::new(id, timeout_ms));
        self.settings.batch_bytes = self.batch_bytes.unwrap_or(match self.settings.acks {
            Acks::All | Acks::Written => BATCH_BYTES,
            Acks::None => UNANSWERED_BATCH_BYTES,
        });
        // Waiting for the disk is long compared to a frame's cost; waiting for a page cache is not.
        self.settings.limits.open_window = match self.settings.acks {
            Acks::All => self.settings.limits.max_in_flight,
            Acks::Written | Acks::None => 1,
        };
        let shared = LinkShared::new(self.link);
        let core = Core::new(Arc::clone(&shared), &self.settings, transactions);
        let link = Link::open(shared, core.clone()).await?;
        if let Some(all) = &core.transactions {
            core.open_transactional(all, Identity::NONE).await?;
        } else if self.idempotent && self.settings.acks != Acks::None {
            let given = link.shared.call_again(&InitProducerRequest {}).await?;
            core.set_identity(Identity::idempotent(given.producer_id, given.producer_epoch));
        }
        Ok(Producer { inner: Arc::new(Inner { core, _link: link }) })
    }
}

/// Sends records to topics. Cloning is cheap; clones share one buffer and one connection.
///
/// When the last clone is dropped without [`close`](Self::close), what is buffered is still sent
/// in the background as long as the connection holds, but nobody learns how that ended.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let broker = onrush::Onrush::open(onrush::Config::ephemeral())?;
/// # let client = broker.client();
/// # client.admin().create_topic(onrush_client::NewTopic::named("orders").partitions(2)).await?;
/// use onrush_client::NewRecord;
/// let producer = client.producer().build().await?;
/// let mut deliveries = Vec::new();
/// for number in 0..1000 {
///     let value = format!("order {number}");
///     let record = NewRecord::to("orders").key(b"customer-7").value(value.as_bytes());
///     deliveries.push(producer.send(record).await?); // waits only while the buffer is full
/// }
/// for delivery in deliveries {
///     delivery.await?; // what one does not want to know of each, flush() waits for
/// }
/// producer.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Producer {
    inner: Arc<Inner>,
}

struct Inner {
    core: Arc<Core>,
    _link: Link,
}

impl Producer {
    /// Takes a record and answers with a future of what becomes of it. Waits while the buffer is
    /// full; a call dropped while waiting has sent nothing.
    ///
    /// # Errors
    /// When the topic does not exist, the record cannot be taken whatever happens, or the transaction
    /// that it is for ends while it waits: it never goes into the next.
    #[inline]
    pub fn send<'a>(&'a self, record: NewRecord<'a>) -> Sending<'a> {
        Sending { producer: self, record, waiting: None, gave_way_in: None }
    }

    /// A record that is not taken makes its transaction fail; one that comes while none is open to
    /// it, such as while another clone commits it, never was part of it.
    async fn send_slowly(
        &self,
        record: &NewRecord<'_>,
        transaction: u64,
        refusal: Refusal,
    ) -> Result<Delivery> {
        if let Refusal::Shut(error) = refusal {
            return Err(error);
        }
        let sent = self.send_when_possible(record, transaction, refusal).await;
        sent.inspect_err(|error| self.inner.core.fail_transaction(transaction, error))
    }

    async fn send_when_possible(
        &self,
        record: &NewRecord<'_>,
        transaction: u64,
        refusal: Refusal,
    ) -> Result<Delivery> {
        let core = &self.inner.core;
        let mut refusal = refusal;
        loop {
            match refusal {
                Refusal::Failed(error) | Refusal::Shut(error) => return Err(error),
                Refusal::Unknown => self.prepare(record.topic).await?,
                Refusal::Full => {
                    let mut room = pin!(core.room.notified());
                    room.as_mut().enable();
                    match core.append(record, transaction) {
                        Err(Refusal::Full) => room.await,
                        Err(other) => {
                            refusal = other;
                            continue;
                        }
                        Ok(delivery) => return Ok(delivery),
                    }
                }
            }
            refusal = match core.append(record, transaction) {
                Ok(delivery) => return Ok(delivery),
                Err(refusal) => refusal,
            };
        }
    }

    /// Takes a record if that is possible at once.
    ///
    /// # Errors
    /// [`TrySend`] says why not.
    #[inline]
    pub fn try_send(&self, record: NewRecord<'_>) -> Result<Delivery, TrySend> {
        match self.inner.core.append_fast(&record) {
            Some(delivery) => Ok(delivery),
            None => self.try_send_slowly(&record),
        }
    }

    #[cold]
    fn try_send_slowly(&self, record: &NewRecord<'_>) -> Result<Delivery, TrySend> {
        let core = &self.inner.core;
        let transaction = core.transaction();
        core.append(record, transaction).map_err(|refusal| match refusal {
            Refusal::Full => TrySend::Full,
            Refusal::Unknown => TrySend::UnknownTopic,
            Refusal::Shut(error) => TrySend::Failed(error),
            Refusal::Failed(error) => {
                core.fail_transaction(transaction, &error);
                TrySend::Failed(error)
            }
        })
    }

    /// Looks a topic up, so that the first record to it need not wait for that.
    ///
    /// # Errors
    /// When the topic does not exist.
    pub async fn prepare(&self, topic: &str) -> Result<()> {
        let info = metadata::topic(&self.inner.core.link, topic).await?;
        self.inner.core.learn(&info)
    }

    /// Waits until every record sent before is delivered or has failed. Does not wait for linger.
    pub async fn flush(&self) {
        self.inner.core.flushed().await;
    }

    /// Flushes, and takes no more records; neither do the producer's clones. A transaction that is
    /// open is aborted.
    pub async fn close(self) {
        self.inner.core.close();
        if let Ok((_, all)) = self.transactional()
            && !matches!(all.phase(), Phase::Ready | Phase::Fenced(_))
            && let Err(error) = self.abort().await
        {
            tracing::debug!(%error, "closed with a transaction open; the broker will abort it");
        }
        self.flush().await;
    }
}

/// See [`Producer::send`].
#[must_use = "nothing is sent before this is awaited"]
pub struct Sending<'a> {
    producer: &'a Producer,
    record: NewRecord<'a>,
    waiting: Option<BoxFuture<'a, Result<Delivery>>>,
    /// Which transaction it was when this let the link's task run first, if it did.
    gave_way_in: Option<u64>,
}

impl<'a> Sending<'a> {
    #[cold]
    fn poll_slowly(&mut self, cx: &mut Context<'_>) -> Poll<Result<Delivery>> {
        let core = &self.producer.inner.core;
        let transaction = self.gave_way_in.unwrap_or_else(|| core.transaction());
        let refusal = match core.append(&self.record, transaction) {
            Ok(delivery) => return Poll::Ready(Ok(delivery)),
            Err(refusal) => refusal,
        };
        let (producer, record) = (self.producer, self.record.clone());
        let waiting = async move { producer.send_slowly(&record, transaction, refusal).await };
        self.waiting.insert(Box::pin(waiting)).as_mut().poll(cx)
    }

    /// Lets the link's task run: a batch is full, and still in cache.
    #[cold]
    fn give_way(&mut self, cx: &Context<'_>) {
        self.gave_way_in = Some(self.producer.inner.core.transaction());
        cx.waker().wake_by_ref();
    }
}

impl Future for Sending<'_> {
    type Output = Result<Delivery>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(waiting) = &mut this.waiting {
            return waiting.as_mut().poll(cx);
        }
        if this.gave_way_in.is_some() {
            return this.poll_slowly(cx);
        }
        if this.producer.inner.core.take_yield() {
            this.give_way(cx);
            return Poll::Pending;
        }
        match this.producer.inner.core.append_fast(&this.record) {
            Some(delivery) => Poll::Ready(Ok(delivery)),
            None => this.poll_slowly(cx),
        }
    }
}

impl fmt::Debug for Sending<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").field("record", &self.record).finish_non_exhaustive()
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("server", &self.inner.core.link.config.connector).finish()
    }
}
