//! A board's top from Verilog to a bitstream, by commands that a reader can run as well: each in the folder of the core, with
//! paths below it. `bitlathe board` writes them into a Makefile and, if asked to, runs them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bitlathe_cores::Cost;
use bitlathe_spec::Target;
use serde::Serialize;

use super::route::{RouteFlow, slowest_clock};
use super::run::Run;
use super::{SynthError, cell_counts, cells, script, versions};
use crate::tools::Tools;

/// Time for all tools together.
const LIMIT: Duration = Duration::from_secs(3600);
/// Start of the placement.
const SEED: u64 = 1;

/// What is built.
#[derive(Clone, Debug)]
pub struct BoardBuild {
    /// The board.
    pub board: String,
    /// Its device.
    pub target: &'static Target,
    /// Frequency of its clock.
    pub clock_mhz: f64,
    /// Name of the top.
    pub top: String,
    /// The board's folder below that of the core.
    pub folder: String,
    /// Verilog, children first, relative to the core's folder.
    pub sources: Vec<String>,
    /// The file of pins, likewise.
    pub pins: String,
    /// Forbids inferred DSP blocks.
    pub nodsp: bool,
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Name, as in [`Tools`].
    pub tool: &'static str,
    /// Arguments.
    pub arguments: Vec<String>,
}

/// What came out.
#[derive(Clone, Debug, Serialize)]
pub struct BoardReport {
    /// The board.
    pub board: String,
    /// Its part.
    pub part: &'static str,
    /// The top.
    pub top: String,
    /// Resources of the top with all that is in it, by Yosys.
    pub area: Cost,
    /// Resources that the part lacks, as `name: used of available`; it is then not routed.
    pub does_not_fit: Vec<String>,
    /// The board's clock.
    pub clock_mhz: f64,
    /// What the router reached.
    pub fmax_mhz: Option<f64>,
    /// The bitstream.
    pub bitstream: Option<PathBuf>,
    /// Version of every tool that took part.
    pub tool_versions: BTreeMap<String, String>,
}

impl BoardReport {
    /// Whether the bitstream runs at the board's clock.
    pub fn meets_clock(&self) -> bool {
        self.fmax_mhz.is_some_and(|fmax| fmax >= self.clock_mhz)
    }
}

impl BoardBuild {
    /// The tools that the family has behind Yosys.
    fn flow(&self) -> Result<RouteFlow, SynthError> {
        RouteFlow::of(self.target.family).ok_or(SynthError::NoRoute(self.target.family.name()))
    }

    /// Where the commands write.
    fn made(&self, file: &str) -> String {
        format!("{}/build/{file}", self.folder)
    }

    /// File name of the bitstream.
    pub fn bitstream(&self) -> Result<String, SynthError> {
        Ok(format!("{}.{}", self.top, self.flow()?.ending))
    }

    /// The script of Yosys.
    pub fn script(&self) -> String {
        script::with_pins(self.target.family, &self.top, self.nodsp, &self.sources, &format!("{}/build", self.folder))
    }

    /// Name of its file.
    pub fn script_file(&self) -> String {
        format!("{}/synth.ys", self.folder)
    }

    /// Synthesis, place and route, bitstream.
    pub fn commands(&self) -> Result<[Command; 3], SynthError> {
        let flow = self.flow()?;
        let words = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<String>>();
        let (layout, bitstream) = (self.made(flow.layout), self.made(&self.bitstream()?));
        let pins = if self.pins.ends_with("pcf") { "--pcf" } else { "--lpf" };
        let mut route = flow.options(self.target, self.clock_mhz, SEED);
        route.extend(words(&["--json", &self.made(script::NETLIST), pins, &self.pins, flow.layout_option, &layout]));
        route.extend(words(&["--report", &self.made("timing.json"), "--log", &self.made("nextpnr.log"), "--quiet"]));
        let pack = words(flow.pack).into_iter().chain([layout, bitstream]).collect();
        let synth = words(&["-q", "-l", &self.made("yosys.log"), "-s", &self.script_file()]);
        let command = |tool, arguments| Command { tool, arguments };
        Ok([command("yosys", synth), command(flow.router, route), command(flow.packer, pack)])
    }

    /// Runs the commands in the folder of the core. A top that Yosys finds too large for the part is not routed.
    pub fn run(&self, dir: &Path, tools: &Tools) -> Result<BoardReport, SynthError> {
        let [synth, route, pack] = self.commands()?;
        let tool_versions = versions([&synth, &route, &pack].into_iter().map(|c| c.tool), tools)?;
        let made = dir.join(self.made(""));
        if made.exists() {
            fs::remove_dir_all(&made)?;
        }
        fs::create_dir_all(&made)?;
        let run = Run::new(tools, dir, LIMIT);
        let step = |command: &Command, log: &str| {
            let mut call = tools.command(command.tool)?;
            call.args(&command.arguments);
            run.tool(command.tool, call, &self.made(log))
        };
        step(&synth, "yosys.log")?;
        let cells = cell_counts(&dir.join(self.made(script::STAT)))?;
        let area = cells::count(self.target.family, &cells).map_err(SynthError::UnknownCells)?.cost();
        let mut report = BoardReport {
            board: self.board.clone(),
            part: self.target.part,
            top: self.top.clone(),
            does_not_fit: area.lacking(self.target),
            area,
            clock_mhz: self.clock_mhz,
            fmax_mhz: None,
            bitstream: None,
            tool_versions: tool_versions.into_iter().map(|(t, v)| (t.to_string(), v)).collect(),
        };
        if report.does_not_fit.is_empty() {
            step(&route, "nextpnr.log")?;
            step(&pack, "nextpnr.log")?;
            report.fmax_mhz = slowest_clock(&dir.join(self.made("timing.json")))?;
            report.bitstream = Some(dir.join(self.made(&self.bitstream()?)));
        }
        Ok(report)
    }
}
