//! `AlterClientQuotas`.

use crate::schema::message;

message! {
    /// Sets and removes quotas of clients.
    AlterClientQuotasRequest: ALTER_CLIENT_QUOTAS [0-1, flexible 1+] {
        entries: Vec<AlterClientQuotasRequestEntryData> [0+],
        validate_only: bool [0+],
    }
    AlterClientQuotasRequestEntryData {
        entity: Vec<AlterClientQuotasRequestEntityData> [0+],
        ops: Vec<OpData> [0+],
    }
    AlterClientQuotasRequestEntityData {
        entity_type: String [0+],
        entity_name: Option<String> [0+, nullable 0+],
    }
    OpData {
        key: String [0+],
        value: f64 [0+],
        remove: bool [0+],
    }
}

message! {
    /// The outcome, entity by entity.
    AlterClientQuotasResponse: ALTER_CLIENT_QUOTAS [0-1, flexible 1+] {
        throttle_time_ms: i32 [0+],
        entries: Vec<AlterClientQuotasResponseEntryData> [0+],
    }
    AlterClientQuotasResponseEntryData {
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
        entity: Vec<AlterClientQuotasResponseEntityData> [0+],
    }
    AlterClientQuotasResponseEntityData {
        entity_type: String [0+],
        entity_name: Option<String> [0+, nullable 0+],
    }
}
