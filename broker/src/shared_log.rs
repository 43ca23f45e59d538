//! One log that producers, readers and the broker's own threads share.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use onrush_record::Offset;
use onrush_storage::{Ends, LogReader, LogWriter};
use parking_lot::{Mutex, MutexGuard};

use crate::producer::ProducerTable;
use crate::sync_queue::Queued;
use crate::wake_list::WakeList;
use crate::{DurableMark, Error, Settled, Signal};

/// Which log it is, for people: a topic's name and a partition's number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogName {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: u32,
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

/// What changes with every append.
#[derive(Debug)]
pub(crate) struct LogState {
    pub(crate) writer: LogWriter,
    pub(crate) producers: ProducerTable,
    /// Bytes appended since the last flush began; they count against the budget.
    pub(crate) unsynced: u64,
}

impl Queued for SharedLog {
    fn queued(&self) -> &crate::sync::AtomicBool {
        &self.dirty
    }
}

/// A log's writer under its lock, its reader beside it, and who waits for it.
#[derive(Debug)]
pub(crate) struct SharedLog {
    pub(crate) name: LogName,
    pub(crate) reader: LogReader,
    state: Mutex<LogState>,
    pub(crate) durable: WakeList,
    pub(crate) readable: WakeList,
    /// Who waits for the last stable offset.
    pub(crate) stable: WakeList,
    /// Where the earliest transaction begins whose end is not durable; the largest number: none.
    unstable: AtomicU64,
    /// No aborted transaction reaches this offset; 0: there is none.
    aborted_below: AtomicU64,
    /// It stands in the sync loop's queue.
    pub(crate) dirty: crate::sync::AtomicBool,
    /// It stands in the list of logs to checkpoint.
    pub(crate) changed: AtomicBool,
    /// Its topic is gone: no more work on it.
    deleted: AtomicBool,
    /// Even while it is sound, odd from a failed sync until it was opened anew.
    incarnation: AtomicU32,
}

impl SharedLog {
    pub(crate) fn new(
        name: LogName,
        writer: LogWriter,
        reader: LogReader,
        producers: ProducerTable,
    ) -> Arc<SharedLog> {
        let unstable = AtomicU64::new(unstable_from(&producers));
        let aborted_below = AtomicU64::new(producers.aborted_below().get());
        Arc::new(SharedLog {
            name,
            reader,
            state: Mutex::new(LogState { writer, producers, unsynced: 0 }),
            durable: WakeList::default(),
            readable: WakeList::default(),
            stable: WakeList::default(),
            unstable,
            aborted_below,
            dirty: crate::sync::AtomicBool::new(false),
            changed: AtomicBool::new(false),
            deleted: AtomicBool::new(false),
            incarnation: AtomicU32::new(0),
        })
    }

    /// Held for as long as an append takes, never over a wait.
    pub(crate) fn lock(&self) -> MutexGuard<'_, LogState> {
        self.state.lock()
    }

    pub(crate) fn ends(&self) -> Ends {
        self.reader.ends()
    }

    /// What readers that want only what is decided see up to: the beginning of the earliest
    /// transaction that is not, else the readable end.
    pub(crate) fn last_stable(&self) -> Offset {
        // In this order: a transaction is told here before its first record can be readable.
        let ends = self.ends();
        let unstable = Offset::new(self.unstable.load(Ordering::SeqCst));
        ends.readable.min(unstable).max(ends.start)
    }

    /// Tells readers which transactions the table knows. Call it under the lock that the table was
    /// changed under: before a batch that begins one is written, after a marker was.
    pub(crate) fn tell_unstable(&self, producers: &ProducerTable) {
        self.aborted_below.store(producers.aborted_below().get(), Ordering::SeqCst);
        self.unstable.store(unstable_from(producers), Ordering::SeqCst);
    }

    /// Whether an aborted transaction may have records at `from` or later, without a lock.
    pub(crate) fn may_hold_aborted(&self, from: Offset) -> bool {
        from.get() < self.aborted_below.load(Ordering::SeqCst)
    }

    /// Does anybody wait for something to read?
    pub(crate) fn has_readers(&self) -> bool {
        !self.readable.is_empty() || !self.stable.is_empty()
    }

    pub(crate) fn incarnation(&self) -> u32 {
        self.incarnation.load(Ordering::SeqCst)
    }

    pub(crate) fn mark(&self, upto: Offset) -> DurableMark {
        DurableMark { upto, incarnation: self.incarnation() }
    }

    /// What to wait for before an answer that was judged by all that is written, if anything.
    pub(crate) fn mark_if_undurable(&self, written: Offset) -> Option<DurableMark> {
        (self.ends().durable < written).then(|| self.mark(written))
    }

    pub(crate) fn settled(&self, mark: DurableMark) -> Settled {
        // The end is read first: while the incarnation is still the mark's, or that of its failure
        // (during which the durable end stands still), the end that was read is of the same life.
        let durable = self.ends().durable;
        let incarnation = self.incarnation();
        if incarnation.wrapping_sub(mark.incarnation) <= 1 && durable >= mark.upto {
            return Settled::Durable;
        }
        if incarnation == mark.incarnation && !self.is_deleted() {
            return Settled::Pending;
        }
        Settled::Failed(self.unknown())
    }

    fn unknown(&self) -> Error {
        let reason = if self.is_deleted() {
            format!("the topic of {} was deleted before the records were durable", self.name)
        } else {
            format!("the disk failed to make what was written to {} durable", self.name)
        };
        Error::Unknown { reason }
    }

    /// True when it has to wait.
    pub(crate) fn wake_on_durable(&self, upto: Offset, signal: &Arc<Signal>) -> bool {
        let wait = self.durable.register(upto, signal, || self.ends().durable);
        self.unless_over(wait, signal)
    }

    /// True when it has to wait.
    pub(crate) fn wake_on_readable(&self, from: Offset, signal: &Arc<Signal>) -> bool {
        let wait = self.readable.register(from.plus(1), signal, || self.ends().readable);
        self.unless_over(wait, signal)
    }

    /// True when it has to wait.
    pub(crate) fn wake_on_stable(&self, from: Offset, signal: &Arc<Signal>) -> bool {
        let wait = self.stable.register(from.plus(1), signal, || self.last_stable());
        self.unless_over(wait, signal)
    }

    /// A log that is poisoned or gone wakes its waiters at once, whenever they come.
    fn unless_over(&self, wait: bool, signal: &Arc<Signal>) -> bool {
        if wait && (self.is_deleted() || self.is_failed()) {
            signal.notify();
            return false;
        }
        wait
    }

    /// Tells who waits how far it has come. Call it without the lock.
    pub(crate) fn fire(&self) {
        let ends = self.ends();
        self.durable.fire(ends.durable);
        self.readable.fire(ends.readable);
        self.fire_stable();
    }

    /// Tells who waits for what is decided.
    pub(crate) fn fire_stable(&self) {
        if !self.stable.is_empty() {
            self.stable.fire(self.last_stable());
        }
    }

    pub(crate) fn is_failed(&self) -> bool {
        self.incarnation() % 2 == 1
    }

    /// A sync has failed: who waits learns that nobody can tell.
    pub(crate) fn fail(&self) {
        if !self.is_failed() {
            self.incarnation.fetch_add(1, Ordering::SeqCst);
        }
        self.wake_all();
    }

    /// It was opened anew after a failure. Under its lock: what is written from then on belongs to the
    /// new life, and would be told as unknown if its mark still had the failure's incarnation. Then
    /// [`SharedLog::wake_all`].
    pub(crate) fn revive(&self) {
        if self.is_failed() {
            self.incarnation.fetch_add(1, Ordering::SeqCst);
        }
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::SeqCst)
    }

    /// Its topic is gone.
    pub(crate) fn delete(&self) {
        self.deleted.store(true, Ordering::SeqCst);
        self.wake_all();
    }

    /// Whoever waits for anything looks again.
    pub(crate) fn wake_all(&self) {
        self.durable.fire_all();
        self.readable.fire_all();
        self.stable.fire_all();
    }
}

fn unstable_from(producers: &ProducerTable) -> u64 {
    producers.first_unstable().map_or(u64::MAX, Offset::get)
}
