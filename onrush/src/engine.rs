//! The threads of a broker, and what they can be told.

use std::io;
use std::net::TcpListener as StdListener;
use std::time::Duration;

use onrush_broker::{Background, Broker};
use onrush_gateway_kafka::Kafka;
use onrush_gateway_native::Native;
use onrush_gateway_net::{self as net, Service, Shard, ShardHandle};
use onrush_sys::thread;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::{mpsc, oneshot, watch};

use crate::config::Threads;
use crate::error::{Error, Result};

/// How long connections may take to finish when the broker stops.
const QUIESCE_MAX: Duration = Duration::from_secs(5);

/// Rounds of the event loop after which nothing is taken to go on by itself any more: the longest
/// chain of tasks that wake each other is far shorter.
const SETTLE_ROUNDS: usize = 64;

/// What the first thread does besides serving connections.
pub(crate) enum Command {
    /// Accept connections of the native protocol.
    Listen(StdListener),
    /// Accept connections of the Kafka protocol.
    ListenKafka(StdListener, Kafka),
    /// Serve metrics and health.
    ListenHttp(StdListener),
    /// Answer once everything that can go on without time passing has.
    Settle(oneshot::Sender<()>),
    /// Finish, make everything durable, and end.
    Stop(oneshot::Sender<onrush_broker::Result<()>>),
    /// End at once, with nothing finished. For a broker that is all on one thread.
    Abandon,
}

/// The threads of one broker.
#[derive(Debug)]
pub(crate) struct Engine {
    commands: mpsc::Sender<Command>,
    pub(crate) shards: Vec<ShardHandle>,
    /// Closed once all threads have ended.
    ended: mpsc::Receiver<()>,
}

/// What the first thread runs.
struct First {
    broker: Broker,
    shards: Vec<ShardHandle>,
    native: Native,
    commands: mpsc::Receiver<Command>,
    /// The broker's own work, when there is no other thread for it.
    background: Option<Background>,
}

impl Engine {
    /// Starts the threads.
    pub(crate) fn start(
        broker: &Broker,
        background: Background,
        threads: Threads,
        receive_buffer_bytes: usize,
        native: &Native,
    ) -> Result<Engine> {
        let (ending, ended) = mpsc::channel(1);
        let (background, count) = match threads {
            Threads::One => (Some(background), 1),
            Threads::Shards(count) => {
                let (sync, io) = background.split();
                spawn("onrush-sync", &ending, move || sync.run_blocking())?;
                spawn("onrush-io", &ending, move || io.run_blocking())?;
                (None, count.max(1))
            }
        };
        let (handles, shards): (Vec<_>, Vec<_>) =
            (0..count).map(|_| net::shard(broker, receive_buffer_bytes)).unzip();
        let (commands, received) = mpsc::channel(16);
        let mut first = Some(First {
            broker: broker.clone(),
            shards: handles.clone(),
            native: native.clone(),
            commands: received,
            background,
        });
        for (number, shard) in shards.into_iter().enumerate() {
            let name = if count == 1 { "onrush".to_owned() } else { format!("onrush-{number}") };
            let runtime = runtime_builder();
            let first = first.take();
            spawn(&name, &ending, move || run_shard(runtime, shard, first))?;
        }
        Ok(Engine { commands, shards: handles, ended })
    }

    /// Tells the first thread something.
    pub(crate) fn tell(&self, command: Command) -> Result<()> {
        self.commands.try_send(command).map_err(|_| Error::Stopped)
    }

    /// Waits until all threads have ended.
    pub(crate) async fn ended(&mut self) {
        // Nothing is ever sent: this ends when the last thread has let go of its sender.
        let _ = self.ended.recv().await;
    }
}

fn spawn(
    name: &str,
    ending: &mpsc::Sender<()>,
    body: impl FnOnce() + Send + 'static,
) -> Result<()> {
    let ending = ending.clone();
    thread::spawn(name, move || {
        body();
        drop(ending);
    })
    .map(drop)
    .map_err(|error| Error::io("start thread", name, error))
}

fn runtime_builder() -> Builder {
    let mut builder = Builder::new_current_thread();
    builder.enable_io().enable_time();
    builder
}

fn run_shard(mut builder: Builder, shard: Shard, first: Option<First>) {
    let runtime: LocalRuntime = match builder.build_local(LocalOptions::default()) {
        Ok(runtime) => runtime,
        Err(error) => return tracing::error!(%error, "cannot start the event loop of a shard"),
    };
    match first {
        Some(first) => runtime.block_on(async {
            tokio::task::spawn_local(shard.run());
            first.run().await;
        }),
        None => runtime.block_on(shard.run()),
    }
    // Dropping the runtime drops what connections are left.
}

impl First {
    async fn run(mut self) {
        let mut loops = Vec::new();
        if let Some(background) = self.background.take() {
            let (sync, io) = background.split();
            loops.push(tokio::task::spawn_local(sync.run_local()));
            loops.push(tokio::task::spawn_local(io.run_local()));
        }
        let (stopping, stop) = watch::channel(false);
        let mut listeners = Vec::new();
        while let Some(command) = self.commands.recv().await {
            match command {
                Command::Listen(listener) => {
                    let accept = accept(listener, self.shards.clone(), self.native.clone());
                    listeners.push(tokio::task::spawn_local(accept));
                }
                Command::ListenKafka(listener, kafka) => {
                    let accept = accept(listener, self.shards.clone(), kafka);
                    listeners.push(tokio::task::spawn_local(accept));
                }
                Command::ListenHttp(listener) => {
                    let serve = serve_http(listener, self.broker.clone(), stop.clone());
                    tokio::task::spawn_local(serve);
                }
                Command::Settle(done) => {
                    tokio::task::spawn_local(async move {
                        for _ in 0..SETTLE_ROUNDS {
                            tokio::task::yield_now().await;
                        }
                        let _ = done.send(());
                    });
                }
                Command::Stop(done) => {
                    listeners.iter().for_each(tokio::task::JoinHandle::abort);
                    self.quiesce().await;
                    let stopped = self.broker.stop().await;
                    let _ = stopping.send(true);
                    for shard in &self.shards {
                        shard.end().await;
                    }
                    for own in loops {
                        let _ = own.await;
                    }
                    let _ = done.send(stopped);
                    return;
                }
                Command::Abandon => return,
            }
        }
    }

    /// Lets connections finish what they have begun, within reason.
    async fn quiesce(&self) {
        let all = async {
            for shard in &self.shards {
                shard.quiesce().await;
            }
        };
        if tokio::time::timeout(QUIESCE_MAX, all).await.is_err() {
            tracing::warn!("some connections did not finish in time; closing them");
        }
    }
}

async fn accept<S: Service>(listener: StdListener, shards: Vec<ShardHandle>, service: S) {
    match TcpListener::from_std(listener) {
        Ok(listener) => net::accept(listener, shards, service).await,
        Err(error) => tracing::error!(%error, "cannot listen"),
    }
}

async fn serve_http(listener: StdListener, broker: Broker, mut stop: watch::Receiver<bool>) {
    let stopped = async move {
        let _ = stop.wait_for(|stopped| *stopped).await;
    };
    let served: io::Result<()> = match TcpListener::from_std(listener) {
        Ok(listener) => onrush_gateway_http::serve(listener, broker, stopped).await,
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        tracing::error!(%error, "metrics and health are no longer served");
    }
}
