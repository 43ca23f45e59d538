//! The guard: what a message costs in instructions, which no noise of the machine can move.
//!
//! A [`Path`] does one thing so many rounds, on one thread, with a clock that stands still and
//! random numbers from a seed. It is run twice under callgrind, the second time with twice the
//! rounds: the difference is what the rounds cost, without start and end. `cargo xtask bench
//! --guard` does so and compares with `bench/guard.toml`.

mod append;
mod broker;
mod client;
mod codec;
mod kafka;
mod native;
mod socket;

use anyhow::Result;

/// Records in a batch of about 16 KiB.
const RECORDS: u32 = 149;
/// What each record holds.
const VALUE: [u8; 100] = [b'v'; 100];
/// Batches that are read at once: more than what is copied behind a header instead of sent from the file.
const BATCHES: u32 = 4;

/// One way that messages go.
pub struct Path {
    /// What it is called.
    pub name: &'static str,
    /// What is counted.
    pub what: &'static str,
    /// Rounds of the shorter run; the other one has twice as many.
    pub rounds: u32,
    body: fn(u32) -> Result<u64>,
}

impl Path {
    /// Does it so many times, at most twice [`Path::rounds`]; tells how many messages went.
    ///
    /// # Errors
    /// Whatever goes wrong: it was not what is counted, then.
    pub fn run(&self, rounds: u32) -> Result<u64> {
        (self.body)(rounds)
    }
}

/// All of them, from the inside out.
pub const PATHS: &[Path] = &[
    Path {
        name: "codec-encode",
        what: "records into a batch, with its CRC",
        rounds: 200,
        body: codec::encode,
    },
    Path {
        name: "codec-validate",
        what: "what the broker checks of a batch",
        rounds: 200,
        body: codec::validate,
    },
    Path { name: "codec-decode", what: "records out of a batch", rounds: 200, body: codec::decode },
    Path {
        name: "append",
        what: "Partition::produce, a batch of 149",
        rounds: 200,
        body: append::batches,
    },
    Path {
        name: "append-one",
        what: "Partition::produce, a batch of one",
        rounds: 2_000,
        body: append::single,
    },
    Path {
        name: "native-produce",
        what: "a native request with a batch of 149, and its answer",
        rounds: 200,
        body: native::produce,
    },
    Path {
        name: "native-produce-one",
        what: "a native request with one message, and its answer",
        rounds: 1_000,
        body: native::produce_one,
    },
    Path {
        name: "native-fetch",
        what: "a native fetch of up to four batches, and its answer",
        rounds: 100,
        body: native::fetch,
    },
    Path {
        name: "native-deliver",
        what: "credit for four batches of a subscription, and their delivery",
        rounds: 100,
        body: native::deliver,
    },
    Path {
        name: "kafka-produce",
        what: "a Kafka request with a batch of 149, and its answer",
        rounds: 200,
        body: kafka::produce,
    },
    Path {
        name: "kafka-produce-one",
        what: "a Kafka request with one message, and its answer",
        rounds: 1_000,
        body: kafka::produce_one,
    },
    Path {
        name: "kafka-fetch",
        what: "a Kafka fetch of up to four batches, and its answer",
        rounds: 100,
        body: kafka::fetch,
    },
    Path {
        name: "client-produce",
        what: "Producer::send, up to the frame and its acknowledgement",
        rounds: 60,
        body: client::produce,
    },
    Path {
        name: "client-consume",
        what: "Consumer::poll and its records, from the frame on",
        rounds: 25,
        body: client::consume,
    },
];

/// The path of that name.
pub fn path(name: &str) -> Option<&'static Path> {
    PATHS.iter().find(|path| path.name == name)
}

/// What of the processor the code may use that chooses when it runs, as far as it matters here: the
/// CRC, and copies. Under valgrind that is what valgrind has.
pub fn processor() -> Vec<&'static str> {
    let mut found = vec![std::env::consts::ARCH];
    #[cfg(target_arch = "x86_64")]
    {
        let all = [
            ("sse4.2", std::arch::is_x86_feature_detected!("sse4.2")),
            ("pclmulqdq", std::arch::is_x86_feature_detected!("pclmulqdq")),
            ("avx2", std::arch::is_x86_feature_detected!("avx2")),
            ("vpclmulqdq", std::arch::is_x86_feature_detected!("vpclmulqdq")),
            ("avx512vl", std::arch::is_x86_feature_detected!("avx512vl")),
        ];
        found.extend(all.into_iter().filter_map(|(name, there)| there.then_some(name)));
    }
    #[cfg(target_arch = "aarch64")]
    {
        let all = [
            ("crc", std::arch::is_aarch64_feature_detected!("crc")),
            ("aes", std::arch::is_aarch64_feature_detected!("aes")),
            ("sha3", std::arch::is_aarch64_feature_detected!("sha3")),
        ];
        found.extend(all.into_iter().filter_map(|(name, there)| there.then_some(name)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_does_what_it_says() {
        for path in PATHS {
            let run =
                |rounds| path.run(rounds).unwrap_or_else(|why| panic!("{}: {why:#}", path.name));
            let (shorter, longer) = (run(2), run(4));
            assert!(shorter < longer, "{}: {shorter} messages, then {longer}", path.name);
        }
    }

    #[test]
    fn no_two_are_called_the_same() {
        for path in PATHS {
            assert_eq!(PATHS.iter().filter(|other| other.name == path.name).count(), 1);
        }
    }
}
