//! Ports, registers, tensors and stream layouts of `ternary-gemm`.

use bitlathe_spec::{Access, DType, Dir, Extent, FieldValue, Interface, Layout, LoopVar, Register};

use super::config::Derived;
use super::rtl::Hardware;
use crate::boundary::{
    Carry, axis, common_registers, count, counted, field, fixed, lane, looped, named, plain, register, size,
};

/// Most activation vectors of a job. The hardware counts none of them; the work of the largest job stays below 2^63.
const T_MAX: u64 = 1 << 24;

/// The boundary of a configured core.
pub fn interface(d: &Derived) -> Interface {
    let hw = &d.hardware;
    let carries = carries(hw);
    Interface {
        top: hw.top.clone(),
        sizes: vec![
            size("T", T_MAX, "activation vectors"),
            size("K", d.config.shape.k_max.into(), "activations of a vector"),
            size("M", d.config.shape.m_max.into(), "outputs of a vector"),
        ],
        tensors: carries.iter().map(Carry::tensor).collect(),
        streams: carries.iter().filter_map(Carry::stream).collect(),
        registers: registers(hw),
    }
}

/// What travels over streams, in the order of the ports, then what registers hold.
fn carries(hw: &Hardware) -> Vec<Carry> {
    let parameters = hw.requant.iter().flat_map(|r| r.parameters(&tiles(hw), hw.m_lanes));
    let of_planes = |c: Carry| if c.name == "mult" && hw.planes == 2 { of_planes(c) } else { c };
    let parameters = parameters.map(of_planes);
    let (streamed, held): (Vec<Carry>, Vec<Carry>) = parameters.partition(|c| c.stream.is_some());
    [vec![activations(hw), weights(hw)], streamed, vec![outputs(hw)], held].concat()
}

fn activations(hw: &Hardware) -> Carry {
    let top = 1i64 << (hw.act_bits - 1);
    let loops = vec![looped("pass", "T", hw.batch), looped("slab", "K", hw.k_lanes), counted("vector", hw.batch)];
    let axes = vec![axis(&[("pass", hw.batch), ("vector", 1)], 1), axis(&[("slab", hw.k_lanes), ("k", 1)], hw.k_lanes)];
    Carry {
        name: "x",
        dir: Dir::In,
        dtype: if hw.act_bits <= 8 { DType::I8 } else { DType::I16 },
        shape: vec![named("T"), named("K")],
        range: (-top, top - 1),
        default: None,
        doc: "Activations, one slab of one vector a beat; its last beat ends the job.",
        stream: Some((plain(loops, vec![lane("k", hw.k_lanes)], hw.act_bits, axes), true)),
    }
}

fn weights(hw: &Hardware) -> Carry {
    let (code, resident) = (hw.code(), hw.resident.is_some());
    let passes = (!resident).then(|| looped("pass", "T", hw.batch));
    let loops = [looped("slab", "K", hw.k_lanes), looped("tile", "M", hw.m_lanes)];
    let codes = axis(&[("slab", hw.k_lanes), ("code", code.group), ("i", 1)], hw.k_lanes);
    let layout = Layout {
        group: code.group as u64,
        code: code.name.into(),
        ..plain(
            passes.into_iter().chain(loops).collect(),
            vec![lane("row", hw.m_lanes), lane("code", hw.codes())],
            code.bits,
            vec![axis(&[("tile", hw.m_lanes), ("row", 1)], hw.m_lanes), codes],
        )
    };
    let carry = Carry {
        name: "w",
        dir: Dir::In,
        dtype: DType::I8,
        shape: vec![named("M"), named("K")],
        range: (-1, 1),
        default: None,
        doc: if resident {
            "Weight codes, one tile of one slab a beat; loaded once a job, ended by last."
        } else {
            "Weight codes, one tile of one slab a beat; the whole matrix once a pass."
        },
        stream: Some((layout, resident)),
    };
    if hw.planes == 2 { of_planes(carry) } else { carry }
}

/// The same for each of two planes: an axis in front, and the innermost loop of a stream.
fn of_planes(mut carry: Carry) -> Carry {
    carry.shape.insert(0, fixed(2));
    if let Some((layout, _)) = &mut carry.stream {
        layout.loops.push(counted("plane", 2));
        layout.axes.insert(0, axis(&[("plane", 1)], 1));
    }
    carry
}

/// Once a tile of each pass.
fn tiles(hw: &Hardware) -> Vec<LoopVar> {
    vec![looped("pass", "T", hw.batch), looped("tile", "M", hw.m_lanes)]
}

fn outputs(hw: &Hardware) -> Carry {
    let (dtype, bits) = match &hw.requant {
        None => (DType::I32, 32),
        Some(r) => (r.dtype(), r.bits),
    };
    let axes =
        vec![axis(&[("pass", hw.batch), ("vector", 1)], 1), axis(&[("tile", hw.m_lanes), ("row", 1)], hw.m_lanes)];
    let carry = Carry {
        name: "y",
        dir: Dir::Out,
        dtype,
        shape: vec![named("T"), named("M")],
        range: (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1),
        default: None,
        doc: "Outputs, one tile of one vector a beat.",
        stream: Some((plain(tiles(hw), vec![lane("row", hw.m_lanes)], bits, axes), true)),
    };
    let mut carry = if hw.planes == 2 && hw.requant.is_none() { of_planes(carry) } else { carry };
    if let Some((layout, _)) = &mut carry.stream {
        layout.loops.push(counted("vector", hw.batch));
    }
    carry
}

pub fn registers(hw: &Hardware) -> Vec<Register> {
    let slabs = count("k_slabs", hw.slabs_max, "K", hw.k_lanes, "Slabs of activations in a vector.");
    let tiles = count("m_tiles", hw.tiles_max, "M", hw.m_lanes, "Tiles of rows in the matrix.");
    let mut out = common_registers(&[("weight_error", "An illegal weight code was seen; it counted as zero.")]);
    out.push(register("slabs", 0x08, vec![slabs], "Length of a dot product."));
    out.push(register("tiles", 0x0c, vec![tiles], "Number of outputs."));
    if let Some(r) = hw.requant {
        out.extend(r.registers(0x10, hw.planes));
    }
    if hw.resident.is_some() {
        let value = FieldValue::Extent(Extent::Const(1));
        let doc = "The next weight beats replace those on chip.";
        let reload = field("reload", Access::Trigger, (0, 1), 0, value, doc);
        out.push(register("control", 0x1c, vec![reload], "Starts actions."));
    }
    out
}
