//! Ports, registers, tensors and stream layouts of `softmax`.

use bitlathe_golden::softmax::Output;
use bitlathe_spec::{Access, DType, Dir, FieldValue, Interface, Layout, Register};

use super::config::Derived;
use super::hardware::{Hardware, Online, Walk};
use crate::boundary::{Carry, axis, common_registers, count, field, fixed, lane, looped, named, plain, register, size};
use bitlathe_spec::DimSpec;

/// The boundary of a configured core.
pub fn interface(d: &Derived) -> Interface {
    let hw = &d.hardware;
    let carries = carries(d);
    let sizes = vec![size("R", u64::from(u32::MAX), "rows"), size("N", hw.n_max as u64, "elements of a row")];
    Interface {
        top: hw.top.clone(),
        sizes,
        tensors: carries.iter().map(Carry::tensor).collect(),
        streams: carries.iter().filter_map(Carry::stream).collect(),
        registers: registers(hw),
    }
}

/// Element type of the logits in files.
pub fn x_dtype(hw: &Hardware) -> DType {
    match hw.in_bits {
        8 => DType::I8,
        16 => DType::I16,
        _ => DType::I32,
    }
}

fn carries(d: &Derived) -> Vec<Carry> {
    let hw = &d.hardware;
    let top = 1i64 << (hw.in_bits - 1);
    let mut out = vec![Carry {
        name: "x",
        dir: Dir::In,
        dtype: x_dtype(hw),
        shape: vec![named("R"), named("N")],
        range: (-top, top - 1),
        default: None,
        doc: "Logits, neighbours in a row a beat; last ends the job.",
        stream: Some((matrix(hw, hw.in_bits), true)),
    }];
    out.extend(hw.stage.parameters().iter().map(|p| Carry {
        name: p.name,
        dir: Dir::In,
        dtype: DType::U32,
        shape: vec![fixed(1)],
        range: (1, (1 << p.bits) - 1),
        default: None,
        doc: "Constant of the method, made from `scale`, which files give in its place.",
        stream: None,
    }));
    let (dtype, largest) = match hw.output {
        Output::U8 => (DType::U8, 255),
        Output::U16 => (DType::U16, 65_535),
        Output::Log2x4 => (DType::U8, 15),
        Output::Raw => (DType::U64, d.widths.exponential as i64),
    };
    out.push(Carry {
        name: "y",
        dir: Dir::Out,
        dtype,
        shape: vec![named("R"), named("N")],
        range: (0, largest),
        default: None,
        doc: "Outputs in the order of x; last ends the job.",
        stream: Some((matrix(hw, hw.y_bits()), true)),
    });
    out.extend(sums(d));
    out.extend(octaves(hw));
    out
}

/// The walk over [R, N]: rows of beats of neighbours.
fn matrix(hw: &Hardware, lane_bits: i64) -> Layout {
    let loops = vec![looped("row", "R", 1), looped("beat", "N", hw.lanes)];
    let axes = vec![axis(&[("row", 1)], 1), axis(&[("beat", hw.lanes), ("lane", 1)], hw.lanes)];
    plain(loops, vec![lane("lane", hw.lanes)], lane_bits, axes)
}

/// The sums of a raw output.
fn sums(d: &Derived) -> Option<Carry> {
    let layout =
        plain(vec![looped("row", "R", 1)], vec![lane("lane", 1)], d.hardware.sum_bits(), vec![axis(&[("row", 1)], 1)]);
    (d.hardware.output == Output::Raw).then(|| Carry {
        name: "sum",
        dir: Dir::Out,
        dtype: DType::U64,
        shape: vec![named("R")],
        range: (0, d.widths.sum as i64),
        default: None,
        doc: "Sum of each row's exponentials; y stands for y / sum.",
        stream: Some((layout, false)),
    })
}

/// The running maxima of a single walk.
fn octaves(hw: &Hardware) -> Option<Carry> {
    let (Walk::One, Some(Online::Octaves(f))) = (hw.walk, hw.online) else { return None };
    let beats = DimSpec::CeilDiv { dim: "N".into(), by: hw.lanes as u64 };
    let loops = vec![looped("row", "R", 1), looped("beat", "N", hw.lanes)];
    let axes = vec![axis(&[("row", 1)], 1), axis(&[("beat", 1)], 1)];
    let layout = plain(loops, vec![lane("lane", 1)], hw.in_bits + 1 - f, axes);
    let top = 1i64 << (hw.in_bits - 1 - f);
    Some(Carry {
        name: "octave",
        dir: Dir::Out,
        dtype: DType::I32,
        shape: vec![named("R"), beats],
        range: (-top, top),
        default: None,
        doc: "Maximum of the row up to each beat, in whole octaves; y of the beat counts from it.",
        stream: Some((layout, false)),
    })
}

fn registers(hw: &Hardware) -> Vec<Register> {
    let columns = count("columns", hw.n_max, "N", 1, "Elements of a row.");
    let mut out = common_registers(&[]);
    out.push(register("columns", 0x08, vec![columns], "Length of a row."));
    for (p, offset) in hw.stage.parameters().iter().zip((0x0c..).step_by(4)) {
        let value = FieldValue::Element { tensor: p.name.into(), index: 0 };
        let field = field(p.name, Access::ReadWrite, (1, (1 << p.bits) - 1), 1, value, "From the scale of the logits.");
        out.push(register(p.name, offset, vec![field], "Constant of the scale."));
    }
    out
}
