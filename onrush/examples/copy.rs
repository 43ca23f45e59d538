//! A job that reads, transforms and writes, such that each record of its input leads to exactly one
//! of its output, whatever is killed when: `cargo run --example copy`.
//!
//! What it writes and how far it has read count together, or not at all. When it is started anew, it
//! fences the one before and goes on where the last committed transaction ended.

use std::error::Error;
use std::time::Duration;

use onrush::client::Error as ClientError;
use onrush::{Client, Config, Consumer, Isolation, NewRecord, NewTopic, Onrush, Producer, Start};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // Of a broker elsewhere: Client::connect("127.0.0.1:7222").await?
    let broker = Onrush::open(Config::ephemeral())?;
    let client = broker.client();
    for topic in ["words", "shouted"] {
        client.admin().create_topic(NewTopic::named(topic).partitions(2)).await?;
    }
    let feeder = client.producer().build().await?;
    for word in ["once", "and", "only", "once"] {
        drop(
            feeder.send(NewRecord::to("words").key(word.as_bytes()).value(word.as_bytes())).await?,
        );
    }
    feeder.close().await;

    let mut shouted = 0;
    while shouted < 4 {
        // One that was fenced, or lost its place in the group, is made anew.
        shouted += job(&client, 4 - shouted).await?;
    }

    let reader = client.consumer().start(Start::Earliest).isolation(Isolation::ReadCommitted);
    let mut reader = reader.subscribe(&["shouted"]).await?;
    let mut read = 0;
    while read < 4 {
        for record in reader.poll().await?.records()? {
            println!("{}", String::from_utf8_lossy(record.value.unwrap_or_default()));
            read += 1;
        }
    }
    broker.stop().await?;
    Ok(())
}

/// Works until it has done `wanted` records, or has to be made anew; says how many it did.
async fn job(client: &Client, wanted: usize) -> Result<usize, ClientError> {
    // The producer first: it ends what the last one left open, offsets of the group included.
    let producer = client.producer().transactional_id("shouter").build().await?;
    let input = client.consumer().group("shouters").start(Start::Earliest).auto_commit(None);
    let mut input = input.isolation(Isolation::ReadCommitted).subscribe(&["words"]).await?;
    let mut done = 0;
    while done < wanted {
        match one_transaction(&producer, &mut input).await {
            Ok(count) => done += count,
            Err(error @ ClientError::Fenced(_)) => return Err(error),
            Err(error) => {
                eprintln!("again: {error}");
                // The broker may be away for a moment. What the transaction had read comes again.
                while producer
                    .abort()
                    .await
                    .is_err_and(|error| error.kind() != onrush::client::Kind::Refused)
                {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                input.seek_to_committed().await?;
            }
        }
    }
    input.close().await?;
    Ok(done)
}

async fn one_transaction(producer: &Producer, input: &mut Consumer) -> Result<usize, ClientError> {
    producer.begin()?;
    let polled = input.poll().await?;
    let mut count = 0;
    for record in polled.records()? {
        let word = String::from_utf8_lossy(record.value.unwrap_or_default()).to_uppercase();
        let mut shout = NewRecord::to("shouted").value(word.as_bytes());
        if let Some(key) = record.key {
            shout = shout.key(key);
        }
        // Whether it arrives, commit() waits for.
        drop(producer.send(shout).await?);
        count += 1;
    }
    producer.send_offsets(input.group_member()?, &input.positions()).await?;
    producer.commit().await?;
    Ok(count)
}
