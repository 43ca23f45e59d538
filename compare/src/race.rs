//! The rounds: every contender runs a workload before the next workload begins.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::client::Client;
use crate::contender::Contender;
use crate::estimate;
use crate::limits;
use crate::peer::{Peer, PeerName};
use crate::report::{About, Findings};
use crate::setup::{Extent, Setup};
use crate::workload::{Kind, Workload};

/// Runs `rounds` rounds, and before them a short one that does not count: brokers on a virtual machine of
/// their own become fast with use. What is there after each round is given to `keep`: a race takes long,
/// and may be cut short.
pub(crate) fn run(
    setup: &Setup,
    names: &[PeerName],
    workloads: &[Workload],
    about: About,
    keep: impl Fn(&Findings) -> Result<()>,
) -> Result<Findings> {
    let rounds = about.rounds;
    let mut findings = Findings::new(about);
    let mut peers: Vec<Peer> = Vec::new();
    for name in names {
        match name.start(setup).with_context(|| format!("cannot start {}", name.title())) {
            Ok(peer) => {
                findings.started(&peer);
                peers.push(peer);
            }
            Err(error) => findings.missing(*name, &error),
        }
    }
    let runs = runs(&peers, workloads, &mut findings);
    let warm_up = setup.warm_up();
    let warming = |run: &&Race<'_>| matches!(run.workload.kind, Kind::Bulk | Kind::Latency);
    let expected = {
        let of = |extent: Extent| move |run: &Race<'_>| run.expected(extent);
        let before: Duration = runs.iter().filter(warming).map(of(Extent::WarmUp)).sum();
        let round: Duration = runs.iter().map(of(setup.extent())).sum();
        let round = round + estimate::limits(setup.extent());
        before + round * u32::try_from(rounds).unwrap_or(u32::MAX)
    };
    eprintln!(
        "{} runs a round, {rounds} rounds: about {} minutes",
        runs.len(),
        expected.as_secs().div_ceil(60)
    );
    let began = Instant::now();
    for round in 0..=rounds {
        let setup = if round == 0 { &warm_up } else { setup };
        if round > 0 {
            match limits::round(setup) {
                Ok(readings) => findings.add_limits(round, readings),
                Err(error) => findings.failure(format!("This machine's limits: {error:#}")),
            }
        }
        for run in runs.iter().filter(|run| round > 0 || warming(run)) {
            let Race { workload, peer, client } = *run;
            let contender = Contender { peer: peer.name, client };
            let topic = format!("race-{round}-{}-{client:?}", workload.name());
            let run_began = Instant::now();
            let done = workload.run(setup, peer, client, &topic);
            let (took, all) = (run_began.elapsed().as_secs_f64(), began.elapsed().as_secs());
            eprintln!(
                "round {round} of {rounds}: {}, {contender}: {took:.1} s, {all} s in all",
                workload.name()
            );
            match done {
                Ok(_) if round == 0 => {}
                Ok(lines) => findings.add(round, workload, contender, lines),
                Err(error) => findings.failed(workload, contender, &error),
            }
        }
        keep(&findings)?;
    }
    Ok(findings)
}

/// A workload that a contender is to run.
struct Race<'a> {
    workload: Workload,
    peer: &'a Peer,
    client: Client,
}

impl Race<'_> {
    fn expected(&self, extent: Extent) -> Duration {
        estimate::run(self.workload, self.peer.name, self.client, extent)
    }
}

/// What a round consists of, in its order; what a broker does not have is told instead.
fn runs<'a>(peers: &'a [Peer], workloads: &[Workload], findings: &mut Findings) -> Vec<Race<'a>> {
    let mut runs = Vec::new();
    for workload in workloads {
        for peer in peers {
            let never = peer.name.never_offers(workload.durability);
            if never.is_none() && !peer.name.offers(workload.durability) {
                // A peer of another name does.
                continue;
            }
            for client in workload.kind.clients(peer.name) {
                let not_offered = workload.kind.not_offered(peer.name, *client);
                match never.or(not_offered) {
                    Some(why) => {
                        let contender = Contender { peer: peer.name, client: *client };
                        findings.not_offered(*workload, contender, why);
                    }
                    None => runs.push(Race { workload: *workload, peer, client: *client }),
                }
            }
        }
    }
    runs
}
