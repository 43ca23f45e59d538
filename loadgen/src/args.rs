//! The command line, parsed once into what a run needs.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use onrush_client::Acks;
use onrush_record::codec::Codec;

use crate::keys::Distribution;
use crate::payload::STAMP_LEN;

/// Loads a broker and tells how it did, or proves that it lost nothing.
#[derive(Debug, Parser)]
#[command(name = "onrush-loadgen", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  How fast can it go?
    onrush-loadgen run --target 127.0.0.1:7222 --rate max --acks 1 --duration 10s
  What latency has it at a million messages a second, produced and consumed at once?
    onrush-loadgen run --rate 1000000 --consumers 1 --duration 60s --report out.html
  The same without a broker to start first:
    onrush-loadgen run --embedded --rate 100000 --consumers 1
  The same of Apache Kafka, or of the Kafka listener of ours (built with --features kafka)?
    onrush-loadgen run --kafka 127.0.0.1:9092 --rate 50000 --consumers 1
  Is everything acknowledged still there, however often the broker is killed meanwhile?
    onrush-loadgen verify --producers 4 --partitions 8 --duration 30s";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Produce and consume under load; report throughput, latency and what it cost.
    Run(Box<RunArgs>),
    /// Write numbered records, read all back, and prove that each acknowledged one is there once,
    /// in order.
    Verify(VerifyArgs),
}

/// The arguments of `run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Address of the broker.
    #[arg(long, value_name = "ADDR", default_value = crate::target::DEFAULT_ADDRESS)]
    pub target: String,
    /// Load the broker at this address by the Kafka protocol instead, be it another Kafka.
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["target", "embedded"])]
    pub kafka: Option<String>,
    /// Load a broker inside this process instead, its files gone afterwards.
    #[arg(long, conflicts_with_all = ["target", "pid"])]
    pub embedded: bool,
    /// Process id of the broker, to report its CPU and memory.
    #[arg(long)]
    pub pid: Option<u32>,
    /// Producers, each with a connection of its own.
    #[arg(long, default_value_t = 1)]
    pub producers: usize,
    /// Consumers, each with a connection of its own; partitions are dealt out over them.
    #[arg(long, default_value_t = 0)]
    pub consumers: usize,
    /// Partitions of the topic.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub partitions: u32,
    /// Bytes of each value, at least 16.
    #[arg(long, default_value_t = 100, value_name = "BYTES", value_parser = parse_size)]
    pub size: usize,
    /// Messages due each second, all producers together (open loop); or `max` (closed loop).
    #[arg(long, default_value = "max", value_name = "N|max")]
    pub rate: Rate,
    /// Messages that a producer may have unacknowledged at once; 0: as many as its buffer holds.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub in_flight: usize,
    /// When a message counts as produced: 0 sent, 1 written, all on stable storage.
    #[arg(long, default_value = "all", value_name = "0|1|all", value_parser = parse_acks)]
    pub acks: Acks,
    /// Bytes of a batch at most [default: the client's].
    #[arg(long, value_name = "BYTES")]
    pub batch: Option<usize>,
    /// How long a producer holds a message back to fill a batch.
    #[arg(long, default_value = "0", value_name = "DURATION", value_parser = parse_duration)]
    pub linger: Duration,
    /// How batches are compressed: none, gzip, snappy, lz4 or zstd.
    #[arg(long, default_value = "none", value_name = "CODEC", value_parser = parse_codec)]
    pub compression: Codec,
    /// Which keys messages have: `none`, `uniform[:KEYS]` or `zipf[:KEYS[:EXPONENT]]`.
    #[arg(long, default_value = "none", value_name = "DISTRIBUTION")]
    pub keys: Distribution,
    /// Runs before anything is measured.
    #[arg(long, default_value = "2s", value_name = "DURATION", value_parser = parse_duration)]
    pub warmup: Duration,
    /// Runs and measures.
    #[arg(long, default_value = "10s", value_name = "DURATION", value_parser = parse_duration)]
    pub duration: Duration,
    /// Stop after that many messages, all producers (or else consumers) together; no warm-up.
    #[arg(long, value_name = "N")]
    pub message_count: Option<u64>,
    /// Topic to use, made if it is not there and then kept [default: one made for this run].
    #[arg(long, value_name = "NAME")]
    pub topic: Option<String>,
    /// A configuration of a topic that is made, such as visibility=written. Repeatable.
    #[arg(long = "config", value_name = "KEY=VALUE", value_parser = parse_config)]
    pub configs: Vec<(String, String)>,
    /// Where consumers begin. `start` with `--producers 0` drains what the topic holds, then ends.
    #[arg(long, default_value = "end", value_name = "start|end")]
    pub from: From,
    /// Consume as members of this group, instead of partitions dealt out by the load generator.
    #[arg(long, value_name = "NAME")]
    pub group: Option<String>,
    /// Beside the load, one more consumer reads this topic from its start: a backlog that somebody
    /// catches up with. It is told apart, and counts in no latency.
    #[arg(long, value_name = "TOPIC")]
    pub drain: Option<String>,
    /// Messages of the backlog that its consumer takes a second at most: a slow consumer. Of the load's
    /// own `--topic`, made beforehand, it is one that falls behind the others.
    #[arg(long, value_name = "N", requires = "drain", value_parser = clap::value_parser!(u32).range(1..))]
    pub drain_rate: Option<u32>,
    /// Core that the first thread of the load generator is pinned to (and the next, the next).
    #[arg(long, value_name = "CORE")]
    pub pin: Option<usize>,
    /// Threads of the load generator; producers and consumers are dealt out over them.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: u16,
    /// How an open loop waits for the next message to be due: `spin` is exact but uses up a core,
    /// `timer` is a millisecond coarse [default: spin with --pin, or two cores or more].
    #[arg(long, value_name = "spin|timer")]
    pub pacing: Option<Pacing>,
    /// Print one JSON object on standard output instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Write a self-contained HTML page with the latency curve and throughput over time.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

/// The arguments of `verify`.
#[derive(Clone, Debug, Args)]
pub struct VerifyArgs {
    /// Address of the broker; it may go away and come back while this runs.
    #[arg(long, value_name = "ADDR", default_value = crate::target::DEFAULT_ADDRESS)]
    pub target: String,
    /// Producers, each of which writes to every partition.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub producers: u16,
    /// Partitions of the topic.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub partitions: u32,
    /// Bytes of each value, at least 16.
    #[arg(long, default_value_t = 100, value_name = "BYTES", value_parser = parse_size)]
    pub size: usize,
    /// Records due each second, all producers together; or `max`.
    #[arg(long, default_value = "20000", value_name = "N|max")]
    pub rate: Rate,
    /// What counts as acknowledged: 1 written, all on stable storage.
    #[arg(long, default_value = "all", value_name = "1|all", value_parser = parse_acks)]
    pub acks: Acks,
    /// How long to write.
    #[arg(long, default_value = "10s", value_name = "DURATION", value_parser = parse_duration)]
    pub duration: Duration,
    /// How long to wait, after writing, for a broker that is away.
    #[arg(long, default_value = "60s", value_name = "DURATION", value_parser = parse_duration)]
    pub patience: Duration,
    /// Topic to use, made if it is not there and then kept [default: one made for this run].
    #[arg(long, value_name = "NAME")]
    pub topic: Option<String>,
    /// A configuration of a topic that is made. Repeatable.
    #[arg(long = "config", value_name = "KEY=VALUE", value_parser = parse_config)]
    pub configs: Vec<(String, String)>,
    /// Keep the topic that was made for this run.
    #[arg(long)]
    pub keep: bool,
    /// Print one JSON object on standard output instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// How fast messages come.
#[derive(Copy, Clone, Debug, PartialEq)]
pub enum Rate {
    /// As fast as they are taken (closed loop).
    Max,
    /// So many each second (open loop).
    PerSecond(f64),
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Rate, String> {
        if text == "max" {
            return Ok(Rate::Max);
        }
        let rate = text.replace('_', "").parse::<f64>().ok();
        rate.filter(|rate| rate.is_finite() && *rate > 0.0)
            .map(Rate::PerSecond)
            .ok_or_else(|| format!("{text:?} is neither `max` nor a rate above 0"))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rate::Max => f.write_str("max"),
            Rate::PerSecond(rate) => write!(f, "{rate}"),
        }
    }
}

/// Where consumers begin.
#[derive(Copy, Clone, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum From {
    /// At the first record that the topic still has.
    Start,
    /// At the first record that comes after them.
    End,
}

/// How an open loop waits until the next message is due.
#[derive(Copy, Clone, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Pacing {
    /// By looking at the clock again and again.
    Spin,
    /// By a timer.
    Timer,
}

/// A duration such as `250us`, `10ms`, `1.5s`, `2m`, or `0`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let unit_at = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let scale = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "" if number == "0" => 0.0,
        _ => return Err(format!("{text:?} needs a unit: us, ms, s, m or h")),
    };
    let number: f64 =
        number.parse().map_err(|_| format!("{text:?} does not begin with a number"))?;
    Duration::try_from_secs_f64(number * scale).map_err(|_| format!("{text:?} is too long"))
}

/// The name that `--acks` has for it.
#[must_use]
pub fn acks_name(acks: Acks) -> &'static str {
    match acks {
        Acks::None => "0",
        Acks::Written => "1",
        Acks::All => "all",
    }
}

fn parse_acks(text: &str) -> Result<Acks, String> {
    match text {
        "0" => Ok(Acks::None),
        "1" => Ok(Acks::Written),
        "all" | "-1" => Ok(Acks::All),
        _ => Err(format!("{text:?} is not 0, 1 or all")),
    }
}

fn parse_codec(text: &str) -> Result<Codec, String> {
    let codec = CODECS.iter().find(|(name, _)| *name == text);
    codec
        .map(|(_, codec)| *codec)
        .ok_or_else(|| format!("{text:?} is none of {}", CODECS.map(|(name, _)| name).join(", ")))
}

/// The name that `--compression` has for it, as Kafka has.
#[must_use]
pub fn codec_name(codec: Codec) -> &'static str {
    CODECS.iter().find(|(_, of_name)| *of_name == codec).map_or("none", |(name, _)| name)
}

const CODECS: [(&str, Codec); 5] = [
    ("none", Codec::None),
    ("gzip", Codec::Gzip),
    ("snappy", Codec::Snappy),
    ("lz4", Codec::Lz4),
    ("zstd", Codec::Zstd),
];

fn parse_size(text: &str) -> Result<usize, String> {
    match text.replace('_', "").parse() {
        Ok(size) if size >= STAMP_LEN => Ok(size),
        Ok(_) => Err(format!("a value holds a send time and a number: at least {STAMP_LEN} bytes")),
        Err(error) => Err(format!("{text:?}: {error}")),
    }
}

fn parse_config(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err(format!("{text:?} is not KEY=VALUE")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_parse() {
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("250us"), Ok(Duration::from_micros(250)));
        assert_eq!(parse_duration("0"), Ok(Duration::ZERO));
        for wrong in ["", "5", "s", "1.2.3s", "-1s", "9d"] {
            assert!(parse_duration(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn codecs_go_by_their_names() {
        for (name, codec) in CODECS {
            assert_eq!(parse_codec(name), Ok(codec));
            assert_eq!(codec_name(codec), name);
        }
        assert!(parse_codec("lzma").is_err());
    }

    #[test]
    fn rates_parse() {
        assert_eq!("max".parse(), Ok(Rate::Max));
        assert_eq!("1_000_000".parse(), Ok(Rate::PerSecond(1e6)));
        for wrong in ["", "0", "-1", "inf", "fast"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong:?}");
        }
    }
}
