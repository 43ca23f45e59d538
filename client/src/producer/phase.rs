//! How far a transactional producer is with its transaction: what may be done next.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use onrush_record::TopicId;
use parking_lot::Mutex;

use crate::error::{Error, Fenced, Kind};

/// How far it is.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// No transaction is open.
    Ready,
    /// One is.
    Open,
    /// It is being committed; whether the broker has been asked for that and has not said what
    /// became of it: then it may have happened.
    Committing { asked: bool },
    /// It can only be aborted, and why; whether the broker has done so already.
    Failed { cause: Error, over: bool },
    /// Another producer has taken over, for good.
    Fenced(Error),
}

/// A producer's transactions.
#[derive(Debug)]
pub(super) struct Transactions {
    pub(super) id: Arc<str>,
    pub(super) timeout_ms: u32,
    state: Mutex<State>,
    /// How many were begun: which one it is. Changes under the lock of the state.
    begun: AtomicU64,
    /// Held by who begins one, until records are taken: one at a time.
    pub(super) beginning: Mutex<()>,
    /// Held by who ends a transaction: one at a time.
    pub(super) ending: tokio::sync::Mutex<()>,
    /// Topics whose offsets were committed.
    pub(super) topics: Mutex<HashMap<Arc<str>, TopicId>>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// The broker may have been asked to make something part of it.
    touched: bool,
}

impl Transactions {
    pub(super) fn new(id: Arc<str>, timeout_ms: u32) -> Self {
        Self {
            id,
            timeout_ms,
            state: Mutex::new(State { phase: Phase::Ready, touched: false }),
            begun: AtomicU64::new(0),
            beginning: Mutex::new(()),
            ending: tokio::sync::Mutex::new(()),
            topics: Mutex::default(),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.state.lock().phase.clone()
    }

    /// Goes on to `phase`; a transaction that is over leaves nothing behind.
    pub(super) fn set(&self, phase: Phase) {
        let mut state = self.state.lock();
        if matches!(phase, Phase::Ready | Phase::Failed { over: true, .. }) {
            state.touched = false;
        }
        state.phase = phase;
    }

    /// Begins to commit it, if it is open. Gives how far it was.
    pub(super) fn start_commit(&self) -> Phase {
        let mut state = self.state.lock();
        let before = state.phase.clone();
        if matches!(before, Phase::Open) {
            state.phase = Phase::Committing { asked: false };
        }
        before
    }

    /// Ends one that is being committed and that nothing was made part of. Gives whether it was.
    pub(super) fn end_untouched(&self) -> bool {
        let mut state = self.state.lock();
        let untouched = !state.touched && matches!(state.phase, Phase::Committing { asked: false });
        if untouched {
            state.phase = Phase::Ready;
        }
        untouched
    }

    /// Does something that must not come after the transaction's end.
    pub(super) fn while_open(&self, act: impl FnOnce()) {
        let state = self.state.lock();
        if matches!(state.phase, Phase::Open) {
            act();
        }
    }

    /// The broker is about to be asked to commit it. Gives whether it was before, without a word on
    /// what became of that; or why it fails, and whether it is over.
    pub(super) fn ask(&self) -> Result<bool, (Error, bool)> {
        let mut state = self.state.lock();
        if let Phase::Failed { cause, over } = &state.phase {
            return Err((cause.clone(), *over));
        }
        let before = matches!(state.phase, Phase::Committing { asked: true });
        state.phase = Phase::Committing { asked: true };
        Ok(before)
    }

    /// Which transaction it is, or was last. Whoever waits before it does something in one takes
    /// this along, so that it does not do it in the next.
    pub(super) fn number(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Whether it is still the one of this number. The answer holds under the lock of a topic where
    /// records are taken; elsewhere while [`ending`](Self::ending) is held and it is open.
    pub(super) fn check_number(&self, number: u64) -> Result<(), Error> {
        match self.number() == number {
            true => Ok(()),
            false => Err(Error::invalid("the transaction that this was for has ended meanwhile")),
        }
    }

    /// Opens one, if none is.
    pub(super) fn begin(&self) -> Result<(), Error> {
        let mut state = self.state.lock();
        match &state.phase {
            Phase::Ready => {
                self.begun.fetch_add(1, Ordering::Relaxed);
                state.phase = Phase::Open;
                Ok(())
            }
            Phase::Open | Phase::Committing { .. } => Err(Error::invalid(
                "the last transaction has not ended: commit() or abort() it first",
            )),
            Phase::Failed { cause, .. } => Err(must_abort(cause)),
            Phase::Fenced(error) => Err(error.clone()),
        }
    }

    /// Something is about to be made part of it.
    pub(super) fn touch(&self) {
        self.state.lock().touched = true;
    }

    pub(super) fn is_touched(&self) -> bool {
        self.state.lock().touched
    }

    /// Something in the one of this number has failed: from here on it can only be aborted. If that
    /// is news, does something that must not come after the next has begun.
    pub(super) fn fail(&self, number: u64, cause: &Error, act: impl FnOnce()) {
        let mut state = self.state.lock();
        let open = matches!(state.phase, Phase::Open | Phase::Committing { asked: false });
        if open && self.number() == number {
            state.phase = Phase::Failed { cause: cause.clone(), over: false };
            act();
        }
    }

    /// Why nothing can be made part of a transaction now, if so.
    pub(super) fn check_open(&self) -> Result<(), Error> {
        match &self.state.lock().phase {
            Phase::Open => Ok(()),
            Phase::Ready => Err(Error::invalid("no transaction is open: call begin() first")),
            Phase::Committing { .. } => Err(Error::invalid(
                "the transaction is being committed: await commit(), then begin() the next",
            )),
            Phase::Failed { cause, .. } => Err(must_abort(cause)),
            Phase::Fenced(error) => Err(error.clone()),
        }
    }

    /// Another producer has taken over; `in_doubt`: a commit may have happened before.
    pub(super) fn fenced(&self, answer: &Error, in_doubt: bool) -> Error {
        let error = Error::Fenced(Arc::new(Fenced {
            transactional_id: Arc::clone(&self.id),
            may_have_happened: in_doubt,
            reason: answer.to_string(),
        }));
        self.set(Phase::Fenced(error.clone()));
        error
    }
}

/// What to say of a commit that failed in this way, when it may have happened before: no refusal
/// tells that it has not, be it that the broker has forgotten the producer, or that its journal is
/// damaged.
pub(super) fn in_doubt(error: Error) -> Error {
    match error.kind() {
        Kind::Refused | Kind::Retry | Kind::Closed => Error::CommitUnknown(Arc::new(error)),
        Kind::Unknown => error,
    }
}

pub(super) fn must_abort(cause: &Error) -> Error {
    match cause {
        already @ Error::MustAbort(_) => already.clone(),
        cause => Error::MustAbort(Arc::new(cause.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failing_does_is_done_before_anyone_goes_on() {
        let all = Transactions::new(Arc::from("a"), 1000);
        all.begin().expect("none is open");
        let mut done = 0;
        for _ in 0..2 {
            all.fail(1, &Error::Aborted, || {
                done += 1;
                assert!(all.state.try_lock().is_none());
            });
        }
        assert_eq!(done, 1);
        all.set(Phase::Ready);
        all.begin().expect("none is open");
        all.fail(1, &Error::Aborted, || unreachable!("that one has ended"));
        assert!(all.check_open().is_ok());
    }
}
