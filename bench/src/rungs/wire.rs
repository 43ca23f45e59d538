//! The bytes that rungs send: shaped and sized like the real ones, made once.

use crc_fast::CrcAlgorithm;

/// Bytes of one record with a 100 B value in a batch: lengths, deltas, no key, no headers.
pub const RECORD_LEN: usize = 109;
/// Bytes of a batch before its records.
pub const BATCH_HEADER_LEN: usize = 61;
/// Bytes of a batch that its CRC leaves out.
pub const BEFORE_CRC: usize = 21;
/// Where a batch keeps its CRC.
const CRC_AT: usize = 17;
/// Bytes of a produce request before the batch: frame header and a body for one partition.
pub const REQUEST_HEADER_LEN: usize = 64;
/// Bytes of an acknowledgement.
pub const ACK_LEN: usize = 48;
/// Where a request says which one it is.
const ID: std::ops::Range<usize> = 4..12;

/// CRC-32C.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    // The algorithm is 32 bits wide, so nothing is cut.
    u32::try_from(crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, bytes)).unwrap_or(u32::MAX)
}

/// Whether the CRC that a batch carries is the one its bytes have.
#[must_use]
pub fn crc_holds(batch: &[u8]) -> bool {
    batch[CRC_AT..BEFORE_CRC] == crc32c(&batch[BEFORE_CRC..]).to_be_bytes()
}

/// A batch of `messages` records, padded with zeros to `len` if that is longer, with its CRC.
#[must_use]
pub fn batch(messages: usize, len: usize) -> Vec<u8> {
    let len = len.max(BATCH_HEADER_LEN + messages * RECORD_LEN);
    let mut bytes: Vec<u8> =
        (0..len).map(|index| (index.wrapping_mul(31) >> 3).to_le_bytes()[0]).collect();
    let crc = crc32c(&bytes[BEFORE_CRC..]);
    put_crc(&mut bytes, crc);
    bytes
}

/// Puts a CRC where a batch keeps it.
pub fn put_crc(batch: &mut [u8], crc: u32) {
    batch[CRC_AT..BEFORE_CRC].copy_from_slice(&crc.to_be_bytes());
}

/// A produce request with one batch: its header begins with the length of the whole.
#[must_use]
pub fn request(messages: usize) -> Vec<u8> {
    let batch = batch(messages, 0);
    let mut bytes = vec![0; REQUEST_HEADER_LEN];
    let total = u32::try_from(REQUEST_HEADER_LEN + batch.len()).unwrap_or(u32::MAX);
    bytes[..4].copy_from_slice(&total.to_le_bytes());
    bytes.extend_from_slice(&batch);
    bytes
}

/// Says in a request which one it is.
pub fn put_id(request: &mut [u8], id: u64) {
    request[ID].copy_from_slice(&id.to_le_bytes());
}

/// The acknowledgement of a request: it begins with which one that was.
#[must_use]
pub fn ack(request: &[u8]) -> [u8; ACK_LEN] {
    let mut ack = [1; ACK_LEN];
    ack[..ID.len()].copy_from_slice(&request[ID]);
    ack
}

/// Whether these bytes acknowledge that request.
#[must_use]
pub fn acknowledges(ack: &[u8], id: u64) -> bool {
    let (named, rest) = ack.split_at(ID.len());
    named == id.to_le_bytes() && rest == [1; ACK_LEN - ID.end + ID.start]
}

/// How long the request at the front of `bytes` is, if all of it is there.
#[must_use]
pub fn whole_request(bytes: &[u8]) -> Option<usize> {
    let total = bytes.first_chunk::<4>().map(|raw| u32::from_le_bytes(*raw) as usize)?;
    (bytes.len() >= total).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_whole_only_with_its_last_byte() {
        let bytes = request(3);
        assert_eq!(whole_request(&bytes), Some(bytes.len()));
        assert_eq!(whole_request(&bytes[..bytes.len() - 1]), None);
        assert!(crc_holds(&bytes[REQUEST_HEADER_LEN..]));
    }

    #[test]
    fn an_acknowledgement_is_of_one_request() {
        let mut bytes = request(1);
        put_id(&mut bytes, 7 << 40);
        let mut ack = ack(&bytes);
        assert!(acknowledges(&ack, 7 << 40) && !acknowledges(&ack, 7));
        ack[ACK_LEN - 1] = 0;
        assert!(!acknowledges(&ack, 7 << 40));
    }
}
