//! `exp-table` and `base2`: e of a difference from a table, 0 beyond it.

use std::rc::Rc;

use bitlathe_hdl::{Module, Unit, bit, clog2, concat, lit, sint, uint};

/// Cycles from an element to its exponential.
pub const LATENCY: i64 = 2;

/// A lane with its table. With `octave` the maximum is in steps but may lie above all elements, and has a bit more.
pub fn lane(name: &str, values: &[u64], e_bits: i64, in_bits: i64, octave: bool) -> Rc<Unit> {
    let m = Module::new(name);
    m.doc("e = T[max - x], 0 beyond the table, two enabled cycles.");
    let w = m.param("IN_W", in_bits, 4..=32, "bits of an element");
    let (ck, en) = (m.clock(), m.input("en_i", bit()));
    let x = m.input("x_i", sint(&w));
    let wide = &w + i64::from(octave);
    let max = m.input("max_i", sint(&wide));
    m.describe(&max, "not below x_i");
    let index = clog2(values.len() as i64);
    // It cannot be negative and needs no bit for a sign.
    let x = if octave { x.extend(&wide) } else { x };
    let difference = m.wire("difference", &max.wrapping_sub(x).as_unsigned());
    let d = ck.reg("d_q", uint(index));
    let e = ck.reg("e_q", uint(e_bits));
    let value = m.rom("value", &d, e_bits, values);
    m.generate_if(
        wide.gt(index),
        ["g_clamp", "g_whole"],
        || {
            let far = ck.reg("far_q", bit());
            far.next_when(&en, difference.slice(index, &wide - index).any());
            d.next_when(&en, difference.slice(0, index));
            e.next_when(&en, far.select(0, &value));
        },
        || {
            let padded = m.wire("padded", &concat(&[&lit(0, uint(index)), &difference]));
            m.allow(&padded, "UNUSEDSIGNAL", "zeros");
            d.next_when(&en, padded.slice(0, index));
            e.next_when(&en, &value);
        },
    );
    m.output("e_o", &e);
    m.finish()
}
