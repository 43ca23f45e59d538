//! Events as bytes.

use super::partition::{Change, Fate};
use super::*;

fn all() -> Vec<ShareEvent> {
    let member = MemberRecord {
        member_id: "m".to_owned(),
        rack: Some("r".to_owned()),
        client_id: "c".to_owned(),
        client_host: "h".to_owned(),
        topics: vec!["t".to_owned(), "u".to_owned()],
        epoch: 7,
    };
    let changes = vec![
        Change { first: 1, end: 4, fate: Fate::Available, deliveries: 2 },
        Change { first: 4, end: 5, fate: Fate::Acknowledged, deliveries: 1 },
        Change { first: 9, end: 10, fate: Fate::Archived, deliveries: 5 },
    ];
    [
        What::EpochBumped { epoch: 3 },
        What::MemberChanged(Box::new(member)),
        What::MemberRemoved { member_id: "m".to_owned() },
        What::Configured { overrides: Overrides::from([("k".to_owned(), "v".to_owned())]) },
        What::Started { partition: KEY, epoch: 2, start: 5 },
        What::Settled { partition: KEY, changes },
        What::Truncated { partition: KEY, end: 8 },
        What::Forgotten { partitions: vec![KEY] },
        What::Deleted,
    ]
    .map(|what| ShareEvent::new("g", what))
    .into()
}

#[test]
fn what_is_written_is_read() {
    for event in all() {
        assert_eq!(ShareEvent::decode(&event.encode()), Ok(event));
    }
}

#[test]
fn bytes_that_are_no_event_are_refused() {
    for event in all() {
        let bytes = event.encode();
        for cut in 0..bytes.len() {
            assert!(ShareEvent::decode(&bytes[..cut]).is_err(), "{event:?} cut at {cut}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(ShareEvent::decode(&longer).is_err());
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x81;
            // It may be another event by chance; it must not panic or take memory at its word.
            let _ = ShareEvent::decode(&flipped);
        }
    }
    assert!(ShareEvent::decode(&[2, 1]).unwrap_err().contains("newer"));
}
