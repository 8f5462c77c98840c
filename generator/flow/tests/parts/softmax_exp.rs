//! The exponential stage of softmax against `bitlathe_golden::softmax::Exponential::at`, under pauses of its enable.

use bitlathe_cores::random::Random;
use bitlathe_cores::softmax::exponential::{Maximum, Stage};
use bitlathe_golden::softmax::{Exponential, Method};

use super::bench::{Bench, Cycle, Part};

const LANES: usize = 3;

/// A stage, and who judges it at which scale.
struct Case {
    stage: Stage,
    method: Method,
    in_bits: u32,
    maximum: Maximum,
    /// Models, one for each scale that the job may give; one for a fixed scale.
    models: Vec<Exponential>,
}

/// A maximum, elements not above it, and the number of the model.
#[derive(Clone, Debug)]
struct Sample {
    max: i64,
    x: [i64; LANES],
    model: usize,
}

impl Case {
    fn fixed(method: Method, scale: f64, in_bits: u32, maximum: Maximum) -> Self {
        let stage = Stage::new(method, Some(scale), maximum, in_bits.into(), LANES as i64).expect("constants");
        Self { stage, method, in_bits, maximum, models: vec![method.exponential(scale).expect("constants")] }
    }

    /// Steps of a unit of the port `max_i`.
    fn unit(&self) -> i64 {
        match (self.maximum, self.method) {
            (Maximum::Octave, Method::Base2 { octave_bits, .. }) => 1 << octave_bits,
            _ => 1,
        }
    }

    /// Smallest and largest maximum.
    fn ends(&self) -> (i64, i64) {
        let half = 1i64 << (self.in_bits - 1);
        (-half, if self.maximum == Maximum::Octave { half } else { half - 1 })
    }

    fn expected(&self, s: &Sample) -> Vec<i64> {
        s.x.iter().map(|x| self.models[s.model].at((s.max - x) as u64) as i64).collect()
    }

    /// Inputs in the order of the ports.
    fn ports(&self, go: bool, s: &Sample) -> Vec<i64> {
        let mut inputs = vec![i64::from(go)];
        inputs.extend(s.x);
        inputs.push(s.max / self.unit());
        inputs.extend(if self.stage.parameters().is_empty() { vec![] } else { constants(&self.models[s.model]) });
        inputs
    }
}

/// Constants of a model in the order of the ports.
fn constants(model: &Exponential) -> Vec<i64> {
    match model {
        Exponential::LinMax(m) => vec![m.octave as i64, m.intercept as i64],
        Exponential::IBert(m) => vec![m.octave as i64, m.linear as i64, m.constant as i64],
        Exponential::ShiftMax(m) => vec![m.octave as i64],
        Exponential::LinMaxPlus(m) => vec![m.step.into()],
        Exponential::Pwl(m) => vec![m.step.into()],
        Exponential::ExpTable(_) | Exponential::Base2(_) | Exponential::ItaMax => vec![],
    }
}

/// Plays samples with pauses and compares every lane of every sample at the stated latency. Where the constants change, a
/// pipeline's worth of other samples comes between.
fn compare(name: &str, cases: &[Case], mut samples: impl FnMut(&Case) -> Vec<Sample>) {
    let part = |(n, c): (usize, &Case)| {
        Part::new(c.stage.module()).vector("x_i", LANES).vector("e_o", LANES).renamed(format!("_{n}"))
    };
    let parts: Vec<Part> = cases.iter().enumerate().map(part).collect();
    let bench = Bench::new(name, &parts);
    let samples: Vec<Vec<Sample>> = cases.iter().map(|c| settled(samples(c), c.stage.latency() as usize)).collect();
    let longest = samples.iter().map(Vec::len).max().unwrap_or(0);
    let slowest = cases.iter().map(|c| c.stage.latency()).max().unwrap_or(0) as usize;
    let mut pauses = Random::new(5);
    let (mut cycles, mut taken): (Vec<Cycle>, Vec<usize>) = (vec![], vec![]);
    while taken.len() <= longest + slowest {
        let go = pauses.below(8) != 0;
        let at = taken.len();
        let now = |of: &Vec<Sample>| of[at.min(of.len() - 1)].clone();
        cycles.push(cases.iter().zip(&samples).map(|(c, s)| c.ports(go, &now(s))).collect());
        if go {
            taken.push(cycles.len() - 1);
        }
    }
    let outputs = bench.play(&cycles);
    for (p, (case, samples)) in cases.iter().zip(&samples).enumerate() {
        let latency = case.stage.latency() as usize;
        for (n, s) in samples.iter().enumerate() {
            // Its result is there when the enabled cycle number `latency` after it begins.
            assert_eq!(outputs[taken[n + latency]][p], case.expected(s), "{:?}: {s:?}", case.stage);
        }
    }
}

/// Samples of the same constants as their neighbours on both sides, for constants are not delayed with the elements.
fn settled(samples: Vec<Sample>, latency: usize) -> Vec<Sample> {
    let mut out: Vec<Sample> = vec![];
    for s in samples {
        if out.last().is_some_and(|o| o.model != s.model) {
            // The last of the old constants leaves while they still stand.
            let last = out[out.len() - 1].clone();
            out.extend(vec![last; latency]);
        }
        out.push(s);
    }
    out
}

/// Every difference of eight bits, from the highest maximum and from the lowest possible.
fn every_int8(case: &Case) -> Vec<Sample> {
    let (least, most) = case.ends();
    let aligned = |v: i64| v.div_euclid(case.unit()) * case.unit();
    (0..256)
        .flat_map(|d| {
            let low = aligned(least + d + case.unit() - 1).min(aligned(most));
            let x = |max: i64| [(max - d).clamp(-128, 127), (-128).max(max - 255), max.min(127)];
            [aligned(most), low].map(|max| Sample { max, x: x(max), model: 0 })
        })
        .collect()
}

fn all_fixed(maximum: Maximum, in_bits: u32, scale: f64) -> Vec<Case> {
    let own = |m: &Method| m.own_scale().is_none_or(|s| s == scale) || !matches!(m, Method::ItaMax);
    Method::ALL
        .into_iter()
        .filter(|m| own(m) && (maximum == Maximum::Element || matches!(m, Method::Base2 { .. })))
        .filter(|m| m.exponential(scale).is_ok() && (in_bits == 8 || *m != Method::ItaMax))
        .map(|m| Case::fixed(m, scale, in_bits, maximum))
        .collect()
}

#[test]
fn every_int8_difference_of_every_method() {
    for (n, scale) in [0.05, 0.3, 0.0021].into_iter().enumerate() {
        let mut cases = all_fixed(Maximum::Element, 8, scale);
        if n == 0 {
            cases.push(Case::fixed(Method::ItaMax, scale, 8, Maximum::Element));
        }
        compare(&format!("softmax_exp_int8_{n}"), &cases, every_int8);
    }
}

#[test]
fn every_int8_difference_from_whole_octaves() {
    compare("softmax_exp_octave", &all_fixed(Maximum::Octave, 8, 0.05), every_int8);
}
