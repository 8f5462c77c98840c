//! Terms without a table, the two baselines: an activation added, subtracted or skipped, and an activation multiplied.

use std::rc::Rc;

use bitlathe_hdl::{Dim, Module, Unit, bit, concat, uint};

/// One activation against the weights of all rows: the value where the weight is not zero; the row's adder takes the sign.
pub fn term_addsub(rows: i64, act_bits: i64) -> Rc<Unit> {
    term(
        "term_addsub",
        "One activation for all rows: gated by weight /= 0; its sign goes to the adder.",
        rows,
        act_bits,
        0,
    )
}

/// One activation times the weights of all rows.
pub fn term_multiply(rows: i64, act_bits: i64) -> Rc<Unit> {
    term("term_multiply", "One activation times a two-bit weight, for all rows.", rows, act_bits, 1)
}

fn term(name: &str, doc: &str, rows: i64, act_bits: i64, extra: i64) -> Rc<Unit> {
    let m = Module::new(name);
    m.doc(doc);
    let p = m.param("PORTS", rows, 1..=512, "rows");
    let a = m.param("ACT_W", act_bits, 2..=16, "bits of an activation");
    let (ck, en) = (m.clock(), m.input("en_i", bit()));
    let x = m.input("x_i", uint(&a));
    let weights = m.input("weights_i", uint(&p * 2));
    m.describe(&weights, "two's complement, row 0 lowest; the code 10 counts as zero");
    let width = &a + extra;
    let out = ck.reg("data_q", uint(&p * &width));
    m.generate_for("g_row", &p, |i| {
        let w = m.wire("weight", &weights.lane(i, &Dim::from(2)));
        let value = if extra == 0 {
            &x & w.bit(0).repeat(&a)
        } else {
            // A weight of three values: -1, 0, 1 as a signed two-bit number, the illegal -2 made zero.
            let signed = m.wire("factor", &concat(&[&(w.bit(1) & w.bit(0)), &w.bit(0)]).as_signed());
            let activation = m.wire("activation", &x.as_signed());
            let product = m.wire("product", &(&activation * &signed));
            product.slice(0, &width)
        };
        let value = m.wire("value", &value);
        out.next_lane(i, &width, Some(&en), &value);
    });
    m.output("data_o", &out);
    m.finish()
}
