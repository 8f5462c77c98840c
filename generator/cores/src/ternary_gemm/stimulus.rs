//! Corner jobs, random jobs and the coverage that they must reach.

use std::collections::BTreeMap;

use bitlathe_golden::ternary::{Inputs, TernaryGemm};
use bitlathe_spec::{DType, Dims, Job, Tensor};

use super::config::Derived;
use crate::Stimulus;
use crate::parts::requantize::Shift;
use crate::random::Random;
use crate::requantized::Requantized;

const ONE: &str = "K, M and T of 1";
const LOWEST: &str = "all activations at their minimum, all weights -1, K at its maximum";
const LOWEST_NONZERO: &str = "all activations at their minimum, all nonzero weights -1, K at its maximum";
const HIGHEST: &str = "all activations at their maximum, all weights +1, K at its maximum";
const HIGHEST_NONZERO: &str = "all activations at their maximum, all nonzero weights +1, K at its maximum";
const ZERO: &str = "all zero";
const ZERO_ACTIVATIONS: &str = "all activations zero";
const RAGGED_K: &str = "ragged K";
const RAGGED_M: &str = "ragged M";
const RAGGED_T: &str = "last pass not full";
const PASSES: &str = "several passes";
const LARGEST_K: &str = "largest K";
const LARGEST_M: &str = "largest M";
const SATURATES_LOW: &str = "output at its lower bound";
const SATURATES_HIGH: &str = "output at its upper bound";
const TIES: &str = "rounding of ties of both signs";

/// Beats and weights that keep a corner quick to simulate where the maxima would not.
const CORNER_BEATS: u64 = 20_000;
const CORNER_WEIGHTS: u64 = 4_000_000;

/// Coverage points that this core can reach and `verify` must fill.
pub fn coverage(d: &Derived) -> Vec<&'static str> {
    let hw = &d.hardware;
    let [lowest, highest, zero] = extremes(d);
    let mut points = vec![ONE, lowest, highest, zero, PASSES, LARGEST_K, LARGEST_M];
    for (lanes, point) in [(hw.k_lanes, RAGGED_K), (hw.m_lanes, RAGGED_M), (hw.batch, RAGGED_T)] {
        if lanes > 1 {
            points.push(point);
        }
    }
    if let Some(q) = hw.requant {
        if saturates(d, q) {
            points.extend([SATURATES_LOW, SATURATES_HIGH]);
        }
        if tie(d, q).is_some() {
            points.push(TIES);
        }
    }
    points
}

/// The points of the extreme corners; in `sherry5` one weight of four is always zero.
fn extremes(d: &Derived) -> [&'static str; 3] {
    if d.hardware.encoding == "sherry5" {
        [LOWEST_NONZERO, HIGHEST_NONZERO, ZERO_ACTIVATIONS]
    } else {
        [LOWEST, HIGHEST, ZERO]
    }
}

/// Which values a job takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Values {
    Random,
    Lowest,
    Highest,
    Zero,
}

/// Corner jobs, each with what it covers.
pub fn corners(d: &Derived) -> Vec<Stimulus> {
    let (k, m) = (u64::from(d.config.shape.k_max), u64::from(d.config.shape.m_max));
    let hw = &d.hardware;
    let (kl, ml, b) = (hw.k_lanes as u64, hw.m_lanes as u64, hw.batch as u64);
    let [lowest, highest, zero] = extremes(d);
    let m_some = rows_within(d, k).min(5 * ml);
    let make = |name: &str, (t, k, m): (u64, u64, u64), values, covers: &[&'static str], seed| {
        let covers = covers.iter().copied().filter(|c| match *c {
            RAGGED_K => k % kl != 0,
            RAGGED_M => m % ml != 0,
            RAGGED_T => t % b != 0,
            _ => true,
        });
        Stimulus { name: name.into(), job: job(d, t, k, m, values, seed), covers: covers.collect() }
    };
    let (all, ragged_k) = ([RAGGED_K, RAGGED_M, RAGGED_T, PASSES], (kl + 1).min(k));
    let ragged_k = if ragged_k.is_multiple_of(kl) { 1 } else { ragged_k };
    let ragged_m = if (ml + 1).min(m).is_multiple_of(ml) { 1 } else { (ml + 1).min(m) };
    let mut out = vec![
        make("one by one", (1, 1, 1), Values::Random, &[ONE], 1),
        make("lowest", (1, k, m_some), Values::Lowest, &[lowest, LARGEST_K], 2),
        make("highest", (b, k, m_some), Values::Highest, &[highest], 3),
        make("zero", (1, k.min(3 * kl), m.min(ml)), Values::Zero, &[zero], 4),
        make("ragged", (b + 1, ragged_k, ragged_m), Values::Random, &all, 5),
        make("largest", (1, columns_within(d, m).min(k), m), Values::Random, &[LARGEST_M], 6),
        make("short slabs", (3 * b + 1, k.min(5 * kl), 1), Values::Random, &[PASSES], 7),
    ];
    if let Some(q) = hw.requant {
        out.extend([false, true].map(|high| saturation(d, q, high, m_some)));
        out.extend(tie(d, q).map(|t| ties(d, t)));
    }
    out
}

/// Rows of a quick job with K columns.
fn rows_within(d: &Derived, k: u64) -> u64 {
    let hw = &d.hardware;
    let planes = hw.planes as u64;
    let tiles = CORNER_BEATS / (k.div_ceil(hw.k_lanes as u64) * planes);
    (tiles * hw.m_lanes as u64).min(CORNER_WEIGHTS / (k * planes)).clamp(1, d.config.shape.m_max.into())
}

/// Columns of a quick job with M rows.
fn columns_within(d: &Derived, m: u64) -> u64 {
    let hw = &d.hardware;
    let planes = hw.planes as u64;
    let slabs = CORNER_BEATS / (m.div_ceil(hw.m_lanes as u64) * planes);
    (slabs * hw.k_lanes as u64).min(CORNER_WEIGHTS / (m * planes)).max(1)
}

/// Nonzero weights that a row of K columns can have.
fn nonzero(d: &Derived, k: u64) -> u64 {
    let whole = |columns: u64| columns - columns / 4;
    if d.hardware.encoding != "sherry5" {
        return k;
    }
    let slab = d.hardware.k_lanes as u64;
    k / slab * whole(slab) + whole(k % slab)
}

/// Whether the largest product, scaled and with the largest zero point, passes both output bounds.
fn saturates(d: &Derived, q: Requantized) -> bool {
    let x = (1i128 << (d.hardware.act_bits - 1)) - 1;
    let terms = i128::from(nonzero(d, d.config.shape.k_max.into()) * d.hardware.planes as u64);
    // Beyond the bound by a whole step, so that no rounding rule falls short of it.
    ((terms * x * 65_535) >> q.smallest_shift()) + 127 > 1i128 << (q.bits - 1)
}

/// All products of one sign, the largest multiplier, the smallest shift, the zero point on the same side.
fn saturation(d: &Derived, q: Requantized, high: bool, m: u64) -> Stimulus {
    let top = 1i64 << (d.hardware.act_bits - 1);
    let (name, x, zero_point) = if high { ("upper bound", top - 1, 127) } else { ("lower bound", -top, -128) };
    let mut job = job(d, 1, d.config.shape.k_max.into(), m, Values::Highest, 8);
    fill(&mut job, "x", x);
    fill(&mut job, "zp", zero_point);
    fill(&mut job, "shift", q.smallest_shift());
    let bound = (1i64 << (q.bits - 1)) - 1;
    let bound = if high { bound } else { -bound - i64::from(!q.narrow) };
    let [mult, shift, zero_point] = ["mult", "shift", "zp"].map(|n| job.tensors.get(n));
    let inputs = Inputs { x: &job.tensors["x"], w: &job.tensors["w"], mult, shift, zero_point };
    let reached = model(d).run(&inputs).is_ok_and(|y| y.data.iter().all(|v| *v == bound));
    let point = if high { SATURATES_HIGH } else { SATURATES_LOW };
    Stimulus { name: name.into(), job, covers: if reached { vec![point] } else { vec![] } }
}

fn fill(job: &mut Job, name: &str, value: i64) {
    if let Some(t) = job.tensors.get_mut(name) {
        t.data.fill(value);
    }
}

/// How a result of exactly one half is made: sums that are odd multiples of `unit`, `mult` and `shift`.
#[derive(Clone, Copy)]
struct Tie {
    unit: i64,
    mult: i64,
    shift: u32,
    /// Sums up to three units fit, so that ties next to odd and to even numbers are seen.
    three: bool,
}

/// A tie that this core can make; `None` without a shift or where no sum reaches it.
fn tie(d: &Derived, q: Requantized) -> Option<Tie> {
    let shift = match q.shift {
        Shift::Constant(s) => s,
        Shift::Range(lo, hi) => lo.max(1).min(hi),
    } as u32;
    let below = shift.checked_sub(1)?;
    let (unit, mult) = (1i64 << below.saturating_sub(15), 1i64 << below.min(15));
    let reach = nonzero(d, d.config.shape.k_max.into()) as i64 * ((1 << (d.hardware.act_bits - 1)) - 1);
    (reach >= unit).then_some(Tie { unit, mult, shift, three: reach >= 3 * unit })
}

/// Results of +-1/2, and +-3/2 where they fit, at the first plane; the second contributes nothing.
fn ties(d: &Derived, tie: Tie) -> Stimulus {
    let (k, top) = (u64::from(d.config.shape.k_max), (1i64 << (d.hardware.act_bits - 1)) - 1);
    let sums: &[i64] = if tie.three { &[1, -1, 3, -3] } else { &[1, -1] };
    let m = rows_within(d, k).min(d.hardware.m_lanes as u64 + 1);
    let mut job = job(d, sums.len() as u64, k, m, Values::Highest, 9);
    // The first row's nonzero weights carry the sum; the other rows may hold their zeros elsewhere.
    let carries: Vec<bool> = job.tensors["w"].data.iter().take(k as usize).map(|w| *w != 0).collect();
    let mut x = vec![];
    for sum in sums {
        let mut rest = sum * tie.unit;
        for carries in &carries {
            let v = if *carries { rest.clamp(-top, top) } else { 0 };
            rest -= v;
            x.push(v);
        }
    }
    if let Some(t) = job.tensors.get_mut("x") {
        t.data = x;
    }
    fill(&mut job, "mult", tie.mult);
    fill(&mut job, "shift", tie.shift.into());
    fill(&mut job, "zp", 0);
    if let Some(t) = job.tensors.get_mut("mult").filter(|_| d.hardware.planes == 2) {
        let half = t.data.len() / 2;
        t.data[half..].fill(0);
    }
    Stimulus { name: "ties".into(), job, covers: vec![TIES] }
}

/// A random job of ragged size.
pub fn random_job(d: &Derived, seed: u64) -> Job {
    let mut r = Random::new(seed);
    let hw = &d.hardware;
    let (k_max, m_max) = (u64::from(d.config.shape.k_max), u64::from(d.config.shape.m_max));
    let k = 1 + r.below(k_max.min(8 * hw.k_lanes as u64));
    let m = 1 + r.below(m_max.min(12 * hw.m_lanes as u64));
    let t = 1 + r.below(3 * hw.batch as u64);
    job(d, t, k, m, Values::Random, r.next())
}

fn job(d: &Derived, t: u64, k: u64, m: u64, values: Values, seed: u64) -> Job {
    let hw = &d.hardware;
    let mut r = Random::new(seed);
    let top = 1i64 << (hw.act_bits - 1);
    let activation = |r: &mut Random| match values {
        Values::Lowest => -top,
        Values::Highest => top - 1,
        Values::Zero => 0,
        // One in eight sits at an end of the range.
        Values::Random => match r.below(16) {
            0 => -top,
            1 => top - 1,
            _ => r.below(2 * top as u64) as i64 - top,
        },
    };
    let x: Vec<i64> = (0..t * k).map(|_| activation(&mut r)).collect();
    let planes = hw.planes as u64;
    let mut w: Vec<i64> = (0..planes * m * k)
        .map(|_| match values {
            Values::Lowest => -1,
            Values::Highest => 1,
            Values::Zero => 0,
            Values::Random => r.below(3) as i64 - 1,
        })
        .collect();
    if hw.encoding == "sherry5" {
        one_zero_in_four(&mut w, k as usize, hw.k_lanes as usize, &mut r);
    }
    let mut tensors = BTreeMap::new();
    let act = if hw.act_bits <= 8 { DType::I8 } else { DType::I16 };
    tensors.insert("x".to_owned(), Tensor::new(act, [t as usize, k as usize], x));
    let mut shape = vec![m as usize, k as usize];
    if planes == 2 {
        shape.insert(0, 2);
    }
    tensors.insert("w".to_owned(), Tensor::new(DType::I8, shape, w));
    if let Some(q) = hw.requant {
        tensors.extend(q.values(planes as usize, m as usize, values != Values::Random, &mut r));
    }
    let dims: Dims = [("T", t), ("K", k), ("M", m)].into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
    Job { dims, tensors }
}

/// Gives every group of four columns inside a slab exactly one zero.
fn one_zero_in_four(w: &mut [i64], k: usize, slab: usize, r: &mut Random) {
    for row in w.chunks_mut(k) {
        for tile in row.chunks_mut(slab) {
            for group in tile.chunks_mut(4) {
                let zero = if group.len() == 4 { r.below(4) } else { r.below(group.len() as u64 + 1) } as usize;
                for (i, v) in group.iter_mut().enumerate() {
                    *v = match (i == zero, *v) {
                        (true, _) => 0,
                        (false, 0) => 1,
                        (false, v) => v,
                    };
                }
            }
        }
    }
}

/// The golden model of a configured core.
pub fn model(d: &Derived) -> TernaryGemm {
    use bitlathe_golden::ternary::{Output, Requant};
    let hw = &d.hardware;
    let output = match &hw.requant {
        None => Output::Int32,
        Some(q) => Output::Requant(Requant {
            format: q.format(),
            rounding: q.rounding,
            shift: q.constant_shift(),
            m_lanes: hw.m_lanes as usize,
            batch: hw.batch as usize,
        }),
    };
    TernaryGemm { planes: hw.planes as usize, output }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Core, Kind, ternary_gemm};

    fn cores() -> Vec<Box<dyn Core>> {
        let kind = ternary_gemm::TernaryGemm;
        kind.space().cover().iter().map(|c| kind.configure(c).unwrap_or_else(|e| panic!("{c}: {e:?}"))).collect()
    }

    /// Whether a job really has what a point says, judged from its tensors.
    fn holds(core: &dyn Core, point: &str, job: &Job) -> bool {
        let (config, dims) = (core.config(), &job.dims);
        let number = |table: &str, key: &str| config[table][key].as_u64().unwrap();
        let (x, w) = (&job.tensors["x"].data, &job.tensors["w"].data);
        let top = 1i64 << (number("act", "bits") - 1);
        let [k_lanes, m_lanes, batch] = ["k_lanes", "m_lanes", "batch"].map(|n| number("parallel", n));
        let full = dims["K"] == number("shape", "k_max");
        let every = |values: &[i64], allowed: &[i64]| values.iter().all(|v| allowed.contains(v));
        match point {
            ONE => dims.values().all(|v| *v == 1),
            LOWEST => full && every(x, &[-top]) && every(w, &[-1]),
            LOWEST_NONZERO => full && every(x, &[-top]) && every(w, &[-1, 0]) && w.contains(&-1),
            HIGHEST => full && every(x, &[top - 1]) && every(w, &[1]),
            HIGHEST_NONZERO => full && every(x, &[top - 1]) && every(w, &[1, 0]) && w.contains(&1),
            ZERO => every(x, &[0]) && every(w, &[0]),
            ZERO_ACTIVATIONS => every(x, &[0]),
            RAGGED_K => !dims["K"].is_multiple_of(k_lanes),
            RAGGED_M => !dims["M"].is_multiple_of(m_lanes),
            RAGGED_T => !dims["T"].is_multiple_of(batch),
            PASSES => dims["T"] > batch,
            LARGEST_K => full,
            LARGEST_M => dims["M"] == number("shape", "m_max"),
            SATURATES_LOW | SATURATES_HIGH => {
                let half = 1i64 << (number("output", "bits") - 1);
                let low = if config["output"]["narrow"] == true { 1 - half } else { -half };
                every(&core.golden(job)["y"].data, &[if point == SATURATES_LOW { low } else { half - 1 }])
            }
            TIES => has_tie(job),
            _ => false,
        }
    }

    /// Whether the first row has results of exactly half a step of both signs.
    fn has_tie(job: &Job) -> bool {
        let k = job.dims["K"] as usize;
        let (x, w) = (&job.tensors["x"].data, &job.tensors["w"].data);
        let sums = x.chunks(k).map(|x| x.iter().zip(w).map(|(a, b)| a * b).sum::<i64>());
        let scaled: Vec<i64> = sums.map(|s| s * job.tensors["mult"].data[0]).collect();
        // The results are odd multiples of one power of two.
        let half = scaled[0];
        half > 0 && (half as u64).is_power_of_two() && scaled[1] == -half && scaled.iter().all(|s| s / half % 2 != 0)
    }

    #[test]
    fn corners_fill_the_coverage_and_are_what_they_say() {
        for core in cores() {
            let corners = core.corners();
            for point in core.coverage() {
                assert!(corners.iter().any(|c| c.covers.contains(&point)), "{}: {point}", core.config());
            }
            for c in &corners {
                for point in &c.covers {
                    assert!(core.coverage().contains(point), "{}: {point} is not in the list", core.config());
                    assert!(holds(core.as_ref(), point, &c.job), "{}: {} is not `{point}`", core.config(), c.name);
                }
            }
        }
    }

    #[test]
    fn large_maxima_have_corners_of_bounded_size() {
        let config = serde_json::json!({
            "kind": "ternary-gemm", "name": "large_core", "target": {"name": "u280"},
            "shape": {"k_max": 65536, "m_max": 65536}, "parallel": {"k_lanes": 24, "m_lanes": 14},
        });
        let core = ternary_gemm::TernaryGemm.configure(&config).unwrap_or_else(|e| panic!("{e:?}"));
        for c in core.corners() {
            let (weights, beats) =
                (&c.job.tensors["w"], core.interface().stream("w").unwrap().layout.beats(&c.job.dims));
            assert!(weights.data.len() as u64 <= CORNER_WEIGHTS && beats.unwrap() <= CORNER_BEATS, "{}", c.name);
        }
        let points: Vec<_> = core.corners().into_iter().flat_map(|c| c.covers).collect();
        assert!(core.coverage().iter().all(|p| points.contains(p)), "{points:?}");
    }
}
