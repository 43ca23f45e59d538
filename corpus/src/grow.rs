//! Valid encodings, grown by the decoder.
//!
//! It is fed nothing and says what is missing; that is made up and appended, and it is asked again,
//! until it is content. What it does not like is taken back. So no message has to be written down
//! here, and what was appended in one piece is a field: that is how it is known where to spoil.

use onrush_kafka_protocol::wire::DecodeFault;
use onrush_kafka_protocol::{Message, Reader};

use crate::Dice;

/// Times the decoder is asked before giving up.
const STEPS: usize = 4000;
/// An encoding of this many bytes comes to an end.
const ENOUGH: usize = 400;
/// One of this many does not, and is begun anew: it has announced too much.
const TOO_MUCH: usize = 3 * ENOUGH;
/// Texts and bytes are no longer than this.
const LONGEST: usize = 40;
/// Arrays have no more elements than this.
const MOST: usize = 6;

/// A valid encoding of a message.
#[derive(Clone, Debug)]
pub struct Encoding {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Where fields begin, in order.
    pub starts: Vec<usize>,
}

/// Makes up a message of a version. Nothing: it did not come to an end.
#[must_use]
pub fn grow<M: Message>(version: i16, dice: &mut Dice) -> Option<Encoding> {
    let (mut bytes, mut starts) = (Vec::new(), Vec::new());
    for _ in 0..STEPS {
        let mut input = Reader::new(&bytes);
        let fault = match M::decode(&mut input, version) {
            Ok(_) => {
                bytes.truncate(input.position());
                starts.retain(|start| *start < bytes.len());
                return Some(Encoding { bytes, starts });
            }
            Err(error) => error.fault,
        };
        let missing = match fault {
            DecodeFault::Truncated { need, have } if need - have <= LONGEST => need - have,
            // Room for the elements; what it holds they will be.
            DecodeFault::CountTooLarge { count, .. } if count <= MOST => 1 + dice.below(4),
            _ => {
                // What was read last is to blame, or what led to it.
                let read = input.position();
                while starts.last().is_some_and(|start| *start >= read) {
                    starts.pop();
                }
                let back = if dice.one_in(8) { 1 + dice.below(4) } else { 1 };
                for _ in 0..back {
                    bytes.truncate(starts.pop().unwrap_or(0));
                }
                continue;
            }
        };
        if bytes.len() > TOO_MUCH {
            bytes.clear();
            starts.clear();
            continue;
        }
        starts.push(bytes.len());
        append(missing, &mut bytes, dice);
    }
    None
}

/// Appends what may be a number, a length or count, or text.
fn append(len: usize, bytes: &mut Vec<u8>, dice: &mut Dice) {
    let ending = bytes.len() > ENOUGH;
    match len {
        1 if ending => bytes.push(dice.pick(&[0, 1])),
        1 => bytes.push(match dice.below(20) {
            0 => dice.pick(&[0x7f, 0x81, 0xff]),
            1..4 => b't',
            _ => dice.pick(&[0, 1, 1, 1, 2, 2, 3, 5]),
        }),
        2 | 4 | 8 | 16 => {
            let small = if ending { 0 } else { dice.pick(&[0, 0, 1, 1, 1, 2, 3, 9]) };
            let (fill, last) = match dice.below(if ending { 10 } else { 16 }) {
                0..10 => (0, small),
                10 => (0xff, 0xff),
                11 => (0x7f, 0xff),
                12 | 13 => (b't', b't'),
                _ => (dice.byte(), dice.byte()),
            };
            bytes.resize(bytes.len() + len - 1, fill);
            bytes.push(last);
        }
        _ => bytes.extend((0..len).map(|_| dice.pick(b"tttgx-"))),
    }
}
