//! What can be typed after `onrush`.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// The address that `serve` listens on and every other command goes to, unless told otherwise.
pub(crate) const DEFAULT_SERVER: &str = "127.0.0.1:7222";

/// A log broker in one binary: topics, consumer groups, durable before acknowledged.
#[derive(Debug, Parser)]
#[command(
    name = "onrush",
    version,
    max_term_width = 100,
    after_help = "\
Three things to try, each in its own terminal:
  onrush                                        a broker over ./onrush-data, on loopback
  onrush topic create numbers && seq 1 10 | onrush produce numbers
                                                ten records, durable when the command ends
  onrush consume numbers --from start           reads them back

Exit status: 0 done; 1 refused, or damage found; 2 wrong usage, or could not look;
3 the broker cannot be reached."
)]
pub(crate) struct Arguments {
    /// Without a command: serve.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// What `serve` takes can be given without naming it.
    #[command(flatten)]
    pub(crate) serve: ServeArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a broker (this is also what plain `onrush` does).
    Serve(ServeArguments),
    /// Create, list, describe, change and delete topics.
    #[command(subcommand)]
    Topic(TopicCommand),
    /// Send each line of standard input as a record; done when all are acknowledged.
    Produce(ProduceArguments),
    /// Print a topic's records; ends at the end it found, unless --follow.
    Consume(ConsumeArguments),
    /// List, describe, reset and delete consumer groups.
    #[command(subcommand)]
    Group(GroupCommand),
    /// List, describe and abort transactions.
    #[command(subcommand)]
    Transaction(TransactionCommand),
    /// Verify a data directory offline and name what is damaged (0 sound, 1 damaged, 2 could not look).
    Check(CheckArguments),
    /// Show what giving up damaged ranges would lose; with --apply, do it.
    Repair(RepairArguments),
}

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ServeArguments {
    /// A configuration file (TOML); what is typed here wins over it.
    /// `onrush serve --print-config` shows every key with its default.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print a configuration file with every key, its meaning and default, and end.
    #[arg(long)]
    pub(crate) print_config: bool,
    /// Where the logs are kept [default: ./onrush-data].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Listen here for the native protocol; port 0 takes any free one [default: 127.0.0.1:7222].
    #[arg(long, value_name = "ADDR")]
    pub(crate) native: Option<String>,
    /// Listen here for Kafka clients; port 0 takes any free one. Several: with names and commas, as
    /// in LOCAL://127.0.0.1:9092,DOCKER://0.0.0.0:29092 [default: 127.0.0.1:9092].
    #[arg(long, value_name = "[NAME://]ADDR", value_delimiter = ',')]
    pub(crate) kafka: Vec<String>,
    /// Tell the Kafka clients of a listener to connect to this address instead of the one they have
    /// connected to, as in DOCKER://host.docker.internal:29092.
    #[arg(long, value_name = "[NAME://]ADDR", value_delimiter = ',')]
    pub(crate) kafka_advertised: Vec<String>,
    /// Do not listen for Kafka clients.
    #[arg(long, conflicts_with_all = ["kafka", "kafka_advertised"])]
    pub(crate) no_kafka: bool,
    /// Serve /metrics, /healthz and /readyz here.
    #[arg(long, value_name = "ADDR")]
    pub(crate) http: Option<String>,
    /// Threads that serve connections [default: one per core].
    #[arg(long, value_name = "N")]
    pub(crate) shards: Option<usize>,
    /// How files are written and synced: plain system calls, io_uring, or what docs/performance.md
    /// found faster [default: auto].
    #[arg(long, value_enum, value_name = "BACKEND")]
    pub(crate) disk: Option<DiskChoice>,
    /// Allow listeners that other machines can reach, although there is no authentication yet.
    #[arg(long)]
    pub(crate) insecure_listen: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiskChoice {
    Auto,
    Plain,
    Uring,
}

/// Where the broker is.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServerArgument {
    /// The broker's native address.
    #[arg(long, value_name = "ADDR", default_value = DEFAULT_SERVER, env = "ONRUSH_SERVER")]
    pub(crate) server: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TopicCommand {
    /// Create a topic.
    Create {
        /// Letters, digits, `.`, `_` and `-`; at most 249.
        name: String,
        /// How many partitions [default: what the broker is configured with].
        #[arg(long, value_name = "N")]
        partitions: Option<u32>,
        /// A setting by its Kafka name, as in retention.ms=86400000; may be repeated.
        #[arg(long = "config", value_name = "KEY=VALUE", value_parser = pair)]
        configs: Vec<(String, String)>,
        /// Succeed when the topic exists already.
        #[arg(long)]
        if_not_exists: bool,
        #[command(flatten)]
        server: ServerArgument,
    },
    /// List topics.
    List {
        /// One JSON object per line.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerArgument,
    },
    /// Show a topic's partitions with their offsets, and its settings.
    Describe {
        name: String,
        /// One JSON object.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerArgument,
    },
    /// Change a topic's settings, or give it more partitions.
    Alter {
        name: String,
        /// Set this; may be repeated.
        #[arg(long = "config", value_name = "KEY=VALUE", value_parser = pair)]
        set: Vec<(String, String)>,
        /// Back to the broker's default; may be repeated.
        #[arg(long = "unset", value_name = "KEY")]
        unset: Vec<String>,
        /// The new number of partitions; it can only grow.
        #[arg(long, value_name = "N")]
        partitions: Option<u32>,
        #[command(flatten)]
        server: ServerArgument,
    },
    /// Delete topics and their records.
    Delete {
        #[arg(required = true)]
        names: Vec<String>,
        #[command(flatten)]
        server: ServerArgument,
    },
    /// Delete the records of a partition before an offset.
    Trim {
        name: String,
        #[arg(long, value_name = "N")]
        partition: u32,
        /// The first offset to keep; `end` keeps none.
        #[arg(long, value_name = "OFFSET")]
        before: String,
        #[command(flatten)]
        server: ServerArgument,
    },
}

#[derive(Args, Debug)]
pub(crate) struct ProduceArguments {
    /// The topic.
    pub(crate) topic: String,
    /// What stands before this in a line is the record's key.
    #[arg(long, value_name = "TEXT")]
    pub(crate) key_separator: Option<String>,
    /// A header for every record; may be repeated.
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) headers: Vec<(String, String)>,
    /// Send to this partition instead of the key's.
    #[arg(long, value_name = "N")]
    pub(crate) partition: Option<u32>,
    /// When a record counts as sent: on stable storage (all), written (1), or handed over (0).
    #[arg(long, default_value = "all", value_parser = ["0", "1", "all"])]
    pub(crate) acks: String,
    /// How batches are compressed.
    #[arg(long, default_value = "none", value_parser = ["none", "gzip", "snappy", "lz4", "zstd"])]
    pub(crate) compression: String,
    #[command(flatten)]
    pub(crate) server: ServerArgument,
}

#[derive(Args, Debug)]
pub(crate) struct ConsumeArguments {
    /// The topic.
    pub(crate) topic: String,
    /// Where to begin: start, end, an offset, or a time such as 2026-11-21T10:00:00Z or
    /// 1763719200000 followed by ms. With --group: where to begin when it has committed nothing
    /// [default: end; start with --group].
    #[arg(long, value_name = "WHERE")]
    pub(crate) from: Option<String>,
    /// Read as a member of this consumer group, and commit what was printed.
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
    /// Only this partition; may be repeated.
    #[arg(long = "partition", value_name = "N", conflicts_with = "group")]
    pub(crate) partitions: Vec<u32>,
    /// all: also records of open and aborted transactions; committed: without them.
    #[arg(long, value_enum, default_value = "all")]
    pub(crate) isolation: IsolationChoice,
    /// Go on waiting for more at the end.
    #[arg(long, short = 'f')]
    pub(crate) follow: bool,
    /// End after so many records.
    #[arg(long, value_name = "N")]
    pub(crate) max: Option<u64>,
    /// raw: the value and a line end; json: an object per line.
    #[arg(long, value_enum, default_value = "raw")]
    pub(crate) format: Format,
    /// With raw: print the key and this before the value.
    #[arg(long, value_name = "TEXT")]
    pub(crate) key_separator: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgument,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum IsolationChoice {
    All,
    Committed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Raw,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    /// List groups.
    List {
        /// One JSON object per line.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerArgument,
    },
    /// Show a group's members, committed offsets and lag.
    Describe {
        name: String,
        /// One JSON object.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerArgument,
    },
    /// Move a group that has no members: what it reads next in a topic.
    Reset {
        name: String,
        #[arg(long)]
        topic: String,
        /// start, end, an offset, or a time, as for `consume --from`.
        #[arg(long, value_name = "WHERE")]
        to: String,
        /// Only this partition; may be repeated.
        #[arg(long = "partition", value_name = "N")]
        partitions: Vec<u32>,
        /// Show what would change, and change nothing.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        server: ServerArgument,
    },
    /// Forget a group that has no members, with its offsets.
    Delete {
        name: String,
        #[command(flatten)]
        server: ServerArgument,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TransactionCommand {
    /// List transactional ids.
    List {
        /// Instead, list transactions that nothing will end by itself: readers of committed records
        /// wait for them.
        #[arg(long)]
        hanging: bool,
        /// One JSON object per line.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerArgument,
    },
    /// Show a transactional id's producer, and what takes part in its transaction.
    Describe {
        id: String,
        /// One JSON object.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerArgument,
    },
    /// Abort what a transactional id has open, and fence its producer; or what hangs in a partition.
    Abort {
        /// The transactional id.
        #[arg(required_unless_present = "hanging", conflicts_with = "hanging")]
        id: Option<String>,
        /// Abort whatever hangs in this partition.
        #[arg(long, value_name = "TOPIC/PARTITION")]
        hanging: Option<String>,
        #[command(flatten)]
        server: ServerArgument,
    },
}

#[derive(Args, Debug)]
pub(crate) struct CheckArguments {
    /// The data directory of a broker that is not running.
    pub(crate) data: PathBuf,
    /// One JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct RepairArguments {
    /// The data directory of a broker that is not running.
    pub(crate) data: PathBuf,
    /// Give the damaged ranges up. What is cut is kept aside in quarantine files.
    #[arg(long)]
    pub(crate) apply: bool,
    /// One JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `KEY=VALUE`.
fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| format!("{text:?} is not KEY=VALUE"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_commands_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn no_command_is_serve() {
        let arguments = Arguments::try_parse_from(["onrush", "--native", "127.0.0.1:0"]).unwrap();
        assert!(arguments.command.is_none());
        assert_eq!(arguments.serve.native.as_deref(), Some("127.0.0.1:0"));
    }

    #[test]
    fn a_pair_has_a_key() {
        assert_eq!(pair("a=b=c").unwrap(), ("a".to_owned(), "b=c".to_owned()));
        assert!(pair("=b").is_err());
        assert!(pair("a").is_err());
    }
}
