//! safetensors files: plain matrices, four ternary weights a byte as HF BitNet packs them, and the layers of AWQ and GPTQ.

use bitlathe_cores::ModelTensor;
use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::choice::choose;
use super::error::WeightProblem;
use super::int4::{Layer, Table};
use super::options::{ImportOptions, ScaleUse};
use super::source::Source;

/// Longest header that is parsed, the format's own limit.
const MAX_HEADER: u64 = 100_000_000;

/// The header with the place where the data starts.
struct Directory {
    metadata: Metadata,
    start: u64,
}

/// Reads one matrix.
pub fn read(source: &mut Source, tensor: Option<&str>, options: &ImportOptions) -> Result<ModelTensor, WeightProblem> {
    let directory = read_directory(source)?;
    let mut names = directory.metadata.offset_keys();
    names.sort();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let is_matrix =
        |name: &str| directory.metadata.info(name).is_some_and(|i| i.shape.len() == 2) && !directory.beside_codes(name);
    let matrices: Vec<usize> = (0..names.len()).filter(|&i| is_matrix(names[i])).collect();
    let name = names[choose(&names, &matrices, tensor)?];
    let info = directory.info(name)?;
    let &[rows, columns] = info.shape.as_slice() else {
        return Err(WeightProblem::NotMatrix { tensor: name.into(), shape: info.shape.clone() });
    };
    if rows == 0 || columns == 0 {
        return Err(WeightProblem::Empty { tensor: name.into(), shape: info.shape.clone() });
    }
    match (info.dtype, directory.layer_of(name)) {
        (Dtype::I32 | Dtype::U32, None) if name.ends_with(CODES) => {
            let layer = name.strip_suffix(CODES).unwrap_or(name);
            let lost = BESIDE.iter().find(|part| directory.metadata.info(&format!("{layer}.{part}")).is_none());
            let lost = lost.copied().unwrap_or_default();
            Err(WeightProblem::Damaged(format!("layer `{layer}` holds packed codes, but no `{layer}.{lost}`")))
        }
        (_, Some(layer)) => directory.layer(source, layer)?.decode(options.gptq_zeros),
        (Dtype::U8, None) => read_packed(source, &directory, name, [rows, columns], options.scale),
        _ => directory.plain(source, name, [rows, columns]),
    }
}

/// What a layer of AWQ or GPTQ has beside its codes.
const BESIDE: [&str; 2] = ["qzeros", "scales"];
const CODES: &str = ".qweight";

/// Parses the header and holds it against the file's size.
fn read_directory(source: &mut Source) -> Result<Directory, WeightProblem> {
    let length = u64::from_le_bytes(source.bytes(0, 8, "the header's length")?.try_into().unwrap_or_default());
    if length > MAX_HEADER {
        return Err(WeightProblem::Damaged(format!("its header announces {length} bytes, more than {MAX_HEADER}")));
    }
    let text = source.take(length, "the header")?;
    let metadata: Metadata =
        serde_json::from_slice(&text).map_err(|e| WeightProblem::Damaged(format!("its header: {e}")))?;
    let announced = metadata.tensors().values().map(|info| info.data_offsets.1).max().unwrap_or(0) as u64;
    source.need(announced, "the tensors' data")?;
    if announced < source.rest() {
        let extra = source.rest() - announced;
        return Err(WeightProblem::Damaged(format!("{extra} bytes follow the data of its tensors")));
    }
    Ok(Directory { metadata, start: source.position() })
}

impl Directory {
    fn info(&self, name: &str) -> Result<&TensorInfo, WeightProblem> {
        self.metadata.info(name).ok_or_else(|| WeightProblem::Damaged(format!("its header lost tensor `{name}`")))
    }

    fn bytes(&self, source: &mut Source, name: &str) -> Result<Vec<u8>, WeightProblem> {
        let (first, end) = self.info(name)?.data_offsets;
        source.bytes(self.start + first as u64, (end - first) as u64, &format!("tensor `{name}`"))
    }

    /// The layer whose codes a tensor holds.
    fn layer_of<'a>(&self, name: &'a str) -> Option<&'a str> {
        let layer = name.strip_suffix(CODES)?;
        BESIDE.iter().all(|part| self.metadata.info(&format!("{layer}.{part}")).is_some()).then_some(layer)
    }

    /// Whether a tensor belongs to codes that the file also has.
    fn beside_codes(&self, name: &str) -> bool {
        let belongs = |part| name.strip_suffix(part).and_then(|n| n.strip_suffix('.'));
        let layer = BESIDE.iter().find_map(belongs);
        layer.is_some_and(|layer| self.metadata.info(&format!("{layer}{CODES}")).is_some())
    }

    fn layer(&self, source: &mut Source, layer: &str) -> Result<Layer, WeightProblem> {
        let order = format!("{layer}.g_idx");
        let group_of = match self.metadata.info(&order) {
            Some(info) => Some(self.elements(source, &order, info.dtype, integers, "integers")?),
            None => None,
        };
        Ok(Layer {
            name: layer.into(),
            weights: self.table(source, format!("{layer}{CODES}"), words, "I32 and U32")?,
            zeros: self.table(source, format!("{layer}.qzeros"), words, "I32 and U32")?,
            scales: self.table(source, format!("{layer}.scales"), reals, "F16, BF16, F32 and F64")?,
            group_of,
        })
    }

    fn table<T>(
        &self,
        source: &mut Source,
        name: String,
        convert: fn(Dtype, &[u8]) -> Option<Vec<T>>,
        legal: &'static str,
    ) -> Result<Table<T>, WeightProblem> {
        let info = self.info(&name)?;
        let &[rows, columns] = info.shape.as_slice() else {
            return Err(WeightProblem::NotMatrix { tensor: name, shape: info.shape.clone() });
        };
        let data = self.elements(source, &name, info.dtype, convert, legal)?;
        Ok(Table { shape: [rows, columns], data })
    }

    fn elements<T>(
        &self,
        source: &mut Source,
        name: &str,
        dtype: Dtype,
        convert: fn(Dtype, &[u8]) -> Option<Vec<T>>,
        legal: &'static str,
    ) -> Result<Vec<T>, WeightProblem> {
        let data = convert(dtype, &self.bytes(source, name)?);
        data.ok_or_else(|| WeightProblem::ElementType { tensor: name.into(), got: format!("{dtype:?}"), legal })
    }

    fn plain(&self, source: &mut Source, name: &str, shape: [usize; 2]) -> Result<ModelTensor, WeightProblem> {
        let bytes = self.bytes(source, name)?;
        let dtype = self.info(name)?.dtype;
        if let Some(data) = reals(dtype, &bytes) {
            return Ok(ModelTensor::Float { shape, data });
        }
        if let Some(data) = integers(dtype, &bytes) {
            return Ok(ModelTensor::Int { shape, data });
        }
        Err(WeightProblem::ElementType {
            tensor: name.into(),
            got: format!("{dtype:?}"),
            legal: "F16, BF16, F32, F64, I8, I16, I32, I64, U16, U32 and packed U8",
        })
    }

    /// The single scale beside a packed tensor.
    fn scale(&self, source: &mut Source, tensor: &str) -> Result<f64, WeightProblem> {
        let name = format!("{tensor}_scale");
        let Some(info) = self.metadata.info(&name) else {
            return Err(WeightProblem::NoScale { tensor: tensor.into(), scale: name });
        };
        let bad = |fault| WeightProblem::BadScale { scale: name.clone(), fault };
        if info.shape.iter().any(|&n| n != 1) {
            return Err(bad(format!("has shape {:?}", info.shape)));
        }
        match reals(info.dtype, &self.bytes(source, &name)?).as_deref() {
            Some(&[value]) if value.is_finite() && value > 0.0 => Ok(value),
            Some(values) => Err(bad(format!("is {values:?}"))),
            None => Err(bad(format!("has element type {:?}", info.dtype))),
        }
    }
}

fn reals(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f64>> {
    Some(match dtype {
        Dtype::F16 => convert(bytes, |b: [u8; 2]| f16::from_le_bytes(b).into()),
        Dtype::BF16 => convert(bytes, |b: [u8; 2]| bf16::from_le_bytes(b).into()),
        Dtype::F32 => convert(bytes, |b: [u8; 4]| f32::from_le_bytes(b).into()),
        Dtype::F64 => convert(bytes, f64::from_le_bytes),
        _ => return None,
    })
}

fn integers(dtype: Dtype, bytes: &[u8]) -> Option<Vec<i64>> {
    Some(match dtype {
        Dtype::I8 => convert(bytes, |b: [u8; 1]| i8::from_le_bytes(b).into()),
        Dtype::I16 => convert(bytes, |b: [u8; 2]| i16::from_le_bytes(b).into()),
        Dtype::I32 => convert(bytes, |b: [u8; 4]| i32::from_le_bytes(b).into()),
        Dtype::I64 => convert(bytes, i64::from_le_bytes),
        Dtype::U16 => convert(bytes, |b: [u8; 2]| u16::from_le_bytes(b).into()),
        Dtype::U32 => convert(bytes, |b: [u8; 4]| u32::from_le_bytes(b).into()),
        _ => return None,
    })
}

/// Words of packed codes; the sign of an int32 has no meaning.
fn words(dtype: Dtype, bytes: &[u8]) -> Option<Vec<u32>> {
    matches!(dtype, Dtype::I32 | Dtype::U32).then(|| convert(bytes, u32::from_le_bytes))
}

fn convert<const N: usize, T>(bytes: &[u8], element: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|&chunk| element(chunk)).collect()
}

/// HF BitNet: bits 2i+1:2i of packed row r hold row r + i · (packed rows), as code - 1.
fn read_packed(
    source: &mut Source,
    directory: &Directory,
    name: &str,
    [packed_rows, columns]: [usize; 2],
    scale_use: Option<ScaleUse>,
) -> Result<ModelTensor, WeightProblem> {
    let scale = directory.scale(source, name)?;
    let scale_use = scale_use.ok_or_else(|| WeightProblem::ScaleUse { tensor: name.into() })?;
    let bytes = directory.bytes(source, name)?;
    let rows = 4 * packed_rows;
    let mut data = Vec::with_capacity(rows * columns);
    for shift in [0, 2, 4, 6] {
        data.extend(bytes.iter().map(|byte| (byte >> shift & 3) as i8 - 1));
    }
    if let Some(place) = data.iter().position(|w| *w > 1) {
        let (row, column, value) = (place / columns, place % columns, data[place].into());
        return Err(WeightProblem::NotTernary { tensor: name.into(), row, column, value });
    }
    let (multiplier, note) = match scale_use {
        ScaleUse::Divide => (1.0 / scale, format!("weight_scale {scale:e} divides (BitLinear)")),
        ScaleUse::Multiply => (scale, format!("weight_scale {scale:e} multiplies (AutoBitLinear)")),
    };
    Ok(ModelTensor::Ternary {
        shape: [rows, columns],
        data,
        scale: vec![multiplier as f32; rows],
        notes: vec![format!("HF BitNet packing; {note}")],
    })
}
