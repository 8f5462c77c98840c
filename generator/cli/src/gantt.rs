//! The picture of a simulated job: a row for each stream and unit, coloured by phase where it was busy.

use std::error::Error;
use std::path::Path;

use bitlathe_flow::sim::Busy;
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::plot::COLORS;

/// Pixels of the time axis; a longer job has as many columns, each of several cycles.
const WIDTH: u32 = 1000;
const LEFT: i32 = 96;
const RIGHT: i32 = 74;
const ROW: i32 = 34;
const BAR: i32 = 24;
const TOP: i32 = 40;
const BOTTOM: i32 = 46;

const FONT: (&str, u32) = ("sans-serif", 13);
const SMALL: (&str, u32) = ("sans-serif", 11);
const STREAM: RGBColor = RGBColor(120, 120, 120);
const GRID: RGBColor = RGBColor(225, 225, 225);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn Error>>;

/// A job as it is drawn.
pub struct Gantt<'a> {
    /// Above the picture.
    pub title: String,
    /// Cycles of the job.
    pub cycles: u64,
    /// Streams and phases of units; phases of one unit follow each other.
    pub busy: &'a [Busy],
}

/// The share of each phase in a column of the picture.
type Shares = Vec<f64>;

impl Gantt<'_> {
    /// Draws into a file.
    pub fn write(&self, path: &Path) -> Drawn {
        let units: Vec<&[Busy]> = self.busy.chunk_by(|a, b| a.unit == b.unit).collect();
        let size = ((WIDTH as i32 + LEFT + RIGHT) as u32, (TOP + ROW * units.len() as i32 + BOTTOM) as u32);
        let canvas = SVGBackend::new(path, size).into_drawing_area();
        canvas.fill(&WHITE)?;
        canvas.draw(&Text::new(self.title.clone(), (LEFT, 12), ("sans-serif", 16)))?;
        let bottom = TOP + ROW * units.len() as i32;
        self.axis(&canvas, bottom)?;
        let mut colors = COLORS.iter().cycle();
        let mut legend = LEFT;
        for (unit, top) in units.iter().zip((TOP..).step_by(ROW as usize)) {
            let mut color = |phase: &Busy| if phase.is_stream { STREAM } else { *colors.next().unwrap_or(&STREAM) };
            let phases: Vec<(&Busy, RGBColor)> = unit.iter().map(|phase| (phase, color(phase))).collect();
            self.row(&canvas, &phases, top)?;
            for (phase, color) in phases.iter().filter(|(phase, _)| !phase.is_stream) {
                legend = named(&canvas, phase, *color, (legend, bottom + 24))?;
            }
        }
        canvas.present()?;
        Ok(())
    }

    /// Cycles of a column.
    fn step(&self) -> u64 {
        self.cycles.div_ceil(u64::from(WIDTH)).max(1)
    }

    /// Where a column begins.
    fn x(&self, column: usize) -> i32 {
        let cycle = (column as u64 * self.step()).min(self.cycles) as f64;
        LEFT + (cycle / self.cycles.max(1) as f64 * f64::from(WIDTH)).round() as i32
    }

    /// Cycle numbers at round places.
    fn axis(&self, canvas: &Area, bottom: i32) -> Drawn {
        let step = round_step(self.cycles);
        for cycle in (0..=self.cycles).step_by(step as usize) {
            let x = LEFT + (cycle as f64 / self.cycles.max(1) as f64 * f64::from(WIDTH)).round() as i32;
            canvas.draw(&PathElement::new([(x, TOP - 4), (x, bottom)], GRID))?;
            canvas.draw(&Text::new(cycle.to_string(), (x + 2, bottom), SMALL))?;
        }
        let label = match self.step() {
            1 => "cycle".to_owned(),
            n => format!("cycle; a column is {n} of them"),
        };
        canvas.draw(&Text::new(label, (LEFT + WIDTH as i32 - 160, bottom + 24), SMALL))?;
        Ok(())
    }

    fn row(&self, canvas: &Area, phases: &[(&Busy, RGBColor)], top: i32) -> Drawn {
        let unit = phases.first().map_or("", |(p, _)| p.unit.as_str());
        canvas.draw(&Text::new(unit.to_owned(), (8, top + 6), FONT))?;
        let busy: Vec<&Busy> = phases.iter().map(|(p, _)| *p).collect();
        let mut start = 0;
        for equal in self.columns(&busy).chunk_by(|a, b| a == b) {
            let (from, to) = (self.x(start), self.x(start + equal.len()));
            start += equal.len();
            let mut base = top + BAR;
            for (share, (_, color)) in equal[0].iter().zip(phases).filter(|(share, _)| **share > 0.0) {
                let height = (f64::from(BAR) * share).round().max(1.0) as i32;
                canvas.draw(&Rectangle::new([(from, (base - height).max(top)), (to, base)], color.filled()))?;
                base = (base - height).max(top);
            }
        }
        let cycles: u64 = busy.iter().map(|p| p.cycles()).sum();
        let percent = format!("{:.1} %", 100.0 * cycles as f64 / self.cycles.max(1) as f64);
        canvas.draw(&Text::new(percent, (LEFT + WIDTH as i32 + 8, top + 6), FONT))?;
        Ok(())
    }

    /// For each column how much of it each phase takes.
    fn columns(&self, phases: &[&Busy]) -> Vec<Shares> {
        let step = self.step();
        let mut columns = vec![vec![0.0; phases.len()]; self.cycles.div_ceil(step) as usize];
        for (n, phase) in phases.iter().enumerate() {
            for &(from, to) in &phase.spans {
                for column in from / step..to.div_ceil(step) {
                    let (first, end) = (column * step, ((column + 1) * step).min(self.cycles));
                    let inside = to.min(end).saturating_sub(from.max(first));
                    columns[column as usize][n] += inside as f64 / (end - first) as f64;
                }
            }
        }
        columns
    }
}

/// An entry of the legend; gives where the next one begins.
fn named(canvas: &Area, phase: &Busy, color: RGBColor, (x, y): (i32, i32)) -> Result<i32, Box<dyn Error>> {
    let text = format!("{}: {}", phase.unit, phase.phase);
    let width = 30 + 6 * text.len() as i32;
    canvas.draw(&Rectangle::new([(x, y + 2), (x + 10, y + 12)], color.filled()))?;
    canvas.draw(&Text::new(text, (x + 14, y), SMALL))?;
    Ok(x + width)
}

/// A round number of cycles that divides a job into at most ten.
fn round_step(cycles: u64) -> u64 {
    let tens = (0..19).map(|n| 10u64.pow(n));
    tens.flat_map(|ten| [1, 2, 5].map(|n| n * ten)).find(|step| cycles / step <= 10).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy(unit: &str, phase: &str, spans: &[(u64, u64)]) -> Busy {
        Busy { unit: unit.into(), phase: phase.into(), is_stream: false, spans: spans.to_vec() }
    }

    #[test]
    fn columns_hold_the_share_of_each_phase() {
        let phases = [busy("array", "a", &[(0, 1500)]), busy("array", "b", &[(1501, 2500)])];
        let gantt = Gantt { title: String::new(), cycles: 2500, busy: &phases };
        let columns = gantt.columns(&phases.iter().collect::<Vec<_>>());
        assert_eq!((gantt.step(), columns.len()), (3, 834), "the last column is one cycle");
        assert_eq!(columns[499], [1.0, 0.0]);
        assert_eq!(columns[500], [0.0, 2.0 / 3.0]);
        assert_eq!(columns[833], [0.0, 1.0]);
    }

    #[test]
    fn every_unit_is_drawn_with_its_share() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("job.svg");
        let phases = [
            busy("array", "Q K^T", &[(0, 50)]),
            busy("array", "P V", &[(50, 99)]),
            busy("divider", "one", &[(90, 100)]),
        ];
        Gantt { title: "a job".into(), cycles: 100, busy: &phases }.write(&path).expect("drawn");
        let svg = std::fs::read_to_string(&path).expect("written");
        for text in ["a job", "array: Q K^T", "array: P V", "divider", "99.0 %", "10.0 %"] {
            assert!(svg.contains(text), "{text} is missing");
        }
    }

    #[test]
    fn steps_of_the_axis_are_round() {
        assert_eq!([0, 9, 100, 110, 524_370].map(round_step), [1, 1, 10, 20, 50_000]);
    }
}
