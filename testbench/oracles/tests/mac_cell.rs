//! The example `mac_cell` as a systolic array of two by two, against plain integers.

use std::rc::Rc;

use bitlathe_cores::random::Random;
use bitlathe_flow::lint;
use bitlathe_flow::sim::StallMode;
use bitlathe_flow::tools::Tools;
use bitlathe_hdl::{Clock, Expr, Module, Unit, bit, check, concat, sint, uint};
use bitlathe_oracles::mac_cell::{Mac, mac_cell};
use bitlathe_oracles::{Bench, Lanes, files};

const W: i64 = 8;
const ACC: i64 = 24;
const TERMS: usize = 256;
/// Lanes of a beat: two values of `a`, two of `b`, and whether the beat starts new sums.
const LANES: usize = 5;

/// Two by two cells. A beat enters the array skewed; the four sums leave together three cycles later.
fn array() -> Rc<Unit> {
    let cell = mac_cell(&Mac { width: W, acc: ACC, terms: TERMS as i64 });
    let m = Module::new("array");
    let ck = m.clock();
    let y_ready = m.wire_later("y_ready", bit());
    let x = m.sink("x", uint(W * LANES as i64), false).take(&!ck.reset());
    // Idle cycles add zero and clear nothing.
    let lane = |n: i64| m.wire(&format!("lane_{n}"), &(x.data.slice(W * n, W) & x.valid.repeat(W)));
    let [a0, a1, b0, b1, clear] = [0, 1, 2, 3, 4].map(lane);
    m.allow(&clear, "UNUSEDSIGNAL", "one bit counts");
    let clear = clear.bit(0);
    let late = |name: &str, v: &Expr, n| ck.delay(name, v, n);
    let (clear1, clear2) = (late("clear1", &clear, 1), late("clear2", &clear, 2));
    let place = |name: &str, a: &Expr, b: &Expr, clear: &Expr| cell_at(&m, &ck, &cell, name, [a, b, clear]);
    let (a0_next, b0_next, s00) = place("c00", &a0.as_signed(), &b0.as_signed(), &clear);
    let (a0_out, b1_next, s01) = place("c01", &a0_next, &late("b1", &b1, 1).as_signed(), &clear1);
    let (a1_next, b0_out, s10) = place("c10", &late("a1", &a1, 1).as_signed(), &b0_next, &clear1);
    let (a1_out, b1_out, s11) = place("c11", &a1_next, &b1_next, &clear2);
    for edge in [a0_out, b0_out, a1_out, b1_out] {
        m.allow(&edge, "UNUSEDSIGNAL", "nobody stands beyond the edge");
    }
    let sums = [(s11, 0), (s10, 1), (s01, 1), (s00, 2)];
    let sums = sums.iter().enumerate().map(|(n, (s, lag))| late(&format!("sum{n}"), s, *lag)).collect::<Vec<_>>();
    let y = concat(&sums.iter().collect::<Vec<_>>());
    let valid = late("valid", &x.valid, 3);
    m.stream("y", valid, m.wire("y_data", &y), None, y_ready.clone()).source("y");
    m.allow(&y_ready, "UNUSEDSIGNAL", "the array does not wait");
    m.finish()
}

/// A cell with its outputs: `a`, `b` and the sum.
fn cell_at(m: &Module, ck: &Clock, cell: &Rc<Unit>, name: &str, [a, b, clear]: [&Expr; 3]) -> (Expr, Expr, Expr) {
    let out = |port: &str, bits| m.wire_later(&format!("{name}_{port}"), sint(bits));
    let (a_next, b_next, sum) = (out("a", W), out("b", W), out("sum", ACC));
    m.instance(&format!("u_{name}"), cell)
        .param("W", W)
        .param("ACC", ACC)
        .param("TERMS", TERMS as i64)
        .clock(ck)
        .input("a_i", a)
        .input("b_i", b)
        .input("clear_i", clear)
        .output("a_o", &a_next)
        .output("b_o", &b_next)
        .output("sum_o", &sum)
        .done();
    ((*a_next).clone(), (*b_next).clone(), (*sum).clone())
}

/// Beats that start a sum at random, after `TERMS` beats at the latest; the first sums are the largest there are.
fn stimulus(beats: usize) -> Vec<i64> {
    let mut r = Random::new(3);
    let mut since = TERMS;
    let mut x = vec![];
    for n in 0..beats {
        let fresh = since == TERMS || n > 2 * TERMS && r.below(40) == 0;
        since = if fresh { 1 } else { since + 1 };
        let mut operand = || match n / TERMS {
            0 => -128,
            1 => [-128, 127][n % 2],
            _ => r.below(256) as i64 - 128,
        };
        x.extend([operand(), operand(), operand(), operand(), i64::from(fresh)]);
    }
    x
}

fn expected(x: &[i64]) -> Vec<i64> {
    let mut sums = [0i64; 4];
    let mut y = vec![];
    for beat in x.chunks(LANES) {
        for (n, sum) in sums.iter_mut().enumerate() {
            let product = beat[n / 2] * beat[2 + n % 2];
            *sum = if beat[4] == 1 { product } else { *sum + product };
        }
        y.extend(sums);
    }
    y
}

#[test]
fn an_array_of_mac_cells_computes_dot_products() {
    let files = files(&check(&array()).unwrap_or_else(|e| panic!("{e}")));
    let found = lint::lint(&files, "array", &Tools::discover().expect("tools")).expect("lint runs");
    assert!(found.is_empty(), "{found:?}");
    let x = stimulus(4000);
    let want = expected(&x);
    assert!(want.contains(&(1 << 22)), "the largest sum occurs");
    let input = Lanes { name: "x", count: LANES, bits: W as u32, last: false };
    let output = Lanes { name: "y", count: 4, bits: ACC as u32, last: false };
    let bench = Bench::new("array", &files, input, output);
    for (mode, seed) in [(StallMode::None, 0), (StallMode::IdleSource, 1), (StallMode::IdleSource, 2)] {
        assert!(bench.run(&x, mode, seed) == want, "{mode:?} {seed}");
    }
}
