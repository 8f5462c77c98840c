//! Runs the targets of a generated `.core` in FuseSoC: what it calls a success is one, and a broken core is not.

use std::fs;
use std::path::Path;
use std::process::Command;

use bitlathe_cores::{Core, Kind, kinds};
use bitlathe_flow::generate::{self, Options};
use bitlathe_flow::tools::Tools;
use rayon::prelude::*;
use serde_json::Value;

#[path = "support/path.rs"]
mod path;

use path::offer_verilator;

/// Two real cores: one that requantizes, and a smaller one.
const LAYER: &str = include_str!("../../../examples/digits/layer1.toml");
const SMALL: &str = include_str!("../../../ip/ternary-gemm/core.toml");

/// A folder with a generated core, after a change to one of its files.
struct Packaged {
    home: tempfile::TempDir,
    vlnv: String,
    tools: Tools,
}

impl Packaged {
    /// `None` where FuseSoC or a tool that the target runs is missing.
    fn new(config: &str, needs: &str, change: Option<(&str, &str, &str)>) -> Option<Self> {
        let tools = Tools::discover().expect("tools");
        if let Some(error) = ["fusesoc", needs].iter().find_map(|name| tools.command(name).err()) {
            println!("skipped: {error}");
            return None;
        }
        let home = tempfile::tempdir().expect("a folder");
        let core = core(config);
        let dir = home.path().join("core");
        generate::generate(core.as_ref(), &dir, &Options::default()).expect("generates");
        if let Some((file, from, to)) = change {
            let path = dir.join(file);
            let text = fs::read_to_string(&path).expect("written");
            assert!(text.contains(from), "{file} does not hold `{from}`");
            fs::write(path, text.replacen(from, to, 1)).expect("writable");
        }
        let vlnv = format!("bitlathe:cores:{}", core.name());
        Some(Self { home, vlnv, tools })
    }

    /// Whether FuseSoC calls the target a success, and what it prints.
    fn run(&self, target: &str) -> (bool, String) {
        let home = self.home.path();
        let mut fusesoc = self.tools.command("fusesoc").expect("found before");
        offer_verilator(&mut fusesoc, &self.tools, home);
        for place in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"] {
            fusesoc.env(place, home);
        }
        fusesoc.current_dir(home).args(["--cores-root", "core", "run", "--build-root", "build", "--target", target]);
        let output = fusesoc.arg(&self.vlnv).output().expect("it starts");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.success(), text)
    }
}

fn core(config: &str) -> Box<dyn Core> {
    let document: Value = toml::from_str(config).expect("TOML");
    let kind = kinds().iter().find(|k| document["kind"] == k.name()).expect("registered");
    kind.configure(&document).unwrap_or_else(|e| panic!("{e:?}"))
}

#[test]
fn lint_is_clean_and_finds_an_undriven_wire() {
    let Some(whole) = Packaged::new(LAYER, "verilator", None) else { return };
    let (good, text) = whole.run("lint");
    assert!(good && !text.contains("%Warning"), "{text}");
    let change = ("rtl/digits_layer1.v", "assign en = ", "wire nothing; assign en = nothing ^ ");
    let Some(broken) = Packaged::new(LAYER, "verilator", Some(change)) else { return };
    let (good, text) = broken.run("lint");
    assert!(!good && text.contains("nothing"), "{text}");
}

/// The wrapped cores of the catalogue: lint takes the wrapped top, the testbench the core in it.
#[test]
fn every_wrapped_core_passes_lint_and_sim() {
    let ip = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ip");
    let text = |k: &dyn Kind| fs::read_to_string(ip.join(k.name()).join("core.toml")).expect("core.toml");
    let configs: Vec<String> = kinds().iter().map(|k| format!("wrap = \"axi\"\n{}", text(*k))).collect();
    configs.par_iter().for_each(|config| {
        let Some(core) = Packaged::new(config, "iverilog", None) else { return };
        let (good, text) = core.run("lint");
        assert!(good && !text.contains("%Warning"), "{text}");
        let (good, text) = core.run("sim");
        assert!(good && text.contains("PASS "), "{text}");
    });
}

#[test]
fn lint_finds_an_undriven_wire_of_a_wrapped_top() {
    let config = format!("wrap = \"axi\"\n{SMALL}");
    let change =
        ("rtl/ternary_gemm_axi.v", "assign m_axis_y_tlast =", "wire nothing; assign m_axis_y_tlast = nothing ^");
    let Some(broken) = Packaged::new(&config, "verilator", Some(change)) else { return };
    assert!(!broken.run("lint").0);
}

#[test]
fn sim_passes_the_core_and_fails_a_broken_one() {
    let Some(whole) = Packaged::new(LAYER, "iverilog", None) else { return };
    let (good, text) = whole.run("sim");
    assert!(good && text.contains("PASS "), "{text}");
    let change = ("rtl/issue_control.v", "assign keep_o = ~first_q;", "assign keep_o = first_q;");
    let Some(broken) = Packaged::new(LAYER, "iverilog", Some(change)) else { return };
    let (good, text) = broken.run("sim");
    assert!(!good && text.contains("FAIL "), "{text}");
}

/// Edalize drives Yosys by Tcl, which the pinned WebAssembly build lacks: this takes the machine's own Yosys, of any release.
#[test]
fn synth_maps_the_core() {
    let tcl = Command::new("yosys").args(["-Q", "-p", "tcl /dev/null"]).output();
    if !tcl.is_ok_and(|o| o.status.success()) {
        println!("skipped: no Yosys with Tcl is on the PATH (Debian package yosys)");
        return;
    }
    let Some(whole) = Packaged::new(SMALL, "python", None) else { return };
    let (good, text) = whole.run("synth");
    assert!(good && text.contains("Found and reported 0 problems"), "{text}");
}
