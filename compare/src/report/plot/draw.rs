//! Panels as an SVG: names on the left, panels beside each other, one line of bars for each name.

use std::error::Error;

use anyhow::{Result, anyhow};
use onrush_bench::stats::short;
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{
    Cartesian2d, DrawingArea, EmptyElement, IntoDrawingArea, IntoFont, IntoLogRange, PathElement,
    Rectangle, SVGBackend, Text,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{BLACK, Color, FontStyle, RGBAColor, RGBColor, TextStyle, WHITE};

use super::panel::{Axis, Bar, Line, Panel};

const WIDTH: u32 = 1_000;
const NAMES: u32 = 270;
const LINE: u32 = 24;
const TOP: u32 = 62;
const AXIS: u32 = 40;
const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(33, 37, 41);
const GRID: RGBColor = RGBColor(222, 226, 230);
/// How much of a line its bars take.
const FULL: f64 = 0.78;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The picture.
pub(super) fn svg(title: &str, lines: &[Line], panels: &[Panel]) -> Result<String> {
    let mut svg = String::new();
    draw(&mut svg, title, lines, panels)
        .map_err(|error| anyhow!("cannot draw {title}: {error}"))?;
    Ok(svg)
}

fn draw(
    svg: &mut String,
    title: &str,
    lines: &[Line],
    panels: &[Panel],
) -> Result<(), Box<dyn Error>> {
    let body = LINE * u32::try_from(lines.len())?;
    let root = SVGBackend::with_string(svg, (WIDTH, TOP + body + AXIS)).into_drawing_area();
    root.fill(&WHITE)?;
    write(&root, title, (12, 20), &style(17, true, HPos::Left))?;
    for (index, line) in lines.iter().enumerate() {
        let middle = i32::try_from(TOP + LINE * u32::try_from(index)? + LINE / 2)?;
        if line.is_heading() {
            write(&root, &line.name, (12, middle), &style(13, true, HPos::Left))?;
        } else {
            let right = i32::try_from(NAMES)? - 8;
            write(&root, &line.name, (right, middle), &style(12, false, HPos::Right))?;
        }
    }
    let width = (WIDTH - NAMES) / u32::try_from(panels.len().max(1))?;
    for (index, panel) in panels.iter().enumerate() {
        let left = NAMES + width * u32::try_from(index)?;
        let area = root.clone().shrink((left, TOP), (width, body + AXIS));
        heading(&root, panel, left)?;
        let mut chart = ChartBuilder::on(&area);
        chart.x_label_area_size(AXIS).margin_right(14);
        let height = 0.0..lines.len() as f64;
        match panel.axis() {
            Axis::Linear(range) => {
                let chart = chart.build_cartesian_2d(range.clone(), height)?;
                fill(chart, range.start, lines, panel)?;
            }
            Axis::Logarithmic(range) => {
                let chart = chart.build_cartesian_2d(range.clone().log_scale(), height)?;
                fill(chart, range.start, lines, panel)?;
            }
        }
    }
    root.present()?;
    Ok(())
}

/// What a panel shows, and which bar is which.
fn heading(root: &Area<'_>, panel: &Panel, left: u32) -> Result<(), Box<dyn Error>> {
    let left = i32::try_from(left)?;
    write(root, &panel.title, (left, 38), &style(13, true, HPos::Left))?;
    let note = match (panel.axis(), panel.places.as_slice()) {
        (Axis::Logarithmic(_), [_, _, ..]) => "dark: p50, light: p99; logarithmic",
        (Axis::Logarithmic(_), _) => "logarithmic",
        (Axis::Linear(_), [_, _, ..]) => "dark: p50, light: p99",
        (Axis::Linear(_), _) => "",
    };
    write(root, note, (left, 54), &style(11, false, HPos::Left))
}

fn fill<X>(
    mut chart: ChartContext<'_, SVGBackend<'_>, Cartesian2d<X, RangedCoordf64>>,
    from: f64,
    lines: &[Line],
    panel: &Panel,
) -> Result<(), Box<dyn Error>>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .x_labels(6)
        .x_max_light_lines(1)
        .bold_line_style(GRID)
        .light_line_style(RGBAColor(0, 0, 0, 0.0))
        .axis_style(INK)
        .x_label_formatter(&|value: &f64| tick(*value))
        .x_label_style(style(11, false, HPos::Center))
        .draw()?;
    let places = panel.places.len() as f64;
    for bar in &panel.bars {
        let line = &lines[bar.line];
        // The first line is at the top.
        let top = (lines.len() - bar.line) as f64 - (1.0 - FULL) / 2.0;
        let thick = FULL / places;
        let top = top - thick * bar.place as f64;
        let shade = if bar.place == 0 { 1.0 } else { 0.45 };
        let colour = line.colour().mix(shade);
        chart.draw_series([Rectangle::new(
            [(from, top), (bar.spread.median, top - thick * 0.92)],
            colour.filled(),
        )])?;
        chart.draw_series([whisker(bar, top - thick * 0.46, thick * 0.2)])?;
        let text = style(if panel.places.len() > 1 { 10 } else { 11 }, false, HPos::Left);
        let end = EmptyElement::at((bar.spread.max.max(bar.spread.median), top - thick * 0.46));
        chart.draw_series([end + Text::new(bar.text.clone(), (4, 0), text)])?;
    }
    Ok(())
}

/// From the least to the greatest, with a stroke across each end.
fn whisker(bar: &Bar, at: f64, across: f64) -> PathElement<(f64, f64)> {
    let (min, max) = (bar.spread.min, bar.spread.max);
    let (above, below) = (at + across, at - across);
    let path = [(min, above), (min, below), (min, at), (max, at), (max, above), (max, below)];
    PathElement::new(path, BLACK.stroke_width(1))
}

fn write(
    area: &Area<'_>,
    text: &str,
    at: (i32, i32),
    style: &TextStyle<'_>,
) -> Result<(), Box<dyn Error>> {
    area.draw(&Text::new(text.to_owned(), at, style.clone()))?;
    Ok(())
}

fn style(size: u32, bold: bool, side: HPos) -> TextStyle<'static> {
    let font = (FONT, size).into_font();
    let font = if bold { font.style(FontStyle::Bold) } else { font };
    TextStyle::from(font).color(&INK).pos(Pos::new(side, VPos::Center))
}

/// `10 k` rather than five digits.
fn tick(value: f64) -> String {
    let whole = |value: f64| {
        if (value - value.round()).abs() < 1e-9 { format!("{value:.0}") } else { short(value) }
    };
    match value {
        value if value >= 1e6 => format!("{} M", whole(value / 1e6)),
        value if value >= 1e3 => format!("{} k", whole(value / 1e3)),
        value => whole(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_short() {
        assert_eq!(tick(1e7), "10 M");
        assert_eq!(tick(2_500.0), "2.50 k");
        assert_eq!(tick(0.1), "0.100");
    }
}
