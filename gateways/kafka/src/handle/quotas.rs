//! DescribeClientQuotas and AlterClientQuotas: how many bytes a second clients may send and fetch.
//!
//! Clients are known by what they call themselves only, so of Kafka's entities there are client ids
//! and the default of all client ids; users and addresses have no quotas here.

use std::collections::HashSet;

use onrush_broker::{QuotaEntity, QuotaLimits};
use onrush_kafka_protocol::messages::{
    AlterClientQuotasRequest, AlterClientQuotasRequestEntityData,
    AlterClientQuotasRequestEntryData, AlterClientQuotasResponse,
    AlterClientQuotasResponseEntityData, AlterClientQuotasResponseEntryData, ComponentData,
    DescribeClientQuotasRequest, DescribeClientQuotasResponse,
    DescribeClientQuotasResponseEntityData, DescribeClientQuotasResponseEntryData, OpData,
    ValueData,
};
use onrush_kafka_protocol::{ErrorCode, RequestHeader};

use super::placement::Refused;
use crate::context::Context;
use crate::error::admin_code;

const CLIENT_ID: &str = "client-id";
/// Types of entities that Kafka has beside it.
const OTHERS: [&str; 2] = ["user", "ip"];

const PRODUCER: &str = "producer_byte_rate";
const CONSUMER: &str = "consumer_byte_rate";

/// How a component matches, by Kafka's numbers.
mod matching {
    pub(super) const EXACT: i8 = 0;
    pub(super) const DEFAULT: i8 = 1;
    pub(super) const ANY: i8 = 2;
}

/// Lists the quotas that a filter asks for.
pub(crate) async fn describe_client_quotas(
    ctx: &Context,
    _header: &RequestHeader,
    request: DescribeClientQuotasRequest,
) -> DescribeClientQuotasResponse {
    let filter = match Filter::new(&request) {
        Ok(filter) => filter,
        Err(Refused { code, message }) => {
            return DescribeClientQuotasResponse {
                error_code: code.0,
                error_message: Some(message),
                ..DescribeClientQuotasResponse::default()
            };
        }
    };
    let found = ctx.broker.quotas().into_iter().filter(|(entity, _)| filter.matches(entity));
    let entry = |(entity, limits): (QuotaEntity, QuotaLimits)| {
        let value = |(key, rate): (&str, Option<u64>)| {
            Some(ValueData { key: key.to_owned(), value: as_value(rate?) })
        };
        let rates = [(PRODUCER, limits.produce), (CONSUMER, limits.fetch)];
        DescribeClientQuotasResponseEntryData {
            entity: vec![DescribeClientQuotasResponseEntityData {
                entity_type: CLIENT_ID.to_owned(),
                entity_name: match entity {
                    QuotaEntity::AnyClient => None,
                    QuotaEntity::Client(name) => Some(name),
                },
            }],
            values: rates.into_iter().filter_map(value).collect(),
        }
    };
    DescribeClientQuotasResponse {
        entries: Some(found.map(entry).collect()),
        ..DescribeClientQuotasResponse::default()
    }
}

#[expect(clippy::cast_precision_loss, reason = "who sets more than 2^53 reads it back rounded")]
fn as_value(rate: u64) -> f64 {
    rate as f64
}

/// Which quotas are asked for.
struct Filter<'a> {
    /// Of client ids, if the filter says anything of them.
    client: Option<&'a ComponentData>,
    /// It asks for what only users and addresses have.
    others: bool,
    strict: bool,
}

impl<'a> Filter<'a> {
    fn new(request: &'a DescribeClientQuotasRequest) -> Result<Filter<'a>, Refused> {
        let mut seen = HashSet::new();
        let mut filter = Filter { client: None, others: false, strict: request.strict };
        for component in &request.components {
            let kind = component.entity_type.as_str();
            if !seen.insert(kind) {
                let text = format!("Duplicate filter component entity type: {kind}");
                return Err(Refused::invalid_request(&text));
            }
            let known = [matching::EXACT, matching::DEFAULT, matching::ANY];
            let exact = component.match_type == matching::EXACT;
            if !known.contains(&component.match_type) || exact != component.r#match.is_some() {
                let text = format!("The filter of {kind} has no match type that makes sense.");
                return Err(Refused::invalid_request(&text));
            }
            match kind {
                CLIENT_ID => filter.client = Some(component),
                _ if OTHERS.contains(&kind) => filter.others = true,
                _ => {
                    let message = format!("Custom entity type '{kind}' not supported");
                    return Err(Refused { code: ErrorCode::UNSUPPORTED_VERSION, message });
                }
            }
        }
        Ok(filter)
    }

    fn matches(&self, entity: &QuotaEntity) -> bool {
        if self.others {
            return false;
        }
        match (self.client, entity) {
            // Strictly, an entity has the types that are named, and no other.
            (None, _) => !self.strict,
            (Some(component), QuotaEntity::AnyClient) => component.match_type != matching::EXACT,
            (Some(component), QuotaEntity::Client(name)) => match component.match_type {
                matching::EXACT => component.r#match.as_ref() == Some(name),
                matching::DEFAULT => false,
                _ => true,
            },
        }
    }
}

/// Sets and removes quotas.
pub(crate) async fn alter_client_quotas(
    ctx: &Context,
    _header: &RequestHeader,
    request: AlterClientQuotasRequest,
) -> AlterClientQuotasResponse {
    let mut response = AlterClientQuotasResponse::default();
    for entry in request.entries {
        let altered = alter(ctx, &entry, request.validate_only).await;
        let (error_code, error_message) = match altered {
            Ok(()) => (0, None),
            Err(Refused { code, message }) => (code.0, Some(message)),
        };
        let same = |entity: AlterClientQuotasRequestEntityData| {
            let AlterClientQuotasRequestEntityData { entity_type, entity_name } = entity;
            AlterClientQuotasResponseEntityData { entity_type, entity_name }
        };
        let entity = entry.entity.into_iter().map(same).collect();
        let answer = AlterClientQuotasResponseEntryData { error_code, error_message, entity };
        response.entries.push(answer);
    }
    response
}

async fn alter(
    ctx: &Context,
    entry: &AlterClientQuotasRequestEntryData,
    validate_only: bool,
) -> Result<(), Refused> {
    let entity = entity(&entry.entity)?;
    let mut changes = Vec::with_capacity(entry.ops.len());
    let mut keys = HashSet::new();
    for op in &entry.ops {
        if !keys.insert(op.key.as_str()) {
            let text = format!("Quota {} is named twice.", op.key);
            return Err(Refused::invalid_request(&text));
        }
        changes.push((op.key == PRODUCER, rate(op)?));
    }
    let change = |limits: &mut QuotaLimits| {
        for (produce, rate) in changes {
            *(if produce { &mut limits.produce } else { &mut limits.fetch }) = rate;
        }
    };
    let altered = ctx.broker.alter_quota(entity, change, validate_only).await;
    altered.map_err(|error| Refused { code: admin_code(&error), message: error.to_string() })
}

fn entity(parts: &[AlterClientQuotasRequestEntityData]) -> Result<QuotaEntity, Refused> {
    if let [AlterClientQuotasRequestEntityData { entity_type, entity_name }] = parts
        && entity_type == CLIENT_ID
    {
        return match entity_name {
            None => Ok(QuotaEntity::AnyClient),
            Some(name) if name.is_empty() => {
                Err(Refused::invalid_request("Empty client-id not supported"))
            }
            Some(name) => Ok(QuotaEntity::Client(name.clone())),
        };
    }
    Err(Refused::invalid_request(
        "Quotas are for one client-id, or for the default of all: clients are known by nothing \
         else here.",
    ))
}

/// The rate that is set; None: it is removed.
fn rate(op: &OpData) -> Result<Option<u64>, Refused> {
    if op.key != PRODUCER && op.key != CONSUMER {
        let text = format!("There is no quota {}; there are {PRODUCER} and {CONSUMER}.", op.key);
        return Err(Refused::invalid_request(&text));
    }
    if op.remove {
        return Ok(None);
    }
    // Beyond this not every whole number is one.
    const MOST: f64 = 9_007_199_254_740_992.0;
    if !(1.0..=MOST).contains(&op.value) || op.value.fract() != 0.0 {
        let text = format!("{} is a whole number of bytes a second, 1 or more.", op.key);
        return Err(Refused::invalid_request(&text));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number between the bounds above"
    )]
    let rate = op.value as u64;
    Ok(Some(rate))
}
