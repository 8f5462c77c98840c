//! `shared-pair`: a bit each of two rows' weights chooses among {0, a, b, a + b}; a + b is computed once a pair for all columns.
//!
//! Every bit of the weights is a lane of its own, joined in the foot: sum = l0 + 2·l1 + 4·l2 + 8·l3. The cell costs the
//! look-up tables of `shared-3a` a bit of sum and weight, but a + b is a bit narrower than 3a and so are all sums.

use std::rc::Rc;

use bitlathe_hdl::{Dim, Expr, Unit, bit, clog2, concat, lit, uint};

use super::cell::{LaneCell, lane_bits, lane_cell_cost};
use super::{Kernel, Place, Shape, Size, Table, amd_form};
use crate::Cost;
use crate::parts::carry::{adder_lut, choice_lut, implementation, ternary_add};
use crate::parts::delay_line::delay_cost;
use crate::parts::sign::widen;

/// The kernel.
pub(super) struct SharedPair;

/// Largest factor of the first three lanes together.
const FIRST_THREE: i64 = 7;

impl Kernel for SharedPair {
    fn name(&self) -> &'static str {
        "shared-pair"
    }
    fn about(&self) -> &'static str {
        "A weight bit each of two rows chooses among 0, a, b and a + b"
    }
    fn rows_a_step(&self) -> i64 {
        2
    }
    fn lanes(&self) -> i64 {
        4
    }
    fn lane_bits(&self, act: &Dim, rows: &Dim) -> Dim {
        act + rows.clog2()
    }
    fn table_bits(&self, act: &Dim) -> Dim {
        act * 3 + 1
    }

    /// {a + b, b, a}
    fn table(&self, at: &Place, x: &Expr) -> Table {
        let (rows, both) = pair_registers(at, x);
        Table { shared: concat(&[&both, &rows]), total: both }
    }

    fn cell(&self, shape: Shape) -> Rc<Unit> {
        LaneCell::unit(
            self,
            shape,
            |cell| {
                let act = &cell.act;
                let value = |name: &str, lo: Dim, bits: &Dim| {
                    let value = cell.m.wire(name, &cell.table.slice(lo, bits));
                    cell.m.wire(&format!("{name}_x"), &widen(&cell.m, &format!("wide_{name}"), &value, &cell.sum_w))
                };
                [value("a", 0.into(), act), value("b", act.clone(), act), value("both", act * 2, &(act + 1))]
            },
            |cell, [a, b, both], bit, below| {
                let select = concat(&[&cell.weight_bit(1, bit), &cell.weight_bit(0, bit)]);
                cell.choose_and_add(bit, &select, [a, b, both], below)
            },
        )
    }
    fn step_latency(&self) -> i64 {
        2
    }

    fn foot(&self, at: &Place, lanes: &Expr, sum_bits: &Dim) -> Expr {
        join_planes(at, lanes, sum_bits)
    }
    fn foot_latency(&self) -> i64 {
        2
    }
    fn table_cost(&self, at: &Size) -> Cost {
        pair_registers_cost(at)
    }
    fn cell_cost(&self, at: &Size) -> Cost {
        let lane = choice_lut(at.family, lane_bits(self, at), at.act + 1, at.is_first(self.rows_a_step()));
        lane_cell_cost(self, at, lane)
    }
    fn foot_cost(&self, at: &Size) -> Cost {
        join_planes_cost(at, lane_bits(self, at))
    }
}

/// One sum of the lanes of a weight's bits, in two cycles.
pub(super) fn join_planes(at: &Place, lanes: &Expr, sum_bits: &Dim) -> Expr {
    let (m, ck, en) = (at.m, at.ck, at.en);
    let lane = |k: i64| m.wire(&format!("lane_{k}"), &lanes.lane(k, at.lane));
    let (l0, l1, l2, l3) = (lane(0), lane(1), lane(2), lane(3));
    // Lane 0 alone has a bit 0; three operands add to the bits above.
    let three_w = m.localparam("THREE_W", at.act + (at.rows * FIRST_THREE).clog2() - 1);
    let upper = m.wire("upper_0", &l0.slice(1, at.lane - 1));
    let double = m.wire("double_2", &concat(&[&l2, &lit(0, bit())]));
    let operands = [("wide_0", &upper), ("wide_1", &l1), ("wide_2", &double)].map(|(n, v)| widen(m, n, v, &three_w));
    let imp = amd_form(at.imp);
    let three = m.wire_later("three", uint(&three_w));
    m.instance("u_three", &ternary_add(three_w.value(), imp.value()))
        .param("WIDTH", &three_w)
        .param("IMPL", imp)
        .input("a_i", &operands[0])
        .input("b_i", &operands[1])
        .input("c_i", &operands[2])
        .input("use_c_i", &lit(1, bit()))
        .input("carry_a_i", &lit(0, bit()))
        .input("carry_b_i", &lit(0, bit()))
        .output("sum_o", &three)
        .done();
    let three_q = ck.reg("three_q", uint(&three_w + 1));
    three_q.next_when(en, concat(&[&*three, &l0.bit(0)]));
    let l3_q = ck.reg("lane_3_q", uint(at.lane));
    l3_q.next_when(en, &l3);
    let last_w = sum_bits - 3;
    let upper = m.wire("upper_three", &three_q.slice(3, &three_w - 2));
    let sum = widen(m, "wide_3", &l3_q, &last_w).wrapping_add(widen(m, "wide_three", &upper, &last_w));
    let sum_q = ck.reg("sum_q", uint(sum_bits));
    sum_q.next_when(en, concat(&[&sum, &three_q.slice(0, 3)]));
    (*sum_q).clone()
}

/// Cost of [`join_planes`] on lanes of `lane` bits.
pub(super) fn join_planes_cost(at: &Size, lane: i64) -> Cost {
    let (family, sum) = (at.family, at.sum_bits());
    let three = at.act + clog2(at.rows * FIRST_THREE) - 1;
    // Without the macro two carry chains, one after the other.
    let three_lut = if implementation(family) != 0 { three as f64 } else { 2.0 * adder_lut(family, three - 1) };
    // Bit 0 passes from the lane to the sum: with the lane's register three stages.
    let mut cost = delay_cost(family, 1, 3, false);
    cost += Cost::logic(three_lut + adder_lut(family, sum - 3), (three + lane + sum - 2) as f64);
    cost
}

/// Cost of [`pair_registers`]. Bit and sign of the two highest places are the same, and so are their look-up tables.
pub(super) fn pair_registers_cost(at: &Size) -> Cost {
    Cost::logic(adder_lut(at.family, at.act), (3 * at.act + 1) as f64)
}

/// The two activations of a step, and their sum, registered.
pub(super) fn pair_registers(at: &Place, x: &Expr) -> (Expr, Expr) {
    let (m, wide) = (at.m, at.act + 1);
    let [a, b] = [("a", 0), ("b", 1)].map(|(name, r)| m.wire(name, &x.lane(r, at.act)));
    let rows_q = at.ck.reg("rows_q", uint(at.act * 2));
    let both_q = at.ck.reg("both_q", uint(&wide));
    rows_q.next_when(at.en, x);
    both_q.next_when(at.en, widen(m, "wide_a", &a, &wide).wrapping_add(widen(m, "wide_b", &b, &wide)));
    ((*rows_q).clone(), (*both_q).clone())
}
