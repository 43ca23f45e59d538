//! Opening a connection, asking whether it lives, and what there is to talk to.

use onrush_record::TopicId;

use super::topics::TopicRef;
use crate::error::WireError;
use crate::wire::Maybe;

message! {
    /// The first frame on a connection.
    pub struct HelloRequest {
        /// Oldest protocol version the client speaks.
        pub version_min: u16,
        /// Newest protocol version the client speaks.
        pub version_max: u16,
        /// Features the client would use, one bit each. Bits the broker does not know are ignored.
        pub features: u64,
        /// What the client calls itself; shown to operators, and the `client_id` of its groups.
        pub client_name: String,
        /// Version of the client's software.
        pub client_version: String,
        /// Largest frame the client accepts, as the length field counts.
        pub max_frame: u32,
    }

    /// What both sides settled on.
    pub struct HelloResponse {
        /// The version that holds from here on: the newest both speak.
        pub version: u16,
        /// Features both named. No other may be used on this connection.
        pub features: u64,
        /// Version of the broker's software.
        pub broker_version: String,
        /// Id of this broker.
        pub node_id: i32,
        /// Id of the cluster, which an address alone does not prove.
        pub cluster_id: String,
        /// Largest frame the broker accepts, as the length field counts.
        pub max_frame: u32,
        /// Requests of one connection that the broker holds unanswered before it stops reading.
        pub max_in_flight: u32,
    }

    /// Asks whether the broker is there. Empty.
    pub struct PingRequest {}

    /// It is.
    pub struct PingResponse {
        /// The broker's clock, in milliseconds since 1970.
        pub time_ms: i64,
    }

    /// The client has sent more than it may.
    pub struct Throttle {
        /// For how long from now on nothing is read from this connection, in milliseconds. It may end sooner.
        pub wait_ms: u32,
    }

    /// Asks for brokers, topics and partitions.
    pub struct MetadataRequest {
        /// Which topics, by name or id; absent: all. An empty array: none, only the brokers.
        pub topics: Option<Vec<TopicRef>>,
        /// With all topics, the broker's own too.
        pub internal: bool,
    }

    /// Brokers, topics and partitions.
    pub struct MetadataResponse {
        /// Id of the broker that answers.
        pub node_id: i32,
        /// Id of the cluster.
        pub cluster_id: String,
        /// Every broker.
        pub brokers: Vec<BrokerInfo>,
        /// One for each topic asked for, in the order of asking; all topics come in order of name.
        pub topics: Vec<TopicMetadata>,
    }

    /// Where a broker is.
    pub struct BrokerInfo {
        /// Its id.
        pub id: i32,
        /// Host name or address. Empty when the broker has no listener (in process).
        pub host: String,
        /// Port.
        pub port: u16,
    }

    /// A topic as `Metadata` knows it.
    pub struct TopicMetadata {
        /// 0, or why there is nothing to say: `UNKNOWN_TOPIC`, `ILLEGAL_TOPIC_NAME`.
        pub error: Maybe<WireError>,
        /// Its name; empty if asked for by an id nobody has.
        pub name: String,
        /// Its id; zeros if asked for by a name nobody has.
        pub topic_id: TopicId,
        /// Whether it belongs to the broker itself.
        pub internal: bool,
        /// Its partitions, in order of index.
        pub partitions: Vec<PartitionMetadata>,
    }

    /// A partition as `Metadata` knows it.
    pub struct PartitionMetadata {
        /// 0, or why it cannot be used now: `PARTITION_OFFLINE`.
        pub error: Maybe<WireError>,
        /// Its number in the topic, from 0.
        pub index: u32,
        /// Id of the broker that leads it; -1 for none.
        pub leader_id: i32,
        /// Its leader epoch.
        pub leader_epoch: Maybe<onrush_record::LeaderEpoch>,
    }
}
