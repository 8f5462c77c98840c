//! Synthesizes Verilog for a family with Yosys, counts what it takes, and where an open router exists places, routes and
//! times it; called by `bitlathe synth`, the datasheet and the tests of the cost model.

mod board;
mod cache;
mod cells;
mod netlist;
mod prove;
mod route;
mod run;
pub(crate) mod script;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bitlathe_cores::Cost;
use bitlathe_spec::{Family, SourceFile, Target};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::process::ProcessError;
use crate::sources::write_sources;
use crate::tools::{ToolError, Tools};
pub use board::{BoardBuild, BoardReport, Command};
pub use cells::is_primitive;
use netlist::{Module, Netlist};
pub use prove::{Circuit, FormalMode, Start, Verdict, prove_equal, prove_formal};
use route::{RouteFlow, read_json};
use run::Run;

/// The clock port of every core.
const CLOCK: &str = "clk_i";

/// What to synthesize.
#[derive(Clone, Copy, Debug)]
pub struct SynthRequest<'a> {
    /// Sources; of these, `.v` and `.sv` files are read, others (`.vh`, memory images) lie beside them.
    pub files: &'a [SourceFile],
    /// Top module of the design.
    pub top: &'a str,
    /// Family, which decides the flow.
    pub family: Family,
    /// Measures this module alone, flattened, with the parameter values it has in the design. Where it appears with several
    /// sets of values, `name#1`, `name#2`, … choose one, in the order that the error lists them.
    pub module: Option<&'a str>,
    /// Values for parameters of the top.
    pub parameters: &'a [(String, i64)],
    /// Forbids inferred DSP blocks.
    pub nodsp: bool,
    /// Where copies of the log and the bitstream go; otherwise they stay in the cache.
    pub work_dir: Option<&'a Path>,
    /// Places, routes and times the module too (ECP5 and iCE40).
    pub route: Option<RouteRequest>,
    /// Runs the tools even if the cache holds the answer, which is then replaced.
    pub fresh: bool,
    /// Time for everything together.
    pub limit: Duration,
}

impl<'a> SynthRequest<'a> {
    /// Area of the whole design, with the cache, within an hour.
    pub fn new(files: &'a [SourceFile], top: &'a str, family: Family) -> Self {
        Self {
            files,
            top,
            family,
            module: None,
            parameters: &[],
            nodsp: false,
            work_dir: None,
            route: None,
            fresh: false,
            limit: Duration::from_secs(3600),
        }
    }
}

/// How to place and route.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RouteRequest {
    /// The part, one of the family.
    pub target: &'static Target,
    /// Frequency that the router aims at, in MHz. Missing it is no error.
    pub freq_mhz: f64,
    /// Seed of the placement.
    pub seed: u64,
}

/// What a module takes on a family.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SynthReport {
    /// Name of the flow, such as `xcup`.
    pub flow: String,
    /// Version of every tool that took part.
    pub tool_versions: BTreeMap<String, String>,
    /// The module that was measured.
    pub top: String,
    /// All LUT sites: logic, memory, and the LUTs inside ECP5 carry cells.
    pub lut: u64,
    /// Those of [`SynthReport::lut`] used as memory: distributed RAM and shift registers.
    pub lutram: u64,
    /// Flip-flops.
    pub ff: u64,
    /// DSP blocks.
    pub dsp: u64,
    /// Block RAMs in the family's blocks: 36 kb (half of one counts 0.5), 18 kb on ECP5, 4 kb on iCE40.
    pub bram: f64,
    /// UltraRAMs.
    pub uram: u64,
    /// Carry cells.
    pub carry: u64,
    /// Multiplexers behind the LUTs (`MUXF7` and its like).
    pub muxf: u64,
    /// Cells on the longest path between registers, block memories and ports; absent if the netlist holds a loop.
    pub logic_depth: Option<u64>,
    /// Frequency after routing in the harness, in MHz; absent without routing and for a design without a timed path.
    pub fmax_mhz: Option<f64>,
    /// The routed harness as a bitstream.
    pub bitstream: Option<PathBuf>,
    /// What the routing harness takes beside the module; no other figure contains it.
    pub harness: Option<Harness>,
    /// Cells of the netlist by type.
    pub cells: BTreeMap<String, u64>,
    /// Log of the synthesis.
    pub log: PathBuf,
}

impl SynthReport {
    /// What the design takes of a device.
    pub fn cost(&self) -> Cost {
        Cost {
            lut: self.lut as f64,
            lutram: self.lutram as f64,
            ff: self.ff as f64,
            dsp: self.dsp as f64,
            bram: self.bram,
            uram: self.uram as f64,
        }
    }
}

/// Resources of the routing harness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Harness {
    /// LUT sites.
    pub lut: u64,
    /// Flip-flops.
    pub ff: u64,
}

/// Why there is no report.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum SynthError {
    #[error(transparent)]
    Missing(#[from] ToolError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("cannot prepare the run: {0}")]
    Io(#[from] std::io::Error),
    #[error("{tool}: {message}\n\nThe end of its log:\n{tail}")]
    Tool { tool: &'static str, message: String, tail: String },
    #[error("cannot read the tool's report {file}: {reason}")]
    Report { file: String, reason: String },
    #[error("{0:?} is not a Verilog name")]
    Name(String),
    #[error("the design has no module `{module}`; it has: {known}")]
    NoModule { module: String, known: String },
    #[error("the module `{module}` appears with several parameter sets; choose one of:\n{choices}")]
    Ambiguous { module: String, choices: String },
    #[error("no place-and-route for {0}: only ecp5 and ice40 have an open router; ask for area without routing")]
    NoRoute(&'static str),
    #[error("port `{port}` is {direction}: the routing harness connects inputs and outputs only")]
    Port { port: String, direction: String },
    #[error("the netlist holds cells that the resource table does not know: {}", .0.join(", "))]
    UnknownCells(Vec<String>),
}

/// Synthesizes, and routes if asked to.
pub fn synthesize(request: &SynthRequest, tools: &Tools) -> Result<SynthReport, SynthError> {
    check(request)?;
    let versions = tool_versions(request, tools)?;
    let entry = cache::Entry::of(request, &versions, tools);
    let report = match entry.load().filter(|_| !request.fresh) {
        Some(report) => report,
        None => {
            let workspace = entry.workspace()?;
            let result = measure(request, versions, &Run::new(tools, workspace.path(), request.limit));
            if result.is_err() {
                keep_logs(workspace.path(), request.work_dir);
            }
            entry.store(workspace, result?)?
        }
    };
    copy_out(report, request.work_dir)
}

/// Refuses what would end up as text in a script, and what no flow can do.
fn check(request: &SynthRequest) -> Result<(), SynthError> {
    let module = request.module.map(|m| m.split_once('#').map_or(m, |(name, _)| name));
    let names = request.parameters.iter().map(|(n, _)| n.as_str()).chain([request.top]).chain(module);
    check_names(names)?;
    match request.route {
        Some(_) if matches!(request.family, Family::Xcup | Family::Xc7) => {
            Err(SynthError::NoRoute(request.family.name()))
        }
        _ => Ok(()),
    }
}

fn check_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<(), SynthError> {
    let is_name = |n: &str| {
        n.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && n.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
    };
    match names.into_iter().find(|n| !is_name(n)) {
        Some(name) => Err(SynthError::Name(name.to_string())),
        None => Ok(()),
    }
}

/// The tools that a request needs, with their versions; a missing one is an error before anything runs.
fn tool_versions(request: &SynthRequest, tools: &Tools) -> Result<Vec<(&'static str, String)>, SynthError> {
    let routing = request.route.and_then(|_| RouteFlow::of(request.family));
    versions(["yosys"].into_iter().chain(routing.into_iter().flat_map(|f| [f.router, f.packer])), tools)
}

fn versions(
    names: impl Iterator<Item = &'static str>,
    tools: &Tools,
) -> Result<Vec<(&'static str, String)>, SynthError> {
    let mut versions = Vec::new();
    for tool in names {
        tools.command(tool)?;
        if let Some(version) = tools.version(tool) {
            versions.push((tool, version));
        }
    }
    Ok(versions)
}

/// Runs the tools in the run's folder.
fn measure(
    request: &SynthRequest,
    versions: Vec<(&'static str, String)>,
    run: &Run,
) -> Result<SynthReport, SynthError> {
    let sources = write_sources(request.files, run.folder)?;
    let read = script::read(&sources, request.top, request.parameters);
    let (top, read) = match request.module {
        None => (request.top, read),
        Some(module) => {
            run.yosys("elaborate", &(read + &script::list_modules()))?;
            let (elaborated, name) = choose_module(&read_json(&run.folder.join(script::HIERARCHY))?, module)?;
            (name, script::read_module(&elaborated, name))
        }
    };
    let keep = request.route.is_some();
    run.yosys("yosys", &(read + &script::map(request.family, top, request.nodsp, keep)))?;
    let cells = cell_counts(&run.folder.join(script::STAT))?;
    let counts = cells::count(request.family, &cells).map_err(SynthError::UnknownCells)?;
    let netlist: Netlist = read_json(&run.folder.join(script::NETLIST))?;
    let module = netlist.modules.get(top).ok_or_else(|| SynthError::Report {
        file: script::NETLIST.to_string(),
        reason: format!("it has no module `{top}`"),
    })?;
    let mut report = SynthReport {
        flow: request.family.name().to_string(),
        tool_versions: versions.into_iter().map(|(t, v)| (t.to_string(), v)).collect(),
        top: top.to_string(),
        lut: counts.lut,
        lutram: counts.lutram,
        ff: counts.ff,
        dsp: counts.dsp,
        bram: counts.bram,
        uram: counts.uram,
        carry: counts.carry,
        muxf: counts.muxf,
        logic_depth: netlist::logic_depth(module, request.family),
        fmax_mhz: None,
        bitstream: None,
        harness: None,
        cells,
        log: PathBuf::from("yosys.log"),
    };
    if let Some(route) = &request.route {
        place_and_route(&mut report, request.family, module, route, run)?;
    }
    Ok(report)
}

/// Builds the harness around the mapped module, routes it, and adds what came out to the report.
fn place_and_route(
    report: &mut SynthReport,
    family: Family,
    module: &Module,
    request: &RouteRequest,
    run: &Run,
) -> Result<(), SynthError> {
    let (name, file) = (format!("{}_pins", report.top), "harness.v");
    fs::write(run.folder.join(file), route::harness(&report.top, &name, module)?)?;
    run.yosys("harness", &script::harness(family, file, &name, &report.top))?;
    let cells = cell_counts(&run.folder.join(script::STAT))?;
    let both = cells::count(family, &cells).map_err(SynthError::UnknownCells)?;
    report.harness = Some(Harness { lut: both.lut.saturating_sub(report.lut), ff: both.ff.saturating_sub(report.ff) });
    let ending = RouteFlow::of(family).map_or("", |flow| flow.ending);
    let bitstream = format!("{}.{ending}", report.top);
    report.fmax_mhz = route::route(run, family, script::ROUTABLE, &bitstream, request)?;
    report.bitstream = Some(PathBuf::from(bitstream));
    Ok(())
}

/// Finds a module among the elaborated ones: its elaborated name, and its name in the source.
fn choose_module<'a>(design: &Netlist, wanted: &'a str) -> Result<(String, &'a str), SynthError> {
    let (name, index) = wanted.split_once('#').map_or((wanted, None), |(n, i)| (n, Some(i)));
    fn source_name<'n>(elaborated: &'n str, module: &'n Module) -> &'n str {
        module.attributes.get("hdlname").and_then(|v| v.as_str()).unwrap_or(elaborated)
    }
    let found: Vec<(&String, &Module)> =
        design.modules.iter().filter(|(elaborated, module)| source_name(elaborated, module) == name).collect();
    if found.is_empty() {
        let mut known: Vec<&str> = design.modules.iter().map(|(e, m)| source_name(e, m)).collect();
        known.sort_unstable();
        known.dedup();
        return Err(SynthError::NoModule { module: name.to_string(), known: known.join(", ") });
    }
    let index = match index {
        None if found.len() == 1 => Some(0),
        None => None,
        Some(i) => i.parse::<usize>().ok().and_then(|i| i.checked_sub(1)),
    };
    match index.and_then(|i| found.get(i)) {
        Some((elaborated, _)) => Ok(((*elaborated).clone(), name)),
        None => {
            let choice = |(i, (_, module)): (usize, &(&String, &Module))| {
                let values: Vec<String> =
                    module.parameter_default_values.iter().map(|(n, v)| format!("{n} = {}", value(v))).collect();
                format!("  {name}#{}  {}", i + 1, values.join(", "))
            };
            let choices: Vec<String> = found.iter().enumerate().map(choice).collect();
            Err(SynthError::Ambiguous { module: wanted.to_string(), choices: choices.join("\n") })
        }
    }
}

/// A parameter value as a person writes it; Yosys gives 32-bit numbers as strings of bits.
fn value(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(bits) if bits.len() == 32 => {
            u32::from_str_radix(bits, 2).map_or_else(|_| bits.clone(), |v| (v as i32).to_string())
        }
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[derive(Deserialize)]
struct Statistics {
    design: DesignStatistics,
}

#[derive(Deserialize)]
struct DesignStatistics {
    #[serde(default)]
    num_cells_by_type: BTreeMap<String, u64>,
}

fn cell_counts(file: &Path) -> Result<BTreeMap<String, u64>, SynthError> {
    Ok(read_json::<Statistics>(file)?.design.num_cells_by_type)
}

impl SynthReport {
    /// The files that belong to the report.
    fn files(&self) -> Vec<&PathBuf> {
        std::iter::once(&self.log).chain(&self.bitstream).collect()
    }

    /// Points the report's files into a folder; an empty one leaves bare names.
    fn place_in(&mut self, folder: &Path) {
        for file in std::iter::once(&mut self.log).chain(&mut self.bitstream) {
            if let Some(name) = file.file_name() {
                *file = folder.join(name);
            }
        }
    }
}

/// Copies the report's files to where the caller wants them.
fn copy_out(mut report: SynthReport, work_dir: Option<&Path>) -> Result<SynthReport, SynthError> {
    let Some(folder) = work_dir else { return Ok(report) };
    fs::create_dir_all(folder)?;
    for file in report.files() {
        if let Some(name) = file.file_name() {
            fs::copy(file, folder.join(name))?;
        }
    }
    report.place_in(folder);
    Ok(report)
}

/// After a failure: whatever logs there are go to the caller's folder.
fn keep_logs(run: &Path, work_dir: Option<&Path>) {
    let Some(folder) = work_dir else { return };
    let logs = fs::read_dir(run).into_iter().flatten().flatten().map(|e| e.path());
    for log in logs.filter(|p| p.extension().is_some_and(|e| e == "log")) {
        let copied =
            log.file_name().map(|name| fs::create_dir_all(folder).and_then(|()| fs::copy(&log, folder.join(name))));
        if let Some(Err(e)) = copied {
            tracing::warn!(log = %log.display(), "cannot keep the log: {e}");
        }
    }
}
