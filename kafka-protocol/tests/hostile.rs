//! Bytes from someone who means no good: never a panic, never memory beyond the bound.
//!
//! A fuzz target for every request and every response, by name: `cargo test -p
//! onrush-kafka-protocol --test hostile requests::MetadataRequest`. Each grows valid encodings of
//! every version, spoils them field by field, and holds what decoding takes against the bound.
//! `ONRUSH_FUZZ_ROUNDS` makes them longer, `ONRUSH_SEED` brings a run back.

#![cfg(not(miri))] // It needs many rounds, which an interpreter has no time for.

use std::sync::{Mutex, PoisonError};

use onrush_corpus::{Dice, Encoding, Seed, grow, rounds};
use onrush_kafka_protocol::messages::ProduceRequest;
use onrush_kafka_protocol::produce::ProduceView;
use onrush_kafka_protocol::{Message, Reader, RequestHeader, Writer, for_every_api};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What is counted is what the whole process allocates: one target at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Valid encodings of a version in one round; each is spoilt with parts of the others.
const VALID: usize = 6;
/// Times that each is spoilt.
const SPOILT: usize = 50;

/// Decodes, and holds what that allocated at its peak against the bound.
fn decode<M: Message>(bytes: &[u8], version: i16) -> Option<M> {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let message = M::decode(&mut Reader::new(bytes), version);
    let took = MEMORY.peak_usage().saturating_sub(before);
    let name = std::any::type_name::<M>();
    assert!(
        took <= Reader::memory_bound(bytes.len()),
        "{name} v{version}: {took} bytes for a frame of {}",
        bytes.len(),
    );
    message.ok()
}

/// What was understood can be said, and is understood again.
fn stands<M: Message>(message: &M, version: i16, bytes: &[u8]) {
    let say = |message: &M| {
        let mut out = Vec::new();
        let said = message.encode(&mut Writer::new(&mut out), version);
        said.map(|()| out).unwrap_or_else(|error| panic!("v{version} of {bytes:02x?}: {error}"))
    };
    let once = say(message);
    let mut input = Reader::new(&once);
    let again = M::decode(&mut input, version);
    let again = again.unwrap_or_else(|error| panic!("v{version} of {bytes:02x?}: {error}"));
    assert_eq!(input.remaining(), 0, "v{version} of {bytes:02x?}");
    assert_eq!(say(&again), once, "v{version} of {bytes:02x?}");
}

/// One round of one version: the encodings and, of each, what is left when it is spoilt.
fn round<M: Message>(version: i16, dice: &mut Dice, mut look: impl FnMut(&[u8], Option<M>)) {
    let tries = (0..VALID * 10).filter_map(|_| grow::<M>(version, dice));
    let valid: Vec<Encoding> = tries.take(VALID).collect();
    let name = std::any::type_name::<M>();
    assert_eq!(valid.len(), VALID, "{name} v{version}: it is hard to make one up");
    for encoding in &valid {
        let message = decode::<M>(&encoding.bytes, version);
        assert!(message.is_some(), "{name} v{version}: {:02x?}", encoding.bytes);
        look(&encoding.bytes, message);
        for _ in 0..SPOILT {
            let bytes = encoding.spoil(&valid[dice.below(valid.len())], dice);
            let message = decode::<M>(&bytes, version);
            look(&bytes, message);
        }
    }
}

fn fuzz<M: Message>() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let seed = Seed::take(std::any::type_name::<M>());
    for (part, version) in (0..).zip(M::VERSIONS) {
        let mut dice = seed.dice(part);
        for _ in 0..rounds(4) {
            round::<M>(version, &mut dice, |bytes, message| {
                if let Some(message) = message {
                    stands(&message, version, bytes);
                }
            });
        }
        long_frames::<M>(version);
    }
}

/// Long frames whose every byte could be an element: counts as large as the frame backs.
fn long_frames<M: Message>(version: i16) {
    for filling in [0, 1, 2] {
        for at in 0..24 {
            let mut bytes = vec![filling; 300_000];
            bytes[at..at + 4].copy_from_slice(&[0, 0, 0xff, 0xff]);
            decode::<M>(&bytes, version);
            bytes[at..at + 3].copy_from_slice(&[0xff, 0xff, 0x03]);
            decode::<M>(&bytes, version);
        }
    }
}

macro_rules! targets {
    ($($key:ident: $request:ident => $response:ident,)+) => {
        mod requests {
            $( #[test] fn $request() { super::fuzz::<onrush_kafka_protocol::messages::$request>(); } )+
        }

        mod responses {
            $( #[test] fn $response() { super::fuzz::<onrush_kafka_protocol::messages::$response>(); } )+
        }
    };
}
for_every_api!(targets);

/// The borrowed form understands whatever the plain one does, and the same by it.
#[test]
fn the_view_of_a_produce() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let seed = Seed::take("the view of a produce");
    for (part, version) in (0..).zip(ProduceRequest::VERSIONS) {
        let mut dice = seed.dice(part);
        for _ in 0..rounds(8) {
            round::<ProduceRequest>(version, &mut dice, |bytes, plain| {
                let view = ProduceView::decode(&mut Reader::new(bytes), version);
                let records = view.as_ref().map(|view| {
                    let found = view.partitions();
                    let records = found.map(|it| (it.index, it.records.map(|at| &bytes[at])));
                    records.collect::<Vec<_>>()
                });
                let Some(plain) = plain else { return };
                let topics = plain.topic_data.iter().flat_map(|topic| &topic.partition_data);
                let wanted: Vec<_> = topics.map(|it| (it.index, it.records.as_deref())).collect();
                assert_eq!(records, Ok(wanted), "v{version} of {bytes:02x?}");
            });
        }
    }
}

#[test]
fn the_header_of_a_request() {
    let mut dice = Seed::take("the header of a request").dice(0);
    for _ in 0..rounds(20_000) {
        let header = RequestHeader {
            api_key: i16::from(dice.byte()) - 2,
            api_version: i16::from(dice.byte() % 16) - 1,
            correlation_id: 7,
            client_id: dice.one_in(3).then(|| "client".to_owned()),
        };
        let mut bytes = Vec::new();
        header.encode(&mut Writer::new(&mut bytes)).expect("it is short");
        assert_eq!(RequestHeader::decode(&mut Reader::new(&bytes)), Ok(header));
        let starts = vec![0, 2, 4, 8, 10];
        let encoding = Encoding { bytes, starts };
        let _ = RequestHeader::decode(&mut Reader::new(&encoding.spoil(&encoding, &mut dice)));
    }
}
