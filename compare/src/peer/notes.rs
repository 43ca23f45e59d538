//! What a reader of the comparison has to know of each broker.

use super::PeerName;

impl PeerName {
    /// What of it is not the same as with the others; empty where nothing is.
    pub(crate) fn caveat(self) -> &'static str {
        match self {
            PeerName::Onrush => {
                "our own client gathers messages into batches as Kafka's clients do; beside a Go library that sends \
                 each message by itself, both broker and client differ."
            }
            PeerName::Kafka => {
                "its JVM goes on becoming faster for minutes; the warm-up here is shorter. By default it leaves \
                 syncing to the kernel, and durability to copies on other nodes: *synced* is not what it is made for."
            }
            PeerName::Nats => {
                "acknowledged messages are synced every two minutes: a power cut takes up to that much."
            }
            PeerName::NatsSynced => {
                "each stored message is synced by itself; batches of its newest client protocol are not used."
            }
            PeerName::Redis => {
                "one thread, all data in memory too, and the append-only file is synced once a second: a power cut \
                 takes up to that much. Memory beside it is that of the whole stream. It rewrites its file in the \
                 background, compressed where that helps: what is sent here are random bytes."
            }
            PeerName::Rabbit => {
                "streams never sync, so that there is no durable row of them: a power cut takes what the kernel had \
                 not written. Throughput is that of sub-entries, which its broker does not look into."
            }
            PeerName::RedisSynced => {
                "one thread, all data in memory too; one sync covers all commands of a turn of its event loop."
            }
        }
    }
}
