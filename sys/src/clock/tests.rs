use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

struct Noting {
    id: usize,
    order: Arc<Mutex<Vec<usize>>>,
}

impl Wake for Noting {
    fn wake(self: Arc<Self>) {
        self.order.lock().push(self.id);
    }
}

fn poll(sleep: &mut Sleep, waker: &Waker) -> bool {
    sleep.as_mut().poll(&mut Context::from_waker(waker)).is_ready()
}

#[test]
fn sleepers_are_woken_in_the_order_of_their_deadlines() {
    let clock = ManualClock::new(1_000);
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut sleeps = Vec::new();
    for (id, ms) in [30, 10, 20, 10, 50].into_iter().enumerate() {
        let waker = Waker::from(Arc::new(Noting { id, order: order.clone() }));
        let mut sleep = clock.sleep(Duration::from_millis(ms));
        assert!(!poll(&mut sleep, &waker));
        sleeps.push((sleep, waker));
    }
    clock.advance(Duration::from_millis(9));
    assert!(order.lock().is_empty());
    clock.advance(Duration::from_millis(21));
    assert_eq!(*order.lock(), [1, 3, 2, 0]);
    assert_eq!(clock.now_ms(), 1_030);
    assert_eq!(clock.next_deadline(), Some(Duration::from_millis(50)));
    for (index, (sleep, waker)) in sleeps.iter_mut().enumerate() {
        assert_eq!(poll(sleep, waker), index != 4);
    }
}

#[test]
fn a_sleep_counts_from_when_it_was_made_and_none_is_due_at_once() {
    let clock = ManualClock::new(0);
    let mut late = clock.sleep(Duration::from_millis(5));
    let mut none = clock.sleep(Duration::ZERO);
    assert!(poll(&mut none, Waker::noop()));
    clock.advance(Duration::from_millis(5));
    assert!(poll(&mut late, Waker::noop()));
}

#[test]
fn dropping_a_sleep_forgets_it() {
    let clock = ManualClock::new(0);
    let sleep = clock.sleep(Duration::from_secs(1));
    assert!(clock.next_deadline().is_some());
    drop(sleep);
    assert_eq!(clock.next_deadline(), None);
}

#[test]
fn who_is_woken_sees_its_own_deadline_as_the_time() {
    struct Asking(ManualClock, AtomicUsize);
    impl Wake for Asking {
        fn wake(self: Arc<Self>) {
            let now = usize::try_from(self.0.now_ms()).expect("small");
            self.1.store(now, Ordering::Relaxed);
        }
    }
    let clock = ManualClock::new(0);
    let asking = Arc::new(Asking(clock.clone(), AtomicUsize::new(0)));
    let mut sleep = clock.sleep(Duration::from_millis(7));
    assert!(!poll(&mut sleep, &Waker::from(asking.clone())));
    clock.advance(Duration::from_millis(100));
    assert_eq!(asking.1.load(Ordering::Relaxed), 7);
    assert_eq!(clock.now_ms(), 100);
}

#[test]
fn the_wall_clock_may_go_back_and_the_other_may_not() {
    let clock = ManualClock::new(5_000);
    clock.advance(Duration::from_millis(10));
    clock.shift_wall(-1_000);
    assert_eq!(clock.now_ms(), 4_010);
    assert_eq!(clock.monotonic(), Duration::from_millis(10));
}
