//! `DeleteTopics`.

use crate::Uuid;
use crate::schema::message;

message! {
    /// Deletes topics, by name or by id.
    DeleteTopicsRequest: DELETE_TOPICS [1-6, flexible 4+] {
        topics: Vec<DeleteTopicState> [6+],
        topic_names: Vec<String> [0-5, ignorable],
        timeout_ms: i32 [0+],
    }
    DeleteTopicState {
        name: Option<String> [6+, nullable 6+],
        topic_id: Uuid [6+],
    }
}

message! {
    /// The outcome, topic by topic.
    DeleteTopicsResponse: DELETE_TOPICS [1-6, flexible 4+] {
        throttle_time_ms: i32 [1+, ignorable],
        responses: Vec<DeletableTopicResult> [0+],
    }
    DeletableTopicResult {
        name: Option<String> [0+, nullable 6+, default Some(String::new())],
        topic_id: Uuid [6+, ignorable],
        error_code: i16 [0+],
        error_message: Option<String> [5+, nullable 5+, ignorable],
    }
}
