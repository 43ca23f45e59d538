//! Kafka's variable-length integers: zigzag, then seven bits a byte, the lowest first.

/// Maps small numbers of either sign to small unsigned ones.
#[inline(always)]
pub(crate) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

#[inline(always)]
const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

#[inline(always)]
const fn unzigzag_short(value: u32) -> i32 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// Bytes that the varint of `value` takes.
pub(crate) const fn len(value: i64) -> usize {
    let significant = 63 - (zigzag(value) | 1).leading_zeros() as usize;
    significant / 7 + 1
}

/// Bytes of the longest varint.
const LONGEST: usize = 10;

/// Writes the varint of `value` into `out` at `at`, and says where it ends. `out` has room for it.
pub(crate) fn put(out: &mut [u8], mut at: usize, value: i64) -> usize {
    let mut rest = zigzag(value);
    while rest >= 0x80 {
        out[at] = rest.to_le_bytes()[0] | 0x80;
        rest >>= 7;
        at += 1;
    }
    out[at] = rest.to_le_bytes()[0];
    at + 1
}

/// Takes a varint of at most 64 bits off the front of `input`; `None` if it is cut short or too long.
#[inline(always)]
pub(crate) fn take_long(input: &mut &[u8]) -> Option<i64> {
    match **input {
        [a, ref rest @ ..] if a < 0x80 => {
            *input = rest;
            Some(unzigzag(u64::from(a)))
        }
        [a, b, ref rest @ ..] if b < 0x80 => {
            *input = rest;
            Some(unzigzag(u64::from(a & 0x7f) | u64::from(b) << 7))
        }
        _ => {
            let (value, used) = take_slowly(input)?;
            *input = &input[used..];
            Some(value)
        }
    }
}

/// Takes a varint of at most 32 bits off the front of `input`; `None` if it is cut short or too long.
#[inline(always)]
pub(crate) fn take(input: &mut &[u8]) -> Option<i32> {
    // As above, but in 32 bits: no check of the range on the short ways.
    match **input {
        [a, ref rest @ ..] if a < 0x80 => {
            *input = rest;
            Some(unzigzag_short(u32::from(a)))
        }
        [a, b, ref rest @ ..] if b < 0x80 => {
            *input = rest;
            Some(unzigzag_short(u32::from(a & 0x7f) | u32::from(b) << 7))
        }
        _ => {
            let (value, used) = take_slowly(input)?;
            *input = &input[used..];
            i32::try_from(value).ok()
        }
    }
}

/// The varint at the front of `input` and how many bytes it takes. Takes its input by value, so that the
/// caller's stays in registers.
#[cold]
fn take_slowly(input: &[u8]) -> Option<(i64, usize)> {
    let mut value = 0u64;
    for (i, &byte) in input.iter().take(LONGEST).enumerate() {
        let bits = u64::from(byte & 0x7f);
        if i == LONGEST - 1 && bits > 1 {
            return None;
        }
        value |= bits << (7 * i);
        if byte < 0x80 {
            return Some((unzigzag(value), i + 1));
        }
    }
    None
}

/// The varint of a number already in zigzag and below 2^14, in the low bytes of the result, and how many
/// bits of it count.
#[inline(always)]
pub(crate) fn short(zigzag: u64) -> (u64, u32) {
    if zigzag < 0x80 { (zigzag, 8) } else { (zigzag & 0x7f | 0x80 | zigzag >> 7 << 8, 16) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_there_and_back() {
        let mut values = vec![0, i64::MIN, i64::MAX, i64::from(i32::MIN), i64::from(i32::MAX)];
        for shift in 0..63 {
            for near in [-1, 0, 1] {
                values.extend([(1i64 << shift) + near, -(1i64 << shift) + near]);
            }
        }
        for value in values {
            let mut bytes = [0xff; LONGEST + 1];
            let end = put(&mut bytes, 0, value);
            assert_eq!(end, len(value), "{value}");
            if end <= 2 {
                let mut low = [0; 8];
                low[..end].copy_from_slice(&bytes[..end]);
                let bits = u32::try_from(8 * end).unwrap();
                assert_eq!(short(zigzag(value)), (u64::from_le_bytes(low), bits));
            }
            let mut rest = &bytes[..];
            assert_eq!(take_long(&mut rest), Some(value));
            assert_eq!(rest.len(), bytes.len() - end);
            let mut rest = &bytes[..];
            assert_eq!(take(&mut rest), i32::try_from(value).ok());
            for cut in 0..end {
                assert_eq!(take_long(&mut &bytes[..cut]), None, "{value} cut to {cut}");
            }
        }
    }

    #[test]
    fn known_encodings() {
        for (value, bytes) in [
            (0, &[0][..]),
            (-1, &[1]),
            (1, &[2]),
            (63, &[0x7e]),
            (-64, &[0x7f]),
            (64, &[0x80, 1]),
            (8191, &[0xfe, 0x7f]),
            (8192, &[0x80, 0x80, 1]),
        ] {
            let mut out = [0; LONGEST];
            let end = put(&mut out, 0, value);
            assert_eq!(&out[..end], bytes);
        }
    }

    #[test]
    fn too_long_is_refused() {
        assert_eq!(take_long(&mut &[0x80; 11][..]), None);
        let mut bytes = [0xff; 10];
        bytes[9] = 2;
        assert_eq!(take_long(&mut &bytes[..]), None);
        bytes[9] = 1;
        assert_eq!(take_long(&mut &bytes[..]), Some(i64::MIN));
    }
}
