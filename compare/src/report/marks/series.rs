//! One figure of one contender, round by round.

use std::collections::BTreeMap;

use super::super::column::{Better, Column, spread};
use super::super::findings::{Findings, Rounds, Row, Subject};
use super::super::limit;
use crate::client::Client;
use crate::limits::Rung;
use crate::peer::{Durability, PeerName};

/// Values by round.
pub(super) type Series = BTreeMap<usize, f64>;

/// Whose they are.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) broker: String,
    pub(super) client: String,
    pub(super) series: Series,
}

/// All rows of one kind of acknowledgement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    findings: &'a Findings,
    durability: Durability,
}

impl<'a> Field<'a> {
    pub(super) fn new(findings: &'a Findings, durability: Durability) -> Field<'a> {
        Field { findings, durability }
    }

    /// A broker's name among those that can be this durable: some have a peer for each kind.
    pub(super) fn peer(self, peer: PeerName) -> PeerName {
        match (peer, self.durability) {
            (PeerName::Nats, Durability::Synced) => PeerName::NatsSynced,
            (PeerName::Redis, Durability::Synced) => PeerName::RedisSynced,
            _ => peer,
        }
    }

    /// Ours with our own client; without a client where there is none to have.
    pub(super) fn own(self, subject: Subject<'_>, column: Column) -> Option<Named> {
        let ours = || self.rows(subject).filter(|row| row.is_ours());
        let row = ours().find(|row| row.client == Client::Native.title()).or_else(|| ours().next());
        row.and_then(|row| named(row, column))
    }

    /// A broker's under one client.
    pub(super) fn with(
        self,
        peer: PeerName,
        client: Client,
        subject: Subject<'_>,
        column: Column,
    ) -> Option<Named> {
        let is = |row: &&Row| row.broker == peer.title() && row.client == client.title();
        self.rows(subject).find(is).and_then(|row| named(row, column))
    }

    /// A broker's under whichever client is best at this.
    pub(super) fn best(
        self,
        peer: PeerName,
        subject: Subject<'_>,
        column: Column,
    ) -> Option<Named> {
        let rows = self.rows(subject).filter(|row| row.broker == peer.title());
        best(rows.filter_map(|row| named(row, column)), column.better)
    }

    /// That of the peer that is best at this.
    pub(super) fn best_peer(self, subject: Subject<'_>, column: Column) -> Option<Named> {
        let rows = self.rows(subject).filter(|row| !row.is_ours());
        best(rows.filter_map(|row| named(row, column)), column.better)
    }

    /// What bounds our own row.
    pub(super) fn limit(self, subject: Subject<'_>, column: Column) -> Option<Named> {
        let row = self.rows(subject).find(|row| row.is_ours())?;
        let bound = limit::bound(self.findings, row)?;
        some("", "", &bound, column)
    }

    /// What a rung gave.
    pub(super) fn rung(self, rung: Rung, column: Column) -> Option<Named> {
        some("", "", self.findings.limit(rung)?, column)
    }

    fn rows(self, subject: Subject<'_>) -> impl Iterator<Item = &'a Row> {
        let rows = self.findings.of(subject).into_iter();
        rows.filter(move |row| row.acknowledged == self.durability.word())
    }
}

fn named(row: &Row, column: Column) -> Option<Named> {
    some(&row.broker, &row.client, &row.rounds, column)
}

fn some(broker: &str, client: &str, rounds: &Rounds, column: Column) -> Option<Named> {
    let values = rounds.iter().filter_map(|(round, reading)| Some((*round, (column.of)(reading)?)));
    let series: Series = values.collect();
    let named = Named { broker: broker.to_owned(), client: client.to_owned(), series };
    (!named.series.is_empty()).then_some(named)
}

/// The one with the best median.
pub(super) fn best(all: impl IntoIterator<Item = Named>, better: Better) -> Option<Named> {
    let median = |it: &Named| spread(it.series.values().copied()).map_or(f64::NAN, |it| it.median);
    all.into_iter().reduce(|best, other| {
        let wins = match better {
            Better::More => median(&other) > median(&best),
            Better::Less => median(&other) < median(&best),
        };
        if wins { other } else { best }
    })
}

/// Both in one, in the rounds that both have.
pub(super) fn joined(one: Named, other: &Named, of: fn(f64, f64) -> f64) -> Named {
    let both =
        |(round, value): (&usize, &f64)| Some((*round, of(*value, *other.series.get(round)?)));
    Named { series: one.series.iter().filter_map(both).collect(), ..one }
}
