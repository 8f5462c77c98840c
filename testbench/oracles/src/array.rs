//! An array of the example's MAC cells, to set against the same array in `rust-hdl`.

use std::rc::Rc;

use bitlathe_hdl::{Dim, Module, Unit, bit, sint, uint};

use crate::mac_cell::{Mac, mac_cell};

/// `size` by `size` cells: `a` enters on the left, `b` at the top, all sums are outputs, row after row.
pub fn mac_array(size: i64, cfg: &Mac) -> Rc<Unit> {
    let cell = mac_cell(cfg);
    let m = Module::new("mac_array");
    m.doc("Array of MAC cells: a enters on the left, b at the top, all sums are outputs, row after row.");
    let rows = m.param("ROWS", size, 1..=64, "rows of cells");
    let cols = m.param("COLS", size, 1..=64, "columns of cells");
    let w = m.param("W", cfg.width, 2..=16, "bits of an operand");
    let acc = m.param("ACC", cfg.acc, 8..=48, "bits of a sum");
    let terms = m.param("TERMS", cfg.terms, 1..=65536, "products that one sum takes");
    let ck = m.clock();
    let (a, b) = (m.input("a_i", uint(&rows * &w)), m.input("b_i", uint(&cols * &w)));
    let clear = m.input("clear_i", bit());
    let sum = m.output_wire("sum_o", uint(&rows * &cols * &acc));
    // One link more a row and a column than there are cells: the last ones leave the array.
    let right = m.wire_later("right", uint(&rows * (&cols + 1) * &w));
    let down = m.wire_later("down", uint((&rows + 1) * &cols * &w));
    for links in [&right, &down] {
        m.allow(links, "UNUSEDSIGNAL", "nobody stands beyond the edge");
    }
    down.drive_part(0, &cols * &w, &b);
    m.generate_for("g_row", &rows, |r| {
        right.drive_lane(r * (&cols + 1), &w, &a.lane(r, &w));
        m.generate_for("g_col", &cols, |c| {
            let (left, above) = (r * (&cols + 1) + c, r * &cols + c);
            let out = |name: &str, bits: &Dim| m.wire_later(name, sint(bits));
            let (a_next, b_next, total) = (out("a_next", &w), out("b_next", &w), out("total", &acc));
            m.instance("u_cell", &cell)
                .param("W", &w)
                .param("ACC", &acc)
                .param("TERMS", &terms)
                .clock(&ck)
                .input("a_i", &right.lane(&left, &w).as_signed())
                .input("b_i", &down.lane(&above, &w).as_signed())
                .input("clear_i", &clear)
                .output("a_o", &a_next)
                .output("b_o", &b_next)
                .output("sum_o", &total)
                .done();
            right.drive_lane(&left + 1, &w, &a_next.as_unsigned());
            down.drive_lane(&above + &cols, &w, &b_next.as_unsigned());
            sum.drive_lane(&above, &acc, &total.as_unsigned());
        });
    });
    m.finish()
}
