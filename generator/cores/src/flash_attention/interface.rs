//! Ports, registers, tensors and stream layouts of `flash-attention`.

use bitlathe_spec::{Access, DType, Dir, Extent, FieldValue, Interface, Layout, LoopVar, Register};

use super::hardware::{Hardware, PARTS};
use crate::boundary::{
    Carry, axis, common_registers, count, counted, field, lane, looped, named, plain, register, size,
};

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
    ];
    Interface {
        top: hw.top.clone(),
        sizes,
        tensors: carries.iter().map(Carry::tensor).collect(),
        streams: carries.iter().filter_map(Carry::stream).collect(),
        registers: registers(hw),
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
    let tile = if hw.causal { LoopVar { name: "tile".into(), extent: seen(n) } } else { looped("tile", "Lk", n) };
    let loops = [walks, vec![tile, looped("column", "d", 1)]].concat();
    let axes = vec![axis(&[("head", 1)], 1), axis(&[("tile", n), ("key", 1)], n), axis(&[("column", 1)], 1)];
    plain(loops, vec![lane("key", n)], hw.bits, axes)
}

/// Tiles that a walk needs under the causal mask.
fn seen(n: i64) -> Extent {
    let [block, queries, keys] = ["walk", "Lq", "Lk"].map(String::from);
    Extent::Causal { block, rows: n as u64, queries, keys, by: n as u64 }
}

fn outputs(hw: &Hardware) -> Layout {
    let (n, lanes) = (hw.n, hw.output_lanes());
    let loops = [blocks("block", n), vec![counted("quarter", PARTS), looped("column", "d", 1)]].concat();
    let place = [("block", n), ("quarter", lanes), ("row", 1)];
    let axes = vec![axis(&[("head", 1)], 1), axis(&place, n), axis(&[("column", 1)], 1)];
    by_kv_head(plain(loops, vec![lane("row", lanes)], hw.out_bits, axes))
}

fn registers(hw: &Hardware) -> Vec<Register> {
    let mut out = common_registers(&[]);
    let most = (hw.l_max * hw.heads_max) as u64;
    let shared = "Queries of all heads that share a key/value head.";
    let rows = field("rows", Access::ReadWrite, (1, most), 1, FieldValue::Extent(rows(1)), shared);
    let queries = hw.causal.then(|| (count("queries", hw.l_max, "Lq", 1, "Queries of a head."), "Queries of a head."));
    let fields = [
        (count("columns", hw.d_max, "d", 1, "Columns of a head."), "Columns of a head."),
        (count("keys", hw.l_max, "Lk", 1, "Keys of a head."), "Keys of a head."),
        (rows, "Queries."),
        (count("kv_heads", hw.heads_max, "Hkv", 1, "Key/value heads."), "Key/value heads."),
    ];
    for ((field, doc), offset) in fields.into_iter().chain(queries).zip((0x08..).step_by(4)) {
        out.push(register(&field.name.clone(), offset, vec![field], doc));
    }
    out
}
