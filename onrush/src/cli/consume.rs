//! `onrush consume`: prints a topic's records.

use crate::cli::arguments::{ConsumeArguments, Format, IsolationChoice};
use crate::cli::exit::Failure;
use crate::cli::output::Output;
use crate::cli::place::Place;
use onrush_client::{Client, Consumer, Isolation, Offset, OffsetSpec, Polled, RecordRef, Start};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long to wait for a record before looking whether the end is reached.
const GLANCE: Duration = Duration::from_millis(50);

/// How long a group's member waits for partitions that other members hold: those are theirs to print.
const GROUP_IDLE: Duration = Duration::from_secs(5);

/// Prints records until the end that was found, or for good with `--follow`.
pub(crate) async fn run(arguments: ConsumeArguments) -> Result<(), Failure> {
    let client = Client::connect(&arguments.server.server).await?;
    let ends = ends(&client, &arguments).await?;
    let consumer = consumer(&client, &arguments, &ends).await?;
    let mut printer = Printer {
        output: Output::new(),
        left: arguments.max.unwrap_or(u64::MAX),
        arguments: &arguments,
    };
    print_records(consumer, &mut printer, ends).await
}

/// The end of each partition that is to be read, as it is now.
async fn ends(
    client: &Client,
    arguments: &ConsumeArguments,
) -> Result<BTreeMap<u32, Offset>, Failure> {
    let end = match arguments.isolation {
        IsolationChoice::All => OffsetSpec::Latest,
        IsolationChoice::Committed => OffsetSpec::LastStable,
    };
    let listed = client.admin().list_offsets(&arguments.topic, end).await?;
    let count = listed.len();
    if let Some(unknown) = arguments.partitions.iter().find(|&&wanted| wanted as usize >= count) {
        return Err(Failure::refused(format!(
            "{} has no partition {unknown}; its last is {}",
            arguments.topic,
            count.saturating_sub(1)
        )));
    }
    let wanted = |partition: &u32| {
        arguments.partitions.is_empty() || arguments.partitions.contains(partition)
    };
    Ok(listed
        .into_iter()
        .filter(|listed| wanted(&listed.partition))
        .map(|listed| (listed.partition, listed.offset.unwrap_or_default()))
        .collect())
}

async fn consumer(
    client: &Client,
    arguments: &ConsumeArguments,
    ends: &BTreeMap<u32, Offset>,
) -> Result<Consumer, Failure> {
    let default = if arguments.group.is_some() { "start" } else { "end" };
    let place: Place =
        arguments.from.as_deref().unwrap_or(default).parse().map_err(Failure::usage)?;
    let builder = client.consumer().isolation(match arguments.isolation {
        IsolationChoice::All => Isolation::ReadUncommitted,
        IsolationChoice::Committed => Isolation::ReadCommitted,
    });
    if let Some(group) = &arguments.group {
        let start = match place {
            Place::Start => Start::Earliest,
            Place::End => Start::Latest,
            Place::Offset(_) | Place::Time(_) => {
                return Err(Failure::usage(
                    "with --group, --from is start or end (where to begin when nothing is \
                     committed); `onrush group reset` moves a group to an offset or time",
                ));
            }
        };
        // What was printed is committed at the end, or now and then while following.
        let builder = builder.group(group).start(start);
        return Ok(builder.subscribe(&[&arguments.topic]).await?);
    }
    let start = match place {
        Place::Start => Start::Earliest,
        Place::End => Start::Latest,
        Place::Offset(offset) => Start::Offset(Offset::new(offset)),
        Place::Time(time) => Start::Timestamp(time),
    };
    let partitions: Vec<_> =
        ends.keys().map(|&partition| (&arguments.topic[..], partition, start)).collect();
    Ok(builder.assign(&partitions).await?)
}

async fn print_records(
    mut consumer: Consumer,
    printer: &mut Printer<'_>,
    mut ends: BTreeMap<u32, Offset>,
) -> Result<(), Failure> {
    let arguments = printer.arguments;
    let mut waited = Duration::ZERO;
    loop {
        if !arguments.follow {
            for partition in consumer.assignment() {
                let position = consumer.position(&partition.topic, partition.partition);
                let end = ends.get(&partition.partition).copied();
                if let (Some(position), Some(end)) = (position, end)
                    && position >= end
                {
                    ends.remove(&partition.partition);
                }
            }
            if ends.is_empty() {
                break;
            }
        }
        if printer.left == 0 || !printer.output.flush()? {
            break;
        }
        let polled = if arguments.follow {
            consumer.poll().await?
        } else {
            // An end can be reached without a record: a start past it, a group that read all.
            match tokio::time::timeout(GLANCE, consumer.poll()).await {
                Ok(polled) => polled?,
                Err(_) if arguments.group.is_some() && waited >= GROUP_IDLE => break,
                Err(_) => {
                    waited += GLANCE;
                    continue;
                }
            }
        };
        waited = Duration::ZERO;
        let end = ends.get(&polled.partition()).copied().filter(|_| !arguments.follow);
        if !printer.batch(&polled, end)? {
            break;
        }
    }
    printer.output.flush()?;
    consumer.close().await?;
    Ok(())
}

struct Printer<'a> {
    output: Output,
    left: u64,
    arguments: &'a ConsumeArguments,
}

impl Printer<'_> {
    /// Prints what was delivered, up to `end`; false when nobody reads any more.
    fn batch(&mut self, polled: &Polled<'_>, end: Option<Offset>) -> Result<bool, Failure> {
        for record in polled.records()? {
            if self.left == 0 || end.is_some_and(|end| record.offset >= end) {
                break;
            }
            self.left -= 1;
            let open = match self.arguments.format {
                Format::Raw => self.raw(&record)?,
                Format::Json => self.json(polled, &record)?,
            };
            if !open {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn raw(&mut self, record: &RecordRef<'_>) -> Result<bool, Failure> {
        if let Some(separator) = &self.arguments.key_separator {
            self.output.write(record.key.unwrap_or_default())?;
            self.output.write(separator.as_bytes())?;
        }
        self.output.write(record.value.unwrap_or_default())?;
        self.output.write(b"\n")
    }

    fn json(&mut self, polled: &Polled<'_>, record: &RecordRef<'_>) -> Result<bool, Failure> {
        let headers: Vec<Value> = record
            .headers
            .map(|(name, value)| json!({"name": text(Some(name)), "value": text(value)}))
            .collect();
        let object = json!({
            "topic": polled.topic(),
            "partition": polled.partition(),
            "offset": record.offset.get(),
            "timestamp": record.timestamp,
            "key": text(record.key),
            "value": text(record.value),
            "headers": headers,
        });
        self.output.write(format!("{object}\n").as_bytes())
    }
}

/// Text as text; other bytes as `{"hex": …}`, so that nothing is lost.
fn text(bytes: Option<&[u8]>) -> Value {
    let Some(bytes) = bytes else { return Value::Null };
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            Value::Object(Map::from_iter([("hex".to_owned(), hex.into())]))
        }
    }
}
