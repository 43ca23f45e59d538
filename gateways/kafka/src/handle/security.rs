//! Access control and authentication, as a Kafka answers that has neither.

use onrush_kafka_protocol::messages::{
    AclCreationResult, CreateAclsRequest, CreateAclsResponse, DeleteAclsFilterResult,
    DeleteAclsRequest, DeleteAclsResponse, DescribeAclsRequest, DescribeAclsResponse,
    SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};
use onrush_kafka_protocol::{ErrorCode, RequestHeader};

use crate::context::Context;

const NO_AUTHORIZER: &str = "No Authorizer is configured.";

/// There are no rules to describe.
pub(crate) async fn describe_acls(
    _ctx: &Context,
    _header: &RequestHeader,
    _request: DescribeAclsRequest,
) -> DescribeAclsResponse {
    DescribeAclsResponse {
        error_code: ErrorCode::SECURITY_DISABLED.0,
        error_message: Some(NO_AUTHORIZER.to_owned()),
        ..DescribeAclsResponse::default()
    }
}

/// Refuses rules that nobody would hold anybody to.
pub(crate) async fn create_acls(
    _ctx: &Context,
    _header: &RequestHeader,
    request: CreateAclsRequest,
) -> CreateAclsResponse {
    let refused = |_| AclCreationResult {
        error_code: ErrorCode::SECURITY_DISABLED.0,
        error_message: Some(NO_AUTHORIZER.to_owned()),
    };
    CreateAclsResponse {
        results: request.creations.iter().map(refused).collect(),
        ..CreateAclsResponse::default()
    }
}

/// There are no rules to delete.
pub(crate) async fn delete_acls(
    _ctx: &Context,
    _header: &RequestHeader,
    request: DeleteAclsRequest,
) -> DeleteAclsResponse {
    let refused = |_| DeleteAclsFilterResult {
        error_code: ErrorCode::SECURITY_DISABLED.0,
        error_message: Some(NO_AUTHORIZER.to_owned()),
        ..DeleteAclsFilterResult::default()
    };
    DeleteAclsResponse {
        filter_results: request.filters.iter().map(refused).collect(),
        ..DeleteAclsResponse::default()
    }
}

/// A listener without authentication is past the point where a handshake is due.
pub(crate) async fn sasl_handshake(
    _ctx: &Context,
    _header: &RequestHeader,
    _request: SaslHandshakeRequest,
) -> SaslHandshakeResponse {
    SaslHandshakeResponse {
        error_code: ErrorCode::ILLEGAL_SASL_STATE.0,
        ..SaslHandshakeResponse::default()
    }
}

/// As [`sasl_handshake`].
pub(crate) async fn sasl_authenticate(
    _ctx: &Context,
    _header: &RequestHeader,
    _request: SaslAuthenticateRequest,
) -> SaslAuthenticateResponse {
    SaslAuthenticateResponse {
        error_code: ErrorCode::ILLEGAL_SASL_STATE.0,
        error_message: Some(
            "this listener has no authentication: connect without SASL (security.protocol=PLAINTEXT)"
                .to_owned(),
        ),
        ..SaslAuthenticateResponse::default()
    }
}
