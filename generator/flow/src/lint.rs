//! Lints generated Verilog with Verilator (`-Wall`) and slang (`-Wextra -Wconversion`); called by `verify` and by tests.

use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bitlathe_spec::SourceFile;
use serde::Serialize;
use thiserror::Error;

use crate::process::{self, ProcessError};
use crate::sources::write_sources;
use crate::synth::is_primitive;
use crate::tools::{ToolError, Tools};

const LIMIT: Duration = Duration::from_secs(600);

/// How grave a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Severity {
    Warning,
    Error,
}

/// One message of a linter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LintMessage {
    /// `verilator` or `slang`.
    pub tool: &'static str,
    /// How grave it is.
    pub severity: Severity,
    /// The tool's name for it, such as `WIDTHTRUNC` or `width-trunc`; empty where it has none.
    pub code: String,
    /// File as given; empty for a message about no place.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// What it says.
    pub text: String,
}

impl std::fmt::Display for LintMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tool, code, file, line, column, text, .. } = self;
        write!(f, "{file}:{line}:{column}: {text} [{tool} {code}]")
    }
}

/// Why a lint did not take place.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum LintError {
    #[error(transparent)]
    Tool(#[from] ToolError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("cannot write the sources to lint: {0}")]
    Io(#[from] io::Error),
    #[error("{tool} ended with an error that names no place:\n{tail}")]
    NoResult { tool: &'static str, tail: String },
}

/// Lints the design under `top` with both tools. Vendor primitives that the files do not define are no message.
pub fn lint(files: &[SourceFile], top: &str, tools: &Tools) -> Result<Vec<LintMessage>, LintError> {
    let folder = tempfile::tempdir()?;
    let sources = write_sources(files, folder.path())?;
    let mut verilator = tools.command("verilator")?;
    verilator.args(["--lint-only", "-Wall", "--top-module", top]);
    let mut slang = tools.command("slang")?;
    slang.arg(top);
    let mut messages = run("verilator", verilator, &sources, folder.path(), verilator_message)?;
    messages.extend(run("slang", slang, &sources, folder.path(), slang_message)?);
    Ok(messages)
}

fn run(
    tool: &'static str,
    mut command: Command,
    sources: &[String],
    folder: &Path,
    parse: fn(&str) -> Option<LintMessage>,
) -> Result<Vec<LintMessage>, LintError> {
    let output = process::run(command.args(sources).current_dir(folder), LIMIT)?;
    let text = output.stdout + &output.stderr;
    let all: Vec<LintMessage> = text.lines().filter_map(parse).collect();
    if all.is_empty() && output.code != Some(0) {
        return Err(LintError::NoResult { tool, tail: process::tail(&text) });
    }
    Ok(all.into_iter().filter(|m| !is_missing_primitive(m)).collect())
}

/// Parses `%Warning-WIDTHTRUNC: rtl/a.v:4:10: Operator …`.
fn verilator_message(line: &str) -> Option<LintMessage> {
    let rest = line.strip_prefix('%')?;
    let (kind, rest) = rest.split_once(": ")?;
    let (severity, code) = match kind.split_once('-').unwrap_or((kind, "")) {
        ("Warning", code) => (Severity::Warning, code),
        ("Error", code) => (Severity::Error, code),
        _ => return None,
    };
    if rest.starts_with("Exiting due to") {
        return None;
    }
    let (file, line, column, text) = place(rest).unwrap_or(("", 0, 0, rest));
    Some(message("verilator", severity, code, (file, line, column), text))
}

/// Parses `rtl/a.v:4:12: warning: implicit conversion … [-Wwidth-trunc]`.
fn slang_message(line: &str) -> Option<LintMessage> {
    let (file, line, column, rest) = place(line)?;
    let (severity, text) = match rest.split_once(": ")? {
        ("warning", text) => (Severity::Warning, text),
        ("error" | "fatal error", text) => (Severity::Error, text),
        _ => return None,
    };
    let (text, code) = text.strip_suffix(']').and_then(|t| t.rsplit_once(" [-W")).unwrap_or((text, ""));
    Some(message("slang", severity, code, (file, line, column), text))
}

/// Splits `file:line:column: rest`.
fn place(text: &str) -> Option<(&str, u32, u32, &str)> {
    let (place, rest) = text.split_once(": ")?;
    let mut parts = place.rsplitn(3, ':');
    let column = parts.next()?.parse().ok()?;
    let line = parts.next()?.parse().ok()?;
    Some((parts.next()?, line, column, rest))
}

fn message(
    tool: &'static str,
    severity: Severity,
    code: &str,
    (file, line, column): (&str, u32, u32),
    text: &str,
) -> LintMessage {
    LintMessage { tool, severity, code: code.to_string(), file: file.to_string(), line, column, text: text.to_string() }
}

/// Whether the message only says that a vendor primitive has no definition here.
fn is_missing_primitive(message: &LintMessage) -> bool {
    let unknown = message.code == "MODMISSING" || message.text.starts_with("unknown module");
    unknown && message.text.split('\'').nth(1).is_some_and(is_primitive)
}
