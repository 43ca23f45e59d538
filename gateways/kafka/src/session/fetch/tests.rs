//! When a fetch that waits is answered, as its session sees it.

use super::*;
use crate::handle::tests::{Server, context};
use crate::options::Options;

/// Does something with a session on a shard.
fn with_session(test: impl FnOnce(&mut Session) + Send + 'static) {
    let server = Server::start();
    let broker = server.broker().clone();
    let (shard_handle, shard) = onrush_gateway_net::shard(&broker, 64 << 10);
    assert!(shard_handle.begin(move |shared| {
        test(&mut Session::new(shared, context(broker, Options::default())));
    }));
    // Without a handle it ends once that is done.
    drop(shard_handle);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, shard.run());
}

/// A fetch that has found less than it wants.
fn waiting(deadline: Duration, cold: Option<Vec<Warming>>) -> Running {
    Running::Fetch(Box::new(Fetch {
        head: Head { key: ApiKey::FETCH, version: 12, correlation: 1 },
        min_bytes: 1,
        max_bytes: 1,
        since: Duration::ZERO,
        deadline,
        topics: Vec::new(),
        sources: Vec::new(),
        cold: cold.map(|waiting| Cold { found: Found::default(), waiting }),
    }))
}

/// Whether it is answered once it is looked at again.
fn is_answered(session: &mut Session) -> bool {
    let before = session.outbox.encoded_len();
    session.progress();
    let answered = session.outbox.encoded_len() > before;
    assert_eq!(session.queue.is_empty(), answered);
    answered
}

#[test]
fn a_fetch_is_answered_when_its_time_is_up_and_not_before() {
    with_session(|session| {
        let later = session.context.now() + Duration::from_secs(3600);
        session.queue.begin(waiting(later, None));
        assert!(!is_answered(session));
        session.recount_deadline();
        assert_eq!(session.soonest(), Some(later), "nothing else would wake it");
        session.queue.finish();
        session.queue.begin(waiting(session.context.now(), None));
        assert!(is_answered(session));
        session.recount_deadline();
        assert_eq!(session.soonest(), None);
    });
}

#[test]
fn what_is_being_brought_into_memory_is_waited_for_whatever_the_time() {
    with_session(|session| {
        session.queue.begin(waiting(Duration::ZERO, Some(vec![Warming::default()])));
        assert!(!is_answered(session), "the disk has not read it yet");
        session.recount_deadline();
        assert_eq!(session.soonest(), None, "a time that has passed would wake it all the time");
        session.queue.finish();
        let later = session.context.now() + Duration::from_secs(3600);
        session.queue.begin(waiting(later, Some(Vec::new())));
        assert!(is_answered(session), "it is there, and there is nothing to wait for");
    });
}
