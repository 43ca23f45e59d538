//! Record batches that are small on the wire and huge when decompressed: what they cost is bounded,
//! whether the broker has to look into them or not.

use onrush_kafka_protocol::ErrorCode;
use onrush_kafka_protocol::messages::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use onrush_record::batch::{BatchBuilder, Codec};
use onrush_tests::kafka::{Asks as _, produce};
use onrush_tests::{BrokerProcess, ServeOptions};

const MIB: u64 = 1 << 20;
/// What each becomes, far beyond what the broker decompresses to look at a batch.
const DECOMPRESSED: usize = 256 << 20;
const ALLOWED: u64 = 192 * MIB;

#[test]
fn a_compressed_bomb_costs_no_more_than_what_the_broker_looks_at() {
    let data = tempfile::tempdir().expect("a fresh directory");
    let broker = BrokerProcess::start(ServeOptions::at(&data.path().join("data")));
    let room = ("max.message.bytes", "33554432");
    broker.create("plain", &[room]);
    broker.create("checked", &[room, ("validate.records", "true")]);
    broker.create("compacted", &[room, ("cleanup.policy", "compact")]);
    let before = broker.rss();
    let zeros = vec![0; DECOMPRESSED];
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let mut builder = BatchBuilder::new(codec);
        builder.push(1000, Some(b"key"), Some(&zeros), &[]);
        let bomb = builder.finish().expect("a batch");
        assert!(bomb.len() * 15 < DECOMPRESSED, "{codec}: {} bytes", bomb.len());
        // Nobody looks into it: it is kept as it came, and whoever reads it has a cap of his own.
        assert_eq!(produce(&broker, "plain", bomb.clone()), 0, "{codec}");
        for topic in ["checked", "compacted"] {
            let code = produce(&broker, topic, bomb.clone());
            assert_eq!(code, ErrorCode::INVALID_RECORD.0, "{codec} to {topic}");
        }
        // Looking a time up has to find out which record of the batch it is.
        let partition = ListOffsetsPartition { timestamp: 1000, ..Default::default() };
        let lookup = ListOffsetsRequest {
            replica_id: -1,
            topics: vec![ListOffsetsTopic {
                name: "plain".to_owned(),
                partitions: vec![partition],
            }],
            ..Default::default()
        };
        let answer: ListOffsetsResponse = broker.ask(&lookup, 6);
        assert_eq!(answer.topics[0].partitions.len(), 1, "{codec}");
        let peak = broker.peak_rss().saturating_sub(before);
        assert!(peak < ALLOWED, "{codec} cost {peak} bytes");
    }
}
