//! What the datasheet says of a configured core, in words and numbers.

use bitlathe_golden::mixpe::Mixpe;

use super::config::Derived;
use super::hardware::Hardware;
use crate::{About, Block, ProvenRange};

/// Title, text, definition and block diagram.
pub fn about(d: &Derived) -> About {
    let hw = &d.hardware;
    About {
        title: format!("Matrix product with four-bit weights, cells of kind {}", hw.array.kernel.name()),
        paragraphs: paragraphs(d),
        definition: definition(hw),
        blocks: blocks(hw),
    }
}

fn paragraphs(d: &Derived) -> Vec<String> {
    let (hw, array) = (&d.hardware, &d.hardware.array);
    let cells = array.rows * array.cols;
    vec![
        format!(
            "Multiplies int{} activations with four-bit weights, {cells} multiply-adds a cycle. {}.",
            array.act_bits,
            array.kernel.about()
        ),
        format!(
            "Weights stand still in an array of {} x {} cells, two tiles of them: one in use, one that is loaded meanwhile. Blocks of \
             {} rows of activations pass one weight tile after the other, a row a cycle; they are sent again for every tile of outputs.",
            array.rows, array.cols, hw.t_block
        ),
        format!(
            "Products are summed over a group of {} columns as integers; then, once a group, each column takes off its zero point and \
             multiplies by its scale. Nothing is rounded{}.",
            hw.group,
            if hw.requant.is_some() { " before the output" } else { "" }
        ),
    ]
}

fn definition(hw: &Hardware) -> Vec<String> {
    let group = hw.group;
    let sums = vec![
        format!("c[t,m,g] = sum over k in {group}*g .. {group}*g + {} of X[t,k] * (W[m,k] - Z[m,g])", group - 1),
        "acc[t,m] = sum over g of c[t,m,g] * S[m,g]".into(),
    ];
    let output = hw.requant.map_or_else(|| vec!["Y = acc, exact".into()], |r| r.definition(&["acc[t,m]"]));
    [sums, output].concat()
}

fn blocks(hw: &Hardware) -> Vec<Block> {
    let block = |name: &str, detail: String, from: &[&str]| Block {
        name: name.into(),
        detail,
        from: from.iter().map(|s| (*s).to_owned()).collect(),
    };
    let array = &hw.array;
    let mut out = vec![
        block("Loader", format!("a tile of {} beats ahead", array.rows), &["w"]),
        block("Array", format!("{} x {} {}", array.rows, array.cols, array.kernel.name()), &["x", "Loader"]),
    ];
    let mut sums = "Array";
    if hw.adds_tiles() {
        out.push(block("Group sums", format!("{} tiles a group", hw.tiles_a_group()), &["Array"]));
        sums = "Group sums";
    }
    out.push(block("Column feet", "zero point, scale".into(), &[sums, "z", "s"]));
    let mut from = vec!["Column feet"];
    if hw.groups_max() > 1 {
        out.push(block("Accumulators", format!("{} rows", hw.t_block), &["Column feet"]));
        from = vec!["Accumulators"];
    }
    let detail = hw
        .requant
        .map_or_else(|| format!("exact, {} bits", hw.acc_bits()), |r| format!("int{}, {}", r.bits, r.rounding.name()));
    from.extend(hw.requant.iter().flat_map(|r| r.streams()));
    out.push(block("Output", detail, &from));
    out
}

/// Ranges proven when the core was made.
pub fn ranges(d: &Derived) -> Vec<ProvenRange> {
    let hw = &d.hardware;
    let (bits, group) = (hw.array.act_bits, hw.group);
    let top = 1i64 << (bits - 1);
    let range = |signal: &str, bits: i64, (min, max): (i64, i64), proof| ProvenRange {
        signal: signal.into(),
        bits: bits as u32,
        min,
        max,
        proof,
    };
    let (low, high) = Mixpe::range(bits as u32, d.config.shape.k_max as usize).unwrap_or((i64::MIN, i64::MAX));
    let products = format!("{group} products of an int{bits} and 0 .. 15");
    let debt = (-16 * group * top, 16 * group * (top - 1));
    let mut ranges = vec![
        range("activation", bits, (-top, top - 1), format!("int{bits}")),
        range("sum of a group", hw.group_bits(), (-15 * group * top, 15 * group * (top - 1)), products),
        range(
            "sum of its activations",
            hw.foot().total_bits(),
            (-group * top, group * (top - 1)),
            format!("{group} of them"),
        ),
        range("z * A - acc", hw.foot().debt_bits(), debt, format!("{group} products of an int{bits} and -15 .. 16")),
        range(
            "accumulator",
            hw.acc_bits(),
            (low, high),
            format!("k_max = {} columns of 65535 * (u - z) * a", d.config.shape.k_max),
        ),
    ];
    if let Some(r) = hw.requant {
        ranges.push(range("output", r.bits, r.range(), "saturated".into()));
    } else {
        ranges.push(range("output", hw.exact_lane_bits(), (low, high), "the accumulator, sign extended".into()));
    }
    ranges
}
