//! `DeleteShareGroupOffsets`.

use crate::Uuid;
use crate::schema::message;

message! {
    /// Has a share group forget topics.
    DeleteShareGroupOffsetsRequest: DELETE_SHARE_GROUP_OFFSETS [0-0, flexible 0+] {
        group_id: String [0+],
        topics: Vec<DeleteShareGroupOffsetsRequestTopic> [0+],
    }
    DeleteShareGroupOffsetsRequestTopic {
        topic_name: String [0+],
    }
}

message! {
    /// The outcome, topic by topic.
    DeleteShareGroupOffsetsResponse: DELETE_SHARE_GROUP_OFFSETS [0-0, flexible 0+] {
        throttle_time_ms: i32 [0+],
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
        responses: Vec<DeleteShareGroupOffsetsResponseTopic> [0+],
    }
    DeleteShareGroupOffsetsResponseTopic {
        topic_name: String [0+],
        topic_id: Uuid [0+],
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
    }
}
