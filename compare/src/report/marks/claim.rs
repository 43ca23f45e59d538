//! One mark: what is measured, what it has to be, and whether it is.

use std::fmt;

use onrush_bench::stats::{Spread, short};

use super::super::column::spread;
use super::super::table::ratio;
use super::series::Named;

/// Which side of the bound is good.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    AtMost(f64),
    Below(f64),
    AtLeast(f64),
    Above(f64),
    /// Told, not judged.
    None,
}

/// A line of the table of marks.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    mark: &'static str,
    what: String,
    figure: Option<Spread>,
    /// Whose figure it was divided by.
    beside: Option<(String, String)>,
    bound: Bound,
    absolute: bool,
    ours: Option<Spread>,
}

impl Claim {
    /// Our figure divided by theirs, round by round.
    pub(super) fn ratio(
        mark: &'static str,
        what: String,
        ours: Option<Named>,
        theirs: Option<Named>,
    ) -> Claim {
        let divided = ours.as_ref().zip(theirs.as_ref()).and_then(|(ours, theirs)| {
            spread(
                ours.series.iter().filter_map(|(at, value)| Some(value / theirs.series.get(at)?)),
            )
        });
        Claim {
            mark,
            what,
            figure: divided,
            beside: theirs.map(|theirs| (theirs.broker, theirs.client)),
            bound: Bound::None,
            absolute: false,
            ours: ours.and_then(|ours| spread(ours.series.into_values())),
        }
    }

    /// Our figure as it is.
    pub(super) fn absolute(self) -> Claim {
        Claim { absolute: true, figure: self.ours, ..self }
    }

    /// The figure divided by something that is known otherwise.
    pub(super) fn divided_by(self, by: f64) -> Claim {
        let figure = self.figure.map(|Spread { median, min, max }| Spread {
            median: median / by,
            min: min / by,
            max: max / by,
        });
        Claim { figure, ..self }
    }

    pub(super) fn at_most(self, bound: f64) -> Claim {
        Claim { bound: Bound::AtMost(bound), ..self }
    }

    pub(super) fn below(self, bound: f64) -> Claim {
        Claim { bound: Bound::Below(bound), ..self }
    }

    pub(super) fn at_least(self, bound: f64) -> Claim {
        Claim { bound: Bound::AtLeast(bound), ..self }
    }

    pub(super) fn above(self, bound: f64) -> Claim {
        Claim { bound: Bound::Above(bound), ..self }
    }

    fn verdict(&self) -> &'static str {
        let Some(Spread { median, .. }) = self.figure else { return "not measured" };
        let good = match self.bound {
            Bound::AtMost(bound) => median <= bound,
            Bound::Below(bound) => median < bound,
            Bound::AtLeast(bound) => median >= bound,
            Bound::Above(bound) => median > bound,
            Bound::None => return "reported",
        };
        if good { "met" } else { "MISSED" }
    }

    /// What the line does not say by itself of whose figure it was divided by.
    fn beside_text(&self) -> String {
        let Some((broker, client)) = self.beside.as_ref().filter(|_| self.figure.is_some()) else {
            return String::new();
        };
        let new = [broker, client].into_iter().filter(|name| !self.what.contains(name.as_str()));
        let new: Vec<&str> = new.map(String::as_str).collect();
        if new.is_empty() { String::new() } else { format!(" ({})", new.join(", ")) }
    }

    fn bound_text(&self) -> String {
        let (sign, bound) = match self.bound {
            Bound::AtMost(bound) => ("≤", bound),
            Bound::Below(bound) => ("<", bound),
            Bound::AtLeast(bound) => ("≥", bound),
            Bound::Above(bound) => (">", bound),
            Bound::None => return String::new(),
        };
        if self.absolute {
            return format!("{sign} {}", short(bound));
        }
        // A third is what readers know 0.333 by.
        let part = 1.0 / bound;
        if bound < 0.35 && (part - part.round()).abs() < 1e-9 {
            return format!("{sign} 1/{part:.0}");
        }
        format!("{sign} {bound}×")
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figure = match (self.figure, self.absolute) {
            (None, _) => String::new(),
            (Some(figure), true) => figure.to_string(),
            (Some(figure), false) => {
                let digits = ratio(Some(figure));
                let (median, spread) = digits.split_once(' ').unwrap_or((&digits, ""));
                format!("{median}× {spread}").trim_end().to_owned()
            }
        };
        let beside = self.beside_text();
        write!(
            f,
            "| {} | {}{beside} | {figure} | {} | {} |",
            self.mark,
            self.what,
            self.bound_text(),
            self.verdict()
        )
    }
}
