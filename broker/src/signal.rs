//! One waiter, woken from any thread, however often it is told.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::sync::{AtomicBool, Mutex, Ordering};

/// A coalescing wake-up: any thread notifies, one task (or thread) waits.
///
/// Notifications that arrive before the waiter looks count as one, so a connection that waits for
/// a thousand acks is woken once. A notification is never lost: one that comes while nobody waits
/// makes the next wait return at once. It says only "look again", never what has happened.
#[derive(Debug)]
pub struct Signal {
    pending: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Signal {
    /// A signal that nobody has notified yet.
    pub fn new() -> Arc<Signal> {
        Arc::new(Signal { pending: AtomicBool::new(false), waker: Mutex::new(None) })
    }

    /// Tells the waiter to look again. Cheap when it has been told already.
    pub fn notify(&self) {
        // Only the first notification since the last look has anybody to wake.
        if !self.pending.swap(true, Ordering::AcqRel) {
            let waker = self.waker.lock().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Waits until notified, and takes the notification.
    ///
    /// Safe to cancel. Of several tasks that wait at once only the last to have been polled is
    /// woken: give each its own signal.
    pub async fn notified(&self) {
        poll_fn(|context| self.poll_notified(context)).await;
    }

    /// The poll behind [`Signal::notified`].
    pub fn poll_notified(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.take() {
            return Poll::Ready(());
        }
        {
            let mut waker = self.waker.lock();
            if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                *waker = Some(context.waker().clone());
            }
        }
        // A notification between the first look and the store has found no waker: look again.
        if self.take() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Takes a notification without waiting; false when there was none.
    pub fn take(&self) -> bool {
        self.pending.swap(false, Ordering::AcqRel)
    }

    /// Blocks this thread until notified or until `timeout` has passed; true when notified.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> bool {
        let waker = Waker::from(Arc::new(ThreadWaker(std::thread::current())));
        let mut context = Context::from_waker(&waker);
        if self.poll_notified(&mut context).is_ready() {
            return true;
        }
        // A spurious return is as good as a notification: the caller looks again either way.
        match timeout {
            Some(timeout) => std::thread::park_timeout(timeout),
            None => std::thread::park(),
        }
        self.take()
    }
}

struct ThreadWaker(std::thread::Thread);

impl std::task::Wake for ThreadWaker {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn notifications_before_the_wait_count_as_one() {
        let signal = Signal::new();
        signal.notify();
        signal.notify();
        assert!(signal.wait(None));
        assert!(!signal.wait(Some(Duration::ZERO)));
    }

    #[test]
    fn a_waiting_thread_is_woken() {
        let signal = Signal::new();
        let notifier = Arc::clone(&signal);
        let thread = onrush_sys::thread::spawn("notifier", move || notifier.notify()).unwrap();
        while !signal.wait(None) {}
        thread.join().unwrap();
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;

    #[test]
    fn loom_no_notification_is_lost() {
        loom::model(|| {
            let signal = Signal::new();
            let notifier = Arc::clone(&signal);
            let thread = loom::thread::spawn(move || notifier.notify());
            loom::future::block_on(signal.notified());
            thread.join().unwrap();
        });
    }

    #[test]
    fn loom_two_notifiers_wake_one_waiter() {
        loom::model(|| {
            let signal = Signal::new();
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    let notifier = Arc::clone(&signal);
                    loom::thread::spawn(move || notifier.notify())
                })
                .collect();
            loom::future::block_on(signal.notified());
            for thread in threads {
                thread.join().unwrap();
            }
        });
    }
}
