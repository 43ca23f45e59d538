//! Transactions against a broker that fails in chosen ways: what is said of one is true.

#![allow(clippy::unwrap_used)] // A test may panic.

mod fake;

use std::pin::pin;

use fake::{Fake, Fault};
use onrush_client::{Client, Error, ErrorCode, Kind, NewRecord, Producer, TrySend};

/// A producer with a record sent in an open transaction.
async fn open(fake: &Fake) -> Producer {
    let client = Client::builder().connector(fake.connector()).lazy().unwrap();
    let producer = client.producer().transactional_id("a").build().await.unwrap();
    begin(&producer).await;
    producer
}

async fn begin(producer: &Producer) {
    producer.begin().unwrap();
    producer.send(NewRecord::to("t").value(b"in")).await.unwrap().await.unwrap();
}

fn answers(fake: &Fake, faults: &[Fault]) {
    fake.state().end_faults.extend(faults);
}

fn may_have_happened(error: &Error) {
    assert!(matches!(error, Error::CommitUnknown(_)), "{error}");
    assert_eq!(error.kind(), Kind::Unknown, "{error}");
}

#[tokio::test]
async fn no_later_refusal_makes_a_lost_commit_one_that_has_not_happened() {
    for code in [
        ErrorCode::DAMAGED,
        ErrorCode::UNKNOWN_TRANSACTIONAL_ID,
        ErrorCode::INVALID_TRANSACTION_STATE,
    ] {
        let fake = Fake::with_topic("t", 1);
        let producer = open(&fake).await;
        // Without a word lost, a refusal is one.
        answers(&fake, &[Fault::Refuse(code)]);
        let error = producer.commit().await.unwrap_err();
        assert!(matches!(error, Error::MustAbort(_)), "{error}");
        producer.abort().await.unwrap();
        begin(&producer).await;
        answers(&fake, &[Fault::LoseAfter, Fault::Refuse(code)]);
        may_have_happened(&producer.commit().await.unwrap_err());
        answers(&fake, &[Fault::Refuse(code)]);
        may_have_happened(&producer.commit().await.unwrap_err());
        // An unknown outcome of the broker's own is as good as a lost answer.
        answers(&fake, &[Fault::Refuse(ErrorCode::OUTCOME_UNKNOWN), Fault::Refuse(code)]);
        assert_eq!(producer.commit().await.unwrap_err().kind(), Kind::Unknown);
        may_have_happened(&producer.commit().await.unwrap_err());
        answers(&fake, &[Fault::Refuse(ErrorCode::DAMAGED)]);
        may_have_happened(&producer.abort().await.unwrap_err());
        assert!(matches!(producer.begin().unwrap_err(), Error::Invalid(_)));
        producer.commit().await.unwrap();
        begin(&producer).await;
        producer.commit().await.unwrap();
    }
}

#[tokio::test]
async fn an_abort_settles_what_became_of_a_lost_commit() {
    let fake = Fake::with_topic("t", 1);
    let producer = open(&fake).await;
    answers(&fake, &[Fault::LoseBefore, Fault::Refuse(ErrorCode::DAMAGED)]);
    may_have_happened(&producer.commit().await.unwrap_err());
    producer.abort().await.unwrap();
    // Forgotten by the broker, nobody will ever know.
    begin(&producer).await;
    answers(&fake, &[Fault::LoseBefore, Fault::Refuse(ErrorCode::DAMAGED)]);
    may_have_happened(&producer.commit().await.unwrap_err());
    answers(&fake, &[Fault::Refuse(ErrorCode::UNKNOWN_TRANSACTIONAL_ID); 2]);
    may_have_happened(&producer.abort().await.unwrap_err());
    begin(&producer).await;
    producer.commit().await.unwrap();
}

#[tokio::test]
async fn a_commit_at_the_last_epoch_whose_answer_was_lost_is_told_of() {
    let fake = Fake::with_topic("t", 1);
    let producer = open(&fake).await;
    answers(&fake, &[Fault::LoseAfter, Fault::Refuse(ErrorCode::DAMAGED)]);
    may_have_happened(&producer.commit().await.unwrap_err());
    // It has another id since, and to abort is for that one; to commit is known to have been done.
    answers(&fake, &[Fault::Refuse(ErrorCode::UNKNOWN_TRANSACTIONAL_ID)]);
    let error = producer.abort().await.unwrap_err();
    assert!(error.to_string().contains("has committed it"), "{error}");
    assert_eq!(fake.state().ends, [true, true, false, true]);
    begin(&producer).await;
    producer.commit().await.unwrap();
}

#[tokio::test]
async fn one_that_is_fenced_does_not_know_of_a_lost_commit() {
    let fenced = Fault::Refuse(ErrorCode::FENCED_PRODUCER);
    for (faults, kind) in [
        (&[fenced, fenced][..], Kind::Refused),
        (&[Fault::LoseAfter, fenced, fenced, fenced], Kind::Unknown),
    ] {
        let fake = Fake::with_topic("t", 1);
        let producer = open(&fake).await;
        answers(&fake, faults);
        for _ in 0..2 {
            let error = producer.commit().await.unwrap_err();
            assert!(matches!(error, Error::Fenced(_)), "{error}");
            assert_eq!(error.kind(), kind, "{error}");
            assert_eq!(error.to_string().contains("is not known"), kind == Kind::Unknown);
        }
        assert!(fake.state().end_faults.is_empty());
    }
}

#[tokio::test]
async fn a_record_that_comes_during_a_commit_is_refused_by_itself() {
    let fake = Fake::with_topic("t", 1);
    let producer = open(&fake).await;
    let stray = producer.clone();
    fake.state().hold = true;
    let delivery = producer.send(NewRecord::to("t").value(b"last")).await.unwrap();
    let mut commit = Box::pin(producer.commit());
    // It waits for what was sent.
    assert!(futures::poll!(commit.as_mut()).is_pending());
    for topic in ["t", "not known yet"] {
        let record = || NewRecord::to(topic).value(b"stray");
        let error = stray.send(record()).await.unwrap_err();
        assert!(error.to_string().contains("is being committed"), "{error}");
        let error = stray.try_send(record()).unwrap_err();
        assert!(matches!(error, TrySend::Failed(Error::Invalid(_))), "{error}");
    }
    fake.release();
    commit.await.unwrap();
    delivery.await.unwrap();
    assert_eq!(fake.values(0), ["in", "last"]);
    assert_eq!(fake.state().ends, [true]);
    begin(&stray).await;
    producer.commit().await.unwrap();
}

/// What waits for the transaction that is open, so far as it comes without being polled again.
async fn crossing<T>(
    producer: &Producer,
    fake: &Fake,
    what: impl Future<Output = Result<T, Error>>,
) -> Error {
    let mut what = pin!(what);
    assert!(futures::poll!(what.as_mut()).is_pending());
    fake.release();
    producer.commit().await.unwrap();
    producer.begin().unwrap();
    what.await.err().unwrap()
}

#[tokio::test]
async fn what_waits_while_a_transaction_ends_is_no_part_of_the_next() {
    let value = [b'x'; 600];
    let record = |topic| NewRecord::to(topic).value(&value);
    for (buffer_bytes, taken) in [(1 << 10, 1), (1 << 20, 2)] {
        let fake = Fake::with_topic("t", 1);
        let client = Client::builder().connector(fake.connector()).lazy().unwrap();
        let builder = client.producer().transactional_id("a");
        let builder = builder.batch_bytes(1 << 10).buffer_bytes(buffer_bytes);
        let producer = builder.build().await.unwrap();
        begin(&producer).await;
        fake.state().hold = true;
        for _ in 0..taken {
            drop(producer.send(record("t")).await.unwrap());
        }
        if taken == 1 {
            // There is room for another when the answer to this one has come.
            while fake.state().produced < 2 {
                tokio::task::yield_now().await;
            }
        }
        // Otherwise a batch is full now, and whoever sends next lets it go first.
        let error = crossing(&producer, &fake, producer.send(record("t"))).await;
        assert!(error.to_string().contains("has ended meanwhile"), "{error}");
        // A topic that there is not, which makes only its own transaction fail.
        let error = crossing(&producer, &fake, producer.send(record("none"))).await;
        assert_eq!(error.code(), Some(ErrorCode::UNKNOWN_TOPIC), "{error}");
        producer.send(record("t")).await.unwrap().await.unwrap();
        producer.commit().await.unwrap();
        assert_eq!(fake.values(0).len(), 1 + taken + 1);
    }
}

#[tokio::test]
async fn a_second_call_that_ends_a_transaction_does_not_end_the_next() {
    let fake = Fake::with_topic("t", 1);
    let producer = open(&fake).await;
    for call in 0..3 {
        fake.state().hold = true;
        drop(producer.send(NewRecord::to("t").value(b"held")).await.unwrap());
        let mut first = pin!(producer.commit());
        assert!(futures::poll!(first.as_mut()).is_pending());
        let mut second = pin!(async {
            match call {
                0 => producer.commit().await,
                1 => producer.abort().await,
                _ => producer.send_offsets("g", &[]).await,
            }
        });
        assert!(futures::poll!(second.as_mut()).is_pending());
        fake.release();
        first.await.unwrap();
        producer.begin().unwrap();
        let error = second.await.unwrap_err();
        assert!(error.to_string().contains("has ended meanwhile"), "{error}");
        producer.send(NewRecord::to("t").value(b"next")).await.unwrap().await.unwrap();
    }
    producer.commit().await.unwrap();
    assert_eq!(fake.state().ends, [true; 4]);
}
