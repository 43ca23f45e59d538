//! Requests: what clients send.

use bytes::BytesMut;

pub use crate::messages::data::{
    Acks, CreditRequest, FetchPart, FetchRequest, Isolation, PRODUCE_JOINS, Parts, ProducePart,
    ProduceRequest, SubscribeRequest, UnsubscribeRequest,
};
pub use crate::messages::groups::{
    CommitOffset, GroupCommitRequest, GroupDeleteRequest, GroupDescribeRequest,
    GroupHeartbeatRequest, GroupListRequest, GroupOffsetsRequest, JOIN, LEAVE, LEAVE_STATIC,
    Subscription, TopicPartition,
};
pub use crate::messages::offsets::{
    DeleteRecordsPart, DeleteRecordsRequest, InitProducerRequest, ListOffsetsPart,
    ListOffsetsRequest, OffsetSpec,
};
pub use crate::messages::session::{HelloRequest, MetadataRequest, PingRequest};
pub use crate::messages::topics::{
    AlterTopicsRequest, ConfigEntry, CreateTopicsRequest, DeleteTopicsRequest,
    DescribeConfigsRequest, NewTopic, TopicChange, TopicRef,
};
pub use crate::messages::transactions::{
    TransactionAbortRequest, TransactionDescribeRequest, TransactionEndRequest,
    TransactionHangingRequest, TransactionListRequest, TransactionOffsetsRequest,
    TransactionOpenRequest, TransactionState,
};

use crate::frame::{FrameHeader, encode_frame};
use crate::opcode::Opcode;
use crate::response;
use crate::wire::{DecodeError, Message, Wire};

/// A message that asks for something, and what answers it.
pub trait RequestMessage: Message {
    /// Its operation code.
    const OPCODE: Opcode;
    /// The fields of the answer when nothing went wrong.
    type Response: Message;

    /// Appends the frame up to where its payload begins; `payload_length` bytes of payload follow
    /// by the caller's hand (0 for all but `Produce`).
    fn encode_frame(&self, out: &mut BytesMut, correlation: u32, payload_length: usize) {
        encode_frame(out, Self::OPCODE, 0, correlation, payload_length, |out| self.encode(out));
    }
}

macro_rules! requests {
    ($($name:ident: $message:ident => $response:ty,)+) => {
        /// Any request.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Request {
            $(
                #[doc = concat!("See [`", stringify!($message), "`].")]
                $name($message),
            )+
        }

        impl Request {
            /// Its operation code.
            pub fn opcode(&self) -> Opcode {
                match self {
                    $(Self::$name(_) => Opcode::$name,)+
                }
            }

            /// Appends its body.
            pub fn encode(&self, out: &mut BytesMut) {
                match self {
                    $(Self::$name(message) => message.put(out),)+
                }
            }

            /// Decodes the body of a request with this opcode.
            pub fn decode(opcode: Opcode, body: &[u8]) -> Result<Self, DecodeError> {
                match opcode {
                    $(Opcode::$name => $message::decode(body).map(Self::$name),)+
                    Opcode::Deliver | Opcode::Throttle => {
                        Err(DecodeError::WrongDirection(opcode.name()))
                    }
                }
            }
        }

        $(
            impl From<$message> for Request {
                fn from(message: $message) -> Self {
                    Self::$name(message)
                }
            }

            impl RequestMessage for $message {
                const OPCODE: Opcode = Opcode::$name;
                type Response = $response;
            }
        )+

        #[cfg(test)]
        impl Request {
            /// One of every request, made up from `source`.
            pub(crate) fn samples(source: &mut crate::tests::sample::Source<'_>) -> Vec<Self> {
                use crate::tests::sample::Sample;
                vec![$(Self::$name($message::sample(source)),)+]
            }
        }
    };
}

requests! {
    Hello: HelloRequest => response::HelloResponse,
    Ping: PingRequest => response::PingResponse,
    Metadata: MetadataRequest => response::MetadataResponse,
    Produce: ProduceRequest => response::ProduceResponse,
    Fetch: FetchRequest => response::FetchResponse,
    Subscribe: SubscribeRequest => response::SubscribeResponse,
    Credit: CreditRequest => response::NoResponse,
    Unsubscribe: UnsubscribeRequest => response::UnsubscribeResponse,
    ListOffsets: ListOffsetsRequest => response::ListOffsetsResponse,
    InitProducer: InitProducerRequest => response::InitProducerResponse,
    DeleteRecords: DeleteRecordsRequest => response::DeleteRecordsResponse,
    CreateTopics: CreateTopicsRequest => response::CreateTopicsResponse,
    DeleteTopics: DeleteTopicsRequest => response::DeleteTopicsResponse,
    AlterTopics: AlterTopicsRequest => response::AlterTopicsResponse,
    DescribeConfigs: DescribeConfigsRequest => response::DescribeConfigsResponse,
    GroupHeartbeat: GroupHeartbeatRequest => response::GroupHeartbeatResponse,
    GroupCommit: GroupCommitRequest => response::GroupCommitResponse,
    GroupOffsets: GroupOffsetsRequest => response::GroupOffsetsResponse,
    GroupList: GroupListRequest => response::GroupListResponse,
    GroupDescribe: GroupDescribeRequest => response::GroupDescribeResponse,
    GroupDelete: GroupDeleteRequest => response::GroupDeleteResponse,
    TransactionOpen: TransactionOpenRequest => response::TransactionOpenResponse,
    TransactionOffsets: TransactionOffsetsRequest => response::TransactionOffsetsResponse,
    TransactionEnd: TransactionEndRequest => response::TransactionEndResponse,
    TransactionList: TransactionListRequest => response::TransactionListResponse,
    TransactionDescribe: TransactionDescribeRequest => response::TransactionDescribeResponse,
    TransactionHanging: TransactionHangingRequest => response::TransactionHangingResponse,
    TransactionAbort: TransactionAbortRequest => response::TransactionAbortResponse,
}

impl Request {
    /// Decodes the request in a frame whose header is `header`: opcode, body, and whether its
    /// payload is what it should be. The payload itself is the caller's to slice.
    pub fn from_frame(header: &FrameHeader, body: &[u8]) -> Result<Self, DecodeError> {
        let opcode = Opcode::from_code(header.opcode)?;
        if header.is_response() || header.is_push() {
            return Err(DecodeError::WrongDirection(opcode.name()));
        }
        let payload = header.payload_len();
        if payload > 0 && !opcode.request_has_payload() {
            return Err(DecodeError::UnexpectedPayload { payload });
        }
        let request = Self::decode(opcode, body)?;
        if let Self::Produce(produce) = &request {
            produce.check_payload(payload)?;
        }
        Ok(request)
    }

    /// Whether a response follows: not to `Credit`, nor to `Produce` without acks.
    pub fn has_response(&self) -> bool {
        match self {
            Self::Credit(_) => false,
            Self::Produce(produce) => produce.acks != Acks::None,
            _ => true,
        }
    }

    /// Appends the frame up to where its payload begins; `payload_length` bytes of payload follow
    /// by the caller's hand.
    pub fn encode_frame(&self, out: &mut BytesMut, correlation: u32, payload_length: usize) {
        encode_frame(out, self.opcode(), 0, correlation, payload_length, |out| self.encode(out));
    }
}
