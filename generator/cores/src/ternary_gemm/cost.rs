//! Predicted resources of `ternary-gemm`, part by part.
//!
//! Adders, tables and registers are counted from their structure; the constants of decoders, multiplexers and control were
//! fitted to Yosys 0.70 (`synth_xilinx -family xcup -flatten`). `bitlathe synth` gives the figure that counts.

use bitlathe_spec::Family;

use super::decode::{View, direct, view_bits};
use super::fill::Table;
use super::rows::RowShape;
use super::rtl::{Hardware, Style};
use crate::parts::carry::adder_cost;
use crate::parts::requantize::RequantizeLane;
use crate::parts::{memory, replay};
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
        entry("row (adders, tree, accumulator)", rows, row(hw, family)),
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
            acc_bits: hw.row().acc_bits,
            shift: r.shift,
            rounding: r.rounding,
            out_bits: r.bits,
            narrow: r.narrow,
            planes: hw.planes,
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
    let lutram = memory::distributed_sites(family, hw.m_lanes, width, 2 * entries);
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

fn psums(hw: &Hardware, family: Family) -> Cost {
    let width = hw.batch * hw.m_lanes * hw.row().acc_bits;
    Cost { ff: width as f64, bram: memory::blocks(family, width, hw.tiles_max * hw.planes), ..Cost::default() }
}

fn output(hw: &Hardware) -> Cost {
    let lane = (hw.m_lanes * hw.row().acc_bits) as f64;
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
    replay::cost(hw.m_lanes * hw.codes() * hw.code().bits, depth, ultra, family)
}
