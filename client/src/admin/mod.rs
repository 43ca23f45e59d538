//! Topics, offsets, groups and transactions: looking at them, changing them.

mod groups;
mod offsets;
mod topics;
mod transactions;

use std::sync::Arc;

use onrush_protocol::request::RequestMessage;

pub use self::groups::{CommittedOffset, GroupDescription, GroupListing, GroupMember};
pub use self::offsets::ListedOffset;
pub use self::topics::{ConfigValue, NewTopic, TopicDescription};
pub use self::transactions::{HangingTransaction, TransactionDescription, TransactionListing};
pub use onrush_protocol::request::OffsetSpec;
pub use onrush_protocol::response::{ConfigSource, GroupState, MemberState, TransactionState};

use crate::error::{Error, Result};
use crate::metadata::{self, TopicInfo};
use crate::net::link::LazyLink;

/// Looks at and changes what a broker has. Cloning is cheap.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let broker = onrush::Onrush::open(onrush::Config::ephemeral())?;
/// # let client = broker.client();
/// # client.admin().create_topic(onrush_client::NewTopic::named("orders").partitions(2)).await?;
/// use onrush_client::{NewTopic, OffsetSpec};
/// let admin = client.admin();
/// admin.create_topic(NewTopic::named("events").partitions(3).config("retention.ms", "60000")).await?;
/// admin.alter_topic("events", &[("retention.ms", "3600000")], &[]).await?;
/// assert_eq!(admin.list_offsets("events", OffsetSpec::Latest).await?.len(), 3);
/// admin.delete_topic("events").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Admin {
    link: Arc<LazyLink>,
}

impl Admin {
    pub(crate) fn new(link: Arc<LazyLink>) -> Self {
        Self { link }
    }

    /// For what changes something: asked once, since a second time it may mean something else.
    async fn once<R: RequestMessage>(&self, request: &R) -> Result<R::Response> {
        self.link.get().await?.call(request).await
    }

    /// For what only looks.
    async fn look<R: RequestMessage>(&self, request: &R) -> Result<R::Response> {
        self.link.get().await?.call_again(request).await
    }

    async fn topic_info(&self, topic: &str) -> Result<TopicInfo> {
        metadata::topic(&*self.link.get().await?, topic).await
    }
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").field("link", self.link.config()).finish()
    }
}

/// The only element of an answer to a question about one thing.
fn only<T>(request: &'static str, mut parts: Vec<T>) -> Result<T> {
    match (parts.pop(), parts.is_empty()) {
        (Some(part), true) => Ok(part),
        _ => Err(Error::short_answer(request)),
    }
}
