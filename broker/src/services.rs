//! What every part of one broker shares.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use onrush_record::LeaderEpoch;
use onrush_sys::{Clock, Random};

use crate::budget::Budget;
use crate::io_queue::IoQueue;
use crate::metrics::Metrics;
use crate::quota::Quotas;
use crate::shared_log::SharedLog;
use crate::space::Space;
use crate::sync_queue::SyncQueue;
use crate::transaction::TransactionCoordinator;
use crate::{BrokerConfig, Error};

/// The broker's shared means: created once by `open`, never replaced.
pub(crate) struct Services {
    pub(crate) config: BrokerConfig,
    pub(crate) storage: onrush_storage::Env,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) epoch: LeaderEpoch,
    pub(crate) budget: Arc<Budget>,
    pub(crate) metrics: Metrics,
    pub(crate) sync: SyncQueue<SharedLog>,
    pub(crate) io: IoQueue,
    pub(crate) space: Space,
    pub(crate) quotas: Quotas,
    /// Who says what is part of a transaction. It holds these services itself.
    pub(crate) transactions: OnceLock<Weak<TransactionCoordinator>>,
    /// Something has become due earlier than the I/O loop knows.
    tick_wanted: AtomicBool,
    /// Producers are refused: the broker is about to stop.
    stopping: AtomicBool,
    /// The broker's loops end.
    closed: AtomicBool,
}

impl Services {
    pub(crate) fn new(
        config: BrokerConfig,
        storage: onrush_storage::Env,
        random: Arc<dyn Random>,
        epoch: LeaderEpoch,
    ) -> Services {
        Services {
            clock: Arc::clone(&storage.clock),
            random,
            epoch,
            budget: Budget::new(config.memory_budget_bytes, config.unsynced_max_bytes),
            metrics: Metrics::new(),
            sync: SyncQueue::new(config.sync_bytes),
            io: IoQueue::default(),
            space: Space::new(Arc::clone(&storage.disk), &config),
            quotas: Quotas::default(),
            transactions: OnceLock::new(),
            tick_wanted: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            storage,
            config,
        }
    }

    /// Why a producer is refused now, if it is.
    pub(crate) fn refuses_produce(&self) -> Option<Error> {
        if self.stopping.load(Ordering::SeqCst) {
            return Some(Error::ShuttingDown);
        }
        self.space.is_full().then(|| self.space.error())
    }

    pub(crate) fn transactions(&self) -> Result<Arc<TransactionCoordinator>, Error> {
        self.transactions.get().and_then(Weak::upgrade).ok_or(Error::ShuttingDown)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(crate) fn begin_stopping(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Makes the I/O loop look what is due.
    pub(crate) fn want_tick(&self) {
        if !self.tick_wanted.swap(true, Ordering::SeqCst) {
            self.io.signal.notify();
        }
    }

    pub(crate) fn take_tick_wanted(&self) -> bool {
        self.tick_wanted.swap(false, Ordering::SeqCst)
    }

    /// Ends the loops.
    pub(crate) fn close(&self) {
        self.begin_stopping();
        self.closed.store(true, Ordering::SeqCst);
        self.sync.signal.notify();
        self.io.signal.notify();
    }
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}
