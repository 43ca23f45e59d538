//! Watches over a run: reads the meters at the window's ends, shows progress, knows the end.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use anyhow::{Result, bail};

use super::recorder::{Recorder, Window};
use super::shared::{Shared, Totals};
use super::worker::Report;
use super::{Cost, Inbox, Measured, is_drain};
use crate::args::{From, RunArgs};
use crate::meter::Meter;
use crate::time::Timeline;

/// How often it looks.
const TICK: Duration = Duration::from_millis(5);
/// How long consumers may go without receiving anything before what is missing counts as missing.
const QUIET_NS: u64 = 5_000_000_000;
const SECOND_NS: u64 = 1_000_000_000;

pub(super) struct Watch {
    window: Window,
    timeline: Timeline,
    shared: Arc<Shared>,
    meters: [Option<Meter>; 2],
    producers: u64,
    consumes: bool,
    drains: bool,
    /// Messages that consumers are to receive beside what this run produces.
    already_there: u64,
    progress: bool,
}

/// CPU of broker and client, and the totals, at one moment.
#[derive(Copy, Clone, Debug)]
struct Reading {
    cpu: [Option<Duration>; 2],
    totals: Totals,
}

impl Watch {
    pub(super) fn new(
        args: &RunArgs,
        window: Window,
        timeline: Timeline,
        shared: Arc<Shared>,
        broker: Option<Meter>,
        holds: u64,
    ) -> Watch {
        Watch {
            window,
            timeline,
            shared,
            meters: [broker, Some(Meter::Own)],
            producers: args.producers as u64,
            consumes: args.consumers > 0,
            drains: is_drain(args),
            already_there: if args.from == From::Start { holds } else { 0 },
            progress: !args.json && std::io::stderr().is_terminal(),
        }
    }

    /// Watches until every thread has ended, and puts together what they saw.
    pub(super) fn until_done(self, inbox: &Inbox, threads: usize) -> Result<Measured> {
        let mut recorder = Recorder::new(self.window);
        let (mut opened, mut closed) = (None, None);
        let mut done = 0;
        let mut last = (self.timeline.now_ns(), self.shared.totals());
        let mut heard_ns = last.0;
        let mut consumed = 0;
        while done < threads {
            match inbox.recv_timeout(TICK) {
                Ok(Report::Done(outcome)) => {
                    recorder.merge(&(*outcome)?);
                    done += 1;
                }
                Ok(Report::Ready) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => bail!("a thread of the run was lost"),
            }
            let now_ns = self.timeline.now_ns();
            let totals = self.shared.totals();
            if opened.is_none() && now_ns >= self.window.from_ns {
                opened = Some(self.read());
            }
            if totals.consumed != consumed {
                (consumed, heard_ns) = (totals.consumed, now_ns);
            }
            let over = self.is_over(now_ns, totals, heard_ns);
            if closed.is_none() && opened.is_some() && (over || now_ns >= self.window.until_ns) {
                closed = Some(self.read());
            }
            if over {
                self.shared.stop();
            }
            if self.progress && now_ns.saturating_sub(last.0) >= SECOND_NS {
                self.show(now_ns, last, totals);
                last = (now_ns, totals);
            }
        }
        if self.progress {
            eprint!("\r\x1b[K");
        }
        let closed = closed.unwrap_or_else(|| self.read());
        let opened = opened.unwrap_or(closed);
        Ok(self.measured(recorder, opened, closed))
    }

    /// Whether consumers may end.
    fn is_over(&self, now_ns: u64, totals: Totals, heard_ns: u64) -> bool {
        if self.producers == 0 {
            let all = self.drains && totals.consumed >= self.already_there;
            return all || now_ns >= self.window.until_ns;
        }
        let expected = self.already_there + totals.acknowledged;
        let quiet = now_ns.saturating_sub(heard_ns) >= QUIET_NS;
        totals.producers_done >= self.producers
            && (!self.consumes || totals.consumed >= expected || quiet)
    }

    fn read(&self) -> Reading {
        let cpu = self.meters.map(|meter| meter.and_then(|meter| meter.cpu().ok()));
        Reading { cpu, totals: self.shared.totals() }
    }

    fn measured(&self, recorder: Recorder, opened: Reading, closed: Reading) -> Measured {
        let produced = closed.totals.acknowledged - opened.totals.acknowledged;
        let consumed = closed.totals.consumed - opened.totals.consumed;
        let messages = if self.producers > 0 { produced } else { consumed };
        let cost = |index: usize| {
            let meter = self.meters[index]?;
            let cpu = closed.cpu[index]?.saturating_sub(opened.cpu[index]?);
            Some(Cost { cpu, rss_peak_bytes: meter.rss_peak_bytes().ok() })
        };
        let totals = self.shared.totals();
        let seconds = recorder.acknowledgements.last_ns.max(recorder.arrivals.last_ns);
        let seconds = seconds.saturating_sub(self.window.from_ns) as f64 / SECOND_NS as f64;
        Measured { broker: cost(0), client: cost(1), messages, totals, seconds, recorder }
    }

    fn show(&self, now_ns: u64, before: (u64, Totals), totals: Totals) {
        let seconds = now_ns.saturating_sub(before.0) as f64 / SECOND_NS as f64;
        let rate = |now: u64, then: u64| (now - then) as f64 / seconds;
        let at = now_ns.saturating_sub(self.window.start_ns) / SECOND_NS;
        let phase = if now_ns < self.window.from_ns { " warming up" } else { "" };
        eprint!(
            "\r\x1b[K{at:>4} s{phase}  produced {:>12.0}/s  consumed {:>12.0}/s  in flight {:>8}  failed {}",
            rate(totals.acknowledged, before.1.acknowledged),
            rate(totals.consumed, before.1.consumed),
            totals.sent.saturating_sub(totals.acknowledged + totals.failed),
            totals.failed,
        );
        let _ = std::io::stderr().flush();
    }
}
