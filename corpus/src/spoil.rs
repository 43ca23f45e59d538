//! Valid encodings broken where their fields begin.

use crate::{Dice, Encoding};

/// Numbers of variable length, and other lengths, that nothing backs: 2³¹ - 1, 2³¹, 2³², none.
const UNBACKED: [&[u8]; 7] = [
    &[0x7f, 0xff, 0xff, 0xff],
    &[0x80, 0, 0, 0],
    &[0xff, 0xff, 0xff, 0xff, 0x07],
    &[0x80, 0x80, 0x80, 0x80, 0x08],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x7f, 0xff],
];

impl Encoding {
    /// A copy broken in one to three places, some of it with parts of `other`.
    #[must_use]
    pub fn spoil(&self, other: &Encoding, dice: &mut Dice) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        for _ in 0..=dice.below(3) {
            self.once(other, &mut bytes, dice);
        }
        bytes
    }

    fn once(&self, other: &Encoding, bytes: &mut Vec<u8>, dice: &mut Dice) {
        // Of what was broken before, fields may have moved; it is a place like any other then.
        let (start, end) = self.field(dice);
        let (start, end) = (start.min(bytes.len()), end.min(bytes.len()));
        let anywhere = dice.below(bytes.len() + 1);
        match dice.below(10) {
            0 => {
                let (first, rest) =
                    dice.pick(&[(0, 0), (0xff, 0xff), (0x7f, 0xff), (0x80, 0), (0, 1)]);
                bytes[start..end].fill(rest);
                bytes[start..end].iter_mut().take(1).for_each(|byte| *byte = first);
            }
            1 => drop(bytes.splice(start..end, dice.pick(&UNBACKED).iter().copied())),
            2 => drop(bytes.drain(start..end)),
            3 => {
                let twice = bytes[start..end].to_vec();
                bytes.splice(start..start, twice);
            }
            4 => {
                let (from, to) = other.field(dice);
                bytes.splice(start..end, other.bytes[from..to].iter().copied());
            }
            5 => {
                let (from, _) = other.field(dice);
                bytes.truncate(start);
                bytes.extend_from_slice(&other.bytes[from..]);
            }
            6 => bytes.truncate(start),
            // A tagged field that nobody knows, where there may have been none.
            7 => {
                let tag = [1, dice.pick(&[0, 1, 2, 9]), 2, dice.byte(), dice.byte()];
                let end = (anywhere + 1).min(bytes.len());
                bytes.splice(anywhere..end, tag);
            }
            8 => bytes.insert(anywhere, dice.byte()),
            _ => {
                if let Some(byte) = bytes.get_mut(anywhere) {
                    *byte ^= 1 << dice.below(8);
                }
            }
        }
    }

    /// Where some field begins and ends; nothing of a message of none.
    fn field(&self, dice: &mut Dice) -> (usize, usize) {
        let number = dice.below(self.starts.len());
        let start = self.starts.get(number).copied().unwrap_or(0);
        (start, self.starts.get(number + 1).copied().unwrap_or(self.bytes.len()))
    }
}
