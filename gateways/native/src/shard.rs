//! A shard: one thread, one event loop, and the connections that live there.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;

use onrush_broker::{Broker, Signal};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use crate::in_process::{self, InProcess};
use crate::options::Options;
use crate::turn::{Turn, end_turns};
use crate::{connection, pipe};

/// Connections handed over that a shard has not taken up yet.
const HANDED_OVER_MAX: usize = 1024;

/// Where clients reach the broker, once it listens.
#[derive(Clone, Debug, Default)]
pub struct Address(Arc<Mutex<Option<(String, u16)>>>);

impl Address {
    /// Sets it, unless it is set already.
    pub fn set(&self, host: &str, port: u16) {
        self.0.lock().get_or_insert_with(|| (host.to_owned(), port));
    }

    /// It, if the broker listens.
    pub fn get(&self) -> Option<(String, u16)> {
        self.0.lock().clone()
    }
}

enum Job {
    Socket(TcpStream),
    InProcess(in_process::ServerEnd),
    Quiesce(oneshot::Sender<()>),
    End,
}

/// Reaches a shard from any thread.
#[derive(Clone, Debug)]
pub struct ShardHandle {
    jobs: mpsc::Sender<Job>,
}

impl ShardHandle {
    /// Hands a connection over; gives it back when the shard has too many waiting or is gone.
    pub(crate) fn take_socket(&self, socket: TcpStream) -> Result<(), TcpStream> {
        self.jobs.try_send(Job::Socket(socket)).map_err(|error| match error.into_inner() {
            Job::Socket(socket) => socket,
            Job::InProcess(_) | Job::Quiesce(_) | Job::End => unreachable!("a socket was sent"),
        })
    }

    /// Opens a connection that needs no socket; nothing when the shard is gone for good.
    pub fn connect(&self) -> Option<InProcess> {
        if self.jobs.is_closed() {
            return None;
        }
        let (requests, from_client) = pipe::pipe();
        let (to_client, responses) = pipe::pipe();
        let end = in_process::ServerEnd { requests: from_client, responses: to_client };
        // When it cannot be taken the far end is dropped: a connection closed at once, which the
        // client opens anew.
        let _ = self.jobs.try_send(Job::InProcess(end));
        Some(InProcess { requests, responses })
    }

    /// Lets all connections finish what they have begun, takes nothing new from them, and closes
    /// them. Returns when they are gone.
    pub async fn quiesce(&self) {
        let (done, finished) = oneshot::channel();
        if self.jobs.send(Job::Quiesce(done)).await.is_ok() {
            let _ = finished.await;
        }
    }
}

impl ShardHandle {
    /// Ends the shard at once; what connections it still has are closed.
    pub async fn end(&self) {
        let _ = self.jobs.send(Job::End).await;
    }
}

/// A shard before it runs; can be sent to the thread it will live on.
#[derive(Debug)]
pub struct Shard {
    broker: Broker,
    options: Options,
    address: Address,
    jobs: mpsc::Receiver<Job>,
}

/// Makes a shard and the handle to reach it.
pub fn shard(broker: &Broker, options: &Options, address: &Address) -> (ShardHandle, Shard) {
    let (sender, jobs) = mpsc::channel(HANDED_OVER_MAX);
    let shard =
        Shard { broker: broker.clone(), options: options.clone(), address: address.clone(), jobs };
    (ShardHandle { jobs: sender }, shard)
}

/// What all connections of a shard share.
pub(crate) struct Shared {
    pub(crate) broker: Broker,
    pub(crate) options: Options,
    pub(crate) turn: RefCell<Turn>,
    address: Address,
    quiescing: Cell<bool>,
    /// The signals of all connections, to wake them when the shard stops.
    connections: RefCell<HashMap<u64, Arc<Signal>>>,
    next_connection: Cell<u64>,
    /// Told when the last connection of a stopping shard is gone.
    finished: RefCell<Vec<oneshot::Sender<()>>>,
    open: onrush_broker::Gauge,
}

impl Shared {
    pub(crate) fn address(&self) -> Option<(String, u16)> {
        self.address.get()
    }

    pub(crate) fn is_quiescing(&self) -> bool {
        self.quiescing.get()
    }

    /// Counts a connection until the guard is dropped.
    pub(crate) fn enter(self: &Rc<Self>, signal: &Arc<Signal>) -> Entered {
        let number = self.next_connection.get();
        self.next_connection.set(number + 1);
        self.connections.borrow_mut().insert(number, Arc::clone(signal));
        self.open.inc();
        Entered { shared: Rc::clone(self), number }
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
pub(crate) struct Entered {
    shared: Rc<Shared>,
    number: u64,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.shared.connections.borrow_mut().remove(&self.number);
        self.shared.open.dec();
        self.shared.settle();
    }
}

impl Shard {
    /// Serves connections until told to end, or every handle is gone. Runs where `spawn_local` works: within a
    /// `LocalRuntime` or a `LocalSet`.
    pub async fn run(mut self) {
        let shared = Rc::new(Shared {
            turn: RefCell::new(Turn::new(self.options.receive_buffer_bytes)),
            open: self.broker.metrics().connections("native"),
            broker: self.broker,
            options: self.options,
            address: self.address,
            quiescing: Cell::new(false),
            connections: RefCell::default(),
            next_connection: Cell::new(0),
            finished: RefCell::default(),
        });
        let turns = Rc::clone(&shared);
        let _turns = AbortOnDrop(tokio::task::spawn_local(async move { end_turns(&turns).await }));
        while let Some(job) = self.jobs.recv().await {
            match job {
                Job::Socket(_) | Job::InProcess(_) if shared.is_quiescing() => {}
                Job::Socket(socket) => connection::start(&shared, socket),
                Job::InProcess(end) => in_process::start(&shared, end),
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
