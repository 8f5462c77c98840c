//! A few bits out of a long word, from a place that is chosen at run time, and what lies above and below them.
//!
//! A shifter that keeps the whole word pays a multiplexer for every bit at every level. Here each level keeps only what the
//! levels after it may still reach, and folds the rest into one bit for each side: 48 bits to 11 take 51 multiplexers of
//! four inputs instead of 144.

use bitlathe_hdl::{Dim, Expr, Module, Wire, bit, lit, uint};

/// Bits of the shift amount.
pub const SHIFT_W: i64 = 6;

/// The window and its surroundings.
pub struct Window {
    /// WIDTH bits from the shift amount on.
    pub bits: Expr,
    /// A bit below the window is one.
    pub below: Expr,
    /// A bit above the window differs from the sign.
    pub above: Expr,
}

/// Bits of the word that [`window_shift`] needs above the window at shift 0.
pub const REACH: i64 = 64;

/// `width` bits of `word` from bit `shift` on, `shift` at most `largest` and 63. The word is named, is at least
/// `width + REACH` bits wide, and everything above its number is `sign`.
pub fn window_shift(m: &Module, word: &Expr, sign: &Expr, shift: &Expr, width: &Dim, largest: &Dim) -> Window {
    m.allow(shift, "UNUSEDSIGNAL", "levels beyond the largest shift are left out");
    let mut value = word.clone();
    let (mut below, mut above) = (lit(0, bit()), lit(0, bit()));
    for (name, step) in [("coarse", 16), ("middle", 4), ("fine", 1)] {
        let kept = width + (step - 1);
        let next = m.wire_later(&format!("{name}_window"), uint(&kept));
        let [dropped, cut_off] = ["below", "above"].map(|side| m.wire_later(&format!("{name}_{side}"), bit()));
        let flipped = m.wire(&format!("{name}_flipped"), &value.xor(sign.repeat(value.width())));
        m.allow(&flipped, "UNUSEDSIGNAL", "only what lies above the window counts");
        let level = Level { value: &value, flipped: &flipped, kept: &kept, step };
        let choose = || level.choose(shift, [&next, &dropped, &cut_off]);
        if step == 1 {
            choose();
        } else {
            let labels = [format!("g_{name}"), format!("g_no_{name}")];
            m.generate_if(largest.ge(step), [&labels[0], &labels[1]], choose, || {
                level.pass([&next, &dropped, &cut_off])
            });
        }
        below = m.wire(&format!("{name}_any_below"), &(below | &*dropped));
        above = m.wire(&format!("{name}_any_above"), &(above | &*cut_off));
        value = (*next).clone();
    }
    Window { bits: value, below, above }
}

struct Level<'a> {
    value: &'a Expr,
    flipped: &'a Expr,
    kept: &'a Dim,
    step: i64,
}

impl Level<'_> {
    /// Bits above the window at an offset, as one bit; none where the window ends the word.
    fn rest(&self, offset: i64) -> Expr {
        let rest = self.value.width() - self.kept - offset;
        if rest.value() < 1 { lit(0, bit()) } else { self.flipped.slice(self.kept + offset, rest).any() }
    }

    /// One of four windows.
    fn choose(&self, shift: &Expr, [next, below, above]: [&Wire; 3]) {
        let low = i64::from(self.step.trailing_zeros());
        let (fine, coarse) = (shift.bit(low), shift.bit(low + 1));
        let pick = |of: &dyn Fn(i64) -> Expr| {
            let pair = |k: i64| fine.select(of((k + 1) * self.step), of(k * self.step));
            coarse.select(pair(2), pair(0))
        };
        next.drive(pick(&|at| self.value.slice(at, self.kept)));
        let under = |at: i64| if at == 0 { lit(0, bit()) } else { self.value.slice(0, at).any() };
        below.drive(pick(&under));
        above.drive(pick(&|at| self.rest(at)));
    }

    /// The window at offset 0, where no shift reaches this level.
    fn pass(&self, [next, below, above]: [&Wire; 3]) {
        next.drive(self.value.slice(0, self.kept));
        below.drive(0);
        above.drive(self.rest(0));
    }
}
