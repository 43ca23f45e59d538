//! Offsets and the deletion of records.

use onrush_protocol::request::{
    DeleteRecordsPart, DeleteRecordsRequest, ListOffsetsPart, ListOffsetsRequest, OffsetSpec,
};
use onrush_protocol::wire::Maybe;
use onrush_record::Offset;

use super::{Admin, only};
use crate::error::{Error, Result};

/// An offset that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedOffset {
    /// The partition.
    pub partition: u32,
    /// The offset; absent when no record is as asked.
    pub offset: Option<Offset>,
    /// The record's timestamp, where one was looked for.
    pub timestamp: Option<i64>,
}

impl Admin {
    /// An offset of each partition of a topic: first, end, or by time.
    ///
    /// # Errors
    /// When there is no such topic, or one of its partitions has no answer.
    pub async fn list_offsets(&self, topic: &str, spec: OffsetSpec) -> Result<Vec<ListedOffset>> {
        let info = self.topic_info(topic).await?;
        let part = |partition| ListOffsetsPart {
            topic_id: info.id,
            partition,
            leader_epoch: Maybe::NONE,
            spec,
        };
        let request = ListOffsetsRequest { parts: (0..info.partitions).map(part).collect() };
        let response = self.look(&request).await?;
        if response.parts.len() != request.parts.len() {
            return Err(Error::short_answer("ListOffsets"));
        }
        let answers = request.parts.iter().zip(response.parts);
        let listed = answers.map(|(asked, answer)| match answer.error.0 {
            Some(error) => {
                Err(Error::broker(format_args!("offset of {topic}/{}", asked.partition), error))
            }
            None => Ok(ListedOffset {
                partition: asked.partition,
                offset: answer.offset.0,
                timestamp: (answer.timestamp >= 0).then_some(answer.timestamp),
            }),
        });
        listed.collect()
    }

    /// Deletes the records of a partition below `before` (`None`: all that can be read now);
    /// answers with the first offset left.
    ///
    /// # Errors
    /// When there is no such partition, or `before` is past its end.
    pub async fn delete_records(
        &self,
        topic: &str,
        partition: u32,
        before: Option<Offset>,
    ) -> Result<Offset> {
        let topic_id = self.topic_info(topic).await?.id;
        let part = DeleteRecordsPart { topic_id, partition, before: before.into() };
        let response = self.once(&DeleteRecordsRequest { parts: vec![part] }).await?;
        let deleted = only("DeleteRecords", response.parts)?;
        if let Some(error) = deleted.error.0 {
            return Err(Error::broker(
                format_args!("delete records of {topic}/{partition}"),
                error,
            ));
        }
        deleted.log_start.0.ok_or_else(|| Error::short_answer("DeleteRecords"))
    }
}
