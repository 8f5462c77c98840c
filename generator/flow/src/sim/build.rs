//! From Verilog to a loadable model: verilate, compile, keep by the hash of everything that went in.
//!
//! The compiler is called directly. Verilator's runtime, its header and the fixed driver are compiled once for all
//! models, so a model costs the translation of its own code alone. `-O1` simulates as fast as `-O3` and nine times as
//! fast as `-O0`; a precompiled header takes 0.35 s off every model.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use bitlathe_spec::{Interface, SourceFile};
use bitlathe_templates::Template;
use bitlathe_templates::shim::Shim;

use super::SimError;
use super::toolchain::{Toolchain, run};

const DRIVER_H: &str = include_str!("../../../../testbench/shim/driver.h");
const DRIVER_CPP: &str = include_str!("../../../../testbench/shim/driver.cpp");

/// Flags of every Verilator run. What reset leaves unset gets random values, so that a core that relies on it fails.
const VERILATOR_FLAGS: [&str; 14] = [
    "--cc",
    "-O3",
    "--no-timing",
    "--x-assign",
    "unique",
    "--x-initial",
    "unique",
    "--prefix",
    "Vmodel",
    "-Wno-lint",
    "-Wno-style",
    "-Wno-fatal",
    "--default-language",
    "1364-2005",
];

/// Flags of every compilation; hidden symbols keep models apart within one process.
const CXX_FLAGS: [&str; 14] = [
    "-std=gnu++17",
    "-O1",
    "-fPIC",
    "-pthread",
    "-fvisibility=hidden",
    "-fno-gnu-unique",
    "-w",
    "-DVERILATOR=1",
    "-DVM_COVERAGE=0",
    "-DVM_SC=0",
    "-DVM_TIMING=0",
    "-DVM_TRACE_FST=0",
    "-DVM_TRACE_SAIF=0",
    "-DVL_IGNORE_UNKNOWN_ARCH",
];

/// Generated code is compiled in pieces of about this many bytes, side by side.
const PIECE_BYTES: u64 = 600_000;

/// One model to be built.
pub(super) struct Recipe<'a> {
    pub interface: &'a Interface,
    pub files: &'a [SourceFile],
    pub tools: &'a Toolchain,
    /// Parameters of the top module that differ from their defaults.
    pub parameters: &'a [(String, String)],
    /// Whether the model can write a VCD.
    pub trace: bool,
}

impl Recipe<'_> {
    /// The model's library, from the cache or newly made.
    pub fn build(&self) -> Result<PathBuf, SimError> {
        let shim = Shim::new(self.interface).render().map_err(|e| SimError::Shim(e.to_string()))?;
        let folder = cached(&self.tools.cache, &self.key(&shim), |work| {
            let started = Instant::now();
            let generated = self.verilate(work)?;
            let verilate = started.elapsed().as_secs_f64();
            self.compile(work, &shim, &generated)?;
            keep_only(work, "model.so")?;
            let all = started.elapsed().as_secs_f64();
            tracing::info!(top = self.interface.top, trace = self.trace, verilate, all, "built a model");
            Ok(())
        })?;
        Ok(folder.join("model.so"))
    }

    fn key(&self, shim: &str) -> String {
        let runtime = self.runtime_key(&[]);
        let mut parts = vec!["model", &runtime, &self.interface.top, shim];
        parts.extend(VERILATOR_FLAGS);
        parts.extend(self.parameters.iter().flat_map(|(k, v)| [k.as_str(), v.as_str()]));
        parts.push("files");
        parts.extend(self.files.iter().flat_map(|f| [f.path.as_str(), f.text.as_str()]));
        hash(&parts)
    }

    fn runtime_key(&self, sources: &[String]) -> String {
        let include = self.tools.include.to_string_lossy();
        let trace = if self.trace { "trace" } else { "no trace" };
        let mut parts = vec!["runtime", &self.tools.versions, &include, trace, DRIVER_H, DRIVER_CPP];
        parts.extend(CXX_FLAGS);
        parts.extend(sources.iter().map(String::as_str));
        hash(&parts)
    }

    /// Runs Verilator in `work`; returns the C++ files that it wrote, in the order of their names.
    fn verilate(&self, work: &Path) -> Result<Vec<PathBuf>, SimError> {
        let mut command = self.tools.verilator()?;
        command.current_dir(work).args(VERILATOR_FLAGS);
        command.args(["--Mdir", "cpp", "--top-module", &self.interface.top]);
        command.args(self.parameters.iter().map(|(name, value)| format!("-G{name}={value}")));
        if self.trace {
            command.arg("--trace");
        }
        for (number, file) in self.files.iter().enumerate() {
            let stem = Path::new(&file.path).file_name().unwrap_or_default().to_string_lossy();
            let name = format!("{number}_{stem}");
            write(&work.join(&name), &file.text)?;
            command.arg(name);
        }
        run("Verilator", &mut command)?;
        let out = work.join("cpp");
        let listing = fs::read_dir(&out).map_err(SimError::io("list", &out))?;
        let mut generated: Vec<PathBuf> = listing.filter_map(|e| Some(e.ok()?.path())).collect();
        generated.retain(|p| p.extension() == Some(OsStr::new("cpp")));
        generated.sort();
        Ok(generated)
    }

    /// Compiles the generated code with the shim and links `model.so`.
    fn compile(&self, work: &Path, shim: &str, generated: &[PathBuf]) -> Result<(), SimError> {
        let out = work.join("cpp");
        let runtime = self.runtime(&out)?;
        let shim_path = out.join("shim.cpp");
        write(&shim_path, shim)?;
        let sources: Vec<PathBuf> = std::iter::once(shim_path).chain(generated.iter().cloned()).collect();
        let mut objects = Vec::new();
        let mut commands = Vec::new();
        for piece in pieces(&out, &sources)? {
            let object = piece.with_extension("o");
            let mut command = self.compile_to(&piece, &object)?;
            command.arg("-I").arg(&out).arg("-I").arg(&runtime).arg("-include").arg(runtime.join("prelude.h"));
            commands.push(command);
            objects.push(object);
        }
        side_by_side(commands)?;
        let mut link = self.tools.cxx()?;
        link.args(["-shared", "-pthread", "-Wl,-Bsymbolic", "-s", "-o"]).arg(work.join("model.so"));
        run("the linker", link.args(&objects).args(objects_of(&runtime)?))
    }

    /// The folder with the compiled runtime, the driver and the precompiled header; made when it is not there.
    fn runtime(&self, out: &Path) -> Result<PathBuf, SimError> {
        let sources = runtime_sources(&out.join("Vmodel_classes.mk"))?;
        cached(&self.tools.cache, &self.runtime_key(&sources), |work| {
            write(&work.join("driver.h"), DRIVER_H)?;
            write(&work.join("driver.cpp"), DRIVER_CPP)?;
            write(
                &work.join("prelude.h"),
                "// The header that every verilated file includes first.\n#include \"verilated.h\"\n",
            )?;
            let mut commands = Vec::new();
            for source in &sources {
                commands.push(self.compile_to(
                    &self.tools.include.join(source).with_extension("cpp"),
                    &work.join(source).with_extension("o"),
                )?);
            }
            commands.push(self.compile_to(&work.join("driver.cpp"), &work.join("driver.o"))?);
            // A traced build is rare and does not repay the 70 MB of a precompiled header.
            if !self.trace {
                let mut command = self.compiler()?;
                command.args(["-x", "c++-header"]).arg(work.join("prelude.h"));
                command.arg("-o").arg(work.join("prelude.h.gch"));
                commands.push(command);
            }
            side_by_side(commands)
        })
    }

    fn compile_to(&self, source: &Path, object: &Path) -> Result<Command, SimError> {
        let mut command = self.compiler()?;
        command.arg("-c").arg(source).arg("-o").arg(object);
        Ok(command)
    }

    fn compiler(&self) -> Result<Command, SimError> {
        let include = &self.tools.include;
        let mut command = self.tools.cxx()?;
        command.args(CXX_FLAGS);
        for name in ["VM_TRACE", "VM_TRACE_VCD"] {
            command.arg(format!("-D{name}={}", u8::from(self.trace)));
        }
        command.arg("-I").arg(include).arg("-I").arg(include.join("vltstd"));
        Ok(command)
    }
}

/// The folder `cache/key`, filled by `fill` unless it is there. A builder locks the key, works aside and renames, so
/// that concurrent builders wait and an interrupted one leaves nothing.
fn cached(cache: &Path, key: &str, fill: impl FnOnce(&Path) -> Result<(), SimError>) -> Result<PathBuf, SimError> {
    let folder = cache.join(key);
    if folder.is_dir() {
        return Ok(folder);
    }
    fs::create_dir_all(cache).map_err(SimError::io("make", cache))?;
    let lock_path = cache.join(format!("{key}.lock"));
    let lock = File::create(&lock_path).map_err(SimError::io("make", &lock_path))?;
    lock.lock().map_err(SimError::io("lock", &lock_path))?;
    if !folder.is_dir() {
        let aside = tempfile::Builder::new().prefix("work-").tempdir_in(cache);
        let work = aside.map_err(SimError::io("make a folder in", cache))?;
        fill(work.path())?;
        fs::rename(work.path(), &folder).map_err(SimError::io("rename to", &folder))?;
    }
    // Whoever still waits holds the same file; whoever comes later finds the folder.
    if let Err(e) = fs::remove_file(&lock_path) {
        tracing::debug!("the lock {} is gone already: {e}", lock_path.display());
    }
    Ok(folder)
}

/// Runs compilers, as many at once as there are processors. Not on rayon: a waiting rayon thread may take up another
/// model's build, and would then wait for a lock that it holds itself.
fn side_by_side(commands: Vec<Command>) -> Result<(), SimError> {
    let workers = thread::available_parallelism().map_or(1, usize::from).min(commands.len());
    let queue = Mutex::new(commands.into_iter());
    let next = || queue.lock().unwrap_or_else(|e| e.into_inner()).next();
    let work = || std::iter::from_fn(next).try_for_each(|mut command| run("the C++ compiler", &mut command));
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let ends = workers.into_iter().map(|w| w.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        ends.collect::<Vec<_>>().into_iter().collect()
    })
}

/// The parts of Verilator's runtime that a model needs, from the makefile fragment that Verilator wrote.
fn runtime_sources(classes: &Path) -> Result<Vec<String>, SimError> {
    let text = fs::read_to_string(classes).map_err(SimError::io("read", classes))?;
    let mut sources = Vec::new();
    let mut listed = false;
    for line in text.lines() {
        if listed {
            sources.extend(line.split_whitespace().filter(|w| *w != "\\").map(String::from));
        }
        listed = line.trim_end().ends_with('\\') && (listed || line.starts_with("VM_GLOBAL_"));
    }
    sources.sort();
    Ok(sources)
}

/// Groups sources into files that include them, so that a model is one or a few translation units.
fn pieces(out: &Path, sources: &[PathBuf]) -> Result<Vec<PathBuf>, SimError> {
    let mut texts = vec![String::new()];
    let mut bytes = 0;
    for source in sources {
        let size = fs::metadata(source).map_err(SimError::io("read", source))?.len();
        if bytes > 0 && bytes + size > PIECE_BYTES {
            texts.push(String::new());
            bytes = 0;
        }
        bytes += size;
        let name = source.file_name().unwrap_or_default().to_string_lossy();
        if let Some(text) = texts.last_mut() {
            *text += &format!("#include \"{name}\"\n");
        }
    }
    let place = |(number, text): (usize, &String)| {
        let path = out.join(format!("piece{number}.cc"));
        write(&path, text).map(|()| path)
    };
    texts.iter().enumerate().map(place).collect()
}

/// Empties a folder but for one file.
fn keep_only(folder: &Path, name: &str) -> Result<(), SimError> {
    for entry in fs::read_dir(folder).map_err(SimError::io("list", folder))?.flatten() {
        let path = entry.path();
        if entry.file_name() != name {
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(SimError::io("remove", &path))?;
        }
    }
    Ok(())
}

fn objects_of(folder: &Path) -> Result<Vec<PathBuf>, SimError> {
    let listing = fs::read_dir(folder).map_err(SimError::io("list", folder))?;
    let objects = listing.filter_map(|e| Some(e.ok()?.path()));
    Ok(objects.filter(|p| p.extension() == Some(OsStr::new("o"))).collect())
}

fn write(path: &Path, text: &str) -> Result<(), SimError> {
    fs::write(path, text).map_err(SimError::io("write", path))
}

/// BLAKE3 over the parts, each with its length, so that no two lists of parts look the same.
fn hash(parts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    hasher.finalize().to_hex()[..32].to_string()
}
