//! What the datasheet says of a configured core, in words and numbers.

use super::config::Derived;
use super::rtl::{Style, Tree};
use crate::{About, Block, ProvenRange};

/// Title, text, definition and block diagram.
pub fn about(d: &Derived) -> About {
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
    let block = |name: &str, detail: String, from: &[&str]| Block {
        name: name.into(),
        detail,
        from: from.iter().map(|s| (*s).to_owned()).collect(),
    };
    let output = match &hw.requant {
        None => "int32".to_owned(),
        Some(r) => format!("int{}, {}", r.bits, r.rounding.name()),
    };
    let meeting = if hw.table().is_some() { "Tables" } else { "Terms" };
    let mut definition = vec![match hw.planes {
        2 => "acc[p,t,m] = sum over k of W[p,m,k] * X[t,k], W in {-1, 0, +1}".to_owned(),
        _ => "acc[t,m] = sum over k of W[m,k] * X[t,k], W in {-1, 0, +1}".to_owned(),
    }];
    definition.push(match (&hw.requant, hw.planes) {
        (None, _) => "Y = acc, exact".into(),
        (Some(_), 2) => {
            "Y[t,m] = saturate(round((acc[0,t,m] * mult[0,m] + acc[1,t,m] * mult[1,m]) / 2^shift) + zp[m])".into()
        }
        (Some(_), _) => "Y[t,m] = saturate(round(acc[t,m] * mult[m] / 2^shift) + zp[m])".into(),
    });
    About {
        title: "Ternary matrix product by table lookup".into(),
        paragraphs: vec![
            format!("Multiplies int{} activations with ternary weights, {macs} multiply-adds a cycle. {how}", hw.act_bits),
            "Activations are taken slab by slab; while all rows of weights pass one slab, the tables of the next are filled. \
             Partial sums stay in RAM, so a long weight stream never waits."
                .into(),
        ],
        definition,
        blocks: vec![
            block("Fill", format!("{} activations a slab", hw.k_lanes), &["x"]),
            block("Decode", format!("{} codes a beat, {}", hw.codes() * hw.m_lanes, hw.encoding), &["w"]),
            block(meeting, format!("{} x {} rows", hw.terms() * hw.batch, hw.m_lanes), &["Fill", "Decode"]),
            block("Rows", format!("{} adder trees{}", hw.m_lanes * hw.batch, if hw.tree == Tree::Dsp { " on DSP blocks" } else { "" }), &[meeting]),
            block("Partial sums", format!("{} words", hw.tiles_max * hw.planes), &["Rows"]),
            block("Output", output, &["Partial sums"]),
        ],
    }
}

/// Ranges proven when the core was made.
pub fn ranges(d: &Derived) -> Vec<ProvenRange> {
    let hw = &d.hardware;
    let x = 1i64 << (hw.act_bits - 1);
    let group = hw.term_group();
    let (lo, hi) = d.acc_range;
    vec![
        ProvenRange {
            signal: "activation".into(),
            bits: hw.act_bits as u32,
            min: -x,
            max: x - 1,
            proof: format!("int{}", hw.act_bits),
        },
        ProvenRange {
            signal: "term".into(),
            bits: hw.term_bits() as u32,
            min: -group * x,
            max: group * x - 1,
            proof: format!("{group} activations of at least {}, the first of them added", -x),
        },
        ProvenRange {
            signal: "partial sum".into(),
            bits: hw.sum_bits() as u32,
            min: lo,
            max: hi,
            proof: format!("k_max = {} products of magnitude {x} at most", d.config.shape.k_max),
        },
    ]
}
