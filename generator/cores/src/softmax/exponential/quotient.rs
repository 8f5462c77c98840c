//! Division of a difference by the octave: q whole octaves, r steps into the next.
//!
//! A fixed octave of few steps is divided digit by digit: a remainder and the next bits of the dividend are at most six bits, so
//! that a digit and its remainder are one look-up table a bit. Any other octave is subtracted or added, a bit of q a cycle.

use bitlathe_hdl::{Expr, Module, bit, clog2, concat, lit, uint};

use super::pipe::{Pipe, at_least};

/// Inputs of a look-up table.
const LUT_INPUTS: i64 = 6;

/// What a division leaves, not registered.
pub struct Quotient {
    /// The complement of q, 2^bits - 1 - q: what is left of the octaves.
    pub left: Expr,
    /// r.
    pub r: Expr,
    /// q reached its limit: q and r mean nothing.
    pub over: Expr,
}

/// Bits of numbers up to `n`.
pub fn bits_to(n: u64) -> i64 {
    i64::from(u64::BITS - n.leading_zeros())
}

/// Whether an octave is divided digit by digit.
pub fn has_digits(octave: u64) -> bool {
    clog2((octave >> octave.trailing_zeros()) as i64) < LUT_INPUTS
}

/// Divides `d` by a fixed octave; at `limit` octaves and where `far` is set it is over.
pub fn by_digits(p: &mut Pipe, d: Expr, far: Expr, octave: u64, limit: u64) -> Quotient {
    let even = i64::from(octave.trailing_zeros());
    let odd = octave >> even;
    let rest_bits = clog2(odd as i64);
    let over = p.m.wire("over", &(far | at_least(&d, limit * octave)));
    if odd == 1 {
        let (q, r) = (d.slice(even, d.width() - even), d.slice(0, even.max(1)));
        let r = if even > 0 { r } else { lit(0, bit()) };
        return Quotient { left: p.m.wire("left", &!q), r: p.m.wire("r", &r), over };
    }
    let (mut d, mut over) = (d, over);
    // The digits so far, the remainder, and how many bits of the dividend are left.
    let (mut q, mut rest, mut left): (Option<Expr>, Option<Expr>, i64) = (None, None, d.width().value() - even);
    let most = bits_to(limit - 1);
    let mut first = true;
    while left > 0 {
        if !first {
            p.advance();
            [d, over] = p.keep_all([("d", &d.slice(0, left + even).clone()), ("over", &over)]);
            (q, rest) = (q.map(|q| p.keep("left", &q)), rest.map(|r| p.keep("rest", &r)));
        }
        let taken = left.min(if first { LUT_INPUTS } else { LUT_INPUTS - rest_bits });
        let tag = if first { "first".to_owned() } else { format!("at_{}", left - taken) };
        left -= taken;
        let next = d.slice(left + even, taken);
        let m = &p.m;
        let dividend = m.wire(&format!("{tag}_dividend"), &rest.map_or(next.clone(), |r| concat(&[&r, &next])));
        let digit_bits = if first { (most - left).max(1) } else { taken };
        let digit = digit(m, &tag, &dividend, odd, digit_bits, rest_bits);
        q = Some(q.map_or(digit.0.clone(), |q| m.wire(&format!("{tag}_left"), &concat(&[&q, &digit.0]))));
        rest = digit.1;
        first = false;
    }
    let low = (even > 0).then(|| d.slice(0, even));
    let r = match (rest, low) {
        (Some(rest), Some(low)) => concat(&[&rest, &low]),
        (rest, low) => rest.or(low).unwrap_or_else(|| lit(0, bit())),
    };
    let left = q.unwrap_or_else(|| lit(1, bit()));
    Quotient { left, r: p.m.wire("r", &r), over }
}

/// Complement of a quotient digit and remainder of a dividend of at most six bits; no remainder where the divisor is 1.
fn digit(
    m: &Module,
    tag: &str,
    dividend: &Expr,
    divisor: u64,
    digit_bits: i64,
    rest_bits: i64,
) -> (Expr, Option<Expr>) {
    let values: Vec<u64> = (0..1u64 << dividend.width().value())
        .map(|v| ((!(v / divisor) % (1 << digit_bits)) << rest_bits) | (v % divisor))
        .collect();
    let word = m.rom(&format!("{tag}_digit"), dividend, digit_bits + rest_bits, &values);
    m.describe(&word, &format!("complement of the quotient by {divisor}, remainder"));
    let rest = (rest_bits > 0).then(|| word.slice(0, rest_bits));
    (m.wire(&format!("{tag}_quotient"), &word.slice(rest_bits, digit_bits)), rest)
}

/// Divides `d` by an octave of `octave.width()` bits, without restoring: each step adds or subtracts by the sign so far.
pub fn by_steps(p: &mut Pipe, d: &Expr, far: &Expr, octave: &Expr, limit: u64) -> Quotient {
    let q_bits = bits_to(limit);
    let octave_bits = octave.width().value();
    // d - octave·2^q_bits, whose sign says that d is near.
    let wide = (d.width().value()).max(octave_bits + q_bits) + 1;
    let m = &p.m;
    let whole = m.wire("d_wide", &concat(&[&lit(0, uint(wide - d.width().value())), d]));
    let top = concat(&[&lit(0, uint(wide - octave_bits - q_bits)), octave, &lit(0, uint(q_bits))]);
    let start = m.wire("start", &whole.wrapping_sub(&top));
    m.allow(
        &start,
        "UNUSEDSIGNAL",
        "a remainder that counts lies within one octave of the step, on either side of zero",
    );
    let mut over = m.wire("over", &(far | !start.msb()));
    let mut rest = m.wire("rest", &start.slice(0, octave_bits + q_bits + 1));
    let mut q: Option<Expr> = None;
    for k in (0..q_bits).rev() {
        p.advance();
        [rest, over] = p.keep_all([("rest", &rest), ("over", &over)]);
        q = q.map(|q| p.keep("left", &q));
        let m = &p.m;
        let negative = rest.msb();
        let upper = m.wire(&format!("upper_{k}"), &rest.slice(k, octave_bits + 1));
        // Adding ~octave + 1 subtracts it; the lowest bit makes that one.
        let subtract = m.wire(&format!("subtract_{k}"), &!negative);
        let operand = (concat(&[&lit(0, bit()), octave])) ^ subtract.repeat(octave_bits + 1);
        let sum = concat(&[&upper, &lit(1, bit())]).wrapping_add(concat(&[&operand, &subtract]));
        let sum = m.wire(&format!("sum_{k}"), &sum);
        m.allow(&sum, "UNUSEDSIGNAL", "the lowest bit only makes the carry");
        let next = sum.slice(1, octave_bits + 1);
        rest = m.wire(&format!("rest_at_{k}"), &if k > 0 { concat(&[&next, &rest.slice(0, k)]) } else { next });
        // The sign is the complement of the quotient's bit.
        let bit = rest.msb();
        q = Some(m.wire(&format!("left_at_{k}"), &q.map_or(bit.clone(), |q| concat(&[&q, &bit]))));
    }
    let left = q.unwrap_or_else(|| lit(1, bit()));
    p.advance();
    let [rest, over, left] = p.keep_all([("rest", &rest), ("over", &over), ("left", &left)]);
    let m = &p.m;
    let correction = octave & rest.msb().repeat(octave_bits);
    let r = m.wire("r", &rest.slice(0, octave_bits).wrapping_add(correction));
    let over = m.wire("over_all", &(over | !at_least(&left, (1 << q_bits) - limit)));
    Quotient { left, r, over }
}
