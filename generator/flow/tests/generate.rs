//! The folder that `generate` writes: complete, repeatable, and its testbench tells a right core from a broken one.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use bitlathe_flow::generate::{GenerateError, Options, config_hash, files, generate, write};
use serde_json::Value;
use support::{FakeGemm, rtl};

#[test]
fn the_folder_is_whole_and_repeatable() {
    let home = tempfile::tempdir().expect("a folder");
    let dir = home.path().join("out");
    let paths = write(&FakeGemm, &rtl(None), &dir, &Options::default()).expect("a new folder");
    let mut names: Vec<String> =
        paths.iter().map(|p| p.strip_prefix(&dir).expect("inside").display().to_string()).collect();
    names.sort();
    let expected = [
        "datasheet.html",
        "fake.core",
        "fake.json",
        "model.md",
        "rtl/fake_gemm.v",
        "tb/fake_gemm_tb.v",
        "tb/w.hex",
        "tb/x.hex",
        "tb/y_expected.hex",
        "tb/y_mask.hex",
    ];
    assert_eq!(names, expected);
    let read = || paths.iter().map(|p| fs::read(p).expect("written")).collect::<Vec<_>>();
    let first = read();
    write(&FakeGemm, &rtl(None), &dir, &Options::default()).expect("its own folder");
    assert_eq!(first, read(), "the same config gives other bytes");
}

#[test]
fn a_design_with_other_ports_is_refused() {
    let home = tempfile::tempdir().expect("a folder");
    let error = generate(&FakeGemm, &home.path().join("out"), &Options::default()).expect_err("most ports are missing");
    let expected = "the interface of `fake` contradicts itself: the design lacks the input `reg_addr_i` of 5 bits";
    assert_eq!(error.to_string(), expected);
    assert_eq!(fs::read_dir(home.path()).expect("a folder").count(), 0);
}

#[test]
fn every_text_names_its_config_and_licence() {
    let hash = config_hash(&FakeGemm);
    for file in files(&FakeGemm, &rtl(None), &Options::default()).expect("a core") {
        if !file.path.starts_with("rtl/") {
            assert!(file.text.contains(&hash), "{} does not name its config", file.path);
            assert!(file.text.contains("may be used under any licence"), "{} does not say its licence", file.path);
        }
        assert!(file.text.ends_with('\n') && !file.text.contains("{{"), "{}", file.path);
    }
}

#[test]
fn the_json_lists_ports_registers_streams_and_ranges() {
    let all = files(&FakeGemm, &rtl(None), &Options::default()).expect("a core");
    let text = &all.iter().find(|f| f.path == "fake.json").expect("written").text;
    let json: Value = serde_json::from_str(text).expect("JSON");
    let names = |key: &str| -> Vec<&str> {
        json[key].as_array().expect("a list").iter().filter_map(|v| v["name"].as_str()).collect()
    };
    assert_eq!(json["top"], "fake_gemm");
    assert_eq!(names("registers"), ["id", "k_slabs", "m_tiles", "passes", "status"]);
    assert_eq!(names("streams"), ["x", "w", "y"]);
    let ports = names("ports");
    assert_eq!(ports[..6], ["clk_i", "rst_i", "reg_write_i", "reg_addr_i", "reg_wdata_i", "reg_rdata_o"]);
    assert_eq!(ports[12..], ["y_valid_o", "y_ready_i", "y_last_o", "y_data_o"]);
    assert_eq!(json["ranges"][1]["max"], 12_288);
    assert_eq!(json["files"].as_array().map(Vec::len), Some(all.len()));
    let largest = json["schedule"].as_array().and_then(|s| s.last()).expect("examples");
    assert_eq!(largest["sizes"]["K"], 96);
    assert_eq!(largest["cycles"], 8 * (16 * (2 + 16) + 2 * 16), "8 passes of 16 slabs and 16 tiles");
}

#[test]
fn the_page_for_feeding_it_shows_real_beats() {
    let all = files(&FakeGemm, &rtl(None), &Options::default()).expect("a core");
    let page = &all.iter().find(|f| f.path == "model.md").expect("written").text;
    for line in [
        "for pass in 0 .. ceil(T / 2)    # repeats",
        "data[5*(2*r + c) +: 5] = index5(w[2*tile + r, 6*slab + 3*c + i] for i in 0 .. 3)",
        "data[8*k +: 8] = x[2*pass + b, 6*slab + k]",
        "Beats in a job: `ceil(T / 2) * ceil(K / 6) * ceil(M / 2)`.",
        "| `k_slabs` | `0x04` | k_slabs = `ceil(K / 6)` |",
    ] {
        assert!(page.contains(line), "no `{line}` in:\n{page}");
    }
    let data = |name: &str| &all.iter().find(|f| f.path == name).expect("written").text;
    let example = data("tb/x.hex").split("// random").nth(1).and_then(|t| t.lines().nth(1)).expect("a beat");
    assert!(
        page.contains(&format!("| 0 | `0x{example}` | [0, 0] = ")),
        "the first beat of x is not {example}:\n{page}"
    );
}

#[test]
fn a_folder_of_somebody_else_is_refused_before_any_work() {
    let home = tempfile::tempdir().expect("a folder");
    fs::write(home.path().join("notes"), "mine").expect("writable");
    let error = write(&FakeGemm, &rtl(None), home.path(), &Options::default()).expect_err("not ours");
    assert!(matches!(error, GenerateError::Occupied { .. }), "{error}");
    assert_eq!(fs::read_dir(home.path()).expect("a folder").count(), 1);
}

/// What the testbench prints in Icarus Verilog; `None` where it is not installed.
fn icarus(change: Option<(&str, &str)>) -> Option<String> {
    if Command::new("iverilog").arg("-V").output().is_err() {
        println!("skipped: iverilog is not installed (Debian package iverilog)");
        return None;
    }
    let home = tempfile::tempdir().expect("a folder");
    let dir = home.path().join("out");
    write(&FakeGemm, &rtl(change), &dir, &Options::default()).expect("a new folder");
    Some(simulate(&dir.join("tb")))
}

fn simulate(folder: &Path) -> String {
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(folder).output().expect("it starts");
        (String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(), output.status.code())
    };
    let (warnings, code) =
        run("iverilog", &["-g2005", "-Wall", "-Wno-timescale", "-o", "tb.vvp", "fake_gemm_tb.v", "../rtl/fake_gemm.v"]);
    assert_eq!(code, Some(0), "{warnings}");
    assert!(!warnings.contains("fake_gemm_tb.v"), "{warnings}");
    let (text, code) = run("vvp", &["-N", "tb.vvp"]);
    assert_eq!(code, Some(i32::from(!text.contains("PASS "))), "the exit code tells a failure: {text}");
    text
}

/// Beats of `y` over both jobs of the testbench.
fn output_beats() -> usize {
    let all = files(&FakeGemm, &rtl(None), &Options::default()).expect("a core");
    let text = &all.iter().find(|f| f.path == "tb/y_expected.hex").expect("written").text;
    text.lines().filter(|l| !l.starts_with("//")).count()
}

#[test]
fn the_testbench_passes_the_core() {
    let Some(text) = icarus(None) else { return };
    assert_eq!(text.lines().last(), Some(format!("PASS {} beats", output_beats()).as_str()), "{text}");
}

#[test]
fn the_testbench_fails_a_wrong_sum() {
    let Some(text) = icarus(Some(("v > 4 ? 1 : 0", "v > 5 ? 1 : 0"))) else { return };
    assert!(text.contains("y: beat ") && text.contains(", expected "), "{text}");
    assert!(text.lines().last().is_some_and(|l| l.starts_with("FAIL ")), "{text}");
}

#[test]
fn the_testbench_names_the_stream_that_hangs() {
    let Some(text) = icarus(Some(("w_ready_o = state_q == TAKE_W", "w_ready_o = 1'b0"))) else { return };
    assert!(text.contains("waiting for w: 1 of ") && text.contains("valid 1, ready 0"), "{text}");
    assert!(text.contains("waiting for y: 0 of "), "{text}");
    assert_eq!(text.lines().last(), Some("FAIL 1 errors"), "{text}");
}

#[test]
fn the_testbench_notices_a_lost_last_and_a_dropped_beat() {
    let Some(text) = icarus(Some(("y_last_o = token_q", "y_last_o = 1'b0 && token_q"))) else { return };
    assert!(text.contains("y: last is 0 at beat "), "{text}");
    let held = "y_valid_o = state_q == GIVE_Y && (y_ready_i || tile_q[0])";
    let Some(text) = icarus(Some(("y_valid_o = state_q == GIVE_Y", held))) else { return };
    assert!(text.lines().last().is_some_and(|l| l.starts_with("PASS")), "valid may follow ready in a wire: {text}");
    let Some(text) = icarus(Some(("default: if (y_ready_i) begin", "default: begin"))) else { return };
    assert!(text.contains("changed before it was taken"), "{text}");
}

#[test]
fn the_testbench_reads_the_error_bits() {
    let Some(text) = icarus(Some(("reg_wdata_i <= 255", "reg_wdata_i < 1"))) else { return };
    assert!(text.contains("register 0c is ") || text.contains("register 10 is 00000001"), "{text}");
    assert!(text.lines().last().is_some_and(|l| l.starts_with("FAIL ")), "{text}");
}
