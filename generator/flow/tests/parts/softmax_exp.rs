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
    /// Its result counts.
    judged: bool,
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
        for (n, s) in samples.iter().enumerate().filter(|(_, s)| s.judged) {
            // Its result is there when the enabled cycle number `latency` after it begins.
            assert_eq!(outputs[taken[n + latency]][p], case.expected(s), "{:?}: {s:?}", case.stage);
        }
    }
}

/// Before the constants change, a pipeline's worth of samples that are not judged: constants are not delayed with elements.
fn settled(samples: Vec<Sample>, latency: usize) -> Vec<Sample> {
    let mut out: Vec<Sample> = vec![];
    for s in samples {
        if out.last().is_some_and(|o| o.model != s.model) {
            let last = out[out.len() - 1].clone();
            out.extend(vec![Sample { judged: false, ..last }; latency]);
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
            [aligned(most), low].map(|max| Sample { max, x: x(max), model: 0, judged: true })
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
            let block = Case::fixed(Method::ExpTable { width: 18 }, scale, 8, Maximum::Element);
            cases.push(Case { stage: block.stage.clone().with_block_table(), ..block });
        }
        compare(&format!("softmax_exp_int8_{n}"), &cases, every_int8);
    }
}

#[test]
fn every_int8_difference_from_whole_octaves() {
    compare("softmax_exp_octave", &all_fixed(Maximum::Octave, 8, 0.05), every_int8);
}

/// Differences around every octave and every end, and random ones of every size.
fn wide(case: &Case) -> Vec<Sample> {
    let mut r = Random::new(7);
    let (least, most) = case.ends();
    let widest = most.min((1 << (case.in_bits - 1)) - 1) - least;
    let mut out = vec![];
    for model in 0..case.models.len() {
        let octave = octave(&case.models[model], case.method);
        let mut differences = vec![0, 1, 255, 256, widest, widest - 1];
        for n in 1..66 {
            let edge = (n as f64 * octave) as i64;
            differences.extend([edge - 1, edge, edge + 1, edge + 2]);
        }
        differences.extend((0..600).map(|_| (r.next() >> (64 - case.in_bits)) as i64 >> r.below(case.in_bits.into())));
        differences.extend((0..200).map(|_| r.below((octave * 40.0) as u64 + 1) as i64));
        for d in differences.into_iter().map(|d| d.clamp(0, widest)) {
            let most_below =
                (least + d + r.below((widest - d + 1) as u64) as i64).div_euclid(case.unit()) * case.unit();
            let max = if r.below(2) == 0 { most.div_euclid(case.unit()) * case.unit() } else { most_below };
            let x = |d: i64| (max - d).clamp(least, most.min((1 << (case.in_bits - 1)) - 1));
            out.push(Sample { max, x: [x(d), x(d + 1), x(r.below(octave as u64 + 2) as i64)], model, judged: true });
        }
    }
    out
}

/// Steps of an octave, for samples at its edges.
fn octave(model: &Exponential, method: Method) -> f64 {
    match model {
        Exponential::LinMax(m) => m.octave as f64,
        Exponential::IBert(m) => m.octave as f64,
        // p is 1.4375 d.
        Exponential::ShiftMax(m) => m.octave as f64 / 1.4375,
        Exponential::LinMaxPlus(m) => 65_536.0 / f64::from(m.step),
        Exponential::Pwl(m) => 65_536.0 / f64::from(m.step),
        _ => method.own_scale().map_or(14.0, |s| std::f64::consts::LN_2 / s),
    }
}

#[test]
fn wide_inputs_at_fixed_scales() {
    for (n, (in_bits, scale)) in [(16, 0.05), (32, 0.05), (32, 0.001), (16, 0.31)].into_iter().enumerate() {
        let mut cases = all_fixed(Maximum::Element, in_bits, scale);
        let block = Case::fixed(Method::ExpTable { width: 18 }, scale, in_bits, Maximum::Element);
        cases.push(Case { stage: block.stage.clone().with_block_table(), ..block });
        compare(&format!("softmax_exp_wide_{n}"), &cases, wide);
    }
    compare("softmax_exp_wide_octave", &all_fixed(Maximum::Octave, 16, 0.05), wide);
}

#[test]
fn scales_that_come_with_the_job() {
    let mut r = Random::new(31);
    let mut scales = vec![0.02, 0.05, 0.7, 1.35, 1e-4, 3e-5];
    // From 2^-14 to 1.3, evenly over octaves.
    scales.extend((0..24).map(|_| 1.3 * (-(r.below(1 << 20) as f64) / f64::from(1 << 20) * 14.0).exp2()));
    for in_bits in [8, 16, 32] {
        let case = |method: Method| {
            let stage = Stage::new(method, None, Maximum::Element, in_bits.into(), LANES as i64).ok()?;
            let fits = |m: &Exponential| {
                let limits = stage.parameters();
                constants(m).iter().zip(&limits).all(|(value, port)| value >> port.bits == 0)
            };
            let models: Vec<Exponential> =
                scales.iter().filter_map(|s| method.exponential(*s).ok()).filter(fits).collect();
            let runtime = !stage.parameters().is_empty();
            runtime.then_some(Case { stage, method, in_bits, maximum: Maximum::Element, models })
        };
        let cases: Vec<Case> = Method::ALL.into_iter().filter_map(case).collect();
        assert_eq!(cases.len(), 8);
        compare(&format!("softmax_exp_job_{in_bits}"), &cases, wide);
    }
}
