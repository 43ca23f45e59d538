//! Made-up and spoilt requests of every API and version, and spoilt record batches, over a socket
//! against the real program: each is answered or ends its connection, and the others are served.
//!
//! `ONRUSH_FUZZ_ROUNDS` makes it longer, `ONRUSH_SEED` brings a run back.

use std::fmt::Write as _;

use onrush_corpus::{Encoding, Seed, grow, rounds};
use onrush_kafka_protocol::messages::{
    self, ApiVersionsRequest, ApiVersionsResponse, FetchRequest, FetchRequestFetchPartition,
    FetchRequestFetchTopic, FetchResponse,
};
use onrush_kafka_protocol::{Message, for_every_api};
use onrush_record::batch::{BatchBuilder, Codec, HEADER_LEN};
use onrush_record::{ProducerEpoch, ProducerId, Sequence, crc32c};
use onrush_tests::kafka::{Asks as _, frame, produce};
use onrush_tests::{BrokerProcess, ServeOptions};

const MIB: u64 = 1 << 20;
/// Where the fields of a record batch begin.
const BATCH_FIELDS: [usize; 14] = [0, 8, 12, 16, 17, 21, 23, 27, 35, 43, 51, 53, 57, HEADER_LEN];
/// What a batch's checksum covers begins here.
const SUMMED_FROM: usize = 21;

fn served() -> (tempfile::TempDir, BrokerProcess) {
    let data = tempfile::tempdir().expect("a fresh directory");
    let options = ServeOptions::at(&data.path().join("data"));
    (data, BrokerProcess::start(options))
}

/// Sends what was made up of every version that the broker says it serves.
fn fuzz<M: Message>(broker: &BrokerProcess, told: &ApiVersionsResponse, seed: Seed) {
    let Some(api) = told.api_keys.iter().find(|api| api.api_key == M::KEY.0) else { return };
    for (part, version) in (0..).zip(api.min_version.max(*M::VERSIONS.start())..=api.max_version) {
        let mut dice = seed.dice(part << 16 | u64::from(M::KEY.0.unsigned_abs()));
        let tries = (0..30).filter_map(|_| grow::<M>(version, &mut dice));
        let valid: Vec<Encoding> = tries.take(3).collect();
        for _ in 0..rounds(10) {
            for encoding in &valid {
                let other = &valid[dice.below(valid.len())];
                let body = encoding.spoil(other, &mut dice);
                let sent = frame(None, M::KEY.0, version, &body);
                let answer = broker.exchange(&sent);
                assert!(answer.len() < 1 << 22, "{} v{version} {body:02x?}", M::KEY.name());
            }
        }
    }
}

#[test]
fn spoilt_requests_are_answered_or_end_their_connection() {
    let (_data, broker) = served();
    let told: ApiVersionsResponse = broker.ask(&ApiVersionsRequest::default(), 0);
    let before = broker.rss();
    let seed = Seed::take("spoilt requests");
    macro_rules! all {
        ($($key:ident: $request:ident => $response:ident,)+) => {
            $( fuzz::<messages::$request>(&broker, &told, seed); )+
        };
    }
    for_every_api!(all);
    let again: ApiVersionsResponse = broker.ask(&ApiVersionsRequest::default(), 0);
    assert_eq!(again, told);
    let grown = broker.rss().saturating_sub(before);
    assert!(grown < 256 * MIB, "they cost {grown} bytes");
}

/// Valid batches of every codec and of an idempotent producer.
fn batches() -> Vec<Encoding> {
    let build = |codec, idempotent: bool| {
        let mut builder = BatchBuilder::new(codec);
        if idempotent {
            let (id, epoch) = (ProducerId::new(7), ProducerEpoch::new(0));
            builder = builder.with_producer(id, epoch, Sequence::new(0));
        }
        for number in 0..5 {
            let mut value = String::new();
            write!(value, "value {number} value value value").expect("text takes text");
            builder.push(1000 + number, Some(b"key"), Some(value.as_bytes()), &[]);
        }
        let bytes = builder.finish().expect("a batch");
        let starts = BATCH_FIELDS.into_iter().chain((HEADER_LEN + 4..bytes.len()).step_by(4));
        Encoding { starts: starts.collect(), bytes }
    };
    let codecs = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
    codecs.into_iter().flat_map(|codec| [build(codec, false), build(codec, true)]).collect()
}

#[test]
fn spoilt_batches_are_refused_or_kept_as_they_are() {
    let (_data, broker) = served();
    let settings = [
        ("plain", &[][..]),
        ("checked", &[("validate.records", "true")]),
        ("compacted", &[("cleanup.policy", "compact")]),
        ("stamped", &[("message.timestamp.type", "LogAppendTime")]),
    ];
    for (topic, configs) in settings {
        broker.create(topic, configs);
    }
    let before = broker.rss();
    let mut dice = Seed::take("spoilt batches").dice(0);
    let valid = batches();
    let (mut kept, mut refused) = (0, 0);
    for _ in 0..rounds(40) {
        for encoding in &valid {
            let mut bytes = encoding.spoil(&valid[dice.below(valid.len())], &mut dice);
            // A checksum that is right gets further.
            if bytes.len() > SUMMED_FROM && !dice.one_in(4) {
                let sum = crc32c(&bytes[SUMMED_FROM..]);
                bytes[17..SUMMED_FROM].copy_from_slice(&sum.to_be_bytes());
                if dice.one_in(2) {
                    let length = u32::try_from(bytes.len() - 12).expect("short");
                    bytes[8..12].copy_from_slice(&length.to_be_bytes());
                }
            }
            let (topic, _) = settings[dice.below(settings.len())];
            match produce(&broker, topic, bytes) {
                0 => kept += 1,
                _ => refused += 1,
            }
        }
    }
    println!("{kept} kept, {refused} refused");
    assert!(kept > 0 && refused > 0);
    for (topic, _) in settings {
        let good = &valid[0].bytes;
        assert_eq!(produce(&broker, topic, good.clone()), 0, "{topic} takes records still");
        let partition =
            FetchRequestFetchPartition { partition_max_bytes: 64 << 20, ..Default::default() };
        let fetch = FetchRequest {
            max_bytes: 64 << 20,
            topics: vec![FetchRequestFetchTopic {
                topic: topic.to_owned(),
                partitions: vec![partition],
                ..Default::default()
            }],
            ..Default::default()
        };
        let answer: FetchResponse = broker.ask(&fetch, 12);
        let found = &answer.responses[0].partitions[0];
        assert_eq!(found.error_code, 0, "{topic} is readable from its beginning");
        let records = found.records.as_deref().unwrap_or_default();
        let tail = &good[SUMMED_FROM..];
        assert!(records.ends_with(tail) || topic == "stamped", "{topic} ends with the last batch");
    }
    let grown = broker.rss().saturating_sub(before);
    assert!(grown < 256 * MIB, "they cost {grown} bytes");
}
