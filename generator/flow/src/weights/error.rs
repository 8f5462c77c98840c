//! Everything that can be wrong with a weight file, each with its place and a legal alternative.

use std::path::PathBuf;

use thiserror::Error;

use crate::npy::NpyProblem;

/// A weight file that cannot be read.
#[derive(Debug, Error)]
#[error("{}: {problem}", path.display())]
pub struct WeightError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub problem: WeightProblem,
}

/// What is wrong with a weight file.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum WeightProblem {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Npy(NpyProblem),
    #[error("neither a GGUF, a safetensors nor an npy file by its first bytes")]
    UnknownFormat,
    #[error("the file is truncated or damaged: {what} needs bytes {start} to {end}, but the file has {length}")]
    Truncated { what: String, start: u64, end: u128, length: u64 },
    #[error("the file is damaged: {0}")]
    Damaged(String),
    #[error("GGUF version {0} is not supported; versions 2 and 3, little-endian, are")]
    GgufVersion(u32),
    #[error("an npy file holds one array without a name, so no tensor `{0}`; leave the name out")]
    NoNames(String),
    #[error("no tensor `{name}`; {nearest}")]
    NoTensor { name: String, nearest: String },
    #[error("the file holds {count} matrices; name one, such as {names}")]
    ChooseTensor { count: usize, names: String },
    #[error("the file holds no matrix of weights")]
    NoMatrix,
    #[error("tensor `{tensor}` has shape {shape:?}, a weight matrix has two axes [rows, columns]")]
    NotMatrix { tensor: String, shape: Vec<usize> },
    #[error("tensor `{tensor}` of shape {shape:?} is empty")]
    Empty { tensor: String, shape: Vec<usize> },
    #[error("tensor `{tensor}` has element type {got}, which is not read; {legal} are")]
    ElementType { tensor: String, got: String, legal: &'static str },
    #[error(
        "tensor `{tensor}` has {columns} columns; {format} stores rows in blocks of {block} weights, so the number must be a \
         multiple of {block}"
    )]
    Blocks { tensor: String, columns: usize, format: &'static str, block: usize },
    #[error("tensor `{tensor}`, row {row}, column {column}: {value} is not a ternary weight (-1, 0 or 1)")]
    NotTernary { tensor: String, row: usize, column: usize, value: i64 },
    #[error(
        "tensor `{tensor}`, row {row}, block {block} (columns {first}..={last}) has scale {got:e}, but an earlier block of the \
         row has {expected:e}; one integer pass needs equal scales along a row: requantize the model with one scale a row"
    )]
    UnequalScales { tensor: String, row: usize, block: usize, first: usize, last: usize, got: f32, expected: f32 },
    #[error("tensor `{tensor}`, row {row}, block {block}: scale {value} is not a finite number")]
    BlockScale { tensor: String, row: usize, block: usize, value: f32 },
    #[error("row {row}, column {column}: {value} is not a finite number")]
    NotFinite { row: usize, column: usize, value: f64 },
    #[error(
        "only real numbers can be ternarized, this matrix already holds integers or ternary weights; leave ternarize out"
    )]
    NothingToTernarize,
    #[error(
        "tensor `{tensor}` is packed as HF BitNet does, whose `weight_scale` divides in layers of class BitLinear and multiplies \
         in AutoBitLinear; the file does not say which (`linear_class` under `quantization_config` in the model's config.json \
         does: bitlinear divides, autobitlinear multiplies)"
    )]
    ScaleUse { tensor: String },
    #[error(
        "tensor `{tensor}` is uint8, as HF BitNet packs four weights a byte, but there is no tensor `{scale}` with its scale; \
         plain ternary weights are stored as int8"
    )]
    NoScale { tensor: String, scale: String },
    #[error("tensor `{scale}` should hold one positive, finite scale, but it {fault}")]
    BadScale { scale: String, fault: String },
    #[error(
        "tensor `{tensor}` has GGUF type 36 (I2_S), under which three incompatible layouts are in use: blocks of 128 weights \
         (bitnet.cpp on x86), blocks of 64 weights (bitnet.cpp on ARM), and a third that interleaves rows, which is not read. The \
         file does not say which: convert the model to TQ1_0 or TQ2_0, or name the layout if you know it"
    )]
    I2s { tensor: String },
    #[error("layer `{tensor}`: {what}")]
    Int4Shapes { tensor: String, what: String },
    #[error("layer `{tensor}`, row {row}, group {group}: scale {value} is negative or not finite")]
    GroupScale { tensor: String, row: usize, group: usize, value: f64 },
    #[error(
        "layer `{tensor}` was quantized in activation order: column {column} is of group {group}; only groups of neighbouring \
         columns are read (`desc_act` false)"
    )]
    ActOrder { tensor: String, column: usize, group: i64 },
    #[error(
        "layer `{tensor}` is packed as GPTQ does, whose files store the zero points less one (version 1) or as they are (version \
         2); the file does not say which (`checkpoint_format` in the model's quantize_config.json does: gptq or gptq_v2)"
    )]
    GptqZeros { tensor: String },
}
