//! npy files in and out. A header is never believed before the file's size agrees with it; a write goes aside and is renamed.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use bitlathe_spec::{DType, Tensor};
use half::f16;
use ndarray::{ArrayD, IxDyn};
use ndarray_npy::{WriteNpyExt, npy::header::Header};
use thiserror::Error;

/// Longest header that is parsed; numpy's own limit.
const MAX_HEADER: u64 = 10_000;
/// Deepest nesting of brackets in a header; a plain array's has two.
const MAX_NESTING: usize = 4;

/// An npy file that cannot be read or written.
#[derive(Debug, Error)]
#[error("{}: {problem}", path.display())]
pub struct NpyError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: NpyProblem,
}

/// What is wrong with an npy file.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum NpyProblem {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("not an npy file: it does not start with the bytes 93 4e 55 4d 50 59 (\\x93NUMPY)")]
    Magic,
    #[error("damaged npy header: {0}")]
    Header(String),
    #[error(
        "element type {0} is not supported; save the array as int8, int16, int32, int64, uint8, uint16, uint32, uint64, \
         float16, float32 or float64"
    )]
    DType(String),
    #[error("the header announces shape {shape:?} ({expected} bytes of data), but the file holds {got}; it is {fault}")]
    Size { shape: Vec<usize>, expected: u64, got: u64, fault: &'static str },
    #[error("the header announces shape {0:?}, which is larger than any memory")]
    Shape(Vec<usize>),
    #[error("element {index} is {value}, over the largest value taken, 9223372036854775807")]
    Value { index: usize, value: u64 },
}

/// Element types in a file; float16 becomes float32 when read, which is exact.
#[derive(Clone, Copy)]
enum FileType {
    Plain(DType),
    Half,
}

/// What a header says.
struct Description {
    file_type: FileType,
    big_endian: bool,
    fortran: bool,
    shape: Vec<usize>,
    /// Where the data starts.
    start: u64,
}

/// Reads an array of any integer or floating type, of either byte order, in C or Fortran order.
///
/// The values of a floating type are bit patterns, see [`Tensor::to_f64`]; float16 is widened to float32.
pub fn read(path: &Path) -> Result<Tensor, NpyError> {
    read_file(path).map_err(|problem| NpyError { path: path.into(), problem })
}

/// Writes a tensor. The file appears whole or not at all.
pub fn write(path: &Path, tensor: &Tensor) -> Result<(), NpyError> {
    write_file(path, tensor).map_err(|problem| NpyError { path: path.into(), problem })
}

fn read_file(path: &Path) -> Result<Tensor, NpyProblem> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let description = read_header(&mut file, length)?;
    let bytes = read_data(&mut file, length, &description)?;
    let mut data = decode(&bytes, &description)?;
    if description.fortran {
        data = from_fortran(&data, &description.shape);
    }
    let dtype = match description.file_type {
        FileType::Plain(dtype) => dtype,
        FileType::Half => DType::F32,
    };
    Ok(Tensor::new(dtype, description.shape, data))
}

/// Reads and parses the header, leaving the file at the data.
fn read_header(file: &mut impl Read, length: u64) -> Result<Description, NpyProblem> {
    let mut head = vec![0; length.min(12) as usize];
    file.read_exact(&mut head)?;
    if !head.starts_with(b"\x93NUMPY") {
        return Err(NpyProblem::Magic);
    }
    let (prefix, text_length) = match head.as_slice() {
        [_, _, _, _, _, _, 1, _, a, b, ..] => (10, u64::from(u16::from_le_bytes([*a, *b]))),
        [_, _, _, _, _, _, 2 | 3, _, a, b, c, d] => (12, u64::from(u32::from_le_bytes([*a, *b, *c, *d]))),
        _ => return Err(NpyProblem::Header("its version is not 1, 2 or 3".into())),
    };
    let start = prefix + text_length;
    if text_length > MAX_HEADER || start > length {
        let limit = MAX_HEADER.min(length.saturating_sub(prefix));
        return Err(NpyProblem::Header(format!("it announces {text_length} bytes, more than {limit}")));
    }
    let read_already = head.len();
    head.resize(start.max(read_already as u64) as usize, 0);
    file.read_exact(&mut head[read_already..])?;
    let text = &head[prefix as usize..start as usize];
    check_text(text)?;
    let header = Header::from_reader(&mut &head[..]).map_err(|e| NpyProblem::Header(e.to_string()))?;
    describe(header, start)
}

/// Refuses what a plain array's header never holds and a general parser of Python literals could choke on.
fn check_text(text: &[u8]) -> Result<(), NpyProblem> {
    let mut depth = 0usize;
    for &byte in text {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth = depth.saturating_sub(1),
            b'\\' | 0x80.. => return Err(NpyProblem::Header(format!("it holds the byte {byte:#04x}"))),
            _ => {}
        }
        if depth > MAX_NESTING {
            return Err(NpyProblem::Header("its brackets are nested too deeply".into()));
        }
    }
    Ok(())
}

fn describe(header: Header, start: u64) -> Result<Description, NpyProblem> {
    let text = header.type_descriptor.to_string();
    let refused = || NpyProblem::DType(text.clone());
    let name = header.type_descriptor.as_string().ok_or_else(refused)?;
    let order = name.chars().next().ok_or_else(refused)?;
    let file_type = match name.get(order.len_utf8()..) {
        Some("i1") => FileType::Plain(DType::I8),
        Some("i2") => FileType::Plain(DType::I16),
        Some("i4") => FileType::Plain(DType::I32),
        Some("i8") => FileType::Plain(DType::I64),
        Some("u1") => FileType::Plain(DType::U8),
        Some("u2") => FileType::Plain(DType::U16),
        Some("u4") => FileType::Plain(DType::U32),
        Some("u8") => FileType::Plain(DType::U64),
        Some("f2") => FileType::Half,
        Some("f4") => FileType::Plain(DType::F32),
        Some("f8") => FileType::Plain(DType::F64),
        _ => return Err(refused()),
    };
    let big_endian = match (order, file_type.size()) {
        ('<', _) | ('|' | '=', 1) => false,
        ('>', _) => true,
        _ => return Err(refused()),
    };
    Ok(Description { file_type, big_endian, fortran: header.layout.is_fortran(), shape: header.shape, start })
}

/// Reads exactly the announced data, after the announced size has been held against the file's.
fn read_data(file: &mut impl Read, length: u64, description: &Description) -> Result<Vec<u8>, NpyProblem> {
    let shape = &description.shape;
    let too_large = || NpyProblem::Shape(shape.clone());
    // Zero-sized axes are left out of the bound, so that no partial product overflows later.
    let bound = shape.iter().filter(|&&n| n != 0).try_fold(description.file_type.size(), |p, &n| p.checked_mul(n));
    let bound = bound.filter(|&b| b <= isize::MAX as usize).ok_or_else(too_large)?;
    let expected = if shape.contains(&0) { 0 } else { bound as u64 };
    let got = length.saturating_sub(description.start);
    if got != expected {
        let fault = if got < expected { "truncated" } else { "longer than its array" };
        return Err(NpyProblem::Size { shape: shape.clone(), expected, got, fault });
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(expected as usize).map_err(|_| too_large())?;
    file.take(expected).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < expected {
        return Err(NpyProblem::Io(std::io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(bytes)
}

impl FileType {
    /// Bytes of an element.
    fn size(self) -> usize {
        match self {
            Self::Plain(DType::I8 | DType::U8) => 1,
            Self::Plain(DType::I16 | DType::U16) | Self::Half => 2,
            Self::Plain(DType::I32 | DType::U32 | DType::F32) => 4,
            Self::Plain(DType::I64 | DType::U64 | DType::F64) => 8,
        }
    }
}

/// Elements in file order.
fn decode(bytes: &[u8], description: &Description) -> Result<Vec<i64>, NpyProblem> {
    let size = description.file_type.size();
    let raw = bytes.chunks_exact(size).map(|chunk| {
        let push = |word: u64, byte: &u8| word << 8 | u64::from(*byte);
        if description.big_endian { chunk.iter().fold(0, push) } else { chunk.iter().rev().fold(0, push) }
    });
    let file_type = description.file_type;
    raw.enumerate()
        .map(|(index, word)| {
            Ok(match file_type {
                FileType::Plain(DType::I8) => i64::from(word as i8),
                FileType::Plain(DType::I16) => i64::from(word as i16),
                FileType::Plain(DType::I32) => i64::from(word as i32),
                FileType::Plain(DType::U64) => {
                    i64::try_from(word).map_err(|_| NpyProblem::Value { index, value: word })?
                }
                FileType::Half => i64::from(f16::from_bits(word as u16).to_f32().to_bits()),
                FileType::Plain(_) => word as i64,
            })
        })
        .collect()
}

/// Row-major order of elements whose first axis varies fastest.
fn from_fortran(data: &[i64], shape: &[usize]) -> Vec<i64> {
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = 1;
    for &size in shape {
        strides.push(stride);
        stride *= size.max(1);
    }
    (0..data.len())
        .map(|flat| {
            let mut rest = flat;
            let mut place = 0;
            for (&size, &stride) in shape.iter().zip(&strides).rev() {
                place += rest % size * stride;
                rest /= size;
            }
            data[place]
        })
        .collect()
}

fn write_file(path: &Path, tensor: &Tensor) -> Result<(), NpyProblem> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".bitlathe-").suffix(".npy");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut aside = builder.tempfile_in(folder)?;
    let mut writer = BufWriter::new(aside.as_file_mut());
    write_array(&mut writer, tensor)?;
    writer.flush()?;
    drop(writer);
    aside.persist(path).map_err(|e| e.error)?;
    Ok(())
}

fn write_array(writer: &mut impl Write, tensor: &Tensor) -> Result<(), NpyProblem> {
    macro_rules! elements {
        ($convert:expr) => {{
            let values: Vec<_> = tensor.data.iter().map(|&v| $convert(v)).collect();
            let array = ArrayD::from_shape_vec(IxDyn(&tensor.shape), values).map_err(std::io::Error::other)?;
            array.write_npy(writer).map_err(std::io::Error::other)?;
        }};
    }
    match tensor.dtype {
        DType::I8 => elements!(|v| v as i8),
        DType::I16 => elements!(|v| v as i16),
        DType::I32 => elements!(|v| v as i32),
        DType::I64 => elements!(|v| v),
        DType::U8 => elements!(|v| v as u8),
        DType::U16 => elements!(|v| v as u16),
        DType::U32 => elements!(|v| v as u32),
        DType::U64 => elements!(|v| v as u64),
        DType::F32 => elements!(|v| f32::from_bits(v as u32)),
        DType::F64 => elements!(|v| f64::from_bits(v as u64)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TYPES: [DType; 10] = [
        DType::I8,
        DType::I16,
        DType::I32,
        DType::I64,
        DType::U8,
        DType::U16,
        DType::U32,
        DType::U64,
        DType::F32,
        DType::F64,
    ];

    /// A file written by hand, as the format's definition says.
    fn by_hand(header: &str, data: &[u8]) -> Vec<u8> {
        let mut text = header.to_string();
        while !(10 + text.len() + 1).is_multiple_of(64) {
            text.push(' ');
        }
        text.push('\n');
        let length = (text.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\x00".as_slice(), &length, text.as_bytes(), data].concat()
    }

    fn read_bytes(bytes: &[u8]) -> Result<Tensor, NpyError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        std::fs::write(&path, bytes).unwrap();
        read(&path)
    }

    fn message(bytes: &[u8]) -> String {
        read_bytes(bytes).unwrap_err().problem.to_string()
    }

    #[test]
    fn every_type_survives_with_its_extremes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.npy");
        for dtype in TYPES {
            let tensor = match dtype {
                DType::F32 => Tensor::from_f32([2, 1], &[-0.0, f32::MIN_POSITIVE]),
                DType::F64 => Tensor::from_f64([2, 1], &[f64::NEG_INFINITY, 0.1]),
                _ => {
                    let (min, max) = dtype.bounds().unwrap();
                    Tensor::new(dtype, [2, 1], vec![min, max])
                }
            };
            write(&path, &tensor).unwrap();
            assert_eq!(read(&path).unwrap(), tensor);
        }
        for shape in [vec![], vec![0], vec![3, 0, 2]] {
            let tensor = Tensor::new(DType::I16, shape.clone(), vec![7; shape.iter().product()]);
            write(&path, &tensor).unwrap();
            assert_eq!(read(&path).unwrap(), tensor);
        }
        let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["t.npy"], "nothing is left aside");
    }

    #[test]
    fn byte_orders_and_axis_orders() {
        let c = by_hand(
            "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }",
            &[1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 0xFF, 0xFF],
        );
        let expected = Tensor::new(DType::I16, [2, 3], vec![1, 2, 3, 4, 5, -1]);
        assert_eq!(read_bytes(&c).unwrap(), expected);
        let f = by_hand(
            "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }",
            &[0, 1, 0, 4, 0, 2, 0, 5, 0, 3, 0xFF, 0xFF],
        );
        assert_eq!(read_bytes(&f).unwrap(), expected);
        let half = by_hand("{'descr': '<f2', 'fortran_order': False, 'shape': (1,), }", &[0x00, 0xC1]);
        assert_eq!(read_bytes(&half).unwrap(), Tensor::from_f32([1], &[-2.5]));
    }

    #[test]
    fn refusals_say_what_and_why() {
        let header =
            |descr: &str, shape: &str| format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}");
        assert!(message(b"hello").contains("not an npy file"));
        assert!(message(b"").contains("not an npy file"));
        assert!(message(&by_hand(&header("'|b1'", "(1,)"), &[1])).contains("element type '|b1' is not supported"));
        assert!(message(&by_hand(&header("'<c8'", "(1,)"), &[0; 8])).contains("save the array as int8"));
        assert!(message(&by_hand(&header("[('a', '<i4')]", "(1,)"), &[0; 4])).contains("not supported"));
        let truncated = message(&by_hand(&header("'<i4'", "(4,)"), &[0; 15]));
        assert_eq!(
            truncated,
            "the header announces shape [4] (16 bytes of data), but the file holds 15; it is truncated"
        );
        assert!(message(&by_hand(&header("'|i1'", "(2,)"), &[0; 3])).ends_with("longer than its array"));
        assert!(message(&by_hand(&header("'<u8'", "(1,)"), &[0xFF; 8])).contains("18446744073709551615"));
        assert!(message(b"\x93NUMPY\x09\x00\x00\x00\x00\x00").contains("version"));
        assert!(message(b"\x93NUMPY\x02\x00\xFF\xFF\xFF\xFF").contains("announces 4294967295 bytes"));
        let missing = read(Path::new("/nonexistent/a.npy")).unwrap_err().to_string();
        assert!(missing.starts_with("/nonexistent/a.npy: "), "{missing}");
    }

    #[test]
    fn absurd_shapes_do_not_allocate_or_overflow() {
        for shape in [
            "(9223372036854775807, 9223372036854775807)",
            "(1000000000000,)",
            "(9223372036854775807, 9223372036854775807, 0)",
            "(99999999999999999999999999,)",
            "(-1,)",
        ] {
            let text = format!("{{'descr': '<f8', 'fortran_order': True, 'shape': {shape}, }}");
            assert!(read_bytes(&by_hand(&text, &[0; 8])).is_err(), "{shape}");
        }
        for deep in ["(", "[", "{", "{1:"] {
            assert!(read_bytes(&by_hand(&deep.repeat(3_000), &[])).is_err());
        }
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("folder.npy");
        std::fs::create_dir(&taken).unwrap();
        assert!(write(&taken, &Tensor::new(DType::I8, [1], vec![1])).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), magic: bool) {
            let bytes = if magic { [b"\x93NUMPY\x01\x00".as_slice(), &bytes].concat() } else { bytes };
            let _ = read_bytes(&bytes);
        }

        #[test]
        fn random_headers_never_panic(text in "[{}()\\[\\]',:<>|a-zA-Z0-9_ +.\"\\\\-]{0,80}") {
            prop_assert!(read_bytes(&by_hand(&text, &[0; 4])).is_err());
        }

        #[test]
        fn mutated_files_never_panic(flips in prop::collection::vec((0usize..140, any::<u8>()), 1..4), cut in 0usize..140) {
            let mut bytes = by_hand("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }", &[9; 12]);
            let length = bytes.len();
            for (place, value) in flips {
                bytes[place % length] = value;
            }
            bytes.truncate(cut.max(20));
            let _ = read_bytes(&bytes);
        }
    }
}
