//! What the datasheet says of a configured core, in words and numbers.

use bitlathe_golden::softmax::{Exponential, Output};

use super::config::Derived;
use super::hardware::{Hardware, Online, RowScale, Walk};
use super::{lanes, scale};
use crate::{About, Block, ProvenRange};

/// Title, text, definition and block diagram.
pub fn about(d: &Derived) -> About {
    let hw = &d.hardware;
    let title = format!("Softmax by {}", d.config.method.name.name());
    let mut paragraphs = vec![
        format!(
            "{} logits of {} bits a cycle in every walk; rows of 1 to {} elements.",
            hw.lanes, hw.in_bits, hw.n_max
        ),
        source(&d.exponential).to_owned(),
        walks(hw).to_owned(),
    ];
    if let Some(division) = scale::division(hw.row_scale()).filter(|_| hw.waits_for_sum()) {
        paragraphs.push(format!(
            "One serial division of {division} cycles a row: rows of {} beats or more follow each other without a pause; of \
             shorter ones one leaves every {} cycles.",
            hw.row_interval(),
            hw.row_interval()
        ));
    } else {
        paragraphs.push("Nothing is divided: rows of every length follow each other without a pause.".into());
    }
    if !hw.stage.parameters().is_empty() {
        let names: Vec<&str> = hw.stage.parameters().iter().map(|p| p.name).collect();
        paragraphs.push(format!(
            "The scale comes with the job: files give it as `scale`, registers hold what the method makes of it ({}).",
            names.join(", ")
        ));
    }
    About { title, paragraphs, definition: definition(d), blocks: blocks(hw) }
}

fn source(exponential: &Exponential) -> &'static str {
    match exponential {
        Exponential::LinMax(_) => {
            "LinMax of HyQ (Kim, Lee and Kim, IJCAI 2024), int_exp_first_8 of its code read on exact integers."
        }
        Exponential::LinMaxPlus(_) => "The line of HyQ's LinMax with the phase counted in 2^-16 octaves; ours.",
        Exponential::ExpTable(_) => "A table of 256 exponentials, zero beyond.",
        Exponential::Base2(_) => "Octaves of a power of two of steps, so that a shift and a short table do; ours.",
        Exponential::Pwl(_) => "Lines between exact points of the octave; ours.",
        Exponential::IBert(_) => "i-exp of I-BERT (Kim et al., ICML 2021), without its requantization of e.",
        Exponential::ShiftMax(_) => "shift_exp of I-ViT (Li and Gu, ICCV 2023), from its TVM code.",
        Exponential::ItaMax => {
            "The streaming softmax of pulp ITA (Islamoglu et al., ISLPED 2023), with its own sum and output."
        }
    }
}

fn walks(hw: &Hardware) -> &'static str {
    match hw.walk {
        Walk::Three if hw.waits_for_sum() => {
            "Three walks, each over another row at the same time: the maximum; exponentials and their sum; the output."
        }
        Walk::Three => "Two walks at the same time: the maximum of a row; exponentials and sum of the row before.",
        Walk::Two => {
            "Two walks at the same time: the sum of a row under its maximum so far, rescaled when that grows; the output of \
             the row before under its last maximum."
        }
        Walk::One => {
            "One walk: the exponentials of a beat count from the maximum of its row so far, which leaves with them. Whoever \
             takes them rescales."
        }
    }
}

/// e(d) with the constants of the core, then the output.
fn definition(d: &Derived) -> Vec<String> {
    let hw = &d.hardware;
    let mut out = vec![];
    out.push(match hw.online {
        None => "d = max x[r,*] - x[r,c]".into(),
        Some(Online::Octaves(f)) => {
            format!("M' = max(M, ceil(largest x of the beat / 2^{f})), d = M' * 2^{f} - x[r,c]")
        }
        Some(Online::Ita) => "M' = max(M, largest x of the beat), d = M' - x[r,c]".into(),
    });
    out.extend(exponential(d));
    out.push(match hw.online {
        None => "S = sum of e over the row".into(),
        Some(Online::Octaves(_)) => "S = half-up(S / 2^(M' - M)) + sum of e over the beat, beat by beat".into(),
        Some(Online::Ita) => "S = floor(S / 2^half-up((M' - M) / 32)) + sum of e over the beat, beat by beat".into(),
    });
    if hw.walk == Walk::Two {
        out.push("the output counts d from the last M".into());
    }
    out.extend(output(hw, d.output));
    out
}

fn exponential(d: &Derived) -> Vec<String> {
    let runtime = !d.hardware.stage.parameters().is_empty();
    let constant = |name: &str, value: u64| if runtime { name.to_owned() } else { value.to_string() };
    match &d.exponential {
        Exponential::LinMax(m) => {
            let (o, b, n) = (constant("octave", m.octave), constant("intercept", m.intercept), m.n);
            vec![
                format!("q, p = min(d, {n} * {o}) divided by {o}: quotient and rest"),
                format!("e = max(0, {b} - p) * 2^({n} - q)"),
            ]
        }
        Exponential::IBert(m) => {
            let [o, b, c] = [("octave", m.octave), ("linear", m.linear), ("constant", m.constant)]
                .map(|(name, value)| constant(name, value));
            vec![
                format!("q, p = min(d, {} * {o}) divided by {o}: quotient and rest", m.n),
                format!("e = ((p - {b}) * p + {c}) * 2^({} - q)", m.n),
            ]
        }
        Exponential::ShiftMax(m) => {
            let o = constant("octave", m.octave);
            vec![
                format!("q, p = min(d + ceil(d / 2) - ceil(d / 16), {} * {o}) divided by {o}: quotient and rest", m.n),
                format!("e = ({o} - ceil(p / 2)) * 2^({} - q)", m.n),
            ]
        }
        Exponential::LinMaxPlus(m) => vec![
            format!("t = d * {}, q = t >> 16, f = t mod 2^16", constant("step", m.step.into())),
            format!("e = half-up(({} * 2^16 - {} * f) / 2^(16 + q))", m.intercept, m.slope),
        ],
        Exponential::Pwl(m) => {
            let segments = m.points.len() - 1;
            vec![
                format!("t = d * {}, q = t >> 16, f = t mod 2^16", constant("step", m.step.into())),
                format!("e = half-up(line through 2^(-i / {segments}), {segments} segments, at f / 2^q)"),
            ]
        }
        Exponential::ExpTable(m) => {
            vec![format!("e = half-even(exp(-scale * d) * {}) for d < 256, else 0", m.values[0])]
        }
        Exponential::Base2(m) => {
            let f = m.octave_bits;
            vec![
                format!("q = d >> {f}, j = d mod 2^{f}"),
                format!("e = half-up(T[j] / 2^q), T = {}", numbers(&m.values)),
            ]
        }
        Exponential::ItaMax => vec!["e = 2^8 >> half-up(d / 32)".into()],
    }
}

fn numbers(values: &[u64]) -> String {
    let words: Vec<String> = values.iter().map(u64::to_string).collect();
    words.join(", ")
}

fn output(hw: &Hardware, output: Output) -> Vec<String> {
    match hw.row_scale() {
        RowScale::Inverse => return vec!["y[r,c] = floor(65280 / S) >> half-up(d / 32)".into()],
        RowScale::Reciprocal(bits) => {
            return vec![
                "R = floor(2^(L + 17) / S), L the bits of S".into(),
                format!("y[r,c] = min({}, half-up(e * R / 2^(L + {})))", (1 << bits) - 1, 17 - bits),
            ];
        }
        RowScale::Magnitude | RowScale::Sum => {}
    }
    match output {
        Output::Log2x4 => vec![
            "v = half-even(S / e), l = floor(log2(v))".into(),
            "y[r,c] = min(15, l + (v - 2^l >= 2^(l-1))), 15 where e = 0".into(),
        ],
        _ => vec!["y[r,c] = e, sum[r] = S".into()],
    }
}

fn blocks(hw: &Hardware) -> Vec<Block> {
    let block = |name: &str, detail: String, from: &[&str]| Block {
        name: name.into(),
        detail,
        from: from.iter().map(|s| (*s).to_owned()).collect(),
    };
    let lanes = || format!("{} lanes", hw.lanes);
    let mut out = vec![];
    if hw.walk == Walk::Three {
        out.push(block("Maximum", format!("tree of {}", lanes()), &["x"]));
        out.push(block("Rows", format!("{} beats", hw.depth()), &["x"]));
        out.push(block("Exponentials", lanes(), &["Maximum", "Rows"]));
    } else {
        out.push(block("Running maximum", format!("tree of {}", lanes()), &["x"]));
        out.push(block("Exponentials", lanes(), &["Running maximum"]));
    }
    out.push(block("Sum", format!("{} bits", hw.sum_bits()), &["Exponentials"]));
    if !hw.waits_for_sum() {
        return out;
    }
    let scale = match hw.row_scale() {
        RowScale::Reciprocal(_) => ("Reciprocal", format!("{} bits, serial", scale::RECIPROCAL_BITS)),
        RowScale::Magnitude => ("Leading zeros", format!("up to {}", hw.most_zeros())),
        RowScale::Inverse => ("Inverse", format!("{} bits, serial", scale::INVERSE_BITS)),
        RowScale::Sum => ("Row", "sum and maximum".to_owned()),
    };
    out.push(block(scale.0, scale.1, &["Sum"]));
    if hw.walk == Walk::Two {
        out.push(block("Rows", format!("{} beats", hw.depth()), &["x"]));
        out.push(block("Exponentials again", lanes(), &["Rows", scale.0]));
    } else {
        out.push(block("Waiting", format!("{} beats", hw.depth()), &["Exponentials"]));
    }
    if hw.row_scale() != RowScale::Sum {
        let from = if hw.walk == Walk::Two { "Exponentials again" } else { "Waiting" };
        let latency = lanes::latency(hw.row_scale());
        out.push(block("Output", format!("{}, {latency} cycles", lanes()), &[from, scale.0]));
    }
    out
}

/// Ranges proven when the core was made.
pub fn ranges(d: &Derived) -> Vec<ProvenRange> {
    let hw = &d.hardware;
    let top = 1i64 << (hw.in_bits - 1);
    let range = |signal: &str, bits: i64, min: i64, max: i64, proof: String| ProvenRange {
        signal: signal.into(),
        bits: bits as u32,
        min,
        max,
        proof,
    };
    let (e, n) = (d.widths.exponential as i64, hw.n_max);
    let mut out = vec![
        range("logit", hw.in_bits, -top, top - 1, format!("int{}", hw.in_bits)),
        range("exponential", hw.stage.e_bits(), 0, e, "e(0), the largest of all".into()),
        range("sum", hw.sum_bits(), 0, d.widths.sum as i64, format!("{n} * {e}")),
    ];
    if let (RowScale::Reciprocal(_), true) = (hw.row_scale(), hw.waits_for_sum()) {
        let proof = "2^(L + 17) / S for 2^(L - 1) <= S < 2^L";
        out.push(range("reciprocal", scale::RECIPROCAL_BITS, 1 << 17, 1 << 18, proof.into()));
        let zeros = format!("{} bits of the least sum in {}", hw.least_sum_bits, hw.sum_bits());
        out.push(range("leading zeros of a sum", hw.scaler().zeros_bits(), 0, hw.most_zeros(), zeros));
    }
    out
}
