//! A self-checking plain Verilog testbench; `flow::generate` computes its numbers and the vectors beside it.

use askama::Template;

/// The testbench of one core, as Verilog-2005 by [`Template::render`].
#[derive(Template)]
#[template(path = "testbench.v", escape = "none")]
pub struct Testbench {
    /// Lines of the head comment, without the comment mark.
    pub banner: Vec<String>,
    /// The core's name; the module is `<name>_tb`.
    pub name: String,
    /// The module under test.
    pub top: String,
    /// Whether the top takes `IMPL`, which selects behavioural macros when 0.
    pub impl_parameter: bool,
    /// Whether the core has a register port.
    pub registers: bool,
    /// Width of the register address.
    pub address_bits: u32,
    /// Its highest bit.
    pub address_msb: u32,
    /// Start of the random sequence, eight hexadecimal digits.
    pub seed: String,
    /// Cycles without progress that end the run.
    pub patience: u64,
    /// Streams that the testbench drives.
    pub inputs: Vec<Port>,
    /// Streams that the testbench checks.
    pub outputs: Vec<Port>,
    /// Jobs in order.
    pub jobs: Vec<JobSteps>,
}

/// One stream and its vector files.
pub struct Port {
    /// Port prefix.
    pub name: String,
    /// Bits in a beat.
    pub bits: u64,
    /// Its highest bit.
    pub msb: u64,
    /// Whether it carries `last`.
    pub last: bool,
    /// Index of the last beat over all jobs.
    pub top_index: u64,
    /// File of beats, one a line.
    pub file: String,
    /// File of masks, one a line (outputs only).
    pub mask_file: String,
    /// Lowest of the four random bits that decide its gaps.
    pub dice_lsb: u64,
}

/// What the testbench does for one job.
pub struct JobSteps {
    /// Name of the job.
    pub name: String,
    /// Its run-time sizes as text.
    pub sizes: String,
    /// Register writes, in order.
    pub writes: Vec<RegisterStep>,
    /// Registers to compare before the job.
    pub set_up: Vec<RegisterStep>,
    /// Up to which beat each stream runs in this job.
    pub ends: Vec<StreamEnd>,
    /// Registers to compare after the job.
    pub afterwards: Vec<RegisterStep>,
}

/// A register write or comparison; numbers in hexadecimal digits.
pub struct RegisterStep {
    /// Byte offset.
    pub address: String,
    /// Bits that count in a comparison.
    pub mask: String,
    /// Value written or expected.
    pub value: String,
    /// What the value is.
    pub note: String,
}

/// Where a stream's beats of a job end.
pub struct StreamEnd {
    /// Port prefix.
    pub stream: String,
    /// Number of beats of this job and those before it.
    pub beats: u64,
}
