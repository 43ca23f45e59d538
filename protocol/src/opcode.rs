//! What a frame is: one number per request, and the ranges kept for what comes later.

use crate::wire::DecodeError;

macro_rules! opcodes {
    ($($(#[doc = $doc:expr])+ $code:literal $name:ident,)+) => {
        /// The operation a frame asks for, answers, or pushes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Opcode {
            $($(#[doc = $doc])+ $name = $code,)+
        }

        impl Opcode {
            /// Every operation, in ascending order of code.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its name, as `docs/PROTOCOL.md` writes it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// The operation with this code; the error names what a reserved code is kept for.
            pub fn from_code(code: u16) -> Result<Self, DecodeError> {
                match code {
                    $($code => Ok(Self::$name),)+
                    _ => Err(match reserved_for(code) {
                        Some(name) => DecodeError::Reserved { code, name },
                        None => DecodeError::UnknownOpcode(code),
                    }),
                }
            }

            /// One line on what it does.
            #[cfg(test)]
            pub(crate) fn meaning(self) -> String {
                match self {
                    $(Self::$name => [$($doc.trim()),+].join(" "),)+
                }
            }
        }
    };
}

opcodes! {
    /// Opens a connection: versions, features, limits.
    1 Hello,
    /// Asks whether the broker is there.
    2 Ping,
    /// Asks for brokers, topics and partitions.
    3 Metadata,
    /// Pushed by the broker: it reads nothing from this connection for a while.
    4 Throttle,
    /// Appends record batches.
    10 Produce,
    /// Reads record batches, waiting for some if asked.
    11 Fetch,
    /// Begins a subscription: the broker pushes batches of one partition against byte credits.
    12 Subscribe,
    /// Gives a subscription more credit. Has no response.
    13 Credit,
    /// Ends a subscription.
    14 Unsubscribe,
    /// Pushed by the broker: batches of a subscription, or its end.
    15 Deliver,
    /// Asks for offsets: first, end, or by time.
    16 ListOffsets,
    /// Asks for a producer id for idempotent producing.
    17 InitProducer,
    /// Deletes the records of partitions below given offsets.
    18 DeleteRecords,
    /// Creates topics.
    20 CreateTopics,
    /// Deletes topics.
    21 DeleteTopics,
    /// Changes configurations and adds partitions.
    22 AlterTopics,
    /// Asks for configurations.
    23 DescribeConfigs,
    /// Joins a consumer group, stays in it, or leaves; carries assignments.
    30 GroupHeartbeat,
    /// Commits a group's offsets.
    31 GroupCommit,
    /// Asks for a group's committed offsets.
    32 GroupOffsets,
    /// Asks which groups there are.
    33 GroupList,
    /// Asks for members and assignments of groups.
    34 GroupDescribe,
    /// Deletes groups.
    35 GroupDelete,
    /// Makes a transactional producer known, fences its predecessor, aborts what that left open.
    60 TransactionOpen,
    /// Commits a group's offsets as part of a transaction.
    61 TransactionOffsets,
    /// Commits or aborts a transaction.
    62 TransactionEnd,
    /// Asks which transactional ids there are.
    63 TransactionList,
    /// Asks for transactional ids in full.
    64 TransactionDescribe,
    /// Asks for transactions that nothing will end by itself.
    65 TransactionHanging,
    /// Aborts one of those.
    66 TransactionAbort,
}

/// The ranges kept for what does not exist yet: first code, last code, name.
pub const RESERVED: &[(u16, u16, &str)] = &[
    (40, 49, "streams"),
    (50, 59, "queues"),
    (67, 69, "transactions"),
    (70, 79, "authentication and cluster"),
];

fn reserved_for(code: u16) -> Option<&'static str> {
    RESERVED.iter().find(|(first, last, _)| (*first..=*last).contains(&code)).map(|row| row.2)
}

impl Opcode {
    /// The number in the frame header.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// Whether a request of it carries record batches behind its body.
    pub const fn request_has_payload(self) -> bool {
        matches!(self, Self::Produce)
    }

    /// Whether a response to it, or the push, carries record batches behind its body.
    pub const fn response_has_payload(self) -> bool {
        matches!(self, Self::Fetch | Self::Deliver)
    }
}
