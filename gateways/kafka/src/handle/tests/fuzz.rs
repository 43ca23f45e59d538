//! A fuzz target for every request, by name: made-up and spoilt ones go through the table of what is
//! served to their handlers, on a broker that has a few of the topics they name. Whatever can be
//! decoded is answered, in the form of its version; nothing panics; the broker goes on.
//!
//! What the session serves itself (Produce, Fetch) is fuzzed over a socket, in `tests/`.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use onrush_corpus::{Encoding, Seed, grow, rounds};
use onrush_kafka_protocol::messages::{MetadataRequest, MetadataResponse};
use onrush_kafka_protocol::{
    ApiKey, Message, Reader, RequestHeader, decode_response_header, for_every_api,
};
use onrush_sys::{Clock as _, SystemClock};

use super::Server;
use crate::dispatch::Call;
use crate::served::{call, find};

/// Valid encodings of a version in one round.
const VALID: usize = 4;
/// Times that each is spoilt.
const SPOILT: usize = 12;
/// No handler that waits for nobody else takes so long.
const LIMIT: Duration = Duration::from_secs(60);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a call to its end. One that waits for other clients is left, as when its client goes away.
fn run(key: ApiKey, call: Call) -> Option<Vec<u8>> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut call = pin!(call);
    let began = SystemClock.monotonic();
    loop {
        match call.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => return Some(answer.expect("an answer can be said")),
            Poll::Pending if crate::session::waits(key) => return None,
            Poll::Pending => {}
        }
        assert!(SystemClock.monotonic() - began < LIMIT, "{} is never answered", key.name());
        std::thread::park_timeout(LIMIT);
    }
}

fn fuzz<Q: Message, A: Message>() {
    let Some(served) = find(Q::KEY) else { return };
    let server = Server::small();
    for (name, partitions) in [("t", 3), ("tt", 1)] {
        server.topic(name, partitions);
        server.write(name, 0, &[1, 2, 3]);
    }
    let seed = Seed::take(Q::KEY.name());
    let mut answered = 0;
    for (part, version) in (0..).zip(served.min..=served.max) {
        let mut dice = seed.dice(part);
        for _ in 0..rounds(1) {
            let tries = (0..VALID * 10).filter_map(|_| grow::<Q>(version, &mut dice));
            let valid: Vec<Encoding> = tries.take(VALID).collect();
            for encoding in &valid {
                answered += usize::from(ask::<A>(&server, version, &encoding.bytes));
                for _ in 0..SPOILT {
                    let other = &valid[dice.below(valid.len())];
                    let _ = ask::<A>(&server, version, &encoding.spoil(other, &mut dice));
                }
            }
        }
    }
    assert!(answered > 0 || crate::session::waits(Q::KEY), "nothing was answered");
    let _: MetadataResponse = server.ask(9, &MetadataRequest::default());
}

/// Whether it was answered.
fn ask<A: Message>(server: &Server, version: i16, body: &[u8]) -> bool {
    let header = RequestHeader {
        api_key: A::KEY.0,
        api_version: version,
        correlation_id: 7,
        client_id: Some("t".to_owned()),
    };
    // Who sends what cannot be decoded loses the connection.
    let Ok(call) = call(&server.ctx, header, body) else { return false };
    // The session's own are not called.
    let Some(call) = call else { return true };
    let Some(frame) = run(A::KEY, call) else { return false };
    let shown = || format!("{} {version} {body:02x?}", A::KEY.name());
    let mut reader = Reader::new(&frame[4..]);
    assert_eq!(decode_response_header(A::KEY, version, &mut reader), Ok(7), "{}", shown());
    assert!(A::decode(&mut reader, version).is_ok(), "{}", shown());
    assert!(reader.finish().is_ok(), "{}", shown());
    true
}

macro_rules! targets {
    ($($key:ident: $request:ident => $response:ident,)+) => {
        mod requests {
            use onrush_kafka_protocol::messages;

            $(
                #[test]
                fn $request() {
                    super::fuzz::<messages::$request, messages::$response>();
                }
            )+
        }
    };
}
for_every_api!(targets);
