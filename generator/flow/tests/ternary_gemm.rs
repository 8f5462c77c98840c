//! `ternary-gemm` under Verilator: every legal pair of options against the golden model, under every stall pattern.

use std::path::Path;

use bitlathe_cores::{Core, Kind, kinds};
use bitlathe_flow::sim::{Options, Simulator};
use bitlathe_flow::tools::Tools;
use bitlathe_flow::verify::{VerifyOptions, verify};
use bitlathe_flow::{generate, lint};
use rayon::prelude::*;
use serde_json::Value;

fn kind() -> &'static dyn Kind {
    *kinds().iter().find(|k| k.name() == "ternary-gemm").expect("the kind is registered")
}

fn core(config: &Value) -> Box<dyn Core> {
    kind().configure(config).unwrap_or_else(|e| panic!("{config}: {e:?}"))
}

fn check(config: &Value, tools: &Tools) -> Result<(), String> {
    let core = core(config);
    let fail = |e: &dyn std::fmt::Display| format!("{config}\n{e}");
    let rtl = generate::print(core.as_ref()).map_err(|e| fail(&e))?;
    let simulator = Simulator::build(&core.interface(), &rtl.files, tools, Options::default()).map_err(|e| fail(&e))?;
    let options = VerifyOptions { jobs: 6, seed: 11, threads: Some(1), command: String::new(), waves: None };
    let report = verify(core.as_ref(), &simulator, &options, &|_, _| ()).map_err(|e| fail(&e))?;
    if report.passed() {
        Ok(())
    } else {
        Err(fail(&report.failures.first().map_or("coverage is not filled".into(), ToString::to_string)))
    }
}

#[test]
fn every_legal_pair_of_options_equals_the_model() {
    let tools = Tools::discover().expect("tools");
    let failures: Vec<String> = kind().legal_pairs().par_iter().filter_map(|c| check(c, &tools).err()).collect();
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn generated_verilog_is_lint_clean() {
    let tools = Tools::discover().expect("tools");
    let messages: Vec<String> = kind()
        .legal_pairs()
        .par_iter()
        .step_by(4)
        .flat_map_iter(|c| {
            let core = core(c);
            let rtl = generate::print(core.as_ref()).expect("prints");
            let found = lint::lint(&rtl.files, &core.interface().top, &tools).expect("lint runs");
            found.into_iter().map(|m| format!("{c}: {m:?}")).collect::<Vec<_>>()
        })
        .collect();
    assert!(messages.is_empty(), "{}", messages.join("\n"));
}

/// A core of a quick size, with changes.
fn sized(k_lanes: u64, m_lanes: u64, name: &str) -> Value {
    serde_json::json!({
        "kind": "ternary-gemm", "name": name, "target": {"name": "kv260"}, "shape": {"k_max": 4000, "m_max": 4000},
        "parallel": {"k_lanes": k_lanes, "m_lanes": m_lanes}, "lookup": {"style": "lutram"},
    })
}

#[test]
fn two_sizes_differ_in_parameter_defaults_banner_and_top_name_only() {
    let print = |c: &Value| {
        let core = core(c);
        let started = std::time::Instant::now();
        let files = core.rtl().expect("checks").files(&[]);
        (files, started.elapsed())
    };
    let plain = |files: &[(String, String)]| -> Vec<String> {
        let lines = files.iter().flat_map(|(_, text)| text.lines().map(str::to_owned));
        lines.filter(|l| !l.trim_start().starts_with("parameter ") && !l.starts_with("module sized_")).collect()
    };
    let (small, _) = print(&sized(12, 2, "sized_small"));
    // 64 times as wide.
    let (large, took) = print(&sized(96, 16, "sized_large"));
    let (a, b) = (plain(&small), plain(&large));
    for (x, y) in a.iter().zip(&b) {
        assert_eq!(x, y);
    }
    assert_eq!(a.len(), b.len());
    assert!(took.as_millis() < 1000, "{took:?}");
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

#[test]
fn the_generated_testbench_passes_in_icarus() {
    let tools = Tools::discover().expect("tools");
    if !tools.has("iverilog") {
        println!("skipped: iverilog is missing; Debian's package iverilog has it");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("core");
    let core = core(&kind().legal_pairs()[0]);
    generate::generate(core.as_ref(), &out, &generate::Options::default()).expect("generates");
    let top = core.interface().top;
    let rtl: Vec<_> = std::fs::read_dir(out.join("rtl")).expect("rtl").map(|e| e.expect("entry").path()).collect();
    let vvp = folder.path().join("tb.vvp");
    let mut compile = tools.command("iverilog").expect("iverilog");
    compile
        .arg("-g2005")
        .arg("-o")
        .arg(&vvp)
        .arg("-s")
        .arg(format!("{top}_tb"))
        .arg(out.join(format!("tb/{top}_tb.v")))
        .args(rtl);
    assert!(compile.status().expect("iverilog runs").success());
    let run =
        tools.command("vvp").expect("vvp").arg("-N").arg(&vvp).current_dir(out.join("tb")).output().expect("vvp runs");
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(text.contains("PASS"), "{text}");
}

/// The folder below `ip/` holds what the generator writes today; `BITLATHE_UPDATE=1` rewrites it.
#[test]
fn the_catalogue_holds_what_the_generator_writes() {
    let ip = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ip/ternary-gemm");
    let config = std::fs::read_to_string(ip.join("core.toml")).expect("core.toml");
    let document: Value = toml::from_str(&config).expect("TOML");
    let core = core(&document);
    let printed = generate::print(core.as_ref()).expect("prints").files;
    for f in &printed {
        let path = ip.join("rtl").join(&f.path);
        if std::env::var_os("BITLATHE_UPDATE").is_some() {
            std::fs::create_dir_all(ip.join("rtl")).expect("rtl");
            std::fs::write(&path, &f.text).expect("writes");
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == f.text, "{} is out of date; BITLATHE_UPDATE=1 cargo test rewrites it", path.display());
    }
    let kept = std::fs::read_dir(ip.join("rtl")).expect("rtl").count();
    assert_eq!(kept, printed.len(), "ip/ternary-gemm/rtl holds a file that is no longer written");
}
