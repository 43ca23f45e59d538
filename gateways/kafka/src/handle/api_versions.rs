//! What the broker tells clients that it can do.

use onrush_kafka_protocol::messages::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};
use onrush_kafka_protocol::{ApiKey, ErrorCode, RequestHeader};

use crate::context::Context;
use crate::dispatch::Served;
use crate::served::{SERVED, find};

/// From this version on clients say what they are.
const NAMED_FROM: i16 = 3;

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
    ApiVersionsResponse { api_keys: SERVED.iter().map(shown).collect(), ..Default::default() }
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
