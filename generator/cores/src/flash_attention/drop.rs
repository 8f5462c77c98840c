//! half-up(x / 2^drop) + more in three look-up tables a bit: a choice among four shifts, another, and one among three in the table of
//! the addition, which has room for that (three values, two bits that choose, the addend).

use bitlathe_hdl::{Expr, Module, lit, uint};
use bitlathe_spec::Family;

use super::hardware::DROP_BITS;
use crate::parts::carry::{adder_lut, implementation};
use crate::parts::memory::select_lut;
use crate::parts::sign::widen;

/// Places of the three choices: 12·a + 3·b + c with a = 0..4, b = 0..3, c = 0..2.
const COARSE: i64 = 12;
const MIDDLE: i64 = 3;
/// Bits of a (a flag for 4, else two), b and c.
pub const STEP_BITS: i64 = 7;
/// Bits of c.
pub const FINE_BITS: i64 = 2;
/// The largest shift: it leaves nothing of a number of so many bits.
pub const MOST: i64 = 4 * COARSE + 3 * MIDDLE + 2;
/// Bits of a number, with the half below it, of which a shift by 4·12 leaves nothing but signs.
const NEAR: i64 = 4 * COARSE;

/// c, b and a of every drop, c lowest. For a = 4 the flag is set, and the bits beside it are those of 3.
pub fn decoded(m: &Module, drop: &Expr) -> Expr {
    let word = |drop: i64| {
        let drop = drop.min(MOST);
        let (a, rest) = (drop / COARSE, drop % COARSE);
        let (a, rest) = if a > 4 { (4, drop - 4 * COARSE) } else { (a, rest) };
        (rest % MIDDLE + ((rest / MIDDLE) << 2) + (a.min(3) << 4) + (i64::from(a == 4) << 6)) as u64
    };
    m.rom("steps", drop, STEP_BITS, &(0..1 << DROP_BITS).map(word).collect::<Vec<_>>())
}

/// A value moved down by `places` for each value of `choice`, two bits: a look-up table a bit.
pub fn chosen(m: &Module, name: &str, value: &Expr, places: i64, choice: &Expr) -> Expr {
    let choice = m.wire(&format!("{name}_choice"), choice);
    let moved = |n: i64| value.shr(&lit(places * n, uint(DROP_BITS))).as_unsigned();
    // One after the other: of a tree synthesis would share the halves between bits, which are two tables a bit then.
    let chosen = (0..3).rev().fold(moved(3), |rest, n| choice.eq_to(n).select(moved(n), &rest));
    m.wire(name, &if value.ty().signed { chosen.as_signed() } else { chosen })
}

/// x with the bit below it, signed, moved down by 12·a + 3·b.
pub fn coarse(m: &Module, halves: &Expr, steps: &Expr) -> Expr {
    let w = halves.width();
    // Room for every shift.
    let wide = w.larger(3 * COARSE + 1);
    let x = m.wire("halves_wide", &widen(m, "halves_signs", halves, &wide).as_signed());
    let first = chosen(m, "by_12", &x, COARSE, &steps.slice(4, 2));
    let far = steps.bit(6);
    let near = m.wire_later("near", uint(&wide));
    // Above the low bits a shift by 36 leaves the sign, as one by 48 does.
    let low = &wide - 3 * COARSE;
    m.generate_if(
        w.gt(NEAR),
        ["g_far", "g_near"],
        || {
            let fifth = m.wire("by_48", &x.shr(&lit(4 * COARSE, uint(DROP_BITS))));
            m.allow(&fifth, "UNUSEDSIGNAL", "above the low bits it is the sign");
            near.drive_part(0, &low, &far.select(fifth.slice(0, &low), first.slice(0, &low)));
            near.drive_part(&low, &wide - &low, &first.slice(&low, &wide - &low));
        },
        || near.drive(first.as_unsigned()),
    );
    let near = m.wire("near_signed", &near.as_signed());
    let all = chosen(m, "by_3", &near, MIDDLE, &steps.slice(2, 2));
    m.allow(&all, "UNUSEDSIGNAL", "a narrow number has more copies of its sign");
    all.slice(0, w)
}

/// x + more, where the last places of x are `fine`.
pub fn sum(m: &Module, kept: &Expr, fine: &Expr, more: &Expr) -> Expr {
    let moved = |n: i64| kept.shr(&lit(n, uint(FINE_BITS))).as_unsigned();
    let x = fine.bit(1).select(moved(2), fine.bit(0).select(moved(1), moved(0)));
    // The addend comes first: it goes onto the carry chain past the table.
    m.wire("total", &more.wrapping_add(&x))
}

/// LUTs of a total of `width` bits: the table of the steps, two choices, the addition with the third, on families whose tables have no room
/// for that beside it.
pub fn lut(width: i64, family: Family) -> f64 {
    let bits = width + 1;
    let sum = if implementation(family) != 0 { 0.0 } else { bits as f64 * select_lut(family, 3) };
    let far = if bits > NEAR { bits - 3 * COARSE } else { 0 };
    (STEP_BITS + far) as f64 + 2.0 * bits as f64 * select_lut(family, 4) + sum + adder_lut(family, bits)
}
