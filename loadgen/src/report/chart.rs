//! A line chart as inline SVG.

use std::fmt::Write;

const WIDTH: f64 = 840.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 42.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 46.0;

/// A range of values, where its grid lines are, and what they say.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    from: f64,
    to: f64,
    ticks: Vec<(f64, String)>,
    title: &'static str,
}

/// One curve; a single point is drawn as a dot.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) class: &'static str,
    pub(super) points: Vec<(f64, f64)>,
}

/// A chart.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lines: Vec<Line>,
    /// The part of the x axis from its begin that is shaded.
    pub(super) shaded_until: Option<f64>,
}

impl Axis {
    /// Whole numbers around the values, which are logarithms.
    pub(super) fn decades(values: impl Iterator<Item = f64>) -> Axis {
        let (least, most) = values
            .filter(|value| value.is_finite())
            .fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(value), most.max(value)));
        let (from, to) = if least > most { (0.0, 1.0) } else { (least.floor(), most.ceil()) };
        Axis::stepped(from, to.max(from + 1.0), 1.0)
    }

    /// From zero to a round number past the greatest value.
    pub(super) fn from_zero(most: f64) -> Axis {
        let rough = most.max(1.0) / 5.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * power);
        let step = step.into_iter().find(|step| *step >= rough).unwrap_or(rough).max(1.0);
        Axis::stepped(0.0, (most / step).ceil().max(1.0) * step, step)
    }

    fn stepped(from: f64, to: f64, step: f64) -> Axis {
        let ticks = (0_u32..)
            .map(|index| from + f64::from(index) * step)
            .take_while(|value| *value <= to + step / 2.0)
            .map(|value| (value, String::new()))
            .collect();
        Axis { from, to, ticks, title: "" }
    }

    /// With labels at its grid lines.
    pub(super) fn labelled(mut self, label: impl Fn(f64) -> String) -> Axis {
        self.ticks.iter_mut().for_each(|(value, text)| *text = label(*value));
        self
    }

    /// With a title.
    pub(super) fn titled(mut self, title: &'static str) -> Axis {
        self.title = title;
        self
    }

    fn share(&self, value: f64) -> f64 {
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }
}

impl Chart {
    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let across = LEFT + self.x.share(x) * (WIDTH - LEFT - RIGHT);
        let down = HEIGHT - BOTTOM - self.y.share(y) * (HEIGHT - TOP - BOTTOM);
        (across, down)
    }

    /// The SVG element. Writing to a string cannot fail.
    pub(super) fn svg(&self) -> String {
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n",
            self.title
        );
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        if let Some(until) = self.shaded_until.filter(|until| *until > 0.0) {
            let width = self.place(until, 0.0).0 - LEFT;
            let height = bottom - TOP;
            let _ = writeln!(
                svg,
                "<rect class=\"shade\" x=\"{LEFT}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{height}\"/>"
            );
        }
        for (value, label) in &self.y.ticks {
            let (_, y) = self.place(self.x.from, *value);
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                LEFT - 8.0,
                y + 4.0
            );
        }
        for (value, label) in &self.x.ticks {
            let (x, _) = self.place(*value, self.y.from);
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{bottom}\" y2=\"{}\"/>\
                 <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>",
                bottom + 5.0,
                bottom + 19.0
            );
        }
        if !self.x.title.is_empty() {
            let _ = writeln!(
                svg,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                f64::midpoint(LEFT, right),
                HEIGHT - 6.0,
                self.x.title
            );
        }
        for line in &self.lines {
            self.draw(&mut svg, line);
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn draw(&self, svg: &mut String, line: &Line) {
        let class = line.class;
        match line.points[..] {
            [] => {}
            [(x, y)] => {
                let (x, y) = self.place(x, y);
                let _ = writeln!(
                    svg,
                    "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>"
                );
            }
            ref points => {
                let _ = write!(svg, "<path class=\"{class}\" d=\"");
                for (index, (x, y)) in points.iter().enumerate() {
                    let (x, y) = self.place(*x, *y);
                    let _ = write!(svg, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
                }
                svg.push_str("\"/>\n");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_from_zero_ends_past_its_greatest() {
        for most in [0.3, 1.0, 7.0, 99.0, 1_234_567.0] {
            let axis = Axis::from_zero(most);
            assert!(axis.to >= most && (2..=7).contains(&axis.ticks.len()), "{most}: {axis:?}");
        }
    }

    #[test]
    fn decades_surround_the_values() {
        let axis = Axis::decades([1.2, 3.4].into_iter());
        assert_eq!((axis.from, axis.to, axis.ticks.len()), (1.0, 4.0, 4));
        let none = Axis::decades(std::iter::empty());
        assert!(none.to > none.from);
    }
}
