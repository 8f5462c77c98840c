//! The shift registers of stochastic rounding against the golden ones.

use bitlathe_cores::parts::lfsr::{lfsr4, lfsr16};
use bitlathe_cores::random::Random;
use bitlathe_golden::lfsr::Lfsr;

use super::bench::{Bench, Cycle, Part};

#[test]
fn states_follow_the_golden_registers_through_steps_pauses_and_restarts() {
    let parts = [lfsr16(), lfsr4(1), lfsr4(9)].map(Part::new);
    let start = [Lfsr::of_lane(0), Lfsr::four_bit(1), Lfsr::four_bit(9)];
    let mut r = Random::new(6);
    // First all 15 states of the short ones in a row, then anything.
    let cycles: Vec<Cycle> = (0..3000)
        .map(|t| match t {
            0..20 => vec![vec![1, 0]; 3],
            _ => (0..3).map(|_| vec![i64::from(r.below(4) != 0), i64::from(r.below(40) == 0)]).collect(),
        })
        .collect();
    let outputs = Bench::new("lfsrs", &parts).play(&cycles);
    for (n, first) in start.into_iter().enumerate() {
        let mut model = first;
        for (t, (cycle, now)) in cycles.iter().zip(&outputs).enumerate() {
            assert_eq!(now[n][0], i64::from(model.state()), "part {n} in cycle {t}");
            match cycle[n][..] {
                [_, 1] => model = first,
                [1, _] => model.step(),
                _ => {}
            }
        }
        let seen: std::collections::BTreeSet<i64> = outputs[..15].iter().map(|o| o[n][0]).collect();
        assert_eq!(seen.len(), 15, "fifteen states in a row are different ones");
    }
}
