//! Jobs that try a configured core: corners with a coverage list, and random ones.

use std::collections::BTreeMap;

use bitlathe_golden::quantizer::{
    AbsMax, DualScale, Element, Hadamard, Method as Model, Mx, Ovp, Quantizer, Rescale, Stochastic,
};
use bitlathe_golden::rounding::OutputFormat;
use bitlathe_spec::{DType, Dims, Job, Tensor};

use super::config::{Derived, ElementName};
use super::rtl::{Hardware, Method};
use crate::Stimulus;
use crate::parts::requantize::Shift;
use crate::random::Random;

const ONE: &str = "one element";
const LOWEST: &str = "all elements at their minimum";
const HIGHEST: &str = "all elements at their maximum";
const ZERO: &str = "all zero";
const EQUAL: &str = "rows of equal elements";
const RAGGED: &str = "last beat of a row not full";
const LARGEST: &str = "longest row";
const SINGLES: &str = "rows of one beat";
const EVERY: &str = "every value of 8 bits";
const TIES: &str = "fractions of exactly one half, both signs";
const STATES: &str = "every sixteenth against every random number, in every lane";
const MIXED: &str = "rows of very different magnitude";

/// Elements that keep a corner quick.
const CORNER_ELEMENTS: u64 = 40_000;

/// Coverage points that `verify` must fill.
pub fn coverage(d: &Derived) -> Vec<&'static str> {
    let hw = &d.hardware;
    let mut points = vec![ONE, LOWEST, HIGHEST, ZERO, EQUAL, LARGEST, MIXED];
    if !matches!(hw.method, Method::Hadamard { .. }) {
        points.push(SINGLES);
        points.extend((hw.lanes > 1).then_some(RAGGED));
    } else {
        points.retain(|p| *p != ONE);
    }
    if hw.in_bits == 8 {
        points.push(EVERY);
    }
    if tie_shift(hw).is_some() {
        points.push(TIES);
    }
    if sixteenth(hw).is_some() {
        points.push(STATES);
    }
    points
}

/// Jobs that fill the coverage list.
pub fn corners(d: &Derived) -> Vec<Stimulus> {
    let hw = &d.hardware;
    let unit = hw.column_unit();
    let largest = (hw.c_max as u64 / unit * unit).min(CORNER_ELEMENTS / unit * unit).max(unit);
    let lanes = (hw.lanes as u64).next_multiple_of(unit).min(largest);
    let top = 1i64 << (hw.in_bits - 1);
    let mut out = vec![];
    let mut add =
        |name: &str, covers: &[&'static str], rows: u64, columns: u64, seed: u64, value: &dyn Fn(u64, u64) -> i64| {
            let job = make(d, rows, columns, seed, value);
            out.push(Stimulus { name: name.into(), job, covers: covers.to_vec() });
        };
    let one = if unit == 1 { vec![ONE] } else { vec![] };
    add("one element", &one, 1, unit, 1, &|_, _| top - 1);
    add("lowest", &[LOWEST], 2, largest, 2, &|_, _| -top);
    add("highest", &[HIGHEST], 2, largest, 3, &|_, _| top - 1);
    add("zero", &[ZERO], 3, lanes, 4, &|_, _| 0);
    add("equal", &[EQUAL], 6, lanes, 5, &|r, _| [1, -1, top / 2, -top / 3, top - 1, -top][r as usize % 6]);
    let mixed = |r: u64, c: u64| {
        let v = Random::new(r << 32 | c).next() as i64;
        v >> (64 - hw.in_bits + (r as i64 % hw.in_bits))
    };
    add("magnitudes", &[MIXED], hw.in_bits as u64, largest.min(6 * lanes), 6, &mixed);
    add("largest", &[LARGEST], 3, largest, 7, &mixed);
    if unit == 1 {
        add("rows of one beat", &[SINGLES], 40, lanes, 8, &mixed);
        let ragged = if hw.lanes > 1 && lanes < largest { lanes + 1 } else { 1 };
        let points: &[&'static str] = if hw.lanes > 1 { &[RAGGED] } else { &[] };
        add("ragged", points, 9, ragged, 9, &mixed);
    }
    let every = |r: u64, c: u64| (((r * largest + c) % 256) as i64 - 128).clamp(-top, top - 1);
    let rows = 256u64.div_ceil(largest);
    let points: &[&'static str] = if hw.in_bits == 8 { &[EVERY] } else { &[] };
    add("every value", points, rows, largest, 10, &every);
    if let Some(unit) = sixteenth(hw) {
        // A row of one beat takes one random number in each lane: sixteen times the period of fifteen.
        add("every state", &[STATES], 240, lanes, 12, &|r, _| (r as i64 / 15) * unit);
    }
    if let Some(s) = tie_shift(hw) {
        let half = 1i64 << (s - 1);
        let tie = |_: u64, c: u64| ((c as i64 % 9 - 4) * 2 + 1) * half;
        let mut job = make(d, 1, lanes.max(9.min(largest)), 11, &|r, c| tie(r, c).clamp(-top, top - 1));
        fill(&mut job, "mult", 1);
        fill(&mut job, "shift", s);
        fill(&mut job, "zp", 0);
        out.push(Stimulus { name: "ties".into(), job, covers: vec![TIES] });
    }
    out
}

/// One sixteenth of a step of `stochastic`, where elements can express it.
fn sixteenth(hw: &Hardware) -> Option<i64> {
    match &hw.method {
        Method::Stochastic(s, _) => match s.shift {
            Shift::Constant(s) if s >= 4 && s < hw.in_bits => Some(1 << (s - 4)),
            _ => None,
        },
        _ => None,
    }
}

impl Hardware {
    /// Rows have a multiple of this many columns.
    fn column_unit(&self) -> u64 {
        if let Method::Hadamard { size } = self.method { size as u64 } else { 1 }
    }

    /// Row, first column and number of columns of x that an output element depends on most.
    pub fn sources(&self, tensor: &str, index: usize, columns: usize) -> (usize, usize, usize) {
        let around = |unit: usize, at: usize| {
            (at / columns, at % columns / unit * unit, unit.min(columns - at % columns / unit * unit))
        };
        match (&self.method, tensor) {
            (Method::Absmax { .. }, "amax") => (index, 0, columns),
            (Method::Absmax { .. }, _) => around(columns, index),
            (Method::Mx { block, .. }, "e") => {
                let (block, blocks) = (*block as usize, columns.div_ceil(*block as usize));
                let first = index % blocks * block;
                (index / blocks, first, block.min(columns - first))
            }
            (Method::Mx { block, .. }, _) => around(*block as usize, index),
            (Method::Hadamard { size }, _) => around(*size as usize, index),
            (Method::Ovp(_), _) => around(2, index),
            (Method::Iqr(_), "thr") => (0, 0, columns),
            _ => around(1, index),
        }
    }
}

/// A shift at which elements themselves are halves of a step.
fn tie_shift(hw: &Hardware) -> Option<i64> {
    let s = hw.scaled().filter(|_| matches!(hw.method, Method::Requant(_) | Method::Pot(_)))?;
    let shift = match s.shift {
        Shift::Constant(s) => s,
        Shift::Range(lo, hi) => lo.max(1).min(hi),
    };
    (1..=hw.in_bits - 5).contains(&shift).then_some(shift)
}

fn fill(job: &mut Job, name: &str, value: i64) {
    if let Some(t) = job.tensors.get_mut(name) {
        t.data.fill(value);
    }
}

/// A random job of ragged size.
pub fn random_job(d: &Derived, seed: u64) -> Job {
    let hw = &d.hardware;
    let mut r = Random::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 5);
    let unit = hw.column_unit();
    let most = (hw.c_max as u64).min(8 * hw.lanes as u64 + 40) / unit;
    let columns = (1 + r.below(most.max(1))) * unit;
    let rows = 1 + r.below(9);
    let spread = r.below(hw.in_bits as u64);
    make(d, rows, columns, seed, &|row, c| {
        let mut r = Random::new(seed ^ (row << 40) ^ (c << 8));
        let v = r.next() as i64 >> (64 - hw.in_bits);
        // Half of the rows are small, one element in eight is at an end.
        match r.below(16) {
            0 => -(1i64 << (hw.in_bits - 1)),
            1 => (1i64 << (hw.in_bits - 1)) - 1,
            n if n < 8 => v >> (spread * (row % 2)),
            _ => v >> spread,
        }
    })
}

fn make(d: &Derived, rows: u64, columns: u64, seed: u64, value: &dyn Fn(u64, u64) -> i64) -> Job {
    let hw = &d.hardware;
    let dtype = if hw.in_bits <= 16 { DType::I16 } else { DType::I32 };
    let data = (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))).map(|(r, c)| value(r, c)).collect();
    let dims = Dims::from([("R".to_owned(), rows), ("C".to_owned(), columns)]);
    let mut tensors = BTreeMap::from([("x".to_owned(), Tensor::new(dtype, [rows as usize, columns as usize], data))]);
    let mut r = Random::new(seed ^ 0x51ed);
    let channels = if hw.scaled().is_some_and(|s| s.per_channel) { columns as usize } else { 1 };
    for p in hw.parameters() {
        let n = channels * p.planes as usize;
        let shape = if p.planes == 2 { vec![2, channels] } else { vec![channels] };
        let mut draw = |dtype, lo: i64, hi: i64| {
            let data = (0..n).map(|_| lo + r.below((hi - lo + 1) as u64) as i64).collect();
            Tensor::new(dtype, shape.clone(), data)
        };
        let tensor = match p.name {
            "mult" => {
                let mut t = draw(DType::U16, 0, 65_535);
                // Magnitudes of all sizes, so that outputs are neither all zero nor all saturated.
                t.data.iter_mut().for_each(|m| *m >>= *m as u64 % 16);
                t
            }
            "zp" => draw(DType::I8, -128, 127),
            _ => {
                let (lo, hi) = match hw.scaled().map(|s| s.shift) {
                    Some(Shift::Range(lo, hi)) => (lo, hi),
                    _ => (0, 0),
                };
                draw(DType::U8, lo, hi)
            }
        };
        tensors.insert(p.name.into(), tensor);
    }
    if hw.threshold_max().is_some() {
        let threshold = (r.next() >> 33) as i64 >> r.below(31);
        tensors.insert("thr".into(), Tensor::new(DType::I32, [1], vec![threshold]));
    }
    Job { dims, tensors }
}

/// The golden model of a configured core.
pub fn model(d: &Derived) -> Quantizer {
    let (hw, c) = (&d.hardware, &d.config);
    let shift = c.output.shift.constant();
    let format = OutputFormat { bits: c.output.bits, narrow: c.output.narrow };
    let rescale = Rescale { format, rounding: c.method.rounding, shift };
    let dual = DualScale { bits: c.output.bits, rounding: c.method.rounding, shift };
    let method = match &hw.method {
        Method::Requant(_) => Model::Requant(rescale),
        Method::Pot(_) => Model::Pot(rescale),
        Method::Stochastic(_, seeds) => Model::Stochastic(Stochastic { format, shift, seeds: seeds.clone() }),
        Method::DualScale(_) => Model::DualScale(dual),
        Method::Iqr(_) => Model::Iqr(dual),
        Method::Absmax { .. } => Model::AbsMax(AbsMax { bits: c.output.bits }),
        Method::Mx { element, block, .. } => {
            let element = match element {
                ElementName::Int8 => Element::Int8,
                ElementName::E4m3 => Element::E4m3,
                ElementName::E5m2 => Element::E5m2,
                ElementName::E3m2 => Element::E3m2,
                ElementName::E2m3 => Element::E2m3,
                ElementName::E2m1 => Element::E2m1,
            };
            Model::Mx(Mx { element, block: *block as usize, frac: c.input.frac })
        }
        Method::Ovp(_) => Model::Ovp(Ovp { shift }),
        Method::Hadamard { size } => Model::Hadamard(Hadamard { size: *size as usize }),
    };
    Quantizer { input_bits: c.input.bits, lanes: hw.lanes as usize, method }
}

/// y in floating point before rounding and saturation, for the methods whose y is a scaled x.
pub fn reference(d: &Derived, job: &Job) -> BTreeMap<String, Vec<f64>> {
    let hw = &d.hardware;
    let (Some(x), Some(s)) = (job.tensors.get("x"), hw.scaled()) else { return BTreeMap::new() };
    if !matches!(hw.method, Method::Requant(_) | Method::Pot(_) | Method::Stochastic(..)) {
        return BTreeMap::new();
    }
    let columns = x.shape.last().copied().unwrap_or(1).max(1);
    let at = |name: &str, c: usize| {
        let t = job.tensors.get(name)?;
        t.data.get(c % t.data.len().max(1)).map(|v| *v as f64)
    };
    let constant = match s.shift {
        Shift::Constant(s) => s as f64,
        Shift::Range(..) => 0.0,
    };
    let scaled = |(n, v): (usize, &i64)| {
        let c = n % columns;
        let shift = at("shift", c).unwrap_or(constant);
        *v as f64 * at("mult", c).unwrap_or(1.0) / shift.exp2() + at("zp", c).unwrap_or(0.0)
    };
    BTreeMap::from([("y".to_owned(), x.data.iter().enumerate().map(scaled).collect())])
}
