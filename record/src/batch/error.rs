//! What can be wrong with a batch.

use super::Codec;

/// Why bytes are not a sound batch. None of these mends itself: whoever made the batch must make it
/// anew, or whoever stored it has lost it.
#[derive(Clone, Eq, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// Fewer bytes than the batch needs.
    #[error("record batch cut short: {have} bytes of {need}")]
    Truncated {
        /// Bytes there are.
        have: usize,
        /// Bytes there would have to be.
        need: usize,
    },
    /// More bytes than one batch, where exactly one was expected.
    #[error("{extra} bytes after the end of the record batch: send exactly one batch")]
    TrailingBytes {
        /// Bytes too many.
        extra: usize,
    },
    /// Not the one version of the format that is spoken here.
    #[error("record batch of version (magic) {0}, but only version 2 is stored: update the client")]
    BadMagic(u8),
    /// The length field cannot be that of a batch.
    #[error(
        "record batch announces a length of {length} bytes, less than its own header or absurd"
    )]
    BadLength {
        /// What the field says.
        length: i32,
    },
    /// The base offset is negative or would carry the batch past the largest offset.
    #[error("record batch at offset {base_offset}, which is no offset")]
    BadOffset {
        /// What the field says.
        base_offset: i64,
    },
    /// Record count and last offset delta are impossible or do not match.
    #[error("record batch with {count} records and a last offset delta of {last_offset_delta}")]
    BadCount {
        /// The record count field.
        count: i32,
        /// The last offset delta field.
        last_offset_delta: i32,
    },
    /// A timestamp before the epoch that is not the -1 which means none.
    #[error(
        "record batch with a timestamp of {timestamp} ms: negative ones other than -1 are refused"
    )]
    BadTimestamp {
        /// The offending field.
        timestamp: i64,
    },
    /// A producer id without a proper epoch and sequence.
    #[error(
        "record batch of producer {producer_id} with epoch {producer_epoch} and base sequence {base_sequence}: with a producer id neither may be negative"
    )]
    BadProducer {
        /// The producer id field.
        producer_id: i64,
        /// The producer epoch field.
        producer_epoch: i16,
        /// The base sequence field.
        base_sequence: i32,
    },
    /// Something that only a broker may write.
    #[error("record batch is marked as {what}, which only the broker may do")]
    Reserved {
        /// What it claims to be.
        what: &'static str,
    },
    /// The bytes are not those the checksum was made of.
    #[error("record batch damaged: CRC-32C is {computed:#010x}, its header says {stored:#010x}")]
    BadCrc {
        /// What the header says.
        stored: u32,
        /// What the bytes give.
        computed: u32,
    },
    /// More than is taken in one batch.
    #[error(
        "record batch of {length} bytes, at most {max} are taken: send smaller batches or raise max.message.bytes"
    )]
    TooLarge {
        /// Length of the batch.
        length: u64,
        /// The limit.
        max: u64,
    },
    /// A codec number without a meaning.
    #[error(
        "record batch compressed by codec {id}, which does not exist: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd"
    )]
    UnknownCodec {
        /// The number.
        id: u8,
    },
    /// The records need decompressing first.
    #[error("records are compressed with {codec}: read them with a buffer to decompress into")]
    Compressed {
        /// By what.
        codec: Codec,
    },
    /// A record that does not parse.
    #[error("record {index} of the batch is malformed: {reason}")]
    BadRecord {
        /// Which of the batch's records, from 0.
        index: u32,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Decompression was stopped at the limit.
    #[error("records decompress to more than {cap} bytes: send smaller batches")]
    TooLargeDecompressed {
        /// The limit.
        cap: usize,
    },
    /// The compressed bytes are not what the codec takes.
    #[error("records do not decompress as {codec}: {reason}")]
    Decompress {
        /// The codec tried.
        codec: Codec,
        /// What it said.
        reason: String,
    },
    /// The codec failed to compress.
    #[error("records do not compress with {codec}: {reason}")]
    Compress {
        /// The codec tried.
        codec: Codec,
        /// What it said.
        reason: String,
    },
    /// A batch without records was to be made.
    #[error("a record batch holds at least one record")]
    Empty,
}
