//! The rounds of every mark, judged and printed.

use std::fmt::{self, Write};

use serde_json::{Value, json};

use super::goal::{Goal, Reading, Sense};
use crate::stats::{Spread, short};

/// Readings by mark, in the order in which marks first came.
#[derive(Clone, Debug, Default)]
pub struct Table(Vec<(Goal, Vec<Reading>)>);

/// How a mark stands.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Reached,
    Met,
    Missed,
    Told,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Verdict::Reached => "reached",
            Verdict::Met => "met",
            Verdict::Missed => "MISSED",
            Verdict::Told => "",
        }
    }
}

struct Row {
    goal: Goal,
    value: Spread,
    rung: Spread,
    ratio: Spread,
    verdict: Verdict,
}

impl Table {
    /// Adds what a round measured.
    pub fn add(&mut self, readings: impl IntoIterator<Item = Reading>) {
        for reading in readings {
            match self.0.iter_mut().find(|(goal, _)| *goal == reading.goal) {
                Some((_, rounds)) => rounds.push(reading),
                None => self.0.push((reading.goal, vec![reading])),
            }
        }
    }

    /// Whether every mark that must be met is.
    #[must_use]
    pub fn all_met(&self) -> bool {
        self.rows().all(|row| row.verdict != Verdict::Missed)
    }

    fn rows(&self) -> impl Iterator<Item = Row> {
        self.0.iter().map(|(goal, rounds)| {
            let ratio = Spread::of(rounds.iter().map(Reading::ratio));
            Row {
                goal: *goal,
                value: Spread::of(rounds.iter().map(|reading| reading.value)),
                rung: Spread::of(rounds.iter().map(|reading| reading.rung)),
                ratio,
                verdict: judge(goal, ratio.median),
            }
        })
    }

    /// As a Markdown table.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = String::from(
            "| | What | Measured, median [least..greatest] | Measured against | Ratio | Must | Reach for | |\n\
             |---|---|---|---|---|---|---|---|\n",
        );
        for row in self.rows() {
            let Goal { workload, what, unit, .. } = row.goal;
            let [must, reach] = bounds(&row.goal);
            let (rung, ratio) = against(&row);
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "| {workload:?} | {what} | {} {unit} | {rung} | {ratio} | {must} | {reach} | {} |",
                row.value,
                row.verdict.word(),
            );
        }
        text
    }

    /// As JSON: an array of marks.
    #[must_use]
    pub fn json(&self) -> Value {
        self.rows()
            .map(|row| {
                json!({
                    "workload": format!("{:?}", row.goal.workload),
                    "what": row.goal.what,
                    "unit": row.goal.unit,
                    "against": row.goal.against,
                    "value": row.value,
                    "rung": row.rung,
                    "ratio": row.ratio,
                    "must": row.goal.must,
                    "reach": row.goal.reach,
                    "verdict": row.verdict.word().to_lowercase(),
                })
            })
            .collect()
    }
}

fn judge(goal: &Goal, ratio: f64) -> Verdict {
    let good = |bound: f64| match goal.sense {
        Sense::AtMost => ratio <= bound,
        Sense::AtLeast => ratio >= bound,
        Sense::Told => true,
    };
    match goal.sense {
        Sense::Told => Verdict::Told,
        _ if good(goal.reach) => Verdict::Reached,
        _ if good(goal.must) => Verdict::Met,
        _ => Verdict::Missed,
    }
}

fn bounds(goal: &Goal) -> [String; 2] {
    [goal.must, goal.reach].map(|bound| {
        let sign = match goal.sense {
            Sense::AtMost => "≤",
            Sense::AtLeast => "≥",
            Sense::Told => return String::new(),
        };
        let times = if goal.against.is_empty() { "" } else { "×" };
        format!("{sign} {bound}{times}")
    })
}

/// The rung and the ratio to it, where there is one.
fn against(row: &Row) -> (String, String) {
    if row.goal.against.is_empty() {
        return (String::new(), String::new());
    }
    let Spread { median, min, max } = row.ratio;
    let rung = format!("{} ({})", short(row.rung.median), row.goal.against);
    (rung, format!("{median:.2} [{min:.2}..{max:.2}]"))
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in self.rows() {
            let Goal { workload, what, unit, .. } = row.goal;
            let [must, reach] = bounds(&row.goal);
            let (rung, ratio) = against(&row);
            let value = format!("{} {unit}", row.value);
            write!(f, "{workload:?}  {what:<48} {value:<36} ")?;
            if !rung.is_empty() {
                write!(f, "{ratio} of {rung}  ")?;
            }
            match row.verdict {
                Verdict::Told => writeln!(f)?,
                verdict => writeln!(f, "must {must}, reach {reach}: {}", verdict.word())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marks::Workload;

    #[test]
    fn a_mark_is_judged_by_its_median_ratio() {
        const GOAL: Goal = Goal::at_most(Workload::W1, "cost", "ns", "rung", [1.5, 1.2]);
        let mut table = Table::default();
        table.add([130.0, 160.0, 145.0].map(|value| GOAL.reading(value, 100.0)));
        let row = table.rows().next().unwrap();
        assert_eq!(row.verdict, Verdict::Met);
        assert!(table.all_met());
        assert!(table.markdown().contains("1.45 [1.30..1.60]"), "{}", table.markdown());
        table.add([190.0, 190.0, 190.0, 190.0].map(|value| GOAL.reading(value, 100.0)));
        assert!(!table.all_met());
    }
}
