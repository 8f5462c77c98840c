//! The exponential stage of softmax against `bitlathe_golden::softmax::Exponential::at`, under pauses of its enable.

use bitlathe_cores::random::Random;
use bitlathe_cores::softmax::exponential::{Maximum, Stage};
use bitlathe_golden::softmax::{Exponential, Method};
use bitlathe_hdl::check;

use super::bench::{Bench, Cycle, Part};

const LANES: i64 = 3;

/// A stage with the model that judges it.
struct Case {
    stage: Stage,
    model: Exponential,
    in_bits: i64,
    /// Steps of a unit of the port `max_i`.
    unit: i64,
}

fn case(method: Method, scale: f64, maximum: Maximum, in_bits: i64) -> Case {
    let stage = Stage::new(method, Some(scale), maximum, in_bits, LANES).expect("constants");
    let unit = match (maximum, method) {
        (Maximum::Octave, Method::Base2 { octave_bits, .. }) => 1 << octave_bits,
        _ => 1,
    };
    Case { stage, model: method.exponential(scale).expect("constants"), in_bits, unit }
}

/// A maximum and elements not above it.
struct Sample {
    max: i64,
    x: Vec<i64>,
}

impl Case {
    /// The maximum's port at a sample, and e of its elements.
    fn expected(&self, s: &Sample) -> Vec<i64> {
        s.x.iter().map(|x| self.model.at((s.max - x) as u64) as i64).collect()
    }
}

/// Plays samples with pauses and compares every lane at the stated latency.
fn compare(name: &str, cases: &[Case], samples: usize, mut sample: impl FnMut(usize, &Case) -> Sample) {
    let part = |c: &Case| {
        let unit = c.stage.module();
        check(&unit).unwrap_or_else(|e| panic!("{e}"));
        Part::new(unit).vector("x_i", LANES as usize).vector("e_o", LANES as usize)
    };
    for (n, c) in cases.iter().enumerate() {
        let bench = Bench::new(&format!("{name}_{n}"), &[part(c)]);
        let mut pauses = Random::new(5);
        let latency = c.stage.latency() as usize;
        let (mut cycles, mut taken): (Vec<Cycle>, Vec<(usize, Sample)>) = (vec![], vec![]);
        while taken.len() < samples + latency {
            let go = pauses.below(8) != 0;
            let now = sample(taken.len(), c);
            let mut inputs = vec![i64::from(go)];
            inputs.extend(&now.x);
            inputs.push(now.max / c.unit);
            cycles.push(vec![inputs]);
            if go {
                taken.push((cycles.len() - 1, now));
            }
        }
        let outputs = bench.play(&cycles);
        for (k, (_, s)) in taken[..samples].iter().enumerate() {
            // What the registers hold behind the edge of the last of `latency` enabled cycles.
            let at = taken[k + latency - 1].0 + 1;
            if at < outputs.len() {
                assert_eq!(outputs[at][0], c.expected(s), "{:?} max {} x {:?}", c.stage, s.max, s.x);
            }
        }
    }
}

/// Every difference of int8 elements, with the maximum anywhere.
fn any_int8(n: usize, case: &Case) -> Sample {
    let mut r = Random::new(n as u64 + 1);
    let max = ((r.below(256) as i64 - 128).max(n as i64 % 256 - 128)).div_euclid(case.unit) * case.unit;
    let max = if n % 256 == 255 { 127i64.div_euclid(case.unit) * case.unit } else { max };
    let d = (n as i64 % 256).min(max + 128);
    Sample { max, x: vec![max - d, -128, max] }
}

#[test]
fn tables_give_every_int8_difference() {
    let mut cases = vec![case(Method::ExpTable { width: 18 }, 0.05, Maximum::Element, 8)];
    cases.push(case(Method::ExpTable { width: 18 }, 0.05, Maximum::Element, 16));
    for line in [false, true] {
        for octave_bits in [3, 4] {
            let method = Method::Base2 { octave_bits, width: 18, line };
            cases.push(case(method, 0.1, Maximum::Element, 8));
            cases.push(case(method, 0.1, Maximum::Octave, 8));
        }
    }
    compare("softmax_exp_int8", &cases, 600, any_int8);
}
