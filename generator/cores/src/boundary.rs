//! Short constructors for what every core's interface is made of: loops, lanes, axes, sizes, registers.

use bitlathe_spec::{
    Access, Axis, Carrier, DType, DimSpec, Dir, Extent, Field, FieldValue, LaneVar, Layout, LoopVar, Register, Role,
    Scalar, Stream, TensorSpec,
};

use crate::parts::register_file::CONFIG_ERROR;

/// Value of the identification register: `BLTG`.
pub const MAGIC: u64 = 0x424c_5447;

/// A run-time size from 1 to `max`.
pub fn size(name: &str, max: u64, doc: &str) -> Scalar {
    Scalar { name: name.into(), min: 1, max, doc: doc.into() }
}

/// A loop of `ceil(dim / by)` steps.
pub fn looped(name: &str, dim: &str, by: i64) -> LoopVar {
    LoopVar { name: name.into(), extent: Extent::CeilDiv { dim: dim.into(), by: by as u64 } }
}

/// A loop of `n` steps.
pub fn counted(name: &str, n: i64) -> LoopVar {
    LoopVar { name: name.into(), extent: Extent::Const(n as u64) }
}

/// The steps within a block of `by`, of a loop `block` over `ceil(dim / by)` blocks.
pub fn within(name: &str, dim: &str, by: i64, block: &str) -> LoopVar {
    let extent = Extent::Within { dim: dim.into(), by: by as u64, block: block.into() };
    LoopVar { name: name.into(), extent }
}

/// `n` lanes.
pub fn lane(name: &str, n: i64) -> LaneVar {
    LaneVar { name: name.into(), extent: n as u64 }
}

/// A tensor axis as the sum of strided counters; offsets inside a beat that reach `tile` are padding.
pub fn axis(terms: &[(&str, i64)], tile: i64) -> Axis {
    Axis { terms: terms.iter().map(|(n, s)| ((*n).to_owned(), *s as u64)).collect(), tile: tile as u64 }
}

/// A layout of plain lanes, one element each.
pub fn plain(loops: Vec<LoopVar>, lanes: Vec<LaneVar>, lane_bits: i64, axes: Vec<Axis>) -> Layout {
    Layout { loops, lanes, group: 1, lane_bits: lane_bits as u32, code: "plain".into(), axes, shape: vec![] }
}

/// A tensor with how it travels: over a stream of its name, or as the value of a register field of its name.
#[derive(Clone)]
pub struct Carry {
    /// Name of tensor, stream and field.
    pub name: &'static str,
    /// Direction.
    pub dir: Dir,
    /// Element type in files.
    pub dtype: DType,
    /// Symbolic shape.
    pub shape: Vec<DimSpec>,
    /// Smallest and largest value.
    pub range: (i64, i64),
    /// Value when a job does not give it.
    pub default: Option<i64>,
    /// One sentence.
    pub doc: &'static str,
    /// The stream and whether it carries `last`; `None`: register fields, one an element.
    pub stream: Option<(Layout, bool)>,
}

/// A fixed axis.
pub fn fixed(n: i64) -> DimSpec {
    DimSpec::Fixed(n as u64)
}

/// An axis of a run-time size.
pub fn named(name: &str) -> DimSpec {
    DimSpec::Named(name.into())
}

impl Carry {
    /// The tensor.
    pub fn tensor(&self) -> TensorSpec {
        let name = self.name.to_owned();
        TensorSpec {
            name: name.clone(),
            role: if self.dir == Dir::In { Role::In } else { Role::Out },
            dtype: self.dtype,
            shape: self.shape.clone(),
            range: self.range,
            default: self.default,
            carrier: if self.stream.is_some() { Carrier::Stream(name) } else { Carrier::Fields(self.fields()) },
            doc: self.doc.into(),
        }
    }

    /// Names of the register fields that hold its elements: its own name, numbered where there are several.
    pub fn fields(&self) -> Vec<String> {
        let elements: u64 = self.shape.iter().map(|d| if let DimSpec::Fixed(n) = d { *n } else { 1 }).product();
        let numbered = (0..elements).map(|n| format!("{}_{n}", self.name));
        if elements == 1 { vec![self.name.into()] } else { numbered.collect() }
    }

    /// The stream, where it has one.
    pub fn stream(&self) -> Option<Stream> {
        let (layout, last) = self.stream.clone()?;
        let (name, doc) = (self.name.into(), self.doc.into());
        Some(Stream { name, dir: self.dir, signed: self.range.0 < 0, layout, last, doc })
    }
}

/// A register of fields.
pub fn register(name: &str, offset: u32, fields: Vec<Field>, doc: &str) -> Register {
    Register { name: name.into(), offset, fields, doc: doc.into() }
}

/// A field at bit 0.
pub fn field(name: &str, access: Access, (min, max): (u64, u64), reset: u64, value: FieldValue, doc: &str) -> Field {
    let name = name.into();
    Field { name, lsb: 0, width: width_of(max), access, min, max, reset, value, doc: doc.into() }
}

/// A sticky error bit.
pub fn sticky(name: &str, lsb: u32, doc: &str) -> Field {
    Field { lsb, ..field(name, Access::WriteOneToClear, (0, 1), 0, FieldValue::None, doc) }
}

/// A count `ceil(dim / by)` from 1 to `max`.
pub fn count(name: &str, max: i64, dim: &str, by: i64, doc: &str) -> Field {
    let value = FieldValue::Extent(Extent::CeilDiv { dim: dim.into(), by: by as u64 });
    field(name, Access::ReadWrite, (1, max as u64), 1, value, doc)
}

/// Element `index` of a tensor, 0 to `max`.
pub fn element(name: &str, tensor: &str, index: usize, max: u64, doc: &str) -> Field {
    let value = FieldValue::Element { tensor: tensor.into(), index };
    field(name, Access::ReadWrite, (0, max), 0, value, doc)
}

/// The register at offset 0.
pub fn identification() -> Register {
    let magic = field("magic", Access::ReadOnly, (MAGIC, MAGIC), MAGIC, FieldValue::None, "\"BLTG\"");
    register("id", 0x00, vec![Field { width: 32, ..magic }], "Identification.")
}

/// The registers that every core with registers begins with: identification, and sticky errors (its own first).
pub fn common_registers(errors: &[(&str, &str)]) -> Vec<Register> {
    let mut bits: Vec<Field> = errors.iter().enumerate().map(|(n, (name, doc))| sticky(name, n as u32, doc)).collect();
    bits.push(sticky(CONFIG_ERROR, errors.len() as u32, "A write of an illegal value was refused."));
    vec![identification(), register("status", 0x04, bits, "Sticky errors.")]
}

/// Bits of the largest value of a field.
pub fn width_of(max: u64) -> u32 {
    (64 - max.leading_zeros()).max(1)
}
