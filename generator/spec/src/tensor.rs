//! Tensors of a job: element types, symbolic shapes, and the values themselves.

use std::collections::BTreeMap;

use serde::Serialize;
use thiserror::Error;

/// Run-time sizes of a job by name, such as `T`, `K`, `M`.
pub type Dims = BTreeMap<String, u64>;

/// Element type of a tensor in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum DType {
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F32,
    F64,
}

impl DType {
    /// The numpy name.
    pub fn name(self) -> &'static str {
        match self {
            Self::I8 => "int8",
            Self::I16 => "int16",
            Self::I32 => "int32",
            Self::I64 => "int64",
            Self::U8 => "uint8",
            Self::U16 => "uint16",
            Self::U32 => "uint32",
            Self::U64 => "uint64",
            Self::F32 => "float32",
            Self::F64 => "float64",
        }
    }

    /// Smallest and largest integer; `None` for floating types. `u64` is capped at `i64::MAX`.
    pub fn bounds(self) -> Option<(i64, i64)> {
        Some(match self {
            Self::I8 => (i8::MIN as i64, i8::MAX as i64),
            Self::I16 => (i16::MIN as i64, i16::MAX as i64),
            Self::I32 => (i32::MIN as i64, i32::MAX as i64),
            Self::I64 => (i64::MIN, i64::MAX),
            Self::U8 => (0, u8::MAX as i64),
            Self::U16 => (0, u16::MAX as i64),
            Self::U32 => (0, u32::MAX as i64),
            Self::U64 => (0, i64::MAX),
            Self::F32 | Self::F64 => return None,
        })
    }
}

/// One axis of a symbolic shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum DimSpec {
    /// Always this many.
    Fixed(u64),
    /// A run-time size by name, such as `K`.
    Named(String),
    /// `ceil(dim / by)` of a run-time size that another tensor fixes.
    CeilDiv {
        /// The size by name.
        dim: String,
        /// Divisor, at least 1.
        by: u64,
    },
}

/// A symbolic shape, outermost axis first.
pub type Shape = Vec<DimSpec>;

/// Whether the core reads or writes a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Role {
    In,
    Out,
}

/// How a tensor's elements reach the hardware.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Carrier {
    /// Over the stream of this name.
    Stream(String),
    /// One element each in the register fields of these names.
    Fields(Vec<String>),
    /// Its one element is the run-time size of this name, which schedules and layouts depend on.
    Size(String),
}

/// What a job knows of one of its tensors before any values are there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorSpec {
    /// Name on the command line (`--in NAME=F.npy`).
    pub name: String,
    /// Read or written.
    pub role: Role,
    /// Element type in files.
    pub dtype: DType,
    /// Symbolic shape.
    pub shape: Shape,
    /// Smallest and largest legal value (may be narrower than `dtype`).
    pub range: (i64, i64),
    /// Value of every element when the job does not give the tensor; `None`: it must be given.
    pub default: Option<i64>,
    /// How it travels.
    pub carrier: Carrier,
    /// One sentence for documentation.
    pub doc: String,
}

/// Values with a shape, row-major.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Element type in files.
    pub dtype: DType,
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    /// Values in row-major order: integers within `dtype`, or the IEEE 754 bit patterns of a floating type, so that
    /// comparing tensors compares bits.
    pub data: Vec<i64>,
}

impl Tensor {
    /// A tensor from its parts.
    ///
    /// # Panics
    /// When the product of `shape` is not `data.len()`.
    pub fn new(dtype: DType, shape: impl Into<Vec<usize>>, data: Vec<i64>) -> Self {
        let shape = shape.into();
        assert_eq!(shape.iter().product::<usize>(), data.len(), "shape {shape:?} does not hold the data");
        Self { dtype, shape, data }
    }

    /// A `float32` tensor.
    ///
    /// # Panics
    /// As [`Tensor::new`].
    pub fn from_f32(shape: impl Into<Vec<usize>>, values: &[f32]) -> Self {
        Self::new(DType::F32, shape, values.iter().map(|v| i64::from(v.to_bits())).collect())
    }

    /// A `float64` tensor.
    ///
    /// # Panics
    /// As [`Tensor::new`].
    pub fn from_f64(shape: impl Into<Vec<usize>>, values: &[f64]) -> Self {
        Self::new(DType::F64, shape, values.iter().map(|v| v.to_bits() as i64).collect())
    }

    /// The elements as real numbers: a floating type's values, or the integers (exact up to 2^53).
    pub fn to_f64(&self) -> Vec<f64> {
        let real = |&v: &i64| match self.dtype {
            DType::F32 => f64::from(f32::from_bits(v as u32)),
            DType::F64 => f64::from_bits(v as u64),
            _ => v as f64,
        };
        self.data.iter().map(real).collect()
    }
}

/// One job: run-time sizes and the tensors by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Job {
    /// Run-time sizes.
    pub dims: Dims,
    /// Inputs before a run, outputs after it.
    pub tensors: BTreeMap<String, Tensor>,
}

/// A tensor that does not fit its specification.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum TensorError {
    #[error("tensor `{name}` is not given")]
    Missing { name: String },
    #[error("this core takes no tensor `{name}`; it takes {known}")]
    Unknown { name: String, known: String },
    #[error("tensor `{name}` has element type {got}, expected {expected}")]
    DType { name: String, got: &'static str, expected: &'static str },
    #[error("tensor `{name}` has shape {got:?}, expected {expected}")]
    Shape { name: String, got: Vec<usize>, expected: String },
    #[error("tensor `{name}` says {dim} = {got}, but {other} = {expected} elsewhere in the job", other = dim)]
    Conflict { name: String, dim: String, got: u64, expected: u64 },
    #[error("tensor `{name}` holds {value} at index {index}, outside {min}..={max}")]
    Range { name: String, value: i64, index: usize, min: i64, max: i64 },
    #[error("{dim} = {value} is outside {min}..={max}")]
    Dim { dim: String, value: u64, min: u64, max: u64 },
}

impl TensorSpec {
    /// The shape as text, such as `[T, K]`.
    pub fn shape_text(&self) -> String {
        let axes: Vec<String> = self
            .shape
            .iter()
            .map(|d| match d {
                DimSpec::Fixed(n) => n.to_string(),
                DimSpec::Named(s) => s.clone(),
                DimSpec::CeilDiv { dim, by } => format!("ceil({dim} / {by})"),
            })
            .collect();
        format!("[{}]", axes.join(", "))
    }

    /// The shape under given sizes; `None` when a name is not among them.
    pub fn resolve(&self, dims: &Dims) -> Option<Vec<usize>> {
        self.shape
            .iter()
            .map(|d| match d {
                DimSpec::Fixed(n) => Some(*n as usize),
                DimSpec::Named(s) => dims.get(s).map(|&v| v as usize),
                DimSpec::CeilDiv { dim, by } => dims.get(dim).map(|v| v.div_ceil(*by) as usize),
            })
            .collect()
    }

    /// Checks one given tensor and adds the sizes that it fixes to `dims`.
    pub fn bind(&self, tensor: &Tensor, dims: &mut Dims) -> Result<(), TensorError> {
        let name = || self.name.clone();
        if tensor.dtype != self.dtype {
            return Err(TensorError::DType { name: name(), got: tensor.dtype.name(), expected: self.dtype.name() });
        }
        let wrong = || TensorError::Shape { name: name(), got: tensor.shape.clone(), expected: self.shape_text() };
        if tensor.shape.len() != self.shape.len() {
            return Err(wrong());
        }
        for (spec, &got) in self.shape.iter().zip(&tensor.shape) {
            match spec {
                DimSpec::Fixed(n) if *n != got as u64 => return Err(wrong()),
                DimSpec::CeilDiv { dim, by } if dims.get(dim).is_some_and(|v| v.div_ceil(*by) != got as u64) => {
                    return Err(wrong());
                }
                DimSpec::Fixed(_) | DimSpec::CeilDiv { .. } => {}
                DimSpec::Named(dim) => {
                    let expected = *dims.entry(dim.clone()).or_insert(got as u64);
                    if expected != got as u64 {
                        let dim = dim.clone();
                        return Err(TensorError::Conflict { name: name(), dim, got: got as u64, expected });
                    }
                }
            }
        }
        let (min, max) = self.range;
        if let Some(index) = tensor.data.iter().position(|v| !(min..=max).contains(v)) {
            return Err(TensorError::Range { name: name(), value: tensor.data[index], index, min, max });
        }
        if let (Carrier::Size(dim), Some(value)) = (&self.carrier, tensor.data.first()) {
            dims.insert(dim.clone(), *value as u64);
        }
        Ok(())
    }
}

/// A generated text file, path relative to the output folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Relative path, such as `rtl/fifo.v`.
    pub path: String,
    /// Contents.
    pub text: String,
}
