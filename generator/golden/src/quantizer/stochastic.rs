//! `stochastic`: four fraction bits rounded against the state of a 4-bit LFSR.

use bitlathe_spec::Rounding;

use super::beats::Matrix;
use super::{Inputs, QuantizerError, check_output_bits, check_shift};
use crate::arguments::{ArgumentError, shift_per_channel};
use crate::lfsr::Lfsr;
use crate::rounding::{OutputFormat, Random, requantize};

/// Every state of the 4-bit LFSR once: the seeds with which 15 adjacent lanes are least correlated.
pub const SEEDS: [u8; 15] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// t = (x·2^4) >> s, which drops what is below 2^-4; y = sat((t + r) >> 4).
///
/// r in 1..=15 is the state of a 4-bit LFSR (s' = {s2, s1, s0, s3 ^ s2}, period 15), rotated right by one bit:
/// {s0, s3, s2, s1}. Lane i reads LFSR i mod M, M the number of seeds. Over the period r takes each of 1..=15 once, so the
/// fraction k/16 rounds up in k of 15 steps. That is a mean bias of +1/32 of a step over exact sixteenths, and of 0 where
/// the bits that were dropped are uniform.
///
/// The rotation is there for the lanes: neighbours that read the same register in different phases must not round
/// alike. Of the 60 sequences (15 phases, 4 rotations) just one set of 15 has no two with a correlation over 0.3, the 15
/// phases of this rotation (at most 0.243); unrotated phases reach 0.386.
///
/// x·2^4 has 36 bits. The unit is RLSRU of LowGradQ (DATE 2025): a reused LFSR against four fraction bits. The lane map
/// is ours; the paper gives none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stochastic {
    /// Integer type of the output: 4 or 8 bits.
    pub format: OutputFormat,
    /// The constant number of fraction bits of x, 0..=47; `None`: the input `shift` gives it.
    pub shift: Option<u32>,
    /// First states of the LFSRs: one to fifteen different numbers in 1..=15.
    pub seeds: Vec<u8>,
}

impl Stochastic {
    pub(super) fn check(&self) -> Result<(), QuantizerError> {
        check_output_bits(self.format.bits)?;
        check_shift(self.shift)?;
        let distinct = (1..=15).filter(|s| self.seeds.contains(s)).count();
        let legal = distinct == self.seeds.len() && distinct > 0;
        if legal { Ok(()) } else { Err(QuantizerError::Seeds(self.seeds.clone())) }
    }

    pub(super) fn run(&self, x: &Matrix, inputs: &Inputs<'_>, lanes: usize) -> Result<Vec<i64>, ArgumentError> {
        let shift = shift_per_channel(self.shift, inputs.shift, x.columns)?;
        let lfsrs = self.seeds.iter().map(|&s| Lfsr::four_bit(s.into())).collect();
        Ok(x.map_beats(lanes, lfsrs, |value, column, lfsrs| {
            let t = (value << 4) >> shift.at(column);
            let random = drawn(&lfsrs[column % lanes % lfsrs.len()]);
            requantize(t, 1, 4, 0, self.format, Rounding::Stochastic, Some(random))
        }))
    }
}

/// The state rotated right by one bit.
fn drawn(lfsr: &Lfsr) -> Random {
    let s = lfsr.state();
    Random { value: s >> 1 | (s & 1) << 3, bits: 4 }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{INT8, matrix, y};
    use super::super::{Method, Quantizer};
    use super::*;

    const LANES: usize = 64;
    const PERIOD: usize = 15;

    fn core(lanes: usize, shift: u32, seeds: &[u8]) -> Quantizer {
        let method = Stochastic { format: INT8, shift: Some(shift), seeds: seeds.to_vec() };
        Quantizer { input_bits: 32, lanes, method: Method::Stochastic(method) }
    }

    /// y of one value in all lanes over the whole period, [step][lane].
    fn held(value: i64, shift: u32, lanes: usize) -> Vec<i64> {
        y(&core(lanes, shift, &SEEDS), &Inputs::of(&matrix(lanes, vec![value; lanes * PERIOD])))
    }

    /// r of every lane at every step, [lane][step], found by counting the fractions that round up.
    fn random_numbers() -> Vec<Vec<i64>> {
        let up: Vec<Vec<i64>> = (0..16).map(|k| held(k, 4, LANES)).collect();
        let r = |lane, step: usize| up.iter().map(|y| y[step * LANES + lane]).sum();
        (0..LANES).map(|lane| (0..PERIOD).map(|step| r(lane, step)).collect()).collect()
    }

    fn correlation(a: &[i64], b: &[i64]) -> f64 {
        let mean = |v: &[i64]| v.iter().sum::<i64>() as f64 / v.len() as f64;
        let product = |a: &[i64], b: &[i64]| {
            let (ma, mb) = (mean(a), mean(b));
            a.iter().zip(b).map(|(&x, &y)| (x as f64 - ma) * (y as f64 - mb)).sum::<f64>()
        };
        product(a, b) / (product(a, a) * product(b, b)).sqrt()
    }

    /// The states of the LFSR from a seed on, rotated left by `by` bits.
    fn states(seed: u8, by: u32) -> Vec<i64> {
        let mut lfsr = Lfsr::four_bit(seed.into());
        let mut state = || {
            let s = i64::from(lfsr.state());
            lfsr.step();
            (s << by | s >> (4 - by)) & 15
        };
        (0..PERIOD).map(|_| state()).collect()
    }

    #[test]
    fn lanes_read_the_rotated_states_of_their_seeds() {
        let r = random_numbers();
        for (lane, r) in r.iter().enumerate() {
            assert_eq!(*r, states(SEEDS[lane % 15], 3), "lane {lane}");
        }
    }

    /// All 240 pairs of a fraction and a state, on positive and negative integers.
    #[test]
    fn every_fraction_meets_every_state() {
        let r = random_numbers();
        let mut seen = std::collections::BTreeSet::new();
        for whole in [-7, -1, 0, 1, 100] {
            for k in 0..16 {
                for (i, got) in held(16 * whole + k, 4, LANES).into_iter().enumerate() {
                    let r = r[i % LANES][i / LANES];
                    seen.insert((k, r));
                    assert_eq!(got, whole + i64::from(k + r >= 16), "{whole} + {k}/16 against {r}");
                }
            }
        }
        assert_eq!(seen.len(), 240);
    }

    #[test]
    fn a_fraction_of_k_sixteenths_rounds_up_k_times_of_fifteen_in_every_lane() {
        for k in 0..16 {
            let got = held(k, 4, LANES);
            for lane in 0..LANES {
                let up: i64 = got.iter().skip(lane).step_by(LANES).sum();
                assert_eq!(up, k, "{k}/16 in lane {lane}");
            }
        }
    }

    /// Sum of y minus the real value over `values` and the period, in steps.
    fn bias(values: std::ops::Range<i64>, shift: u32) -> f64 {
        let n = values.clone().count() * PERIOD;
        let step = (1i64 << shift) as f64;
        let error = |v: i64| held(v, shift, 1).iter().map(|&y| y as f64 - v as f64 / step).sum::<f64>();
        values.map(error).sum::<f64>() / n as f64
    }

    #[test]
    fn the_mean_bias_is_a_thirty_second_over_sixteenths_and_nothing_over_fine_fractions() {
        assert!((bias(-32..32, 4) - 1.0 / 32.0).abs() < 1e-12);
        // A grid of 2^-12 stands half of 2^-12 below the continuum.
        assert!((bias(-4096..4096, 12) - 0.5 / 4096.0).abs() < 1e-12);
    }

    #[test]
    fn lanes_within_fifteen_are_hardly_correlated() {
        let r = random_numbers();
        let (mut near, mut any) = (0.0f64, 0.0f64);
        for i in 0..LANES {
            for j in i + 1..LANES {
                let c = correlation(&r[i], &r[j]).abs();
                any = any.max(c);
                near = if j - i < 15 { near.max(c) } else { near };
            }
        }
        println!("largest correlation: {near:.3} within 15 adjacent lanes, {any:.3} of all {LANES} lanes");
        assert!((near - 0.243).abs() < 5e-4, "{near}");
        let plain = (1..15).map(|i| correlation(&states(1, 0), &states(SEEDS[i], 0)).abs()).fold(0.0, f64::max);
        assert!((plain - 0.386).abs() < 5e-4, "{plain}");
    }

    /// Sets of `want` sequences, no two with a correlation over 0.3, among the candidates of a bit mask.
    fn independent_sets(friends: &[u64], mut candidates: u64, want: u32) -> Vec<u64> {
        let mut found = vec![];
        while candidates.count_ones() >= want {
            let first = candidates.trailing_zeros();
            candidates &= candidates - 1;
            let rest = match want {
                1 => vec![0],
                _ => independent_sets(friends, candidates & friends[first as usize], want - 1),
            };
            found.extend(rest.iter().map(|set| set | 1 << first));
        }
        found
    }

    #[test]
    fn no_other_choice_of_sequences_gives_fifteen_lanes() {
        let all: Vec<Vec<i64>> = (0..60).map(|n| states(SEEDS[n % 15], n as u32 / 15)).collect();
        let friend = |a: &[i64], n: usize| u64::from(correlation(a, &all[n]).abs() <= 0.3 + 1e-9) << n;
        let friends: Vec<u64> = all.iter().map(|a| (0..60).map(|n| friend(a, n)).sum()).collect();
        let last_rotation = ((1u64 << 15) - 1) << 45;
        assert_eq!(independent_sets(&friends, (1 << 60) - 1, 15), [last_rotation]);
    }

    #[test]
    fn fewer_seeds_repeat_after_as_many_lanes() {
        let got = y(&core(7, 4, &[5, 9, 2]), &Inputs::of(&matrix(7, vec![8; 7 * PERIOD])));
        let lane = |n: usize| got.iter().skip(n).step_by(7).collect::<Vec<_>>();
        assert!((3..7).all(|n| lane(n) == lane(n - 3)));
        assert!(lane(0) != lane(1) && lane(1) != lane(2) && lane(0) != lane(2));
    }

    #[test]
    fn both_ends_saturate_and_shifts_reach_their_limits() {
        let ends = matrix(1, vec![i32::MIN.into(), i32::MAX.into()]);
        assert_eq!(y(&core(1, 0, &[1]), &Inputs::of(&ends)), [-128, 127]);
        // Below 2^-4 nothing is left of a positive value; a negative one keeps its sign: -1/16.
        for got in held(i32::MAX.into(), 47, 3) {
            assert_eq!(got, 0);
        }
        let up = held(i32::MIN.into(), 47, 1);
        assert_eq!((up.iter().sum::<i64>(), up.len()), (0, 15), "-1/16 + r/16 is in 0..1");
    }
}
