//! Where in its row a beat lies.

use std::rc::Rc;

use bitlathe_hdl::{Dim, Module, Unit, bit, concat, lit, uint};
use bitlathe_spec::Family;

use crate::Cost;

/// Bits that count the columns of a row.
pub fn column_bits(c_max: &Dim) -> Dim {
    (c_max + 1).clog2()
}

/// Counts the columns of a row down, LANES a beat.
pub fn row_walk(lanes: i64, c_max: i64) -> Rc<Unit> {
    let m = Module::new("row_walk");
    m.doc("Position in a row: elements from the present beat to the row's end, and whether it is the row's last beat.");
    let n = m.param("LANES", lanes, 1..=256, "elements of a beat");
    let c = m.param("C_MAX", c_max, 1..=65536, "largest row");
    let w = column_bits(&c);
    let ck = m.clock();
    let columns = m.input("columns_i", uint(&w));
    let accept = m.input("accept_i", bit());
    let first = ck.reg("first_q", bit()).reset_to(1);
    let left = ck.reg("left_q", uint(&w));
    let remaining = m.wire("remaining", &first.select(&columns, &*left));
    // LANES never exceeds C_MAX, so it fits the counter.
    let step = m.constant("STEP", &n, &w);
    let end = m.wire("row_end", &remaining.le(&step));
    first.next_when(&accept, &end);
    left.next_when(&accept, remaining.wrapping_sub(&step));
    m.output("remaining_o", &remaining);
    m.output("end_o", &end);
    m.finish()
}

/// Cost: the choice of the first count and a subtractor, which also compares.
pub fn cost(c_max: i64, _: Family) -> Cost {
    let bits = f64::from(64 - c_max.leading_zeros());
    Cost::logic(2.0 * bits, bits + 1.0)
}

/// Elements of the present beat that are no padding, one bit each, from the columns that remain.
pub fn lane_mask(lanes: i64, c_max: i64) -> Rc<Unit> {
    let m = Module::new("lane_mask");
    m.doc("One bit a lane: it holds an element of the row, not padding.");
    let n = m.param("LANES", lanes, 1..=256, "elements of a beat");
    let c = m.param("C_MAX", c_max, 1..=65536, "largest row");
    let remaining = m.input("remaining_i", uint(column_bits(&c)));
    let mask = m.output_wire("mask_o", uint(&n));
    m.generate_for("g_lane", &n, |i| {
        let wide = m.wire("wide", &concat(&[&lit(0, uint(32 - &column_bits(&c))), &remaining]));
        mask.drive_part(i, 1, &wide.gt(m.constant("LANE", i, 32)));
    });
    m.finish()
}
