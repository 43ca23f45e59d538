//! A shard: one thread, one event loop, and the connections that live there.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use onrush_broker::{Broker, Gauge, RequestMeter, Signal};
use tokio::sync::{mpsc, oneshot};

use crate::turn::{Turn, end_turns};

/// Connections handed over that a shard has not taken up yet.
const HANDED_OVER_MAX: usize = 1024;

/// Begins a connection, once it is on its shard.
type Begin = Box<dyn FnOnce(&Rc<Shared>) + Send>;

enum Job {
    Begin(Begin),
    Quiesce(oneshot::Sender<()>),
    End,
}

/// Reaches a shard from any thread.
#[derive(Clone)]
pub struct ShardHandle {
    jobs: mpsc::Sender<Job>,
}

impl fmt::Debug for ShardHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShardHandle").field("closed", &self.is_closed()).finish_non_exhaustive()
    }
}

impl ShardHandle {
    /// Has a connection begun on the shard; false when it has too many waiting or is gone, and what
    /// `begin` owns is dropped.
    pub fn begin(&self, begin: impl FnOnce(&Rc<Shared>) + Send + 'static) -> bool {
        self.jobs.try_send(Job::Begin(Box::new(begin))).is_ok()
    }

    /// Whether the shard is gone for good.
    pub fn is_closed(&self) -> bool {
        self.jobs.is_closed()
    }

    /// Lets all connections finish what they have begun, takes nothing new from them, and closes
    /// them. Returns when they are gone.
    pub async fn quiesce(&self) {
        let (done, finished) = oneshot::channel();
        if self.jobs.send(Job::Quiesce(done)).await.is_ok() {
            let _ = finished.await;
        }
    }

    /// Ends the shard at once; what connections it still has are closed.
    pub async fn end(&self) {
        let _ = self.jobs.send(Job::End).await;
    }
}

/// A shard before it runs; can be sent to the thread it will live on.
pub struct Shard {
    broker: Broker,
    receive_buffer_bytes: usize,
    jobs: mpsc::Receiver<Job>,
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = &self.receive_buffer_bytes;
        f.debug_struct("Shard").field("receive_buffer_bytes", bytes).finish_non_exhaustive()
    }
}

/// Makes a shard and the handle to reach it. One read fills at most `receive_buffer_bytes`, so that
/// it also bounds what one connection does before the next has its turn.
pub fn shard(broker: &Broker, receive_buffer_bytes: usize) -> (ShardHandle, Shard) {
    let (sender, jobs) = mpsc::channel(HANDED_OVER_MAX);
    (ShardHandle { jobs: sender }, Shard { broker: broker.clone(), receive_buffer_bytes, jobs })
}

/// What all connections of a shard share.
pub struct Shared {
    /// Whom they serve.
    pub broker: Broker,
    /// What they gather to append together.
    pub turn: RefCell<Turn>,
    quiescing: Cell<bool>,
    /// The signals of all connections, to wake them when the shard stops.
    connections: RefCell<HashMap<u64, Arc<Signal>>>,
    next_connection: Cell<u64>,
    /// What this shard counts of each gateway's requests.
    meters: RefCell<Vec<(&'static str, Arc<RequestMeter>)>>,
    /// Told when the last connection of a stopping shard is gone.
    finished: RefCell<Vec<oneshot::Sender<()>>>,
}

impl Shared {
    /// Whether the broker stops.
    pub fn is_quiescing(&self) -> bool {
        self.quiescing.get()
    }

    /// What this shard counts of a gateway's requests, whose kinds have these names.
    pub fn meter<K: IntoIterator<Item = &'static str>>(
        &self,
        gateway: &'static str,
        kinds: impl FnOnce() -> K,
    ) -> Arc<RequestMeter> {
        let mut meters = self.meters.borrow_mut();
        if let Some((_, meter)) = meters.iter().find(|(name, _)| *name == gateway) {
            return Arc::clone(meter);
        }
        let meter = self.broker.metrics().request_meter(gateway, kinds());
        meters.push((gateway, Arc::clone(&meter)));
        meter
    }

    /// Counts a connection, also in `open`, until the guard is dropped.
    pub fn enter(self: &Rc<Self>, signal: &Arc<Signal>, open: &Gauge) -> Entered {
        let number = self.next_connection.get();
        self.next_connection.set(number + 1);
        self.connections.borrow_mut().insert(number, Arc::clone(signal));
        open.inc();
        Entered { shared: Rc::clone(self), number, open: open.clone() }
    }

    fn quiesce(&self, done: oneshot::Sender<()>) {
        self.quiescing.set(true);
        self.finished.borrow_mut().push(done);
        self.connections.borrow().values().for_each(|signal| signal.notify());
        self.settle();
    }

    fn settle(&self) {
        if self.quiescing.get() && self.connections.borrow().is_empty() {
            for done in self.finished.borrow_mut().drain(..) {
                let _ = done.send(());
            }
        }
    }
}

/// A connection being there.
#[must_use]
pub struct Entered {
    shared: Rc<Shared>,
    number: u64,
    open: Gauge,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.shared.connections.borrow_mut().remove(&self.number);
        self.open.dec();
        self.shared.settle();
    }
}

impl Shard {
    /// Serves connections until told to end, or every handle is gone. Runs where `spawn_local`
    /// works: within a `LocalRuntime` or a `LocalSet`.
    pub async fn run(mut self) {
        let shared = Rc::new(Shared {
            turn: RefCell::new(Turn::new(self.receive_buffer_bytes)),
            broker: self.broker,
            quiescing: Cell::new(false),
            connections: RefCell::default(),
            next_connection: Cell::new(0),
            meters: RefCell::default(),
            finished: RefCell::default(),
        });
        let turns = Rc::clone(&shared);
        let _turns = AbortOnDrop(tokio::task::spawn_local(async move { end_turns(&turns).await }));
        while let Some(job) = self.jobs.recv().await {
            match job {
                Job::Begin(_) if shared.is_quiescing() => {}
                Job::Begin(begin) => begin(&shared),
                Job::Quiesce(done) => shared.quiesce(done),
                Job::End => return,
            }
        }
    }
}

/// A task that lives no longer than this.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
