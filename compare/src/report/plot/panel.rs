//! What is drawn: lines with a name each, and panels with bars on those lines.

use std::ops::Range;

use onrush_bench::stats::Spread;
use plotters::style::RGBColor;

/// Bars whose least and greatest are farther apart than this need a logarithm.
const LINEAR_MAX: f64 = 12.0;

/// Who a line belongs to.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Heading,
    Broker(String),
    Rung,
}

impl Line {
    pub(super) fn heading(name: &str) -> Line {
        Line { name: name.to_owned(), kind: Kind::Heading }
    }

    /// Of a broker; of this machine, where there is none.
    pub(super) fn contender(broker: &str, name: &str) -> Line {
        let kind = if broker.is_empty() { Kind::Rung } else { Kind::Broker(broker.to_owned()) };
        Line { name: name.to_owned(), kind }
    }

    pub(super) fn is_heading(&self) -> bool {
        self.kind == Kind::Heading
    }

    pub(super) fn is_broker(&self) -> bool {
        matches!(self.kind, Kind::Broker(_))
    }

    /// One colour for each broker, whatever else takes part.
    pub(super) fn colour(&self) -> RGBColor {
        const GREY: RGBColor = RGBColor(173, 181, 189);
        let Kind::Broker(broker) = &self.kind else { return GREY };
        let first = broker.split(' ').find(|word| *word != "Apache").unwrap_or_default();
        match first {
            "Onrush" => RGBColor(232, 89, 12),
            "Kafka" => RGBColor(73, 80, 87),
            "NATS" => RGBColor(34, 139, 230),
            "Redis" => RGBColor(201, 42, 42),
            "RabbitMQ" => RGBColor(47, 158, 68),
            _ => RGBColor(112, 72, 232),
        }
    }
}

/// One bar, and what stands at its end.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    /// Which line it is on.
    pub(super) line: usize,
    /// Which of the line's bars it is.
    pub(super) place: usize,
    pub(super) spread: Spread,
    pub(super) text: String,
}

/// Bars on one axis.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    pub(super) title: String,
    /// What the bars of each line are, where there is more than one.
    pub(super) places: Vec<String>,
    pub(super) bars: Vec<Bar>,
}

/// An axis from which bars grow.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Axis {
    Linear(Range<f64>),
    Logarithmic(Range<f64>),
}

impl Panel {
    /// With room for the text at the longest bar's end.
    pub(super) fn axis(&self) -> Axis {
        let least = self.bars.iter().map(|bar| bar.spread.min).fold(f64::INFINITY, f64::min);
        let most = self.bars.iter().map(|bar| bar.spread.max).fold(0.0, f64::max);
        if most <= least * LINEAR_MAX {
            return Axis::Linear(0.0..most * 1.35);
        }
        // A bar at the least must have some length.
        let low = 10_f64.powf((least / 1.5).log10().floor());
        let decades = (most / low).log10();
        Axis::Logarithmic(low..low * 10_f64.powf(decades * 1.35))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(values: &[f64]) -> Panel {
        let bar = |value: &f64| Bar {
            line: 0,
            place: 0,
            spread: Spread::of([*value]),
            text: String::new(),
        };
        Panel { title: String::new(), places: Vec::new(), bars: values.iter().map(bar).collect() }
    }

    #[test]
    fn figures_far_apart_get_a_logarithm() {
        assert_eq!(panel(&[10.0, 100.0]).axis(), Axis::Linear(0.0..135.0));
        let Axis::Logarithmic(range) = panel(&[5_000.0, 25e6]).axis() else {
            panic!("5,000 and 25 M cannot be told apart on one linear axis")
        };
        assert_eq!(range.start, 1_000.0);
        assert!(range.end > 25e6);
    }
}
