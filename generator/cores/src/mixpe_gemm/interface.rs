//! Ports, registers, tensors and stream layouts of `mixpe-gemm`.

use bitlathe_golden::mixpe::{MAX_SCALE, MAX_WEIGHT, MAX_ZERO};
use bitlathe_spec::{DType, DimSpec, Dir, Interface, Layout, LoopVar, Register};

use super::config::Derived;
use super::hardware::{Hardware, SCALE_BITS, WEIGHT_BITS, ZERO_LANE};
use crate::boundary::{
    Carry, axis, common_registers, count, counted, lane, looped, named, plain, register, size, within,
};

/// Most activation rows of a job.
pub const T_MAX: u64 = 1 << 24;

/// The boundary of a configured core.
pub fn interface(d: &Derived) -> Interface {
    let hw = &d.hardware;
    let carries = carries(hw);
    Interface {
        top: hw.top.clone(),
        sizes: vec![
            size("T", T_MAX, "rows of activations"),
            size("K", d.config.shape.k_max.into(), "activations of a row"),
            size("M", d.config.shape.m_max.into(), "outputs of a row"),
        ],
        tensors: carries.iter().map(Carry::tensor).collect(),
        streams: carries.iter().filter_map(Carry::stream).collect(),
        registers: registers(hw),
    }
}

/// What travels over streams, in the order of the ports, then what registers hold.
fn carries(hw: &Hardware) -> Vec<Carry> {
    let parameters = hw.requant.iter().flat_map(|r| r.parameters(&tiles(hw), hw.array.cols));
    let (streamed, held): (Vec<Carry>, Vec<Carry>) = parameters.partition(|c| c.stream.is_some());
    [vec![weights(hw), activations(hw), zeros(hw), scales(hw)], streamed, vec![outputs(hw)], held].concat()
}

/// Once a tile along M of each block of activation rows.
fn tiles(hw: &Hardware) -> Vec<LoopVar> {
    vec![looped("block", "T", hw.t_block), looped("m_tile", "M", hw.array.cols)]
}

/// Loops below [`tiles`], with a beat of lanes.
fn nest(hw: &Hardware, inner: Vec<LoopVar>, lanes: (&str, i64), bits: i64, axes: [Vec<(&str, i64)>; 2]) -> Layout {
    let axes = axes.map(|terms| {
        // Of the axis along the lanes, what overhangs the tile is beyond the tensor as well.
        let tile = if terms.iter().any(|(name, _)| *name == lanes.0) { lanes.1 } else { 1 };
        axis(&terms, tile)
    });
    plain([tiles(hw), inner].concat(), vec![lane(lanes.0, lanes.1)], bits, axes.to_vec())
}

fn carry(
    name: &'static str,
    dtype: DType,
    shape: [DimSpec; 2],
    range: (i64, i64),
    doc: &'static str,
    layout: Layout,
) -> Carry {
    let (shape, stream) = (shape.to_vec(), Some((layout, false)));
    Carry { name, dir: Dir::In, dtype, shape, range, default: None, doc, stream }
}

fn weights(hw: &Hardware) -> Carry {
    let (rows, cols) = (hw.array.rows, hw.array.cols);
    let inner = vec![looped("k_tile", "K", rows), counted("row", rows)];
    let axes = [vec![("m_tile", cols), ("col", 1)], vec![("k_tile", rows), ("row", 1)]];
    let layout = nest(hw, inner, ("col", cols), WEIGHT_BITS, axes);
    let doc = "Weight codes u, one row of a tile a beat; the whole matrix once a block of activation rows.";
    carry("w", DType::U8, [named("M"), named("K")], (0, MAX_WEIGHT), doc, layout)
}

fn activations(hw: &Hardware) -> Carry {
    let (rows, bits) = (hw.array.rows, hw.array.act_bits);
    let inner = vec![looped("k_tile", "K", rows), within("t", "T", hw.t_block, "block")];
    let axes = [vec![("block", hw.t_block), ("t", 1)], vec![("k_tile", rows), ("k", 1)]];
    let layout = nest(hw, inner, ("k", rows), bits, axes);
    let top = 1i64 << (bits - 1);
    let dtype = if bits <= 8 { DType::I8 } else { DType::I16 };
    let doc = "Activations, one tile of one row a beat; a block of rows passes one weight tile after the other.";
    carry("x", dtype, [named("T"), named("K")], (-top, top - 1), doc, layout)
}

/// One beat a group of each tile along M.
fn of_groups(hw: &Hardware, name: &'static str, dtype: DType, bits: i64, largest: i64, doc: &'static str) -> Carry {
    let (cols, groups) = (hw.array.cols, DimSpec::CeilDiv { dim: "K".into(), by: hw.group as u64 });
    let axes = [vec![("m_tile", cols), ("col", 1)], vec![("group", 1)]];
    let layout = nest(hw, vec![looped("group", "K", hw.group)], ("col", cols), bits, axes);
    carry(name, dtype, [named("M"), groups], (0, largest), doc, layout)
}

fn zeros(hw: &Hardware) -> Carry {
    let doc = "Zero points, one group of one tile a beat; a weight is (u - z) * s.";
    of_groups(hw, "z", DType::U8, ZERO_LANE, MAX_ZERO, doc)
}

fn scales(hw: &Hardware) -> Carry {
    of_groups(hw, "s", DType::U16, SCALE_BITS, MAX_SCALE, "Scales, one group of one tile a beat.")
}

fn outputs(hw: &Hardware) -> Carry {
    let cols = hw.array.cols;
    let (dtype, bits) = hw.requant.map_or((DType::I64, hw.exact_lane_bits()), |r| (r.dtype(), r.bits));
    let axes = [vec![("block", hw.t_block), ("t", 1)], vec![("m_tile", cols), ("col", 1)]];
    let layout = nest(hw, vec![within("t", "T", hw.t_block, "block")], ("col", cols), bits, axes);
    let range = (-1i64 << (bits - 1), (1i64 << (bits - 2)) - 1 + (1i64 << (bits - 2)));
    let doc = "Outputs, one tile of one row a beat.";
    let carry = carry("y", dtype, [named("T"), named("M")], range, doc, layout);
    let stream = carry.stream.map(|(layout, _)| (layout, true));
    Carry { dir: Dir::Out, stream, ..carry }
}

/// The register map.
pub fn registers(hw: &Hardware) -> Vec<Register> {
    let rows = count("t_rows", T_MAX as i64, "T", 1, "Rows of activations of a job.");
    let k = count("k_tiles", hw.k_tiles_max, "K", hw.array.rows, "Weight tiles along K.");
    let m = count("m_tiles", hw.m_tiles_max, "M", hw.array.cols, "Weight tiles along M.");
    let mut out = common_registers(&[]);
    out.push(register("t_rows", 0x08, vec![rows], "Number of activation rows."));
    out.push(register("k_tiles", 0x0c, vec![k], "Length of a dot product."));
    out.push(register("m_tiles", 0x10, vec![m], "Number of outputs of a row."));
    if let Some(r) = hw.requant {
        out.extend(r.registers(0x14, 1));
    }
    out
}
