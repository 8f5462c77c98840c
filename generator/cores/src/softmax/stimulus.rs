//! Jobs that try a configured core: corners with a coverage list, and random ones.

use std::collections::BTreeMap;

use bitlathe_golden::softmax::{Output, Softmax};
use bitlathe_spec::{Dims, Job, Tensor};

use super::config::Derived;
use super::constants;
use super::interface::x_dtype;
use crate::Stimulus;
use crate::random::Random;

const ONE: &str = "one element";
const LOWEST: &str = "all elements at their minimum";
const HIGHEST: &str = "all elements at their maximum";
const EQUAL: &str = "rows of equal elements";
const DOMINANT: &str = "one element above all others, in every lane";
const ENDS: &str = "both ends of the range alternating";
const RISING: &str = "a maximum that grows with every beat";
const FALLING: &str = "a maximum in the first beat, falling";
const EVERY: &str = "every difference of 0 to 255";
const RAGGED: &str = "last beat of a row not full";
const NEGATIVE: &str = "padding above all elements";
const TIES: &str = "sums of one and a half and of two and a half of an element";
const LARGEST: &str = "longest row";
const SINGLES: &str = "many rows of one beat";

/// Elements that keep a corner quick.
const CORNER_ELEMENTS: u64 = 40_000;

/// Coverage points that `verify` must fill.
pub fn coverage(d: &Derived) -> Vec<&'static str> {
    let hw = &d.hardware;
    let mut points = vec![ONE, LOWEST, HIGHEST, EQUAL, DOMINANT, ENDS, RISING, FALLING, EVERY, LARGEST, SINGLES];
    if hw.lanes > 1 {
        points.extend([RAGGED, NEGATIVE]);
    }
    if d.output == Output::Log2x4 {
        points.push(TIES);
    }
    points
}

/// Jobs that fill the coverage list.
pub fn corners(d: &Derived) -> Vec<Stimulus> {
    let hw = &d.hardware;
    let lanes = hw.lanes as u64;
    let largest = (hw.n_max as u64).min(CORNER_ELEMENTS);
    let top = 1i64 << (hw.in_bits - 1);
    let mut out = vec![];
    let mut add = |name: &str, covers: &[&'static str], rows: u64, n: u64, value: &dyn Fn(u64, u64) -> i64| {
        let job = make(d, rows, n, out.len() as u64, value);
        out.push(Stimulus { name: name.into(), job, covers: covers.to_vec() });
    };
    let some = largest.min(3 * lanes + 2);
    add("one element", &[ONE], 1, 1, &|_, _| -3);
    add("lowest", &[LOWEST], 2, some, &|_, _| -top);
    add("highest", &[HIGHEST], 2, some, &|_, _| top - 1);
    add("equal", &[EQUAL], 5, some, &|r, _| [0, 1, -1, top / 2, -top / 3][r as usize % 5]);
    let place = |r: u64| (r * lanes.max(2) / 2 + r) % some;
    add("one peak", &[DOMINANT], lanes + 3, some, &|r, c| if c == place(r) { 100 } else { -28 - (r as i64) });
    add("both ends", &[ENDS], 4, some, &|r, c| if (r + c).is_multiple_of(2) { top - 1 } else { -top });
    let step = |c: u64| (c / lanes) as i64 * [3, 8, 17, 40][(c % 4) as usize];
    add("rising", &[RISING], 3, largest.min(6 * lanes), &|r, c| (step(c) - 120 + r as i64).min(top - 1));
    add("falling", &[FALLING], 3, largest.min(6 * lanes), &|r, c| (120 - step(c) + r as i64).max(-top));
    let every = |r: u64, c: u64| if c == 0 { 127 } else { 127 - ((r * (largest - 1) + c - 1) % 256) as i64 };
    let rows = if largest > 1 { 256u64.div_ceil(largest - 1) } else { 1 };
    add("every difference", &[EVERY], rows, largest, &every);
    if d.output == Output::Log2x4 {
        // Every pair of differences below three octaves of the shortest kind.
        let pair = |r: u64, c: u64| [0, (r % 25) as i64, (r / 25) as i64][c as usize % 3];
        add("ties", &[TIES], 625, largest.min(3), &|r, c| 20 - pair(r, c));
    }
    add("longest", &[LARGEST], 3, largest, &|r, c| spread(d, r << 32 | c, 6));
    add("rows of one beat", &[SINGLES], 70, lanes.min(largest), &|r, c| spread(d, r << 32 | c, r % 8));
    if lanes > 1 {
        let ragged = if lanes < largest { lanes + 1 } else { lanes - 1 };
        let points: &[&'static str] = &[RAGGED, NEGATIVE];
        add("ragged, negative", points, 9, ragged, &|r, c| -5 - (spread(d, r << 32 | c, 4).abs() % 90));
    }
    out
}

/// A random element: mostly within 2^`bits`, one in sixteen anywhere.
fn spread(d: &Derived, seed: u64, bits: u64) -> i64 {
    let w = d.hardware.in_bits as u64;
    let mut r = Random::new(seed);
    let kept = if r.below(16) == 0 { w } else { (bits + 1).min(w) };
    r.next() as i64 >> (64 - kept)
}

/// A random job of ragged size.
pub fn random_job(d: &Derived, seed: u64) -> Job {
    let hw = &d.hardware;
    let mut r = Random::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 9);
    let most = (hw.n_max as u64).min(8 * hw.lanes as u64 + 40);
    let (n, rows, bits) = (1 + r.below(most), 1 + r.below(9), r.below(hw.in_bits as u64));
    let (top, centre) = (1i64 << (hw.in_bits - 1), r.next() as i64 >> (65 - hw.in_bits));
    make(d, rows, n, seed, &|row, c| {
        let x = spread(d, seed ^ row << 40 ^ c << 8, (bits + row) % hw.in_bits as u64);
        (centre + x).clamp(-top, top - 1)
    })
}

fn make(d: &Derived, rows: u64, n: u64, seed: u64, value: &dyn Fn(u64, u64) -> i64) -> Job {
    let data = (0..rows).flat_map(|r| (0..n).map(move |c| (r, c))).map(|(r, c)| value(r, c)).collect();
    let dims = Dims::from([("R".to_owned(), rows), ("N".to_owned(), n)]);
    let x = Tensor::new(x_dtype(&d.hardware), [rows as usize, n as usize], data);
    let mut tensors = BTreeMap::from([("x".to_owned(), x)]);
    if !d.hardware.stage.parameters().is_empty() {
        tensors.extend(constants_of_a_scale(d, seed));
    }
    Job { dims, tensors }
}

/// Registers of a random scale: those of usual logits, and now and then of any size.
fn constants_of_a_scale(d: &Derived, seed: u64) -> BTreeMap<String, Tensor> {
    let mut r = Random::new(seed ^ 0x5ca1e);
    loop {
        let fraction = r.below(1 << 20) as f64 / f64::from(1u32 << 20);
        let octaves = if r.below(4) == 0 { -15.0 + 22.0 * fraction } else { -6.0 + 6.0 * fraction };
        if let Ok(constants) = constants::at(d, octaves.exp2()) {
            return constants;
        }
    }
}

/// The golden model of a configured core.
pub fn model(d: &Derived, job: &Job) -> Softmax {
    Softmax {
        exponential: constants::with(&d.exponential, job),
        passes: d.passes,
        output: d.output,
        n_max: d.hardware.n_max as usize,
    }
}

/// Softmax of the scaled elements in floating point, in units of the output.
pub fn reference(d: &Derived, job: &Job) -> BTreeMap<String, Vec<f64>> {
    let (Some(x), Some(scale)) = (job.tensors.get("x"), d.scale()) else { return BTreeMap::new() };
    let n = x.shape.last().copied().unwrap_or(1).max(1);
    let row = |row: &[i64]| {
        let max = row.iter().copied().max().unwrap_or(0);
        let e: Vec<f64> = row.iter().map(|v| ((v - max) as f64 * scale).exp()).collect();
        let sum: f64 = e.iter().sum();
        let unit = |e: f64| match d.output {
            Output::U8 => 256.0 * e / sum,
            Output::U16 => 65_536.0 * e / sum,
            Output::Log2x4 => -(e / sum).log2(),
            Output::Raw => e * d.widths.exponential as f64,
        };
        e.into_iter().map(unit).collect::<Vec<_>>()
    };
    BTreeMap::from([("y".to_owned(), x.data.chunks(n).flat_map(row).collect())])
}
