//! `model.md` of a generated core: tensors, layouts, order of beats, and a worked example.

use askama::Template;

use crate::testbench::RegisterStep;

/// How to feed a core, as Markdown by [`Template::render`].
#[derive(Template)]
#[template(path = "model.md", escape = "none")]
pub struct ModelPage {
    /// Lines that say what made the file.
    pub banner: Vec<String>,
    /// The top module.
    pub top: String,
    /// What the core computes, in one line.
    pub title: String,
    /// The definition of the output, one formula a line.
    pub definition: Vec<String>,
    /// Run-time sizes.
    pub sizes: Vec<SizeRow>,
    /// Tensors.
    pub tensors: Vec<TensorRow>,
    /// Registers that a job writes, in order.
    pub set_up: Vec<SetUpRow>,
    /// Status fields that report errors.
    pub status: Vec<String>,
    /// Streams, inputs first.
    pub streams: Vec<StreamWalk>,
    /// One job with its numbers.
    pub example: Example,
}

/// A run-time size.
#[derive(Clone)]
pub struct SizeRow {
    /// Name in shapes.
    pub name: String,
    /// Smallest legal value.
    pub min: String,
    /// Largest legal value.
    pub max: String,
    /// What it is.
    pub doc: String,
}

/// A tensor of a job.
#[derive(Clone)]
pub struct TensorRow {
    /// Name.
    pub name: String,
    /// `in` or `out`.
    pub role: &'static str,
    /// Element type in files.
    pub dtype: &'static str,
    /// Symbolic shape.
    pub shape: String,
    /// Legal values.
    pub range: String,
    /// The stream or register field that carries it.
    pub carrier: String,
    /// What it is.
    pub doc: String,
}

/// A register that is written before a job.
#[derive(Clone)]
pub struct SetUpRow {
    /// Register name.
    pub name: String,
    /// Byte offset, hexadecimal.
    pub offset: String,
    /// What to write, by field.
    pub value: String,
}

/// In which order a stream walks its tensor.
#[derive(Clone)]
pub struct StreamWalk {
    /// Port prefix.
    pub name: String,
    /// `in` or `out`.
    pub direction: &'static str,
    /// What the stream carries.
    pub doc: String,
    /// Bits in a beat.
    pub bits: u64,
    /// Lanes in a beat, as text.
    pub lanes: String,
    /// Name of the lanes' code.
    pub code: String,
    /// The loop nest, a line each.
    pub nest: Vec<String>,
    /// Number of beats as a formula.
    pub beats: String,
    /// Sentences on repeats, padding and `last`.
    pub notes: Vec<String>,
}

/// One job with the beats it takes.
pub struct Example {
    /// Name of the job.
    pub name: String,
    /// Its sizes as text.
    pub sizes: String,
    /// Register writes, in order.
    pub writes: Vec<RegisterStep>,
    /// The first beats of each stream.
    pub streams: Vec<ExampleStream>,
}

/// The first beats of one stream.
pub struct ExampleStream {
    /// Port prefix.
    pub name: String,
    /// Beats of the whole job.
    pub total: u64,
    /// The first of them.
    pub beats: Vec<ExampleBeat>,
}

/// One beat.
pub struct ExampleBeat {
    /// Number in the stream, from 0.
    pub index: u64,
    /// The data pins, hexadecimal.
    pub data: String,
    /// What its lanes hold.
    pub lanes: String,
}
