//! The rounds of each rung, put together.

use std::fmt;

use serde::Serialize;

use crate::rungs::Figures;
use crate::stats::Spread;

/// Rounds by rung, in the order in which rungs first came.
#[derive(Clone, Debug, Default)]
pub struct Summary(Vec<(String, Vec<Figures>)>);

/// One rung over all its rounds; what does not apply stays out.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Which rung.
    pub rung: String,
    /// Its figures by name: each with median, least and greatest.
    #[serde(flatten)]
    pub figures: std::collections::BTreeMap<&'static str, Spread>,
}

impl Summary {
    /// Adds one round of one rung.
    pub fn add(&mut self, figures: Figures) {
        match self.0.iter_mut().find(|(rung, _)| *rung == figures.rung) {
            Some((_, rounds)) => rounds.push(figures),
            None => self.0.push((figures.rung.clone(), vec![figures])),
        }
    }

    /// One row for each rung.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        self.0.iter().map(|(rung, rounds)| row(rung, rounds)).collect()
    }
}

type Pick = fn(&Figures) -> Option<f64>;

/// What a summary tells of each rung, in order.
const COLUMNS: [(&str, Pick); 9] = [
    ("per_second", |figures| Some(figures.per_second)),
    ("gigabytes_per_second", |figures| figures.gigabytes_per_second),
    ("server_cpu_ns", |figures| figures.server_cpu_ns),
    ("server_cpu_seconds_per_gigabyte", |figures| figures.server_cpu_seconds_per_gigabyte),
    ("messages_per_frame", |figures| figures.messages_per_frame),
    ("frames_per_append", |figures| figures.frames_per_append),
    ("system_calls_per_frame", |figures| figures.system_calls_per_frame),
    ("p50_us", |figures| figures.latency_us.map(|latency| latency.p50)),
    ("p99_us", |figures| figures.latency_us.map(|latency| latency.p99)),
];

fn row(rung: &str, rounds: &[Figures]) -> Row {
    let figures = COLUMNS
        .iter()
        .filter_map(|(name, pick)| {
            let values: Vec<f64> = rounds.iter().filter_map(pick).collect();
            (!values.is_empty()).then(|| (*name, Spread::of(values)))
        })
        .collect();
    Row { rung: rung.to_owned(), figures }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.rows();
        let width = rows.iter().map(|row| row.rung.len()).max().unwrap_or(0).max(32);
        writeln!(f, "{:<width$} {:<28} {:<28} latency µs", "rung", "per second", "server ns each")?;
        for row in rows {
            let cell = |name| row.figures.get(name).map(Spread::to_string).unwrap_or_default();
            write!(f, "{:<width$} {:<28} ", row.rung, cell("per_second"))?;
            write!(f, "{:<28}", cell("server_cpu_ns"))?;
            if row.figures.contains_key("p50_us") {
                write!(f, " p50 {}  p99 {}", cell("p50_us"), cell("p99_us"))?;
            }
            if row.figures.contains_key("system_calls_per_frame") {
                write!(f, "  {} system calls a frame", cell("system_calls_per_frame"))?;
            }
            if row.figures.contains_key("gigabytes_per_second") {
                write!(f, " {} GB/s", cell("gigabytes_per_second"))?;
            }
            if row.figures.contains_key("server_cpu_seconds_per_gigabyte") {
                write!(f, ", {} CPU s/GB", cell("server_cpu_seconds_per_gigabyte"))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
