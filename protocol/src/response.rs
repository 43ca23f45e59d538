//! Responses and pushes: what brokers send.

use bytes::BytesMut;

pub use crate::error::Reply;
pub use crate::messages::data::{
    Deliver, FetchPartResponse, FetchResponse, Parts, ProducePartResponse, ProduceResponse,
    SubscribeResponse, UnsubscribeResponse,
};
pub use crate::messages::groups::{
    CommitResult, CommittedOffset, GroupCommitResponse, GroupDeleteResponse, GroupDeleted,
    GroupDescribeResponse, GroupDescription, GroupHeartbeatResponse, GroupListResponse,
    GroupListing, GroupMember, GroupOffsetsResponse, GroupState, MemberState, Subscription,
    TopicPartition,
};
pub use crate::messages::offsets::{
    DeleteRecordsPartResponse, DeleteRecordsResponse, InitProducerResponse,
    ListOffsetsPartResponse, ListOffsetsResponse,
};
pub use crate::messages::session::{
    BrokerInfo, HelloResponse, MetadataResponse, PartitionMetadata, PingResponse, Throttle,
    TopicMetadata,
};
pub use crate::messages::topics::{
    AlterTopicsResponse, ConfigSource, ConfigValue, CreateTopicsResponse, CreatedTopic,
    DeleteTopicsResponse, DescribeConfigsResponse, TopicConfigs, TopicResult,
};
pub use crate::messages::transactions::{
    HangingTransaction, TransactionAbortResponse, TransactionDescribeResponse,
    TransactionDescription, TransactionEndResponse, TransactionHangingResponse,
    TransactionListResponse, TransactionListing, TransactionOffsetsResponse,
    TransactionOpenResponse, TransactionState,
};

use crate::error::WireError;
use crate::frame::{FLAG_PUSH, FLAG_RESPONSE, FrameHeader, encode_frame};
use crate::opcode::Opcode;
use crate::wire::{DecodeError, Message, Reader, Wire};

/// Stands where a request has no response; no value of it exists, and none can be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoResponse {}

impl Wire for NoResponse {
    const LEAST: usize = 1;
    fn type_name() -> String {
        "nothing".to_owned()
    }
    fn put(&self, _out: &mut BytesMut) {
        match *self {}
    }
    fn take(_input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Err(DecodeError::WrongDirection("a response to a request that has none"))
    }
}

impl Message for NoResponse {}

macro_rules! responses {
    ($($name:ident: $message:ident,)+) => {
        /// The fields of any response, when nothing went wrong.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Response {
            $(
                #[doc = concat!("See [`", stringify!($message), "`].")]
                $name($message),
            )+
        }

        impl Response {
            /// Its operation code.
            pub fn opcode(&self) -> Opcode {
                match self {
                    $(Self::$name(_) => Opcode::$name,)+
                }
            }

            /// Appends its body: code 0, then its fields.
            pub fn encode(&self, out: &mut BytesMut) {
                0_u16.put(out);
                match self {
                    $(Self::$name(message) => message.put(out),)+
                }
            }

            /// Decodes the body of a response with this opcode.
            pub fn decode(opcode: Opcode, body: &[u8]) -> Result<Reply<Self>, DecodeError> {
                match opcode {
                    $(Opcode::$name => {
                        Ok(Reply::<$message>::decode(body)?.map(Self::$name))
                    })+
                    Opcode::Deliver | Opcode::Throttle | Opcode::Credit => {
                        Err(DecodeError::WrongDirection(opcode.name()))
                    }
                }
            }
        }

        $(
            impl From<$message> for Response {
                fn from(message: $message) -> Self {
                    Self::$name(message)
                }
            }
        )+

        #[cfg(test)]
        impl Response {
            /// One of every response, made up from `source`.
            pub(crate) fn samples(source: &mut crate::tests::sample::Source<'_>) -> Vec<Self> {
                use crate::tests::sample::Sample;
                vec![$(Self::$name($message::sample(source)),)+]
            }
        }
    };
}

responses! {
    Hello: HelloResponse,
    Ping: PingResponse,
    Metadata: MetadataResponse,
    Produce: ProduceResponse,
    Fetch: FetchResponse,
    Subscribe: SubscribeResponse,
    Unsubscribe: UnsubscribeResponse,
    ListOffsets: ListOffsetsResponse,
    InitProducer: InitProducerResponse,
    DeleteRecords: DeleteRecordsResponse,
    CreateTopics: CreateTopicsResponse,
    DeleteTopics: DeleteTopicsResponse,
    AlterTopics: AlterTopicsResponse,
    DescribeConfigs: DescribeConfigsResponse,
    GroupHeartbeat: GroupHeartbeatResponse,
    GroupCommit: GroupCommitResponse,
    GroupOffsets: GroupOffsetsResponse,
    GroupList: GroupListResponse,
    GroupDescribe: GroupDescribeResponse,
    GroupDelete: GroupDeleteResponse,
    TransactionOpen: TransactionOpenResponse,
    TransactionOffsets: TransactionOffsetsResponse,
    TransactionEnd: TransactionEndResponse,
    TransactionList: TransactionListResponse,
    TransactionDescribe: TransactionDescribeResponse,
    TransactionHanging: TransactionHangingResponse,
    TransactionAbort: TransactionAbortResponse,
}

impl Response {
    /// Appends the frame up to where its payload begins; `payload_length` bytes of payload follow
    /// by the caller's hand (0 for all but `Fetch`).
    pub fn encode_frame(&self, out: &mut BytesMut, correlation: u32, payload_length: usize) {
        let opcode = self.opcode();
        encode_frame(out, opcode, FLAG_RESPONSE, correlation, payload_length, |out| {
            self.encode(out);
        });
    }

    /// Decodes the response in a frame whose header is `header`: opcode, body, and whether its
    /// payload is what it should be.
    pub fn from_frame(header: &FrameHeader, body: &[u8]) -> Result<Reply<Self>, DecodeError> {
        let opcode = Opcode::from_code(header.opcode)?;
        if !header.is_response() {
            return Err(DecodeError::WrongDirection(opcode.name()));
        }
        let payload = header.payload_len();
        let reply = Self::decode(opcode, body)?;
        match &reply {
            Ok(Self::Fetch(fetch)) => fetch.check_payload(payload)?,
            _ if payload > 0 => return Err(DecodeError::UnexpectedPayload { payload }),
            _ => {}
        }
        Ok(reply)
    }
}

/// Appends a whole response frame that says only what went wrong. The opcode is taken as the
/// number it came in, so that requests nobody knows can be answered too.
pub fn encode_error_frame(out: &mut BytesMut, opcode: u16, correlation: u32, error: &WireError) {
    let start = out.len();
    // The opcode given here is put right below; only its place in the header matters.
    encode_frame(out, Opcode::Hello, FLAG_RESPONSE, correlation, 0, |out| {
        Reply::<NoResponse>::Err(error.clone()).encode(out);
    });
    out[start + 4..start + 6].copy_from_slice(&opcode.to_le_bytes());
}

/// Appends a response frame for the request type `R`, success or error, up to where its payload
/// begins.
pub fn encode_reply_frame<R: crate::request::RequestMessage>(
    out: &mut BytesMut,
    correlation: u32,
    payload_length: usize,
    reply: &Reply<R::Response>,
) {
    encode_frame(out, R::OPCODE, FLAG_RESPONSE, correlation, payload_length, |out| {
        reply.put(out);
    });
}

impl Throttle {
    /// Appends the push frame. Its correlation id is 0.
    pub fn encode_frame(&self, out: &mut BytesMut) {
        encode_frame(out, Opcode::Throttle, FLAG_PUSH, 0, 0, |out| self.encode(out));
    }

    /// Decodes the push in a frame whose header is `header`.
    pub fn from_frame(header: &FrameHeader, body: &[u8]) -> Result<Self, DecodeError> {
        if header.opcode != Opcode::Throttle.code() || !header.is_push() {
            return Err(DecodeError::WrongDirection("this push"));
        }
        match header.payload_len() {
            0 => Self::decode(body),
            payload => Err(DecodeError::UnexpectedPayload { payload }),
        }
    }
}

impl Deliver {
    /// Appends the push frame up to where its payload begins; `payload_length` bytes of payload
    /// follow by the caller's hand. Its correlation id is 0.
    pub fn encode_frame(&self, out: &mut BytesMut, payload_length: usize) {
        encode_frame(out, Opcode::Deliver, FLAG_PUSH, 0, payload_length, |out| self.encode(out));
    }

    /// Decodes the push in a frame whose header is `header`.
    pub fn from_frame(header: &FrameHeader, body: &[u8]) -> Result<Self, DecodeError> {
        if header.opcode != Opcode::Deliver.code() || !header.is_push() {
            return Err(DecodeError::WrongDirection("this push"));
        }
        let deliver = Self::decode(body)?;
        let payload = header.payload_len();
        if deliver.error.0.is_some() && payload > 0 {
            return Err(DecodeError::UnexpectedPayload { payload });
        }
        Ok(deliver)
    }
}
