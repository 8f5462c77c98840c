//! Places, routes and times a synthesized module inside a routing harness.
//!
//! A bare core has more ports than a device has pins. The harness gives it three pins: a serial input shifts through one
//! register per input bit, and a pipelined tree of four-input XORs folds all outputs into one bit. Every path of the core
//! runs from register to register, nothing of it can be optimized away, and the harness adds no logic between its own
//! registers and the core. The core is mapped alone beforehand, so the harness changes nothing in it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use bitlathe_spec::Family;
use serde::Deserialize;

use super::netlist::Module;
use super::run::Run;
use super::{CLOCK, RouteRequest, SynthError};

/// A port of the core: name, width.
type Pin<'a> = (&'a str, usize);

/// The harness and an empty declaration of the core, as Verilog.
pub(super) fn harness(core: &str, name: &str, module: &Module) -> Result<String, SynthError> {
    let (mut inputs, mut outputs): (Vec<Pin>, Vec<Pin>) = (Vec::new(), Vec::new());
    for (port, shape) in &module.ports {
        match shape.direction.as_str() {
            "input" if port == CLOCK => {}
            "input" => inputs.push((port, shape.bits.len())),
            "output" => outputs.push((port, shape.bits.len())),
            other => return Err(SynthError::Port { port: port.clone(), direction: other.to_string() }),
        }
    }
    let width = |pins: &[Pin]| pins.iter().map(|(_, w)| w).sum::<usize>();
    let (in_bits, out_bits) = (width(&inputs).max(1), width(&outputs));
    let has_clock = module.ports.contains_key(CLOCK);

    let mut text = format!("(* blackbox *)\nmodule {core} (");
    let declare = |kind: &str, pins: &[Pin]| -> Vec<String> {
        pins.iter().map(|(n, w)| format!("{kind} wire [{}:0] {n}", w - 1)).collect()
    };
    let mut ports = if has_clock { vec![format!("input wire {CLOCK}")] } else { Vec::new() };
    ports.extend(declare("input", &inputs));
    ports.extend(declare("output", &outputs));
    let _ = writeln!(text, "{});\nendmodule\n", ports.join(", "));

    let _ = write!(
        text,
        "module {name} (input wire {CLOCK}, input wire serial_i, output wire serial_o);\n  \
         reg [{0}:0] in_q;\n  always @(posedge {CLOCK}) in_q <= {{in_q, serial_i}};\n  wire [{1}:0] out;\n  assign out[{1}] = in_q[{0}];\n",
        in_bits - 1,
        out_bits
    );
    let mut connections = if has_clock { vec![format!(".{CLOCK}({CLOCK})")] } else { Vec::new() };
    connections.extend(slices(&inputs, "in_q"));
    connections.extend(slices(&outputs, "out"));
    let _ = writeln!(text, "  {core} core_i ({});", connections.join(", "));
    fold(&mut text, out_bits + 1);
    text.push_str("endmodule\n");
    Ok(text)
}

/// Port connections to consecutive slices of a vector.
fn slices(pins: &[Pin], vector: &str) -> Vec<String> {
    let mut low = 0;
    let connect = |(name, width): &Pin| {
        low += width;
        format!(".{name}({vector}[{}:{}])", low - 1, low - width)
    };
    pins.iter().map(connect).collect()
}

/// Registers all outputs, then halves their number twice a cycle until one bit is left.
fn fold(text: &mut String, bits: usize) {
    let _ = write!(text, "  reg [{}:0] fold0_q;\n  always @(posedge {CLOCK}) fold0_q <= out;\n", bits - 1);
    let (mut level, mut bits) = (0, bits);
    while bits > 1 {
        let next = bits.div_ceil(4);
        let _ = writeln!(text, "  reg [{}:0] fold{}_q;\n  always @(posedge {CLOCK}) begin", next - 1, level + 1);
        for i in 0..next {
            let _ = writeln!(
                text,
                "    fold{}_q[{i}] <= ^fold{level}_q[{}:{}];",
                level + 1,
                (4 * i + 3).min(bits - 1),
                4 * i
            );
        }
        text.push_str("  end\n");
        (level, bits) = (level + 1, next);
    }
    let _ = writeln!(text, "  assign serial_o = fold{level}_q[0];");
}

#[derive(Deserialize)]
struct TimingReport {
    #[serde(default)]
    fmax: BTreeMap<String, ClockTiming>,
}

#[derive(Deserialize)]
struct ClockTiming {
    achieved: f64,
}

/// Routes a netlist; gives the frequency of the slowest clock in MHz. Writes the bitstream.
pub(super) fn route(
    run: &Run,
    family: Family,
    netlist: &str,
    bitstream: &str,
    request: &RouteRequest,
) -> Result<Option<f64>, SynthError> {
    let (tool, device, layout, packer, pack): (_, &[&str], _, _, &[&str]) = match family {
        Family::Ecp5 => (
            "nextpnr-ecp5",
            &[
                "--85k",
                "--package",
                "CABGA381",
                "--speed",
                "6",
                "--lpf-allow-unconstrained",
                "--textcfg",
                "routed.config",
            ],
            "routed.config",
            "ecppack",
            &["--compress"],
        ),
        Family::Ice40 => (
            "nextpnr-ice40",
            &["--hx8k", "--package", "ct256", "--pcf-allow-unconstrained", "--asc", "routed.asc"],
            "routed.asc",
            "icepack",
            &[],
        ),
        Family::Xcup | Family::Xc7 => return Err(SynthError::NoRoute(family.name())),
    };
    let mut command = run.tools.command(tool)?;
    command.args(device).args(["--json", netlist, "--report", "timing.json", "--log", "nextpnr.log", "--quiet"]);
    command.args(["--timing-allow-fail", "--freq", &request.freq_mhz.to_string(), "--seed", &request.seed.to_string()]);
    run.tool(tool, command, "nextpnr.log")?;
    let mut command = run.tools.command(packer)?;
    command.args(pack).args([layout, bitstream]);
    run.tool(packer, command, "nextpnr.log")?;
    let report: TimingReport = read_json(&run.folder.join("timing.json"))?;
    Ok(report.fmax.values().map(|c| c.achieved).min_by(f64::total_cmp))
}

/// Reads a tool's JSON file.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, SynthError> {
    let wrong = |reason: String| SynthError::Report { file: path.display().to_string(), reason };
    let text = fs::read(path).map_err(|e| wrong(e.to_string()))?;
    serde_json::from_slice(&text).map_err(|e| wrong(e.to_string()))
}
