//! Corner jobs, random jobs and the coverage that they must reach.

use std::collections::BTreeMap;

use bitlathe_golden::mixpe::{Inputs, MAX_SCALE, MAX_WEIGHT, MAX_ZERO, Mixpe, Requant};
use bitlathe_spec::{DType, Dims, Job, Tensor};

use super::config::Derived;
use crate::Stimulus;
use crate::parts::requantize::Shift;
use crate::random::Random;
use crate::requantized::Requantized;

const ONE: &str = "K, M and T of 1";
const TOP: &str = "all activations at their minimum, u = 0, z = 16, largest scale, K at its maximum";
const BOTTOM: &str = "all activations at their maximum, u = 0, z = 16, largest scale, K at its maximum";
const WEIGHTS: &str = "all activations at their minimum, all weights 15, z = 0, K at its maximum";
const ZERO: &str = "all zero";
const RAGGED_TILE: &str = "last weight tile along K not full";
const RAGGED_GROUP: &str = "last group not full";
const GROUPS: &str = "several groups";
const RAGGED_M: &str = "last tile along M not full";
const BLOCKS: &str = "several blocks of rows";
const SHORT_BLOCK: &str = "last block of rows not full";
const LARGEST_K: &str = "largest K";
const LARGEST_M: &str = "largest M";
const SATURATES_LOW: &str = "output at its lower bound";
const SATURATES_HIGH: &str = "output at its upper bound";
const TIES: &str = "rounding of ties of both signs";

/// Weight tiles that keep a corner quick to simulate where the largest M would not.
const CORNER_TILES: u64 = 600;

/// Coverage points that this core can reach and `verify` must fill.
pub fn coverage(d: &Derived) -> Vec<&'static str> {
    let (hw, shape) = (&d.hardware, &d.config.shape);
    let mut points = vec![ONE, TOP, BOTTOM, WEIGHTS, ZERO, RAGGED_TILE, RAGGED_GROUP, BLOCKS, LARGEST_K, LARGEST_M];
    let group = hw.group as u64;
    points.extend((u64::from(shape.k_max) > group).then_some(GROUPS));
    points.extend((hw.array.cols > 1).then_some(RAGGED_M));
    points.extend((hw.t_block > 1).then_some(SHORT_BLOCK));
    if let Some(q) = hw.requant {
        if saturates(d, q) {
            points.extend([SATURATES_LOW, SATURATES_HIGH]);
        }
        points.extend(tie(d, q).map(|_| TIES));
    }
    points
}

/// Values that a job takes: one of each everywhere, or random ones.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Values {
    Random,
    /// Activation, weight, zero point, scale.
    Same([i64; 4]),
}

/// Corner jobs, each with what it covers.
pub fn corners(d: &Derived) -> Vec<Stimulus> {
    let (k, m) = (u64::from(d.config.shape.k_max), u64::from(d.config.shape.m_max));
    let hw = &d.hardware;
    let (rows, cols, block) = (hw.array.rows as u64, hw.array.cols as u64, hw.t_block as u64);
    let (top, some) = (1i64 << (hw.array.act_bits - 1), m.min(cols + 1));
    let legal = coverage(d);
    let make = |name: &str, sizes: (u64, u64, u64), values, covers: &[&'static str], seed| {
        let covers = covers.iter().copied().filter(|c| legal.contains(c)).collect();
        Stimulus { name: name.into(), job: job(d, sizes, values, seed), covers }
    };
    let owed = |a| Values::Same([a, 0, MAX_ZERO, MAX_SCALE]);
    let weights = Values::Same([-top, MAX_WEIGHT, 0, MAX_SCALE]);
    // A column more than whole groups, where there is room; a tile and a group are then not full.
    let ragged_k = if k > hw.group as u64 { hw.group as u64 + 1 } else { 1.max(k - 1).min(rows + 1) };
    let ragged: &[&'static str] = &[RAGGED_TILE, RAGGED_GROUP, GROUPS, RAGGED_M];
    let wide = (CORNER_TILES * cols).min(m);
    let mut out = vec![
        make("one by one", (1, 1, 1), Values::Random, &[ONE], 1),
        make("top", (2, k, some), owed(-top), &[TOP, LARGEST_K], 2),
        make("bottom", (2, k, some), owed(top - 1), &[BOTTOM], 3),
        make("weights", (1, k, some), weights, &[WEIGHTS], 4),
        make("zero", (2, k.min(rows), m.min(cols)), Values::Same([0; 4]), &[ZERO], 5),
        make("ragged", (3, ragged_k, ragged_m(cols, m)), Values::Random, ragged, 6),
        make("blocks", (block + 1, k.min(2 * rows), some), Values::Random, &[BLOCKS, SHORT_BLOCK], 7),
        // Outputs of a tile leave while the next tile's rows meet their zero points and scales.
        make("one tile deep", (block.min(24), k.min(rows), m.min(4 * cols)), Values::Random, &[], 12),
        make("largest", (1, k.min(rows), wide), Values::Random, if wide == m { &[LARGEST_M] } else { &[] }, 8),
    ];
    if wide < m {
        out.push(make("all rows of weights", (1, 1, m), Values::Random, &[LARGEST_M], 9));
    }
    if let Some(q) = hw.requant {
        out.extend([false, true].map(|high| saturation(d, q, high, some)));
        out.extend(tie(d, q).map(|t| ties(d, t)));
    }
    out
}

/// Rows of weights of which the last tile lacks some.
fn ragged_m(cols: u64, m: u64) -> u64 {
    if m > cols { cols + 1 } else { 1 }
}

/// Whether the largest sum, scaled and with the largest zero point, passes both output bounds.
fn saturates(d: &Derived, q: Requantized) -> bool {
    let (low, high) = Mixpe::range(d.hardware.array.act_bits as u32, d.config.shape.k_max as usize).unwrap_or((0, 0));
    // Beyond the bound by a whole step, so that no rounding rule falls short of it.
    let reach = (i128::from(high.min(-low)) * 65_535) >> q.smallest_shift();
    reach + 127 > 1i128 << (q.bits - 1)
}

/// The largest sums of one sign, the largest multiplier, the smallest shift, the zero point on the same side.
fn saturation(d: &Derived, q: Requantized, high: bool, m: u64) -> Stimulus {
    let top = 1i64 << (d.hardware.array.act_bits - 1);
    let (name, x, zero_point) = if high { ("upper bound", -top, 127) } else { ("lower bound", top - 1, -128) };
    let k = d.config.shape.k_max.into();
    let mut job = job(d, (1, k, m), Values::Same([x, 0, MAX_ZERO, MAX_SCALE]), 10);
    fill(&mut job, "mult", 65_535);
    fill(&mut job, "zp", zero_point);
    fill(&mut job, "shift", q.smallest_shift());
    let (least, most) = q.range();
    let bound = if high { most } else { least };
    let reached = run(d, &job).is_some_and(|y| y.data.iter().all(|v| *v == bound));
    let point = if high { SATURATES_HIGH } else { SATURATES_LOW };
    Stimulus { name: name.into(), job, covers: if reached { vec![point] } else { vec![] } }
}

fn fill(job: &mut Job, name: &str, value: i64) {
    if let Some(t) = job.tensors.get_mut(name) {
        t.data.fill(value);
    }
}

/// How a result of exactly one half is made: sums of activations that are odd multiples of `unit`, and powers of two for the rest.
#[derive(Clone, Copy)]
struct Tie {
    unit: i64,
    weight: i64,
    scale: i64,
    mult: i64,
    shift: i64,
    /// Sums up to three units fit, so that ties next to odd and to even numbers are seen.
    three: bool,
}

/// A tie that this core can make; `None` without a shift or where no sum reaches it.
fn tie(d: &Derived, q: Requantized) -> Option<Tie> {
    let shift = match q.shift {
        Shift::Constant(s) => s,
        Shift::Range(lo, hi) => lo.max(1).min(hi),
    };
    let mut below = u32::try_from(shift - 1).ok()?;
    let mut power = |most: u32| {
        let exponent = below.min(most);
        below -= exponent;
        1i64 << exponent
    };
    let (mult, scale, weight) = (power(15), power(15), power(3));
    let unit = 1i64 << below;
    let reach = i64::from(d.config.shape.k_max) * ((1 << (d.hardware.array.act_bits - 1)) - 1);
    (reach >= unit).then_some(Tie { unit, weight, scale, mult, shift, three: reach >= 3 * unit })
}

/// Results of +-1/2, and +-3/2 where they fit.
fn ties(d: &Derived, tie: Tie) -> Stimulus {
    let top = (1i64 << (d.hardware.array.act_bits - 1)) - 1;
    let sums: &[i64] = if tie.three { &[1, -1, 3, -3] } else { &[1, -1] };
    let (k, m) = (u64::from(d.config.shape.k_max), u64::from(d.config.shape.m_max).min(2));
    let mut job = job(d, (sums.len() as u64, k, m), Values::Same([0, tie.weight, 0, tie.scale]), 11);
    let mut x = vec![];
    for sum in sums {
        let mut rest = sum * tie.unit;
        for _ in 0..k {
            let v = rest.clamp(-top, top);
            rest -= v;
            x.push(v);
        }
    }
    if let Some(t) = job.tensors.get_mut("x") {
        t.data = x;
    }
    fill(&mut job, "mult", tie.mult);
    fill(&mut job, "shift", tie.shift);
    fill(&mut job, "zp", 0);
    Stimulus { name: "ties".into(), job, covers: vec![TIES] }
}

/// A random job of ragged size.
pub fn random_job(d: &Derived, seed: u64) -> Job {
    let mut r = Random::new(seed);
    let (hw, shape) = (&d.hardware, &d.config.shape);
    let (rows, cols) = (hw.array.rows as u64, hw.array.cols as u64);
    let up_to = |r: &mut Random, most: u64| 1 + r.below(most);
    let k = up_to(&mut r, u64::from(shape.k_max).min(2 * hw.group as u64 + rows));
    let m = up_to(&mut r, u64::from(shape.m_max).min(3 * cols));
    let t = up_to(&mut r, (2 * hw.t_block as u64 + 2).min(40));
    job(d, (t, k, m), Values::Random, r.next())
}

/// Half of all values in the middle, the rest at the ends.
fn spread(r: &mut Random, low: i64, high: i64) -> i64 {
    match r.below(16) {
        0 => low,
        1 => high,
        _ => low + r.below((high - low + 1) as u64) as i64,
    }
}

fn job(d: &Derived, (t, k, m): (u64, u64, u64), values: Values, seed: u64) -> Job {
    let hw = &d.hardware;
    let mut r = Random::new(seed);
    let top = 1i64 << (hw.array.act_bits - 1);
    // Scales of a job have their own size, so that sums of every size come up.
    let scales = 1i64 << r.below(17);
    let mut tensor = |n: usize, dtype, shape: [u64; 2], low: i64, high: i64| {
        let value = |r: &mut Random| match values {
            Values::Same(same) => same[n],
            Values::Random => spread(r, low, high),
        };
        let data = (0..shape[0] * shape[1]).map(|_| value(&mut r)).collect();
        Tensor::new(dtype, shape.map(|v| v as usize), data)
    };
    let groups = k.div_ceil(hw.group as u64);
    let act = if hw.array.act_bits <= 8 { DType::I8 } else { DType::I16 };
    let mut tensors = BTreeMap::from([
        ("x".to_owned(), tensor(0, act, [t, k], -top, top - 1)),
        ("w".to_owned(), tensor(1, DType::U8, [m, k], 0, MAX_WEIGHT)),
        ("z".to_owned(), tensor(2, DType::U8, [m, groups], 0, MAX_ZERO)),
        ("s".to_owned(), tensor(3, DType::U16, [m, groups], 0, scales.min(MAX_SCALE))),
    ]);
    if let Some(q) = hw.requant {
        tensors.extend(q.values(1, m as usize, values != Values::Random, &mut r));
    }
    let dims: Dims = [("T", t), ("K", k), ("M", m)].into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
    Job { dims, tensors }
}

/// The golden model of a configured core.
pub fn model(d: &Derived) -> Mixpe {
    let hw = &d.hardware;
    let requant = hw.requant.map(|q| Requant {
        format: q.format(),
        rounding: q.rounding,
        shift: q.constant_shift(),
        lanes: hw.array.cols as usize,
        t_block: hw.t_block as usize,
    });
    Mixpe { act_bits: hw.array.act_bits as u32, group: hw.group as usize, requant }
}

/// The output of a job by the golden model; `None` where a tensor is missing.
pub fn run(d: &Derived, job: &Job) -> Option<Tensor> {
    let get = |name: &str| job.tensors.get(name);
    let (x, w, z, s) = (get("x")?, get("w")?, get("z")?, get("s")?);
    let inputs = Inputs { x, w, z, s, mult: get("mult"), shift: get("shift"), zero_point: get("zp") };
    model(d).run(&inputs).ok()
}
