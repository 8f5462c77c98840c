//! Ports, registers, tensors and stream layouts of `quantizer`.

use bitlathe_spec::{Access, DType, DimSpec, Dir, Field, FieldValue, Interface, Layout, Register};

use super::config::Derived;
use super::rtl::{Hardware, Method, Parameter};
use crate::boundary::{
    Carry, axis, common_registers, count, counted, element, field, fixed, lane, looped, named, plain, register, size,
};
use crate::parts::requantize::Shift;

/// The boundary of a configured core.
pub fn interface(d: &Derived) -> Interface {
    let hw = &d.hardware;
    let carries = carries(hw);
    let sizes =
        vec![size("R", hw.rows_max(), "rows: tokens"), size("C", hw.c_max as u64, "columns of a row: channels")];
    Interface {
        top: hw.top.clone(),
        sizes,
        tensors: carries.iter().map(Carry::tensor).collect(),
        streams: carries.iter().filter_map(Carry::stream).collect(),
        registers: registers(hw, &carries),
    }
}

fn carries(hw: &Hardware) -> Vec<Carry> {
    let mut out = vec![elements(hw)];
    out.extend(hw.parameters().iter().map(|p| parameter(hw, p)));
    if let Some(max) = hw.threshold_max() {
        out.push(Carry {
            name: "thr",
            dir: Dir::In,
            dtype: DType::I32,
            shape: vec![fixed(1)],
            range: (0, max),
            default: None,
            doc: "Threshold: larger magnitudes lie outside.",
            stream: None,
        });
    }
    out.push(codes(hw));
    out.extend(side_output(hw));
    out
}

/// The walk over [R, C]: rows of beats of neighbours.
fn matrix(hw: &Hardware, lane_bits: i64, passes: i64) -> Layout {
    let mut loops = vec![looped("row", "R", 1), looped("beat", "C", hw.lanes)];
    if passes > 1 {
        loops.insert(0, counted("pass", passes));
    }
    let axes = vec![axis(&[("row", 1)], 1), axis(&[("beat", hw.lanes), ("lane", 1)], hw.lanes)];
    plain(loops, vec![lane("lane", hw.lanes)], lane_bits, axes)
}

fn elements(hw: &Hardware) -> Carry {
    let top = 1i64 << (hw.in_bits - 1);
    let twice = matches!(hw.method, Method::Iqr(_));
    Carry {
        name: "x",
        dir: Dir::In,
        dtype: if hw.in_bits <= 16 { DType::I16 } else { DType::I32 },
        shape: vec![named("R"), named("C")],
        range: (-top, top - 1),
        default: None,
        doc: if twice {
            "Elements, neighbours in a row a beat; the whole tensor twice, last at the end of the second walk."
        } else {
            "Elements, neighbours in a row a beat; last ends the job."
        },
        stream: Some((matrix(hw, hw.in_bits, if twice { 2 } else { 1 }), true)),
    }
}

/// Multiplier, shift and zero point: a lane for each channel, once a row, or register fields.
fn parameter(hw: &Hardware, p: &Parameter) -> Carry {
    let streams = hw.scaled().is_some_and(|s| s.per_channel);
    let channels = if streams { named("C") } else { fixed(1) };
    let loops = vec![looped("row", "R", 1), looped("beat", "C", hw.lanes)];
    let mut lanes = vec![lane("lane", hw.lanes)];
    let mut axes = vec![axis(&[("beat", hw.lanes), ("lane", 1)], hw.lanes)];
    let mut shape = vec![channels];
    if p.planes == 2 {
        shape.insert(0, fixed(2));
        lanes.insert(0, lane("region", 2));
        axes.insert(0, axis(&[("region", 1)], 2));
    }
    let (dtype, range, default, doc) = match p.name {
        "mult" if p.planes == 2 => {
            (DType::U16, (0, 65535), None, "Multipliers inside and outside the threshold, mult / 2^shift.")
        }
        "mult" => (DType::U16, (0, 65535), None, "Multiplier of the scale, mult / 2^shift."),
        "zp" => (DType::I8, (-128, 127), Some(0), "Zero point, added after the rounding."),
        _ => (DType::U8, shift_bounds(hw), None, "Shift of the scale."),
    };
    let stream = streams.then(|| (plain(loops, lanes, p.bits, axes), false));
    Carry { name: p.name, dir: Dir::In, dtype, shape, range, default, doc, stream }
}

fn shift_bounds(hw: &Hardware) -> (i64, i64) {
    match hw.scaled().map(|s| s.shift) {
        Some(Shift::Range(lo, hi)) => (lo, hi),
        Some(Shift::Constant(s)) => (s, s),
        None => (0, 0),
    }
}

fn codes(hw: &Hardware) -> Carry {
    let bits = hw.y_bits();
    let (dtype, range) = match hw.method {
        Method::Hadamard { .. } => (DType::I32, (i64::from(i32::MIN), i64::from(i32::MAX))),
        // A code of eight bits is a byte's two's complement, a shorter code the low bits.
        _ if hw.signed_codes() || bits == 8 => (DType::I8, (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1)),
        _ => (DType::I8, (0, (1i64 << bits) - 1)),
    };
    Carry {
        name: "y",
        dir: Dir::Out,
        dtype,
        shape: vec![named("R"), named("C")],
        range,
        default: None,
        doc: "Outputs in the order of x; last ends the job.",
        stream: Some((matrix(hw, bits, 1), true)),
    }
}

/// What a method gives beside y.
fn side_output(hw: &Hardware) -> Option<Carry> {
    let rows = || vec![looped("row", "R", 1)];
    let one = |bits, loops, axes| plain(loops, vec![lane("lane", 1)], bits, axes);
    let carry = |name, dtype, shape, range, doc, layout| Carry {
        name,
        dir: Dir::Out,
        dtype,
        shape,
        range,
        default: None,
        doc,
        stream: Some((layout, false)),
    };
    Some(match hw.method {
        Method::Absmax { .. } => carry(
            "amax",
            DType::U32,
            vec![named("R")],
            (0, 1 << (hw.in_bits - 1)),
            "Largest magnitude of each row; y stands for multiples of amax / (2^(bits-1) - 1).",
            one(32, rows(), vec![axis(&[("row", 1)], 1)]),
        ),
        Method::Mx { block, .. } => {
            let lanes = (hw.lanes / block).max(1);
            let loops = vec![looped("row", "R", 1), looped("beat", "C", lanes * block)];
            let axes = vec![axis(&[("row", 1)], 1), axis(&[("beat", lanes), ("lane", 1)], lanes)];
            let layout = plain(loops, vec![lane("lane", lanes)], 8, axes);
            let blocks = DimSpec::CeilDiv { dim: "C".into(), by: block as u64 };
            carry(
                "e",
                DType::U8,
                vec![named("R"), blocks],
                (0, 255),
                "Scale of each block as E8M0: 2^(e - 127); 0: all zeros.",
                layout,
            )
        }
        Method::Iqr(_) => carry(
            "thr",
            DType::I32,
            vec![fixed(1)],
            (0, i64::from(i32::MAX)),
            "The threshold that was found.",
            one(32, vec![], vec![axis(&[("lane", 1)], 1)]),
        ),
        _ => return None,
    })
}

fn registers(hw: &Hardware, carries: &[Carry]) -> Vec<Register> {
    let mut out = vec![];
    if hw.counts_columns() {
        let columns = count("columns", hw.c_max, "C", 1, "Columns of a row.");
        out.push(register("columns", 0x08, vec![columns], "Length of a row."));
    }
    if matches!(hw.method, Method::Iqr(_)) {
        let rows = count("rows", hw.rows_max() as i64, "R", 1, "Rows of the tensor.");
        out.push(register("rows", 0x0c, vec![rows], "Number of rows."));
    }
    let mut offset = 0x10;
    for c in carries.iter().filter(|c| c.stream.is_none()) {
        for (n, name) in c.fields().iter().enumerate() {
            let one = scalar(c, name, n);
            out.push(register(name, offset, vec![one], c.doc));
            offset += 4;
        }
    }
    if out.is_empty() { out } else { [common_registers(&[]), out].concat() }
}

/// A field that holds one element of a tensor.
fn scalar(c: &Carry, name: &str, n: usize) -> Field {
    let (lo, hi) = c.range;
    if lo < 0 {
        return element(name, c.name, n, 255, "Two's complement.");
    }
    let value = FieldValue::Element { tensor: c.name.into(), index: n };
    let (lo, hi) = (lo as u64, hi as u64);
    field(name, Access::ReadWrite, (lo, hi), lo, value, "One value for every channel.")
}

impl Hardware {
    /// Whether the output's lanes are numbers of fewer than eight bits with their sign.
    fn signed_codes(&self) -> bool {
        matches!(
            self.method,
            Method::Requant(_)
                | Method::Pot(_)
                | Method::Stochastic(..)
                | Method::Absmax { .. }
                | Method::Hadamard { .. }
        )
    }

    /// Whether the hardware must know where a row ends.
    pub fn counts_columns(&self) -> bool {
        matches!(self.method, Method::Ovp(_) | Method::Iqr(_) | Method::Absmax { .. } | Method::Mx { .. })
    }
}
