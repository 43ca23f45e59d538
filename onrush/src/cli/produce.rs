//! `onrush produce`: each line of standard input becomes a record.

use crate::cli::arguments::ProduceArguments;
use crate::cli::exit::Failure;
use crate::cli::progress::Counter;
use onrush_client::{Acks, Client, Codec, NewRecord, Producer};
use std::collections::VecDeque;
use tokio::io::{AsyncBufReadExt, BufReader};

/// The longest line that is taken, in bytes; the broker's own limit is usually far below.
const LINE_MAX: usize = 256 << 20;

/// How many records may be on their way before the oldest is waited for.
const UNCONFIRMED_MAX: usize = 64 << 10;

/// Sends standard input; done when every line is acknowledged.
pub(crate) async fn run(arguments: ProduceArguments) -> Result<(), Failure> {
    let client = Client::connect(&arguments.server.server).await?;
    let producer = client
        .producer()
        .acks(acks(&arguments.acks))
        .compression(codec(&arguments.compression))
        .build()
        .await?;
    let sent = send_lines(&producer, &arguments).await?;
    producer.close().await;
    let plural = if sent == 1 { "" } else { "s" };
    eprintln!("{sent} record{plural} acknowledged");
    Ok(())
}

async fn send_lines(producer: &Producer, arguments: &ProduceArguments) -> Result<u64, Failure> {
    let mut input = BufReader::with_capacity(256 << 10, tokio::io::stdin());
    let mut line = Vec::new();
    let mut counter = Counter::new("records sent");
    let mut unconfirmed = VecDeque::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line).await? == 0 {
            break;
        }
        if line.len() > LINE_MAX {
            return Err(Failure::refused(format!(
                "line {} is longer than {LINE_MAX} bytes; it was not sent",
                counter.count() + 1
            )));
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        let record = record(&line, arguments).map_err(|why| {
            Failure::refused(format!("line {}: {why}; it was not sent", counter.count() + 1))
        })?;
        unconfirmed.push_back(producer.send(record).await?);
        counter.add(1);
        if unconfirmed.len() == UNCONFIRMED_MAX
            && let Some(oldest) = unconfirmed.pop_front()
        {
            oldest.await?;
        }
    }
    producer.flush().await;
    for delivery in unconfirmed {
        delivery.await?;
    }
    counter.finish();
    Ok(counter.count())
}

fn record<'a>(line: &'a [u8], arguments: &'a ProduceArguments) -> Result<NewRecord<'a>, String> {
    let mut record = NewRecord::to(&arguments.topic);
    match &arguments.key_separator {
        None => record = record.value(line),
        Some(separator) => {
            let at = find(line, separator.as_bytes()).ok_or_else(|| {
                format!("the key separator {separator:?} is not in it (see --key-separator)")
            })?;
            record = record.key(&line[..at]).value(&line[at + separator.len()..]);
        }
    }
    for (name, value) in &arguments.headers {
        record = record.header(name, value.as_bytes());
    }
    if let Some(partition) = arguments.partition {
        record = record.partition(partition);
    }
    Ok(record)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return None;
    }
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn acks(text: &str) -> Acks {
    match text {
        "0" => Acks::None,
        "1" => Acks::Written,
        _ => Acks::All,
    }
}

fn codec(text: &str) -> Codec {
    match text {
        "gzip" => Codec::Gzip,
        "snappy" => Codec::Snappy,
        "lz4" => Codec::Lz4,
        "zstd" => Codec::Zstd,
        _ => Codec::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_separator_is_found_where_it_first_stands() {
        assert_eq!(find(b"a::b::c", b"::"), Some(1));
        assert_eq!(find(b"abc", b":"), None);
        assert_eq!(find(b"abc", b""), None);
    }
}
