//! The one table of error codes, and how an error travels.
//!
//! A number once given keeps its meaning for ever; one that is retired is never given again.

use std::fmt;

use bytes::BytesMut;

use crate::wire::{DecodeError, Maybe, Message, Reader, Wire};

/// What a caller may conclude from an error, and so what it should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Nothing happened, and the same request may succeed later.
    Retriable,
    /// Nothing happened, and the same request would be refused again.
    Refused,
    /// It may have happened. An idempotent producer sends the same batch again and learns which.
    Unknown,
}

impl ErrorKind {
    /// The word `docs/PROTOCOL.md` uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Retriable => "retriable",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

/// A code from the table, or one that a newer broker knows and this crate does not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub u16);

macro_rules! error_codes {
    ($($(#[doc = $doc:expr])+ $code:literal $name:ident $kind:ident,)+) => {
        impl ErrorCode {
            $($(#[doc = $doc])+ pub const $name: Self = Self($code);)+

            /// Every code there is, in ascending order; 0 (success) is not among them.
            pub const TABLE: &'static [Self] = &[$(Self::$name),+];

            /// The name in the table; `UNRECOGNISED` for a code it does not have.
            pub fn name(self) -> &'static str {
                match self {
                    Self::NONE => "NONE",
                    $(Self::$name => stringify!($name),)+
                    _ => "UNRECOGNISED",
                }
            }

            /// What the code lets its receiver conclude; the cautious answer for a code the table
            /// does not have.
            pub fn kind(self) -> ErrorKind {
                match self {
                    $(Self::$name => ErrorKind::$kind,)+
                    _ => ErrorKind::Unknown,
                }
            }

            /// The table's text on the code.
            #[cfg(test)]
            pub(crate) fn meaning(self) -> String {
                match self {
                    $(Self::$name => [$($doc.trim()),+].join(" "),)+
                    _ => String::new(),
                }
            }
        }
    };
}

error_codes! {
    /// The body is not what its opcode says: truncated, trailing bytes, a bad value. The connection goes on.
    1 MALFORMED Refused,
    /// The frame announces more than the limit in `detail`. The broker closes the connection after saying so.
    2 FRAME_TOO_LARGE Refused,
    /// No request has this opcode.
    3 UNKNOWN_OPCODE Refused,
    /// The opcode is reserved for something this broker does not have yet; the message names it.
    4 NOT_AVAILABLE Refused,
    /// The first frame of a connection must be `Hello`. The broker closes the connection after saying so.
    5 HANDSHAKE_REQUIRED Refused,
    /// No protocol version in common; `detail` is the newest the broker speaks. The connection is closed.
    6 VERSION_NOT_SUPPORTED Refused,
    /// The request needs a feature that `Hello` did not settle on.
    7 FEATURE_NOT_NEGOTIATED Refused,
    /// Well-formed, but a value makes no sense; the message names it.
    8 INVALID_REQUEST Refused,
    /// Kept for authentication: who you are is not known.
    9 UNAUTHENTICATED Refused,
    /// Kept for authorization: you may not do this.
    10 NOT_AUTHORIZED Refused,
    /// The broker is stopping.
    11 SHUTTING_DOWN Retriable,
    /// The broker is at a limit (memory, connections, requests in flight).
    12 OVERLOADED Retriable,
    /// The time given ran out before the outcome was known.
    13 TIMED_OUT Unknown,
    /// The outcome cannot be known, for example because a sync failed.
    14 OUTCOME_UNKNOWN Unknown,
    /// A fault in the broker; its log has more.
    15 INTERNAL Unknown,
    /// What this request needs is still being loaded after a start.
    16 LOADING Retriable,

    /// No such topic: never created, or deleted.
    20 UNKNOWN_TOPIC Refused,
    /// The topic has no such partition; `detail` is the number it has.
    21 UNKNOWN_PARTITION Refused,
    /// A topic of this name exists.
    22 TOPIC_EXISTS Refused,
    /// Names are 1 to 249 of `A-Z a-z 0-9 . _ -`, not `.` or `..`.
    23 ILLEGAL_TOPIC_NAME Refused,
    /// A configuration key is unknown, read-only, or its value is illegal; the message says which.
    24 INVALID_CONFIG Refused,
    /// The partition count is zero, above the limit, or lower than what the topic has.
    25 INVALID_PARTITIONS Refused,
    /// The topic belongs to the broker itself.
    26 INTERNAL_TOPIC Refused,

    /// Another broker leads the partition; `detail` is its id, or -1. Refresh `Metadata` and try there.
    30 NOT_OWNER Retriable,
    /// The request's leader epoch is older than the partition's, which is in `detail`. Refresh `Metadata`.
    31 FENCED_LEADER_EPOCH Retriable,
    /// The request's leader epoch is newer than this broker knows; its own is in `detail`.
    32 UNKNOWN_LEADER_EPOCH Retriable,
    /// The partition is offline after storage failures; an operator must act.
    33 PARTITION_OFFLINE Retriable,
    /// The asked range is damaged on disk; nothing of it is served. `detail` is the first good offset past it, or -1.
    34 DAMAGED Refused,
    /// The disk is full. Reads, commits and deletes go on.
    35 DISK_FULL Retriable,
    /// Reading or writing the disk failed.
    36 STORAGE_FAILED Unknown,

    /// A batch is not sound: length, magic, checksum, count, codec or timestamps. Nothing was appended.
    40 BATCH_INVALID Refused,
    /// A batch is larger than `max.message.bytes`, which is in `detail`.
    41 BATCH_TOO_LARGE Refused,
    /// The offset is below the log start or above the readable end; `detail` is the bound it crossed.
    42 OFFSET_OUT_OF_RANGE Refused,
    /// `expected_offset` is not where the batch would go; `detail` is where that is.
    43 EXPECTED_OFFSET_MISMATCH Refused,
    /// A gap in a producer's sequence numbers; `detail` is the number that was due.
    44 OUT_OF_ORDER_SEQUENCE Refused,
    /// Appended before, too long ago to say where. The producer counts it as delivered.
    45 DUPLICATE_SEQUENCE Refused,
    /// A newer epoch of this producer id has written, or been given out; `detail` is that epoch.
    46 FENCED_PRODUCER Refused,
    /// The broker knows nothing of this producer id. Take a new one with `InitProducer`.
    47 UNKNOWN_PRODUCER Refused,
    /// No transactional id of this name, or the producer is not that of it: it may have expired. Open it with `TransactionOpen`.
    48 UNKNOWN_TRANSACTIONAL_ID Refused,
    /// A transactional id is empty or too long; the message says which.
    49 INVALID_TRANSACTIONAL_ID Refused,
    /// The time a transaction may take is 0 or more than the broker allows, which is in `detail`.
    50 INVALID_TRANSACTION_TIMEOUT Refused,
    /// The transaction has not come as far as the request needs, or further; the message says what does not fit.
    51 INVALID_TRANSACTION_STATE Refused,
    /// The partition or group is not part of an open transaction of this producer, which may have ended. Abort it.
    52 NOT_IN_TRANSACTION Refused,
    /// The last transaction of this transactional id is still being ended.
    53 TRANSACTION_ENDING Retriable,

    /// The group has no such member (never joined, left, or its session expired). Join again.
    60 UNKNOWN_MEMBER Refused,
    /// The member epoch is not the member's current one. Give up all partitions and join again.
    61 FENCED_MEMBER Refused,
    /// No such group.
    62 UNKNOWN_GROUP Refused,
    /// The group has members.
    63 GROUP_NOT_EMPTY Refused,
    /// Group ids are 1 to 32767 bytes.
    64 INVALID_GROUP_ID Refused,
    /// A live member holds this instance id.
    65 INSTANCE_IN_USE Refused,
    /// Another member has taken over this instance id. Stop.
    66 FENCED_INSTANCE Refused,
    /// The regular expression does not compile, or is too large; the message says why.
    67 INVALID_REGEX Refused,
    /// The group has as many members as it may.
    68 GROUP_FULL Refused,
    /// No assignor has this name.
    69 UNKNOWN_ASSIGNOR Refused,
    /// The metadata text of a committed offset is too long; `detail` is the limit.
    70 COMMIT_METADATA_TOO_LARGE Refused,
    /// What this broker remembers of the group is damaged; the message names the file.
    71 COORDINATOR_DAMAGED Refused,
    /// A commit with an epoch the member no longer has, as when it crosses a heartbeat. Commit again with the newest epoch.
    72 STALE_MEMBER_EPOCH Retriable,
    /// An open transaction is still to decide what is committed for the partition.
    73 UNSTABLE_OFFSET Retriable,

    /// The connection has a subscription of this number.
    80 SUBSCRIPTION_EXISTS Refused,
    /// The connection has no subscription of this number.
    81 UNKNOWN_SUBSCRIPTION Refused,
    /// The connection has as many subscriptions as it may; `detail` is the limit.
    82 TOO_MANY_SUBSCRIPTIONS Refused,
}

impl ErrorCode {
    /// Success.
    pub const NONE: Self = Self(0);
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}

impl Wire for ErrorCode {
    const LEAST: usize = 2;
    fn type_name() -> String {
        "u16".to_owned()
    }
    fn put(&self, out: &mut BytesMut) {
        self.0.put(out);
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        u16::take(input).map(Self)
    }
}

/// An error as it travels. Its code is never 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct WireError {
    /// Which.
    pub code: ErrorCode,
    /// What, where and what next, for a person. Never to be parsed.
    pub message: String,
    /// How long to wait before trying again, where the broker has an opinion; else 0.
    pub retry_after_ms: u32,
    /// The one number that goes with the code, as the table says; else -1.
    pub detail: i64,
}

impl WireError {
    /// An error without advice or detail.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after_ms: 0, detail: -1 }
    }

    /// The same with the number that goes with its code.
    #[must_use]
    pub fn with_detail(mut self, detail: i64) -> Self {
        self.detail = detail;
        self
    }

    /// The same with advice on when to try again.
    #[must_use]
    pub fn with_retry_after_ms(mut self, retry_after_ms: u32) -> Self {
        self.retry_after_ms = retry_after_ms;
        self
    }

    /// What the receiver may conclude.
    pub fn kind(&self) -> ErrorKind {
        self.code.kind()
    }

    fn put_after_code(&self, out: &mut BytesMut) {
        self.message.put(out);
        self.retry_after_ms.put(out);
        self.detail.put(out);
    }

    fn take_after_code(code: ErrorCode, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            code,
            message: String::take(input)?,
            retry_after_ms: u32::take(input)?,
            detail: i64::take(input)?,
        })
    }
}

/// How the broker answers a body it could not decode.
impl From<&DecodeError> for WireError {
    fn from(error: &DecodeError) -> Self {
        let code = match error {
            DecodeError::UnknownOpcode(_) | DecodeError::WrongDirection(_) => {
                ErrorCode::UNKNOWN_OPCODE
            }
            DecodeError::Reserved { .. } => ErrorCode::NOT_AVAILABLE,
            _ => ErrorCode::MALFORMED,
        };
        Self::new(code, error.to_string())
    }
}

/// The `error` that begins each part of a response: 0, or a code and what goes with it. The other
/// fields of the part follow either way.
impl Wire for Maybe<WireError> {
    const LEAST: usize = 2;
    fn type_name() -> String {
        "error".to_owned()
    }
    fn put(&self, out: &mut BytesMut) {
        match &self.0 {
            None => ErrorCode::NONE.put(out),
            Some(error) => {
                error.code.put(out);
                error.put_after_code(out);
            }
        }
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match ErrorCode::take(input)? {
            ErrorCode::NONE => Ok(Self(None)),
            code => WireError::take_after_code(code, input).map(Self::some),
        }
    }
}

impl Maybe<WireError> {
    /// `value` unless there is an error.
    pub fn or<T>(self, value: T) -> Result<T, WireError> {
        match self.0 {
            None => Ok(value),
            Some(error) => Err(error),
        }
    }
}

/// What a response's body holds: code 0 and the fields, or a code and what goes with it.
pub type Reply<T> = Result<T, WireError>;

impl<T: Wire> Wire for Reply<T> {
    const LEAST: usize = 2;
    fn type_name() -> String {
        format!("error, then {}", T::type_name())
    }
    fn put(&self, out: &mut BytesMut) {
        match self {
            Ok(fields) => {
                ErrorCode::NONE.put(out);
                fields.put(out);
            }
            Err(error) => {
                error.code.put(out);
                error.put_after_code(out);
            }
        }
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match ErrorCode::take(input)? {
            ErrorCode::NONE => T::take(input).map(Ok),
            code => WireError::take_after_code(code, input).map(Err),
        }
    }
}

impl<T: Wire> Message for Reply<T> {}
