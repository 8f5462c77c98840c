//! Wrapped cores and the clients of `testbench/cocotb/` that drive them.

use std::fs;
use std::path::Path;

use bitlathe_cores::{Core, Kind, kinds};
use bitlathe_flow::generate;
use bitlathe_flow::tools::Tools;
use rayon::prelude::*;
use serde_json::{Value, json};

#[path = "path.rs"]
mod path;

/// Judges all at once; every failure is shown.
pub fn judge_all<T: Sync>(list: &[T], judge: impl Fn(&T) -> Option<String> + Sync + Send) {
    let failures: Vec<String> = list.par_iter().filter_map(judge).collect();
    assert!(failures.is_empty(), "{} of {} fail\n{}", failures.len(), list.len(), failures.join("\n\n"));
}

/// No registers at all, and one beat a cycle through every stream.
const NO_REGISTERS: &str = r#"
kind = "quantizer"
name = "no-registers"
target.name = "kv260"
shape.c_max = 64
input.bits = 16
parallel.lanes = 3
method.name = "pot"
"#;

/// A core in a wrapper.
pub fn wrapped(kind: &dyn Kind, mut config: Value, wrap: &str) -> Box<dyn Core> {
    config["wrap"] = json!(wrap);
    kind.configure(&config).unwrap_or_else(|e| panic!("{config}: {e:?}"))
}

/// A core from TOML.
pub fn parsed(text: &str, wrap: &str) -> Box<dyn Core> {
    let config: Value = toml::from_str(text).expect("TOML");
    let kind = kinds().iter().find(|k| config["kind"] == k.name()).expect("registered");
    wrapped(*kind, config, wrap)
}

/// The cores of the catalogue.
pub fn catalogue(wrap: &str) -> Vec<Box<dyn Core>> {
    let ip = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ip");
    let text = |k: &dyn Kind| fs::read_to_string(ip.join(k.name()).join("core.toml")).expect("core.toml");
    kinds().iter().map(|k| parsed(&text(*k), wrap)).collect()
}

/// A core without registers.
pub fn no_registers(wrap: &str) -> Box<dyn Core> {
    parsed(NO_REGISTERS, wrap)
}

/// Runs a module of clients on a core after a change to one of its files: whether all of their tests passed, and what they print.
/// `None` where the simulator is missing.
pub fn clients(
    core: &dyn Core,
    module: &str,
    simulator: &str,
    change: Option<(&str, &str, &str)>,
) -> Option<(bool, String)> {
    let tools = Tools::discover().expect("tools");
    let program = if simulator == "icarus" { "iverilog" } else { "verilator" };
    if let Some(error) = ["python", program].iter().find_map(|name| tools.command(name).err()) {
        println!("skipped: {error}");
        return None;
    }
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("core");
    generate::generate(core, &folder, &generate::Options::default()).expect("generates");
    if let Some((file, from, to)) = change {
        let path = folder.join("rtl").join(file);
        let text = fs::read_to_string(&path).expect("written");
        assert!(text.contains(from), "{file} does not hold `{from}`");
        fs::write(path, text.replacen(from, to, 1)).expect("writable");
    }
    let mut python = tools.command("python").expect("found before");
    path::offer_verilator(&mut python, &tools, home.path());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testbench/cocotb/run.py");
    python
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(script)
        .arg(folder)
        .arg(simulator)
        .arg(home.path().join("build"))
        .arg(module);
    let output = python.output().expect("it starts");
    Some((output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()))
}

/// What the clients print where a test of theirs fails.
pub fn complaint(core: &dyn Core, module: &str, simulator: &str) -> Option<String> {
    let (good, text) = clients(core, module, simulator, None)?;
    (!good || !text.contains(" tests, 0 failed")).then(|| format!("{}\n{text}", core.config()))
}
