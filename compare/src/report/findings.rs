//! What a race found, as plain data.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::contender::Contender;
use crate::limits::Rung;
use crate::machine::Machine;
use crate::peer::{Durability, Peer, PeerName};
use crate::reading::Reading;
use crate::workload::{Line, Workload};

/// Readings by round.
pub(super) type Rounds = BTreeMap<usize, Reading>;

/// All that a report needs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Findings {
    pub(super) about: About,
    pub(super) peers: Vec<Entrant>,
    pub(super) missing: Vec<Missing>,
    /// Runs that a peer or a client did not survive.
    pub(super) failures: Vec<String>,
    pub(super) rows: Vec<Row>,
    /// What a broker, or a client of it, does not have.
    pub(super) not_offered: Vec<NotOffered>,
    pub(super) limits: Vec<Limit>,
}

/// When, where and by which command.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct About {
    pub(crate) date: String,
    pub(crate) command: String,
    pub(crate) rounds: usize,
    pub(crate) machine: Machine,
}

/// A broker that ran.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Entrant {
    pub(super) broker: String,
    pub(super) version: String,
    pub(super) settings: String,
    /// What of it cannot be compared.
    pub(super) caveat: String,
    pub(super) listening_after_seconds: f64,
}

/// A broker that did not, and why.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Missing {
    pub(super) broker: String,
    pub(super) why: String,
}

/// A workload that a contender is not run in, and why.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct NotOffered {
    pub(super) workload: String,
    pub(super) acknowledged: String,
    pub(super) broker: String,
    pub(super) client: String,
    pub(super) why: String,
}

/// A broker under a client, in one workload.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) workload: String,
    /// Which part of it: one may produce first, and then consume.
    pub(super) part: String,
    pub(super) acknowledged: String,
    pub(super) broker: String,
    pub(super) client: String,
    pub(super) rounds: Rounds,
}

/// What rows have in common that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subject<'a> {
    pub(super) workload: &'a str,
    pub(super) part: &'a str,
}

/// This machine without a broker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Limit {
    pub(super) rung: Rung,
    pub(super) rounds: Rounds,
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.workload, self.part)
    }
}

impl Row {
    pub(super) fn subject(&self) -> Subject<'_> {
        Subject { workload: &self.workload, part: &self.part }
    }

    /// Broker and client.
    pub(super) fn contender(&self) -> String {
        format!("{}, {}", self.broker, self.client)
    }

    pub(super) fn is_ours(&self) -> bool {
        self.broker == PeerName::Onrush.title()
    }

    pub(super) fn is_synced(&self) -> bool {
        self.acknowledged == Durability::Synced.word()
    }
}

impl Findings {
    pub(crate) fn new(about: About) -> Findings {
        Findings { about, ..Findings::default() }
    }

    /// A broker is there.
    pub(crate) fn started(&mut self, peer: &Peer) {
        let entrant = Entrant {
            broker: peer.name.title().to_owned(),
            version: peer.version.clone(),
            settings: peer.settings.clone(),
            caveat: peer.name.caveat().to_owned(),
            listening_after_seconds: peer.server.started_in.as_secs_f64(),
        };
        let Entrant { broker, version, listening_after_seconds: seconds, .. } = &entrant;
        eprintln!("{broker} {version}: listening after {seconds:.3} s");
        self.peers.push(entrant);
    }

    /// A broker is not.
    pub(crate) fn missing(&mut self, peer: PeerName, error: &anyhow::Error) {
        let missing = Missing { broker: peer.title().to_owned(), why: format!("{error:#}") };
        eprintln!("{} is missing: {}", missing.broker, missing.why);
        self.missing.push(missing);
    }

    /// A run came to nothing.
    pub(crate) fn failed(&mut self, load: Workload, contender: Contender, error: &anyhow::Error) {
        self.failure(format!("{}, {contender}, came to no end: {error:#}", load.name()));
    }

    /// The same, whatever it was. What fails in each round is told once.
    pub(crate) fn failure(&mut self, line: String) {
        eprintln!("{line}");
        if !self.failures.contains(&line) {
            self.failures.push(line);
        }
    }

    /// There is no such load of that broker by that client.
    pub(crate) fn not_offered(&mut self, workload: Workload, contender: Contender, why: &str) {
        self.not_offered.push(NotOffered {
            workload: workload.title().to_owned(),
            acknowledged: workload.durability.word().to_owned(),
            broker: contender.peer.title().to_owned(),
            client: contender.client.title().to_owned(),
            why: why.to_owned(),
        });
    }

    /// Adds what a contender's run measured.
    pub(crate) fn add(
        &mut self,
        round: usize,
        workload: Workload,
        contender: Contender,
        lines: Vec<Line>,
    ) {
        for Line { part, durability, reading } in lines {
            let row = Row {
                workload: workload.title().to_owned(),
                part: part.to_owned(),
                acknowledged: durability.word().to_owned(),
                broker: contender.peer.title().to_owned(),
                client: contender.client.title().to_owned(),
                rounds: Rounds::new(),
            };
            let same = |other: &Row| {
                other.subject() == row.subject()
                    && (&other.acknowledged, &other.broker, &other.client)
                        == (&row.acknowledged, &row.broker, &row.client)
            };
            let at = self.rows.iter().position(same).unwrap_or_else(|| {
                self.rows.push(row);
                self.rows.len() - 1
            });
            self.rows[at].rounds.insert(round, reading);
        }
    }

    /// Adds what this machine gave without a broker.
    pub(crate) fn add_limits(&mut self, round: usize, readings: Vec<(Rung, Reading)>) {
        for (rung, reading) in readings {
            let at = self.limits.iter().position(|limit| limit.rung == rung);
            let at = at.unwrap_or_else(|| {
                self.limits.push(Limit { rung, rounds: Rounds::new() });
                self.limits.len() - 1
            });
            self.limits[at].rounds.insert(round, reading);
        }
    }

    /// Whether no peer is missing. A run that a peer did not survive is a result.
    pub(crate) fn is_whole(&self) -> bool {
        self.missing.is_empty()
    }

    /// What there are rows of, in the order in which they first came.
    pub(super) fn subjects(&self) -> Vec<Subject<'_>> {
        let mut subjects: Vec<Subject<'_>> = Vec::new();
        for row in &self.rows {
            if !subjects.contains(&row.subject()) {
                subjects.push(row.subject());
            }
        }
        subjects
    }

    /// The rows of one of them; what is acknowledged from the page cache first.
    pub(super) fn of(&self, subject: Subject<'_>) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows.iter().filter(|row| row.subject() == subject).collect();
        rows.sort_by_key(|row| row.is_synced());
        rows
    }

    pub(super) fn limit(&self, rung: Rung) -> Option<&Rounds> {
        self.limits.iter().find(|limit| limit.rung == rung).map(|limit| &limit.rounds)
    }
}
