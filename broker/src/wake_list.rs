//! Who waits for a log's watermark to pass an offset.

use std::collections::HashMap;
use std::sync::Arc;

use onrush_record::Offset;

use crate::Signal;
use crate::sync::{AtomicUsize, Mutex, Ordering, fence};

/// Signals to fire when a watermark passes an offset: one-shot, one entry a signal.
///
/// A connection that waits for many acks has one entry with the earliest of its offsets, and is
/// told once; so an ack costs nothing here, and a sync costs one entry a waiting connection.
#[derive(Debug, Default)]
pub(crate) struct WakeList {
    /// Lets the writer's side skip the lock while nobody waits.
    len: AtomicUsize,
    /// By the signal's address, which its `Arc` keeps from being reused.
    waiting: Mutex<HashMap<usize, (Offset, Arc<Signal>)>>,
}

impl WakeList {
    /// Fires `signal` once the watermark is at or past `target`; at once if it is already.
    /// True when it has to wait: then it need not ask again until the signal has fired.
    pub(crate) fn register(
        &self,
        target: Offset,
        signal: &Arc<Signal>,
        watermark: impl Fn() -> Offset,
    ) -> bool {
        {
            let passed = watermark();
            let mut waiting = self.waiting.lock();
            let entry = waiting
                .entry(Arc::as_ptr(signal).addr())
                .or_insert_with(|| (target, Arc::clone(signal)));
            // What was registered too late to wait is still here. It must not stand in for this:
            // the next watermark would take it out, and nobody would wait for `target`.
            entry.0 = if entry.0 <= passed { target } else { entry.0.min(target) };
            self.len.store(waiting.len(), Ordering::SeqCst);
        }
        // The writer publishes first and looks here after; we register first and look after: with
        // a fence between, on both sides, one of us sees the other.
        fence(Ordering::SeqCst);
        if watermark() >= target {
            signal.notify();
            return false;
        }
        true
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len.load(Ordering::SeqCst) == 0
    }

    /// Fires those whose offset the watermark has passed.
    pub(crate) fn fire(&self, watermark: Offset) {
        fence(Ordering::SeqCst);
        if self.is_empty() {
            return;
        }
        let mut waiting = self.waiting.lock();
        waiting.retain(|_, (target, signal)| {
            let keep = *target > watermark;
            if !keep {
                signal.notify();
            }
            keep
        });
        self.len.store(waiting.len(), Ordering::SeqCst);
    }

    /// Fires all of them: something has ended their wait.
    pub(crate) fn fire_all(&self) {
        self.fire(Offset::new(u64::MAX));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_signal_waits_for_the_earliest_of_its_offsets() {
        let list = WakeList::default();
        let signal = Signal::new();
        assert!(list.register(Offset::new(9), &signal, || Offset::ZERO));
        assert!(list.register(Offset::new(5), &signal, || Offset::ZERO));
        list.fire(Offset::new(4));
        assert!(!signal.take());
        list.fire(Offset::new(5));
        assert!(signal.take());
        assert!(list.is_empty());
    }

    #[test]
    fn what_is_past_already_fires_at_once() {
        let list = WakeList::default();
        let signal = Signal::new();
        assert!(!list.register(Offset::new(5), &signal, || Offset::new(5)));
        assert!(signal.take());
    }

    #[test]
    fn what_fired_at_once_does_not_stand_in_for_what_comes_after() {
        let list = WakeList::default();
        let signal = Signal::new();
        assert!(!list.register(Offset::new(5), &signal, || Offset::new(5)));
        assert!(signal.take());
        assert!(list.register(Offset::new(9), &signal, || Offset::new(5)));
        list.fire(Offset::new(6));
        assert!(!signal.take(), "9 is not passed");
        list.fire(Offset::new(9));
        assert!(signal.take());
    }

    #[test]
    fn all_can_be_told() {
        let list = WakeList::default();
        let (one, other) = (Signal::new(), Signal::new());
        list.register(Offset::new(5), &one, || Offset::ZERO);
        list.register(Offset::new(6), &other, || Offset::ZERO);
        list.fire_all();
        assert!(one.take() && other.take());
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::sync::Arc as LoomArc;
    use loom::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn loom_who_waits_is_woken_by_the_watermark() {
        loom::model(|| {
            let list = LoomArc::new((WakeList::default(), AtomicU64::new(0)));
            let signal = Signal::new();
            let writer = LoomArc::clone(&list);
            let thread = loom::thread::spawn(move || {
                for end in 1..=2 {
                    writer.1.store(end, Ordering::SeqCst);
                    writer.0.fire(Offset::new(end));
                }
            });
            let watermark = || Offset::new(list.1.load(Ordering::SeqCst));
            while watermark() < Offset::new(2) {
                list.0.register(Offset::new(2), &signal, watermark);
                loom::future::block_on(signal.notified());
            }
            thread.join().unwrap();
        });
    }
}
