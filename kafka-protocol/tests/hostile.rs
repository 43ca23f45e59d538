//! Bytes from someone who means no good: never a panic, never memory beyond the bound.
//!
//! One test alone in its process, since it counts what the whole process allocates.

use onrush_kafka_protocol::messages::*;
use onrush_kafka_protocol::produce::ProduceView;
use onrush_kafka_protocol::{Message, Reader, RequestHeader, Writer, for_every_api};
use peak_alloc::PeakAlloc;
use std::hash::{BuildHasher, RandomState};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const ROUNDS: usize = 150;

/// xorshift64*.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 16).expect("48 bits fit") % bound.max(1)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }
}

/// Decodes, and holds what that allocated at its peak against the bound.
fn decode<M: Message>(bytes: &[u8], version: i16, seed: u64) {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let message = M::decode(&mut Reader::new(bytes), version);
    let took = MEMORY.peak_usage() - before;
    drop(message);
    assert!(
        took <= Reader::memory_bound(bytes.len()),
        "{} v{version}: {took} bytes for a frame of {} (seed {seed})",
        std::any::type_name::<M>(),
        bytes.len(),
    );
}

/// A message to spoil: its default, or noise.
fn start<M: Message>(version: i16, dice: &mut Dice) -> Vec<u8> {
    let mut bytes = Vec::new();
    if dice.below(4) > 0 {
        let _ = M::default().encode(&mut Writer::new(&mut bytes), version);
    }
    // Mostly small numbers: they make counts and lengths that hold for a while.
    for _ in 0..dice.below(120) {
        bytes.push(if dice.below(3) > 0 { [0, 1, 2, 3][dice.below(4)] } else { dice.byte() });
    }
    bytes
}

fn spoil(bytes: &mut Vec<u8>, dice: &mut Dice) {
    const HUGE: [&[u8]; 6] = [
        &[0x7f, 0xff, 0xff, 0xff],
        &[0x80, 0, 0, 0],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0xff, 0xff, 0xff, 0x07],
        &[0x7f, 0xff],
        &[0, 0x01, 0, 0],
    ];
    for _ in 0..1 + dice.below(4) {
        let at = dice.below(bytes.len() + 1);
        match dice.below(4) {
            0 => {
                let huge = HUGE[dice.below(HUGE.len())];
                let end = (at + huge.len()).min(bytes.len());
                bytes.splice(at..end, huge.iter().copied());
            }
            1 => bytes.truncate(at),
            2 => bytes.insert(at, dice.byte()),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
        }
    }
}

fn attack<M: Message>(dice: &mut Dice, seed: u64) {
    for version in M::VERSIONS {
        for _ in 0..ROUNDS {
            let mut bytes = start::<M>(version, dice);
            spoil(&mut bytes, dice);
            decode::<M>(&bytes, version, seed);
        }
    }
    // Long frames whose every byte could be an element: counts as large as the frame backs.
    for version in M::VERSIONS {
        for filling in [0, 1, 2] {
            for at in 0..24 {
                let mut bytes = vec![filling; 300_000];
                let count = [0, 0, 0xff, 0xff];
                bytes[at..at + 4].copy_from_slice(&count);
                decode::<M>(&bytes, version, seed);
                bytes[at..at + 3].copy_from_slice(&[0xff, 0xff, 0x03]);
                decode::<M>(&bytes, version, seed);
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "it needs many rounds, which an interpreter has no time for")]
fn whatever_comes_nothing_panics_and_memory_is_bounded() {
    let seed = std::env::var("ONRUSH_SEED")
        .map_or_else(|_| RandomState::new().hash_one("seed"), |seed| seed.parse().unwrap())
        | 1;
    println!("seed: ONRUSH_SEED={seed}");
    let mut dice = Dice(seed);
    macro_rules! all {
        ($($key:ident: $request:ident => $response:ident,)+) => {
            $(
                attack::<$request>(&mut dice, seed);
                attack::<$response>(&mut dice, seed);
            )+
        };
    }
    for_every_api!(all);

    for version in ProduceRequest::VERSIONS {
        for _ in 0..ROUNDS {
            let mut bytes = start::<ProduceRequest>(version, &mut dice);
            spoil(&mut bytes, &mut dice);
            let mut input = Reader::new(&bytes);
            if let Ok(view) = ProduceView::decode(&mut input, version) {
                for partition in view.partitions() {
                    let _ = partition.records.map(|range| bytes[range].len());
                }
            }
            let _ = RequestHeader::decode(&mut Reader::new(&bytes));
        }
    }
}
