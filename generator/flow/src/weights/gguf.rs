//! GGUF files, versions 2 and 3: the directory of tensors, and the element types that weights come in.

use bitlathe_cores::ModelTensor;
use half::{bf16, f16};

use super::blocks::{self, BLOCK, BlockLayout};
use super::choice::choose;
use super::error::WeightProblem;
use super::options::ImportOptions;
use super::source::Source;

/// Longest tensor name or key that is read.
const MAX_NAME: u64 = 65_535;
/// Deepest nesting of arrays in the metadata.
const MAX_NESTING: u32 = 4;
/// Largest alignment of tensor data that is believed.
const MAX_ALIGNMENT: u64 = 1 << 20;

/// A tensor as the directory lists it.
struct Entry {
    name: String,
    /// Sizes, innermost first.
    dims: Vec<u64>,
    type_id: u32,
    /// From the start of the data.
    offset: u64,
}

/// Reads one matrix.
pub fn read(source: &mut Source, tensor: Option<&str>, options: &ImportOptions) -> Result<ModelTensor, WeightProblem> {
    let (entries, data_start) = read_directory(source)?;
    let names: Vec<&str> = entries.iter().map(|e| e.name.as_str()).collect();
    let matrices: Vec<usize> = (0..entries.len()).filter(|&i| entries[i].dims.len() == 2).collect();
    let entry = &entries[choose(&names, &matrices, tensor)?];
    let shape = matrix_shape(entry)?;
    let start = data_start
        .checked_add(entry.offset)
        .ok_or_else(|| WeightProblem::Damaged(format!("tensor `{}` has offset {}", entry.name, entry.offset)))?;
    read_matrix(source, entry, shape, start, options)
}

/// Reads the header, skips the metadata, and gives the tensors with the place where their data starts.
fn read_directory(source: &mut Source) -> Result<(Vec<Entry>, u64), WeightProblem> {
    source.bytes(0, 4, "the GGUF magic")?;
    let version = read_u32(source, "the GGUF version")?;
    if !(2..=3).contains(&version) {
        return Err(WeightProblem::GgufVersion(version));
    }
    let tensors = read_u64(source, "the number of tensors")?;
    let pairs = read_u64(source, "the number of metadata pairs")?;
    check_count(source, tensors, 32, "tensors")?;
    check_count(source, pairs, 13, "metadata pairs")?;
    let mut alignment = 32;
    for _ in 0..pairs {
        let key = read_string(source, "a metadata key")?;
        let type_id = read_u32(source, &format!("the type of `{key}`"))?;
        if key == "general.alignment" && type_id == 4 {
            alignment = u64::from(read_u32(source, "general.alignment")?);
        } else {
            skip_value(source, &key, type_id, 0)?;
        }
    }
    if !alignment.is_power_of_two() || alignment > MAX_ALIGNMENT {
        return Err(WeightProblem::Damaged(format!("general.alignment is {alignment}, not a power of two up to 2^20")));
    }
    let mut entries = Vec::new();
    for index in 0..tensors {
        entries.push(read_entry(source, index)?);
    }
    Ok((entries, source.position().next_multiple_of(alignment)))
}

fn read_entry(source: &mut Source, index: u64) -> Result<Entry, WeightProblem> {
    let name = read_string(source, &format!("the name of tensor {index}"))?;
    let axes = read_u32(source, &format!("the number of axes of `{name}`"))?;
    if !(1..=4).contains(&axes) {
        return Err(WeightProblem::Damaged(format!("tensor `{name}` has {axes} axes, not 1 to 4")));
    }
    let what = format!("the entry of `{name}`");
    let dims = (0..axes).map(|_| read_u64(source, &what)).collect::<Result<_, _>>()?;
    Ok(Entry { name, dims, type_id: read_u32(source, &what)?, offset: read_u64(source, &what)? })
}

/// Refuses a count whose items cannot fit the rest of the file, at `least` bytes each.
fn check_count(source: &Source, count: u64, least: u64, what: &str) -> Result<(), WeightProblem> {
    if count <= source.rest() / least {
        return Ok(());
    }
    let rest = source.rest();
    Err(WeightProblem::Damaged(format!("it announces {count} {what}, which cannot fit the {rest} bytes that follow")))
}

fn read_u32(source: &mut Source, what: &str) -> Result<u32, WeightProblem> {
    Ok(u32::from_le_bytes(source.array(what)?))
}

fn read_u64(source: &mut Source, what: &str) -> Result<u64, WeightProblem> {
    Ok(u64::from_le_bytes(source.array(what)?))
}

fn read_string(source: &mut Source, what: &str) -> Result<String, WeightProblem> {
    let length = read_u64(source, what)?;
    if length > MAX_NAME {
        return Err(WeightProblem::Damaged(format!("{what} is {length} bytes long, more than {MAX_NAME}")));
    }
    let bytes = source.take(length, what)?;
    String::from_utf8(bytes).map_err(|_| WeightProblem::Damaged(format!("{what} is not UTF-8")))
}

/// Bytes of a metadata value of fixed size.
fn scalar_size(type_id: u32) -> Option<u64> {
    match type_id {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

fn skip_value(source: &mut Source, key: &str, type_id: u32, depth: u32) -> Result<(), WeightProblem> {
    let what = || format!("the value of `{key}`");
    match (type_id, scalar_size(type_id)) {
        (_, Some(size)) => source.skip(size, &what()),
        (8, _) => {
            let length = read_u64(source, &what())?;
            source.skip(length, &what())
        }
        (9, _) if depth < MAX_NESTING => {
            let item = read_u32(source, &what())?;
            let count = read_u64(source, &what())?;
            if let Some(size) = scalar_size(item) {
                check_count(source, count, size, &format!("items of `{key}`"))?;
                return source.skip(count * size, &what());
            }
            check_count(source, count, 8, &format!("items of `{key}`"))?;
            (0..count).try_for_each(|_| skip_value(source, key, item, depth + 1))
        }
        (9, _) => Err(WeightProblem::Damaged(format!("the arrays of `{key}` are nested too deeply"))),
        _ => Err(WeightProblem::Damaged(format!("`{key}` has value type {type_id}, not 0 to 12"))),
    }
}

/// [rows, columns] of an entry; a single axis is one row.
fn matrix_shape(entry: &Entry) -> Result<[usize; 2], WeightProblem> {
    let tensor = entry.name.clone();
    let sizes: Option<Vec<usize>> = entry.dims.iter().rev().map(|&d| usize::try_from(d).ok()).collect();
    let shape = sizes.ok_or_else(|| WeightProblem::Damaged(format!("tensor `{tensor}` has sizes {:?}", entry.dims)))?;
    if shape.contains(&0) {
        return Err(WeightProblem::Empty { tensor, shape });
    }
    let outer = shape.len().saturating_sub(2);
    match (&shape[..outer], &shape[outer..]) {
        (_, &[columns]) => Ok([1, columns]),
        (ones, &[rows, columns]) if ones.iter().all(|&n| n == 1) => Ok([rows, columns]),
        _ => Err(WeightProblem::NotMatrix { tensor, shape }),
    }
}

fn read_matrix(
    source: &mut Source,
    entry: &Entry,
    shape: [usize; 2],
    start: u64,
    options: &ImportOptions,
) -> Result<ModelTensor, WeightProblem> {
    let name = entry.name.as_str();
    let mut load = |block: usize, bytes: usize, format| load_rows(source, entry, shape, start, (block, bytes, format));
    match entry.type_id {
        0 => real(shape, &load(1, 4, "F32")?, |b: [u8; 4]| f32::from_le_bytes(b).into()),
        1 => real(shape, &load(1, 2, "F16")?, |b: [u8; 2]| f16::from_le_bytes(b).into()),
        28 => real(shape, &load(1, 8, "F64")?, f64::from_le_bytes),
        30 => real(shape, &load(1, 2, "BF16")?, |b: [u8; 2]| bf16::from_le_bytes(b).into()),
        24 => {
            let data = load(1, 1, "I8")?.into_iter().map(|b| i64::from(b as i8)).collect();
            Ok(ModelTensor::Int { shape, data })
        }
        34 | 35 => {
            let layout = if entry.type_id == 34 { BlockLayout::Tq1_0 } else { BlockLayout::Tq2_0 };
            blocks::decode_blocks(name, layout, shape, &load(BLOCK, layout.bytes(), layout.name())?)
        }
        36 => {
            let layout = options.i2s.ok_or_else(|| WeightProblem::I2s { tensor: name.into() })?;
            check_columns(name, shape, "I2_S", layout.block())?;
            let bytes = blocks::i2s_bytes(weights(entry, shape)?);
            let bytes = source.bytes(start, bytes, &format!("tensor `{name}`"))?;
            blocks::decode_i2s(name, layout, shape, &bytes)
        }
        other => Err(WeightProblem::ElementType {
            tensor: name.into(),
            got: format!("GGUF type {other}"),
            legal: "F32 (0), F16 (1), I8 (24), F64 (28), BF16 (30), TQ1_0 (34), TQ2_0 (35) and, on request, I2_S (36)",
        }),
    }
}

/// Reads the rows of a format with `(weights in a block, bytes in a block, name)`.
fn load_rows(
    source: &mut Source,
    entry: &Entry,
    shape: [usize; 2],
    start: u64,
    (block, block_bytes, format): (usize, usize, &'static str),
) -> Result<Vec<u8>, WeightProblem> {
    check_columns(&entry.name, shape, format, block)?;
    let what = format!("tensor `{}`", entry.name);
    let bytes = (weights(entry, shape)? / block as u64)
        .checked_mul(block_bytes as u64)
        .ok_or_else(|| WeightProblem::Damaged(format!("{what} announces sizes {:?}", entry.dims)))?;
    source.bytes(start, bytes, &what)
}

/// Weights in a matrix, where that is a number at all.
fn weights(entry: &Entry, shape: [usize; 2]) -> Result<u64, WeightProblem> {
    (shape[0] as u64)
        .checked_mul(shape[1] as u64)
        .ok_or_else(|| WeightProblem::Damaged(format!("tensor `{}` announces sizes {:?}", entry.name, entry.dims)))
}

fn check_columns(tensor: &str, shape: [usize; 2], format: &'static str, block: usize) -> Result<(), WeightProblem> {
    if shape[1].is_multiple_of(block) {
        return Ok(());
    }
    Err(WeightProblem::Blocks { tensor: tensor.into(), columns: shape[1], format, block })
}

fn real<const N: usize>(
    shape: [usize; 2],
    bytes: &[u8],
    convert: impl Fn([u8; N]) -> f64,
) -> Result<ModelTensor, WeightProblem> {
    let (elements, _) = bytes.as_chunks::<N>();
    Ok(ModelTensor::Float { shape, data: elements.iter().map(|&e| convert(e)).collect() })
}
