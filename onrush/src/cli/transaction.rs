//! `onrush transaction`: list, describe, abort.

use crate::cli::arguments::TransactionCommand;
use crate::cli::exit::Failure;
use crate::cli::output::print;
use crate::cli::table::Table;
use crate::cli::topic::admin;
use onrush_client::{
    Admin, HangingTransaction, TransactionDescription, TransactionListing, TransactionState,
};
use serde_json::{Value, json};

/// Does what was asked of transactions.
pub(crate) async fn run(command: TransactionCommand) -> Result<(), Failure> {
    match command {
        TransactionCommand::List { hanging: false, json, server } => {
            list(&admin(&server.server).await?.transactions().await?, json)
        }
        TransactionCommand::List { hanging: true, json, server } => {
            list_hanging(&admin(&server.server).await?.hanging_transactions().await?, json)
        }
        TransactionCommand::Describe { id, json, server } => {
            let found = admin(&server.server).await?.describe_transaction(&id).await?;
            if json { print(&format!("{}\n", as_json(&found))) } else { print(&as_text(&found)) }
        }
        TransactionCommand::Abort { id: Some(id), server, .. } => {
            admin(&server.server).await?.abort_transaction(&id).await?;
            print(&format!("aborted what {id} had open, and fenced its producer\n"))
        }
        TransactionCommand::Abort { id: None, hanging, server } => {
            let admin = admin(&server.server).await?;
            abort_hanging(&admin, hanging.as_deref().unwrap_or_default()).await
        }
    }
}

/// Its name, as Kafka's tools show it.
fn state(state: TransactionState) -> String {
    format!("{state:?}")
}

fn list(found: &[TransactionListing], as_json: bool) -> Result<(), Failure> {
    if as_json {
        let line = |one: &TransactionListing| {
            let (id, producer) = (&one.transactional_id, one.producer_id.get());
            let state = state(one.state);
            format!(
                "{}\n",
                json!({"transactional_id": id, "producer_id": producer, "state": state})
            )
        };
        return print(&found.iter().map(line).collect::<String>());
    }
    if found.is_empty() {
        return print("no transactional ids yet; a producer that is built with one makes it\n");
    }
    let mut table = Table::new(&["TRANSACTIONAL ID", "PRODUCER", "STATE"]);
    for one in found {
        let producer = one.producer_id.get().to_string();
        table.row(vec![one.transactional_id.clone(), producer, state(one.state)]);
    }
    print(&table.text())
}

fn list_hanging(found: &[HangingTransaction], as_json: bool) -> Result<(), Failure> {
    if as_json {
        let line = |one: &HangingTransaction| {
            let object = json!({
                "topic": &*one.partition.topic,
                "partition": one.partition.partition,
                "producer_id": one.producer_id,
                "producer_epoch": one.producer_epoch,
                "first_offset": one.first_offset.get(),
            });
            format!("{object}\n")
        };
        return print(&found.iter().map(line).collect::<String>());
    }
    if found.is_empty() {
        return print("no transaction hangs\n");
    }
    let mut table = Table::new(&["PARTITION", "PRODUCER", "EPOCH", "FIRST OFFSET"]);
    for one in found {
        table.row(vec![
            one.partition.to_string(),
            one.producer_id.to_string(),
            one.producer_epoch.to_string(),
            one.first_offset.to_string(),
        ]);
    }
    print(&table.text())
}

/// Aborts whatever hangs in a partition.
async fn abort_hanging(admin: &Admin, partition: &str) -> Result<(), Failure> {
    let found = admin.hanging_transactions().await?;
    let here: Vec<_> = found.iter().filter(|one| one.partition.to_string() == partition).collect();
    if here.is_empty() {
        return Err(Failure::refused(format!(
            "no transaction hangs in {partition}; `onrush transaction list --hanging` shows where one does"
        )));
    }
    for one in &here {
        admin.abort_hanging(one).await?;
    }
    print(&format!("aborted {} in {partition}\n", here.len()))
}

fn as_text(found: &TransactionDescription) -> String {
    let mut text = format!(
        "{}: {}, producer {} epoch {}, aborted after {} ms\n",
        found.transactional_id,
        state(found.state),
        found.producer_id,
        found.producer_epoch,
        found.timeout_ms,
    );
    if let Some(at_ms) = found.started_at_ms {
        text.push_str(&format!("began at {at_ms} ms since 1970\n"));
    }
    for at in &found.partitions {
        text.push_str(&format!("writes to {at}\n"));
    }
    for group in &found.groups {
        text.push_str(&format!("commits offsets of group {group}\n"));
    }
    text
}

fn as_json(found: &TransactionDescription) -> Value {
    let partitions: Vec<_> = found
        .partitions
        .iter()
        .map(|at| json!({"topic": &*at.topic, "partition": at.partition}))
        .collect();
    json!({
        "transactional_id": found.transactional_id,
        "state": state(found.state),
        "producer_id": found.producer_id,
        "producer_epoch": found.producer_epoch,
        "timeout_ms": found.timeout_ms,
        "started_at_ms": found.started_at_ms,
        "partitions": partitions,
        "groups": found.groups,
    })
}
