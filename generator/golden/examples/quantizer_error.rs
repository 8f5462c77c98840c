//! Error of every quantizer method against float: the table of `docs/quantizers.md` on stdout, its plot to a file.
//!
//! `cargo run -p bitlathe-golden --example quantizer_error docs/quantizers.svg`
//!
//! Three data sets of 256 x 256 numbers: Gaussian; Student's t with three degrees of freedom; Gaussian with every 64th
//! column 30 times as large, as activations of large language models have. They enter as integers of 32 bits with 16 fraction
//! bits. A method that takes scales gets those with the least squared error of a sweep over the data itself.

use std::error::Error;

use bitlathe_golden::dyadic_runtime;
use bitlathe_golden::float::{ErrorFigures, compare};
use bitlathe_golden::quantizer::{
    AbsMax, DualScale, Element, Hadamard, Inputs, Method, Mx, Ovp, Quantizer, Rescale, SEEDS, Stochastic, decode_pair,
    decode_region, iqr_threshold,
};
use bitlathe_golden::rounding::OutputFormat;
use bitlathe_spec::{DType, Rounding, Tensor};
use plotters::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal, StudentT};

const SIDE: usize = 256;
const FRACTION: u32 = 16;
const UNIT: f64 = (1u32 << FRACTION) as f64;
const OUTLIER_COLUMN: usize = 64;

/// What is quantized.
struct Data {
    name: &'static str,
    x: Tensor,
    /// What x stands for: the reference.
    real: Vec<f64>,
}

/// One line of the table: a method and the figures of each data set.
struct Line {
    name: String,
    bits: f64,
    figures: Vec<ErrorFigures>,
}

type Reconstruction = fn(&Data, u32) -> Vec<f64>;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: quantizer_error FILE.svg")?;
    let sets = data_sets()?;
    let lines = lines(&sets);
    print_table(&sets, &lines);
    draw(&path, &sets, &lines)
}

fn data_sets() -> Result<Vec<Data>, Box<dyn Error>> {
    let mut r = ChaCha8Rng::seed_from_u64(2026);
    let normal: Vec<f64> = draw_numbers(&mut r, StandardNormal);
    let heavy = draw_numbers(&mut r, StudentT::new(3.0)?);
    let grow = |(i, v): (usize, f64)| if i % OUTLIER_COLUMN == 0 { 30.0 * v } else { v };
    let columns = draw_numbers(&mut r, StandardNormal).into_iter().enumerate().map(grow).collect();
    Ok(vec![data("Gaussian", normal), data("Student t, ν = 3", heavy), data("outlier columns", columns)])
}

fn draw_numbers(r: &mut impl Rng, distribution: impl Distribution<f64>) -> Vec<f64> {
    (0..SIDE * SIDE).map(|_| distribution.sample(r)).collect()
}

fn data(name: &'static str, real: Vec<f64>) -> Data {
    let x = real.iter().map(|v| (v * UNIT).round() as i32).map(i64::from).collect();
    Data { name, x: Tensor::new(DType::I32, [SIDE, SIDE], x), real }
}

fn lines(sets: &[Data]) -> Vec<Line> {
    let methods: [(&str, &[u32], Reconstruction); 9] = [
        ("requant", &[8, 4], requant),
        ("requant, a scale a column", &[8, 4], requant_per_column),
        ("pot", &[8, 4], pot),
        ("stochastic", &[8, 4], stochastic),
        ("absmax, a scale a row", &[8, 4], absmax),
        ("dual-scale", &[8, 4], dual_scale),
        ("iqr", &[8, 4], iqr),
        ("hadamard, then requant", &[8, 4], hadamard),
        ("ovp", &[4], ovp),
    ];
    let line = |name: String, bits: f64, reconstruct: &dyn Fn(&Data) -> Vec<f64>| Line {
        name,
        bits,
        figures: sets.iter().map(|d| compare(&reconstruct(d), &d.real)).collect(),
    };
    let mut lines: Vec<Line> = vec![];
    for (name, widths, reconstruct) in methods {
        lines.extend(widths.iter().map(|&b| line(name.into(), b.into(), &|d| reconstruct(d, b))));
    }
    for element in Element::ALL {
        let bits = f64::from(element.bits()) + 8.0 / 32.0;
        lines.push(line(format!("mx {}", element.name()), bits, &|d| microscaling(d, element)));
    }
    lines.sort_by(|a, b| b.bits.total_cmp(&a.bits));
    lines
}

/// The output named, as numbers, of a core whose input is just wide enough; `absmax` takes 16 or 32 bits.
fn run(method: Method, inputs: &Inputs<'_>, name: &str) -> Vec<f64> {
    let input_bits = if matches!(method, Method::AbsMax(_)) { 32 } else { width(inputs.x) };
    let core = Quantizer { input_bits, lanes: 16, method };
    core.run(inputs).map(|out| out[name].to_f64()).unwrap_or_else(|e| panic!("{e}"))
}

/// Bits that hold every element.
fn width(x: &Tensor) -> u32 {
    1 + x.data.iter().map(|v| i64::BITS - (v ^ (v >> 63)).leading_zeros()).max().unwrap_or(0)
}

/// The candidate with the least squared error.
fn best(data: &Data, candidates: impl Iterator<Item = Vec<f64>>) -> Vec<f64> {
    let error = |c: &Vec<f64>| compare(c, &data.real).rms;
    candidates.min_by(|a, b| error(a).total_cmp(&error(b))).unwrap_or_default()
}

/// Limits of the range that a scale maps to the largest code: the largest magnitude and fractions of it.
fn limits(largest: f64) -> impl Iterator<Item = f64> {
    (0..32).map(move |n| largest * 2f64.powf(-f64::from(n) / 4.0))
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(f64::MIN_POSITIVE, |a, v| a.max(v.abs()))
}

fn vector(dtype: DType, data: Vec<i64>) -> Tensor {
    Tensor::new(dtype, [data.len()], data)
}

/// `mult` and `shift` of scales on integers, and the same as real numbers.
fn scales(wanted: &[f64]) -> (Tensor, Tensor, Vec<f64>) {
    let pairs: Vec<_> = wanted.iter().map(|s| dyadic_runtime(*s).unwrap_or_else(|e| panic!("{e}"))).collect();
    let mult = vector(DType::U16, pairs.iter().map(|p| p.mult.into()).collect());
    let shift = vector(DType::U8, pairs.iter().map(|p| p.shift.into()).collect());
    (mult, shift, pairs.iter().map(|p| f64::from(p.mult) / 2f64.powi(p.shift as i32)).collect())
}

fn rescale(bits: u32, shift: Option<u32>) -> Rescale {
    Rescale { format: OutputFormat { bits, narrow: false }, rounding: Rounding::HalfEven, shift }
}

fn top(bits: u32) -> f64 {
    f64::from((1u32 << (bits - 1)) - 1)
}

/// What the codes of `requant` stand for with the limit of each column, or one for all, in units of x.
fn requantized(x: &Tensor, bits: u32, limits: &[f64]) -> Vec<f64> {
    let (mult, shift, real) = scales(&limits.iter().map(|l| top(bits) / l).collect::<Vec<_>>());
    let inputs = Inputs { mult: Some(&mult), shift: Some(&shift), ..Inputs::of(x) };
    let y = run(Method::Requant(rescale(bits, None)), &inputs, "y");
    y.iter().enumerate().map(|(i, y)| y / real[i % SIDE % real.len()]).collect()
}

fn requant(data: &Data, bits: u32) -> Vec<f64> {
    best(data, limits(largest(&data.real)).map(|l| scaled(requantized(&data.x, bits, &[l * UNIT]))))
}

fn scaled(values: Vec<f64>) -> Vec<f64> {
    values.into_iter().map(|v| v / UNIT).collect()
}

fn requant_per_column(data: &Data, bits: u32) -> Vec<f64> {
    let column = |c: usize| data.real.iter().skip(c).step_by(SIDE).copied().collect::<Vec<_>>();
    let whole: Vec<f64> = (0..SIDE).map(|c| largest(&column(c)) * UNIT).collect();
    let clipped = |fraction: f64| whole.iter().map(|l| l * fraction).collect::<Vec<_>>();
    best(data, limits(1.0).map(|f| scaled(requantized(&data.x, bits, &clipped(f)))))
}

fn shifts() -> std::ops::Range<u32> {
    FRACTION - 7..FRACTION + 8
}

fn pot(data: &Data, bits: u32) -> Vec<f64> {
    let shifted = |s: u32| {
        let y = run(Method::Pot(rescale(bits, Some(s))), &Inputs::of(&data.x), "y");
        scaled(y.iter().map(|y| y * 2f64.powi(s as i32)).collect())
    };
    best(data, shifts().map(shifted))
}

fn stochastic(data: &Data, bits: u32) -> Vec<f64> {
    let format = OutputFormat { bits, narrow: false };
    let shifted = |s: u32| {
        let method = Stochastic { format, shift: Some(s), seeds: SEEDS.to_vec() };
        let y = run(Method::Stochastic(method), &Inputs::of(&data.x), "y");
        scaled(y.iter().map(|y| y * 2f64.powi(s as i32)).collect())
    };
    best(data, shifts().map(shifted))
}

fn absmax(data: &Data, bits: u32) -> Vec<f64> {
    let core = |name| run(Method::AbsMax(AbsMax { bits }), &Inputs::of(&data.x), name);
    let (y, largest) = (core("y"), core("amax"));
    scaled(y.iter().enumerate().map(|(i, y)| y * largest[i / SIDE] / top(bits)).collect())
}

/// Codes of two regions with the inside scaled to the threshold and the outside to the largest magnitude.
fn two_regions(data: &Data, bits: u32, threshold: i64, method: fn(DualScale) -> Method) -> Vec<f64> {
    let limit = top(bits - 1);
    // Both regions share the shift, so the outer multiplier may be small.
    let inner = dyadic_runtime(limit / threshold as f64).unwrap_or_else(|e| panic!("{e}"));
    let step = 2f64.powi(-(inner.shift as i32));
    let outer = (limit / (largest(&data.real) * UNIT) / step).round().clamp(1.0, 65_535.0);
    let mult = Tensor::new(DType::U16, [2, 1], vec![inner.mult.into(), outer as i64]);
    let thr = vector(DType::I32, vec![threshold]);
    let inputs = Inputs { mult: Some(&mult), threshold: Some(&thr), ..Inputs::of(&data.x) };
    let codes = DualScale { bits, rounding: Rounding::HalfEven, shift: Some(inner.shift) };
    let value = |code: &f64| match decode_region(*code as i64, bits) {
        (false, q) => q as f64 / (f64::from(inner.mult) * step),
        (true, q) => q as f64 / (outer * step),
    };
    scaled(run(method(codes), &inputs, "y").iter().map(value).collect())
}

fn dual_scale(data: &Data, bits: u32) -> Vec<f64> {
    let thresholds = limits(largest(&data.real)).map(|l| (l * UNIT) as i64);
    best(data, thresholds.map(|t| two_regions(data, bits, t, Method::DualScale)))
}

fn iqr(data: &Data, bits: u32) -> Vec<f64> {
    two_regions(data, bits, iqr_threshold(&data.x.data, width(&data.x)).max(1), Method::Iqr)
}

/// Transforms of 256 columns: the factor 1/√256 is exact, and the transform undoes itself.
fn hadamard(data: &Data, bits: u32) -> Vec<f64> {
    let transform = |x: &Tensor| {
        let method = Method::Hadamard(Hadamard { size: SIDE });
        let core = Quantizer { input_bits: width(x), lanes: 16, method };
        core.run(&Inputs::of(x)).map(|mut out| out.remove("y")).unwrap_or_else(|e| panic!("{e}"))
    };
    let rotated = transform(&data.x).unwrap_or_else(|| panic!("no y"));
    let back = |y: Vec<f64>| {
        let rows = y.chunks(SIDE);
        let sign = |i: usize, j: usize| if (i & j).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 };
        let row = |y: &[f64]| {
            let sum = |i: usize| y.iter().enumerate().map(|(j, v)| sign(i, j) * v).sum::<f64>() / SIDE as f64;
            (0..SIDE).map(sum).collect::<Vec<_>>()
        };
        scaled(rows.flat_map(row).collect())
    };
    let peak = largest(&rotated.to_f64());
    let candidates: Vec<Vec<f64>> = limits(peak).take(16).map(|l| requantized(&rotated, bits, &[l])).collect();
    let reference = rotated.to_f64();
    let error = |c: &&Vec<f64>| compare(c, &reference).rms;
    candidates.iter().min_by(|a, b| error(a).total_cmp(&error(b))).cloned().map(back).unwrap_or_default()
}

fn ovp(data: &Data, _: u32) -> Vec<f64> {
    let coded = |limit: f64| {
        let (mult, shift, real) = scales(&[7.0 / (limit * UNIT)]);
        let inputs = Inputs { mult: Some(&mult), shift: Some(&shift), ..Inputs::of(&data.x) };
        let codes = run(Method::Ovp(Ovp { shift: None }), &inputs, "y");
        let pairs = codes.chunks(2).map(|c| decode_pair(c[0] as i64, c[1] as i64));
        scaled(pairs.flat_map(|(l, r)| [l as f64 / real[0], r as f64 / real[0]]).collect())
    };
    best(data, limits(largest(&data.real)).map(coded))
}

fn microscaling(data: &Data, element: Element) -> Vec<f64> {
    let run = |name| run(Method::Mx(Mx { element, block: 32, frac: FRACTION }), &Inputs::of(&data.x), name);
    let (y, e) = (run("y"), run("e"));
    let value = |(i, code): (usize, &f64)| element.value(*code as i64 as u8) * 2f64.powf(e[i / 32] - 127.0);
    y.iter().enumerate().map(value).collect()
}

fn print_table(sets: &[Data], lines: &[Line]) {
    let heads: Vec<String> = sets.iter().map(|s| format!("{}: dB | largest error", s.name)).collect();
    println!("| method | bits | {} |\n|---|---|{}", heads.join(" | "), "---|".repeat(2 * sets.len()));
    for line in lines {
        let figures = line.figures.iter().map(|f| format!("{:.1} | {:.3}", f.sqnr_db, f.max_abs));
        println!("| {} | {} | {} |", line.name, line.bits, figures.collect::<Vec<_>>().join(" | "));
    }
}

/// One row a method, one dot a data set, signal to noise along the axis.
fn draw(path: &str, sets: &[Data], lines: &[Line]) -> Result<(), Box<dyn Error>> {
    const COLORS: [RGBColor; 3] = [RGBColor(31, 90, 146), RGBColor(200, 80, 40), RGBColor(60, 140, 80)];
    let rows = lines.len() as i32;
    let root = SVGBackend::new(path, (860, 60 + 22 * rows as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    let ends = lines
        .iter()
        .flat_map(|l| &l.figures)
        .fold((0.0f64, 0.0f64), |(low, high), f| (low.min(f.sqnr_db.floor()), high.max(f.sqnr_db.ceil())));
    let mut chart = ChartBuilder::on(&root)
        .margin(8)
        .x_label_area_size(40)
        .y_label_area_size(250)
        .build_cartesian_2d(ends.0..ends.1 + 2.0, (0..rows - 1).into_segmented())?;
    let label = |row: &SegmentValue<i32>| match row {
        SegmentValue::CenterOf(r) => {
            lines.get((rows - 1 - r) as usize).map_or(String::new(), |l| format!("{}, {} bits", l.name, l.bits))
        }
        _ => String::new(),
    };
    chart
        .configure_mesh()
        .x_desc("signal to quantization noise, dB")
        .x_label_formatter(&|db| format!("{db:.0}"))
        .y_labels(lines.len())
        .y_label_formatter(&label)
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(225, 225, 225))
        .label_style(("sans-serif", 14))
        .draw()?;
    for (n, (set, color)) in sets.iter().zip(COLORS).enumerate() {
        let dots = lines.iter().enumerate().map(|(row, line)| {
            let at = (line.figures[n].sqnr_db, SegmentValue::CenterOf(rows - 1 - row as i32));
            Circle::new(at, 5, color.filled())
        });
        let drawn = chart.draw_series(dots)?.label(set.name);
        drawn.legend(move |(x, y)| Circle::new((x + 8, y), 5, color.filled()));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .border_style(RGBColor(180, 180, 180))
        .background_style(WHITE)
        .label_font(("sans-serif", 14))
        .draw()?;
    root.present()?;
    Ok(())
}
