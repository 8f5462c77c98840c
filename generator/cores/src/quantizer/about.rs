//! What the datasheet says of a configured core, in words and numbers.

use super::config::{Derived, MethodName};
use super::rtl::{Hardware, Method};
use crate::parts::requantize::Shift;
use crate::{About, Block, ProvenRange};

struct Words {
    title: &'static str,
    source: &'static str,
    definition: Vec<String>,
}

/// Title, text, definition and block diagram.
pub fn about(d: &Derived) -> About {
    let hw = &d.hardware;
    let words = words(d);
    let mut paragraphs = vec![
        format!("{} elements of {} bits a cycle, one beat a cycle.", hw.lanes, hw.in_bits),
        words.source.to_owned(),
    ];
    if let Some(latency) = hw.row_latency() {
        paragraphs.push(format!(
            "Rows follow each other without a pause when they have {latency} beats or more: the reciprocal of a row takes that long, \
             and two rows are under way."
        ));
    }
    if matches!(hw.method, Method::Hadamard { .. }) {
        paragraphs.push(
            "Results leave while later beats come in: within a job the last results of a block wait for beats of the next one."
                .into(),
        );
    }
    About { title: words.title.into(), paragraphs, definition: words.definition, blocks: blocks(hw) }
}

fn words(d: &Derived) -> Words {
    let (m, o) = (&d.config.method, &d.config.output);
    let shift = match d.hardware.scaled().map(|s| s.shift) {
        Some(Shift::Constant(s)) => s.to_string(),
        _ => "shift".to_owned(),
    };
    let round = m.rounding.name();
    let top = (1u32 << (o.bits - 1)) - 1;
    let low = if o.narrow { format!("-{top}") } else { format!("-{}", top + 1) };
    let w = d.config.input.bits;
    let lines = |l: &[String]| l.to_vec();
    match m.name {
        MethodName::Requant => Words {
            title: "Requantizer",
            source: "Dyadic arithmetic of I-ViT (Li and Gu, ICCV 2023) and HAWQ-V3 (Yao et al., ICML 2021); rounding names and widths are ours.",
            definition: lines(&[
                format!("v = {round}(x[r,c] * mult[c] / 2^{shift}) + zp[c]"),
                format!("y[r,c] = v bounded to {low}..{top}"),
            ]),
        },
        MethodName::Pot => Words {
            title: "Power-of-two quantizer",
            source: "The scale of FastMamba (Wang et al., 2025) and LightMamba (Wei et al., DATE 2025); rounding names are ours.",
            definition: lines(&[format!("y[r,c] = {round}(x[r,c] / 2^{shift}) bounded to {low}..{top}")]),
        },
        MethodName::Stochastic => Words {
            title: "Stochastic rounding unit",
            source: "RLSRU of LowGradQ (DATE 2025): a reused LFSR against four fraction bits. The lane map is ours.",
            definition: lines(&[
                format!("t = floor(x * 2^4 / 2^{shift})"),
                "r = state of the lane's 4-bit LFSR, rotated right by one bit, 1..15".into(),
                format!("y[r,c] = floor((t + r) / 2^4) bounded to {low}..{top}"),
            ]),
        },
        MethodName::DualScale | MethodName::Iqr => Words {
            title: if m.name == MethodName::Iqr { "Two-region quantizer with its own threshold" } else { "Two-region quantizer" },
            source: if m.name == MethodName::Iqr {
                "Fence at the quartiles of the magnitude: GradQ-ViT (Choi and Kim, AAAI 2025); histogram and code are ours."
            } else {
                "Two regions: LowGradQ (DAGQ, DATE 2025); the code is ours, the paper gives none."
            },
            definition: lines(&[
                if m.name == MethodName::Iqr {
                    format!("T = (Q3 + floor(3 * (Q3 - Q1) / 2)) * 2^{}, Q1 and Q3 the quartiles of |x| / 2^{}", w - 8, w - 8)
                } else {
                    "T = thr".into()
                },
                "outside = |x| > T".into(),
                format!("q = {round}(x * mult[outside, c] / 2^{shift}) bounded to +-{}", top / 2),
                format!("y[r,c] = {{outside, q}} in {} bits", o.bits),
            ]),
        },
        MethodName::Absmax => Words {
            title: "Row quantizer",
            source: "Activation quantizer of BitNet b1.58 (Ma et al., 2024); the integer reciprocal is ours.",
            definition: lines(&[
                format!("A = max |x[r,*]|, n = leading zeros of A in {w} bits"),
                format!("R = floor({top} * 2^{} / (A * 2^n))", w + 8),
                format!("y[r,c] = half-even(x[r,c] * 2^n * R / 2^{}), amax[r] = A", w + 8),
            ]),
        },
        MethodName::Mx => Words {
            title: "Microscaling quantizer",
            source: "OCP Microscaling Formats v1.0 (2023; Rouhani et al., arXiv 2310.10537); integer input is ours.",
            definition: lines(&[
                format!("L = floor(log2(max |x|)) over {} elements", m.block),
                format!("e = L - {} - emax + 127 (0 for a block of zeros)", d.config.input.frac),
                format!("y = {} code of half-even(x / 2^(L - emax)), saturating", m.element.name()),
            ]),
        },
        MethodName::Ovp => Words {
            title: "Outlier-victim pairs",
            source: "OliVe (Guo et al., ISCA 2023); sign and magnitude, ties and the odd column are ours.",
            definition: lines(&[
                format!("v = half-even(x[r,c] * mult[c] / 2^{shift})"),
                "|v| <= 9: y = {sign, min(|v|, 7)}".into(),
                "else: y = {sign, code of the nearest of 12, 16, 24, 32, 48, 64, 96}, its partner 1000; the left of two survives".into(),
            ]),
        },
        MethodName::Hadamard => Words {
            title: "Walsh-Hadamard transform",
            source: "Online rotations: QuaRot (Ashkboos et al., NeurIPS 2024), FastMamba, LightMamba. The factor 1/sqrt(size) belongs into the next scale.",
            definition: lines(&[format!("y[i] = sum over j < {} of (-1)^popcount(i & j) * x[j], exact", m.size)]),
        },
    }
}

fn blocks(hw: &Hardware) -> Vec<Block> {
    let block = |name: &str, detail: String, from: &[&str]| Block {
        name: name.into(),
        detail,
        from: from.iter().map(|s| (*s).to_owned()).collect(),
    };
    let lanes = format!("{} lanes", hw.lanes);
    match &hw.method {
        Method::Absmax { .. } => vec![
            block("Maximum", format!("tree of {lanes}"), &["x"]),
            block("Buffer", "two rows".into(), &["x"]),
            block("Reciprocal", "16 bits, serial".into(), &["Maximum"]),
            block("Scale", lanes, &["Buffer", "Reciprocal"]),
        ],
        Method::Mx { block: size, element, .. } => vec![
            block("Maximum", format!("of {size} elements"), &["x"]),
            block("Buffer", "two blocks".into(), &["x"]),
            block("Exponent", "E8M0".into(), &["Maximum"]),
            block("Elements", format!("{lanes}, {}", element.name()), &["Buffer", "Exponent"]),
        ],
        Method::Hadamard { size } => {
            let stages = hw.stages(*size);
            let mut out = vec![];
            let mut from = "x";
            if !stages.lanes.is_empty() {
                out.push(block("Lane stages", format!("{} of butterflies", stages.lanes.len()), &[from]));
                from = "Lane stages";
            }
            if !stages.beats.is_empty() {
                out.push(block("Beat stages", format!("{} with memories", stages.beats.len()), &[from]));
            }
            out
        }
        Method::Iqr(_) => vec![
            block("Histogram", format!("{lanes}, 129 bins"), &["x"]),
            block("Quartiles", "scan of the bins".into(), &["Histogram"]),
            block("Regions", lanes.clone(), &["x", "Quartiles"]),
            block("Scale", lanes, &["Regions"]),
        ],
        _ => vec![block("Lanes", lanes, &["x"])],
    }
}

/// Ranges proven when the core was made.
pub fn ranges(d: &Derived) -> Vec<ProvenRange> {
    let hw = &d.hardware;
    let top = 1i64 << (hw.in_bits - 1);
    let mut out = vec![ProvenRange {
        signal: "element".into(),
        bits: hw.in_bits as u32,
        min: -top,
        max: top - 1,
        proof: format!("int{}", hw.in_bits),
    }];
    let mut add = |signal: &str, bits: i64, reach: i64, proof: String| {
        out.push(ProvenRange { signal: signal.into(), bits: bits as u32, min: -reach, max: reach, proof });
    };
    match &hw.method {
        Method::Requant(_) | Method::Ovp(_) | Method::DualScale(_) | Method::Iqr(_) => {
            add("product", hw.in_bits + 17, top * 65_535, format!("{top} * 65535"));
        }
        Method::Absmax { .. } => {
            add(
                "normalised element",
                hw.in_bits + 1,
                (1 << hw.in_bits) - 1,
                format!("|x| <= A, A * 2^n < 2^{}", hw.in_bits),
            );
        }
        Method::Hadamard { size } => {
            add("sum", 32, top * size, format!("{size} elements of magnitude {top} at most"));
        }
        _ => {}
    }
    if let Some(span) = hw.span() {
        let depth = hw.front(span).depth();
        out.push(ProvenRange {
            signal: "beats in the buffer".into(),
            bits: (64 - depth.leading_zeros()),
            min: 0,
            max: depth,
            proof: format!("groups of at most {} beats", span.beats(hw.beats_max())),
        });
    }
    out
}
