//! Writes a core's folder: Verilog, self-checking testbench, FuseSoC description, interface JSON, `model.md`, datasheet.
//!
//! Every number is computed here; the templates only lay text out. Output depends on the config, the generator's version
//! and [`Options`] alone.

pub mod board;
mod datasheet;
mod describe;
mod diagram;
mod folder;
mod manifest;
mod model_page;
mod numbers;
pub mod package;
mod testbench;
mod timing;
mod vectors;
mod waves;
mod xrt;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bitlathe_cores::{Core, Cost, PartCost};
use bitlathe_spec::axi::AxiInterface;
use bitlathe_spec::{Dir, Family, Interface, LayoutError, Register, SourceFile};
use bitlathe_templates::{RenderError, Template};
use serde_json::Value;
use thiserror::Error;

use crate::constraints::Board;
use crate::sim::SimError;

pub use board::SelfTest;
pub use datasheet::typical_job;
pub use package::{Package, Refusal};
pub use timing::{Trace, TraceSignal, timing};

/// What the folder shows beside the core itself.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// File name of the config, for the commands in the documentation; `<name>.toml` where empty.
    pub config_file: String,
    /// Results of `bitlathe synth --json` for the datasheet.
    pub synth: Vec<Value>,
    /// For whom there is more beside the core; [`package::check`] says whether it can be.
    pub package: Option<Package>,
    /// A self-test of the core for a board; [`board::check`] says whether there can be one.
    pub board: Option<&'static Board>,
}

/// The Verilog of a core, printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rtl {
    /// One module a file, paths relative to `rtl/`, in compile order.
    pub files: Vec<SourceFile>,
    /// Whether the top takes `IMPL`, which selects the behavioural form of vendor primitives when 0.
    pub impl_parameter: bool,
}

impl Rtl {
    /// Options of a simulation: behavioural forms of vendor primitives where there are any.
    pub fn simulation(&self) -> crate::sim::Options {
        let mut options = crate::sim::Options::default();
        if !self.impl_parameter {
            options.parameters.clear();
        }
        options
    }
}

/// A folder that could not be written. Nothing of it is left behind.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum GenerateError {
    #[error("the design does not pass its checks:\n{0}")]
    Design(String),
    #[error(
        "`{}` is not empty and holds no `{manifest}` of an earlier run, so it is left alone; name a new or an empty folder",
        dir.display()
    )]
    Occupied { dir: PathBuf, manifest: String },
    #[error("`{}` is no folder; name a new or an empty folder", dir.display())]
    NoFolder { dir: PathBuf },
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
    #[error("the interface of `{core}` contradicts itself: {reason}")]
    Interface { core: String, reason: String },
    #[error("the layout does not fit the job: {0}")]
    Layout(#[from] LayoutError),
    #[error("cannot pack the testbench's beats: {0}")]
    Pack(#[source] Box<SimError>),
    #[error("a template failed: {0}")]
    Template(#[from] RenderError),
    #[error("cannot write the config as TOML: {0}")]
    Config(#[from] toml::ser::Error),
    #[error("cannot write the interface as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Writes a core's folder and returns its files.
///
/// An existing folder is replaced only when its `<name>.json` shows that an earlier run made it; files that no run made
/// are kept in it.
pub fn generate(core: &dyn Core, dir: &Path, options: &Options) -> Result<Vec<PathBuf>, GenerateError> {
    folder::check(dir, core.name())?;
    write(core, &print(core)?, dir, options)
}

/// The Verilog of a core with what stands around it, after the ports of both have been held against their interfaces.
pub fn print(core: &dyn Core) -> Result<Rtl, GenerateError> {
    let interface = core.interface();
    let mut design = core.rtl().map_err(design_error)?;
    let built = design.top_manifest().ports.into_iter().map(|p| (p.name, p.input, p.width));
    hold(core, describe::ports(&interface), built.collect())?;
    if let Some(axi) = axi_interface(core) {
        design = core.wrap().design(design, &interface, &axi).map_err(design_error)?;
        let built = design.top_manifest().ports.into_iter().map(|p| (p.name, p.input, p.width));
        hold(core, describe::axi_ports(&axi), built.collect())?;
    }
    let files = design.files(&banner(core)).into_iter().map(|(path, text)| SourceFile { path, text });
    let impl_parameter = design.top_manifest().params.iter().any(|p| p.name == "IMPL");
    Ok(Rtl { files: files.collect(), impl_parameter })
}

fn design_error(errors: impl std::fmt::Display) -> GenerateError {
    GenerateError::Design(errors.to_string())
}

/// Name, whether it is an input, and bits of a port.
type Pin = (String, bool, u64);

/// Holds the ports that a design has against those that its interface declares.
fn hold(core: &dyn Core, ports: Vec<describe::PortInfo>, built: BTreeSet<Pin>) -> Result<(), GenerateError> {
    let declared: BTreeSet<Pin> = ports.into_iter().map(|p| (p.name, p.dir == Dir::In, p.width)).collect();
    let Some(pin) = declared.symmetric_difference(&built).next() else { return Ok(()) };
    let side = if declared.contains(pin) { "the design lacks" } else { "only the design has" };
    let (name, input, width) = pin;
    let dir = if *input { "input" } else { "output" };
    let reason = format!("{side} the {dir} `{name}` of {width} bits");
    Err(GenerateError::Interface { core: core.name().into(), reason })
}

/// The module that users instantiate.
pub fn top(core: &dyn Core) -> String {
    axi_interface(core).map_or_else(|| core.interface().top, |axi| axi.top)
}

/// Predicted resources by part, with what stands around the core.
pub fn parts(core: &dyn Core, family: Family) -> Vec<PartCost> {
    core.cost(family).into_iter().chain(around(core, family)).collect()
}

/// The same of the whole.
pub fn whole_cost(core: &dyn Core, family: Family) -> Cost {
    let mut whole = core.whole_cost(family);
    around(core, family).into_iter().for_each(|part| whole += part.cost);
    whole
}

/// What stands around it.
fn around(core: &dyn Core, family: Family) -> Vec<PartCost> {
    axi_interface(core).map_or_else(Vec::new, |axi| core.wrap().cost(&axi, family))
}

/// The AXI interface of a core that is wrapped in one.
pub fn axi_interface(core: &dyn Core) -> Option<AxiInterface> {
    let hash = u32::from_str_radix(&config_hash(core)[..8], 16).unwrap_or_default();
    core.wrap().interface(&core.interface(), hash)
}

/// As [`generate`], with Verilog that is already printed.
pub fn write(core: &dyn Core, rtl: &Rtl, dir: &Path, options: &Options) -> Result<Vec<PathBuf>, GenerateError> {
    folder::check(dir, core.name())?;
    folder::replace(dir, core.name(), &files(core, rtl, options)?)
}

/// Every file of a core's folder, paths relative to it.
pub fn files(core: &dyn Core, rtl: &Rtl, options: &Options) -> Result<Vec<SourceFile>, GenerateError> {
    let subject = Subject::new(core, rtl, options)?;
    let package = options.package.map_or_else(|| Ok(vec![]), |package| package::files(&subject, package))?;
    let board = options.board.map_or_else(|| Ok(vec![]), |board| board::files(&subject, board))?;
    let jobs = vectors::jobs(&subject)?;
    let name = core.name();
    let mut files: Vec<SourceFile> =
        rtl.files.iter().map(|f| SourceFile { path: format!("rtl/{}", f.path), text: f.text.clone() }).collect();
    let bench = testbench::testbench(&subject, &jobs).render()?;
    files.push(file(format!("tb/{}_tb.v", core.interface().top), bench));
    files.extend(vectors::files(&subject, &jobs));
    files.push(file(format!("{name}.core"), manifest::fusesoc(&subject).render()?));
    files.push(file("model.md".into(), model_page::model_page(&subject, &jobs)?.render()?));
    files.push(file("datasheet.html".into(), datasheet::datasheet(&subject)?.render()?));
    files.extend(package);
    files.extend(board);
    let paths = files.iter().map(|f| f.path.clone()).collect();
    files.push(file(format!("{name}.json"), manifest::json(&subject, &jobs, paths)?));
    Ok(files)
}

/// Text with exactly one line end at its end.
fn file(path: String, text: String) -> SourceFile {
    SourceFile { path, text: format!("{}\n", text.trim_start_matches('\n').trim_end()) }
}

/// The first 16 hexadecimal digits of the BLAKE3 hash of the config, keys sorted, every default filled in.
pub fn config_hash(core: &dyn Core) -> String {
    blake3::hash(sorted(&core.config()).to_string().as_bytes()).to_hex()[..16].to_string()
}

/// The lines that every generated file carries at its head.
pub fn banner(core: &dyn Core) -> Vec<String> {
    vec![
        format!("Generated by bitlathe {} from config {} ({}).", VERSION, config_hash(core), core.name()),
        "Generated files may be used under any licence.".into(),
    ]
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The same value with the keys of every object in alphabetical order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let ordered: BTreeMap<&String, Value> = map.iter().map(|(k, v)| (k, sorted(v))).collect();
            Value::Object(ordered.into_iter().map(|(k, v)| (k.clone(), v)).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

/// The core with what every file of its folder says about it.
struct Subject<'a> {
    core: &'a dyn Core,
    rtl: &'a Rtl,
    options: &'a Options,
    interface: Interface,
    /// Around it, where there is one.
    axi: Option<AxiInterface>,
    banner: Vec<String>,
    hash: String,
}

impl<'a> Subject<'a> {
    fn new(core: &'a dyn Core, rtl: &'a Rtl, options: &'a Options) -> Result<Self, GenerateError> {
        let (interface, banner, hash) = (core.interface(), banner(core), config_hash(core));
        let subject = Self { core, rtl, options, interface, axi: axi_interface(core), banner, hash };
        for stream in &subject.interface.streams {
            if subject.interface.tensor(&stream.name).is_none() {
                return Err(subject.contradiction(format!("stream `{}` has no tensor of its name", stream.name)));
            }
        }
        Ok(subject)
    }

    /// As [`top`].
    fn top(&self) -> &str {
        self.axi.as_ref().map_or(&self.interface.top, |axi| &axi.top)
    }

    /// Its ports.
    fn ports(&self) -> Vec<describe::PortInfo> {
        self.axi.as_ref().map_or_else(|| describe::ports(&self.interface), describe::axi_ports)
    }

    /// Its Verilog, relative to the folder.
    fn rtl_files(&self) -> Vec<String> {
        self.rtl.files.iter().map(|f| format!("rtl/{}", f.path)).collect()
    }

    /// Its registers.
    fn registers(&self) -> &[Register] {
        self.axi.as_ref().map_or(&self.interface.registers, |axi| &axi.registers)
    }

    fn contradiction(&self, reason: String) -> GenerateError {
        GenerateError::Interface { core: self.core.name().into(), reason }
    }

    fn config_file(&self) -> String {
        match self.options.config_file.as_str() {
            "" => format!("{}.toml", self.core.name()),
            given => given.into(),
        }
    }
}
