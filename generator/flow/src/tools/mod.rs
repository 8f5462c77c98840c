//! Finds the outside programs, says which are missing and how to get them, and makes commands that run them.
//!
//! A tool comes from the folder named by `BITLATHE_TOOLS`, else from the machine where its version is good enough, else
//! from the per-user folder that [`install`] fills with pinned Python packages.

mod catalogue;
mod install;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Serialize;
use thiserror::Error;

use crate::process::{self, ProcessError};
use catalogue::{CATALOGUE, Entry, Machine, Source};
pub use catalogue::{INSTALL, REQUIREMENTS, VERILATOR_OLDEST, YOSYS_RELEASE};
pub use install::{install, install_at};

/// How long a tool may take to print its version; a WebAssembly tool compiles itself at its very first start.
const VERSION_LIMIT: Duration = Duration::from_secs(120);
const SLANG_SCRIPT: &str = include_str!("../../tools/slang_lint.py");

/// Why a tool cannot be used.
#[derive(Debug, Error)]
pub enum ToolError {
    /// It is not on this machine.
    #[error("`{name}` is missing; it is needed for {unlocks}. To get it: {get}")]
    Missing {
        /// The tool.
        name: String,
        /// What needs it.
        unlocks: String,
        /// The line that gets it.
        get: String,
    },
    /// No tool has this name.
    #[error("no tool is called `{name}`; there are: {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// Neither `XDG_CACHE_HOME` nor `HOME` says where the cache goes.
    #[error("neither HOME nor XDG_CACHE_HOME is set; set BITLATHE_TOOLS to a folder for the tools")]
    NoHome,
    /// A file of the tool folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A step of the installation failed.
    #[error("cannot {step}: {source}")]
    Install {
        /// The step.
        step: String,
        /// What its command said.
        source: ProcessError,
    },
    /// The machine's Python cannot make the tool folder.
    #[error(
        "the tool folder needs python3, 3.10 or newer, with its venv module. To get it: sudo apt-get install python3-venv\n{0}"
    )]
    Python(String),
}

/// Where tools are looked for and kept.
#[derive(Clone, Debug)]
pub struct Places {
    /// The user's own tool folder (`BITLATHE_TOOLS`).
    pub tools: Option<PathBuf>,
    /// Bitlathe's cache folder: tools and synthesis results.
    pub cache: PathBuf,
    /// The search path.
    pub path: OsString,
}

impl Places {
    /// As the environment says: `BITLATHE_TOOLS`, `XDG_CACHE_HOME` or `HOME`, `PATH`.
    pub fn from_env() -> Result<Self, ToolError> {
        let var = |name| std::env::var_os(name).filter(|v| !v.is_empty());
        // A relative tool folder would change its meaning with a child's working directory.
        let tools = var("BITLATHE_TOOLS").map(PathBuf::from).map(|p| std::path::absolute(&p).unwrap_or(p));
        let cache = match (var("XDG_CACHE_HOME").map(PathBuf::from).filter(|p| p.is_absolute()), var("HOME")) {
            (Some(cache), _) => cache,
            (None, Some(home)) => PathBuf::from(home).join(".cache"),
            (None, None) if tools.is_some() => std::env::temp_dir(),
            (None, None) => return Err(ToolError::NoHome),
        };
        Ok(Self { tools, cache: cache.join("bitlathe"), path: var("PATH").unwrap_or_default() })
    }

    /// The tool folder: the user's own, else the one of the pinned versions in the cache.
    pub fn folder(&self) -> PathBuf {
        self.tools.clone().unwrap_or_else(|| {
            let hash = blake3::hash(REQUIREMENTS.as_bytes()).to_hex();
            self.cache.join(format!("tools-{}", &hash[..12]))
        })
    }
}

/// How a tool is started.
#[derive(Clone, Debug)]
enum Launch {
    /// As itself.
    Program(PathBuf),
    /// Verilator of a Python package, with the package's folder as its root.
    VerilatorPackage(PathBuf),
    /// The lint script under this Python.
    Slang(PathBuf),
}

#[derive(Clone, Debug)]
struct Found {
    launch: Launch,
    /// Known where choosing the tool needed it, or where the package's name tells.
    version: Option<String>,
}

/// What `bitlathe doctor` says of one tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ToolStatus {
    /// The tool.
    pub name: &'static str,
    /// Its version, where it is here and tells.
    pub version: Option<String>,
    /// Where it is; `None` if it is missing.
    pub path: Option<PathBuf>,
    /// What it is needed for.
    pub unlocks: &'static str,
    /// The one line that gets it.
    pub get: String,
}

/// The tools of this machine.
#[derive(Clone, Debug)]
pub struct Tools {
    places: Places,
    /// The folder's `bin` comes first on the `PATH` of every tool when the folder is whole.
    folder: Option<PathBuf>,
    found: BTreeMap<&'static str, Found>,
}

impl Tools {
    /// Looks in the places that the environment names. A missing tool is no error until it is asked for.
    pub fn discover() -> Result<Self, ToolError> {
        Ok(Self::discover_at(&Places::from_env()?))
    }

    /// Looks in the given places.
    pub fn discover_at(places: &Places) -> Self {
        let folder = Some(places.folder()).filter(|f| install::usable(f, places));
        let mut tools = Self { places: places.clone(), folder, found: BTreeMap::new() };
        for entry in CATALOGUE {
            if let Some(found) = tools.look_for(entry) {
                tools.found.insert(entry.name, found);
            }
        }
        tools
    }

    /// A command that runs the tool, ready for arguments.
    ///
    /// Some tools are WebAssembly programs that see a private, empty `/tmp`: set a working directory and give file names
    /// relative to it.
    pub fn command(&self, name: &str) -> Result<Command, ToolError> {
        let entry = Entry::find(name).ok_or_else(|| ToolError::Unknown {
            name: name.to_string(),
            known: CATALOGUE.iter().map(|e| e.name).collect::<Vec<_>>().join(", "),
        })?;
        let found = self.found.get(name).ok_or_else(|| ToolError::Missing {
            name: name.to_string(),
            unlocks: entry.unlocks.to_string(),
            get: entry.get(),
        })?;
        let mut command = match &found.launch {
            Launch::Program(path) => Command::new(path),
            Launch::VerilatorPackage(root) => {
                let mut command = Command::new(root.join("bin/verilator"));
                command.env("VERILATOR_ROOT", root);
                command
            }
            Launch::Slang(python) => {
                let mut command = Command::new(python);
                command.args(["-c", SLANG_SCRIPT]);
                command
            }
        };
        self.set_environment(&mut command);
        Ok(command)
    }

    /// Whether a tool is here.
    pub fn has(&self, name: &str) -> bool {
        self.found.contains_key(name)
    }

    /// The version of a tool that is here; asks the tool itself where nothing else tells.
    pub fn version(&self, name: &str) -> Option<String> {
        let found = self.found.get(name)?;
        if found.version.is_some() {
            return found.version.clone();
        }
        let argument = Entry::find(name)?.version;
        if argument.is_empty() {
            return None;
        }
        printed_version(self.command(name).ok()?.arg(argument))
    }

    /// Every tool, here or missing.
    pub fn status(&self) -> Vec<ToolStatus> {
        let status = |entry: &Entry| ToolStatus {
            name: entry.name,
            version: self.version(entry.name),
            path: self.found.get(entry.name).map(|f| f.launch.path()),
            unlocks: entry.unlocks,
            get: entry.get(),
        };
        CATALOGUE.iter().map(status).collect()
    }

    /// Bitlathe's cache folder.
    pub fn cache(&self) -> &Path {
        &self.places.cache
    }

    /// The same tools with results kept in another folder.
    pub fn with_cache(mut self, cache: &Path) -> Self {
        self.places.cache = cache.to_path_buf();
        self
    }

    /// Whether every tool that the tool folder can hold is here.
    fn complete(&self) -> bool {
        CATALOGUE.iter().all(|e| matches!(e.source, Source::System(_)) || self.has(e.name))
    }

    fn set_environment(&self, command: &mut Command) {
        let Some(folder) = &self.folder else { return };
        let dirs = std::iter::once(folder.join("bin")).chain(std::env::split_paths(&self.places.path));
        if let Ok(path) = std::env::join_paths(dirs) {
            command.env("PATH", path);
        }
        if install::is_ours(folder) {
            command.env("YOWASP_CACHE_DIR", folder.join("wasm"));
        }
    }

    fn look_for(&self, entry: &Entry) -> Option<Found> {
        let own = self.folder.as_deref();
        let in_folder = || own.and_then(|f| look_in_folder(entry, f));
        // The user's own folder comes before the machine, the cache after it.
        if self.places.tools.is_some() {
            in_folder().or_else(|| self.look_on_machine(entry))
        } else {
            self.look_on_machine(entry).or_else(in_folder)
        }
    }

    fn look_on_machine(&self, entry: &Entry) -> Option<Found> {
        let path = std::env::split_paths(&self.places.path).map(|d| d.join(entry.name)).find(|p| is_executable(p))?;
        let version = match entry.source {
            Source::System(_) | Source::Folder { machine: Machine::Any, .. } => None,
            Source::Folder { machine: Machine::YosysRelease, .. } => {
                // `yosys-smtbmc` tells no version: it is judged by the `yosys` beside it.
                let yosys = path.with_file_name("yosys");
                Some(printed_version(Command::new(yosys).arg("-V")).filter(|v| is_pinned_yosys(v))?)
            }
            Source::Verilator => {
                Some(printed_version(Command::new(&path).arg("--version")).filter(|v| is_good_verilator(v))?)
            }
            Source::Folder { machine: Machine::Never, .. } | Source::Slang => return None,
        };
        Some(Found { launch: Launch::Program(path), version })
    }
}

impl Launch {
    fn path(&self) -> PathBuf {
        match self {
            Self::Program(path) | Self::Slang(path) => path.clone(),
            Self::VerilatorPackage(root) => root.join("bin/verilator"),
        }
    }
}

/// Looks in a tool folder: a Python environment with the packages, or plain programs in `bin`.
fn look_in_folder(entry: &Entry, folder: &Path) -> Option<Found> {
    let bin = folder.join("bin");
    let plain = Some(bin.join(entry.name)).filter(|p| is_executable(p));
    let program = |path, version| Found { launch: Launch::Program(path), version };
    match entry.source {
        Source::Folder { script, package, .. } => {
            let path = plain.or_else(|| Some(bin.join(script)).filter(|p| is_executable(p)))?;
            Some(program(path, package_version(folder, package)))
        }
        Source::Verilator => {
            let package = || {
                let root = site_packages(folder)?.join("verilator");
                is_executable(&root.join("bin/verilator_bin")).then(|| Found {
                    launch: Launch::VerilatorPackage(root),
                    version: package_version(folder, "verilator"),
                })
            };
            plain.map(|p| program(p, None)).or_else(package)
        }
        Source::Slang => {
            let version = package_version(folder, "pyslang")?;
            Some(Found { launch: Launch::Slang(bin.join("python")), version: Some(version) })
        }
        Source::System(_) => plain.map(|p| program(p, None)),
    }
}

/// The package folder of a Python environment.
fn site_packages(folder: &Path) -> Option<PathBuf> {
    let versions = fs::read_dir(folder.join("lib")).ok()?.flatten();
    versions.map(|v| v.path().join("site-packages")).find(|p| p.is_dir())
}

/// A package's version, read from the name of its `.dist-info` folder.
fn package_version(folder: &Path, package: &str) -> Option<String> {
    let names = fs::read_dir(site_packages(folder)?).ok()?.flatten().map(|e| e.file_name());
    names.filter_map(|n| n.into_string().ok()).find_map(|n| {
        let version = n.strip_prefix(package)?.strip_prefix('-')?.strip_suffix(".dist-info")?;
        Some(version.to_string())
    })
}

/// The first line that a tool prints about its version.
fn printed_version(command: &mut Command) -> Option<String> {
    let output = process::run(command, VERSION_LIMIT).ok()?;
    let text = if output.stdout.trim().is_empty() { output.stderr } else { output.stdout };
    let line = text.lines().map(str::trim).find(|l| !l.is_empty())?;
    Some(line.to_string())
}

/// Whether `Yosys 0.70 (git …)` is the pinned release; a build between two releases, `0.70+12`, is not.
fn is_pinned_yosys(line: &str) -> bool {
    line.strip_prefix("Yosys ").and_then(|l| l.split_whitespace().next()) == Some(YOSYS_RELEASE)
}

/// Whether `Verilator 5.006 2023-…` is new enough.
fn is_good_verilator(line: &str) -> bool {
    let version = line.strip_prefix("Verilator ").and_then(|l| l.split_whitespace().next()).unwrap_or("");
    let mut numbers = version.split('.').map(|n| n.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) >= VERILATOR_OLDEST,
        _ => false,
    }
}

/// Whether a file exists that may be run.
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_judged_by_their_numbers() {
        assert!(is_pinned_yosys("Yosys 0.70 (git sha1 28ba3cb92, Release)"));
        assert!(!is_pinned_yosys("Yosys 0.70+12 (git sha1 28ba3cb92)"));
        assert!(!is_pinned_yosys("Yosys 0.23 (git sha1 7ce5011c24b)"));
        assert!(is_good_verilator("Verilator 5.006 2023-01-22 rev (Debian 5.006-3)"));
        assert!(is_good_verilator("Verilator 5.048 2026-04-26 rev v5.048"));
        assert!(!is_good_verilator("Verilator 4.038 2020-07-11 rev v4.036-114"));
        assert!(!is_good_verilator("Verilator rev vUNKNOWN-built20260516"));
    }

    #[test]
    fn the_pinned_package_is_the_release_behind_the_figures() {
        assert!(REQUIREMENTS.contains(&format!("\nyowasp-yosys=={YOSYS_RELEASE}.")));
        let pins = REQUIREMENTS.lines().filter(|l| !l.is_empty() && !l.starts_with('#'));
        for line in pins {
            assert!(line.contains("=="), "{line} is not pinned");
        }
    }
}
