//! The plot of a comparison: error against scale on the left, mean error against predicted LUT on the right.

use std::error::Error;
use std::path::Path;

use plotters::chart::MeshStyle;
use plotters::coord::Shift;
use plotters::coord::combinators::LogCoord;
use plotters::prelude::*;

/// A method as it is drawn.
pub struct Curve {
    /// Name in the legend.
    pub name: String,
    /// Scale and error.
    pub points: Vec<(f64, f64)>,
    /// Predicted LUT.
    pub lut: f64,
    /// Mean error.
    pub mean: f64,
}

/// Methods side by side.
pub struct Plot {
    /// Above both pictures.
    pub title: String,
    /// The methods.
    pub curves: Vec<Curve>,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Mesh<'a, 'b, X, B> = MeshStyle<'a, 'b, X, LogCoord<f64>, B>;

/// Colours that are told apart by colour-blind readers (Okabe and Ito, 2008), used in turn.
pub const COLORS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(150, 130, 60),
];

/// Below this an error is drawn at the lower edge.
const LEAST_ERROR: f64 = 1e-7;

const FONT: (&str, u32) = ("sans-serif", 13);

/// Width and height that a name takes at most.
const LABEL: (i32, i32) = (150, 14);

impl Plot {
    /// Draws into a file.
    pub fn write(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let canvas = SVGBackend::new(path, (1180, 460)).into_drawing_area();
        canvas.fill(&WHITE)?;
        let (left, right) = canvas.titled(&self.title, ("sans-serif", 16))?.split_horizontally(580);
        self.scales(&left)?;
        let dots = self.resources(&right)?;
        self.labels(&canvas, &dots)?;
        canvas.present()?;
        Ok(())
    }

    /// Decades that hold every error.
    fn errors(&self) -> std::ops::Range<f64> {
        let errors = self.curves.iter().flat_map(|c| &c.points).map(|p| p.1.max(LEAST_ERROR));
        let (low, high) = errors.fold((1.0f64, LEAST_ERROR), |(l, h), e| (l.min(e), h.max(e)));
        10f64.powf(low.log10().floor())..10f64.powf(high.log10().ceil())
    }

    fn scales(&self, area: &Area) -> Result<(), Box<dyn Error>> {
        let scales = self.curves.iter().flat_map(|c| &c.points).map(|p| p.0);
        let (low, high) = scales.fold((f64::MAX, 0.0f64), |(l, h), s| (l.min(s), h.max(s)));
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .x_label_area_size(40)
            .y_label_area_size(60)
            .build_cartesian_2d(low..high.max(low * 1.01), self.errors().log_scale())?;
        let mut mesh = chart.configure_mesh();
        framed(&mut mesh).x_desc("scale of one step").y_desc("error").draw()?;
        for (curve, color) in self.curves.iter().zip(COLORS.iter().cycle()) {
            let points: Vec<_> = curve.points.iter().map(|(s, e)| (*s, e.max(LEAST_ERROR))).collect();
            match points[..] {
                [point] => drop(chart.draw_series([Circle::new(point, 4, color.filled())])?),
                _ => drop(chart.draw_series(LineSeries::new(points, color.stroke_width(2)))?),
            }
        }
        Ok(())
    }

    /// Dots alone; gives their places on the canvas.
    fn resources(&self, area: &Area) -> Result<Vec<(i32, i32)>, Box<dyn Error>> {
        let most = self.curves.iter().fold(1.0f64, |most, c| most.max(c.lut));
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .x_label_area_size(40)
            .y_label_area_size(60)
            .build_cartesian_2d(0.0..most * 1.3, self.errors().log_scale())?;
        let mut mesh = chart.configure_mesh();
        framed(&mut mesh)
            .x_desc("predicted LUT")
            .y_desc("mean error")
            .x_label_formatter(&|n| format!("{n:.0}"))
            .draw()?;
        let mut dots = vec![];
        for (curve, color) in self.curves.iter().zip(COLORS.iter().cycle()) {
            let at = (curve.lut, curve.mean.max(LEAST_ERROR));
            chart.draw_series([Circle::new(at, 5, color.filled())])?;
            dots.push(chart.backend_coord(&at));
        }
        Ok(dots)
    }

    /// Names beside the dots, from top to bottom, each below those that it would touch.
    fn labels(&self, canvas: &Area, dots: &[(i32, i32)]) -> Result<(), Box<dyn Error>> {
        let mut labels: Vec<_> = dots.iter().zip(self.curves.iter().zip(COLORS.iter().cycle())).collect();
        labels.sort_by_key(|(dot, _)| dot.1);
        let mut placed: Vec<(i32, i32)> = vec![];
        for ((x, y), (curve, color)) in labels {
            let near = |p: &&(i32, i32)| (p.0 - x).abs() < LABEL.0;
            let lowest = placed.iter().filter(near).map(|p| p.1 + LABEL.1).max();
            let at = (*x, lowest.unwrap_or(i32::MIN).max(*y));
            placed.push(at);
            canvas.draw(&Text::new(curve.name.clone(), (at.0 + 8, at.1 - 6), FONT.into_font().color(color)))?;
        }
        Ok(())
    }
}

/// Grid and labels of both pictures.
fn framed<'m, 'a, 'b, X, B>(mesh: &'m mut Mesh<'a, 'b, X, B>) -> &'m mut Mesh<'a, 'b, X, B>
where
    X: Ranged<ValueType = f64>,
    B: DrawingBackend,
{
    mesh.y_label_formatter(&|e| format!("{e:.0e}"))
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(225, 225, 225))
        .label_style(FONT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_drawn_and_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("plot.svg");
        let curve = |name: &str, points: &[(f64, f64)]| Curve {
            name: name.into(),
            points: points.to_vec(),
            lut: 500.0,
            mean: points[0].1,
        };
        let line = curve("a line", &[(0.02, 1e-3), (0.2, 2e-2)]);
        let plot = Plot { title: "title".into(), curves: vec![line, curve("a point", &[(0.1, 0.0)])] };
        plot.write(&path).expect("draws");
        let svg = std::fs::read_to_string(&path).expect("a file");
        for part in ["title", "a line", "a point", "<polyline", "scale of one step", "predicted LUT"] {
            assert!(svg.contains(part), "{part}");
        }
        // One dot on the left, two on the right.
        assert_eq!(svg.matches("<circle").count(), 3);
    }
}
