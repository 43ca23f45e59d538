//! A broker within a test: in process and over a port.

use std::error::Error;

use onrush::{Client, Config, NewRecord, NewTopic, Onrush, Start};

type Outcome = Result<(), Box<dyn Error>>;

/// Produces `count` records and reads them back.
async fn round_trip(client: &Client, topic: &str, count: usize) -> Outcome {
    client.admin().create_topic(NewTopic::named(topic)).await?;
    let producer = client.producer().build().await?;
    let mut deliveries = Vec::new();
    for number in 0..count {
        let value = number.to_string();
        deliveries.push(producer.send(NewRecord::to(topic).value(value.as_bytes())).await?);
    }
    for (number, delivery) in (0_u64..).zip(deliveries) {
        assert_eq!(delivery.await?.offset.map(|offset| offset.get()), Some(number));
    }
    let mut consumer = client.consumer().start(Start::Earliest).subscribe(&[topic]).await?;
    let mut read = 0;
    while read < count {
        let polled = consumer.poll().await?;
        for record in polled.records()? {
            assert_eq!(record.value, Some(read.to_string().as_bytes()));
            read += 1;
        }
    }
    Ok(())
}

#[tokio::test]
async fn records_make_it_through_without_a_socket() -> Outcome {
    let broker = Onrush::open(Config::ephemeral())?;
    round_trip(&broker.client(), "embedded", 1000).await
}

#[tokio::test(flavor = "multi_thread")]
async fn records_make_it_through_a_port() -> Outcome {
    let broker = Onrush::open(Config::ephemeral())?;
    let address = broker.listen("127.0.0.1:0")?;
    let client = Client::connect(&address.to_string()).await?;
    round_trip(&client, "over-tcp", 1000).await
}
