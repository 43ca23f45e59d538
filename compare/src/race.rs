//! The rounds: every contender runs a workload before the next workload begins.

use anyhow::{Context, Result};

use crate::peer::{Peer, PeerName};
use crate::setup::Setup;
use crate::table::{Contender, Table};
use crate::workload::Workload;

/// Runs `rounds` rounds, and before them a short one that does not count: brokers on a virtual machine of
/// their own become fast with use.
pub(crate) fn run(
    setup: &Setup,
    names: &[PeerName],
    workloads: &[Workload],
    rounds: usize,
) -> Result<Table> {
    let mut table = Table::default();
    let mut peers: Vec<Peer> = Vec::new();
    for name in names {
        match name.start(setup).with_context(|| format!("cannot start {}", name.title())) {
            Ok(peer) => {
                table.started(&peer);
                peers.push(peer);
            }
            Err(error) => table.missing(*name, &error),
        }
    }
    let short = setup.quick();
    for round in 0..=rounds {
        let setup = if round == 0 { &short } else { setup };
        for workload in workloads {
            for peer in peers.iter().filter(|peer| peer.name.offers(workload.durability())) {
                for client in peer.name.clients() {
                    let contender = Contender { peer: peer.name, client: *client };
                    eprintln!("round {round} of {rounds}: {workload:?}, {contender}");
                    let topic = format!("race-{round}-{workload:?}-{client:?}");
                    match workload.run(setup, peer, *client, &topic) {
                        Ok(_) if round == 0 => {}
                        Ok(lines) => table.add(round, *workload, contender, lines),
                        Err(error) => table.failed(*workload, contender, &error),
                    }
                }
            }
        }
    }
    Ok(table)
}
