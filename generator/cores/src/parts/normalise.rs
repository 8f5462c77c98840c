//! Leading zeros of a vector, and the vector without them: a cascade of conditional shifts by powers of two.

use bitlathe_hdl::{Expr, Module, clog2, concat, lit, uint};

/// Number of leading zeros of a named vector, at most `limit`, and the vector shifted left by them. The number is read
/// as `limit` where the vector is zero and `limit` is one less than a power of two or than the width.
pub fn normalise(m: &Module, tag: &str, value: &Expr, limit: i64) -> (Expr, Expr) {
    let width = value.width().clone();
    let mut moved = value.clone();
    let mut bits: Vec<Expr> = vec![];
    let mut reached = 0;
    let mut step = 1i64 << (clog2(limit + 1) - 1);
    while step > 0 {
        let empty = !moved.slice(&width - step, step).any();
        // Only all steps before together leave no room for this one below the limit.
        let free = match bits.iter().cloned().reduce(|a, b| a & b) {
            Some(all) if reached + step > limit => empty & !all,
            _ => empty,
        };
        let free = m.wire(&format!("{tag}_by_{step}"), &free);
        let shifted = concat(&[&moved.slice(0, &width - step), &lit(0, uint(step))]);
        moved = m.wire(&format!("{tag}_shifted_{step}"), &free.select(&shifted, &moved));
        bits.push(free);
        reached += step;
        step /= 2;
    }
    let all: Vec<&Expr> = bits.iter().collect();
    (m.wire(&format!("{tag}_zeros"), &concat(&all)), moved)
}
