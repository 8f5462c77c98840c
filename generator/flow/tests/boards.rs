//! The pins of open boards, placed by the tools that read them: a pin that the device does not have is refused there.

use std::fs;
use std::path::Path;
use std::process::Command;

use bitlathe_flow::constraints::{Board, boards};
use bitlathe_flow::tools::Tools;

/// The board as it is, or with its clock where no pin is.
fn board(name: &str, fault: bool) -> Board {
    let mut board = boards().iter().find(|b| b.name == name).expect("a board").clone();
    if fault {
        board.signals.get_mut("clk").expect("a clock").pins = vec!["ZZ99".into()];
    }
    board
}

/// A top with every signal of the board: outputs follow the inputs.
fn top(ports: &[(String, u64)]) -> String {
    let (outputs, inputs): (Vec<_>, Vec<_>) = ports.iter().partition(|p| p.0.starts_with("led") || p.0 == "uart_tx");
    let declare = |kind: &str, list: &[&(String, u64)]| -> Vec<String> {
        list.iter().map(|(name, width)| format!("{kind} wire [{}:0] {name}", width - 1)).collect()
    };
    let all = |list: &[&(String, u64)]| list.iter().map(|p| p.0.as_str()).collect::<Vec<_>>().join(", ");
    let held: u64 = outputs.iter().map(|p| p.1).sum();
    format!(
        "module top ({}, {});\nreg [{}:0] q;\nalways @(posedge clk) q <= {{q, ^{{{}}}}};\nassign {{{}}} = q;\nendmodule\n",
        declare("input", &inputs).join(", "),
        declare("output", &outputs).join(", "),
        held - 1,
        all(&inputs),
        all(&outputs),
    )
}

/// Whether the tool says yes, and what it prints.
fn run(mut command: Command, home: &Path) -> (bool, String) {
    let output = command.current_dir(home).output().expect("it starts");
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// Places and routes that top. `None` where a tool is missing.
fn place(board: &Board, synth: &str, router: &str, options: &[&str]) -> Option<(bool, String)> {
    let tools = Tools::discover().expect("tools");
    let tool = |name| tools.command(name).map_err(|error| println!("skipped: {error}")).ok();
    let (mut yosys, mut router) = (tool("yosys")?, tool(router)?);
    let home = tempfile::tempdir().expect("a folder");
    let ports: Vec<(String, u64)> = board.signals.iter().map(|(n, s)| (n.clone(), s.pins.len() as u64)).collect();
    let places: Vec<(&str, &str)> = ports.iter().map(|(n, _)| (n.as_str(), n.as_str())).collect();
    let constraints = board.pins(&ports, &places).expect("every signal has a port");
    fs::write(home.path().join(&constraints.path), constraints.text).expect("writable");
    fs::write(home.path().join("top.v"), top(&ports)).expect("writable");
    // An old nextpnr does not know the cells that Yosys keeps scopes in.
    let script = format!("read_verilog top.v; {synth} -top top; delete t:$scopeinfo; write_json top.json");
    yosys.args(["-q", "-p", &script]);
    let (good, said) = run(yosys, home.path());
    assert!(good, "{said}");
    router.args(["--json", "top.json"]).args(options).arg(&constraints.path);
    Some(run(router, home.path()))
}

#[test]
fn nextpnr_finds_every_pin() {
    let flows: [(&str, &str, &str, &[&str]); 2] = [
        ("ulx3s", "synth_ecp5", "nextpnr-ecp5", &["--85k", "--package", "CABGA381", "--lpf"]),
        ("icebreaker", "synth_ice40", "nextpnr-ice40", &["--up5k", "--package", "sg48", "--pcf"]),
    ];
    for (name, synth, router, options) in flows {
        let Some((good, said)) = place(&board(name, false), synth, router, options) else { continue };
        // The clock of the constraints is the one that the tool reports against.
        let mhz = format!("at {:.2} MHz", board(name, false).clock.mhz);
        assert!(good && said.contains(&mhz), "{name}: {said}");
        let (good, said) = place(&board(name, true), synth, router, options).expect("the tools are here");
        assert!(!good && said.contains("ZZ99"), "{name}: {said}");
    }
}
