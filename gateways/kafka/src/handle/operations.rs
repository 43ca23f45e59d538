//! What a client may do, for those that ask: without an authorizer, everything there is.

/// Every operation that exists on a topic, one bit each by Kafka's numbers: read (3), write,
/// create, delete, alter, describe, describe configs (10), alter configs.
pub(crate) const ON_TOPIC: i32 =
    1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;

/// Every operation on a group: read, delete, describe, describe configs, alter configs.
pub(crate) const ON_GROUP: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

/// Every operation on the cluster: create, alter, describe, cluster action (9), describe configs,
/// alter configs, idempotent write (12).
pub(crate) const ON_CLUSTER: i32 = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;

/// The client did not ask.
pub(crate) const NOT_ASKED: i32 = i32::MIN;
