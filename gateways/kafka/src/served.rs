//! What is served: the one table that `ApiVersions` tells clients and that dispatch obeys.

use onrush_kafka_protocol::ApiKey;

use crate::dispatch::{Served, serve};

serve! {
    // In brackets the oldest version that is served, where clients are told of older ones: librdkafka
    // does not compress for a broker that does not know the first version of Produce.
    by the session {
        PRODUCE 0 (3)..=13,
        FETCH 4 (4)..=18,
    }
    API_VERSIONS 0..=4 ApiVersionsRequest => api_versions::api_versions,
}

/// What is served of an API.
pub(crate) fn find(key: ApiKey) -> Option<&'static Served> {
    SERVED.iter().find(|served| served.key == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_api_is_in_the_table_once() {
        for (at, served) in SERVED.iter().enumerate() {
            assert!(served.advertised <= served.min && served.min <= served.max, "{served:?}");
            assert!(SERVED[at + 1..].iter().all(|other| other.key != served.key), "{served:?}");
        }
    }
}
