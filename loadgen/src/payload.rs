//! What a message carries: when it was due, who sent it, and which one it is.

/// The least that a value can be long: room for a stamp.
pub const STAMP_LEN: usize = 16;

/// The first bytes of every value, little-endian.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When the message was due, in nanoseconds since the epoch.
    pub due_ns: u64,
    /// Which producer sent it.
    pub producer: u16,
    /// Which of that producer's messages it is (48 bits).
    pub sequence: u64,
}

impl Stamp {
    /// Writes it over the front of a value, which is at least [`STAMP_LEN`] long.
    pub fn write(self, value: &mut [u8]) {
        let tail = self.sequence << 16 | u64::from(self.producer);
        value[..8].copy_from_slice(&self.due_ns.to_le_bytes());
        value[8..STAMP_LEN].copy_from_slice(&tail.to_le_bytes());
    }

    /// Reads it from a value; `None` where that is too short to have one.
    #[must_use]
    pub fn read(value: &[u8]) -> Option<Stamp> {
        let (due_ns, rest) = value.split_first_chunk::<8>()?;
        let tail = u64::from_le_bytes(*rest.first_chunk::<8>()?);
        let producer = u16::try_from(tail & 0xffff).ok()?;
        Some(Stamp { due_ns: u64::from_le_bytes(*due_ns), producer, sequence: tail >> 16 })
    }
}

/// A value of that many bytes, filled with what does not compress within one message.
#[must_use]
pub fn template(len: usize) -> Vec<u8> {
    let mut state: u32 = 0x9e37_79b9;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(len.max(STAMP_LEN)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_reads_back() {
        let mut value = template(100);
        let stamp = Stamp { due_ns: u64::MAX - 7, producer: 65_535, sequence: (1 << 48) - 1 };
        stamp.write(&mut value);
        assert_eq!(Stamp::read(&value), Some(stamp));
        assert_eq!(Stamp::read(&value[..STAMP_LEN - 1]), None);
    }
}
