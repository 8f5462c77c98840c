//! `ternary-gemm`: combinations beyond pairs, sizes, adder macros, and hardware that was broken on purpose.

use std::path::Path;

use bitlathe_cores::{Core, Kind, kinds};
use bitlathe_flow::generate;
use bitlathe_flow::sim::{Options, Simulator};
use bitlathe_flow::tools::Tools;
use bitlathe_flow::verify::{VerifyOptions, verify};
use rayon::prelude::*;
use serde_json::Value;

#[path = "support/model.rs"]
mod model;

use model::check;

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
    let print = |c: &Value| core(c).rtl().expect("checks").files(&[]);
    let plain = |files: &[(String, String)]| -> Vec<String> {
        let lines = files.iter().flat_map(|(_, text)| text.lines().map(str::to_owned));
        lines.filter(|l| !l.trim_start().starts_with("parameter ") && !l.starts_with("module sized_")).collect()
    };
    for tree in ["fabric", "dsp"] {
        let with = |mut config: Value| {
            config["lookup"]["tree"] = tree.into();
            config
        };
        let small = print(&with(sized(12, 2, "sized_small")));
        // 64 times as wide: not a line more, and printed within 100 ms (the best of five, for other work may be going on).
        let wide = with(sized(96, 16, "sized_large"));
        let took = |_| {
            let started = std::time::Instant::now();
            print(&wide);
            started.elapsed()
        };
        let took = (0..5).map(took).min().expect("five runs");
        assert!(took.as_millis() < 100, "{took:?}");
        let (a, b) = (plain(&small), plain(&print(&wide)));
        for (x, y) in a.iter().zip(&b) {
            assert_eq!(x, y);
        }
        assert_eq!(a.len(), b.len());
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

/// Verifies a copy of the core with one text replaced; gives the first failure, which its own command repeats and of which
/// there is a readable wave.
fn broken(file: &str, from: &str, to: &str) -> String {
    let tools = Tools::discover().expect("tools");
    let core = core(&sized(12, 3, "broken"));
    let mut files = generate::print(core.as_ref()).expect("prints").files;
    let victim = files.iter_mut().find(|f| f.path.ends_with(file)).expect("the file is there");
    assert!(victim.text.contains(from), "{file} does not hold `{from}`");
    victim.text = victim.text.replacen(from, to, 1);
    let options = Options { watchdog: 5_000, ..Options::default() };
    let simulator = Simulator::build(&core.interface(), &files, &tools, options).expect("builds");
    let folder = tempfile::tempdir().expect("a folder");
    let first_failure = |jobs, seed, waves: Option<&Path>| {
        let (command, waves) = ("verify".to_string(), waves.map(Path::to_path_buf));
        let options = VerifyOptions { jobs, seed, threads: Some(2), command, waves };
        let report = verify(core.as_ref(), &simulator, &options, &|_, _| ()).expect("runs");
        assert!(!report.passed(), "the broken core passed");
        report.failures.into_iter().next().expect("a failure")
    };
    let failure = first_failure(2, 3, Some(folder.path()));
    let words: Vec<&str> = failure.repeat.split(' ').collect();
    let [_, _, jobs, _, seed] = words[..] else { panic!("{}", failure.repeat) };
    let again = first_failure(jobs.parse().expect("a number"), seed.parse().expect("a number"), None);
    assert_eq!((again.job.as_str(), &again.kind), (failure.job.as_str(), &failure.kind));
    let wave = wellen::simple::read(failure.wave.as_ref().expect("a wave")).expect("a readable wave");
    let hierarchy = wave.hierarchy();
    let names: Vec<&str> = hierarchy.all_vars().map(|v| hierarchy[v].name(hierarchy)).collect();
    for port in ["clk_i", "w_valid_i", "y_data_o"] {
        assert!(names.contains(&port), "{port} is not in the wave");
    }
    failure.to_string()
}

#[test]
fn a_wrong_table_entry_is_reported_with_its_operands() {
    // Entry 5 is written to address 6.
    let report = broken("fill_control_dense3.v", "step_word[3:0]", "(step_word[3:0] == 4'd5 ? 4'd6 : step_word[3:0])");
    for part in ["y[", "expected", "got", "at cycle", "x[", "w[", "to repeat: verify --jobs ", "wave: "] {
        assert!(report.contains(part), "no `{part}` in:\n{report}");
    }
}

#[test]
fn a_dropped_handshake_names_the_blocked_stream() {
    let report = broken("issue_control.v", "assign w_ready_o = may;", "assign w_ready_o = 1'b0;");
    assert!(report.contains("`w`"), "{report}");
}
