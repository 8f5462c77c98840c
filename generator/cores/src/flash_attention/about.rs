//! What the datasheet says of a configured core, in words and numbers.

use super::config::{CellName, Derived};
use super::hardware::{Hardware, PARTS};
use crate::{About, Block, ProvenRange};

/// Title, text, definition and block diagram.
pub fn about(d: &Derived) -> About {
    let hw = &d.hardware;
    let n = hw.n;
    let cells = if d.config.array.cell == CellName::Dsp { "DSP blocks" } else { "look-up tables" };
    let paragraphs = vec![
        format!(
            "{n} x {n} cells of {cells}; heads of up to {} columns, {} queries or keys, {} query heads. Query heads that share a \
             key/value head fill the array's rows together, so that one query a head takes {n} heads at once.",
            hw.d_max, hw.l_max, hw.heads_max
        ),
        format!(
            "A cell has one multiplier and two roles: q times k summed in place, then p times v added to what passes along the row. \
             Products of tile x + 1 and of tile x - 1 take turns, d cycles each, while the logits of tile x become probabilities: \
             {} cycles from the last q and k, hidden where 2d is not less.",
            hw.probability_latency()
        ),
        "The maximum of a row is kept in whole octaves, so that what it corrects is shifted. Online softmax is that of Milakov and \
         Gimelshein (2018) and FlashAttention (Dao et al., 2022)."
            .into(),
        format!(
            "q is read once, {n} elements a beat; k and v once for every {} queries. o leaves {} elements a beat, a quarter of a \
             block after the other.",
            n * hw.resident,
            hw.output_lanes()
        ),
    ];
    About { title: "Attention on one array".into(), paragraphs, definition: definition(d), blocks: blocks(hw) }
}

fn definition(d: &Derived) -> Vec<String> {
    let (hw, m) = (&d.hardware, &d.model);
    let guard = 1 << super::hardware::GUARD_BITS;
    [
        "S[j] = sum over c of q[c] * k[j,c]".to_owned(),
        format!("t[j] = half-up(S[j] * C / 2^r), C / 2^r = 2^12 * log2(e) / (sqrt(d) * 2^{})", 2 * m.frac),
        format!("over tiles of {} keys: M' = max(M, ceil(max t / 2^12)), D = M' - M, u[j] = M' * 2^12 - t[j]", hw.n),
        format!("p[j] = min({}, half-up(line through 2^(-i / 16) at u[j]))", (1i64 << hw.p_bits) - 1),
        format!(
            "l = half-up(l / 2^D) + {guard} * sum of p[j], O[c] = half-up(O[c] / 2^D) + {guard} * sum of p[j] * v[j,c]"
        ),
        "R = floor(2^(L + 17) / l), L the bits of l".into(),
        format!("o[c] = saturate(half-even(O[c] * R / 2^(L + {})))", 17 - hw.gain),
    ]
    .into()
}

fn blocks(hw: &Hardware) -> Vec<Block> {
    let block = |name: &str, detail: String, from: &[&str]| Block {
        name: name.into(),
        detail,
        from: from.iter().map(|s| (*s).to_owned()).collect(),
    };
    let n = hw.n;
    let rows = |what: &str| format!("{n} rows, {what}");
    vec![
        block("Queries", format!("{} blocks of {n}", 2 * hw.resident), &["q"]),
        block("Array", format!("{n} x {n} cells"), &["Queries", "k", "v", "Probabilities"]),
        block("Logits", rows(&format!("{} bits", hw.logit_bits())), &["Array"]),
        block("Maximum", rows("in octaves"), &["Logits"]),
        block("Probabilities", rows(&format!("{} bits", hw.p_bits)), &["Logits", "Maximum"]),
        block("l", rows(&format!("{} bits", hw.sum_bits)), &["Probabilities"]),
        block("O", rows(&format!("{} bits", hw.weighted_bits)), &["Array", "Maximum"]),
        block("Output", format!("{} lanes, {PARTS} quarters", hw.output_lanes()), &["l", "O"]),
    ]
}

/// Ranges proven when the core was made.
pub fn ranges(d: &Derived) -> Vec<ProvenRange> {
    let (hw, m) = (&d.hardware, &d.model);
    let (columns, keys) = (hw.d_max as usize, hw.l_max as usize);
    let range = |signal: &str, bits: i64, (min, max): (i64, i64), proof: String| ProvenRange {
        signal: signal.into(),
        bits: bits as u32,
        min,
        max,
        proof,
    };
    let half = 1i64 << (hw.bits - 1);
    let mut out =
        vec![range("S", hw.score_bits, m.score_range(columns), format!("{columns} products of int{}", hw.bits))];
    let scaled = "S * C / 2^r of the most columns, rounded";
    out.extend(m.logit_range(columns).map(|r| range("t", hw.logit_bits(), r, scaled.into())));
    out.extend(m.octave_range(columns).map(|r| range("M", hw.octave_bits, r, "ceil(t / 2^12)".into())));
    let p = (1i64 << hw.p_bits) - 1;
    out.push(range("p", hw.p_bits, (0, p), "saturated".into()));
    out.extend(m.sum_range(keys).map(|(_, most)| range("l", hw.sum_bits, (0, most), format!("{keys} * {p} * 2^8"))));
    let weighted = format!("{keys} * {p} * 2^8 * {half}");
    out.extend(m.weighted_range(keys).map(|r| range("O", hw.weighted_bits, r, weighted)));
    let tile = hw.n * p * half;
    out.push(range(
        "sum of a tile's p * v",
        hw.product_bits(),
        (-tile, tile - hw.n * p),
        format!("{} * {p} * {half}", hw.n),
    ));
    out
}
