//! Transactions: the protocol's messages and the broker's calls are nearly the same.

use std::collections::HashSet;

use onrush_broker::group::GroupCommit;
use onrush_broker::transaction as model;
use onrush_gateway_net::Pace;
use onrush_protocol::request::{
    TransactionAbortRequest, TransactionDescribeRequest, TransactionEndRequest,
    TransactionListRequest, TransactionOffsetsRequest, TransactionOpenRequest,
};
use onrush_protocol::response::{
    HangingTransaction, TransactionAbortResponse, TransactionDescribeResponse,
    TransactionDescription, TransactionEndResponse, TransactionHangingResponse,
    TransactionListResponse, TransactionListing, TransactionOffsetsResponse,
    TransactionOpenResponse, TransactionState,
};
use onrush_protocol::wire::Maybe;
use onrush_protocol::{ErrorCode, WireError};
use onrush_record::{ProducerEpoch, ProducerId};

use super::calls::Caller;
use super::errors::wire_error;
use super::groups::{commits, committed, partitions};

pub(super) async fn open(
    caller: &Caller,
    request: TransactionOpenRequest,
) -> Result<TransactionOpenResponse, WireError> {
    let TransactionOpenRequest { transactional_id, timeout_ms, producer_id, producer_epoch } =
        request;
    if (producer_id == ProducerId::NONE) != (producer_epoch == ProducerEpoch::NONE) {
        let text = "producer_id and producer_epoch are both given, or both -1";
        return Err(WireError::new(ErrorCode::INVALID_REQUEST, text));
    }
    let known = (producer_id != ProducerId::NONE).then_some((producer_id, producer_epoch));
    let timeout_ms = i32::try_from(timeout_ms).unwrap_or(i32::MAX);
    let given = caller.broker.init_transactional(&transactional_id, timeout_ms, known).await;
    let (producer_id, producer_epoch) = given.map_err(|error| wire_error(&error))?;
    Ok(TransactionOpenResponse { producer_id, producer_epoch })
}

/// The group joins the transaction by this.
pub(super) async fn offsets(
    caller: &Caller,
    request: TransactionOffsetsRequest,
) -> Result<TransactionOffsetsResponse, WireError> {
    let commit = model::TransactionalCommit {
        id: request.transactional_id,
        producer: request.producer_id,
        epoch: request.producer_epoch,
        commit: GroupCommit {
            group: request.group,
            member_id: request.member_id,
            member_epoch: request.member_epoch,
            instance_id: None,
            offsets: commits(request.offsets),
        },
    };
    let model::TransactionalCommit { id, producer, epoch, commit: of_group, .. } = &commit;
    let asked = of_group.offsets.iter().map(|commit| commit.partition).collect();
    let broker = &caller.broker;
    let joined = broker.transaction_add_group(id, *producer, *epoch, &of_group.group).await;
    joined.map_err(|error| wire_error(&error))?;
    let results = broker.transaction_commit_offsets(commit).await;
    let results = results.map_err(|error| wire_error(&error))?;
    Ok(TransactionOffsetsResponse { parts: committed(asked, results) })
}

/// Each end gives the producer a new epoch: what comes late is shut out by that.
pub(super) async fn end(
    caller: &Caller,
    request: TransactionEndRequest,
) -> Result<TransactionEndResponse, WireError> {
    let TransactionEndRequest { transactional_id, producer_id, producer_epoch, commit } = request;
    let ended = caller
        .broker
        .transaction_end(&transactional_id, producer_id, producer_epoch, commit, true)
        .await;
    let (producer_id, producer_epoch) = ended.map_err(|error| wire_error(&error))?;
    Ok(TransactionEndResponse { producer_id, producer_epoch })
}

fn state(state: model::TransactionState) -> TransactionState {
    match state {
        model::TransactionState::Empty => TransactionState::Empty,
        model::TransactionState::Ongoing => TransactionState::Ongoing,
        model::TransactionState::PrepareCommit => TransactionState::PrepareCommit,
        model::TransactionState::PrepareAbort => TransactionState::PrepareAbort,
        model::TransactionState::CompleteCommit => TransactionState::CompleteCommit,
        model::TransactionState::CompleteAbort => TransactionState::CompleteAbort,
    }
}

fn broker_state(state: TransactionState) -> model::TransactionState {
    match state {
        TransactionState::Empty => model::TransactionState::Empty,
        TransactionState::Ongoing => model::TransactionState::Ongoing,
        TransactionState::PrepareCommit => model::TransactionState::PrepareCommit,
        TransactionState::PrepareAbort => model::TransactionState::PrepareAbort,
        TransactionState::CompleteCommit => model::TransactionState::CompleteCommit,
        TransactionState::CompleteAbort => model::TransactionState::CompleteAbort,
    }
}

pub(super) fn list(
    caller: &Caller,
    request: TransactionListRequest,
) -> Result<TransactionListResponse, WireError> {
    let longer_than_ms = request.older_than_ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX));
    let filter = model::TransactionFilter {
        states: request.states.into_iter().map(broker_state).collect(),
        longer_than_ms,
        pattern: request.regex,
        ..model::TransactionFilter::default()
    };
    let found = caller.broker.transactions(&filter).map_err(|error| wire_error(&error))?;
    let transactions = found.into_iter().map(|one| TransactionListing {
        transactional_id: one.id,
        producer_id: one.producer,
        state: state(one.state),
    });
    Ok(TransactionListResponse { transactions: transactions.collect() })
}

/// Each once: one of many partitions costs far more than to name it.
pub(super) async fn describe(
    caller: &Caller,
    request: TransactionDescribeRequest,
) -> TransactionDescribeResponse {
    let describe = |id: String| match caller.broker.transaction(&id) {
        Ok(found) => TransactionDescription {
            error: Maybe::NONE,
            transactional_id: found.id,
            state: state(found.state),
            producer_id: found.producer,
            producer_epoch: found.epoch,
            timeout_ms: u32::try_from(found.timeout_ms).unwrap_or_default(),
            started_at_ms: found.started_at_ms.unwrap_or(-1),
            partitions: partitions(found.partitions),
            groups: found.groups,
        },
        Err(error) => TransactionDescription {
            error: Maybe::some(wire_error(&error)),
            transactional_id: id,
            state: TransactionState::Empty,
            producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch::NONE,
            timeout_ms: 0,
            started_at_ms: -1,
            partitions: Vec::new(),
            groups: Vec::new(),
        },
    };
    let mut transactions = Vec::new();
    let mut seen = HashSet::new();
    let mut pace = Pace::default();
    for id in request.transactional_ids {
        if !seen.insert(id.clone()) {
            pace.step().await;
            continue;
        }
        let described = describe(id);
        pace.steps(1 + described.partitions.len()).await;
        transactions.push(described);
    }
    TransactionDescribeResponse { transactions }
}

pub(super) fn hanging(caller: &Caller) -> Result<TransactionHangingResponse, WireError> {
    let found = caller.broker.hanging_transactions().map_err(|error| wire_error(&error))?;
    let transactions = found.into_iter().map(|one| {
        let (topic_id, partition) = one.partition;
        HangingTransaction {
            topic_id,
            partition,
            producer_id: one.producer,
            producer_epoch: one.epoch,
            first_offset: one.first_offset,
        }
    });
    Ok(TransactionHangingResponse { transactions: transactions.collect() })
}

pub(super) async fn abort(
    caller: &Caller,
    request: TransactionAbortRequest,
) -> Result<TransactionAbortResponse, WireError> {
    let TransactionAbortRequest { topic_id, partition, producer_id, producer_epoch } = request;
    let broker = &caller.broker;
    let aborted = broker
        .transaction_abort_hanging((topic_id, partition), producer_id, producer_epoch, false)
        .await;
    aborted.map_err(|error| wire_error(&error))?;
    Ok(TransactionAbortResponse {})
}
