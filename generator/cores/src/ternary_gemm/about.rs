//! What the datasheet says of a configured core, in words and numbers.

use super::config::Derived;
use super::rtl::{Hardware, Style, Tree};
use crate::{About, Block, ProvenRange};

/// Title, text, definition and block diagram.
pub fn about(d: &Derived) -> About {
    let hw = &d.hardware;
    let by = match hw.style {
        Style::Lutram | Style::Mux => "table lookup",
        Style::AddSub => "adding and subtracting",
        Style::Multiply => "multipliers",
    };
    About {
        title: format!("Ternary matrix product by {by}"),
        paragraphs: paragraphs(d),
        definition: definition(hw),
        blocks: blocks(hw),
    }
}

fn paragraphs(d: &Derived) -> Vec<String> {
    let hw = &d.hardware;
    let macs = hw.k_lanes * hw.m_lanes * hw.batch;
    let how = match hw.table() {
        Some(t) => format!(
            "{} tables of {} entries hold the signed sums of {} activations each; one code of the weight stream reads one entry.",
            hw.terms() * hw.batch,
            1 << t.index_bits(),
            t.group()
        ),
        None if hw.style == Style::AddSub => "Each activation is added, subtracted or skipped.".into(),
        None => "Each activation is multiplied with its two-bit weight.".into(),
    };
    let next = if hw.table().is_some() { "the tables of the next are filled" } else { "the next is loaded" };
    let weights = match hw.resident {
        Some(_) => "Weights are loaded at the start of a job and repeated from on-chip memory.",
        None if d.warnings.iter().any(|w| w.code == "C020") => "Weights are streamed once a pass.",
        None => "Weights are streamed once a pass; a long stream of them never waits.",
    };
    vec![
        format!("Multiplies int{} activations with ternary weights, {macs} multiply-adds a cycle. {how}", hw.act_bits),
        format!(
            "Activations are taken slab by slab; while all rows of weights pass one slab, {next}. Partial sums stay in \
             RAM between slabs. {weights}"
        ),
    ]
}

fn definition(hw: &Hardware) -> Vec<String> {
    let sum = match hw.planes {
        2 => "acc[p,t,m] = sum over k of W[p,m,k] * X[t,k], W in {-1, 0, +1}",
        _ => "acc[t,m] = sum over k of W[m,k] * X[t,k], W in {-1, 0, +1}",
    };
    let Some(r) = hw.requant else { return vec![sum.into(), "Y = acc, exact".into()] };
    let sums: &[&str] = if hw.planes == 2 { &["acc[0,t,m]", "acc[1,t,m]"] } else { &["acc[t,m]"] };
    [vec![sum.into()], r.definition(sums)].concat()
}

fn blocks(hw: &Hardware) -> Vec<Block> {
    let block = |name: &str, detail: String, from: &[&str]| Block {
        name: name.into(),
        detail,
        from: from.iter().map(|s| (*s).to_owned()).collect(),
    };
    let mut blocks = vec![block("Fill", format!("{} activations a slab", hw.k_lanes), &["x"])];
    if let Some((beats, ultra)) = hw.resident {
        let memory = if ultra { "UltraRAM" } else { "block RAM" };
        blocks.push(block("Weight memory", format!("{beats} beats, {memory}"), &["w"]));
    }
    let codes = if hw.resident.is_some() { "Weight memory" } else { "w" };
    let meeting = if hw.table().is_some() { "Tables" } else { "Terms" };
    let mut sums = vec!["Partial sums"];
    let output = match &hw.requant {
        None => "int32".to_owned(),
        Some(r) => {
            sums.extend(r.streams());
            format!("int{}, {}", r.bits, r.rounding.name())
        }
    };
    let place = if hw.tree == Tree::Dsp { " on DSP blocks" } else { "" };
    blocks.extend([
        block("Decode", format!("{} codes a beat, {}", hw.codes() * hw.m_lanes, hw.encoding), &[codes]),
        block(meeting, format!("{} x {} rows", hw.terms() * hw.batch, hw.m_lanes), &["Fill", "Decode"]),
        block("Rows", format!("{} adder trees{place}", hw.m_lanes * hw.batch), &[meeting]),
        block("Partial sums", format!("{} words", hw.tiles_max * hw.planes), &["Rows"]),
        block("Output", output, &sums),
    ]);
    blocks
}

/// Ranges proven when the core was made.
pub fn ranges(d: &Derived) -> Vec<ProvenRange> {
    let hw = &d.hardware;
    let x = 1i64 << (hw.act_bits - 1);
    let group = hw.term_group();
    let (lo, hi) = d.acc_range;
    let range = |signal: &str, bits: i64, min, max, proof| ProvenRange {
        signal: signal.into(),
        bits: bits as u32,
        min,
        max,
        proof,
    };
    let mut ranges = vec![
        range("activation", hw.act_bits, -x, x - 1, format!("int{}", hw.act_bits)),
        range(
            "term",
            hw.term_bits(),
            -group * x,
            group * x - 1,
            format!("{group} activations of at least {}, the first of them added", -x),
        ),
        range(
            "partial sum",
            hw.sum_bits(),
            lo,
            hi,
            format!("k_max = {} products of magnitude {x} at most", d.config.shape.k_max),
        ),
    ];
    match &hw.requant {
        None => ranges.push(range("output", 32, lo, hi, "the partial sum, sign extended".into())),
        Some(r) => {
            let (low, high) = r.range();
            ranges.push(range("output", r.bits, low, high, "saturated".into()));
        }
    }
    ranges
}
