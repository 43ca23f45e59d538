//! The native client library: producer, consumer, admin.
