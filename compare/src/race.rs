//! The rounds: every contender runs a workload before the next workload begins.

use anyhow::{Context, Result};

use crate::contender::Contender;
use crate::limits;
use crate::peer::{Peer, PeerName};
use crate::report::{About, Findings};
use crate::setup::Setup;
use crate::workload::Workload;

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
    let short = setup.quick();
    for round in 0..=rounds {
        let setup = if round == 0 { &short } else { setup };
        if round > 0 {
            eprintln!("round {round} of {rounds}: this machine");
            match limits::round(setup) {
                Ok(readings) => findings.add_limits(round, readings),
                Err(error) => findings.failure(format!("This machine's limits: {error:#}")),
            }
        }
        for workload in workloads {
            for peer in peers.iter().filter(|peer| peer.name.offers(workload.durability())) {
                for client in peer.name.clients() {
                    let contender = Contender { peer: peer.name, client: *client };
                    eprintln!("round {round} of {rounds}: {workload:?}, {contender}");
                    let topic = format!("race-{round}-{workload:?}-{client:?}");
                    match workload.run(setup, peer, *client, &topic) {
                        Ok(_) if round == 0 => {}
                        Ok(lines) => findings.add(round, *workload, contender, lines),
                        Err(error) => findings.failed(*workload, contender, &error),
                    }
                }
            }
        }
        keep(&findings)?;
    }
    Ok(findings)
}
