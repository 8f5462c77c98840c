//! One working folder in which tools run one after the other; turns their failures into errors with file and line.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::SynthError;
use crate::process::{self, ProcessError};
use crate::tools::Tools;

/// A working folder with a deadline for everything that runs in it.
///
/// All file names given to tools are relative to the folder: the WebAssembly tools see a private `/tmp`.
pub(super) struct Run<'a> {
    pub tools: &'a Tools,
    pub folder: &'a Path,
    deadline: Instant,
    limit: Duration,
}

impl<'a> Run<'a> {
    pub fn new(tools: &'a Tools, folder: &'a Path, limit: Duration) -> Self {
        // A limit beyond what the clock can hold is no limit: a century is as good.
        let century = Duration::from_secs(100 * 365 * 24 * 3600);
        Self { tools, folder, deadline: Instant::now() + limit.min(century), limit }
    }

    /// Runs a Yosys script, kept as `<step>.ys`; its log goes to `<step>.log`. Standard output is not used: Yosys as
    /// WebAssembly cuts it.
    pub fn yosys(&self, step: &str, script: &str) -> Result<(), SynthError> {
        let (file, log) = (format!("{step}.ys"), format!("{step}.log"));
        fs::write(self.folder.join(&file), script)?;
        let mut command = self.tools.command("yosys")?;
        command.args(["-q", "-l", &log, "-s", &file]);
        self.tool("yosys", command, &log)
    }

    /// Runs a tool in the folder; a failure is told by the first error line of its log.
    pub fn tool(&self, tool: &'static str, mut command: Command, log: &str) -> Result<(), SynthError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let output = process::run(command.current_dir(self.folder), left).map_err(|error| match error {
            ProcessError::Timeout { command, tail, .. } => {
                SynthError::Process(ProcessError::Timeout { command, seconds: self.limit.as_secs_f64(), tail })
            }
            other => SynthError::Process(other),
        })?;
        if output.code == Some(0) {
            return Ok(());
        }
        let printed = output.stdout + &output.stderr;
        // The log may be missing when the tool did not get that far; what it printed is the rest of the story.
        let text = fs::read_to_string(self.folder.join(log)).unwrap_or_default() + &printed;
        let message = first_error(&text).unwrap_or_else(|| match output.code {
            Some(code) => format!("exited with code {code}"),
            None => "ended by a signal".to_string(),
        });
        Err(SynthError::Tool { tool, message, tail: process::tail(&text) })
    }
}

/// The first line that reports an error, such as `rtl/a.v:3: ERROR: syntax error, …`.
fn first_error(log: &str) -> Option<String> {
    let line = log.lines().find(|l| l.contains("ERROR: ") || l.starts_with("Error: "))?;
    Some(line.trim().replace("ERROR: ", ""))
}
