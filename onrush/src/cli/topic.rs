//! `onrush topic`: create, list, describe, alter, delete, trim.

use crate::cli::arguments::TopicCommand;
use crate::cli::exit::Failure;
use crate::cli::output::print;
use crate::cli::table::Table;
use onrush_client::{Admin, Client, ErrorCode, NewTopic, Offset, OffsetSpec};
use serde_json::json;

/// Does what was asked of topics.
pub(crate) async fn run(command: TopicCommand) -> Result<(), Failure> {
    match command {
        TopicCommand::Create { name, partitions, configs, if_not_exists, server } => {
            let admin = admin(&server.server).await?;
            let topic = NewTopic { name, partitions, configs };
            create(&admin, topic, if_not_exists).await
        }
        TopicCommand::List { json, server } => list(&admin(&server.server).await?, json).await,
        TopicCommand::Describe { name, json, server } => {
            describe(&admin(&server.server).await?, &name, json).await
        }
        TopicCommand::Alter { name, set, unset, partitions, server } => {
            if set.is_empty() && unset.is_empty() && partitions.is_none() {
                return Err(Failure::usage(
                    "nothing to change: give --config KEY=VALUE, --unset KEY or --partitions N",
                ));
            }
            let admin = admin(&server.server).await?;
            let set: Vec<_> = set.iter().map(|(key, value)| (&key[..], &value[..])).collect();
            let unset: Vec<_> = unset.iter().map(String::as_str).collect();
            if !set.is_empty() || !unset.is_empty() {
                admin.alter_topic(&name, &set, &unset).await?;
            }
            if let Some(partitions) = partitions {
                admin.add_partitions(&name, partitions).await?;
            }
            print(&format!("changed {name}\n"))
        }
        TopicCommand::Delete { names, server } => {
            let admin = admin(&server.server).await?;
            for name in names {
                admin.delete_topic(&name).await?;
                print(&format!("deleted {name}\n"))?;
            }
            Ok(())
        }
        TopicCommand::Trim { name, partition, before, server } => {
            let before = offset_or_end(&before)?;
            let admin = admin(&server.server).await?;
            let start = admin.delete_records(&name, partition, before).await?;
            print(&format!("{name}/{partition} now starts at {start}\n"))
        }
    }
}

/// The administrative side of a broker.
pub(crate) async fn admin(server: &str) -> Result<Admin, Failure> {
    Ok(Client::connect(server).await?.admin())
}

async fn create(admin: &Admin, topic: NewTopic, if_not_exists: bool) -> Result<(), Failure> {
    let name = topic.name.clone();
    match admin.create_topic(topic).await {
        Ok(created) => {
            let plural = if created.partitions == 1 { "" } else { "s" };
            print(&format!("created {name} with {} partition{plural}\n", created.partitions))
        }
        Err(error) if if_not_exists && error.code() == Some(ErrorCode::TOPIC_EXISTS) => {
            print(&format!("{name} exists already\n"))
        }
        Err(error) => Err(error.into()),
    }
}

async fn list(admin: &Admin, as_json: bool) -> Result<(), Failure> {
    let topics = admin.topics(false).await?;
    if as_json {
        let line = |topic: &onrush_client::TopicDescription| {
            let (id, partitions) = (topic.id.to_string(), topic.partitions);
            format!("{}\n", json!({"name": topic.name, "id": id, "partitions": partitions}))
        };
        return print(&topics.iter().map(line).collect::<String>());
    }
    if topics.is_empty() {
        return print("no topics yet; `onrush topic create NAME` makes one\n");
    }
    let mut table = Table::new(&["TOPIC", "PARTITIONS"]);
    for topic in topics {
        table.row(vec![topic.name, topic.partitions.to_string()]);
    }
    print(&table.text())
}

async fn describe(admin: &Admin, name: &str, as_json: bool) -> Result<(), Failure> {
    let topic = admin.describe_topic(name).await?;
    let starts = admin.list_offsets(name, OffsetSpec::Earliest).await?;
    let ends = admin.list_offsets(name, OffsetSpec::Latest).await?;
    let configs = admin.describe_configs(name).await?;
    let offset = |offset: Option<Offset>| offset.map(Offset::get);
    if as_json {
        let partitions: Vec<_> = starts
            .iter()
            .zip(&ends)
            .map(|(start, end)| {
                json!({
                    "partition": start.partition,
                    "start": offset(start.offset),
                    "end": offset(end.offset),
                })
            })
            .collect();
        let configs: serde_json::Map<_, _> =
            configs.into_iter().map(|config| (config.key, config.value.into())).collect();
        let id = topic.id.to_string();
        let object = json!({"name": name, "id": id, "partitions": partitions, "configs": configs});
        return print(&format!("{object}\n"));
    }
    let shown = |value: Option<Offset>| value.map_or("-".to_owned(), |offset| offset.to_string());
    let mut table = Table::new(&["PARTITION", "START", "END", "RECORDS"]);
    for (start, end) in starts.iter().zip(&ends) {
        let records = match (start.offset, end.offset) {
            (Some(start), Some(end)) => end.since(start).to_string(),
            _ => "-".to_owned(),
        };
        table.row(vec![
            start.partition.to_string(),
            shown(start.offset),
            shown(end.offset),
            records,
        ]);
    }
    let mut text = format!("{name}  {}\n\n{}\n", topic.id, table.text());
    let mut table = Table::new(&["SETTING", "VALUE", "SET BY"]);
    for config in configs {
        let source = format!("{:?}", config.source).to_lowercase();
        table.row(vec![config.key, config.value, source]);
    }
    text.push_str(&table.text());
    print(&text)
}

fn offset_or_end(text: &str) -> Result<Option<Offset>, Failure> {
    if text == "end" {
        return Ok(None);
    }
    let offset = text.parse().map(Offset::new).map(Some);
    offset.map_err(|_| Failure::usage(format!("--before takes an offset or `end`, not {text:?}")))
}
