//! Predicted resources of `ternary-gemm`, part by part, as Yosys 0.70 maps them.
//!
//! Registers, adders, memories and multiplexers are counted from the structure. Where logic has no closed form (decoders of weight
//! codes, control) the figures are those of synthesized cores; `docs/cost-model.md` says which and how far the sums are off.
//! `bitlathe synth` gives the figure that counts.

use bitlathe_spec::Family;

use super::control::address_bits;
use super::decode::{View, direct};
use super::fill::Table;
use super::interface::registers;
use super::rtl::{Hardware, Style, Tree};
use crate::parts::carry::{accumulate_lut, adder_lut, implementation, signed_pair_lut, ternary_lut};
use crate::parts::delay_line::delay_cost;
use crate::parts::memory::{block_memory, lut_memory, select_lut};
use crate::parts::register_file::register_file_cost;
use crate::parts::replay::replay_cost;
use crate::parts::requantize::Shift;
use crate::{Cost, PartCost};

/// One entry a part.
pub fn parts(hw: &Hardware, family: Family) -> Vec<PartCost> {
    let rows = hw.batch * hw.m_lanes;
    let terms = hw.batch * hw.terms();
    let entry = |part: &str, count: i64, cost: Cost| PartCost { part: part.into(), count: count as u64, cost };
    let (name, sources) = match hw.table() {
        Some(_) => ("lookup table", tables(hw, family)),
        None => ("term", term(hw, family) * terms as f64),
    };
    let mut out = vec![
        match hw.tree {
            Tree::Fabric => {
                entry("row (adders, tree, accumulator)", rows, rows_of_a_lane(hw, family) * hw.m_lanes as f64)
            }
            Tree::Dsp => {
                let each = hw.dsp_rows().cost(family);
                entry("rows of a vector (adders, tree, accumulator)", hw.batch, each * hw.batch as f64)
            }
        },
        entry(name, terms, sources),
        entry("activation registers and fill", hw.batch, activations(hw, family) * hw.batch as f64),
        entry("weight register and decoder", hw.m_lanes, decode(hw, family) * hw.m_lanes as f64),
        entry("partial sums", 1, psums(hw, family)),
        entry("output register", 1, output(hw, family)),
        entry("control", 1, control(hw, family)),
        entry("register file", 1, register_file_cost(family, &registers(hw))),
    ];
    if let Some(r) = hw.requant {
        let lanes = r.cost(r.lane(hw.sum_bits(), hw.planes, hw.batch), family, hw.m_lanes);
        out.push(entry("requantizer lane", hw.m_lanes, lanes));
    }
    if let Some((depth, ultra)) = hw.resident {
        let width = hw.m_lanes * hw.codes() * hw.code().bits;
        out.push(entry("resident weights", 1, replay_cost(family, width, depth, ultra)));
    }
    out
}

/// LUT sites of everything but the output stage, which is the same whatever the style. A core without it has no DSP blocks.
pub fn lut_before_output(hw: &Hardware, family: Family) -> f64 {
    parts(&Hardware { requant: None, ..hw.clone() }, family).iter().map(|p| p.cost.lut).sum()
}

/// The figure of a family: AMD, ECP5, iCE40.
fn of<T>(family: Family, [amd, ecp5, ice40]: [T; 3]) -> T {
    match family {
        Family::Xcup | Family::Xc7 => amd,
        Family::Ecp5 => ecp5,
        Family::Ice40 => ice40,
    }
}

/// Registers in a line without logic between them; the next stage may make the line longer.
#[derive(Clone, Copy)]
struct Line {
    bits: i64,
    stages: i64,
}

impl Line {
    fn cost(self, family: Family) -> Cost {
        delay_cost(family, self.bits, self.stages, false)
    }

    fn longer(self) -> Self {
        Self { stages: self.stages + 1, ..self }
    }
}

/// A value of the adder tree and the bit that it owes, if it can owe one.
struct Value {
    sum: Line,
    debt: Option<Line>,
}

/// The rows of all vectors that share a row of weights, as `dot_row` and `dot_tree` build them, level by level. The debts follow from
/// the weights alone, so that the vectors share their registers.
fn rows_of_a_lane(hw: &Hardware, family: Family) -> Cost {
    let shape = hw.row();
    let (signed, mut width) = (hw.style != Style::Multiply, shape.term_bits + 1);
    let (mut sums, mut debts) = (Cost::default(), Cost::default());
    let mut values = vec![];
    for pair in 0..shape.pairs() {
        let both = 2 * pair + 1 < shape.terms;
        let complemented = if signed { 1 + i64::from(both) } else { 0 };
        // A lone unsigned value passes through, though not through the vendor's macro.
        let adds = signed || both || implementation(family) != 0;
        if adds {
            sums.lut += signed_pair_lut(family, shape.term_bits, complemented);
        }
        let debt = (signed && both).then_some(Line { bits: 1, stages: 1 });
        values.push(Value { sum: Line { bits: shape.term_bits + i64::from(adds), stages: 1 }, debt });
    }
    for _ in 0..shape.levels() {
        let mut next = vec![];
        for group in values.chunks(3) {
            let [consumed @ .., last] = group else { continue };
            let sum = if consumed.is_empty() {
                last.sum.longer()
            } else {
                sums.lut += ternary_lut(family, width, group.len() as i64);
                group.iter().for_each(|v| sums += v.sum.cost(family));
                // Two operands without carries need one bit more, not two; the macro has both.
                let plain = !signed && group.len() == 2 && implementation(family) == 0;
                Line { bits: width + 2 - i64::from(plain), stages: 1 }
            };
            consumed.iter().filter_map(|v| v.debt).for_each(|d| debts += d.cost(family));
            next.push(Value { sum, debt: last.debt.map(Line::longer) });
        }
        (values, width) = (next, width + 2);
    }
    values.iter().for_each(|v| sums += v.sum.cost(family));
    let left = values.iter().filter_map(|v| v.debt);
    let unpaid = left.inspect(|d| debts += d.cost(family)).count() as i64;
    sums.lut += accumulate_lut(family, width, shape.acc_bits, values.len() as i64, unpaid);
    sums.ff += shape.acc_bits as f64;
    let mut cost = sums * hw.batch as f64;
    cost += debts;
    cost
}

/// Activations or weights of the last term: the others have a whole group.
fn last_group(hw: &Hardware, available: i64) -> i64 {
    (available - hw.term_group() * (hw.terms() - 1)).clamp(1, hw.term_group())
}

/// Address bits that Yosys keeps of a table for a group of which the codes hold only `weights`: it sees those that are always zero
/// where the decoder is small.
fn index_bits(table: Table, weights: i64) -> i64 {
    match (table, weights) {
        (Table::Dense(_), 1) => 1,
        (Table::Dense(4), 2) => 3,
        _ => i64::from(table.index_bits()),
    }
}

fn tables(hw: &Hardware, family: Family) -> Cost {
    let Some(table) = hw.table() else { return Cost::default() };
    let each = |weights: i64| match hw.style {
        Style::Mux => table_mux(hw, family, index_bits(table, weights)),
        _ => table_lutram(hw, family, i64::from(table.index_bits())),
    };
    let full = (hw.terms() - 1) as f64;
    // Yosys sees address bits that are zero because the codes hold no weight for them, but not through a block memory.
    let in_memory = table == Table::Dense(4) && family == Family::Ice40;
    let weights = if in_memory { 4 } else { last_group(hw, hw.codes() * hw.code().group) };
    let mut cost = each(hw.term_group()) * full;
    cost += each(weights);
    cost * hw.batch as f64
}

fn table_lutram(hw: &Hardware, family: Family, index_bits: i64) -> Cost {
    let (ports, width) = (hw.m_lanes, hw.term_bits());
    let mut cost = lut_memory(family, ports, width, 2 << index_bits);
    cost.ff += (ports * width) as f64;
    cost
}

/// Two banks in flip-flops, a shared choice of the bank, and a multiplexer a port.
fn table_mux(hw: &Hardware, family: Family, index_bits: i64) -> Cost {
    let (ports, width, entries) = (hw.m_lanes, hw.term_bits(), 1 << index_bits);
    let read = (ports * width) as f64 * read_lut(hw, family, index_bits);
    Cost::logic((entries * width) as f64 + read, (2 * entries * width + ports * width) as f64)
}

/// Whether the requantizer's shift is in a register: its shifter is then the longest path, and Yosys, which maps for time first, builds
/// what is shorter smaller.
fn has_shifter(hw: &Hardware) -> bool {
    hw.requant.is_some_and(|r| matches!(r.shift, Shift::Range(..)))
}

/// LUTs of a read port of a table in flip-flops, a bit.
fn read_lut(hw: &Hardware, family: Family, index_bits: i64) -> f64 {
    let [four, five, five_amd] = if has_shifter(hw) { [12.4, 57.0, 29.5] } else { [15.0, 84.0, 35.0] };
    match index_bits {
        ..=1 => 1.0,
        2..=3 => of(family, [3.05, 6.2, 6.1]),
        4 => of(family, [if hw.encoding == "index5" { 8.0 } else { 6.8 }, four, 13.9]),
        _ => of(family, [five_amd, five, if hw.m_lanes == 1 { 50.0 } else { 60.0 }]),
    }
}

/// Whether the synthesis of a core that has DSP blocks elsewhere makes the products of activations of them too.
fn products_in_dsp(hw: &Hardware, family: Family) -> bool {
    let wide_enough = match family {
        Family::Xcup | Family::Xc7 => hw.act_bits >= 8,
        Family::Ecp5 => true,
        Family::Ice40 => false,
    };
    hw.style == Style::Multiply && hw.requant.is_some() && wide_enough
}

/// One activation for all rows: gated, or multiplied by a weight.
fn term(hw: &Hardware, family: Family) -> Cost {
    let (ports, bits) = (hw.m_lanes as f64, hw.act_bits);
    let mut each = Cost::logic(0.0, hw.term_bits() as f64);
    match hw.style {
        // One LUT keeps the illegal weight out.
        Style::Multiply if products_in_dsp(hw, family) => (each.dsp, each.lut) = (1.0, 1.0),
        Style::Multiply => {
            let sum = of(family, [0.0, adder_lut(family, bits + 1), (bits - 1) as f64]);
            each.lut = (2 * bits) as f64 + sum;
        }
        _ => each.lut = bits as f64,
    }
    each * ports
}

/// Activations of a vector: one register and the running sums of the tables, or two banks and the choice between them.
fn activations(hw: &Hardware, family: Family) -> Cost {
    let slab = (hw.k_lanes * hw.act_bits) as f64;
    if hw.table().is_none() {
        // Four inputs suffice to gate the chosen activation: no LUT of its own chooses.
        let merged = hw.style == Style::AddSub && (family != Family::Xcup || hw.m_lanes <= 2);
        let choice = if merged { 0.0 } else { slab };
        return Cost::logic(choice, 2.0 * slab);
    }
    let full = (hw.terms() - 1) as f64;
    let mut cost = fill_lane(hw, family, hw.term_group()) * full;
    cost += fill_lane(hw, family, last_group(hw, hw.k_lanes));
    cost.ff += slab;
    cost
}

/// A running sum that adds or subtracts one of `group` activations.
fn fill_lane(hw: &Hardware, family: Family, group: i64) -> Cost {
    let (bits, width) = (hw.act_bits as f64, hw.term_bits());
    let chosen = match (family, group) {
        (Family::Xcup | Family::Xc7, ..=2) => bits,
        (Family::Xcup | Family::Xc7, 3) => bits,
        (Family::Xcup | Family::Xc7, _) => 2.0 * bits,
        (Family::Ecp5, ..=2) => bits,
        (Family::Ecp5, 3) => 3.0 * bits,
        (Family::Ecp5, _) => 5.0 * bits,
        (Family::Ice40, _) => (group - 1) as f64 * bits,
    };
    Cost::logic(chosen + adder_lut(family, width), width as f64)
}

/// A row's slice of the beat register with its decoder, the check of its codes, and the signs of its terms.
fn decode(hw: &Hardware, family: Family) -> Cost {
    let (code, view) = (hw.code(), hw.view());
    let (codes, terms) = (hw.codes(), hw.terms());
    let signs = if hw.style == Style::Multiply { 0 } else { terms };
    let mut cost = Cost::logic(0.0, (codes * code.bits - unread_bits(hw) + signs) as f64);
    // The check of the codes; it shares logic with a decoder that gives weights.
    cost.lut += codes as f64
        * match (code.name, view) {
            ("trit2", _) => of(family, [0.6, 0.68, 0.69]),
            ("index5", View::Weight) => of(family, [1.3, 2.5, 2.5]),
            ("index5", _) => of(family, [2.1, 3.6, 3.45]),
            ("byte5", View::Weight) => of(family, [0.93, 8.35, 0.34]),
            ("byte5", _) => of(family, [2.25, 8.35, 0.34]),
            _ => 0.0,
        };
    if direct(&code, view) {
        return cost;
    }
    let weights = codes * code.group;
    match view {
        View::Weight => cost += weights_of_codes(hw, family, hw.k_lanes, false),
        View::Table(table) => {
            let group = hw.term_group();
            if code.name != "trit2" {
                cost += weights_of_codes(hw, family, weights.min(group * terms), true);
            }
            cost += addresses_of_weights(family, table, group) * (terms - 1) as f64;
            cost += addresses_of_weights(family, table, last_group(hw, weights));
        }
    }
    cost
}

/// Bits of a row's last code that nothing reads: the first weights of a `sherry5` code, which has no illegal values, do not depend on
/// the last signs.
fn unread_bits(hw: &Hardware) -> i64 {
    match hw.codes() * 4 - hw.k_lanes {
        missing @ 2..=3 if hw.encoding == "sherry5" && hw.view() == View::Weight => missing - 1,
        _ => 0,
    }
}

/// Decoding of codes to `used` two-bit weights and the registers behind it. `again`: a second decoder follows.
fn weights_of_codes(hw: &Hardware, family: Family, used: i64, again: bool) -> Cost {
    let (code, codes) = (hw.code(), hw.codes());
    let of_last = (used - code.group * (codes - 1)).clamp(1, code.group);
    match code.name {
        // 256 words of ten bits with a register behind them: a block memory where such blocks are small.
        "byte5" if matches!(family, Family::Ecp5 | Family::Ice40) => {
            let hold = if again { 8.0 } else { 0.0 };
            Cost { bram: codes as f64, ..Cost::logic(codes as f64 * hold, 0.0) }
        }
        "byte5" => {
            let by_weights = if again { [33.0, 52.0, 69.0, 83.0, 88.0] } else { [10.0, 21.0, 37.0, 52.0, 63.0] };
            let smaller = if again && has_shifter(hw) { 0.68 } else { 1.0 };
            let lut = (codes - 1) as f64 * by_weights[4] + by_weights[of_last as usize - 1];
            Cost::logic(smaller * lut, (2 * used) as f64)
        }
        _ => {
            let weight = of(family, [2.0, 2.7, 2.7]);
            Cost::logic(used as f64 * weight, (2 * used) as f64)
        }
    }
}

/// Decoding of a group of two-bit weights to a table address with a sign, and its register.
fn addresses_of_weights(family: Family, table: Table, weights: i64) -> Cost {
    let ff = (index_bits(table, weights) + 1) as f64;
    let Table::Dense(_) = table else { return Cost::default() };
    // 256 words with a register behind them, for which iCE40 takes a block memory.
    if table == Table::Dense(4) && family == Family::Ice40 {
        return Cost { bram: 1.0, ..Cost::default() };
    }
    let lut = match weights {
        1 => 1.0,
        2 => 4.0,
        3 if table == Table::Dense(3) => of(family, [5.0, 14.0, 16.0]),
        3 => of(family, [7.0, 22.0, 24.0]),
        _ => of(family, [24.0, 40.0, 45.0]),
    };
    Cost::logic(lut, ff)
}

fn psums(hw: &Hardware, family: Family) -> Cost {
    let width = hw.batch * hw.m_lanes * hw.row().acc_bits;
    let depth = if hw.planes == 2 { 2 * (hw.tiles_max as u64).next_power_of_two() as i64 } else { hw.tiles_max };
    let mut cost = block_memory(family, width, depth.max(2), false);
    // DSP blocks have registers of their own for what the accumulator adds.
    cost.ff += if hw.tree == Tree::Fabric { width as f64 } else { 0.0 };
    cost
}

/// One register a vector and row; the vectors leave one after the other.
fn output(hw: &Hardware, family: Family) -> Cost {
    let lane = (hw.m_lanes * hw.row().acc_bits) as f64;
    Cost::logic(lane * select_lut(family, hw.batch) + 2.0, lane * hw.batch as f64 + 2.0)
}

/// The two control units and what travels beside the data.
fn control(hw: &Hardware, family: Family) -> Cost {
    let bits = |n: i64| i64::from(64 - n.leading_zeros());
    let counters = bits(hw.slabs_max) + bits(hw.tiles_max);
    let (once, bit) = of(family, [(4.0, 2.3), (25.0, 3.6), (14.0, 3.5)]);
    let mut cost = Cost::logic(once + bit * counters as f64, (counters + 5) as f64);
    // Pointer to the vector that is loaded, gap between tiles, number of the vector that leaves.
    if hw.batch > 1 {
        cost += Cost::logic(8.0, (hw.batch + 4) as f64);
    }
    let (lut, ff) = match hw.table() {
        None => ([7.0, 10.0, 7.0], 5.0),
        Some(Table::Dense(2)) => ([22.0, 40.0, 24.0], 15.0),
        Some(Table::Dense(3)) => ([24.0, 49.0, 30.0], 25.0),
        Some(Table::OneZero) => ([33.0, 72.0, 63.0], 28.0),
        Some(Table::Dense(_)) => ([37.0, 100.0, 92.0], 32.0),
    };
    cost += Cost::logic(of(family, lut), ff);
    let (read, add) = (hw.read_stage(), hw.add_stage());
    let address = address_bits(&hw.tiles_max.into()).value() + i64::from(hw.planes == 2);
    let mut beside = |width, stages, reset| cost += delay_cost(family, width, stages, reset);
    beside(1, read, false);
    beside(1, read, true);
    beside(address, add - 2, false);
    beside(address, 3, false);
    // Valid and emit, then keep and the job's last tile.
    beside(2, add + 1, true);
    beside(1, add, false);
    beside(1, add + 1, false);
    if hw.requant.is_some() {
        beside(1, 3, true);
        beside(1, 3, false);
    }
    // An illegal code: the beat is fresh, the code was found.
    cost.ff += if hw.code().illegal() { 2.0 } else { 0.0 };
    cost
}
