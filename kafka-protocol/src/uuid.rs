//! Kafka's 16-byte identities: of topics, and of members that name themselves.

use std::fmt;

/// Sixteen bytes that name something for good.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Default)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// All zeros: nothing is named.
    pub const ZERO: Self = Self([0; 16]);

    /// Whether nothing is named.
    #[inline]
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }
}

impl fmt::Display for Uuid {
    /// As Kafka's tools print it: base64 for URLs, without padding.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        // 128 bits are 21 digits of six bits and one of two, filled up with zeros.
        let bits = u128::from_be_bytes(self.0);
        let digit = |six: u128| char::from(DIGITS[usize::from((six & 0x3f) as u8)]);
        for shift in (0..21).map(|place| 122 - 6 * place) {
            fmt::Write::write_char(f, digit(bits >> shift))?;
        }
        fmt::Write::write_char(f, digit(bits << 4))
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uuid({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::Uuid;

    #[test]
    fn it_prints_as_kafkas_tools_print_it() {
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(Uuid([0xff; 16]).to_string(), "_____________________w");
        let counted: [u8; 16] = std::array::from_fn(|i| u8::try_from(i).unwrap());
        assert_eq!(Uuid(counted).to_string(), "AAECAwQFBgcICQoLDA0ODw");
    }
}
