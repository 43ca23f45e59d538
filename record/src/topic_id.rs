//! The identity of a topic: 16 bytes, written as a UUID. Its name is data and may be reused; this is not.

use std::fmt;
use std::str::FromStr;

/// What a topic is known by inside the broker, in its directories, and on the wire.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Default)]
pub struct TopicId([u8; 16]);

impl TopicId {
    /// No topic.
    pub const NIL: Self = Self([0; 16]);

    /// Wraps 16 bytes.
    #[inline]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes, in the order in which they are written as text.
    #[inline]
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TopicId({self})")
    }
}

/// The text is not a topic id.
#[derive(Clone, Eq, PartialEq, Debug, thiserror::Error)]
#[error(
    "not a topic id: expected 32 hexadecimal digits written 8-4-4-4-12, as in 0192f0c1-2b3c-4d5e-8f90-a1b2c3d4e5f6"
)]
pub struct ParseTopicIdError;

impl FromStr for TopicId {
    type Err = ParseTopicIdError;

    /// Reads what [`Display`](fmt::Display) writes, and nothing else, so that one id has one spelling
    /// (but for the case of its digits).
    fn from_str(text: &str) -> Result<Self, ParseTopicIdError> {
        let text = text.as_bytes();
        if text.len() != 36 {
            return Err(ParseTopicIdError);
        }
        let mut bytes = [0u8; 16];
        let mut digits = 0;
        for (i, &symbol) in text.iter().enumerate() {
            if matches!(i, 8 | 13 | 18 | 23) {
                if symbol != b'-' {
                    return Err(ParseTopicIdError);
                }
                continue;
            }
            let value = match symbol {
                b'0'..=b'9' => symbol - b'0',
                b'a'..=b'f' => symbol - b'a' + 10,
                b'A'..=b'F' => symbol - b'A' + 10,
                _ => return Err(ParseTopicIdError),
            };
            bytes[digits / 2] = bytes[digits / 2] << 4 | value;
            digits += 1;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let id = TopicId::new(std::array::from_fn(|i| u8::try_from(i * 17).unwrap()));
        assert_eq!(id.to_string(), "00112233-4455-6677-8899-aabbccddeeff");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in [
            "",
            "00112233445566778899aabbccddeeff",
            "00112233-4455-6677-8899-aabbccddeef",
            "00112233-4455-6677-8899-aabbccddeefff",
            "0011223-34455-6677-8899-aabbccddeeff",
            "0011223g-4455-6677-8899-aabbccddeeff",
            "00112233-4455-6677-8899-aabbccddee\u{e9}",
        ] {
            assert_eq!(text.parse::<TopicId>(), Err(ParseTopicIdError), "{text}");
        }
    }
}
