//! Judges what the members of a group received and committed: the files that a case has left, in the form
//! that `tests/clients/python/history.py` tells of, go through the judge of the modelled histories.

use anyhow::{Context, anyhow, bail, ensure};
use onrush_sim::{Judge, Reader};
use std::path::Path;

/// A life of a member: `member-CLIENT-LIFE`.
const MEMBER: &str = "member-";
/// What there is to receive, and how far the group came.
const RECORDS: &str = "records";

struct Event {
    generation: i32,
    time: u64,
    reader: Reader,
    partition: u32,
    offset: u64,
    commit: bool,
}

/// What is wrong with the history in a folder; else how many records were received in it.
pub(crate) fn judge(folder: &Path) -> anyhow::Result<usize> {
    let mut events = Vec::new();
    for entry in std::fs::read_dir(folder).context("cannot list the history")? {
        let path = entry.context("cannot list the history")?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(member) = name.strip_prefix(MEMBER) {
            let (client, life) = member.split_once('-').context("a member without a life")?;
            let text = read(&path)?;
            for line in text.lines() {
                events.push(event(line, (client.parse()?, life.parse()?))?);
            }
        }
    }
    // Of a generation everything comes before anything of the next one.
    events.sort_by_key(|event| (event.generation, event.time));
    weigh(&events, &read(&folder.join(RECORDS))?)
}

fn weigh(events: &[Event], records: &str) -> anyhow::Result<usize> {
    let mut judge = Judge::default();
    let ends: Vec<(&str, u32, u64)> = records.lines().map(end).collect::<anyhow::Result<_>>()?;
    for (_, partition, count) in ends.iter().filter(|(what, ..)| *what == "A") {
        judge.append(*partition, *count);
    }
    let mut received = 0;
    for Event { generation, reader, partition, offset, commit, .. } in events {
        let verdict = if *commit {
            judge.commit(*partition, *offset)
        } else {
            received += 1;
            judge.deliver(*partition, *offset, *generation, *reader)
        };
        verdict.map_err(|wrong| {
            anyhow!("{wrong} (told by client {} in its life {})", reader.0, reader.1)
        })?;
    }
    for (_, partition, offset) in ends.iter().filter(|(what, ..)| *what == "F") {
        judge.commit(*partition, *offset).map_err(|wrong| anyhow!("in the end {wrong}"))?;
    }
    ensure!(judge.is_done(), "not everything was received and committed: {judge:?}");
    ensure!(received > 0, "nothing was received");
    Ok(received)
}

fn event(line: &str, reader: Reader) -> anyhow::Result<Event> {
    let words: Vec<&str> = line.split(' ').collect();
    let [what @ ("D" | "C"), generation, time, partition, offset] = words[..] else {
        bail!("no line of a history: {line:?}");
    };
    Ok(Event {
        generation: generation.parse()?,
        time: time.parse()?,
        reader,
        partition: partition.parse()?,
        offset: offset.parse()?,
        commit: what == "C",
    })
}

fn end(line: &str) -> anyhow::Result<(&str, u32, u64)> {
    let words: Vec<&str> = line.split(' ').collect();
    let [what @ ("A" | "F"), partition, number] = words[..] else {
        bail!("no line of a history's end: {line:?}");
    };
    Ok((what, partition.parse()?, number.parse()?))
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(members: &[(Reader, &str)], records: &str) -> Result<usize, String> {
        let lines = members.iter().flat_map(|(reader, lines)| {
            lines.split(", ").map(|line| event(line, *reader).expect("an event"))
        });
        let mut events: Vec<Event> = lines.collect();
        events.sort_by_key(|event| (event.generation, event.time));
        weigh(&events, records).map_err(|error| error.to_string())
    }

    const TWO: &str = "A 0 2\nF 0 2";

    #[test]
    fn a_record_may_come_again_to_another_generation() {
        let one = ((0, 1), "D 1 10 0 0, C 1 11 0 1, D 1 12 0 1");
        // The first was stopped: it has the second record still when it goes on.
        let other = ((1, 1), "D 2 20 0 1, C 2 21 0 2");
        assert_eq!(told(&[one, other], TWO), Ok(3));
    }

    #[test]
    fn what_must_not_be_is_found() {
        let one = ((0, 1), "D 1 10 0 0, D 1 12 0 1, C 1 13 0 2");
        let twice = told(&[one, ((1, 1), "D 1 20 0 1")], TWO);
        assert!(twice.is_err_and(|wrong| wrong.contains("two members of generation 1")));
        let skipped = told(&[((0, 1), "D 1 10 0 0, C 1 13 0 2")], TWO);
        assert!(skipped.is_err_and(|wrong| wrong.contains("skipped")));
        let lost = told(&[((0, 1), "D 1 10 0 0, C 1 13 0 1")], "A 0 2\nF 0 1");
        assert!(lost.is_err_and(|wrong| wrong.contains("not everything")));
    }
}
