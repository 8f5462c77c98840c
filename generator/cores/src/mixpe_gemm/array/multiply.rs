//! `multiply`: `a * u` as Verilog has it. The other yardstick. In a core that leaves other products to synthesis it becomes DSP blocks.

use std::rc::Rc;

use bitlathe_hdl::{Unit, concat, lit, uint};
use bitlathe_spec::Family;

use super::cell::{LaneCell, product_cell_cost};
use super::{Kernel, Shape, Size};
use crate::Cost;

/// The kernel.
pub(super) struct Multiply;

impl Kernel for Multiply {
    fn name(&self) -> &'static str {
        "multiply"
    }
    fn about(&self) -> &'static str {
        "The product is left to the synthesis tool"
    }

    fn cell(&self, shape: Shape) -> Rc<Unit> {
        LaneCell::product_unit(self, shape, |cell, bits| {
            let x = cell.m.wire("x", &cell.table.as_signed());
            let weight = cell.m.wire("weight", &concat(&[&lit(0, uint(1)), &cell.weights]));
            let product = cell.m.wire("product", &(&x * &cell.m.wire("factor", &weight.as_signed())));
            cell.m.allow(&product, "UNUSEDSIGNAL", "the product of an unsigned weight needs a bit less");
            product.slice(0, bits)
        })
    }
    /// A block where the core lets synthesis take them, otherwise fitted to synthesized arrays of 8 and 16 bits.
    fn cell_cost(&self, at: &Size) -> Cost {
        if at.infers_dsp && at.family != Family::Ice40 {
            let mut cost = product_cell_cost(self, at, 0.0);
            cost.dsp = 1.0;
            return cost;
        }
        let [once, bit] = match at.family {
            Family::Xcup | Family::Xc7 => [3.3, 6.4],
            Family::Ecp5 => [53.0, 9.2],
            Family::Ice40 => [9.8, 7.8],
        };
        product_cell_cost(self, at, once + bit * at.act as f64)
    }
}
