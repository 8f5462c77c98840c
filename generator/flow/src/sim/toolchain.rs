//! What a model build takes from the machine: Verilator, its runtime's sources, the C++ compiler.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::SimError;
use crate::process;
use crate::tools::Tools;

/// A very wide model takes minutes; this only ends what hangs.
const LIMIT: Duration = Duration::from_secs(3600);

/// Verilator and the C++ compiler of this machine.
pub(super) struct Toolchain {
    tools: Tools,
    /// The versions of both, part of every cache key.
    pub versions: String,
    /// The folder of `verilated.h`.
    pub include: PathBuf,
    /// Where models are kept.
    pub cache: PathBuf,
}

impl Toolchain {
    /// Asks the tools for their versions and places.
    pub fn new(tools: &Tools) -> Result<Self, SimError> {
        let answer = process::run_ok(tools.command("verilator")?.args(["--getenv", "VERILATOR_ROOT"]), LIMIT)?;
        let versions = ["verilator", "g++"].map(|name| tools.version(name).unwrap_or_default()).join("; ");
        let include = Path::new(answer.stdout.trim()).join("include");
        Ok(Self { tools: tools.clone(), versions, include, cache: tools.cache().join("models") })
    }

    /// A Verilator run, ready for arguments.
    pub fn verilator(&self) -> Result<Command, SimError> {
        Ok(self.tools.command("verilator")?)
    }

    /// A compiler run, ready for arguments.
    pub fn cxx(&self) -> Result<Command, SimError> {
        Ok(self.tools.command("g++")?)
    }
}

/// Runs a tool to its end; its failure is an error with its first messages.
pub(super) fn run(tool: &'static str, command: &mut Command) -> Result<(), SimError> {
    const LINES: usize = 30;
    let output = process::run(command, LIMIT)?;
    if output.code == Some(0) {
        return Ok(());
    }
    let log = output.stderr + &output.stdout;
    let mut lines: Vec<&str> = log.lines().take(LINES + 1).collect();
    if lines.len() > LINES {
        lines[LINES] = "...";
    }
    Err(SimError::Tool { tool, log: lines.join("\n") })
}
