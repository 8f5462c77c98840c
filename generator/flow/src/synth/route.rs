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

use bitlathe_spec::{Family, Target};
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
    let Some(flow) = RouteFlow::of(family) else { return Err(SynthError::NoRoute(family.name())) };
    let options = flow.options(request.target, request.freq_mhz, request.seed);
    let mut command = run.tools.command(flow.router)?;
    command.args(options).args(["--json", netlist, "--report", TIMING, "--log", LOG, "--quiet"]);
    command.args([flow.unconstrained, flow.layout_option, flow.layout]);
    run.tool(flow.router, command, LOG)?;
    let mut command = run.tools.command(flow.packer)?;
    command.args(flow.pack).args([flow.layout, bitstream]);
    run.tool(flow.packer, command, LOG)?;
    slowest_clock(&run.folder.join(TIMING))
}

/// What nextpnr reached for the slowest clock, in MHz, from its report.
pub(super) fn slowest_clock(report: &Path) -> Result<Option<f64>, SynthError> {
    let report: TimingReport = read_json(report)?;
    Ok(report.fmax.values().map(|c| c.achieved).min_by(f64::total_cmp))
}

/// Files that a run leaves.
const TIMING: &str = "timing.json";
const LOG: &str = "nextpnr.log";

/// The tools behind Yosys of a family with an open router.
pub(super) struct RouteFlow {
    /// Places and routes.
    pub router: &'static str,
    /// Makes the bitstream.
    pub packer: &'static str,
    /// Its options.
    pub pack: &'static [&'static str],
    /// The router's option for what the packer reads.
    pub layout_option: &'static str,
    /// Its name.
    pub layout: &'static str,
    /// The router's option for pins without a place.
    pub unconstrained: &'static str,
    /// Ending of a bitstream's name.
    pub ending: &'static str,
}

impl RouteFlow {
    /// The tools of a family.
    pub fn of(family: Family) -> Option<Self> {
        match family {
            Family::Ecp5 => Some(Self {
                router: "nextpnr-ecp5",
                packer: "ecppack",
                pack: &["--compress"],
                layout_option: "--textcfg",
                layout: "routed.config",
                unconstrained: "--lpf-allow-unconstrained",
                ending: "bit",
            }),
            Family::Ice40 => Some(Self {
                router: "nextpnr-ice40",
                packer: "icepack",
                pack: &[],
                layout_option: "--asc",
                layout: "routed.asc",
                unconstrained: "--pcf-allow-unconstrained",
                ending: "bin",
            }),
            Family::Xcup | Family::Xc7 => None,
        }
    }

    /// Options of the router for a part and an aim; missing the aim is no error.
    pub fn options(&self, target: &Target, mhz: f64, seed: u64) -> Vec<String> {
        let part = target.nextpnr.iter().map(ToString::to_string);
        let aim = ["--timing-allow-fail", "--freq", &mhz.to_string(), "--seed", &seed.to_string()].map(String::from);
        part.chain(aim).collect()
    }
}

/// Reads a tool's JSON file.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, SynthError> {
    let wrong = |reason: String| SynthError::Report { file: path.display().to_string(), reason };
    let text = fs::read(path).map_err(|e| wrong(e.to_string()))?;
    serde_json::from_slice(&text).map_err(|e| wrong(e.to_string()))
}
