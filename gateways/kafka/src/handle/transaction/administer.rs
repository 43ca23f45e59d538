//! ListTransactions and DescribeTransactions.

use std::collections::{BTreeMap, HashSet};

use onrush_broker::transaction::{TransactionFilter, TransactionState};
use onrush_gateway_net::Pace;
use onrush_kafka_protocol::RequestHeader;
use onrush_kafka_protocol::messages::{
    DescribeTransactionsRequest, DescribeTransactionsResponse,
    DescribeTransactionsResponseTransactionState as Described, ListTransactionsRequest,
    ListTransactionsResponse, ListTransactionsResponseTransactionState as Listed, TopicData,
};
use onrush_record::ProducerId;

use crate::context::Context;
use crate::error::coordinator_code;
use crate::lookup::wire_number;

/// Lists transactions.
pub(crate) async fn list_transactions(
    ctx: &Context,
    _header: &RequestHeader,
    request: ListTransactionsRequest,
) -> ListTransactionsResponse {
    let mut response = ListTransactionsResponse::default();
    let mut states = Vec::new();
    for name in request.state_filters {
        match TransactionState::from_name(&name) {
            Some(state) => states.push(state),
            None => response.unknown_state_filters.push(name),
        }
    }
    if states.is_empty() && !response.unknown_state_filters.is_empty() {
        // No transaction is in a state that there is not; an empty filter would let all through.
        return response;
    }
    let filter = TransactionFilter {
        states,
        producers: request.producer_id_filters.into_iter().map(ProducerId::new).collect(),
        longer_than_ms: (request.duration_filter >= 0).then_some(request.duration_filter),
        pattern: request.transactional_id_pattern.filter(|pattern| !pattern.is_empty()),
    };
    match ctx.broker.transactions(&filter) {
        Ok(found) => {
            let listed = found.into_iter().map(|one| Listed {
                transactional_id: one.id,
                producer_id: one.producer.get(),
                transaction_state: one.state.name().to_owned(),
            });
            response.transaction_states = listed.collect();
        }
        Err(error) => response.error_code = coordinator_code(&error).0,
    }
    response
}

/// Describes transactions, each once: one of many partitions costs far more than to name it.
pub(crate) async fn describe_transactions(
    ctx: &Context,
    _header: &RequestHeader,
    request: DescribeTransactionsRequest,
) -> DescribeTransactionsResponse {
    let mut response = DescribeTransactionsResponse::default();
    let mut seen = HashSet::new();
    let mut pace = Pace::default();
    for id in request.transactional_ids {
        if !seen.insert(id.clone()) {
            pace.step().await;
            continue;
        }
        let described = describe(ctx, id);
        let partitions: usize = described.topics.iter().map(|topic| topic.partitions.len()).sum();
        response.transaction_states.push(described);
        pace.steps(1 + partitions).await;
    }
    response
}

fn describe(ctx: &Context, transactional_id: String) -> Described {
    let found = match ctx.broker.transaction(&transactional_id) {
        Ok(found) => found,
        Err(error) => {
            return Described {
                error_code: coordinator_code(&error).0,
                transactional_id,
                ..Described::default()
            };
        }
    };
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for (topic, index) in found.partitions {
        let Some(topic) = ctx.broker.topic(topic) else { continue };
        topics.entry(topic.name().to_string()).or_default().push(wire_number(index));
    }
    let topics = topics.into_iter();
    Described {
        transactional_id,
        transaction_state: found.state.name().to_owned(),
        transaction_timeout_ms: found.timeout_ms,
        transaction_start_time_ms: found.started_at_ms.unwrap_or(-1),
        producer_id: found.producer.get(),
        producer_epoch: found.epoch.get(),
        topics: topics.map(|(topic, partitions)| TopicData { topic, partitions }).collect(),
        ..Described::default()
    }
}
