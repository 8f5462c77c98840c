//! `multiply`: `a * u` as Verilog has it, without DSP blocks. The other yardstick.

use std::rc::Rc;

use bitlathe_hdl::{Unit, concat, lit, uint};

use super::cell::LaneCell;
use super::{Kernel, Shape};

/// The kernel.
pub(super) struct Multiply;

impl Kernel for Multiply {
    fn name(&self) -> &'static str {
        "multiply"
    }
    fn about(&self) -> &'static str {
        "The product is left to the synthesis tool"
    }
    fn leaves_product(&self) -> bool {
        true
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
}
