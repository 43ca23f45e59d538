//! What is written down is read again, and nothing else is.

use std::sync::Arc;

use onrush_record::{Offset, ProducerEpoch, ProducerId, TopicId};

use crate::transaction::TransactionState;
use crate::transaction::event::TransactionEvent;
use crate::transaction::state::{Identity, Transaction};

fn identity(producer: i64, epoch: i16) -> Identity {
    Identity { producer: ProducerId::new(producer), epoch: ProducerEpoch::new(epoch) }
}

fn samples() -> Vec<TransactionEvent> {
    let id: Arc<str> = Arc::from("orders-writer");
    let partitions = vec![(TopicId::new([1; 16]), 0), (TopicId::new([2; 16]), 7)];
    let changed = |state, previous| {
        TransactionEvent::Changed(Box::new(Transaction {
            id: Arc::clone(&id),
            current: identity(7, 3),
            previous,
            marker: identity(6, i16::MAX),
            timeout_ms: 60_000,
            state,
            partitions: partitions.iter().map(|at| (*at, Offset::ZERO)).collect(),
            groups: [("g".to_owned(), Offset::ZERO)].into(),
            started_at_ms: 5,
            changed_at_ms: -1,
            ending: None,
        }))
    };
    let mut samples: Vec<_> =
        TransactionState::ALL.into_iter().map(|state| changed(state, None)).collect();
    samples.push(changed(TransactionState::Ongoing, Some(identity(7, 2))));
    samples.push(TransactionEvent::Added {
        id: Arc::clone(&id),
        at_ms: 9,
        partitions: partitions.clone(),
        groups: vec!["g".to_owned(), "h".to_owned()],
    });
    samples.push(TransactionEvent::Removed { id });
    samples
}

#[test]
fn events_are_read_as_they_were_written() {
    for event in samples() {
        let bytes = event.encode();
        assert_eq!(TransactionEvent::decode(&bytes), Ok(event));
        for cut in 0..bytes.len() {
            assert!(TransactionEvent::decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        assert!(TransactionEvent::decode(&[bytes, vec![0]].concat()).is_err());
    }
}

#[test]
fn what_was_not_written_by_this_version_is_refused() {
    assert!(TransactionEvent::decode(&[2, 1]).unwrap_err().contains("newer"));
    assert!(TransactionEvent::decode(&[0, 1]).is_err());
    assert!(TransactionEvent::decode(&[1, 9, 0, 0, 0, 0]).is_err());
    // An announced count reserves nothing.
    let mut huge = vec![1, 2, 0, 0, 0, 0];
    huge.extend([0; 8]);
    huge.extend([0xff; 4]);
    assert!(TransactionEvent::decode(&huge).is_err());
}

#[test]
fn states_have_kafkas_names() {
    for state in TransactionState::ALL {
        assert_eq!(TransactionState::from_name(state.name()), Some(state));
    }
    assert_eq!(TransactionState::from_name("Open"), None);
}
