//! Consumer groups: the classic protocol, the newer one, their offsets, and looking after them.

mod administer;
mod commit;
mod consumer;
mod fetch;
mod membership;

pub(crate) use administer::{delete_groups, describe_groups, list_groups, offset_delete};
pub(crate) use commit::offset_commit;
pub(crate) use consumer::{consumer_group_describe, consumer_group_heartbeat};
pub(crate) use fetch::offset_fetch;
pub(crate) use membership::{heartbeat, join_group, leave_group, sync_group};

use onrush_kafka_protocol::RequestHeader;

use crate::context::Context;

/// What a client calls itself.
pub(super) fn client_id(header: &RequestHeader) -> String {
    header.client_id.clone().unwrap_or_default()
}

/// Where it connects from, written as Java writes addresses: tools show it so.
pub(super) fn client_host(ctx: &Context) -> String {
    format!("/{}", ctx.host)
}
