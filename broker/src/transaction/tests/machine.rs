//! Single rules, one each.

use onrush_record::{Offset, ProducerEpoch, ProducerId, TopicId};

use crate::group::TopicPartition;
use crate::transaction::event::TransactionEvent;
use crate::transaction::state::{Identity, LAST_EPOCH};
use crate::transaction::transactions::{Due, End, Init, Transactions};
use crate::transaction::{TransactionError, TransactionSettings, TransactionState};

const PARTITION: TopicPartition = (TopicId::new([1; 16]), 0);
const TIMEOUT_MS: i32 = 1000;

fn fresh(producer: i64) -> Option<ProducerId> {
    Some(ProducerId::new(producer))
}

fn machine() -> Transactions {
    Transactions::new(TransactionSettings { id_expiration_ms: 10_000, ..Default::default() })
}

fn init(all: &mut Transactions, expected: Option<Identity>) -> Identity {
    match all.init(0, "a", TIMEOUT_MS, expected, fresh(7)).unwrap() {
        Init::Given(who, event) => {
            all.apply(event, Offset::ZERO);
            who
        }
        Init::Known(who) => who,
        other => panic!("{other:?}"),
    }
}

fn add(all: &mut Transactions, now_ms: i64, who: Identity) {
    let event = all.add(now_ms, "a", who, &[PARTITION], &[]).unwrap().unwrap();
    all.apply(event, Offset::ZERO);
}

fn decide(all: &mut Transactions, who: Identity, commits: bool, bump: bool) {
    let End::Begin(ending) = all.end("a", who, commits, bump, fresh(8)).unwrap() else {
        panic!("it cannot be ended");
    };
    all.begin_ending("a", ending);
    let decision = all.decide(0, "a").unwrap();
    all.apply(decision, Offset::ZERO);
}

fn complete(all: &mut Transactions) {
    let completed = all.complete(0, "a").unwrap();
    all.apply(completed, Offset::ZERO);
}

/// With an epoch that is the last a producer is given.
fn exhausted(all: &mut Transactions) -> Identity {
    let who = init(all, None);
    let mut known = all.get("a").unwrap().clone();
    known.current.epoch = ProducerEpoch::new(LAST_EPOCH);
    all.apply(TransactionEvent::Changed(Box::new(known)), Offset::ZERO);
    Identity { epoch: ProducerEpoch::new(LAST_EPOCH), ..who }
}

#[test]
fn each_introduction_gives_a_new_epoch_until_they_are_used_up() {
    let mut all = machine();
    assert_eq!(all.init(0, "a", TIMEOUT_MS, None, None), Ok(Init::NeedsId));
    let first = init(&mut all, None);
    let second = init(&mut all, None);
    assert_eq!((second.producer, second.epoch.get()), (first.producer, 1));
    exhausted(&mut all);
    assert_eq!(all.init(0, "a", TIMEOUT_MS, None, None), Ok(Init::NeedsId));
    let Ok(Init::Given(who, event)) = all.init(0, "a", TIMEOUT_MS, None, fresh(9)) else {
        panic!()
    };
    assert_eq!(who, Identity::first(ProducerId::new(9)));
    all.apply(event, Offset::ZERO);
    let stale = all.admits(first, PARTITION, Offset::ZERO);
    assert!(matches!(stale, Err(TransactionError::ProducerIdMapping { .. })));
}

#[test]
fn an_identity_that_is_said_to_be_the_last_is_held_to_it() {
    let mut all = machine();
    let first = init(&mut all, None);
    let second = init(&mut all, Some(first));
    assert_eq!(second.epoch.get(), 1);
    assert_eq!(init(&mut all, Some(first)), second, "the answer was lost");
    let third = init(&mut all, Some(second));
    assert_eq!(third.epoch.get(), 2);
    let refused = all.init(0, "a", TIMEOUT_MS, Some(first), None);
    assert!(matches!(refused, Err(TransactionError::Fenced { .. })));
    // A new instance makes an end of all who were before.
    init(&mut all, None);
    let refused = all.init(0, "a", TIMEOUT_MS, Some(third), None);
    assert!(matches!(refused, Err(TransactionError::Fenced { .. })));
}

#[test]
fn one_that_was_forgotten_is_told_again_who_it_is_but_nothing_of_before() {
    let before = Identity { epoch: ProducerEpoch::new(3), ..Identity::first(ProducerId::new(5)) };
    for bump in [false, true] {
        let mut all = machine();
        let who = init(&mut all, Some(before));
        assert_eq!(who, Identity::first(ProducerId::new(7)));
        assert_eq!(init(&mut all, Some(before)), who, "the answer was lost");
        let nothing_to_tell = |all: &Transactions| {
            for commits in [false, true] {
                let refused = all.end("a", before, commits, true, None);
                let expected = matches!(refused, Err(TransactionError::ProducerIdMapping { .. }));
                assert!(expected, "{refused:?}");
            }
        };
        nothing_to_tell(&all);
        add(&mut all, 0, who);
        nothing_to_tell(&all);
        decide(&mut all, who, true, bump);
        nothing_to_tell(&all);
        complete(&mut all);
        nothing_to_tell(&all);
        let refused = all.init(0, "a", TIMEOUT_MS, Some(before), None);
        assert!(matches!(refused, Err(TransactionError::Fenced { .. })), "{refused:?}");
    }
}

#[test]
fn the_epochs_of_an_end_run_out_into_a_new_id() {
    let mut all = machine();
    let last = exhausted(&mut all);
    add(&mut all, 0, last);
    assert_eq!(all.end("a", last, true, true, None), Ok(End::NeedsId));
    decide(&mut all, last, true, true);
    let known = all.get("a").unwrap();
    assert_eq!(known.marker, Identity { epoch: ProducerEpoch::new(i16::MAX), ..last });
    assert_eq!(known.current, Identity::first(ProducerId::new(8)));
    let current = known.current;
    assert_eq!(all.end("a", last, true, true, None), Ok(End::UnderWay(current)));
    complete(&mut all);
    // To abort is for the new one; whether it was committed is said to who asks for that again.
    let late = all.end("a", last, false, true, None);
    assert!(matches!(late, Err(TransactionError::ProducerIdMapping { .. })), "{late:?}");
    assert_eq!(all.end("a", last, true, true, None), Ok(End::Done(current)));
    // The old protocol needs no epoch.
    let mut all = machine();
    let last = exhausted(&mut all);
    add(&mut all, 0, last);
    decide(&mut all, last, false, false);
    assert_eq!(all.get("a").unwrap().marker, last);
}

#[test]
fn fencing_at_the_very_end_gives_that_epoch_to_nobody() {
    let mut all = machine();
    let last = exhausted(&mut all);
    add(&mut all, 0, last);
    let Ok(Init::Abort(ending)) = all.init(0, "a", TIMEOUT_MS, None, None) else { panic!() };
    assert_eq!(ending.marker.epoch.get(), i16::MAX);
    all.begin_ending("a", ending);
    let decision = all.decide(0, "a").unwrap();
    all.apply(decision, Offset::ZERO);
    let late = all.end("a", last, true, true, None);
    assert!(matches!(late, Err(TransactionError::Fenced { .. })), "{late:?}");
    complete(&mut all);
    let late = all.end("a", last, true, true, None);
    assert!(matches!(late, Err(TransactionError::Fenced { .. })), "{late:?}");
    for expected in [None, Some(last)] {
        let next = all.init(0, "a", TIMEOUT_MS, expected, fresh(9)).unwrap();
        let Init::Given(who, _) = next else { panic!("{next:?}") };
        assert_eq!(who, Identity::first(ProducerId::new(9)));
    }
}

#[test]
fn one_that_took_too_long_at_the_very_end_goes_on_with_a_new_id() {
    let mut all = machine();
    let last = exhausted(&mut all);
    add(&mut all, 0, last);
    let late_ms = i64::from(TIMEOUT_MS) + 1;
    let Some(Due::TimedOut(ending)) = all.due_of(late_ms, "a") else { panic!() };
    all.begin_ending("a", ending);
    let decision = all.decide(late_ms, "a").unwrap();
    all.apply(decision, Offset::ZERO);
    // As at every other epoch: a commit is refused, and an abort says that it is one.
    let refused = all.end("a", last, true, true, None);
    assert!(matches!(refused, Err(TransactionError::Fenced { .. })), "{refused:?}");
    let early = all.end("a", last, false, true, None);
    assert!(matches!(early, Err(TransactionError::Concurrent { .. })), "{early:?}");
    complete(&mut all);
    assert_eq!(all.end("a", last, false, true, None), Ok(End::NeedsId));
    let given = all.end("a", last, false, true, fresh(9)).unwrap();
    let End::Given(who, event) = given else { panic!("{given:?}") };
    assert_eq!(who, Identity::first(ProducerId::new(9)));
    all.apply(event, Offset::ZERO);
    // The answer was lost.
    assert_eq!(all.end("a", last, false, true, None), Ok(End::Done(who)));
    assert_eq!(all.init(0, "a", TIMEOUT_MS, Some(last), None), Ok(Init::Known(who)));
    add(&mut all, late_ms, who);
    decide(&mut all, who, true, true);
    complete(&mut all);
    let stale = all.end("a", last, false, true, None);
    assert!(matches!(stale, Err(TransactionError::ProducerIdMapping { .. })), "{stale:?}");
}

#[test]
fn nothing_is_taken_in_once_an_end_is_asked_for() {
    let mut all = machine();
    let who = init(&mut all, None);
    add(&mut all, 0, who);
    all.admits(who, PARTITION, Offset::ZERO).unwrap();
    let Ok(End::Begin(ending)) = all.end("a", who, true, false, None) else { panic!() };
    all.begin_ending("a", ending);
    let concurrent = |error| matches!(error, TransactionError::Concurrent { .. });
    assert!(all.admits(who, PARTITION, Offset::ZERO).is_err());
    assert!(concurrent(all.add(0, "a", who, &[PARTITION], &[]).unwrap_err()));
    assert!(concurrent(all.end("a", who, true, false, None).unwrap_err()));
    assert!(concurrent(all.init(0, "a", TIMEOUT_MS, None, None).unwrap_err()));
    assert!(all.due(i64::MAX).is_empty(), "it is being ended already");
    all.give_up_ending("a");
    all.admits(who, PARTITION, Offset::ZERO).unwrap();
    assert_eq!(all.due(i64::MAX).len(), 1);
}

#[test]
fn nothing_is_taken_in_before_it_is_known_durably() {
    let mut all = machine();
    let who = init(&mut all, None);
    let event = all.add(0, "a", who, &[PARTITION], &["g"]).unwrap().unwrap();
    all.apply(event, Offset::new(5));
    assert_eq!(all.add(0, "a", who, &[PARTITION], &["g"]), Ok(None));
    for (durable, admitted) in [(4, false), (5, true)] {
        assert_eq!(all.admits(who, PARTITION, Offset::new(durable)).is_ok(), admitted);
        assert_eq!(all.admits_group(who, "g", Offset::new(durable)).is_ok(), admitted);
    }
    let elsewhere = (PARTITION.0, 1);
    let refused = all.admits(who, elsewhere, Offset::new(9));
    assert!(matches!(refused, Err(TransactionError::NotAdded { .. })));
}

#[test]
fn what_takes_too_long_is_due_and_so_is_what_nobody_uses() {
    let mut all = machine();
    let who = init(&mut all, None);
    add(&mut all, 100, who);
    assert_eq!(all.next_due(), Some(1100));
    assert!(all.due(1099).is_empty());
    assert_eq!(all.due(1100).len(), 1);
    let Some(Due::TimedOut(ending)) = all.due_of(1100, "a") else { panic!() };
    assert!(!ending.commits && ending.next == who.fencing());
    decide(&mut all, who, false, false);
    assert_eq!(all.next_due(), None, "what is decided has no time");
    complete(&mut all);
    assert_eq!(all.next_due(), Some(10_000));
    assert_eq!(all.due(10_000).len(), 1);
    let Some(Due::Expired(event)) = all.due_of(10_000, "a") else { panic!() };
    all.apply(event, Offset::ZERO);
    assert!(all.get("a").is_none());
    assert!(all.admits(who, PARTITION, Offset::ZERO).is_err());
}

/// A producer that does something just then is not taken for the one that did nothing.
#[test]
fn what_was_due_may_not_be_any_more() {
    let mut all = machine();
    let who = init(&mut all, None);
    add(&mut all, 100, who);
    assert_eq!(all.due(1100).len(), 1);
    decide(&mut all, who, true, false);
    complete(&mut all);
    let event = all.add(1090, "a", who, &[PARTITION], &[]).unwrap().unwrap();
    all.apply(event, Offset::ZERO);
    assert_eq!(all.due_of(1100, "a"), None, "this one has only begun");
    decide(&mut all, who, true, false);
    complete(&mut all);
    let idle_until = all.next_due().unwrap();
    assert_eq!(all.due(idle_until).len(), 1);
    let event = all.add(idle_until, "a", who, &[PARTITION], &[]).unwrap().unwrap();
    all.apply(event, Offset::ZERO);
    assert_eq!(all.due_of(idle_until, "a"), None, "an open transaction is not forgotten");
}

#[test]
fn what_was_decided_stays_so() {
    let mut all = machine();
    let who = init(&mut all, None);
    add(&mut all, 0, who);
    decide(&mut all, who, true, false);
    assert_eq!(all.get("a").unwrap().state, TransactionState::PrepareCommit);
    assert!(all.end("a", who, false, false, None).is_err());
    assert_eq!(all.end("a", who, true, false, None), Ok(End::UnderWay(who)));
    assert_eq!(all.decide(0, "a"), None);
    complete(&mut all);
    assert_eq!(all.complete(0, "a"), None);
    assert!(all.get("a").unwrap().partitions.is_empty());
}

/// Else no record could hold its decision, and nothing could ever end it.
#[test]
fn a_transaction_stays_small_enough_to_be_decided() {
    let mut all = machine();
    let who = init(&mut all, None);
    let name = |number: usize| format!("{number:0>32767}");
    for number in 0..1000 {
        let event = all.add(0, "a", who, &[], &[&name(number)]).unwrap().unwrap();
        all.apply(event, Offset::ZERO);
    }
    assert!(all.add(0, "a", who, &[], &[&name(1000)]).is_err());
    assert_eq!(all.add(0, "a", who, &[], &[&name(7)]), Ok(None), "it takes part already");
    assert!(all.add(0, "a", who, &[], &["x".repeat(32_768).as_str()]).is_err());
    let Ok(End::Begin(ending)) = all.end("a", who, true, false, None) else { panic!() };
    all.begin_ending("a", ending);
    let decision = all.decide(0, "a").unwrap().encode();
    assert!(decision.len() < 60 << 20, "{} bytes", decision.len());
}
