//! A broker inside the process, as a test would have it: `cargo run --example embedded`.

use std::error::Error;

use onrush::{Config, NewRecord, NewTopic, Onrush, Start};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let broker = Onrush::open(Config::ephemeral())?;
    broker.admin().create_topic(NewTopic::named("orders")).await?;

    let producer = broker.producer().build().await?;
    for order in 1..=3 {
        let value = format!("order {order}");
        let delivery = producer.send(NewRecord::to("orders").value(value.as_bytes())).await?;
        println!("stored at {:?}", delivery.await?.offset);
    }

    let mut consumer = broker.consumer().start(Start::Earliest).subscribe(&["orders"]).await?;
    let mut read = 0;
    while read < 3 {
        let polled = consumer.poll().await?;
        for record in polled.records()? {
            let value = String::from_utf8_lossy(record.value.unwrap_or_default());
            println!("{}: {value}", record.offset);
            read += 1;
        }
    }

    // Other processes may connect as well.
    let address = broker.listen("127.0.0.1:0")?;
    println!("also at {address}");
    broker.stop().await?;
    Ok(())
}
