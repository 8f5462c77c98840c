//! Corner jobs, random jobs and the coverage that they must reach.

use std::collections::BTreeMap;

use bitlathe_golden::ternary::TernaryGemm;
use bitlathe_spec::{DType, Dims, Job, Tensor};

use super::config::Derived;
use crate::Stimulus;
use crate::random::Random;

/// Coverage points.
pub const COVERAGE: &[&str] = &[
    "smallest job",
    "all activations at their minimum, all weights -1, K at its maximum",
    "all activations at their maximum, all weights +1",
    "all zero",
    "ragged K, M and T",
    "largest K and M",
    "several passes",
];

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
    // Large cores: the corners keep their values but not all of their length.
    let m_some = m.min(5 * ml);
    let make = |name: &str, (t, k, m): (u64, u64, u64), values, covers: &[usize], seed| Stimulus {
        name: name.into(),
        job: job(d, t, k, m, values, seed),
        covers: covers.iter().map(|&i| COVERAGE[i]).collect(),
    };
    vec![
        make("one by one", (1, 1, 1), Values::Random, &[0], 1),
        make("lowest", (1, k, m_some), Values::Lowest, &[1], 2),
        make("highest", (b, k, m_some), Values::Highest, &[2], 3),
        make("zero", (1, k.min(3 * kl), m.min(ml)), Values::Zero, &[3], 4),
        make("ragged", (b + 1, (kl + 1).min(k), (ml + 1).min(m)), Values::Random, &[4, 6], 5),
        make("largest", (1, k, m), Values::Random, &[5], 6),
        make("short slabs", (3 * b + 1, k.min(5 * kl), 1), Values::Random, &[6], 7),
    ]
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
        // One in eight sits at an end.
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
    parameters(d, m as usize, values, &mut r, &mut tensors);
    let dims: Dims = [("T", t), ("K", k), ("M", m)].into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
    Job { dims, tensors }
}

/// Multipliers whose results use the whole output range, and beyond at random.
fn parameters(d: &Derived, m: usize, values: Values, r: &mut Random, tensors: &mut BTreeMap<String, Tensor>) {
    let Some(q) = d.hardware.requant else { return };
    let rows = if q.per_row { m } else { 1 };
    let mult = if values == Values::Random { 0 } else { 65535 };
    let planes = d.hardware.planes as usize;
    let mults = (0..planes * rows)
        .map(|_| if mult > 0 { mult } else { 1i64 << r.below(17) }.min(65535) - i64::from(r.below(2) == 0))
        .collect();
    let shape = if planes == 2 { vec![2, rows] } else { vec![rows] };
    tensors.insert("mult".into(), Tensor::new(DType::U16, shape, mults));
    if let crate::parts::requantize::Shift::Range(lo, hi) = q.shift {
        let shifts = (0..rows).map(|_| lo + r.below((hi - lo + 1) as u64) as i64).collect();
        tensors.insert("shift".into(), Tensor::new(DType::U8, [rows], shifts));
    }
    let zps = (0..rows).map(|_| r.below(256) as i64 - 128).collect();
    tensors.insert("zp".into(), Tensor::new(DType::I8, [rows], zps));
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
    use bitlathe_golden::rounding::OutputFormat;
    use bitlathe_golden::ternary::{Output, Requant};
    let hw = &d.hardware;
    let output = match &hw.requant {
        None => Output::Int32,
        Some(q) => Output::Requant(Requant {
            format: OutputFormat { bits: q.bits as u32, narrow: q.narrow },
            rounding: q.rounding,
            shift: match q.shift {
                crate::parts::requantize::Shift::Constant(s) => Some(s as u32),
                crate::parts::requantize::Shift::Range(..) => None,
            },
            m_lanes: hw.m_lanes as usize,
            batch: hw.batch as usize,
        }),
    };
    TernaryGemm { planes: hw.planes as usize, output }
}
