//! Our FIFO and our 16-bit MAC against those of `rust-hdl` 0.46, an independent language: the same stimulus through both under
//! Verilator, and both FIFOs side by side in one proof.

use std::rc::Rc;

use bitlathe_cores::parts::fifo::fifo;
use bitlathe_cores::random::Random;
use bitlathe_flow::lint;
use bitlathe_flow::sim::StallMode;
use bitlathe_flow::synth::{FormalMode, Verdict, prove_formal};
use bitlathe_flow::tools::Tools;
use bitlathe_hdl::{Clock, Expr, Module, Unit, Wire, bit, check, concat, sint, uint};
use bitlathe_oracles::array::mac_array;
use bitlathe_oracles::mac_cell::{Mac, mac_cell};
use bitlathe_oracles::rust_hdl::{self, ACC, W};
use bitlathe_oracles::{Bench, Lanes, files};
use bitlathe_spec::SourceFile;

const MAC: Mac = Mac { width: W as i64, acc: ACC as i64, terms: 65536 };

/// The printed module, and theirs as the module `top` that it instantiates.
fn with_theirs(unit: &Rc<Unit>, theirs: String) -> Vec<SourceFile> {
    let mut files = files(&check(unit).unwrap_or_else(|e| panic!("{e}")));
    files.push(SourceFile { path: "top.v".into(), text: theirs });
    files
}

/// Beats of `a`, `b` and `clear` into a cell, its sum and what it passes on out of it. Idle cycles add zero.
fn mac_bench(name: &str, cell: impl Fn(&Module, &Clock, [&Expr; 3], [&Wire; 3])) -> Rc<Unit> {
    let m = Module::new(name);
    let ck = m.clock();
    let ready = m.wire_later("ready", bit());
    let x = m.sink("x", uint(3 * W as i64), false).take(&!ck.reset());
    let lane = |name: &str, n: i64| {
        let value = x.data.slice(W as i64 * n, W as i64) & x.valid.repeat(W as i64);
        m.wire(name, &value).as_signed()
    };
    let (a, b, clear) = (lane("a", 0), lane("b", 1), m.wire("clear", &(x.data.bit(2 * W as i64) & &x.valid)));
    let out = |name: &str, bits: usize| m.wire_later(name, sint(bits as i64));
    let (a_next, b_next, sum) = (out("a_next", W), out("b_next", W), out("sum", ACC));
    cell(&m, &ck, [&a, &b, &clear], [&a_next, &b_next, &sum]);
    let wide = |w: &Wire| w.extend(ACC as i64).as_unsigned();
    let y = concat(&[&wide(&b_next), &wide(&a_next), &sum.as_unsigned()]);
    m.stream("y", ck.delay("valid", &x.valid, 1), m.wire("y", &y), None, ready).source("y");
    m.finish()
}

/// Random and extreme operands; sums start at random.
fn mac_stimulus(beats: usize) -> Vec<i64> {
    let mut r = Random::new(8);
    let mut operand = move || match r.below(4) {
        0 => -32768,
        1 => 32767,
        _ => r.below(65536) as i64 - 32768,
    };
    let mut fresh = Random::new(9);
    (0..beats).flat_map(|n| [operand(), operand(), i64::from(n == 0 || fresh.below(200) == 0)]).collect()
}

#[test]
fn a_mac_cell_of_16_bits_equals_theirs() {
    let ours = mac_bench("ours", |m, ck, [a, b, clear], [a_next, b_next, sum]| {
        m.instance("u_cell", &mac_cell(&MAC))
            .param("W", MAC.width)
            .param("ACC", MAC.acc)
            .param("TERMS", MAC.terms)
            .clock(ck)
            .input("a_i", a)
            .input("b_i", b)
            .input("clear_i", clear)
            .output("a_o", a_next)
            .output("b_o", b_next)
            .output("sum_o", sum)
            .done();
    });
    let theirs = mac_bench("theirs", |m, ck, [a, b, clear], [a_next, b_next, sum]| {
        m.primitive("u_cell", "top", &[])
            .input("clock", &m.clock_value(ck))
            .input("a", a)
            .input("b", b)
            .input("clear", clear)
            .output("a_next", a_next)
            .output("b_next", b_next)
            .output("sum", sum)
            .done();
    });
    let lanes = |name, bits: usize| Lanes { name, count: 3, bits: bits as u32, last: false };
    let bench = |name, files: &[SourceFile]| Bench::new(name, files, lanes("x", W), lanes("y", ACC));
    let ours = bench("ours", &files(&check(&ours).unwrap_or_else(|e| panic!("{e}"))));
    let theirs = bench("theirs", &with_theirs(&theirs, rust_hdl::mac_cell()));
    let x = mac_stimulus(5000);
    let mut sum = 0;
    let mut want = vec![];
    for beat in x.chunks(3) {
        sum = if beat[2] == 1 { 0 } else { sum } + beat[0] * beat[1];
        want.extend([sum, beat[0], beat[1]]);
    }
    for (mode, seed) in [(StallMode::None, 0), (StallMode::IdleSource, 1)] {
        let (ours, theirs) = (ours.run(&x, mode, seed), theirs.run(&x, mode, seed));
        assert!(ours == theirs, "{mode:?}: the cells differ");
        assert!(ours == want, "{mode:?}: both differ from integers");
    }
}

/// Their FIFO with our handshakes.
fn their_queue() -> Rc<Unit> {
    let m = Module::new("their_queue");
    let ck = m.clock();
    m.allow(&ck.reset(), "UNUSEDSIGNAL", "their registers start at zero");
    let [full, empty] = ["full", "empty"].map(|n| m.wire_later(n, bit()));
    let data = m.wire_later("data", uint(8));
    let ready = m.wire_later("ready", bit());
    let s = m.sink("s", uint(8), false).take(&!&*full);
    m.primitive("u_fifo", "top", &[])
        .input("clock", &m.clock_value(&ck))
        .input("write", &(&s.valid & !&*full))
        .input("data_in", &s.data)
        .output("full", &full)
        .input("read", &(&*ready & !&*empty))
        .output("data_out", &data)
        .output("empty", &empty)
        .done();
    m.stream("m", !&*empty, (*data).clone(), None, ready).source("m");
    m.finish()
}

#[test]
fn a_fifo_equals_theirs_under_every_stall_pattern() {
    let lanes = |name| Lanes { name, count: 1, bits: 8, last: false };
    let ours = files(&check(&fifo(8, 2)).unwrap_or_else(|e| panic!("{e}")));
    let ours = Bench::new("fifo", &ours, lanes("s"), lanes("m"));
    let theirs = with_theirs(&their_queue(), rust_hdl::fifo());
    let theirs = Bench::new("their_queue", &theirs, lanes("s"), lanes("m"));
    let mut r = Random::new(4);
    let x: Vec<i64> = (0..2000).map(|_| r.below(256) as i64 - 128).collect();
    for mode in [StallMode::None, StallMode::IdleSource, StallMode::Backpressure, StallMode::Both] {
        for seed in 0..4 {
            let (ours, theirs) = (ours.run(&x, mode, seed), theirs.run(&x, mode, seed));
            assert!(ours == theirs && ours == x, "{mode:?} {seed}");
        }
    }
}

#[test]
fn a_fifo_is_proven_to_hold_and_to_offer_what_theirs_does() {
    let tools = Tools::discover().expect("tools");
    let mut sources = with_theirs(&their_queue(), rust_hdl::fifo());
    sources.extend(files(&check(&fifo(8, 2)).unwrap_or_else(|e| panic!("{e}"))));
    let rules = include_str!("fifo_pair.v");
    let verdict = |sources: &[SourceFile], rules: &str| {
        let rules = SourceFile { path: "fifo_pair.v".into(), text: rules.into() };
        let files: Vec<_> = sources.iter().cloned().chain([rules]).collect();
        prove_formal(&files, "fifo_pair", FormalMode::Bmc, 10, &tools).expect("the prover runs")
    };
    let proven = verdict(&sources, rules);
    assert!(matches!(proven, Verdict::Proven), "{proven:?}");
    // One of ours holds eight beats: it is ready when theirs is full.
    let refuted = verdict(&sources, &rules.replace(".DEPTH_W(2)", ".DEPTH_W(3)"));
    assert!(matches!(refuted, Verdict::Refuted(_)), "{refuted:?}");
}

#[test]
fn the_array_is_lint_clean() {
    let files = files(&check(&mac_array(4, &MAC)).unwrap_or_else(|e| panic!("{e}")));
    let found = lint::lint(&files, "mac_array", &Tools::discover().expect("tools")).expect("lint runs");
    assert!(found.is_empty(), "{found:?}");
}
