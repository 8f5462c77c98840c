//! Divider, trees, normaliser and delay line against Rust arithmetic, each at its stated latency.

use std::rc::Rc;

use bitlathe_cores::parts::delay_line::delay_line;
use bitlathe_cores::parts::divider::{self, divider};
use bitlathe_cores::parts::max_tree::{self, max_tree};
use bitlathe_cores::parts::normalise::normalise;
use bitlathe_cores::parts::sum_tree::{self, sum_tree};
use bitlathe_cores::random::Random;
use bitlathe_hdl::{Module, Unit, uint};

use super::bench::{Bench, Cycle, Part};

const DEN_W: i64 = 4;
const Q_W: i64 = 4;

#[test]
fn small_divisions_exhaustively_and_on_time() {
    let cases: Vec<(i64, i64)> =
        (1..1i64 << DEN_W).flat_map(|den| (0..den << Q_W).map(move |num| (num, den))).collect();
    // A division every `period` cycles finds the divider idle when the quotient is taken at once.
    let (latency, period) = (divider::latency(Q_W) as usize, divider::latency(Q_W) as usize + 1);
    let cycles: Vec<Cycle> = cases
        .iter()
        .flat_map(|&(num, den)| (0..period).map(move |t| vec![vec![i64::from(t == 0), num, den, 1]]))
        .collect();
    let outputs = Bench::new("divide_small", &[Part::new(divider(DEN_W, Q_W))]).play(&cycles);
    for (case, seen) in cases.iter().zip(outputs.chunks(period)) {
        for (t, now) in seen.iter().enumerate() {
            let [ready, valid, quotient] = now[0][..] else { panic!("three outputs") };
            assert_eq!((ready, valid), (i64::from(t == 0), i64::from(t == latency)), "{case:?} in cycle {t}");
            assert!(t != latency || quotient == case.0 / case.1, "{case:?} gives {quotient}");
        }
    }
}

#[test]
fn wide_divisions_under_random_handshakes() {
    let mut r = Random::new(21);
    let cycles: Vec<Cycle> = (0..6000)
        .map(|_| {
            let den = 1 + (r.next() >> (32 + r.below(32))) as i64;
            let den = den.min(u32::MAX.into());
            let num = r.below((den as u64) << 16) as i64;
            let num = if r.below(8) == 0 { (den << 16) - 1 } else { num };
            vec![vec![r.below(2) as i64, num, den, r.below(2) as i64]]
        })
        .collect();
    let outputs = Bench::new("divide_wide", &[Part::new(divider(32, 16))]).play(&cycles);
    let mut pending: Option<(usize, i64)> = None;
    let mut done = 0;
    for (t, (cycle, now)) in cycles.iter().zip(&outputs).enumerate() {
        let [offered, num, den, taken] = cycle[0][..] else { panic!("four inputs") };
        let [ready, valid, quotient] = now[0][..] else { panic!("three outputs") };
        let due = pending.is_some_and(|(at, _)| t >= at);
        assert_eq!((ready, valid), (i64::from(pending.is_none()), i64::from(due)), "cycle {t}");
        if let Some((_, expected)) = pending.filter(|_| due) {
            assert_eq!(quotient, expected, "cycle {t}");
            if taken == 1 {
                pending = None;
                done += 1;
            }
        } else if pending.is_none() && offered == 1 {
            pending = Some((t + divider::latency(16) as usize, num / den));
        }
    }
    assert!(done > 200, "{done} divisions");
}

#[test]
fn trees_give_sum_and_maximum_of_any_number_of_values_on_time() {
    let shapes = [(1, 8), (2, 7), (5, 12), (16, 20), (7, 1)];
    let mut parts = vec![];
    for (terms, width) in shapes {
        parts.push(Part::new(sum_tree(terms, width)).vector("values_i", terms as usize));
        parts.push(Part::new(max_tree(terms, width)).vector("values_i", terms as usize));
    }
    let mut r = Random::new(9);
    let mut value = |width: i64| match r.below(4) {
        0 => 0,
        1 => (1 << width) - 1,
        _ => r.below(1 << width) as i64,
    };
    let cycles: Vec<Cycle> = (0..800)
        .map(|_| {
            let mut cycle = vec![];
            for (terms, width) in shapes {
                let values: Vec<i64> = (0..terms).map(|_| value(width)).collect();
                cycle.extend([values.clone(), values]);
            }
            cycle
        })
        .collect();
    let outputs = Bench::new("trees", &parts).play(&cycles);
    for (n, (terms, width)) in shapes.into_iter().enumerate() {
        for (cycle, later) in cycles.iter().zip(&outputs[sum_tree::latency(terms) as usize..]) {
            let sum = cycle[2 * n].iter().sum::<i64>() & ((1 << width) - 1);
            assert_eq!(later[2 * n][0], sum, "sum of {:?}", cycle[2 * n]);
        }
        for (cycle, later) in cycles.iter().zip(&outputs[max_tree::latency(terms) as usize..]) {
            assert_eq!(Some(&later[2 * n + 1][0]), cycle[2 * n + 1].iter().max(), "largest of {:?}", cycle[2 * n + 1]);
        }
    }
}

/// The normaliser as a module of its own.
pub fn normaliser(width: i64, limit: i64) -> Rc<Unit> {
    let m = Module::new(&format!("normalise_{width}_{limit}"));
    m.doc("Leading zeros of a value.");
    let value = m.input("value_i", uint(width));
    let (zeros, moved) = normalise(&m, "n", &value, limit);
    m.output("zeros_o", &zeros);
    m.output("moved_o", &moved);
    m.finish()
}

#[test]
fn normalised_values_exhaustively() {
    let shapes = [(8, 7), (8, 5), (8, 4), (8, 3), (8, 1), (15, 14), (12, 9)];
    let parts: Vec<Part> = shapes.iter().map(|s| Part::new(normaliser(s.0, s.1))).collect();
    let cycles: Vec<Cycle> =
        (0..1i64 << 15).map(|v| shapes.iter().map(|s| vec![v & ((1 << s.0) - 1)]).collect()).collect();
    let outputs = Bench::new("normalise", &parts).play(&cycles);
    for (cycle, now) in cycles.iter().zip(&outputs) {
        for (n, (width, limit)) in shapes.into_iter().enumerate() {
            let value = cycle[n][0];
            let zeros = (i64::from(value.leading_zeros()) - (64 - width)).min(limit);
            assert_eq!(
                now[n],
                [zeros, value << zeros & ((1 << width) - 1)],
                "{value:#b} of {width} bits, limit {limit}"
            );
        }
    }
}

#[test]
fn delay_lines_count_enabled_cycles() {
    let shapes = [(1, false), (3, false), (64, false), (1, true), (7, true)];
    let parts: Vec<Part> = shapes.iter().map(|&(stages, reset)| Part::new(delay_line(11, stages, reset))).collect();
    let mut r = Random::new(4);
    let cycles: Vec<Cycle> = (0..600)
        .map(|_| {
            let inputs = vec![i64::from(r.below(4) != 0), r.below(1 << 11) as i64];
            vec![inputs; shapes.len()]
        })
        .collect();
    let outputs = Bench::new("delay", &parts).play(&cycles);
    for (n, (stages, reset)) in shapes.into_iter().enumerate() {
        let mut taken: Vec<i64> = vec![];
        for (cycle, now) in cycles.iter().zip(&outputs) {
            let [enable, value] = cycle[n][..] else { panic!("two inputs") };
            let expected = match taken.len().checked_sub(stages as usize) {
                Some(at) => Some(taken[at]),
                None => reset.then_some(0),
            };
            assert!(expected.is_none_or(|e| e == now[n][0]), "{stages} stages: {now:?}");
            if enable == 1 {
                taken.push(value);
            }
        }
    }
}
