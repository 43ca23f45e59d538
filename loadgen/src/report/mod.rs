//! One self-contained HTML page about a run: no script, nothing fetched.

mod chart;

use std::fmt::Write;

use self::chart::{Axis, Chart, Line};
use crate::run::{Latency, Outcome, grouped};
use crate::time::whole;

const STYLE: &str = include_str!("style.css");

/// The page.
#[must_use]
pub fn html(outcome: &Outcome) -> String {
    let mut page = String::with_capacity(64 * 1024);
    // Writing to a string cannot fail.
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Onrush load report</title>\n<style>{STYLE}</style></head><body><main>\n\
         <h1>Load report</h1>\n{}{}",
        setup(outcome),
        tiles(outcome),
    );
    if outcome.curves.ack.len() + outcome.curves.end_to_end.len() > 0 {
        let _ =
            write!(page, "<h2>Latency</h2>\n{}{}", percentiles(outcome), latency_chart(outcome));
    }
    let _ = write!(page, "<h2>Throughput</h2>\n{}", throughput_chart(outcome));
    if !outcome.error_kinds.is_empty() {
        page.push_str("<h2>Errors</h2>\n<table>");
        for (error, count) in &outcome.error_kinds {
            let _ = write!(page, "<tr><td>{}</td><td class=n>{count}</td></tr>", escaped(error));
        }
        page.push_str("</table>\n");
    }
    page.push_str(
        "<footer>Latency counts from when a message was due, so that a stall shows in every \
         message that it delayed. Made by onrush-loadgen.</footer>\n</main></body></html>\n",
    );
    page
}

fn setup(outcome: &Outcome) -> String {
    let item = |(name, value): (&&str, &String)| {
        format!("<li><span>{name}</span> {}</li>", escaped(value.trim()))
    };
    format!("<ul class=setup>{}</ul>\n", outcome.setup.iter().map(item).collect::<String>())
}

fn tiles(outcome: &Outcome) -> String {
    let mut tiles = Vec::new();
    if outcome.sent > 0 {
        tiles.push(("produced a second", rate(outcome.produced_per_second)));
    }
    if outcome.received > 0 {
        tiles.push(("consumed a second", rate(outcome.consumed_per_second)));
    }
    if let Some(ns) = outcome.broker_cpu_ns_per_message {
        tiles.push(("broker CPU a message", format!("{} ns", rate(ns))));
    }
    if let Some(bytes) = outcome.broker_rss_peak_bytes {
        let mebibytes = bytes as f64 / f64::from(1 << 20);
        tiles.push(("broker memory at most", format!("{mebibytes:.1} MiB")));
    }
    tiles.push(("errors", grouped(outcome.errors)));
    let tile = |(name, value): &(&str, String)| {
        format!("<div class=tile><b>{value}</b><span>{name}</span></div>")
    };
    format!("<section class=tiles>{}</section>\n", tiles.iter().map(tile).collect::<String>())
}

fn rate(value: f64) -> String {
    grouped(whole(value.round()))
}

fn percentiles(outcome: &Outcome) -> String {
    let row = |class: &str, name: &str, latency: &Latency| {
        if latency.count == 0 {
            return String::new();
        }
        let Latency { p50, p90, p99, p999, max, .. } = *latency;
        let cells = [p50, p90, p99, p999, max]
            .map(|micros| format!("<td class=n>{}</td>", time(micros.unwrap_or(0.0))));
        format!("<tr><td><i class={class}></i>{name}</td>{}</tr>", cells.concat())
    };
    format!(
        "<table><tr><th></th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th><th>max</th></tr>\
         {}{}</table>\n",
        row("a", "until acknowledged", &outcome.ack_latency_us),
        row("b", "end to end", &outcome.end_to_end_latency_us),
    )
}

/// Microseconds, in the unit that suits them.
fn time(micros: f64) -> String {
    match micros {
        micros if micros >= 1e6 => format!("{:.2} s", micros / 1e6),
        micros if micros >= 1e4 => format!("{:.1} ms", micros / 1e3),
        micros if micros >= 1e3 => format!("{:.2} ms", micros / 1e3),
        micros if micros >= 100.0 => format!("{micros:.0} µs"),
        micros => format!("{micros:.1} µs"),
    }
}

fn latency_chart(outcome: &Outcome) -> String {
    let curves = &outcome.curves;
    // A curve's place on the x axis is how many nines its share has.
    let line = |class, points: &[(f64, f64)]| Line {
        class,
        points: points.iter().map(|(share, micros)| (-share.log10(), micros.log10())).collect(),
    };
    let nines = |value: f64| match value {
        0.0 => "0 %".to_owned(),
        1.0 => "90 %".to_owned(),
        2.0 => "99 %".to_owned(),
        nines => format!("99.{} %", "9".repeat(usize::try_from(whole(nines)).unwrap_or(2) - 2)),
    };
    let x =
        Axis::decades(curves.ack.iter().chain(&curves.end_to_end).map(|point| -point.0.log10()));
    let y = Axis::decades(curves.ack.iter().chain(&curves.end_to_end).map(|point| point.1.log10()));
    let power = |value: f64| time(10_f64.powf(value)).replace(".00", "").replace(".0", "");
    Chart {
        title: "Latency by percentile",
        x: x.labelled(nines).titled("share of messages at most that slow"),
        y: y.labelled(power).titled("latency"),
        lines: vec![line("a", &curves.ack), line("b", &curves.end_to_end)],
        shaded_until: None,
    }
    .svg()
}

fn throughput_chart(outcome: &Outcome) -> String {
    // The last second is seldom a whole one; it would read as a drop.
    let whole_seconds = outcome.by_second.len().saturating_sub(1).max(1);
    let seconds = &outcome.by_second[..whole_seconds.min(outcome.by_second.len())];
    let line = |class, pick: fn(&crate::run::Second) -> u64| {
        let values = seconds.iter().map(pick).collect::<Vec<_>>();
        let any = values.iter().any(|value| *value > 0);
        let points = (0_u32..).zip(values).map(|(at, value)| (f64::from(at) + 0.5, value as f64));
        Line { class, points: if any { points.collect() } else { Vec::new() } }
    };
    let lines = vec![line("a", |second| second.produced), line("b", |second| second.consumed)];
    let most = lines.iter().flat_map(|line| &line.points).map(|point| point.1).fold(1.0, f64::max);
    let legend = "<p class=legend><i class=a></i>produced <i class=b></i>consumed, messages a \
                  second; shaded: warm-up</p>\n";
    let chart = Chart {
        title: "Throughput over time",
        x: Axis::from_zero(seconds.len() as f64).labelled(|value| format!("{value} s")),
        y: Axis::from_zero(most * 1.05).labelled(short),
        lines,
        shaded_until: Some(outcome.curves.warmup_seconds),
    };
    format!("{legend}{}", chart.svg())
}

/// 1500 as 1.5 k.
fn short(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{} M", value / 1e6),
        value if value >= 1e3 => format!("{} k", value / 1e3),
        value => format!("{value}"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Curves, Second};
    use std::collections::BTreeMap;

    fn latency(scale: f64) -> Latency {
        let [p50, p90, p99, p999, max] =
            [31.0, 44.0, 140.0, 900.0, 4_100.0].map(|us| Some(us * scale));
        Latency { p50, p90, p99, p999, max, count: 1_000_000 }
    }

    fn curve(scale: f64) -> Vec<(f64, f64)> {
        let steps = (0..120).map(|step| f64::from(step) / 20.0);
        steps.map(|nines| (10_f64.powf(-nines), scale * (12.0 + nines.powi(4) * 4.0))).collect()
    }

    fn outcome() -> Outcome {
        let seconds = (0..13_u64).map(|at| 100_000 - 700 * (at * 7 % 5));
        Outcome {
            produced: 1_000_000,
            consumed: 1_000_000,
            produced_per_second: 99_998.4,
            consumed_per_second: 99_997.1,
            ack_latency_us: latency(1.0),
            end_to_end_latency_us: latency(1.4),
            broker_cpu_ns_per_message: Some(6_123.0),
            client_cpu_ns_per_message: Some(9_000.0),
            broker_rss_peak_bytes: Some(13 << 20),
            errors: 2,
            error_kinds: BTreeMap::from([("a <strange> & rare one".to_owned(), 2)]),
            offered: 1_000_000,
            sent: 1_200_000,
            acknowledged: 1_200_000,
            received: 1_200_000,
            seconds: 10.0,
            megabytes_per_second: 10.0,
            drained: 0,
            drained_megabytes_per_second: 0.0,
            broker_cores: Some(0.6),
            client_cores: Some(1.0),
            by_second: seconds
                .map(|rate| Second { produced: rate, consumed: rate - 1_000 })
                .collect(),
            setup: BTreeMap::from([("producers", "4".to_owned()), ("rate", "100000".to_owned())]),
            curves: Curves { ack: curve(1.0), end_to_end: curve(1.5), warmup_seconds: 2.0 },
        }
    }

    #[test]
    fn the_page_is_self_contained() {
        let page = html(&outcome());
        for outside in ["<script", "http:", "https:", "src=", "href=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert_eq!(page.matches("<svg").count(), 2);
        assert!(page.contains("a &lt;strange&gt; &amp; rare one"));
        assert!(!page.contains("NaN") && !page.contains("inf"));
    }
}
