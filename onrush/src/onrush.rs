//! A broker with its threads, and the clients that live beside it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use onrush_broker::Broker;
use onrush_client::{Admin, Client, ConsumerBuilder, ProducerBuilder};
use onrush_gateway_kafka::{Kafka, Options as KafkaOptions};
use onrush_gateway_native::{Address, Native};
use onrush_sys::{Clock, Disk, SystemRandom, TempDir, create_root, open_disk};
use tokio::sync::oneshot;

use crate::config::{ClockChoice, Config, Storage, Threads};
use crate::connector::InProcessConnector;
use crate::engine::{Command, Engine};
use crate::ephemeral::Ephemeral;
use crate::error::{Error, Result};
use crate::listen;
use crate::listen::KafkaListener;

/// A running broker.
///
/// It has nothing to do with the runtime it is opened from, if any: it brings its own thread.
/// Dropping it ends the broker without waiting for it: an ephemeral one's files are gone at once,
/// any other finishes in the background. [`Onrush::stop`] waits, and says how it went.
#[derive(Debug)]
pub struct Onrush {
    pub(crate) broker: Broker,
    pub(crate) engine: Engine,
    pub(crate) clock: ClockChoice,
    client: Client,
    address: Address,
    kafka: Arc<KafkaOptions>,
    ephemeral: Option<Arc<Ephemeral>>,
    threads: Threads,
    insecure_listen: bool,
    stopped: bool,
}

impl Onrush {
    /// Opens a broker. Returns once it takes work; works within and without a tokio runtime.
    ///
    /// # Errors
    /// A data directory that is missing, in use, damaged or of a newer format; a machine that
    /// gives no thread.
    pub fn open(mut config: Config) -> Result<Self> {
        let clock = config.make_clock();
        let (disk, ephemeral) = open_storage(&mut config)?;
        let env =
            onrush_broker::Env { disk, clock: Arc::clone(&clock), random: Arc::new(SystemRandom) };
        let (broker, background, report) = Broker::open(config.broker.clone(), env)?;
        tracing::debug!(?report, "opened");
        let address = Address::default();
        let receive_buffer_bytes = config.gateway.receive_buffer_bytes;
        let native = Native::new(&broker, config.gateway, &address);
        let engine =
            Engine::start(&broker, background, config.threads, receive_buffer_bytes, &native)?;
        let client = in_process_client(&engine, native, clock)?;
        Ok(Self {
            broker,
            engine,
            clock: config.clock,
            client,
            address,
            kafka: Arc::new(config.kafka),
            ephemeral,
            threads: config.threads,
            insecure_listen: config.insecure_listen,
            stopped: false,
        })
    }

    /// A client without a socket, each time a new one: its clones share a connection, which is
    /// served by the runtime that uses it first. Everything made from it ends when the broker does.
    pub fn client(&self) -> Client {
        self.client.anew()
    }

    /// Begins a producer without a socket.
    pub fn producer(&self) -> ProducerBuilder {
        self.client().producer()
    }

    /// Begins a consumer without a socket. Its record batches are read where they lie in the log.
    pub fn consumer(&self) -> ConsumerBuilder {
        self.client().consumer()
    }

    /// Creates, describes, alters and deletes, without a socket.
    pub fn admin(&self) -> Admin {
        self.client().admin()
    }

    /// Lets native clients connect to `address` (`host:port`; port 0: any free one); answers with what
    /// it became. May be called for several.
    ///
    /// # Errors
    /// [`Error::Listen`], or [`Error::NotLoopback`] for an address that other machines can reach,
    /// unless the configuration allows it.
    pub fn listen(&self, address: &str) -> Result<SocketAddr> {
        let listener = listen::bind(address, self.insecure_listen)?;
        let bound = local_address(&listener)?;
        self.address.set(&bound.ip().to_string(), bound.port());
        self.engine.tell(Command::Listen(listener))?;
        Ok(bound)
    }

    /// Lets Kafka clients connect to `address`, and tells them to connect to what they have connected
    /// to already. May be called for several.
    ///
    /// # Errors
    /// As [`Onrush::listen`].
    pub fn listen_kafka(&self, address: &str) -> Result<SocketAddr> {
        self.listen_kafka_at(KafkaListener::at(address))
    }

    /// The same, with a name, or for clients that reach it by another address.
    ///
    /// # Errors
    /// As [`Onrush::listen`].
    pub fn listen_kafka_at(&self, at: KafkaListener) -> Result<SocketAddr> {
        let listener = listen::bind(&at.address, self.insecure_listen)?;
        let bound = local_address(&listener)?;
        let mut kafka = Kafka::new(&self.broker, Arc::clone(&self.kafka), &at.name);
        if let Some((host, port)) = &at.advertised {
            kafka = kafka.advertise(host, if *port == 0 { bound.port() } else { *port });
        }
        self.engine.tell(Command::ListenKafka(listener, kafka))?;
        Ok(bound)
    }

    /// Serves `/metrics`, `/healthz` and `/readyz` at `address`.
    ///
    /// # Errors
    /// As [`Onrush::listen`].
    pub fn listen_http(&self, address: &str) -> Result<SocketAddr> {
        let listener = listen::bind(address, self.insecure_listen)?;
        let bound = local_address(&listener)?;
        self.engine.tell(Command::ListenHttp(listener))?;
        Ok(bound)
    }

    /// Lets connections finish what they have begun, makes everything durable, and ends. The data
    /// directory may be opened again afterwards, and nothing has to be recovered then.
    ///
    /// # Errors
    /// When something could not be made durable.
    pub async fn stop(mut self) -> Result<()> {
        let (done, stopped) = oneshot::channel();
        self.engine.tell(Command::Stop(done))?;
        let result = stopped.await.map_err(|_| Error::Stopped)?;
        self.engine.ended().await;
        self.stopped = true;
        Ok(result?)
    }
}

impl Drop for Onrush {
    fn drop(&mut self) {
        if let Some(ephemeral) = &self.ephemeral {
            ephemeral.remove();
        }
        if self.stopped {
            return;
        }
        // Nobody waits for the answer, and a thread that is gone needs no telling.
        let _ = match (&self.ephemeral, self.threads) {
            (Some(_), Threads::One) => self.engine.tell(Command::Abandon),
            _ => self.engine.tell(Command::Stop(oneshot::channel().0)),
        };
    }
}

fn local_address(listener: &std::net::TcpListener) -> Result<SocketAddr> {
    listener.local_addr().map_err(|error| Error::io("ask for the address of", "a listener", error))
}

fn in_process_client(engine: &Engine, native: Native, clock: Arc<dyn Clock>) -> Result<Client> {
    let connector = InProcessConnector::new(engine.shards.clone(), native);
    Ok(Client::builder().connector(connector).clock(clock).client_id("embedded").lazy()?)
}

/// The disk, and how to take it away if it is a temporary one.
type Opened = (Arc<dyn Disk>, Option<Arc<Ephemeral>>);

fn open_storage(config: &mut Config) -> Result<Opened> {
    let backend = config.disk;
    let shown = &mut config.broker.data_dir;
    let mut open = |path: &Path| {
        path.clone_into(shown);
        let disk = open_disk(path, backend);
        disk.map_err(|error| Error::io("open data directory", path.display().to_string(), error))
    };
    match &config.storage {
        Storage::At(path) => {
            create_root(path).map_err(|error| {
                Error::io("make data directory", path.display().to_string(), error)
            })?;
            Ok((open(path)?, None))
        }
        Storage::Ephemeral(parent) => {
            let dir = match parent {
                Some(parent) => TempDir::new_in(parent, "onrush"),
                None => TempDir::new("onrush"),
            };
            let dir = dir.map_err(|error| Error::io("make", "a temporary directory", error))?;
            let inner = open(dir.path())?;
            let disk = Arc::new(Ephemeral::new(dir, inner));
            Ok((Arc::clone(&disk) as Arc<dyn Disk>, Some(disk)))
        }
    }
}
