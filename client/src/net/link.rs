//! A connection that lasts: it reconnects, matches answers to requests and tells its owner what
//! happened. This is the side that callers hold; [`driver`](super::driver) is the task behind it.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::task::AtomicWaker;
use onrush_protocol::Opcode;
use onrush_protocol::frame::DEFAULT_MAX_FRAME;
use onrush_protocol::request::RequestMessage;
use onrush_sys::Clock;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::connector::{Connector, Frame, Payload};
use crate::error::{Error, Kind};
use crate::net::driver::{Driver, Sending};
use crate::net::handshake;
use crate::net::reply::reply;

/// Pauses between attempts at the same request.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What becomes of a request.
pub(crate) type Answer = Result<Frame, Error>;

/// Called once, in the link's task.
pub(crate) type OnAnswer = Box<dyn FnOnce(Answer) + Send>;

/// A request on its way.
pub(crate) struct Request {
    pub(crate) opcode: Opcode,
    pub(crate) body: Bytes,
    pub(crate) payload: Payload,
    pub(crate) expires: Duration,
    /// Whether the connection is given up when no answer comes in time.
    pub(crate) vital: bool,
    pub(crate) on_answer: OnAnswer,
}

/// Who uses a link: asked for what to send, told what arrives unasked. Everything is called from
/// the link's task and must not wait.
pub(crate) trait Port: Send + Sync + 'static {
    /// Puts what there is to send into `out`. Called when the link was woken and all that was
    /// sent before has left; answers when (by the monotonic clock) to be called again at the latest.
    fn pump(&self, _out: &mut Sending<'_>) -> Option<Duration> {
        None
    }
    /// A frame that answers nothing.
    fn pushed(&self, _frame: Frame) {}
    /// A connection stands; nothing is known to the other side yet.
    fn connected(&self) {}
    /// The connection is gone; whatever waited for an answer has been told already.
    fn lost(&self, _error: &Error) {}
    /// Called now and then while there is no connection.
    fn waiting(&self, _now: Duration) {}
    /// Whether nothing is lost by ending now, once the last handle is gone.
    fn is_done(&self) -> bool {
        true
    }
}

/// The port of a link that only answers calls.
pub(crate) struct NoPort;

impl Port for NoPort {}

/// What every link of a client needs.
#[derive(Clone, Debug)]
pub(crate) struct LinkConfig {
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) client_id: Arc<str>,
    pub(crate) request_timeout: Duration,
}

/// Shared between handles and task.
pub(crate) struct LinkShared {
    pub(crate) config: LinkConfig,
    pub(crate) inbox: Mutex<Vec<Request>>,
    pub(crate) waker: AtomicWaker,
    pub(crate) closing: AtomicBool,
    /// No more requests are taken: the task is gone.
    pub(crate) ended: AtomicBool,
    /// The largest frame the broker takes.
    pub(crate) max_frame: AtomicU32,
}

impl std::fmt::Debug for LinkShared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("config", &self.config).finish_non_exhaustive()
    }
}

impl LinkShared {
    pub(crate) fn new(config: LinkConfig) -> Arc<Self> {
        Arc::new(Self {
            config,
            inbox: Mutex::new(Vec::new()),
            waker: AtomicWaker::new(),
            closing: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            max_frame: AtomicU32::new(DEFAULT_MAX_FRAME),
        })
    }

    /// Has the port pumped again.
    pub(crate) fn wake(&self) {
        self.waker.wake();
    }

    pub(crate) fn now(&self) -> Duration {
        self.config.clock.monotonic()
    }

    /// Sends `request` and waits for its answer. Dropping the future gives up the answer, not the
    /// request.
    pub(crate) async fn call<R: RequestMessage>(&self, request: &R) -> Result<R::Response, Error> {
        let frame = self.ask(request).await?;
        reply(R::OPCODE.name(), &frame)
    }

    /// The same for a request that does no harm when it is made twice: again and again while the
    /// connection fails or the broker asks for it, until the request timeout.
    pub(crate) async fn call_again<R: RequestMessage>(
        &self,
        request: &R,
    ) -> Result<R::Response, Error> {
        self.call_while(request, |_| true).await
    }

    /// The same, as long as `again` says so of what went wrong.
    pub(crate) async fn call_while<R: RequestMessage>(
        &self,
        request: &R,
        again: impl Fn(&Error) -> bool,
    ) -> Result<R::Response, Error> {
        let deadline = self.now().saturating_add(self.config.request_timeout);
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match self.call(request).await {
                Err(error)
                    if (error.is_transport() || error.kind() == Kind::Retry) && again(&error) =>
                {
                    error
                }
                settled => return settled,
            };
            let pause_now = pause.max(error.retry_after());
            if self.now().saturating_add(pause_now) >= deadline {
                return Err(error);
            }
            self.config.clock.sleep(pause_now).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn ask<R: RequestMessage>(&self, request: &R) -> Answer {
        let (sender, receiver) = oneshot::channel();
        self.start(request, move |answer| {
            // Nobody waits any more: that is the caller's choice.
            let _ = sender.send(answer);
        });
        receiver.await.unwrap_or(Err(Error::Closed))
    }

    /// Sends `request` without waiting for its answer.
    pub(crate) fn tell<R: RequestMessage>(&self, request: &R) {
        self.start(request, |_| {});
    }

    fn start<R, F>(&self, request: &R, on_answer: F)
    where
        R: RequestMessage,
        F: FnOnce(Answer) + Send + 'static,
    {
        let mut body = BytesMut::new();
        request.encode(&mut body);
        self.submit(Request {
            opcode: R::OPCODE,
            body: body.freeze(),
            payload: Payload::new(),
            expires: self.now().saturating_add(self.config.request_timeout),
            vital: false,
            on_answer: Box::new(on_answer),
        });
    }

    fn submit(&self, request: Request) {
        let refused = {
            let mut inbox = self.inbox.lock();
            if self.ended.load(Ordering::Acquire) || self.closing.load(Ordering::Acquire) {
                Some(request)
            } else {
                inbox.push(request);
                None
            }
        };
        match refused {
            Some(request) => (request.on_answer)(Err(Error::Closed)),
            None => self.wake(),
        }
    }
}

/// Keeps a link's task alive; the task ends after the drop.
pub(crate) struct Link {
    pub(crate) shared: Arc<LinkShared>,
}

impl Link {
    /// Connects, greets and starts the task on the current runtime. Fails when the first attempt
    /// does; after that the link reconnects by itself.
    pub(crate) async fn open(shared: Arc<LinkShared>, port: Arc<dyn Port>) -> Result<Self, Error> {
        let connection = handshake::establish(&shared).await?;
        tokio::spawn(Driver::new(Arc::clone(&shared), port).run(connection));
        Ok(Self { shared })
    }
}

impl Deref for Link {
    type Target = LinkShared;

    fn deref(&self) -> &LinkShared {
        &self.shared
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Release);
        self.shared.wake();
    }
}

/// A link that is opened when it is first needed, and anew once its task has ended: that lives in
/// the runtime that opened it, which callers in another one may outlive.
pub(crate) struct LazyLink {
    config: LinkConfig,
    link: tokio::sync::Mutex<Option<Arc<Link>>>,
}

impl LazyLink {
    pub(crate) fn new(config: LinkConfig) -> Self {
        Self { config, link: tokio::sync::Mutex::new(None) }
    }

    pub(crate) fn config(&self) -> &LinkConfig {
        &self.config
    }

    /// The link, open.
    pub(crate) async fn get(&self) -> Result<Arc<Link>, Error> {
        let mut link = self.link.lock().await;
        if let Some(open) = link.as_ref().filter(|link| !link.ended.load(Ordering::Acquire)) {
            return Ok(Arc::clone(open));
        }
        let opened = Link::open(LinkShared::new(self.config.clone()), Arc::new(NoPort)).await?;
        Ok(Arc::clone(link.insert(Arc::new(opened))))
    }
}
