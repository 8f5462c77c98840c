//! Leading zeros of a vector, and the vector without them: a cascade of conditional shifts by powers of two.
//!
//! Not a module of its own but logic inside one: combinational, `clog2(limit + 1)` levels of a zero test and a multiplexer.

use bitlathe_hdl::{Expr, Module, clog2, concat, lit, uint};
use bitlathe_spec::Family;

use crate::Cost;

/// Number of leading zeros of a named vector, at most `limit` (less than its width), and the vector shifted left by them.
pub fn normalise(m: &Module, tag: &str, value: &Expr, limit: i64) -> (Expr, Expr) {
    let width = value.width().clone();
    let mut moved = value.clone();
    let mut bits: Vec<Expr> = vec![];
    // Steps so far that the number `limit` takes too.
    let mut in_limit: Vec<Expr> = vec![];
    let mut step = 1i64 << (clog2(limit + 1) - 1);
    while step > 0 {
        let empty = !moved.slice(&width - step, step).any();
        // Where the limit skips this step, only a number that is already below the limit may take it.
        let free = match in_limit.iter().cloned().reduce(|a, b| a & b) {
            Some(all) if limit & step == 0 => empty & !all,
            _ => empty,
        };
        let free = m.wire(&format!("{tag}_by_{step}"), &free);
        let shifted = concat(&[&moved.slice(0, &width - step), &lit(0, uint(step))]);
        moved = m.wire(&format!("{tag}_shifted_{step}"), &free.select(&shifted, &moved));
        if limit & step != 0 {
            in_limit.push(free.clone());
        }
        bits.push(free);
        step /= 2;
    }
    let all: Vec<&Expr> = bits.iter().collect();
    (m.wire(&format!("{tag}_zeros"), &concat(&all)), moved)
}

/// Cost: for every step a multiplexer a bit and a zero test of the step's bits.
pub fn cost(width: i64, limit: i64, _: Family) -> Cost {
    let levels = clog2(limit + 1);
    // Where zeros are shifted in, a bit has fewer inputs.
    Cost { lut: (width * levels) as f64 * 0.85 + (limit as f64 / 5.0).ceil(), ..Cost::default() }
}
