//! The program as a generator of FuseSoC: a system whose core is made from its config when the system is built.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use bitlathe_flow::tools::Tools;

#[path = "../../flow/tests/support/path.rs"]
mod path;

const SYSTEM: &str = r#"CAPI=2:
name: "test:systems:system:1.0"
filesets:
  system:
    files: [system.v: {file_type: verilogSource-2005}]
    depend: ["bitlathe:tools:generator"]
generate:
  accelerator:
    generator: bitlathe
    parameters: {config: core.toml, set: [wrap=axi, parallel.lanes=2]}
targets:
  lint:
    flow: lint
    flow_options: {tool: verilator}
    filesets: [system]
    generate: [accelerator]
    toplevel: system
"#;
const TOP: &str = "\
/* verilator lint_off PINCONNECTEMPTY */
/* verilator lint_off PINMISSING */
module system (input wire aclk, output wire [31:0] word);
  quantizer_core_axi u_core (.aclk(aclk), .m_axis_y_tdata(word[15:0]));
  assign word[31:16] = 16'd0;
endmodule
";

/// Whether FuseSoC calls the lint of a system in this folder a success, and what it prints. `None` where it is missing.
fn lint(home: &Path) -> Option<(bool, String)> {
    let tools = Tools::discover().expect("tools");
    let mut fusesoc = tools.command("fusesoc").map_err(|error| println!("skipped: {error}")).ok()?;
    path::offer_verilator(&mut fusesoc, &tools, home);
    for place in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"] {
        fusesoc.env(place, home);
    }
    fusesoc.current_dir(home).args([
        "--cores-root",
        "system",
        "--cores-root",
        "package",
        "run",
        "--build-root",
        "build",
    ]);
    let output = fusesoc.args(["--target", "lint", "test:systems:system"]).output().expect("it starts");
    Some((output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()))
}

#[test]
fn a_system_gets_its_core_from_the_config() {
    let program = env!("CARGO_BIN_EXE_bitlathe");
    let config: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ip/quantizer/core.toml");
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    let package = Command::new(program)
        .args(["package", "--set", "wrap=axi", "--for", "fusesoc", "-o"])
        .arg(home.join("package"))
        .arg(&config)
        .output()
        .expect("it starts");
    assert!(package.status.success(), "{}", String::from_utf8_lossy(&package.stderr));
    for folder in ["bin", "system"] {
        fs::create_dir(home.join(folder)).expect("writable");
    }
    symlink(program, home.join("bin/bitlathe")).expect("writable");
    let write = |name: &str, text: &str| fs::write(home.join("system").join(name), text).expect("writable");
    write("core.toml", &fs::read_to_string(&config).expect("the config"));
    write("system.core", SYSTEM);
    write("system.v", TOP);
    let Some((good, said)) = lint(home) else { return };
    assert!(good, "{said}");

    // Another config is another core; an illegal one stops the build, with the reason.
    write("system.core", &SYSTEM.replace("parallel.lanes=2", "parallel.lanes=4"));
    let (good, said) = lint(home).expect("FuseSoC is here");
    assert!(!good && said.contains("WIDTH"), "the wider output fits: {said}");
    write("core.toml", "kind = \"quantizer\"\n");
    let (good, said) = lint(home).expect("FuseSoC is here");
    assert!(!good && said.contains("`shape`"), "{said}");
}
