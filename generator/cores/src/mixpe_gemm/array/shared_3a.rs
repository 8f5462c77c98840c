//! `shared-3a`: two base-4 digits of a weight choose among {0, a, 2a, 3a}; 3a is computed once a row for all columns.
//!
//! The digits' sums are lanes of their own, joined in the foot: sum = low + 4·high.

use std::rc::Rc;

use bitlathe_hdl::{Dim, Expr, Unit, concat, uint};

use super::cell::{LaneCell, lane_bits, lane_cell_cost};
use super::{Kernel, Place, Shape, Size, Table};
use crate::Cost;
use crate::parts::carry::{adder_lut, choice_lut};
use crate::parts::sign::widen;

/// The kernel.
pub(super) struct Shared3a;

/// Largest digit.
const DIGIT: i64 = 3;

impl Kernel for Shared3a {
    fn name(&self) -> &'static str {
        "shared-3a"
    }
    fn about(&self) -> &'static str {
        "Two base-4 digits choose among 0, a, 2a and 3a"
    }
    fn lanes(&self) -> i64 {
        2
    }
    fn lane_bits(&self, act: &Dim, rows: &Dim) -> Dim {
        act + (rows * DIGIT).clog2()
    }
    fn table_bits(&self, act: &Dim) -> Dim {
        act * 2 + 2
    }

    /// {3a, a}
    fn table(&self, at: &Place, x: &Expr) -> Table {
        let (m, wide) = (at.m, at.act + 2);
        let one = widen(m, "one_x", x, &wide);
        let two = widen(m, "two_x", &m.wire("twice", &(concat(&[x, &bitlathe_hdl::lit(0, uint(1))]))), &wide);
        let x_q = at.ck.reg("x_q", uint(at.act));
        let three_q = at.ck.reg("three_q", uint(&wide));
        x_q.next_when(at.en, x);
        three_q.next_when(at.en, one.wrapping_add(two));
        Table { shared: concat(&[&*three_q, &*x_q]), total: (*x_q).clone() }
    }

    fn cell(&self, shape: Shape) -> Rc<Unit> {
        LaneCell::unit(
            self,
            shape,
            |cell| {
                let (m, act) = (&cell.m, &cell.act);
                let x = m.wire("x", &cell.table.slice(0, act));
                let three = m.wire("three", &cell.table.slice(act, act + 2));
                let one = m.wire("one_x", &cell.shifted("one", &x, 0, &cell.sum_w));
                let two = m.wire("two_x", &cell.shifted("two", &x, 1, &cell.sum_w));
                [one, two, m.wire("three_x", &widen(m, "wide_three", &three, &cell.sum_w))]
            },
            |cell, [one, two, three], digit, below| {
                let select = cell.weights.slice(2 * digit, 2);
                cell.choose_and_add(digit, &select, [one, two, three], below)
            },
        )
    }
    fn step_latency(&self) -> i64 {
        2
    }

    fn foot(&self, at: &Place, lanes: &Expr, sum_bits: &Dim) -> Expr {
        let lane = at.lane;
        let upper = sum_bits - 2;
        let low = at.m.wire("low", &lanes.slice(2, lane - 2));
        let high = at.m.wire("high", &lanes.lane(1, lane));
        let sum = widen(at.m, "wide_high", &high, &upper).wrapping_add(widen(at.m, "wide_low", &low, &upper));
        let sum_q = at.ck.reg("sum_q", uint(sum_bits));
        sum_q.next_when(at.en, concat(&[&sum, &lanes.slice(0, 2)]));
        (*sum_q).clone()
    }
    fn foot_latency(&self) -> i64 {
        1
    }
    /// Bit 0 of 3a is that of a.
    fn table_cost(&self, at: &Size) -> Cost {
        Cost::logic(adder_lut(at.family, at.act), (2 * at.act + 1) as f64)
    }
    fn cell_cost(&self, at: &Size) -> Cost {
        let lane = choice_lut(at.family, lane_bits(self, at), at.act + 1, at.is_first(1));
        lane_cell_cost(self, at, lane)
    }
    fn foot_cost(&self, at: &Size) -> Cost {
        let sum = at.sum_bits();
        Cost::logic(adder_lut(at.family, sum - 2), sum as f64)
    }
}
