//! A batch with its records compressed otherwise.

use super::header::at;
use super::stamp::{put, stamp_crc};
use super::{BatchError, BatchRef, Codec, HEADER_LEN, LENGTH_PREFIX};
use crate::codec;

/// Appends to `out` the same batch with its records compressed by `codec`: the same records and header,
/// but for the codec, the length and the checksum.
///
/// # Errors
/// If the records do not decompress, or to more than `cap` bytes, or the codec fails; `out` then ends in
/// bytes of no use.
pub fn recompress(
    batch: &BatchRef<'_>,
    codec: Codec,
    cap: usize,
    out: &mut Vec<u8>,
) -> Result<(), BatchError> {
    let mut scratch = Vec::new();
    let attributes = batch.header().attributes;
    let plain = match attributes.codec()? {
        Codec::None => batch.payload(),
        _ => {
            batch.decompress_into(&mut scratch, cap)?;
            &scratch
        }
    };
    let start = out.len();
    out.extend_from_slice(&batch.bytes()[..HEADER_LEN]);
    codec::compress(codec, plain, out)?;
    let Ok(length) = i32::try_from(out.len() - start - LENGTH_PREFIX) else {
        let length = (out.len() - start) as u64;
        return Err(BatchError::TooLarge { length, max: i32::MAX.unsigned_abs().into() });
    };
    let made = &mut out[start..];
    put(made, at::LENGTH, length.to_be_bytes());
    put(made, at::ATTRIBUTES, attributes.recoded(codec).bits().to_be_bytes());
    stamp_crc(made);
    Ok(())
}

// Miri cannot run zstd, which is C.
#[cfg(test)]
#[cfg(not(miri))]
mod tests {
    use super::super::{Attributes, BatchBuilder, validate};
    use super::*;
    use crate::{ProducerEpoch, ProducerId, Sequence};

    const ALL: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

    fn batch(codec: Codec) -> Vec<u8> {
        let who = (ProducerId::new(7), ProducerEpoch::new(3), Sequence::new(11));
        let mut builder = BatchBuilder::new(codec).with_producer(who.0, who.1, who.2);
        builder.set_transactional(true);
        for i in 0..100_u8 {
            builder.push(1_000 + i64::from(i), Some(&[i]), Some(&[b'v'; 50]), &[(b"h", None)]);
        }
        builder.finish().unwrap()
    }

    #[test]
    fn only_the_compression_changes() {
        for (from, to) in ALL.into_iter().flat_map(|from| ALL.map(|to| (from, to))) {
            let before = batch(from);
            let mut after = b"before".to_vec();
            let parsed = BatchRef::parse(&before).unwrap();
            recompress(&parsed, to, 1 << 20, &mut after).unwrap();
            let after = after.strip_prefix(b"before").unwrap();
            let header = validate(after, u32::MAX).unwrap();
            assert_eq!(header.attributes, Attributes::with_codec(to).transactional(true));
            assert_eq!(header.base_sequence, Sequence::new(11));
            assert_eq!(header.max_timestamp, 1_099);
            let (mut one, mut two) = (Vec::new(), Vec::new());
            parsed.decompress_into(&mut one, 1 << 20).unwrap();
            BatchRef::parse(after).unwrap().decompress_into(&mut two, 1 << 20).unwrap();
            assert_eq!(one, two, "{from} to {to}");
        }
    }

    #[test]
    fn what_decompresses_to_more_than_allowed_is_refused() {
        let bytes = batch(Codec::Zstd);
        let parsed = BatchRef::parse(&bytes).unwrap();
        let error = recompress(&parsed, Codec::None, 100, &mut Vec::new()).unwrap_err();
        assert_eq!(error, BatchError::TooLargeDecompressed { cap: 100 });
    }
}
