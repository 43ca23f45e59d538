//! CRC-32C (Castagnoli), the checksum of record batches and of our own files.

/// The CRC-32C of `bytes`.
#[inline]
pub fn crc32c(bytes: &[u8]) -> u32 {
    imp::append(0, bytes)
}

/// The CRC-32C of what `crc` was computed over, followed by `bytes`. `crc32c_append(0, b) == crc32c(b)`.
#[inline]
pub fn crc32c_append(crc: u32, bytes: &[u8]) -> u32 {
    imp::append(crc, bytes)
}

#[cfg(not(miri))]
mod imp {
    use crc_fast::{CrcAlgorithm, Digest};

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a CRC-32 comes back in 64 bits")]
    pub(super) fn append(crc: u32, bytes: &[u8]) -> u32 {
        if crc == 0 {
            return crc_fast::crc32_iscsi(bytes);
        }
        // The state of the register is the checksum before its final inversion.
        let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, u64::from(!crc));
        digest.update(bytes);
        digest.finalize() as u32
    }
}

/// Miri runs no SIMD intrinsics of crc-fast's kind, so there a table does the work.
#[cfg(miri)]
mod imp {
    pub(super) fn append(crc: u32, bytes: &[u8]) -> u32 {
        super::table::append(crc, bytes)
    }
}

#[cfg(any(miri, test))]
mod table {
    const fn entry(mut value: u32) -> u32 {
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { value >> 1 ^ 0x82f6_3b78 } else { value >> 1 };
            bit += 1;
        }
        value
    }

    static TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            table[i as usize] = entry(i);
            i += 1;
        }
        table
    };

    pub(super) fn append(crc: u32, bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!crc, |state, &byte| {
            TABLE[usize::from(state.to_le_bytes()[0] ^ byte)] ^ state >> 8
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_vectors() {
        // RFC 3720, appendix B.4.
        assert_eq!(crc32c(b""), 0);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    }

    #[test]
    fn appending_equals_one_pass_and_the_table() {
        let bytes: Vec<u8> = (0..700u32).map(|i| (i * 31 % 251).to_le_bytes()[0]).collect();
        for len in [0, 1, 7, 15, 16, 17, 63, 64, 255, 256, 257, 699] {
            let whole = crc32c(&bytes[..len]);
            assert_eq!(whole, table::append(0, &bytes[..len]));
            for cut in [0, 1, len / 2, len.saturating_sub(1)] {
                let cut = cut.min(len);
                assert_eq!(crc32c_append(crc32c(&bytes[..cut]), &bytes[cut..len]), whole);
            }
        }
    }
}
