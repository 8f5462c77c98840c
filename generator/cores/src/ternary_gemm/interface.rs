//! Ports, registers, tensors and stream layouts of `ternary-gemm`.

use bitlathe_spec::{
    Access, Axis, Carrier, DType, DimSpec, Dir, Extent, Field, FieldValue, Interface, LaneVar, Layout, LoopVar,
    Register, Role, Scalar, Stream, TensorSpec,
};

use super::config::Derived;
use super::rtl::{Hardware, Requantized};
use crate::parts::register_file::CONFIG_ERROR;
use crate::parts::requantize::Shift;

/// Value of the identification register: `BLTG`.
pub const MAGIC: u64 = 0x424c_5447;

/// Most activation vectors of a job. The hardware counts none of them; the work of the largest job stays below 2^63.
const T_MAX: u64 = 1 << 24;

/// The boundary of a configured core.
pub fn interface(d: &Derived) -> Interface {
    let hw = &d.hardware;
    let (tensors, streams) = carried(hw);
    let size = |name: &str, max: u64, doc: &str| Scalar { name: name.into(), min: 1, max, doc: doc.into() };
    let sizes = vec![
        size("T", T_MAX, "activation vectors"),
        size("K", d.config.shape.k_max.into(), "activations of a vector"),
        size("M", d.config.shape.m_max.into(), "outputs of a vector"),
    ];
    Interface { top: hw.top.clone(), sizes, tensors, streams, registers: registers(hw) }
}

fn looped(name: &str, dim: &str, by: i64) -> LoopVar {
    LoopVar { name: name.into(), extent: Extent::CeilDiv { dim: dim.into(), by: by as u64 } }
}

fn counted(name: &str, n: i64) -> LoopVar {
    LoopVar { name: name.into(), extent: Extent::Const(n as u64) }
}

fn lane(name: &str, n: i64) -> LaneVar {
    LaneVar { name: name.into(), extent: n as u64 }
}

fn axis(terms: &[(&str, i64)], tile: i64) -> Axis {
    Axis { terms: terms.iter().map(|(n, s)| ((*n).to_owned(), *s as u64)).collect(), tile: tile as u64 }
}

struct Carry<'a> {
    name: &'a str,
    dir: Dir,
    dtype: DType,
    shape: &'a [&'a str],
    planes: bool,
    range: (i64, i64),
    default: Option<i64>,
    doc: &'a str,
    last: bool,
    layout: Layout,
}

fn carried(hw: &Hardware) -> (Vec<TensorSpec>, Vec<Stream>) {
    let mut carries = vec![activations(hw), weights(hw)];
    let mut fields = vec![];
    if let Some(r) = &hw.requant {
        for p in parameters(hw, r) {
            if r.per_row { carries.push(p) } else { fields.push(p) }
        }
    }
    carries.push(outputs(hw));
    let tensors = carries.iter().chain(&fields).map(|c| tensor(c, fields.iter().any(|f| f.name == c.name))).collect();
    let streams = carries
        .into_iter()
        .map(|c| Stream {
            name: c.name.into(),
            dir: c.dir,
            signed: c.range.0 < 0,
            layout: c.layout,
            last: c.last,
            doc: c.doc.into(),
        })
        .collect();
    (tensors, streams)
}

fn tensor(c: &Carry, field: bool) -> TensorSpec {
    let mut shape: Vec<DimSpec> = if c.planes { vec![DimSpec::Fixed(2)] } else { vec![] };
    if field {
        shape.push(DimSpec::Fixed(1));
    } else {
        shape.extend(c.shape.iter().map(|s| DimSpec::Named((*s).into())));
    }
    TensorSpec {
        name: c.name.into(),
        role: if c.dir == Dir::In { Role::In } else { Role::Out },
        dtype: c.dtype,
        shape,
        range: c.range,
        default: c.default,
        carrier: if field { Carrier::Fields(field_names(c)) } else { Carrier::Stream(c.name.into()) },
        doc: c.doc.into(),
    }
}

/// Register fields of a tensor that is no stream: one a plane.
fn field_names(c: &Carry) -> Vec<String> {
    if c.planes { (0..2).map(|p| format!("{}_{p}", c.name)).collect() } else { vec![c.name.into()] }
}

fn activations(hw: &Hardware) -> Carry<'static> {
    let top = 1i64 << (hw.act_bits - 1);
    Carry {
        name: "x",
        dir: Dir::In,
        dtype: if hw.act_bits <= 8 { DType::I8 } else { DType::I16 },
        shape: &["T", "K"],
        planes: false,
        range: (-top, top - 1),
        default: None,
        doc: "Activations, one slab of one vector a beat; its last beat ends the job.",
        last: true,
        layout: Layout {
            loops: vec![looped("pass", "T", hw.batch), looped("slab", "K", hw.k_lanes), counted("vector", hw.batch)],
            lanes: vec![lane("k", hw.k_lanes)],
            group: 1,
            lane_bits: hw.act_bits as u32,
            code: "plain".into(),
            axes: vec![
                axis(&[("pass", hw.batch), ("vector", 1)], 1),
                axis(&[("slab", hw.k_lanes), ("k", 1)], hw.k_lanes),
            ],
        },
    }
}

fn weights(hw: &Hardware) -> Carry<'static> {
    let code = hw.code();
    let mut loops = vec![];
    if hw.resident.is_none() {
        loops.push(looped("pass", "T", hw.batch));
    }
    loops.extend([looped("slab", "K", hw.k_lanes), looped("tile", "M", hw.m_lanes)]);
    let mut axes = vec![
        axis(&[("tile", hw.m_lanes), ("row", 1)], hw.m_lanes),
        axis(&[("slab", hw.k_lanes), ("code", code.group), ("i", 1)], hw.k_lanes),
    ];
    if hw.planes == 2 {
        loops.push(counted("plane", 2));
        axes.insert(0, axis(&[("plane", 1)], 1));
    }
    Carry {
        name: "w",
        dir: Dir::In,
        dtype: DType::I8,
        shape: &["M", "K"],
        planes: hw.planes == 2,
        range: (-1, 1),
        default: None,
        doc: if hw.resident.is_some() {
            "Weight codes, one tile of one slab a beat; loaded once a job, ended by last."
        } else {
            "Weight codes, one tile of one slab a beat; the whole matrix once a pass."
        },
        last: hw.resident.is_some(),
        layout: Layout {
            loops,
            lanes: vec![lane("row", hw.m_lanes), lane("code", hw.codes())],
            group: code.group as u64,
            lane_bits: code.bits as u32,
            code: code.name.into(),
            axes,
        },
    }
}

/// Multiplier, shift and zero point: one lane a row, or one value each.
fn parameters(hw: &Hardware, r: &Requantized) -> Vec<Carry<'static>> {
    let layout = |bits: u32, planes: bool| {
        let mut loops = vec![looped("pass", "T", hw.batch), looped("tile", "M", hw.m_lanes)];
        let mut axes = vec![axis(&[("tile", hw.m_lanes), ("row", 1)], hw.m_lanes)];
        if planes {
            loops.push(counted("plane", 2));
            axes.insert(0, axis(&[("plane", 1)], 1));
        }
        Layout { loops, lanes: vec![lane("row", hw.m_lanes)], group: 1, lane_bits: bits, code: "plain".into(), axes }
    };
    let carry = |name, dtype, range, default, doc, bits, planes| Carry {
        name,
        dir: Dir::In,
        dtype,
        shape: &["M"],
        planes,
        range,
        default,
        doc,
        last: false,
        layout: layout(bits, planes),
    };
    let two = hw.planes == 2;
    let mut out =
        vec![carry("mult", DType::U16, (0, 65535), None, "Multiplier of the scale, mult / 2^shift.", 16, two)];
    if let Shift::Range(lo, hi) = r.shift {
        out.push(carry("shift", DType::U8, (lo, hi), None, "Shift of the scale.", 8, false));
    }
    out.push(carry("zp", DType::I8, (-128, 127), Some(0), "Zero point, added after the rounding.", 8, false));
    out
}

fn outputs(hw: &Hardware) -> Carry<'static> {
    let planes = hw.planes == 2 && hw.requant.is_none();
    let (dtype, bits) = match &hw.requant {
        None => (DType::I32, 32),
        Some(r) if r.bits <= 8 => (DType::I8, r.bits),
        Some(r) => (DType::I16, r.bits),
    };
    let mut loops = vec![looped("pass", "T", hw.batch), looped("tile", "M", hw.m_lanes)];
    let mut axes =
        vec![axis(&[("pass", hw.batch), ("vector", 1)], 1), axis(&[("tile", hw.m_lanes), ("row", 1)], hw.m_lanes)];
    if planes {
        loops.push(counted("plane", 2));
        axes.insert(0, axis(&[("plane", 1)], 1));
    }
    loops.push(counted("vector", hw.batch));
    Carry {
        name: "y",
        dir: Dir::Out,
        dtype,
        shape: &["T", "M"],
        planes,
        range: (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1),
        default: None,
        doc: "Outputs, one tile of one vector a beat.",
        last: true,
        layout: Layout {
            loops,
            lanes: vec![lane("row", hw.m_lanes)],
            group: 1,
            lane_bits: bits as u32,
            code: "plain".into(),
            axes,
        },
    }
}

pub fn registers(hw: &Hardware) -> Vec<Register> {
    let field = |name: &str, width, access, (min, max), reset, value, doc: &str| Field {
        name: name.into(),
        lsb: 0,
        width,
        access,
        min,
        max,
        reset,
        value,
        doc: doc.into(),
    };
    let register =
        |name: &str, offset, fields, doc: &str| Register { name: name.into(), offset, fields, doc: doc.into() };
    let none = FieldValue::None;
    let sticky = |name: &str, lsb, doc: &str| Field {
        lsb,
        ..field(name, 1, Access::WriteOneToClear, (0, 1), 0, FieldValue::None, doc)
    };
    let count = |name: &str, max: i64, dim: &str, by: i64, doc: &str| {
        let value = FieldValue::Extent(Extent::CeilDiv { dim: dim.into(), by: by as u64 });
        field(name, width_of(max), Access::ReadWrite, (1, max as u64), 1, value, doc)
    };
    let mut out = vec![
        register(
            "id",
            0x00,
            vec![field("magic", 32, Access::ReadOnly, (MAGIC, MAGIC), MAGIC, none.clone(), "\"BLTG\"")],
            "Identification.",
        ),
        register(
            "status",
            0x04,
            vec![
                sticky("weight_error", 0, "An illegal weight code was seen; it counted as zero."),
                sticky(CONFIG_ERROR, 1, "A write of an illegal value was refused."),
            ],
            "Sticky errors.",
        ),
        register(
            "slabs",
            0x08,
            vec![count("k_slabs", hw.slabs_max, "K", hw.k_lanes, "Slabs of activations in a vector.")],
            "Length of a dot product.",
        ),
        register(
            "tiles",
            0x0c,
            vec![count("m_tiles", hw.tiles_max, "M", hw.m_lanes, "Tiles of rows in the matrix.")],
            "Number of outputs.",
        ),
    ];
    if let Some(r) = hw.requant.filter(|r| !r.per_row) {
        let scalar = |name: &str, tensor: &str, index, width, max, doc: &str| {
            let value = FieldValue::Element { tensor: tensor.into(), index };
            field(name, width, Access::ReadWrite, (0, max), 0, value, doc)
        };
        let mult = |name: &str, plane| vec![scalar(name, "mult", plane, 16, 65535, "Multiplier.")];
        if hw.planes == 2 {
            out.push(register("scale_0", 0x10, mult("mult_0", 0), "Multiplier of every row of the first plane."));
            out.push(register("scale_1", 0x20, mult("mult_1", 1), "Multiplier of every row of the second plane."));
        } else {
            out.push(register("scale", 0x10, mult("mult", 0), "Multiplier of every row."));
        }
        if let Shift::Range(lo, hi) = r.shift {
            let shift = scalar("shift", "shift", 0, width_of(hi), hi as u64, "Shift.");
            let shift = Field { min: lo as u64, reset: lo as u64, ..shift };
            out.push(register("shift", 0x14, vec![shift], "Shift of every row."));
        }
        let zero_point = vec![scalar("zp", "zp", 0, 8, 255, "Two's complement.")];
        out.push(register("zero_point", 0x18, zero_point, "Zero point of every row."));
    }
    if hw.resident.is_some() {
        let value = FieldValue::Extent(Extent::Const(1));
        let reload =
            field("reload", 1, Access::Trigger, (0, 1), 0, value, "The next weight beats replace those on chip.");
        out.push(register("control", 0x1c, vec![reload], "Starts actions."));
    }
    out
}

fn width_of(max: i64) -> u32 {
    64 - (max as u64).leading_zeros()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bitlathe_spec::{Carrier, FieldValue, Slot};

    use crate::{Kind, ternary_gemm::TernaryGemm};

    /// A stream carries each element of its tensor once in each repetition: once a pass, or once a job.
    #[test]
    fn streams_carry_every_element_equally_often() {
        for config in TernaryGemm.legal_pairs() {
            let core = TernaryGemm.configure(&config).unwrap_or_else(|e| panic!("{config}: {e:?}"));
            let (interface, job) = (core.interface(), core.random_job(9));
            let batch = config["parallel"]["batch"].as_u64().unwrap();
            for s in &interface.streams {
                let shape = interface.tensor(&s.name).unwrap().resolve(&job.dims).unwrap();
                let mut seen: BTreeMap<usize, u64> = BTreeMap::new();
                let mut count = |slots: &[Slot]| {
                    for slot in slots {
                        if let Slot::Element(n) = slot {
                            *seen.entry(*n).or_default() += 1;
                        }
                    }
                };
                s.layout.walk(&job.dims, &shape, |_, slots| count(slots)).unwrap();
                let once = ["x", "y"].contains(&s.name.as_str()) || (s.name == "w" && s.last);
                let times = if once { 1 } else { job.dims["T"].div_ceil(batch) };
                assert_eq!(seen.len(), shape.iter().product::<usize>(), "{config}: {}", s.name);
                assert!(seen.values().all(|n| *n == times), "{config}: {}", s.name);
            }
        }
    }

    #[test]
    fn registers_have_their_own_words_and_bits() {
        for config in TernaryGemm.legal_pairs() {
            let core = TernaryGemm.configure(&config).unwrap_or_else(|e| panic!("{config}: {e:?}"));
            let interface = core.interface();
            let mut words = std::collections::BTreeSet::new();
            for r in &interface.registers {
                assert!(r.offset.is_multiple_of(4) && words.insert(r.offset), "{config}: {}", r.name);
                let mut used = 0u64;
                for f in &r.fields {
                    let mask = ((1u64 << f.width) - 1) << f.lsb;
                    assert!(used & mask == 0 && mask >> 32 == 0 && f.max >> f.width == 0, "{config}: {}", f.name);
                    assert!(f.min <= f.reset && f.reset <= f.max, "{config}: {}", f.name);
                    used |= mask;
                    if let FieldValue::Element { tensor, index } = &f.value {
                        let carrier = &interface.tensor(tensor).unwrap().carrier;
                        let Carrier::Fields(names) = carrier else { panic!("{config}: {tensor} is {carrier:?}") };
                        assert_eq!(names[*index], f.name, "{config}");
                    }
                }
            }
        }
    }
}
