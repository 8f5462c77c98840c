//! Everything that can go wrong between a core's Verilog and the results of a job on it.

use std::fmt;
use std::path::PathBuf;

use bitlathe_spec::{Dir, LayoutError, TensorError};
use serde::Serialize;
use thiserror::Error;

use crate::process::ProcessError;
use crate::tools::ToolError;

/// A co-simulation that could not be built, or a job that did not end as it should.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum SimError {
    #[error("{action} `{}`: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Tools(#[from] ToolError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("{tool} refused the model:\n{log}")]
    Tool { tool: &'static str, log: String },
    #[error("cannot write the shim: {0}")]
    Shim(String),
    #[error("cannot load the compiled model `{}`: {reason}", path.display())]
    Load { path: PathBuf, reason: String },
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error(transparent)]
    Tensor(#[from] TensorError),
    #[error("stream `{stream}` names no tensor of the interface")]
    NoTensor { stream: String },
    #[error(
        "stream `{stream}` cannot carry {value} (element {index}): a lane holds {bits} {kind} bits",
        kind = if *.signed { "signed" } else { "unsigned" }
    )]
    Lane { stream: String, value: i64, index: usize, bits: u32, signed: bool },
    #[error("stream `{stream}`: {reason}")]
    Stream { stream: String, reason: String },
    #[error("register `{register}` reads back {got:#010x} after {wrote:#010x} was written: the core refused the value")]
    Register { register: String, wrote: u32, got: u32 },
    #[error(transparent)]
    Blocked(#[from] Blocked),
    #[error(transparent)]
    Protocol(#[from] Violation),
    #[error("cannot write the wave `{}`: {reason}", path.display())]
    Wave { path: PathBuf, reason: String },
}

impl SimError {
    /// For `map_err` on a file operation.
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    /// The cycle at which a run stopped, where it did.
    pub fn cycle(&self) -> Option<u64> {
        match self {
            Self::Blocked(b) => Some(b.cycle),
            Self::Protocol(v) => Some(v.cycle),
            _ => None,
        }
    }
}

/// A job in which no stream accepted a beat for the watchdog's number of cycles.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize)]
#[error("the core is blocked: no stream accepted a beat for {watchdog} cycles, up to cycle {cycle}; {}", list(streams))]
pub struct Blocked {
    /// Cycles without an accepted beat.
    pub watchdog: u64,
    /// Cycle at which the run was given up.
    pub cycle: u64,
    /// The streams that have beats left.
    pub streams: Vec<BlockedStream>,
}

/// A stream that has beats left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BlockedStream {
    /// Stream name.
    pub name: String,
    /// Direction as seen from the core.
    pub dir: Dir,
    /// Whether `valid` was high in the last cycle.
    pub valid: bool,
    /// Whether `ready` was high in the last cycle.
    pub ready: bool,
    /// Accepted beats.
    pub done: u64,
    /// Beats of the job.
    pub beats: u64,
}

fn list(streams: &[BlockedStream]) -> String {
    streams.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl fmt::Display for BlockedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dir = match self.dir {
            Dir::In => "input",
            Dir::Out => "output",
        };
        let Self { name, valid, ready, done, beats, .. } = self;
        let (valid, ready) = (u8::from(*valid), u8::from(*ready));
        write!(f, "{dir} `{name}` has valid = {valid}, ready = {ready} after {done} of {beats} beats")
    }
}

/// An output that broke the valid/ready protocol.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize)]
#[error("output `{stream}` broke the protocol at cycle {cycle}, beat {beat} of {beats}: {rule}")]
pub struct Violation {
    /// Stream name.
    pub stream: String,
    /// What it did.
    pub rule: Rule,
    /// Cycle, counted from the start of the job.
    pub cycle: u64,
    /// Beat under way, from 0.
    pub beat: u64,
    /// Beats of the job.
    pub beats: u64,
}

/// A rule of the valid/ready protocol, by how it is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Rule {
    ValidDropped,
    DataChanged,
    LastMissing,
    LastEarly,
    ExtraBeat,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ValidDropped => "valid fell before ready took the beat",
            Self::DataChanged => "data or last changed while valid waited for ready",
            Self::LastMissing => "last is low on the job's last beat",
            Self::LastEarly => "last is high before the job's last beat",
            Self::ExtraBeat => "valid is high after the job's last beat",
        })
    }
}
