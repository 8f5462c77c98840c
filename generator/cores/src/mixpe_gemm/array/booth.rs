//! `booth`: the weight recoded to digits in -2..=2 (A. D. Booth, 1951; radix 4), u = d0 + 4·d1 + 16·u3.

use std::rc::Rc;

use bitlathe_hdl::{Dim, Expr, Unit, concat, lit, uint};
use bitlathe_spec::Family;

use super::cell::{LaneCell, product_cell_cost};
use super::{Kernel, Shape, Size};
use crate::Cost;

/// The kernel.
pub(super) struct Booth;

impl Kernel for Booth {
    fn name(&self) -> &'static str {
        "booth"
    }
    fn about(&self) -> &'static str {
        "Two digits in -2..=2 and the weight's top bit choose multiples"
    }

    fn cell(&self, shape: Shape) -> Rc<Unit> {
        LaneCell::product_unit(self, shape, |cell, bits| {
            let u = |k: i64| cell.weight_bit(0, k);
            let low = digit(cell, 0, [&u(1), &u(0), &lit(0, uint(1))], bits);
            let high = digit(cell, 2, [&u(3), &u(2), &u(1)], bits);
            let top = &cell.shifted("top", &cell.table, 4, bits) & u(3).repeat(bits);
            low.wrapping_add(high).wrapping_add(top)
        })
    }
    /// Fitted to synthesized cores of 8 and 16 bits.
    fn cell_cost(&self, at: &Size) -> Cost {
        let [once, bit] = match at.family {
            Family::Xcup | Family::Xc7 => [2.5, 4.0],
            Family::Ecp5 => [14.0, 4.85],
            Family::Ice40 => [12.6, 5.0],
        };
        product_cell_cost(self, at, once + bit * at.act as f64)
    }
}

/// The activation times the digit of three neighbouring bits, highest first, in place `at`.
fn digit(cell: &LaneCell, at: i64, [above, here, below]: [&Expr; 3], bits: &Dim) -> Expr {
    let m = &cell.m;
    let one = m.wire(&format!("one_{at}"), &(here ^ below));
    let two = m.wire(&format!("two_{at}"), &(&(above ^ here) & &!&one));
    let once = cell.shifted(&format!("once_{at}"), &cell.table, at, bits);
    let twice = cell.shifted(&format!("twice_{at}"), &cell.table, at + 1, bits);
    let size = &(&once & one.repeat(bits)) | &(&twice & two.repeat(bits));
    let negated = &size ^ above.repeat(bits);
    negated.wrapping_add(concat(&[&lit(0, uint(bits - 1)), above]))
}
