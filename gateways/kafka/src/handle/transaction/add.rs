//! AddPartitionsToTxn and AddOffsetsToTxn: what a transaction is going to touch.

use onrush_broker::group::TopicPartition;
use onrush_broker::transaction::{TransactionDescription, TransactionState};
use onrush_kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnPartitionResult,
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, AddPartitionsToTxnResult,
    AddPartitionsToTxnTopic, AddPartitionsToTxnTopicResult, AddPartitionsToTxnTransaction,
};
use onrush_kafka_protocol::{ErrorCode, RequestHeader};
use onrush_record::{ProducerEpoch, ProducerId};

use super::code_for;
use crate::context::Context;
use crate::error::coordinator_code;
use crate::lookup;

/// From here on a producer is told by an error of its own that it is fenced.
const FENCED: i16 = 2;
/// From here on a request is about several transactions, as brokers send it.
const SEVERAL: i16 = 4;

/// Adds partitions to transactions.
pub(crate) async fn add_partitions_to_txn(
    ctx: &Context,
    header: &RequestHeader,
    request: AddPartitionsToTxnRequest,
) -> AddPartitionsToTxnResponse {
    let mut response = AddPartitionsToTxnResponse::default();
    if header.api_version < SEVERAL {
        let transaction = AddPartitionsToTxnTransaction {
            transactional_id: request.v3_and_below_transactional_id,
            producer_id: request.v3_and_below_producer_id,
            producer_epoch: request.v3_and_below_producer_epoch,
            verify_only: false,
            topics: request.v3_and_below_topics,
        };
        response.results_by_topic_v3_and_below = add(ctx, header, transaction).await;
        return response;
    }
    for transaction in request.transactions {
        let transactional_id = transaction.transactional_id.clone();
        let topic_results = add(ctx, header, transaction).await;
        let result = AddPartitionsToTxnResult { transactional_id, topic_results };
        response.results_by_transaction.push(result);
    }
    response
}

async fn add(
    ctx: &Context,
    header: &RequestHeader,
    asked: AddPartitionsToTxnTransaction,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let mut found = Vec::new();
    let mut missing = false;
    for topic in &asked.topics {
        for index in &topic.partitions {
            match lookup::partition(&ctx.broker, &topic.name, *index) {
                Ok(partition) => found.push((partition.topic_id(), partition.index())),
                Err(_) => missing = true,
            }
        }
    }
    let outcome = if missing {
        // All are added, or none is.
        Err(ErrorCode::OPERATION_NOT_ATTEMPTED)
    } else if asked.verify_only {
        verify(ctx, &asked, &found)
    } else {
        let producer = ProducerId::new(asked.producer_id);
        let epoch = ProducerEpoch::new(asked.producer_epoch);
        let id = &asked.transactional_id;
        let added = ctx.broker.transaction_add_partitions(id, producer, epoch, &found).await;
        added.map_err(|error| code_for(&error, header.api_version, FENCED))
    };
    let topic = |topic: AddPartitionsToTxnTopic| {
        let partition = |partition_index: i32| {
            let code = match &outcome {
                Err(ErrorCode::OPERATION_NOT_ATTEMPTED) => {
                    let found = lookup::partition(&ctx.broker, &topic.name, partition_index);
                    found.map_or_else(|code| code, |_| ErrorCode::OPERATION_NOT_ATTEMPTED)
                }
                Err(code) => *code,
                Ok(()) => ErrorCode::NONE,
            };
            AddPartitionsToTxnPartitionResult { partition_index, partition_error_code: code.0 }
        };
        AddPartitionsToTxnTopicResult {
            results_by_partition: topic.partitions.iter().copied().map(partition).collect(),
            name: topic.name.clone(),
        }
    };
    asked.topics.into_iter().map(topic).collect()
}

/// Whether these partitions are part of the open transaction.
fn verify(
    ctx: &Context,
    asked: &AddPartitionsToTxnTransaction,
    partitions: &[TopicPartition],
) -> Result<(), ErrorCode> {
    let found = ctx.broker.transaction(&asked.transactional_id);
    let open: TransactionDescription = found.map_err(|error| coordinator_code(&error))?;
    if open.producer.get() != asked.producer_id {
        return Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
    }
    if open.epoch.get() != asked.producer_epoch {
        return Err(ErrorCode::PRODUCER_FENCED);
    }
    match open.state {
        TransactionState::PrepareCommit | TransactionState::PrepareAbort => {
            Err(ErrorCode::CONCURRENT_TRANSACTIONS)
        }
        TransactionState::Ongoing
            if partitions.iter().all(|partition| open.partitions.contains(partition)) =>
        {
            Ok(())
        }
        _ => Err(ErrorCode::TRANSACTION_ABORTABLE),
    }
}

/// Adds a group, whose offsets are going to be committed, to a transaction.
pub(crate) async fn add_offsets_to_txn(
    ctx: &Context,
    header: &RequestHeader,
    request: AddOffsetsToTxnRequest,
) -> AddOffsetsToTxnResponse {
    let producer = ProducerId::new(request.producer_id);
    let epoch = ProducerEpoch::new(request.producer_epoch);
    let (id, group) = (&request.transactional_id, &request.group_id);
    let added = ctx.broker.transaction_add_group(id, producer, epoch, group).await;
    let error_code = match added {
        Ok(()) => 0,
        Err(error) => code_for(&error, header.api_version, FENCED).0,
    };
    AddOffsetsToTxnResponse { error_code, ..AddOffsetsToTxnResponse::default() }
}
