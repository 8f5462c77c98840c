//! Ports, registers, tensors and stream layouts of `flash-attention`.

use bitlathe_spec::{
    Access, Carrier, DType, Dims, Dir, Extent, FieldValue, Interface, Layout, LoopVar, Register, Role, Scalar,
    TensorSpec,
};

use super::hardware::{Hardware, PARTS};
use crate::boundary::{
    Carry, axis, common_registers, count, counted, field, fixed, lane, looped, named, plain, register, size,
};
use crate::common::dim;

/// The boundary of a configured core.
pub fn interface(hw: &Hardware) -> Interface {
    let carries = carries(hw);
    let [d, l, heads] = [hw.d_max, hw.l_max, hw.heads_max].map(|n| n as u64);
    let sizes = vec![
        size("H", heads, "query heads, a multiple of Hkv"),
        size("Hkv", heads, "key/value heads"),
        size("Lq", l, "queries of a head"),
        size("Lk", l, "keys of a head"),
        size("d", d, "columns of a head"),
        Scalar { min: 0, ..size(CAUSAL, u64::from(hw.causal), "1: causal mask") },
    ];
    let tensors = carries.iter().map(Carry::tensor).chain([mask(hw)]);
    Interface {
        top: hw.top.clone(),
        sizes,
        tensors: tensors.collect(),
        streams: carries.iter().filter_map(Carry::stream).collect(),
        registers: registers(hw),
    }
}

/// Whether a job is masked: name of tensor, size and field.
pub const CAUSAL: &str = "causal";

/// Whether a job of these sizes is masked.
pub fn is_causal(dims: &Dims) -> bool {
    dim(dims, CAUSAL) > 0
}

/// The job's choice of the mask, which a core without its hardware leaves none.
fn mask(hw: &Hardware) -> TensorSpec {
    let doc = if hw.causal {
        "1: query i sees key j iff j <= i + Lk - Lq, and Lq is at most Lk; 0: every key."
    } else {
        "0: every query sees every key; a core with `causal = true` in its table `mask` takes 1 too."
    };
    TensorSpec {
        name: CAUSAL.into(),
        role: Role::In,
        dtype: DType::U8,
        shape: vec![fixed(1)],
        range: (0, hw.causal.into()),
        default: Some(hw.causal.into()),
        carrier: Carrier::Size(CAUSAL.into()),
        doc: doc.into(),
    }
}

/// Element type of integers of some bits in files.
pub fn dtype(bits: i64) -> DType {
    match bits {
        8 => DType::I8,
        16 => DType::I16,
        _ => DType::I32,
    }
}

fn carries(hw: &Hardware) -> Vec<Carry> {
    let carry = |name, dir, heads, length, bits: i64, doc, layout, last| {
        let top = 1i64 << (bits - 1);
        Carry {
            name,
            dir,
            dtype: dtype(bits),
            shape: vec![named(heads), named(length), named("d")],
            range: (-top, top - 1),
            default: None,
            doc,
            stream: Some((layout, last)),
        }
    };
    vec![
        carry("q", Dir::In, "H", "Lq", hw.bits, "Queries, a column of a block a beat.", queries(hw), false),
        carry("k", Dir::In, "Hkv", "Lk", hw.bits, "Keys, a column of a tile a beat.", keys(hw), false),
        carry("v", Dir::In, "Hkv", "Lk", hw.bits, "Values, as the keys.", keys(hw), false),
        carry(
            "o",
            Dir::Out,
            "H",
            "Lq",
            hw.out_bits,
            "Outputs, a column of a quarter block a beat; last ends the job.",
            outputs(hw),
            true,
        ),
    ]
}

/// Queries of all heads that share a key/value head, divided by `by`.
fn rows(by: i64) -> Extent {
    Extent::Share { of: vec!["H".into(), "Lq".into()], among: "Hkv".into(), by: by as u64 }
}

/// Loops over heads of keys, and over blocks of the queries that use one.
fn blocks(name: &str, queries: i64) -> Vec<LoopVar> {
    vec![looped("head", "Hkv", 1), LoopVar { name: name.into(), extent: rows(queries) }]
}

/// q and o as [Hkv, queries that share the head, d].
fn by_kv_head(layout: Layout) -> Layout {
    let size = |dim: &str| Extent::CeilDiv { dim: dim.into(), by: 1 };
    Layout { shape: vec![size("Hkv"), rows(1), size("d")], ..layout }
}

fn queries(hw: &Hardware) -> Layout {
    let n = hw.n;
    let loops = [blocks("block", n), vec![looped("column", "d", 1)]].concat();
    let axes = vec![axis(&[("head", 1)], 1), axis(&[("block", n), ("row", 1)], n), axis(&[("column", 1)], 1)];
    by_kv_head(plain(loops, vec![lane("row", n)], hw.bits, axes))
}

/// Each tile once for each block of queries, or once for all that are resident.
fn keys(hw: &Hardware) -> Layout {
    let n = hw.n;
    let walks = blocks("walk", n * hw.resident);
    let tile = if hw.causal { LoopVar { name: "tile".into(), extent: seen(hw) } } else { looped("tile", "Lk", n) };
    let loops = [walks, vec![tile, looped("column", "d", 1)]].concat();
    let axes = vec![axis(&[("head", 1)], 1), axis(&[("tile", n), ("key", 1)], n), axis(&[("column", 1)], 1)];
    plain(loops, vec![lane("key", n)], hw.bits, axes)
}

/// Tiles that a walk needs under the causal mask.
fn seen(hw: &Hardware) -> Extent {
    let [when, block, queries, keys] = [CAUSAL, "walk", "Lq", "Lk"].map(String::from);
    Extent::Causal { when, block, rows: (hw.n * hw.resident) as u64, queries, keys, by: hw.n as u64 }
}

fn outputs(hw: &Hardware) -> Layout {
    let (n, lanes) = (hw.n, hw.output_lanes());
    let loops = [blocks("block", n), vec![counted("quarter", PARTS), looped("column", "d", 1)]].concat();
    let place = [("block", n), ("quarter", lanes), ("row", 1)];
    let axes = vec![axis(&[("head", 1)], 1), axis(&place, n), axis(&[("column", 1)], 1)];
    by_kv_head(plain(loops, vec![lane("row", lanes)], hw.out_bits, axes))
}

/// Name of the sticky bit of a job that the mask does not allow.
pub const MASK_ERROR: &str = "mask_error";

fn registers(hw: &Hardware) -> Vec<Register> {
    let unseen: &[(&str, &str)] =
        if hw.causal { &[(MASK_ERROR, "A causal job had more queries than keys.")] } else { &[] };
    let mut out = common_registers(unseen);
    let most = (hw.l_max * hw.heads_max) as u64;
    let shared = "Queries of all heads that share a key/value head.";
    let rows = field("rows", Access::ReadWrite, (1, most), 1, FieldValue::Extent(rows(1)), shared);
    let queries = hw.causal.then(|| (count("queries", hw.l_max, "Lq", 1, "Queries of a head."), "Queries of a head."));
    let causal = Extent::CeilDiv { dim: CAUSAL.into(), by: 1 };
    let causal =
        field(CAUSAL, Access::ReadWrite, (0, hw.causal.into()), 0, FieldValue::Extent(causal), "1: causal mask.");
    let fields = [
        (count("columns", hw.d_max, "d", 1, "Columns of a head."), "Columns of a head."),
        (count("keys", hw.l_max, "Lk", 1, "Keys of a head."), "Keys of a head."),
        (rows, "Queries."),
        (count("kv_heads", hw.heads_max, "Hkv", 1, "Key/value heads."), "Key/value heads."),
        (causal, "Mask."),
    ];
    for ((field, doc), offset) in fields.into_iter().chain(queries).zip((0x08..).step_by(4)) {
        out.push(register(&field.name.clone(), offset, vec![field], doc));
    }
    out
}
