//! `DescribeClientQuotas`.

use crate::schema::message;

message! {
    /// Asks for the quotas of clients.
    DescribeClientQuotasRequest: DESCRIBE_CLIENT_QUOTAS [0-1, flexible 1+] {
        components: Vec<ComponentData> [0+],
        strict: bool [0+],
    }
    ComponentData {
        entity_type: String [0+],
        match_type: i8 [0+],
        r#match: Option<String> [0+, nullable 0+],
    }
}

message! {
    /// The quotas.
    DescribeClientQuotasResponse: DESCRIBE_CLIENT_QUOTAS [0-1, flexible 1+] {
        throttle_time_ms: i32 [0+],
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
        entries: Option<Vec<DescribeClientQuotasResponseEntryData>> [0+, nullable 0+],
    }
    DescribeClientQuotasResponseEntryData {
        entity: Vec<DescribeClientQuotasResponseEntityData> [0+],
        values: Vec<ValueData> [0+],
    }
    DescribeClientQuotasResponseEntityData {
        entity_type: String [0+],
        entity_name: Option<String> [0+, nullable 0+],
    }
    ValueData {
        key: String [0+],
        value: f64 [0+],
    }
}
