//! The built program: exit codes, what goes to which stream, one JSON object under `--json`, help texts.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use bitlathe_flow::npy;
use bitlathe_spec::{DType, Tensor};
use serde_json::Value;
use tempfile::TempDir;

const KIND: &str = "ternary-gemm";
/// Settings under which the core takes `x` and `w` alone.
const PLAIN: [&str; 4] = ["--set", "output.kind=int32", "--set", "act.bits=8"];

/// What a run left.
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ran {
    /// Standard output as the one JSON object that it must be.
    fn json(&self) -> Value {
        match serde_json::from_str(&self.stdout) {
            Ok(value @ Value::Object(_)) => value,
            other => panic!("no JSON object ({other:?}):\n{}", self.stdout),
        }
    }
}

/// A folder with a legal `core.toml`.
fn home() -> TempDir {
    let home = tempfile::tempdir().expect("a folder");
    let config = run(home.path(), &["new", KIND]);
    assert_eq!(config.code, Some(0), "{}", config.stderr);
    fs::write(home.path().join("core.toml"), config.stdout).expect("writable");
    home
}

fn command(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bitlathe"));
    command.current_dir(home).args(args).stdin(Stdio::null()).env("NO_COLOR", "1").env_remove("COLUMNS");
    command
}

fn run(home: &Path, args: &[&str]) -> Ran {
    let output = command(home, args).output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn save(home: &Path, name: &str, shape: &[usize], data: Vec<i64>) {
    npy::write(&home.join(name), &Tensor::new(DType::I8, shape, data)).expect("writable");
}

#[test]
fn commands_that_succeed_say_so_and_keep_errors_apart() {
    let home = home();
    for args in
        [&["list"][..], &["schema", KIND], &["doctor"], &["check", "core.toml"], &["new", KIND, "--target", "u280"]]
    {
        let plain = run(home.path(), args);
        assert_eq!((plain.code, plain.stderr.as_str()), (Some(0), ""), "{args:?}");
        assert!(!plain.stdout.is_empty(), "{args:?}");
        let json = run(home.path(), &[args, &["--json"]].concat());
        assert_eq!((json.code, json.stderr.as_str()), (Some(0), ""), "{args:?}");
        json.json();
    }
}

#[test]
fn wrong_input_is_exit_2_with_one_object_of_errors() {
    let home = home();
    fs::write(home.path().join("bytes.toml"), [0xff, 0x00, 0x80]).expect("writable");
    fs::write(home.path().join("syntax.toml"), "kind = \"ternary-gemm\"\nname = gemm\n").expect("writable");
    fs::write(home.path().join("bad.npy"), "no array").expect("writable");
    let wrong: &[&[&str]] = &[
        &[],
        &["frobnicate"],
        &["check"],
        &["check", "no_such.toml"],
        &["check", "."],
        &["check", "bytes.toml"],
        &["check", "syntax.toml"],
        &["check", "core.toml", "--set", "parallel.k_lanes=none"],
        &["check", "core.toml", "--set", "parallel"],
        &["check", "core.toml", "--set", "parallel.k_lanes=99999999999999999999"],
        &["new", "no-such-kind"],
        &["new", KIND, "--target", "no-such-target"],
        &["schema", "no-such-kind"],
        &["golden", "core.toml", "--in", "x"],
        &["golden", "core.toml", "--in", "x=bad.npy", "--out", "y=y.npy"],
        &["golden", "core.toml", "--in", "q=bad.npy", "--out", "y=no/such/y.npy"],
        &["sim", "core.toml", "--in", "x=bad.npy", "--out", "z=z.npy"],
        &["synth", "core.toml", "--flow", "vivado"],
        &["pack", "core.toml", "--weights", "bad.npy"],
        &["pack", "core.toml", "--weights", "bad.npy", "-o", "w.npy"],
        &["pack", "core.toml", "--weights", "no.gguf:t", "-o", "w.npy"],
        &["gen", "core.toml", "-o", "bad.npy"],
        &["gen", "core.toml", "-o", "out", "--synth", "bad.npy"],
        &["package", "core.toml", "-o", "out"],
        &["package", "core.toml", "--for", "quartus", "-o", "out"],
        &["package", "core.toml", "--for", "vivado", "-o", "out"],
    ];
    let before = fs::read_dir(home.path()).expect("a folder").count();
    for args in wrong {
        let plain = run(home.path(), args);
        assert_eq!((plain.code, plain.stdout.as_str()), (Some(2), ""), "{args:?}: {}", plain.stderr);
        let json = run(home.path(), &[args, &["--json"][..]].concat());
        assert_eq!((json.code, json.stderr.as_str()), (Some(2), ""), "{args:?}");
        let errors = json.json()["errors"].as_array().cloned().unwrap_or_default();
        assert!(!errors.is_empty(), "{args:?}");
        for error in &errors {
            for key in ["code", "message", "line", "column", "help"] {
                assert!(error.get(key).is_some(), "{args:?}: no {key} in {error}");
            }
        }
    }
    assert_eq!(fs::read_dir(home.path()).expect("a folder").count(), before, "something was written");
}

#[test]
fn ten_mistakes_in_a_config_are_ten_errors_each_with_its_line() {
    let home = home();
    let text = r#"kind = "ternary-gemm"
name = "core"
colour = "blue"
[target]
name = "kv261"
[shape]
k_max = 0
m_max = "many"
[act]
bits = 7
width = 3
[parallel]
k_lanes = -24
m_lanes = 16.0
batch = 1979-05-27
[lookup]
style = "lutrams"
[output]
kind = "int33"
"#;
    fs::write(home.path().join("wrong.toml"), text).expect("writable");
    let ran = run(home.path(), &["check", "wrong.toml", "--json"]);
    assert_eq!(ran.code, Some(2));
    let errors = ran.json()["errors"].as_array().cloned().unwrap_or_default();
    let lines: Vec<u64> = errors.iter().filter_map(|e| e["line"].as_u64()).collect();
    for line in [3, 7, 8, 10, 11, 13, 14, 15, 17, 19] {
        assert!(lines.contains(&line), "no error for line {line}: {}", ran.stdout);
    }
    assert!(errors.iter().all(|e| e["help"].as_str().is_some_and(|h| !h.is_empty())), "{}", ran.stdout);
}

#[test]
fn new_writes_overrides_into_the_config() {
    let home = home();
    let ran = run(home.path(), &["new", KIND, "--set", "shape.k_max=96", "--set", "name=other"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("k_max = 96") && ran.stdout.contains("name = \"other\""), "{}", ran.stdout);
    let wrong = run(home.path(), &["new", KIND, "--set", "shape.k_max=none"]);
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(2), ""));
}

#[test]
fn a_config_may_come_from_standard_input() {
    let home = home();
    let mut command = command(home.path(), &["check", "-", "--json"]);
    let file = fs::File::open(home.path().join("core.toml")).expect("there");
    let output = command.stdin(file).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn golden_multiplies_and_a_failed_run_writes_nothing() {
    let home = home();
    let x: Vec<i64> = (0..15).map(|n| n * 17 % 256 - 128).collect();
    let w: Vec<i64> = (0..35).map(|n| n * 7 % 3 - 1).collect();
    save(home.path(), "x.npy", &[3, 5], x.clone());
    save(home.path(), "w.npy", &[7, 5], w.clone());
    save(home.path(), "two.npy", &[7, 5], vec![2; 35]);
    let golden = ["golden", "core.toml", "--in", "x=x.npy", "--out", "y=y.npy", "--json", "--in"];
    let wrong = run(home.path(), &[&golden[..], &["w=two.npy"], &PLAIN].concat());
    assert_eq!(wrong.code, Some(2), "{}", wrong.stdout);
    assert!(!home.path().join("y.npy").exists());
    let ran = run(home.path(), &[&golden[..], &["w=w.npy"], &PLAIN].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    let expected: Vec<i64> = (0..21).map(|n| (0..5).map(|k| x[n / 7 * 5 + k] * w[n % 7 * 5 + k]).sum()).collect();
    let y = npy::read(&home.path().join("y.npy")).expect("written");
    assert_eq!((y.dtype, y.shape, y.data), (DType::I32, vec![3, 7], expected));
    assert_eq!(ran.json()["useful_ops"], 3 * 5 * 7);
}

#[test]
fn sim_counts_cycles_records_a_wave_and_draws() {
    let home = home();
    let sizes = ["shape.k_max=60", "shape.m_max=40", "parallel.k_lanes=12", "parallel.m_lanes=4"];
    let sets: Vec<&str> = sizes.iter().flat_map(|s| ["--set", s]).chain(PLAIN).collect();
    save(home.path(), "x.npy", &[1, 30], (0..30).collect());
    save(home.path(), "w.npy", &[9, 30], (0..270).map(|n| n % 3 - 1).collect());
    let sim = ["sim", "core.toml", "--in", "x=x.npy", "--in", "w=w.npy", "--gantt", "job.svg", "--json"];
    let ran = run(home.path(), &[&sim[..], &sets, &["--wave", "job.fst"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    let json = ran.json();
    assert_eq!((&json["cycles"], &json["matches_model"]), (&json["predicted_cycles"], &Value::Bool(true)));
    let wave = wellen::simple::read(home.path().join("job.fst")).expect("a readable wave");
    let hierarchy = wave.hierarchy();
    let ports = ["clk_i", "x_valid_i", "w_data_i", "y_last_o"];
    let recorded = |port: &&str| hierarchy.all_vars().any(|v| hierarchy[v].name(hierarchy) == *port);
    assert!(ports.iter().all(recorded));
    // Ten nanoseconds a cycle.
    let last = wave.time_table().last().copied().unwrap_or(0);
    assert!(
        json["cycles"].as_u64().is_some_and(|c| (10 * (c - 1)..10 * (c + 30)).contains(&last)),
        "{last} ns: {json}"
    );
    let picture = fs::read_to_string(home.path().join("job.svg")).expect("a picture");
    for text in ["rows: slabs", "tables: fill", "K = 30"] {
        assert!(picture.contains(text), "{text} is missing");
    }
    let busy = |unit: &str| json["busy"].as_array()?.iter().find(|b| b["unit"] == unit)?["cycles"].as_u64();
    assert_eq!((busy("w"), busy("rows")), (json["beats"]["w"].as_u64(), busy("w")), "{json}");
    // Without a wave the picture is the same.
    let alone = run(home.path(), &[&sim[..], &sets].concat());
    assert_eq!((alone.code, alone.json()["busy"].clone()), (Some(0), json["busy"].clone()));
    assert!(fs::read_to_string(home.path().join("job.svg")).is_ok_and(|again| again == picture));
    let ran = run(home.path(), &[&sim[..], &sets, &["--wave", "job.svg"]].concat());
    assert_eq!(ran.code, Some(2), "two outputs in one file: {}", ran.stdout);
}

/// Every method of softmax in the table, with the figures of the JSON; the plot is a file of its own.
#[test]
fn compare_judges_draws_and_refuses() {
    let home = tempfile::tempdir().expect("a folder");
    let all = ["compare", "softmax", "--n", "64", "--scales", "0.05..0.1", "--set", "parallel.lanes=4"];
    let ran = run(home.path(), &[&all[..], &["--json", "-o", "plot.svg"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    let found: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let text = run(home.path(), &all).stdout;
    let choices = found["choices"].as_array().expect("choices");
    assert!(choices.len() >= 12, "{text}");
    for choice in choices {
        let name = choice["name"].as_str().expect("a name");
        assert!(text.contains(name) && choice["predicted"]["lut"].as_f64() > Some(100.0), "{choice}");
        let lanes = if name == "itamax" { 16 } else { 4 };
        assert_eq!(choice["config"]["parallel"]["lanes"], lanes, "{choice}");
    }
    let svg = fs::read_to_string(home.path().join("plot.svg")).expect("a plot");
    assert!(svg.contains("exp-table") && svg.contains("N = 64"));
    for (wrong, code) in [("softmx", "E005"), ("quantizer", "E022")] {
        let ran = run(home.path(), &["compare", wrong, "--json", "-o", "none.svg"]);
        assert!(ran.code == Some(2) && ran.stdout.contains(code), "{}", ran.stdout);
    }
    assert!(!home.path().join("none.svg").exists());
    let ran = run(home.path(), &["compare", "softmax", "--scales", "0.2..0.1", "--json"]);
    assert!(ran.code == Some(2) && ran.stdout.contains("0.1..0.2"), "{}", ran.stdout);
}

/// A softmax whose scale comes with the job: files give the real number, the core's registers hold what becomes of it.
#[test]
fn a_scale_in_a_file_becomes_registers() {
    let home = tempfile::tempdir().expect("a folder");
    let config = run(home.path(), &["new", "softmax"]);
    fs::write(home.path().join("core.toml"), config.stdout).expect("writable");
    save(home.path(), "x.npy", &[2, 40], (0..80).map(|n| n * 29 % 256 - 128).collect());
    for (name, scale) in [("scale.npy", 0.05), ("coarse.npy", 1.4), ("other.npy", 0.3)] {
        npy::write(&home.path().join(name), &Tensor::from_f64([1], &[scale])).expect("writable");
    }
    let job = |command, scale: &'static str, method, setting| {
        let sets = ["--set", method, "--set", "output.kind=u16", "--set", setting, "--json"];
        let given: &[&str] = if scale.is_empty() { &[] } else { &["--in", scale] };
        let ran = run(
            home.path(),
            &[&[command, "core.toml", "--in", "x=x.npy", "--out", "y=y.npy"], given, &sets[..]].concat(),
        );
        (ran.code, ran.stdout, npy::read(&home.path().join("y.npy")).ok())
    };
    let (linmax, runtime) = ("method.name=linmax", "input.scale=runtime");
    let fixed = job("golden", "", linmax, "input.scale=0.05");
    let (code, text, given) = job("golden", "scale=scale.npy", linmax, runtime);
    assert_eq!((code, &given), (Some(0), &fixed.2), "{text}");
    let (code, text, other) = job("sim", "scale=other.npy", linmax, runtime);
    assert_eq!(code, Some(0), "{text}");
    assert_ne!(other, fixed.2);
    let (code, text, _) = job("golden", "scale=coarse.npy", linmax, runtime);
    assert!(code == Some(2) && text.contains("J011") && text.contains("1.3547"), "{text}");
    let (code, text, _) = job("golden", "", linmax, runtime);
    assert!(code == Some(2) && text.contains("`scale` is not given"), "{text}");
    let (code, text, _) = job("golden", "octave=scale.npy", linmax, runtime);
    assert!(code == Some(2) && text.contains("`octave` is no tensor"), "{text}");
    let (code, text, _) = job("golden", "scale=scale.npy", linmax, "input.scale=0.05");
    assert!(code == Some(2) && text.contains("`scale` is no tensor"), "{text}");
}

#[test]
fn pack_writes_the_tensor_and_refuses_what_is_not_ternary() {
    let home = home();
    save(home.path(), "m.npy", &[4, 6], (0..24).map(|n| n % 3 - 1).collect());
    save(home.path(), "bad.npy", &[4, 6], (0..24).collect());
    let ran = run(home.path(), &["pack", "core.toml", "--weights", "m.npy", "-o", "w.npy", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    assert_eq!(ran.json()["outputs"]["w"]["file"], "w.npy");
    assert_eq!(npy::read(&home.path().join("w.npy")).expect("written").shape, [4, 6]);
    let wrong = run(home.path(), &["pack", "core.toml", "--weights", "bad.npy", "-o", "v.npy"]);
    assert_eq!(wrong.code, Some(2));
    assert!(!home.path().join("v.npy").exists());
}

#[test]
fn board_writes_the_self_test_and_refuses_what_no_board_takes() {
    let home = home();
    let board = |extra: &[&str]| run(home.path(), &[&["board", "core.toml", "-o", "out", "--json"], extra].concat());
    let [ulx3s, ecp5] = [["--board", "ulx3s"], ["--set", "target.name=ecp5-85f"]];
    let wrapped = ["--set", "wrap=axi"];
    let refused = [
        ulx3s.to_vec(),
        ["--board", "kv260"].to_vec(),
        [ulx3s, ecp5, wrapped].concat(),
        ["--board", "nowhere"].to_vec(),
    ];
    for extra in refused {
        let ran = board(&extra);
        assert_eq!(ran.code, Some(2), "{extra:?}\n{}", ran.stdout);
        assert!(!ran.json()["errors"][0]["message"].as_str().expect("a message").is_empty());
        assert!(!home.path().join("out").exists(), "{extra:?} writes something");
    }
    let ran = board(&[ulx3s, ecp5].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{}", ran.stdout);
    let json = ran.json();
    let files: Vec<&str> = json["files"].as_array().expect("files").iter().filter_map(Value::as_str).collect();
    for file in ["Makefile", "bench.v", "sim.cpp", "expected.txt", "synth.ys", "ulx3s.lpf"] {
        let file = format!("board/ulx3s/{file}");
        assert!(files.contains(&file.as_str()) && home.path().join("out").join(&file).is_file(), "{file}");
    }
    let text = fs::read_to_string(home.path().join("out/board/ulx3s/expected.txt")).expect("text");
    assert_eq!(json["expected"].as_str(), Some(text.as_str()));
}

#[test]
fn a_missing_tool_is_exit_3_with_the_line_that_gets_it() {
    let home = home();
    fs::create_dir(home.path().join("no_tools")).expect("writable");
    save(home.path(), "x.npy", &[1, 1], vec![1]);
    let sim = [&["sim", "core.toml", "--in", "x=x.npy", "--in", "w=x.npy", "--out", "y=y.npy"][..], &PLAIN].concat();
    for args in [&sim[..], &["synth", "core.toml", "--flow", "xcup"], &["verify", "core.toml", "--jobs", "1"]] {
        let mut command = command(home.path(), &[args, &["--json"]].concat());
        let tools = home.path().join("no_tools");
        let output = command.env("PATH", "").env("BITLATHE_TOOLS", &tools).output().expect("the program starts");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(3), "{args:?}: {stdout}");
        let json: Value = serde_json::from_str(&stdout).expect("an object");
        assert_eq!(json["errors"][0]["code"], "T001", "{stdout}");
        assert!(json["errors"][0]["help"].as_str().is_some_and(|h| h.starts_with("to get it: ")), "{stdout}");
    }
    assert!(!home.path().join("y.npy").exists());
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let home = home();
    let mut child =
        command(home.path(), &["schema", KIND]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_reported() {
    let home = home();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("there");
    let output = command(home.path(), &["list"]).stdout(full).output().expect("starts");
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write to standard output"));
}

#[test]
fn help_texts() {
    let home = tempfile::tempdir().expect("a folder");
    let mut all = String::new();
    for command in [
        "", "new", "check", "gen", "package", "board", "golden", "sim", "verify", "synth", "pack", "list", "doctor",
        "schema",
    ] {
        let args: Vec<&str> = [command, "--help"].into_iter().filter(|a| !a.is_empty()).collect();
        let ran = run(home.path(), &args);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{command}");
        all.push_str(&format!("$ bitlathe {}\n{}\n", args.join(" "), ran.stdout));
    }
    insta::assert_snapshot!(all);
}
