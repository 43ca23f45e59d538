//! The topic of a run: an existing one, or one made for it.

use anyhow::{Context, Result, bail};
use onrush_client::{Admin, ListedOffset, NewTopic, OffsetSpec};
use onrush_record::Offset;
use onrush_sys::{Clock, SystemClock};

use crate::args::{From, RunArgs};
use crate::target::Target;

/// A topic that is there.
#[derive(Clone, Debug)]
pub(super) struct RunTopic {
    pub(super) name: String,
    pub(super) partitions: u32,
    /// Records that it had when the run began, if consumers are to read them.
    pub(super) holds: u64,
    /// Whether it goes when the run has ended.
    pub(super) passing: bool,
}

impl RunTopic {
    /// Looks the topic up, or makes it.
    pub(super) async fn prepare(target: &Target, args: &RunArgs) -> Result<RunTopic> {
        #[cfg(feature = "kafka")]
        if let Target::Kafka(address) = target {
            return super::kafka::topic::prepare(address, args);
        }
        let admin = target.connect().await?.admin();
        let there = match &args.topic {
            Some(name) => admin.topics(false).await?.into_iter().find(|topic| topic.name == *name),
            None => None,
        };
        if let Some(topic) = there {
            let holds = match args.from {
                From::Start => held(&admin, &topic.name).await?,
                From::End => 0,
            };
            let partitions = topic.partitions;
            return Ok(RunTopic { name: topic.name, partitions, holds, passing: false });
        }
        if args.producers == 0 {
            bail!("there is no topic {:?} to consume", args.topic.as_deref().unwrap_or_default());
        }
        let passing = args.topic.is_none();
        let name = args.topic.clone().unwrap_or_else(|| passing_name("loadgen"));
        create(&admin, &name, args.partitions, &args.configs).await?;
        Ok(RunTopic { name, partitions: args.partitions, holds: 0, passing })
    }

    /// Deletes it if it was made for this run only.
    pub(super) async fn remove(&self, target: &Target) -> Result<()> {
        #[cfg(feature = "kafka")]
        if let (Target::Kafka(address), true) = (target, self.passing) {
            return super::kafka::topic::remove(address, &self.name);
        }
        if self.passing {
            let admin = target.connect().await?.admin();
            let deleted = admin.delete_topic(&self.name).await;
            deleted.with_context(|| format!("cannot delete the topic {}", self.name))?;
        }
        Ok(())
    }
}

/// A name that no other run has.
pub(crate) fn passing_name(prefix: &str) -> String {
    format!("{prefix}-{}-{}", SystemClock.now_ms(), std::process::id())
}

/// Makes a topic.
pub(crate) async fn create(
    admin: &Admin,
    name: &str,
    partitions: u32,
    configs: &[(String, String)],
) -> Result<()> {
    let mut topic = NewTopic::named(name).partitions(partitions);
    for (key, value) in configs {
        topic = topic.config(key, value);
    }
    admin.create_topic(topic).await.with_context(|| format!("cannot create the topic {name}"))?;
    Ok(())
}

/// How many records a topic's partitions hold.
async fn held(admin: &Admin, topic: &str) -> Result<u64> {
    let offsets = ends(admin, topic).await?;
    Ok(offsets.iter().map(|(_, first, end)| end.since(*first)).sum())
}

/// Each partition with its first offset and its end.
pub(crate) async fn ends(admin: &Admin, topic: &str) -> Result<Vec<(u32, Offset, Offset)>> {
    let firsts = admin.list_offsets(topic, OffsetSpec::Earliest).await?;
    let ends = admin.list_offsets(topic, OffsetSpec::Latest).await?;
    let offset = |listed: &ListedOffset| listed.offset.unwrap_or_default();
    let pairs = firsts.iter().zip(&ends);
    Ok(pairs.map(|(first, end)| (first.partition, offset(first), offset(end))).collect())
}
