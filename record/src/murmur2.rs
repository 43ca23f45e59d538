//! The hash by which Kafka's default partitioner spreads keys: murmur2 with a seed of Kafka's own.
//! Every client must agree on it, or records of one key end up in two partitions.

const SEED: u32 = 0x9747_b28c;
const MULTIPLIER: u32 = 0x5bd1_e995;

/// Kafka's murmur2 of `key`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the hash starts from the low 32 bits of the length, as in Kafka"
)]
pub fn murmur2(key: &[u8]) -> i32 {
    let mut hash = SEED ^ key.len() as u32;
    let (words, rest) = key.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        k ^= k >> 24;
        hash = hash.wrapping_mul(MULTIPLIER) ^ k.wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        for (i, &byte) in rest.iter().enumerate() {
            hash ^= u32::from(byte) << (8 * i);
        }
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^= hash >> 15;
    hash.cast_signed()
}

/// The partition, of `partitions`, that Kafka's default partitioner gives `key`. A topic always has a
/// partition; for none this answers 0.
pub fn partition_for_key(key: &[u8], partitions: u32) -> u32 {
    let positive = murmur2(key).cast_unsigned() & 0x7fff_ffff;
    positive.checked_rem(partitions).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of Kafka's own `UtilsTest.testMurmur2`.
    #[test]
    fn kafkas_vectors() {
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()), hash, "{key}");
        }
    }

    #[test]
    fn partitions_are_in_range() {
        // (murmur2 & 0x7fffffff) % n, as the Java client computes it.
        assert_eq!(partition_for_key(b"foobar", 7), ((-790_332_482i32) & 0x7fff_ffff) as u32 % 7);
        assert_eq!(partition_for_key(b"foobar", 1), 0);
        assert_eq!(partition_for_key(b"foobar", 0), 0);
    }
}
