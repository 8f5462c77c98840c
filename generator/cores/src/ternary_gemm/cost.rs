//! Predicted resources of `ternary-gemm`, part by part.
//!
//! Adders, tables and registers are counted from their structure; the constants of decoders, multiplexers and control were
//! fitted to Yosys 0.70 (`synth_xilinx -family xcup -flatten`). `bitlathe synth` gives the figure that counts.

use bitlathe_spec::Family;

use super::decode::{View, direct, view_bits};
use super::fill::Table;
use super::rows::RowShape;
use super::rtl::{Hardware, Style, Tree};
use crate::parts::carry::adder_cost;
use crate::parts::requantize::RequantizeLane;
use crate::{Cost, PartCost};

/// The sum over the parts.
pub fn total(hw: &Hardware, family: Family) -> Cost {
    let mut sum = Cost::default();
    for p in parts(hw, family) {
        sum += p.cost;
    }
    sum
}

/// One entry a part.
pub fn parts(hw: &Hardware, family: Family) -> Vec<PartCost> {
    let rows = hw.batch * hw.m_lanes;
    let tables = hw.batch * hw.terms();
    let entry = |part: &str, count: i64, each: Cost| PartCost {
        part: part.into(),
        count: count as u64,
        cost: each * count as f64,
    };
    let mut out = vec![
        match hw.tree {
            Tree::Fabric => entry("row (adders, tree, accumulator)", rows, row(hw, family)),
            Tree::Dsp => entry("rows of a vector (adders, tree, accumulator)", hw.batch, hw.dsp_rows().cost(family)),
        },
        match hw.style {
            Style::Lutram | Style::Mux => entry("lookup table", tables, table(hw, family)),
            Style::AddSub | Style::Multiply => entry("term", tables, term(hw)),
        },
        entry("activation registers and fill", tables, fill(hw)),
        entry("weight register and decoder", hw.m_lanes, decode(hw)),
        entry("partial sums", 1, psums(hw, family)),
        entry("output register", 1, output(hw)),
        entry("control and registers", 1, control(hw)),
    ];
    if let Some(r) = hw.requant {
        let lane = RequantizeLane {
            acc_bits: hw.sum_bits(),
            shift: r.shift,
            rounding: r.rounding,
            out_bits: r.bits,
            narrow: r.narrow,
            planes: hw.planes,
            batch: hw.batch,
        };
        out.push(entry("requantizer lane", hw.m_lanes, lane.cost(family)));
    }
    if let Some((depth, ultra)) = hw.resident {
        out.push(entry("resident weights", 1, resident(hw, family, depth, ultra)));
    }
    out
}

fn row(hw: &Hardware, family: Family) -> Cost {
    let shape: RowShape = hw.row();
    // A product has its sign already: no pending bit travels with it.
    let owed = i64::from(hw.style != Style::Multiply);
    let adder = |width: i64, operands: f64| adder_cost(family, width as f64, operands);
    let (pairs, w1) = (shape.pairs(), shape.term_bits + 1);
    let mut c = adder(w1, 2.0) * pairs as f64;
    c.ff += (pairs * (w1 + owed)) as f64;
    let (mut n, mut w) = (pairs, w1);
    while n > 2 {
        let (full, rest) = (n / 3, n % 3);
        c += adder(w + 2, 3.0) * full as f64;
        c += adder(w + 2, 2.0) * f64::from(u8::from(rest == 2));
        (n, w) = ((n + 2) / 3, w + 2);
        c.ff += (n * (w + owed)) as f64;
    }
    c += adder(shape.acc_bits, if n == 2 { 3.0 } else { 2.0 });
    c.ff += shape.acc_bits as f64;
    c
}

/// Read ports of distributed memory: the cheapest of the shapes that the vendor's cells offer.
fn lutram_sites(family: Family, ports: i64, width: i64, depth: i64) -> f64 {
    let up = |a: i64, b: i64| (a + b - 1) / b;
    let sites = match family {
        Family::Xcup if depth <= 32 => {
            let octal = up(ports, 7) * up(width, 2) * 8;
            let wide = ports * up(width, 14) * 8;
            octal.min(wide).min(up(ports, 3) * up(width, 2) * 4)
        }
        Family::Xcup | Family::Xc7 if depth > 32 => up(depth, 64) * (up(ports, 7) * width * 8) + ports * width,
        Family::Xc7 | Family::Xcup => (up(ports, 3) * up(width, 2) * 4).min(ports * up(width, 6) * 4),
        // DPR16X4: four sites for sixteen words of four bits, and a multiplexer between the sixteens.
        Family::Ecp5 => ports * (up(depth, 16) * up(width, 4) * 4 + if depth > 16 { width * up(depth, 32) } else { 0 }),
        // No distributed memory: flip-flops and multiplexers.
        Family::Ice40 => ports * width * depth / 2 + depth * width / 2,
    };
    sites as f64
}

fn table(hw: &Hardware, family: Family) -> Cost {
    let Some(t) = hw.table() else { return Cost::default() };
    let (width, entries) = (hw.term_bits(), 1i64 << t.index_bits());
    let ff = (hw.m_lanes * width) as f64;
    if hw.style == Style::Mux || family == Family::Ice40 {
        // A multiplexer of n inputs takes about 0.45 n look-up tables a bit, one bank select is shared by all rows.
        let per_bit = match entries {
            8 => 3.0,
            16 => 6.8,
            n => 0.46 * n as f64,
        };
        let used = match t {
            Table::Dense(2) => 8,
            _ => entries,
        };
        let lut = (entries * width) as f64 + ff * per_bit + entries as f64;
        return Cost { lut, ff: ff + (2 * used * width) as f64, ..Cost::default() };
    }
    let lutram = lutram_sites(family, hw.m_lanes, width, 2 * entries);
    Cost { lut: lutram, lutram, ff, ..Cost::default() }
}

fn term(hw: &Hardware) -> Cost {
    let ff = (hw.m_lanes * hw.term_bits()) as f64;
    let each = if hw.style == Style::AddSub { hw.act_bits as f64 } else { 2.0 * hw.act_bits as f64 + 0.1 };
    Cost { lut: each * hw.m_lanes as f64, ff, ..Cost::default() }
}

fn fill(hw: &Hardware) -> Cost {
    let x = (hw.term_group() * hw.act_bits) as f64;
    match hw.table() {
        Some(_) => {
            Cost { lut: (hw.act_bits + hw.term_bits() + 1) as f64, ff: x + hw.term_bits() as f64, ..Cost::default() }
        }
        None => Cost { lut: x, ff: 2.0 * x, ..Cost::default() },
    }
}

fn decode(hw: &Hardware) -> Cost {
    let (code, view) = (hw.code(), hw.view());
    let (codes, terms) = (hw.codes() as f64, hw.terms() as f64);
    let mut lut = match code.name {
        "trit2" => codes * 0.4,
        "index5" => codes * 1.2,
        "byte5" => codes * 3.0,
        _ => 0.0,
    };
    let signs = if hw.style == Style::Multiply { 0.0 } else { terms };
    let mut ff = codes * code.bits as f64 + signs;
    if !direct(&code, view) {
        lut += match code.name {
            "byte5" => codes * 55.0,
            "trit2" => 0.0,
            _ => codes * 5.0,
        };
        lut += terms
            * match view {
                View::Table(Table::Dense(2)) => 3.6,
                View::Table(Table::Dense(3)) => 5.0,
                View::Table(_) if code.name == "trit2" => 31.0,
                View::Table(_) => 55.0,
                View::Weight => 0.0,
            };
        ff += terms * view_bits(view) as f64;
        if code.name == "byte5" {
            // Yosys moves the beat register behind the decoding table and keeps the codes for their check.
            ff += codes * 2.0 * code.group as f64;
        }
    }
    Cost { lut, ff, ..Cost::default() }
}

/// Block memory of a width and depth in the family's blocks.
fn blocks(family: Family, width: i64, depth: i64) -> f64 {
    let up = |a: i64, b: i64| ((a + b - 1) / b) as f64;
    let (word, words) = match family {
        Family::Xcup | Family::Xc7 => (36, 512),
        Family::Ecp5 => (36, 512),
        Family::Ice40 => (16, 256),
    };
    // Deeper memories use the blocks in a narrower shape.
    let shrink = ((depth + words - 1) / words).max(1).next_power_of_two();
    let n = if shrink <= word { up(width, (word / shrink).max(1)) } else { up(width, 1) * up(depth, words * word) };
    if matches!(family, Family::Xcup | Family::Xc7) { n / 2.0 } else { n }
}

trait NextPowerOfTwo {
    fn next_power_of_two(self) -> i64;
}

impl NextPowerOfTwo for i64 {
    fn next_power_of_two(self) -> i64 {
        (self as u64).next_power_of_two() as i64
    }
}

fn psums(hw: &Hardware, family: Family) -> Cost {
    let width = hw.batch * hw.m_lanes * hw.sum_bits();
    // On their way to a fabric adder they are registered once more.
    let ff = if hw.tree == Tree::Fabric { width as f64 } else { 0.0 };
    Cost { ff, bram: blocks(family, width, hw.tiles_max * hw.planes), ..Cost::default() }
}

fn output(hw: &Hardware) -> Cost {
    let lane = (hw.m_lanes * hw.sum_bits()) as f64;
    // The vectors of a batch share the output: a multiplexer of that many inputs a bit.
    let select = match hw.batch {
        1 => 0.0,
        2..=4 => 1.0,
        n => (n as f64 / 3.0).ceil(),
    };
    Cost { lut: lane * select, ff: lane * hw.batch as f64, ..Cost::default() }
}

fn control(hw: &Hardware) -> Cost {
    let table = if hw.table().is_some() { 45.0 } else { 0.0 };
    let counters = (128 - ((hw.slabs_max * hw.tiles_max) as u128).leading_zeros()) as f64;
    Cost { lut: 75.0 + table + 3.5 * counters, ff: 20.0 + 4.0 * counters, ..Cost::default() }
}

fn resident(hw: &Hardware, family: Family, depth: i64, ultra: bool) -> Cost {
    let width = hw.m_lanes * hw.codes() * hw.code().bits;
    let pointers = 3.0 * (depth as f64 + 1.0).log2().ceil();
    let mut c = Cost { lut: 2.0 * pointers, ff: pointers + 2.0, ..Cost::default() };
    if ultra {
        c.uram = (((width + 71) / 72) * ((depth + 4095) / 4096)) as f64;
    } else {
        c.bram = blocks(family, width, depth);
    }
    c
}
