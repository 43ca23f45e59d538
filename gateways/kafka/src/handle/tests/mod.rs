//! Handlers on a broker with a directory of its own, asked through the table of what is served and
//! through the codec, as the session asks them.

mod configs;
mod fuzz;
mod groups;
mod metadata;
mod offset_fetch;
mod offsets;
mod others;
mod quotas;
mod seen;
mod shares;
mod topics;
mod transactions;

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;

use futures::executor::block_on;
use onrush_broker::{Acks, Broker, BrokerConfig, Env, Partition, Placed, ProduceBatch};
use onrush_kafka_protocol::{Message, Reader, RequestHeader, Writer, decode_response_header};
use onrush_record::batch::{BatchBuilder, Codec};
use onrush_sys::thread::JoinHandle;
use onrush_sys::{Clock, DiskBackend, SystemClock, SystemRandom, TempDir, open_disk};

use crate::context::{Context, Endpoint};
use crate::handle::share::ShareSessions;
use crate::options::Options;
use crate::served::{call, find};

/// A broker whose loops run on threads, and one connection to it.
pub(crate) struct Server {
    pub(crate) ctx: Rc<Context>,
    threads: Vec<JoinHandle<()>>,
    _directory: TempDir,
}

/// A connection to a broker.
pub(crate) fn context(broker: Broker, options: Options) -> Context {
    let endpoint =
        Endpoint { name: "PLAINTEXT".to_owned(), host: "broker.test".to_owned(), port: 9192 };
    Context {
        shares: ShareSessions::new(broker.clone()),
        throttle: RefCell::default(),
        broker,
        options: Arc::new(options),
        host: Arc::from("10.1.2.3"),
        endpoint: Arc::new(endpoint),
    }
}

impl Server {
    pub(crate) fn start() -> Server {
        Server::with(Options::default())
    }

    /// One that soon has as many partitions as it takes.
    pub(crate) fn small() -> Server {
        Server::open(Options::default(), BrokerConfig { partitions_max: 8, ..Default::default() })
    }

    pub(crate) fn with(options: Options) -> Server {
        Server::open(options, BrokerConfig::default())
    }

    fn open(options: Options, config: BrokerConfig) -> Server {
        let directory = TempDir::new("onrush-kafka").unwrap();
        let env = Env {
            disk: open_disk(directory.path(), DiskBackend::Plain).unwrap(),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        };
        let config = BrokerConfig { reserve_bytes: 64 << 10, free_min_bytes: 0, ..config };
        let (broker, background, _) = Broker::open(config, env).unwrap();
        let (sync, io) = background.split();
        let threads = vec![
            onrush_sys::thread::spawn("sync", move || sync.run_blocking()).unwrap(),
            onrush_sys::thread::spawn("io", move || io.run_blocking()).unwrap(),
        ];
        let ctx = Rc::new(context(broker, options));
        Server { ctx, threads, _directory: directory }
    }

    pub(crate) fn broker(&self) -> &Broker {
        &self.ctx.broker
    }

    /// Asks in a version and waits for the answer.
    pub(crate) fn ask<Q: Message, A: Message>(&self, version: i16, request: &Q) -> A {
        self.ask_counting(version, request).1
    }

    /// The same; tells also how often the handler let others have their turn.
    pub(crate) fn ask_counting<Q: Message, A: Message>(
        &self,
        version: i16,
        request: &Q,
    ) -> (usize, A) {
        assert_eq!(Q::KEY, A::KEY);
        let header = RequestHeader {
            api_key: Q::KEY.0,
            api_version: version,
            correlation_id: 7,
            client_id: Some("tester".to_owned()),
        };
        let mut body = Vec::new();
        request.encode(&mut Writer::new(&mut body), version).unwrap();
        let mut call = call(&self.ctx, header, &body).unwrap().expect("it is served");
        let mut turns = 0;
        let frame = block_on(poll_fn(|context| {
            let polled = call.as_mut().poll(context);
            turns += usize::from(polled.is_pending());
            polled
        }))
        .unwrap();
        let mut reader = Reader::new(&frame[4..]);
        assert_eq!(decode_response_header(Q::KEY, version, &mut reader).unwrap(), 7);
        let answer = A::decode(&mut reader, version).unwrap();
        reader.finish().unwrap();
        (turns, answer)
    }

    /// Asks in every version that is served, to see that each has a place for the whole answer.
    pub(crate) fn ask_all<Q: Message, A: Message>(&self, request: impl Fn(i16) -> Q) -> Vec<A> {
        let served = find(Q::KEY).expect("it is served");
        (served.min..=served.max).map(|version| self.ask(version, &request(version))).collect()
    }

    pub(crate) fn topic(&self, name: &str, partitions: u32) {
        let new = onrush_broker::NewTopic {
            name: name.to_owned(),
            partitions: Some(partitions),
            ..onrush_broker::NewTopic::default()
        };
        block_on(self.broker().create_topic(new)).unwrap();
    }

    pub(crate) fn partition(&self, topic: &str, index: u32) -> Arc<Partition> {
        self.broker().topic_by_name(topic).unwrap().partition(index).unwrap()
    }

    /// Writes a record of each timestamp, in one batch; it need not be durable when this returns.
    pub(crate) fn write(&self, topic: &str, index: u32, timestamps: &[i64]) -> Placed {
        let mut builder = BatchBuilder::new(Codec::None);
        for timestamp in timestamps {
            builder.push(*timestamp, None, Some(b"value"), &[]);
        }
        let mut bytes = builder.finish().unwrap();
        let mut results = Vec::new();
        let batch = ProduceBatch { bytes: &mut bytes, expected_offset: None, acks: Acks::Written };
        self.partition(topic, index).produce(&mut [batch], &mut results);
        results.remove(0).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The loops end with the last handle of the broker, which is in the context.
        let broker = Broker::clone(&self.ctx.broker);
        let _ = block_on(broker.stop());
        drop(broker);
        self.threads.clear();
    }
}

/// Now.
pub(crate) fn now_ms() -> i64 {
    SystemClock.now_ms()
}
