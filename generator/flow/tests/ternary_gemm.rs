//! `ternary-gemm`: combinations beyond pairs, sizes, adder macros, and hardware that was broken on purpose.

use bitlathe_cores::{Core, Kind, kinds};
use bitlathe_flow::generate;
use bitlathe_flow::tools::Tools;
use rayon::prelude::*;
use serde_json::Value;

#[path = "support/broken.rs"]
mod broken;
#[path = "support/model.rs"]
mod model;
#[path = "support/sizes.rs"]
mod sizes;

use broken::broken;
use model::check;
use sizes::assert_same_but_for_sizes;

fn kind() -> &'static dyn Kind {
    *kinds().iter().find(|k| k.name() == "ternary-gemm").expect("the kind is registered")
}

fn core(config: &Value) -> Box<dyn Core> {
    kind().configure(config).unwrap_or_else(|e| panic!("{config}: {e:?}"))
}

/// Two planes, a batch and a requantizer are three options: the cover of pairs need not hold them together.
#[test]
fn requantized_planes_meet_across_the_batch() {
    let tools = Tools::discover().expect("tools");
    let config = |(batch, per_row, rounding): (u64, bool, &str)| {
        serde_json::json!({
            "kind": "ternary-gemm", "name": "planes", "target": {"name": "kv260"}, "shape": {"k_max": 53, "m_max": 17},
            "parallel": {"k_lanes": 12, "m_lanes": 3, "batch": batch}, "weights": {"planes": 2},
            "output": {"kind": "requant", "shift": [4, 20], "per_row": per_row, "rounding": rounding},
        })
    };
    let cases = [(1, false, "half-even"), (2, true, "half-away"), (2, false, "stochastic"), (5, true, "half-even")];
    let failures: Vec<String> =
        cases.par_iter().filter_map(|c| check(core(&config(*c)).as_ref(), &tools).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// Twenty pairs a row take two levels of DSP columns, in lanes of 24 bits and in whole adders.
#[test]
fn trees_on_dsp_blocks_have_levels() {
    let tools = Tools::discover().expect("tools");
    for bits in [8, 16] {
        let config = serde_json::json!({
            "kind": "ternary-gemm", "name": "levels", "target": {"name": "kv260"}, "shape": {"k_max": 300, "m_max": 17},
            "act": {"bits": bits}, "parallel": {"k_lanes": 40, "m_lanes": 3},
            "lookup": {"style": "addsub", "tree": "dsp"}, "weights": {"encoding": "trit2"},
        });
        check(core(&config).as_ref(), &tools).unwrap_or_else(|e| panic!("{e}"));
    }
}

/// A core of a quick size.
fn sized(k_lanes: u64, m_lanes: u64, name: &str) -> Value {
    serde_json::json!({
        "kind": "ternary-gemm", "name": name, "target": {"name": "kv260"}, "shape": {"k_max": 4000, "m_max": 4000},
        "parallel": {"k_lanes": k_lanes, "m_lanes": m_lanes}, "lookup": {"style": "lutram", "tree": "fabric"},
    })
}

#[test]
fn two_sizes_differ_in_parameter_defaults_banner_and_top_name_only() {
    for tree in ["fabric", "dsp"] {
        let with = |mut config: Value| {
            config["lookup"]["tree"] = tree.into();
            config
        };
        // 64 times as wide: not a line more, and printed within 100 ms (the best of five, for other work may be going on).
        let wide = core(&with(sized(96, 16, "sized_large")));
        assert_same_but_for_sizes(core(&with(sized(12, 2, "sized_small"))).as_ref(), wide.as_ref());
        let took = |_| {
            let started = std::time::Instant::now();
            wide.rtl().expect("checks").files(&[]);
            started.elapsed()
        };
        let took = (0..5).map(took).min().expect("five runs");
        assert!(took.as_millis() < 100, "{took:?}");
    }
}

#[test]
fn adder_macros_equal_their_behavioural_form() {
    use bitlathe_flow::synth::{Circuit, Start, Verdict, prove_equal};
    let tools = Tools::discover().expect("tools");
    let core = core(&sized(24, 2, "macros"));
    let files = generate::print(core.as_ref()).expect("prints").files;
    for (top, width) in [("signed_pair_add", 10), ("ternary_add", 13), ("ternary_add", 9)] {
        for implementation in [1, 2] {
            let gold = Circuit { top, parameters: &[("WIDTH", width), ("IMPL", 0)] };
            let gate = Circuit { top, parameters: &[("WIDTH", width), ("IMPL", implementation)] };
            let verdict = prove_equal(&files, gold, gate, Start::Any { ignore: 0 }, &tools).expect("the prover runs");
            assert!(matches!(verdict, Verdict::Proven), "{top} {width} {implementation}: {verdict:?}");
        }
    }
    // A wrong bit in a table must be found.
    let broken: Vec<_> = files
        .iter()
        .cloned()
        .map(|mut f| {
            f.text = f.text.replace("64'h69969966e8e88888", "64'h69969966e8e88880");
            f
        })
        .collect();
    let of = |i| Circuit {
        top: "ternary_add",
        parameters: if i == 0 { &[("WIDTH", 9), ("IMPL", 0)] } else { &[("WIDTH", 9), ("IMPL", 1)] },
    };
    let verdict = prove_equal(&broken, of(0), of(1), Start::Any { ignore: 0 }, &tools).expect("the prover runs");
    assert!(matches!(verdict, Verdict::Refuted(_)), "{verdict:?}");
}

fn sample() -> Box<dyn Core> {
    core(&sized(12, 3, "broken"))
}

#[test]
fn a_wrong_table_entry_is_reported_with_its_operands() {
    // Entry 5 is written to address 6.
    let report = broken(
        sample().as_ref(),
        "fill_control_dense3.v",
        "step_word[3:0]",
        "(step_word[3:0] == 4'd5 ? 4'd6 : step_word[3:0])",
    );
    for part in ["y[", "expected", "got", "at cycle", "x[", "w[", "to repeat: verify --jobs ", "wave: "] {
        assert!(report.contains(part), "no `{part}` in:\n{report}");
    }
}

#[test]
fn a_dropped_handshake_names_the_blocked_stream() {
    let report = broken(sample().as_ref(), "issue_control.v", "assign w_ready_o = may;", "assign w_ready_o = 1'b0;");
    assert!(report.contains("`w`"), "{report}");
}
