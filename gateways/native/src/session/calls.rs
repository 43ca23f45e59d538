//! Requests off the hot path: each becomes a future that ends in an encoded response.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use bytes::BytesMut;
use onrush_broker::Broker;
use onrush_protocol::frame::{FLAG_RESPONSE, encode_frame};
use onrush_protocol::request::{
    DeleteRecordsRequest, InitProducerRequest, ListOffsetsRequest, OffsetSpec, PingRequest,
    Request, RequestMessage,
};
use onrush_protocol::response::{
    DeleteRecordsPartResponse, DeleteRecordsResponse, InitProducerResponse,
    ListOffsetsPartResponse, ListOffsetsResponse, PingResponse,
};
use onrush_protocol::wire::Maybe;
use onrush_protocol::{Message as _, Opcode, WireError};

use super::errors::{epoch_error, wire_error};
use super::{Peer, Session, groups, topics, transactions};
use crate::outbox::Outbox;

/// A response, header and all.
pub(super) type Encoded = BytesMut;
type Call = Pin<Box<dyn Future<Output = Encoded>>>;

/// Calls without their answers.
#[derive(Default)]
pub(crate) struct Calls {
    /// What is asked, since when, and what answers it.
    pending: Vec<(Opcode, Duration, Call)>,
}

impl Calls {
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Lets each go on as far as it can; tells which are answered, and since when they were not.
    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
        outbox: &mut Outbox,
        mut answered: impl FnMut(Opcode, Duration),
    ) {
        self.pending.retain_mut(|(opcode, since, call)| match call.as_mut().poll(context) {
            std::task::Poll::Ready(response) => {
                outbox.encoded(&response);
                answered(*opcode, *since);
                false
            }
            std::task::Poll::Pending => true,
        });
        if self.pending.is_empty() && self.pending.capacity() > 8 {
            self.pending = Vec::new();
        }
    }
}

/// What a call may use.
pub(super) struct Caller {
    pub(super) broker: Broker,
    pub(super) peer: Peer,
    /// Where clients reach this broker; nothing in process.
    pub(super) address: Option<(String, u16)>,
}

impl Session {
    pub(super) fn call(&mut self, opcode: Opcode, correlation: u32, request: Request) {
        let caller = Caller {
            broker: self.broker.clone(),
            peer: self.peer.clone(),
            address: self.options.advertised.clone().or_else(|| self.address.get()),
        };
        let call = Box::pin(answer(caller, correlation, request));
        self.calls.pending.push((opcode, self.now(), call));
    }
}

fn encode<R: RequestMessage>(correlation: u32, reply: Result<R::Response, WireError>) -> Encoded {
    let mut frame = BytesMut::new();
    encode_frame(&mut frame, R::OPCODE, FLAG_RESPONSE, correlation, 0, |body| reply.encode(body));
    frame
}

async fn answer(caller: Caller, correlation: u32, request: Request) -> Encoded {
    use onrush_protocol::request as r;
    let id = correlation;
    match request {
        Request::Ping(_) => encode::<PingRequest>(id, Ok(ping(&caller))),
        Request::Metadata(q) => encode::<r::MetadataRequest>(id, topics::metadata(&caller, q)),
        Request::ListOffsets(q) => encode::<ListOffsetsRequest>(id, list_offsets(&caller, q).await),
        Request::InitProducer(_) => encode::<InitProducerRequest>(id, init_producer(&caller).await),
        Request::DeleteRecords(q) => {
            encode::<DeleteRecordsRequest>(id, delete_records(&caller, q).await)
        }
        Request::CreateTopics(q) => {
            encode::<r::CreateTopicsRequest>(id, topics::create(&caller, q).await)
        }
        Request::DeleteTopics(q) => {
            encode::<r::DeleteTopicsRequest>(id, topics::delete(&caller, q).await)
        }
        Request::AlterTopics(q) => {
            encode::<r::AlterTopicsRequest>(id, topics::alter(&caller, q).await)
        }
        Request::DescribeConfigs(q) => {
            encode::<r::DescribeConfigsRequest>(id, topics::describe_configs(&caller, q))
        }
        Request::GroupHeartbeat(q) => {
            encode::<r::GroupHeartbeatRequest>(id, groups::heartbeat(&caller, q).await)
        }
        Request::GroupCommit(q) => {
            encode::<r::GroupCommitRequest>(id, groups::commit(&caller, q).await)
        }
        Request::GroupOffsets(q) => {
            encode::<r::GroupOffsetsRequest>(id, groups::offsets(&caller, q).await)
        }
        Request::GroupList(_) => encode::<r::GroupListRequest>(id, groups::list(&caller)),
        Request::GroupDescribe(q) => {
            encode::<r::GroupDescribeRequest>(id, groups::describe(&caller, q))
        }
        Request::GroupDelete(q) => {
            encode::<r::GroupDeleteRequest>(id, groups::delete(&caller, q).await)
        }
        Request::TransactionOpen(q) => {
            encode::<r::TransactionOpenRequest>(id, transactions::open(&caller, q).await)
        }
        Request::TransactionOffsets(q) => {
            encode::<r::TransactionOffsetsRequest>(id, transactions::offsets(&caller, q).await)
        }
        Request::TransactionEnd(q) => {
            encode::<r::TransactionEndRequest>(id, transactions::end(&caller, q).await)
        }
        Request::TransactionList(q) => {
            encode::<r::TransactionListRequest>(id, transactions::list(&caller, q))
        }
        Request::TransactionDescribe(q) => {
            let described = transactions::describe(&caller, q).await;
            encode::<r::TransactionDescribeRequest>(id, Ok(described))
        }
        Request::TransactionHanging(_) => {
            encode::<r::TransactionHangingRequest>(id, transactions::hanging(&caller))
        }
        Request::TransactionAbort(q) => {
            encode::<r::TransactionAbortRequest>(id, transactions::abort(&caller, q).await)
        }
        // Answered by the session itself; an empty frame never leaves.
        Request::Hello(_)
        | Request::Produce(_)
        | Request::Fetch(_)
        | Request::Subscribe(_)
        | Request::Credit(_)
        | Request::Unsubscribe(_) => Encoded::new(),
    }
}

fn ping(caller: &Caller) -> PingResponse {
    PingResponse { time_ms: caller.broker.clock().now_ms() }
}

async fn list_offsets(
    caller: &Caller,
    request: ListOffsetsRequest,
) -> Result<ListOffsetsResponse, WireError> {
    let mut parts = Vec::with_capacity(request.parts.len());
    for asked in request.parts {
        let found = async {
            let partition = caller
                .broker
                .partition(asked.topic_id, asked.partition)
                .map_err(|error| wire_error(&error))?;
            if let Some(error) = epoch_error(asked.leader_epoch, &partition) {
                return Err(error);
            }
            let spec = match asked.spec {
                OffsetSpec::Earliest => onrush_broker::OffsetSpec::Earliest,
                OffsetSpec::Latest => onrush_broker::OffsetSpec::Latest,
                OffsetSpec::MaxTimestamp => onrush_broker::OffsetSpec::MaxTimestamp,
                OffsetSpec::Timestamp(at) => onrush_broker::OffsetSpec::Timestamp(at),
                OffsetSpec::LastStable => onrush_broker::OffsetSpec::LastStable,
            };
            let listed = partition.list_offset(spec).await.map_err(|error| wire_error(&error))?;
            Ok((listed, partition.leader_epoch()))
        };
        parts.push(match found.await {
            Ok((listed, epoch)) => ListOffsetsPartResponse {
                error: Maybe::NONE,
                offset: Maybe(listed.offset),
                timestamp: listed.timestamp,
                leader_epoch: Maybe::some(epoch),
            },
            Err(error) => ListOffsetsPartResponse {
                error: Maybe::some(error),
                offset: Maybe::NONE,
                timestamp: -1,
                leader_epoch: Maybe::NONE,
            },
        });
    }
    Ok(ListOffsetsResponse { parts })
}

async fn init_producer(caller: &Caller) -> Result<InitProducerResponse, WireError> {
    let (producer_id, producer_epoch) =
        caller.broker.init_producer().await.map_err(|error| wire_error(&error))?;
    Ok(InitProducerResponse { producer_id, producer_epoch })
}

async fn delete_records(
    caller: &Caller,
    request: DeleteRecordsRequest,
) -> Result<DeleteRecordsResponse, WireError> {
    let mut parts = Vec::with_capacity(request.parts.len());
    for asked in request.parts {
        let deleted = async {
            let partition = caller.broker.partition(asked.topic_id, asked.partition)?;
            let before = asked.before.0.unwrap_or_else(|| partition.ends().readable);
            caller.broker.delete_records(&partition, before).await
        };
        parts.push(match deleted.await {
            Ok(start) => {
                DeleteRecordsPartResponse { error: Maybe::NONE, log_start: Maybe::some(start) }
            }
            Err(error) => DeleteRecordsPartResponse {
                error: Maybe::some(wire_error(&error)),
                log_start: Maybe::NONE,
            },
        });
    }
    Ok(DeleteRecordsResponse { parts })
}
