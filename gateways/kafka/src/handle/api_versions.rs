//! What the broker tells clients that it can do.

use onrush_kafka_protocol::messages::{
    ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use onrush_kafka_protocol::{ApiKey, ErrorCode, RequestHeader};

use crate::context::Context;
use crate::dispatch::Served;
use crate::served::{SERVED, find};

/// From this version on clients say what they are.
const NAMED_FROM: i16 = 3;

/// From this version on clients can read that a feature may be switched off (level 0).
const LEVEL_ZERO_FROM: i16 = 4;
/// The features never change while the broker runs.
const FEATURES_EPOCH: i64 = 0;

/// Something that clients do only with brokers that have it switched on.
struct Feature {
    name: &'static str,
    min: i16,
    level: i16,
    /// It is there once this version of this API is served.
    needs: (ApiKey, i16),
}

const FEATURES: &[Feature] = &[
    Feature {
        name: "group.version",
        min: 0,
        level: 1,
        needs: (ApiKey::CONSUMER_GROUP_HEARTBEAT, 0),
    },
    // What the metadata of Apache Kafka 4.3 can say.
    Feature { name: "metadata.version", min: 7, level: 30, needs: (ApiKey::METADATA, 13) },
    Feature { name: "share.version", min: 0, level: 1, needs: (ApiKey::SHARE_GROUP_HEARTBEAT, 1) },
    // Transactions whose partitions need not be added, and whose end raises the producer's epoch.
    Feature { name: "transaction.version", min: 0, level: 2, needs: (ApiKey::END_TXN, 5) },
];

fn features() -> impl Iterator<Item = &'static Feature> {
    let is_served = |feature: &&Feature| {
        let (key, version) = feature.needs;
        find(key).is_some_and(|served| (served.min..=served.max).contains(&version))
    };
    FEATURES.iter().filter(is_served)
}

fn supported(feature: &Feature, version: i16) -> SupportedFeatureKey {
    let Feature { name, min, level, .. } = *feature;
    let least = if version < LEVEL_ZERO_FROM { 1 } else { 0 };
    SupportedFeatureKey { name: name.to_owned(), min_version: min.max(least), max_version: level }
}

fn finalized(feature: &Feature) -> FinalizedFeatureKey {
    let Feature { name, level, .. } = *feature;
    let name = name.to_owned();
    FinalizedFeatureKey { name, max_version_level: level, min_version_level: level }
}

/// Everything in the table of what is served.
pub(crate) async fn api_versions(
    _: &Context,
    header: &RequestHeader,
    request: ApiVersionsRequest,
) -> ApiVersionsResponse {
    let named = is_name(&request.client_software_name) && is_name(&request.client_software_version);
    if header.api_version >= NAMED_FROM && !named {
        let error_code = ErrorCode::INVALID_REQUEST.0;
        return ApiVersionsResponse { error_code, ..Default::default() };
    }
    ApiVersionsResponse {
        api_keys: SERVED.iter().map(shown).collect(),
        supported_features: features()
            .map(|feature| supported(feature, header.api_version))
            .collect(),
        finalized_features_epoch: FEATURES_EPOCH,
        finalized_features: features().map(finalized).collect(),
        ..Default::default()
    }
}

/// The answer to who asks in a version that is not served, in the form of version 0: which are.
pub(crate) fn unserved() -> ApiVersionsResponse {
    ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION.0,
        api_keys: find(ApiKey::API_VERSIONS).map(shown).into_iter().collect(),
        ..Default::default()
    }
}

fn shown(served: &Served) -> ApiVersion {
    ApiVersion { api_key: served.key.0, min_version: served.advertised, max_version: served.max }
}

/// Letters and digits, with `-` and `.` between them.
fn is_name(name: &str) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric();
    let bytes = name.as_bytes();
    bytes.first().is_some_and(plain)
        && bytes.last().is_some_and(plain)
        && bytes.iter().all(|byte| plain(byte) || matches!(byte, b'-' | b'.'))
}
