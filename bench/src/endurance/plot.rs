//! Pictures of what was measured: PNG files twice as large as they are shown, each beside its numbers as
//! JSON.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use clap::Args;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;
use serde_json::{Value, json};

use crate::report::grouped;

/// The width of a picture in pixels; a page shows it half as wide.
const WIDTH: u32 = 1_800;

/// The height of one row of panels, and of the title above them all.
const PANEL_HEIGHT: u32 = 580;
const TITLE_HEIGHT: u32 = 70;

/// The heights of letters.
const TITLE: i32 = 36;
const CAPTION: i32 = 29;
const LABEL: i32 = 25;

const FONT: &str = "sans-serif";
const TEXT: RGBColor = RGBColor(45, 45, 50);
const GRID: RGBColor = RGBColor(226, 226, 230);

/// One for each line of a panel, told apart without colours too, by how light they are.
const COLOURS: [RGBColor; 4] =
    [RGBColor(28, 84, 150), RGBColor(214, 96, 48), RGBColor(70, 150, 90), RGBColor(150, 110, 180)];

/// Lines with as many points as this or fewer show them.
const POINTS_SHOWN_MAX: usize = 16;

/// Whether pictures are kept, and where.
#[derive(Args)]
pub(crate) struct Pictures {
    /// Where pictures of the run go, each beside its numbers; the repository keeps them in docs/plots.
    #[arg(long, value_name = "DIR")]
    plot: Option<PathBuf>,
}

/// A picture.
pub(super) struct Picture {
    /// Its file's, without an ending.
    pub(super) name: &'static str,
    /// What is seen.
    pub(super) title: String,
    /// How many panels stand side by side.
    pub(super) columns: usize,
    pub(super) panels: Vec<Panel>,
}

/// Lines over one axis.
pub(super) struct Panel {
    pub(super) title: String,
    pub(super) x: Axis,
    /// What goes upwards from zero, with its unit.
    pub(super) y: &'static str,
    pub(super) lines: Vec<Line>,
}

/// What goes to the right, with its unit.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    pub(super) name: &'static str,
    /// Each mark is so many times the one before; `None`: all are equally far apart.
    pub(super) times: Option<f64>,
}

/// One line.
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) points: Vec<(f64, f64)>,
}

type Area<'p> = DrawingArea<BitMapBackend<'p>, Shift>;

impl Pictures {
    /// Writes a picture down, if that is wanted.
    pub(super) fn keep(&self, picture: &Picture) -> Result<()> {
        let Some(folder) = &self.plot else { return Ok(()) };
        fs::create_dir_all(folder).with_context(|| format!("failed to make {}", folder.display()))?;
        // First: they are what took an hour to get.
        let numbers = folder.join(picture.name).with_extension("json");
        fs::write(&numbers, format!("{}\n", picture.json()))
            .with_context(|| format!("failed to write {}", numbers.display()))?;
        let path = folder.join(picture.name).with_extension("png");
        picture.draw(&path).with_context(|| format!("failed to draw {}", path.display()))
    }
}

impl Picture {
    fn draw(&self, path: &Path) -> Result<()> {
        register_font(FONT, FontStyle::Normal, dejavu::sans::regular())
            .map_err(|_| anyhow!("the font does not read"))?;
        let rows = self.panels.len().div_ceil(self.columns);
        let size = (WIDTH, TITLE_HEIGHT + rows as u32 * PANEL_HEIGHT);
        let root = BitMapBackend::new(path, size).into_drawing_area();
        root.fill(&WHITE)?;
        let below = root.margin(20, 0, 0, 0).titled(&self.title, text(TITLE))?;
        for (panel, area) in self.panels.iter().zip(below.split_evenly((rows, self.columns))) {
            panel.draw(&area).with_context(|| panel.title.clone())?;
        }
        root.present()?;
        Ok(())
    }

    fn json(&self) -> Value {
        let panels: Vec<Value> = self.panels.iter().map(Panel::json).collect();
        json!({ "title": self.title, "panels": panels })
    }
}

impl Panel {
    fn draw(&self, area: &Area<'_>) -> Result<()> {
        let x = self.x_range();
        let marks = if self.x.times.is_some() { (x.end - x.start) as usize + 1 } else { 7 };
        let mut chart = ChartBuilder::on(area)
            .margin(20)
            // Half of the last label lies beyond the axis.
            .margin_right(70)
            .caption(&self.title, text(CAPTION))
            .x_label_area_size(90)
            .y_label_area_size(150)
            .build_cartesian_2d(x, 0.0..self.top())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GRID)
            .label_style(text(LABEL))
            .axis_desc_style(text(LABEL))
            .x_labels(marks)
            .y_labels(6)
            .x_label_formatter(&|x| self.x.label(*x))
            .y_label_formatter(&|y| label(*y))
            .x_desc(self.x.name)
            .y_desc(self.y)
            .draw()?;
        for (line, colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            let style = ShapeStyle { color: colour.to_rgba(), filled: true, stroke_width: 3 };
            let points: Vec<(f64, f64)> = line.finite().map(|(x, y)| (self.x.place(x), y)).collect();
            let size = if points.len() <= POINTS_SHOWN_MAX { 6 } else { 0 };
            chart
                .draw_series(LineSeries::new(points, style).point_size(size))?
                .label(line.name)
                .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 40, y)], style));
        }
        if self.lines.len() > 1 {
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperRight)
                .legend_area_size(50)
                .background_style(WHITE.mix(0.85))
                .border_style(GRID)
                .label_font(text(LABEL))
                .draw()?;
        }
        Ok(())
    }

    /// From the first place of any line to the last, with a little room for points on an axis of multiples.
    fn x_range(&self) -> Range<f64> {
        let places = self.lines.iter().flat_map(Line::finite).map(|(x, _)| self.x.place(x));
        let (min, max) =
            places.fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), x| (min.min(x), max.max(x)));
        if min > max {
            return 0.0..1.0;
        }
        if self.x.times.is_some() { min - 0.2..max + 0.2 } else { min.min(0.0)..max.max(min + 1e-9) }
    }

    /// A little above the highest point, and more where a legend needs room.
    fn top(&self) -> f64 {
        let highest = self.lines.iter().flat_map(Line::finite).map(|(_, y)| y).fold(0.0, f64::max);
        let room = if self.lines.len() > 1 { 1.35 } else { 1.1 };
        if highest > 0.0 { highest * room } else { 1.0 }
    }

    fn json(&self) -> Value {
        let lines: Vec<Value> =
            self.lines.iter().map(|line| json!({ "name": line.name, "points": line.points })).collect();
        json!({ "title": self.title, "x": self.x.name, "y": self.y, "lines": lines })
    }
}

impl Axis {
    /// Where a value stands.
    fn place(self, value: f64) -> f64 {
        self.times.map_or(value, |times| value.log(times))
    }

    /// What stands at a mark.
    fn label(self, place: f64) -> String {
        self.times.map_or_else(|| label(place), |times| label(times.powf(place).round()))
    }
}

impl Line {
    /// The points that there are: nothing was measured where one is not finite.
    fn finite(&self) -> impl Iterator<Item = (f64, f64)> {
        self.points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite())
    }
}

fn text(height: i32) -> TextStyle<'static> {
    (FONT, height).into_font().color(&TEXT)
}

/// Commas in what is large, and no zeros that say nothing.
fn label(value: f64) -> String {
    if value.abs() >= 1_000.0 {
        return grouped(value);
    }
    format!("{value:.2}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(lines: Vec<Line>) -> Picture {
        let panel = |times, lines| Panel {
            title: "p99 of writes".to_owned(),
            x: Axis { name: "connections", times },
            y: "ms",
            lines,
        };
        Picture {
            name: "test",
            title: "A test".to_owned(),
            columns: 2,
            panels: vec![panel(None, vec![]), panel(Some(4.0), lines)],
        }
    }

    fn kept(picture: &Picture) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        Pictures { plot: Some(folder.path().join("plots")) }.keep(picture).unwrap();
        let numbers = fs::read_to_string(folder.path().join("plots/test.json")).unwrap();
        assert!(numbers.contains("\"connections\""), "{numbers}");
        fs::read(folder.path().join("plots/test.png")).unwrap()
    }

    #[test]
    fn a_picture_shows_its_lines() {
        let line = |name, points| Line { name, points };
        let lines = vec![
            line("one", vec![(1.0, 5.0), (16.0, f64::NAN), (4_096.0, 12.5)]),
            line("other", vec![(1.0, 2.0), (64.0, 3.0)]),
        ];
        let (with, without) = (kept(&picture(lines)), kept(&picture(vec![])));
        assert!(with.starts_with(b"\x89PNG") && without.starts_with(b"\x89PNG"));
        assert!(with.len() > without.len(), "{} and {} bytes", with.len(), without.len());
    }

    #[test]
    fn marks_are_short() {
        assert_eq!([0.0, 0.5, 250.0, 12_000.0].map(label), ["0", "0.5", "250", "12,000"]);
        assert_eq!(Axis { name: "", times: Some(4.0) }.label(5.0), "1,024");
    }
}
