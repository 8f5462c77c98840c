//! Weight matrices from model files: GGUF, safetensors and npy, each format to its definition or refused with a reason.
//!
//! Counts and offsets in a file are held against its size before anything is allocated or read.

mod blocks;
mod choice;
mod error;
mod gguf;
mod int4;
mod options;
mod safetensors;
mod source;

use std::path::Path;

use bitlathe_cores::ModelTensor;
use bitlathe_golden::quantize::absmean_ternarize;
use bitlathe_spec::{DType, Tensor};

pub use error::{WeightError, WeightProblem};
pub use options::{GptqZeros, I2sLayout, ImportOptions, ScaleUse, Ternarize, UnknownName};

use source::Source;

/// Reads one matrix of a model file.
///
/// `tensor` names it; without a name the file must hold exactly one matrix. The format is told by the file's contents.
///
/// | file and element type | result |
/// |---|---|
/// | GGUF TQ1_0, TQ2_0, I2_S (its layout named in the options) | `Ternary`, one scale a row |
/// | safetensors uint8 with `<name>_scale` (HF BitNet) | `Ternary`, the scale's use named in the options |
/// | safetensors `<layer>.qweight`, `.qzeros`, `.scales` (AWQ, or GPTQ with its version named in the options) | `Grouped` |
/// | float16, bfloat16, float32, float64 in any format | `Float`, or `Ternary` where the options ask for ternarization |
/// | integers in npy, safetensors, GGUF I8 | `Int` |
pub fn read(path: &Path, tensor: Option<&str>, options: &ImportOptions) -> Result<ModelTensor, WeightError> {
    read_any(path, tensor, options).map_err(|problem| WeightError { path: path.into(), problem })
}

fn read_any(path: &Path, tensor: Option<&str>, options: &ImportOptions) -> Result<ModelTensor, WeightProblem> {
    let mut source = Source::open(path)?;
    let head = source.bytes(0, source.len().min(9), "the first bytes")?;
    let matrix = if head.starts_with(b"\x93NUMPY") {
        read_npy(path, tensor)?
    } else if head.starts_with(b"GGUF") {
        gguf::read(&mut source, tensor, options)?
    } else if is_safetensors(path, &head) {
        safetensors::read(&mut source, tensor, options)?
    } else {
        return Err(WeightProblem::UnknownFormat);
    };
    match options.ternarize {
        Some(method) => ternarize(matrix, method),
        None => Ok(matrix),
    }
}

/// A safetensors file has no magic: eight bytes of header length, then a JSON object.
fn is_safetensors(path: &Path, head: &[u8]) -> bool {
    head.get(8) == Some(&b'{') || path.extension().is_some_and(|e| e == "safetensors")
}

fn read_npy(path: &Path, tensor: Option<&str>) -> Result<ModelTensor, WeightProblem> {
    if let Some(name) = tensor {
        return Err(WeightProblem::NoNames(name.into()));
    }
    let array = crate::npy::read(path).map_err(|e| WeightProblem::Npy(e.problem))?;
    from_array(&array)
}

fn from_array(array: &Tensor) -> Result<ModelTensor, WeightProblem> {
    let &[rows, columns] = array.shape.as_slice() else {
        return Err(WeightProblem::NotMatrix { tensor: "array".into(), shape: array.shape.clone() });
    };
    if rows == 0 || columns == 0 {
        return Err(WeightProblem::Empty { tensor: "array".into(), shape: array.shape.clone() });
    }
    let shape = [rows, columns];
    Ok(match array.dtype {
        DType::F32 | DType::F64 => ModelTensor::Float { shape, data: array.to_f64() },
        _ => ModelTensor::Int { shape, data: array.data.clone() },
    })
}

fn ternarize(matrix: ModelTensor, method: Ternarize) -> Result<ModelTensor, WeightProblem> {
    let ModelTensor::Float { shape, data } = matrix else {
        return Err(WeightProblem::NothingToTernarize);
    };
    let Ternarize::Absmean = method;
    let [rows, columns] = shape;
    let ternary = absmean_ternarize(&data).map_err(|e| WeightProblem::NotFinite {
        row: e.index / columns,
        column: e.index % columns,
        value: e.value,
    })?;
    let zeros = ternary.values.iter().filter(|v| **v == 0).count();
    let note = format!(
        "ternarized by absmean: scale {:e} (the mean magnitude), {:.1} % zeros",
        ternary.scale,
        100.0 * zeros as f64 / ternary.values.len() as f64
    );
    // A matrix of zeros has no mean magnitude; any scale gives the same product.
    let scale = if ternary.scale == 0.0 { 1.0 } else { ternary.scale as f32 };
    Ok(ModelTensor::Ternary { shape, data: ternary.values, scale: vec![scale; rows], notes: vec![note] })
}

#[cfg(test)]
mod tests;
