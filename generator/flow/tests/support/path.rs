//! Tools that programs look for on `PATH`.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use bitlathe_flow::tools::Tools;

/// Puts in front of the command's `PATH` a folder below `home` with a `verilator` that runs the one that Bitlathe has found.
pub fn offer_verilator(command: &mut Command, tools: &Tools, home: &Path) {
    let folder = home.join("bin");
    fs::create_dir_all(&folder).expect("writable");
    let verilator = tools.command("verilator").expect("verilator");
    let root = verilator.get_envs().find(|(name, _)| *name == "VERILATOR_ROOT").and_then(|(_, value)| value);
    let root = root.map_or(String::new(), |r| format!("export VERILATOR_ROOT='{}'\n", Path::new(r).display()));
    let path = folder.join("verilator");
    let program = Path::new(verilator.get_program()).display();
    fs::write(&path, format!("#!/bin/sh\n{root}exec '{program}' \"$@\"\n")).expect("writable");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
    let search = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, value)| value);
    let search: OsString = search.map_or_else(|| env::var_os("PATH").unwrap_or_default(), ToOwned::to_owned);
    let folders = std::iter::once(folder).chain(env::split_paths(&search));
    command.env("PATH", env::join_paths(folders).expect("a search path"));
}
