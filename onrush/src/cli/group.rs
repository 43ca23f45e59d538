//! `onrush group`: list, describe with lag, reset, delete.

use crate::cli::arguments::GroupCommand;
use crate::cli::exit::Failure;
use crate::cli::output::print;
use crate::cli::place::Place;
use crate::cli::table::Table;
use crate::cli::topic::admin;
use onrush_client::{Admin, CommittedOffset, GroupDescription, Offset, OffsetSpec, TopicPartition};
use serde_json::{Value, json};

/// Does what was asked of groups.
pub(crate) async fn run(command: GroupCommand) -> Result<(), Failure> {
    match command {
        GroupCommand::List { json, server } => list(&admin(&server.server).await?, json).await,
        GroupCommand::Describe { name, json, server } => {
            let description = admin(&server.server).await?.describe_group(&name).await?;
            if json {
                print(&format!("{}\n", as_json(&description)))
            } else {
                print(&as_text(&description))
            }
        }
        GroupCommand::Reset { name, topic, to, partitions, dry_run, server } => {
            let place = to.parse().map_err(Failure::usage)?;
            let admin = admin(&server.server).await?;
            let target = target(&admin, &topic, place, &partitions).await?;
            reset(&admin, &name, &topic, target, dry_run).await
        }
        GroupCommand::Delete { name, server } => {
            admin(&server.server).await?.delete_group(&name).await?;
            print(&format!("deleted {name}\n"))
        }
    }
}

async fn list(admin: &Admin, as_json: bool) -> Result<(), Failure> {
    let groups = admin.groups().await?;
    let state = |state| format!("{state:?}").to_lowercase();
    if as_json {
        let line = |group: &onrush_client::GroupListing| {
            let state = state(group.state);
            format!("{}\n", json!({"group": group.group, "state": state, "members": group.members}))
        };
        return print(&groups.iter().map(line).collect::<String>());
    }
    if groups.is_empty() {
        return print("no groups yet; `onrush consume TOPIC --group NAME` makes one\n");
    }
    let mut table = Table::new(&["GROUP", "STATE", "MEMBERS"]);
    for group in groups {
        table.row(vec![group.group, state(group.state), group.members.to_string()]);
    }
    print(&table.text())
}

/// What a group reads next in a topic, by partition.
async fn target(
    admin: &Admin,
    topic: &str,
    place: Place,
    partitions: &[u32],
) -> Result<Vec<(u32, Offset)>, Failure> {
    let ends = admin.list_offsets(topic, OffsetSpec::Latest).await?;
    let starts = admin.list_offsets(topic, OffsetSpec::Earliest).await?;
    let found = match place {
        Place::Time(time) => Some(admin.list_offsets(topic, OffsetSpec::Timestamp(time)).await?),
        _ => None,
    };
    if let Some(&unknown) = partitions.iter().find(|&&wanted| wanted as usize >= ends.len()) {
        let last = ends.len().saturating_sub(1);
        return Err(Failure::refused(format!(
            "{topic} has no partition {unknown}; its last is {last}"
        )));
    }
    let mut target = Vec::new();
    for (index, (start, end)) in starts.iter().zip(&ends).enumerate() {
        if !partitions.is_empty() && !partitions.contains(&end.partition) {
            continue;
        }
        let (start, last) = (start.offset.unwrap_or_default(), end.offset.unwrap_or_default());
        let offset = match place {
            Place::Start => start,
            Place::End => last,
            Place::Offset(offset) => Offset::new(offset).clamp(start, last),
            // Nothing that late: what comes next.
            Place::Time(_) => {
                found.as_ref().and_then(|found| found.get(index)?.offset).unwrap_or(last)
            }
        };
        target.push((end.partition, offset));
    }
    Ok(target)
}

async fn reset(
    admin: &Admin,
    group: &str,
    topic: &str,
    target: Vec<(u32, Offset)>,
    dry_run: bool,
) -> Result<(), Failure> {
    let mut table = Table::new(&["TOPIC", "PARTITION", "NEXT OFFSET"]);
    for (partition, offset) in &target {
        table.row(vec![topic.to_owned(), partition.to_string(), offset.to_string()]);
    }
    if dry_run {
        return print(&format!("would set (nothing was changed)\n{}", table.text()));
    }
    let at = |partition| TopicPartition { topic: topic.into(), partition };
    let offsets: Vec<_> =
        target.iter().map(|&(partition, offset)| (at(partition), Some(offset))).collect();
    admin.commit_group_offsets(group, &offsets).await?;
    print(&table.text())
}

fn as_text(group: &GroupDescription) -> String {
    let state = format!("{:?}", group.state).to_lowercase();
    let mut text = format!("{}: {state}, epoch {}\n\n", group.group, group.epoch);
    let mut table =
        Table::new(&["TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "MEMBER", "CLIENT"]);
    let shown = |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
    for (at, committed) in partitions(group) {
        let owner = group.members.iter().find(|member| member.assignment.contains(&at));
        table.row(vec![
            at.topic.to_string(),
            at.partition.to_string(),
            shown(committed.map(|committed| committed.offset.get())),
            shown(committed.and_then(|committed| committed.readable_end).map(Offset::get)),
            shown(committed.and_then(CommittedOffset::lag)),
            owner.map_or("-".to_owned(), |member| member.member_id.clone()),
            owner.map_or("-".to_owned(), |member| member.client_id.clone()),
        ]);
    }
    text.push_str(&table.text());
    let idle = group.members.iter().filter(|member| member.assignment.is_empty());
    for member in idle {
        text.push_str(&format!("member {} has no partition\n", member.member_id));
    }
    text
}

fn as_json(group: &GroupDescription) -> Value {
    let members: Vec<_> = group
        .members
        .iter()
        .map(|member| {
            let assignment: Vec<_> = member
                .assignment
                .iter()
                .map(|at| json!({"topic": &*at.topic, "partition": at.partition}))
                .collect();
            json!({
                "member_id": member.member_id,
                "instance_id": member.instance_id,
                "client_id": member.client_id,
                "client_host": member.client_host,
                "epoch": member.epoch,
                "assignment": assignment,
            })
        })
        .collect();
    let offsets: Vec<_> = group
        .offsets
        .iter()
        .map(|committed| {
            json!({
                "topic": &*committed.partition.topic,
                "partition": committed.partition.partition,
                "committed": committed.offset.get(),
                "end": committed.readable_end.map(Offset::get),
                "lag": committed.lag(),
            })
        })
        .collect();
    json!({
        "group": group.group,
        "state": format!("{:?}", group.state).to_lowercase(),
        "epoch": group.epoch,
        "members": members,
        "offsets": offsets,
    })
}

/// Every partition that the group has an offset or an owner for, in order.
fn partitions(group: &GroupDescription) -> Vec<(TopicPartition, Option<&CommittedOffset>)> {
    let mut all: Vec<_> = group
        .offsets
        .iter()
        .map(|committed| (committed.partition.clone(), Some(committed)))
        .collect();
    for at in group.members.iter().flat_map(|member| &member.assignment) {
        if !group.offsets.iter().any(|committed| committed.partition == *at) {
            all.push((at.clone(), None));
        }
    }
    all.sort_by(|(a, _), (b, _)| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    all
}
