//! Pipelined sum of several unsigned values.
//!
//! Ports `values_i` (value 0 lowest) and `sum_o`; one set of values a cycle, latency `clog2(TERMS)`. No enable, no handshake.

use std::rc::Rc;

use bitlathe_hdl::{Module, Unit, clog2, uint};
use bitlathe_spec::Family;

use crate::Cost;

/// Cycles from the values to their sum: one a level.
pub fn latency(terms: i64) -> i64 {
    clog2(terms)
}

/// The tree: a register after every level of adders, one sum a cycle. The values have room for the sum of all.
pub fn sum_tree(terms: i64, width: i64) -> Rc<Unit> {
    let m = Module::new("sum_tree");
    m.doc("Sum of TERMS unsigned values modulo 2^WIDTH, one level of adders a cycle: latency $clog2(TERMS) cycles.");
    let n = m.param("TERMS", terms, 1..=256, "values");
    let w = m.param("WIDTH", width, 1..=64, "bits of a value and of the sum");
    let ck = m.clock();
    let values = m.input("values_i", uint(&n * &w));
    let out = m.output_wire("sum_o", uint(&w));
    m.allow(&m.clock_value(&ck), "UNUSEDSIGNAL", "the last instance has no register");
    let level = || {
        let next = m.localparam("NEXT", n.ceil_div(2));
        let whole = m.localparam("WHOLE", n.div(2));
        let sums = ck.reg("sums_q", uint(&next * &w));
        m.generate_for("g_pair", &whole, |i| {
            let sum = values.lane(2 * i, &w).wrapping_add(values.lane(2 * i + 1, &w));
            sums.next_lane(i, &w, None, &sum);
        });
        m.generate_if(
            next.gt(&whole),
            ["g_odd", "g_even"],
            || sums.next_lane(&whole, &w, None, &values.lane(2 * &whole, &w)),
            || {},
        );
        m.recursive_instance("u_rest")
            .param("TERMS", next)
            .param("WIDTH", &w)
            .clock(&ck)
            .input("values_i", &sums)
            .output("sum_o", &out)
            .done();
    };
    m.generate_if(n.gt(1), ["g_level", "g_leaf"], level, || out.drive(values.slice(0, &w)));
    m.finish()
}

/// Cost: an adder for every pair.
pub fn cost(terms: i64, width: i64, _: Family) -> Cost {
    let (mut n, mut registers) = (terms, 0);
    while n > 1 {
        n = (n + 1) / 2;
        registers += n * width;
    }
    Cost { lut: ((terms - 1) * width) as f64, ff: registers as f64, ..Cost::default() }
}
