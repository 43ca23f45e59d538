//! What the link's task does for a consumer: subscribe, give credit, queue what is pushed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use onrush_protocol::request::{CreditRequest, Isolation, SubscribeRequest, UnsubscribeRequest};
use onrush_protocol::response::{Deliver, SubscribeResponse};
use onrush_protocol::wire::Maybe;
use onrush_protocol::{Message, Opcode, WireError};
use onrush_record::{Offset, TopicId};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::connector::{Frame, Payload};
use crate::error::{Error, Kind};
use crate::net::Sending;
use crate::net::link::{Answer, LinkShared, Port};
use crate::net::reply::reply;

/// What to read, and from where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) topic_id: TopicId,
    pub(super) partition: u32,
    pub(super) offset: Offset,
    pub(super) credit: u64,
    pub(super) isolation: Isolation,
}

/// Something that arrived for a subscription.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) subscription: u32,
    pub(super) what: What,
}

/// What it is.
#[derive(Debug)]
pub(super) enum What {
    /// Batches, and the partition's readable end.
    Batches(Bytes, Option<Offset>),
    /// The subscription's end.
    End(Error),
}

/// Shared between a consumer and its link's task.
#[derive(Debug)]
pub(super) struct Feed {
    me: Weak<Self>,
    pub(super) link: Arc<LinkShared>,
    state: Mutex<FeedState>,
    /// Rung when there is something for the consumer to look at.
    pub(super) bell: Notify,
}

#[derive(Debug, Default)]
struct FeedState {
    last_number: u32,
    live: HashMap<u32, Wanted>,
    to_subscribe: Vec<u32>,
    to_unsubscribe: Vec<u32>,
    credits: Vec<CreditRequest>,
    queue: VecDeque<Arrived>,
    connected: bool,
    /// The connection was lost: all subscriptions with it.
    lost: bool,
    /// Why nothing will come any more.
    ended: Option<Error>,
}

impl Feed {
    pub(super) fn new(link: Arc<LinkShared>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            link,
            state: Mutex::default(),
            bell: Notify::new(),
        })
    }

    /// Begins a subscription and answers with its number.
    pub(super) fn subscribe(&self, wanted: Wanted) -> u32 {
        let number = {
            let mut state = self.state.lock();
            state.last_number = state.last_number.wrapping_add(1);
            let number = state.last_number;
            state.live.insert(number, wanted);
            state.to_subscribe.push(number);
            number
        };
        self.link.wake();
        number
    }

    /// Ends a subscription; nothing of it is handed out any more.
    pub(super) fn unsubscribe(&self, number: u32) {
        let mut state = self.state.lock();
        if state.live.remove(&number).is_some() {
            state.queue.retain(|arrived| arrived.subscription != number);
            state.to_unsubscribe.push(number);
            drop(state);
            self.link.wake();
        }
    }

    /// Gives a subscription more credit.
    pub(super) fn credit(&self, subscription: u32, bytes: u64) {
        self.state.lock().credits.push(CreditRequest { subscription, bytes });
        self.link.wake();
    }

    /// The next thing that arrived.
    pub(super) fn take(&self) -> Option<Arrived> {
        self.state.lock().queue.pop_front()
    }

    /// Whether the connection was lost since this was asked last: every subscription has ended.
    pub(super) fn take_lost(&self) -> bool {
        std::mem::take(&mut self.state.lock().lost)
    }

    /// Why nothing will come any more.
    pub(super) fn ended(&self) -> Option<Error> {
        self.state.lock().ended.clone()
    }

    fn end(&self, subscription: u32, error: Error) {
        let mut state = self.state.lock();
        if state.live.remove(&subscription).is_some() {
            state.queue.push_back(Arrived { subscription, what: What::End(error) });
            drop(state);
            self.bell.notify_one();
        }
    }

    fn send_subscribe(&self, number: u32, wanted: Wanted, out: &mut Sending<'_>) {
        let Some(feed) = self.me.upgrade() else { return };
        let mut body = BytesMut::new();
        SubscribeRequest {
            subscription: number,
            topic_id: wanted.topic_id,
            partition: wanted.partition,
            leader_epoch: Maybe::NONE,
            offset: wanted.offset,
            credit: wanted.credit,
            isolation: wanted.isolation,
        }
        .encode(&mut body);
        let on_answer = Box::new(move |answer: Answer| {
            match answer.and_then(|frame| reply::<SubscribeResponse>("Subscribe", &frame)) {
                // A lost connection is noticed as such, for all subscriptions at once.
                Err(error) if !error.is_transport() => feed.end(number, error),
                _ => {}
            }
        });
        out.request(Opcode::Subscribe, body.freeze(), Payload::new(), on_answer);
    }
}

fn one_way(message: &impl Message, opcode: Opcode, out: &mut Sending<'_>) {
    let mut body = BytesMut::new();
    message.encode(&mut body);
    out.one_way(opcode, body.freeze(), Payload::new());
}

impl Port for Feed {
    fn pump(&self, out: &mut Sending<'_>) -> Option<Duration> {
        let mut state = self.state.lock();
        if !state.connected {
            return None;
        }
        for number in std::mem::take(&mut state.to_unsubscribe) {
            let mut body = BytesMut::new();
            UnsubscribeRequest { subscription: number }.encode(&mut body);
            // Whether it was there at all does not matter.
            out.request(
                Opcode::Unsubscribe,
                body.freeze(),
                Payload::new(),
                Box::new(|_: Answer| {}),
            );
        }
        for number in std::mem::take(&mut state.to_subscribe) {
            if let Some(wanted) = state.live.get(&number) {
                self.send_subscribe(number, *wanted, out);
            }
        }
        for credit in std::mem::take(&mut state.credits) {
            if state.live.contains_key(&credit.subscription) {
                one_way(&credit, Opcode::Credit, out);
            }
        }
        None
    }

    fn pushed(&self, frame: Frame) {
        if frame.header.opcode != Opcode::Deliver.code() {
            tracing::debug!(opcode = frame.header.opcode, "an unknown push");
            return;
        }
        let Deliver { subscription, error, readable_end, .. } = match Deliver::decode(&frame.body) {
            Ok(deliver) => deliver,
            Err(error) => {
                tracing::warn!(%error, "a delivery that makes no sense");
                return;
            }
        };
        if let Some(error) = error.0 {
            self.end(subscription, subscription_error(error));
            return;
        }
        let bytes = whole(frame.payload);
        let mut state = self.state.lock();
        if state.live.contains_key(&subscription) {
            let what = What::Batches(bytes, readable_end.0);
            state.queue.push_back(Arrived { subscription, what });
            drop(state);
            self.bell.notify_one();
        }
    }

    fn connected(&self) {
        self.state.lock().connected = true;
    }

    fn lost(&self, error: &Error) {
        {
            let mut state = self.state.lock();
            state.connected = false;
            state.lost = true;
            state.live.clear();
            state.queue.clear();
            state.to_subscribe.clear();
            state.to_unsubscribe.clear();
            state.credits.clear();
            if error.kind() == Kind::Closed {
                // The first reason is the one to tell.
                state.ended.get_or_insert_with(|| error.clone());
            }
        }
        self.bell.notify_one();
    }
}

fn subscription_error(error: WireError) -> Error {
    Error::broker("subscription", error)
}

/// A payload in one piece, as all transports bring it but those that need not.
fn whole(mut payload: Payload) -> Bytes {
    match payload.len() {
        0 => Bytes::new(),
        1 => payload.remove(0),
        _ => payload.concat().into(),
    }
}
