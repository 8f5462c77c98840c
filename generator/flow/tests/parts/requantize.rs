//! The requantizer lane against `bitlathe_golden::rounding::requantize`.

use bitlathe_cores::parts::requantize::{LATENCY, RequantizeLane, Shift};
use bitlathe_cores::random::Random;
use bitlathe_golden::rounding::{self, OutputFormat};
use bitlathe_spec::Rounding;

use super::bench::{Bench, Cycle, Part};

/// What a lane takes in one cycle.
#[derive(Clone, Copy)]
struct Sample {
    acc: i64,
    mult: i64,
    zp: i64,
    shift: i64,
    random: i64,
}

fn lane(acc_bits: i64, shift: Shift, rounding: Rounding, out_bits: i64, narrow: bool) -> RequantizeLane {
    RequantizeLane { acc_bits, shift, rounding, out_bits, narrow, planes: 1, batch: 1 }
}

/// The inputs in the order of the lane's ports: acc_i, mult_i, zp_i, then what its shape adds.
fn ports(lane: &RequantizeLane, enable: i64, s: Sample) -> Vec<i64> {
    let mut values = vec![enable, s.acc, s.mult, s.zp];
    values.extend(matches!(lane.shift, Shift::Range(..)).then_some(s.shift));
    values.extend((lane.rounding == Rounding::Stochastic).then_some(s.random));
    values
}

fn expected(lane: &RequantizeLane, s: Sample) -> i64 {
    let shift = match lane.shift {
        Shift::Constant(c) => c,
        Shift::Range(..) => s.shift,
    } as u32;
    let bits = shift.min(16);
    // The golden model draws the top bits of the random number that a shift can use.
    let random = rounding::Random { value: (s.random as u32) >> (16 - bits), bits };
    let format = OutputFormat { bits: lane.out_bits as u32, narrow: lane.narrow };
    rounding::requantize(s.acc, s.mult as u16, shift, s.zp, format, lane.rounding, Some(random))
}

/// Plays samples through lanes, with pauses of the enable, and compares every output of every enabled cycle.
fn compare(
    name: &str,
    lanes: &[RequantizeLane],
    samples: usize,
    mut sample: impl FnMut(usize, &RequantizeLane) -> Sample,
) {
    let bench = Bench::new(name, &lanes.iter().map(|l| Part::new(l.unit())).collect::<Vec<_>>());
    let mut pauses = Random::new(11);
    let mut cycles: Vec<Cycle> = vec![];
    let mut taken: Vec<(usize, Vec<Sample>)> = vec![];
    while taken.len() < samples + LATENCY as usize + 1 {
        let enable = i64::from(pauses.below(8) != 0);
        let now: Vec<Sample> = lanes.iter().map(|l| sample(taken.len().min(samples - 1), l)).collect();
        if enable == 1 {
            taken.push((cycles.len(), now.clone()));
        }
        cycles.push(lanes.iter().zip(&now).map(|(l, s)| ports(l, enable, *s)).collect());
    }
    let outputs = bench.play(&cycles);
    for (n, (_, samples)) in taken[..samples].iter().enumerate() {
        let at = taken[n + LATENCY as usize].0;
        for (p, lane) in lanes.iter().enumerate() {
            let s = samples[p];
            assert_eq!(
                outputs[at][p][0],
                expected(lane, s),
                "{lane:?}: acc {} mult {} zp {} shift {} random {:#x}",
                s.acc,
                s.mult,
                s.zp,
                s.shift,
                s.random
            );
        }
    }
}

/// Every accumulator of six bits with multipliers, zero points and shifts that reach ties, both ends of the range and what
/// lies beyond, for every rounding.
#[test]
fn small_lanes_exhaustively() {
    let mults = [0i64, 1, 2, 3, 5, 8, 255];
    let zps = [0i64, 1, -1, 7, -8, 127, -128];
    let shifts = [0i64, 1, 2, 3, 5, 9];
    let randoms = [0i64, 0xffff, 0x8000, 0x7fff, 0x4001];
    let mut lanes = vec![];
    for rounding in Rounding::ALL {
        for (shift, out_bits, narrow) in [
            (Shift::Range(0, 9), 4, false),
            (Shift::Constant(0), 4, true),
            (Shift::Constant(1), 8, false),
            (Shift::Constant(3), 4, false),
        ] {
            lanes.push(lane(6, shift, rounding, out_bits, narrow));
        }
    }
    let all = 64 * mults.len() * zps.len() * shifts.len();
    compare("requantize_small", &lanes, all, |n, _| {
        let (acc, rest) = (n % 64, n / 64);
        let (mult, rest) = (rest % mults.len(), rest / mults.len());
        let (zp, shift) = (rest % zps.len(), rest / zps.len());
        let random = randoms[n % randoms.len()];
        Sample { acc: acc as i64 - 32, mult: mults[mult], zp: zps[zp], shift: shifts[shift], random }
    });
}

/// Random values, extremes and ties over every width.
#[test]
fn wide_lanes_with_random_values_extremes_and_ties() {
    let mut lanes = vec![];
    for (n, rounding) in Rounding::ALL.into_iter().enumerate() {
        for (acc_bits, shift, out_bits, narrow) in [
            (40, Shift::Constant(47), 16, false),
            (40, Shift::Range(0, 47), 8, true),
            (26, Shift::Constant(24), 8, false),
            (4, Shift::Range(0, 20), 4, false),
            (12 + 3 * n as i64, Shift::Constant(11 + n as i64), 16, true),
            (31, Shift::Range(8, 31), 16, false),
            (52, Shift::Range(0, 47), 16, false),
            (48, Shift::Constant(30), 8, false),
        ] {
            lanes.push(lane(acc_bits, shift, rounding, out_bits, narrow));
        }
    }
    let mut r = Random::new(3);
    compare("requantize_wide", &lanes, 4000, |_, lane| {
        let (low, high) = match lane.shift {
            Shift::Constant(s) => (s, s),
            Shift::Range(lo, hi) => (lo, hi),
        };
        let shift = low + r.below((high - low + 1) as u64) as i64;
        let limit = 1i64 << (lane.acc_bits - 1);
        let acc = match r.below(8) {
            0 => -limit,
            1 => limit - 1,
            // Small products reach every output; full ones mostly saturate.
            2..=4 => (r.next() as i64) >> (63 - r.below(lane.acc_bits as u64) as i64),
            _ => (r.next() as i64) >> (64 - lane.acc_bits),
        };
        let mult = match r.below(4) {
            0 => [0, 1, 32768, 65535][r.below(4) as usize],
            // A power of two with a short accumulator makes ties.
            1 => 1 << r.below(16),
            _ => r.below(65536) as i64,
        };
        Sample { acc, mult, zp: r.below(256) as i64 - 128, shift, random: r.below(65536) as i64 }
    });
}

/// With two planes the products of two accumulators are added before the cut; a pause between them keeps the first.
#[test]
fn two_planes_are_one_sum() {
    let shapes = Rounding::ALL.map(|rounding| {
        let planes = RequantizeLane { planes: 2, ..lane(12, Shift::Constant(9), rounding, 8, false) };
        (planes, OutputFormat { bits: 8, narrow: false })
    });
    let bench = Bench::new("requantize_planes", &shapes.map(|(l, _)| Part::new(l.unit())));
    let mut r = Random::new(23);
    let mut cycles: Vec<Cycle> = vec![];
    // When a pair's result is there, its accumulators, multiplier, zero point and random number.
    let mut pairs: Vec<(usize, [i64; 2], i64, i64, i64)> = vec![];
    for _ in 0..1000 {
        let acc = [(); 2].map(|()| r.below(1 << 12) as i64 - (1 << 11));
        let (mult, zp, random) = (r.below(256) as i64, r.below(256) as i64 - 128, r.below(1 << 16) as i64);
        let mut push = |inputs: Vec<i64>| {
            let with_random = |l: &RequantizeLane| (l.rounding == Rounding::Stochastic).then_some(random);
            let values = shapes.iter().map(|(l, _)| inputs.iter().copied().chain(with_random(l)).collect());
            cycles.push(values.collect());
            cycles.len()
        };
        push(vec![1, acc[0], mult, 1, 0, zp]);
        for _ in 0..r.below(3) {
            push(vec![1, 77, 99, 0, 1, zp]);
        }
        let taken = push(vec![1, acc[1], mult, 1, 1, zp]) - 1;
        pairs.push((taken + LATENCY as usize, acc, mult, zp, random));
    }
    cycles.extend(vec![cycles[0].clone(); LATENCY as usize]);
    let outputs = bench.play(&cycles);
    for (at, acc, mult, zp, random) in pairs {
        let sum = i128::from((acc[0] + acc[1]) * mult);
        for (p, (lane, format)) in shapes.iter().enumerate() {
            let draw = rounding::Random { value: (random >> (16 - 9)) as u32, bits: 9 };
            let whole = rounding::shift_round(sum, 9, lane.rounding, Some(draw)) + i128::from(zp);
            assert_eq!(outputs[at][p][0], rounding::saturate(whole, *format), "{lane:?}: {acc:?} mult {mult} zp {zp}");
        }
    }
}
