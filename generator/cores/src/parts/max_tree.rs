//! Pipelined maximum of several unsigned values.

use std::rc::Rc;

use bitlathe_hdl::{Module, Unit, clog2, uint};
use bitlathe_spec::Family;

use crate::Cost;

/// Cycles from the values to their maximum: one a level.
pub fn latency(terms: i64) -> i64 {
    clog2(terms)
}

/// The tree: a register after every level of comparisons, one maximum a cycle.
pub fn max_tree(terms: i64, width: i64) -> Rc<Unit> {
    let m = Module::new("max_tree");
    m.doc("Largest of TERMS unsigned values, one level of comparisons a cycle: latency $clog2(TERMS) cycles.");
    let n = m.param("TERMS", terms, 1..=256, "values");
    let w = m.param("WIDTH", width, 1..=64, "bits of a value");
    let ck = m.clock();
    let values = m.input("values_i", uint(&n * &w));
    let out = m.output_wire("max_o", uint(&w));
    m.allow(&m.clock_value(&ck), "UNUSEDSIGNAL", "the last instance has no register");
    let level = || {
        let next = m.localparam("NEXT", n.ceil_div(2));
        let whole = m.localparam("WHOLE", n.div(2));
        let larger = ck.reg("larger_q", uint(&next * &w));
        m.generate_for("g_pair", &whole, |i| {
            let a = m.wire("a", &values.lane(2 * i, &w));
            let b = m.wire("b", &values.lane(2 * i + 1, &w));
            larger.next_lane(i, &w, None, &a.gt(&b).select(&a, &b));
        });
        m.generate_if(
            next.gt(&whole),
            ["g_odd", "g_even"],
            || larger.next_lane(&whole, &w, None, &values.lane(2 * &whole, &w)),
            || {},
        );
        m.recursive_instance("u_rest")
            .param("TERMS", next)
            .param("WIDTH", &w)
            .clock(&ck)
            .input("values_i", &larger)
            .output("max_o", &out)
            .done();
    };
    m.generate_if(n.gt(1), ["g_level", "g_leaf"], level, || out.drive(values.slice(0, &w)));
    m.finish()
}

/// Cost: a comparator and a multiplexer for every pair.
pub fn cost(terms: i64, width: i64, family: Family) -> Cost {
    let compare = match family {
        // A comparison on the carry chain takes two bits a look-up table, half of them twice.
        Family::Xcup | Family::Xc7 => 0.75,
        Family::Ecp5 | Family::Ice40 => 1.0,
    };
    let pairs = (terms - 1) as f64;
    let (mut n, mut registers) = (terms, 0);
    while n > 1 {
        n = (n + 1) / 2;
        registers += n * width;
    }
    Cost { lut: pairs * width as f64 * (1.0 + compare), ff: registers as f64, ..Cost::default() }
}
