//! The registers of a lane, stage by stage, and the difference that every lane begins with.

use bitlathe_hdl::{Clock, Expr, Index, Module, Wire, bit, concat, lit, sint, uint};

use crate::Cost;

/// A lane under construction, and how many registers lie behind its inputs.
pub struct Pipe {
    /// The lane.
    pub m: Module,
    ck: Clock,
    en: Expr,
    stage: i64,
}

/// A difference that is below a power of two, or the word that it is not.
pub struct Near {
    /// The difference modulo that power.
    pub low: Expr,
    /// It is not below.
    pub far: Expr,
}

impl Pipe {
    /// An empty lane with clock and enable.
    pub fn new(name: &str, doc: &str) -> Self {
        let m = Module::new(name);
        m.doc(doc);
        let (ck, en) = (m.clock(), m.input("en_i", bit()));
        Self { m, ck, en, stage: 0 }
    }

    /// Registers in a path so far.
    pub fn latency(&self) -> i64 {
        self.stage
    }

    /// The registers that follow belong to the next stage.
    pub fn advance(&mut self) {
        self.stage += 1;
    }

    /// A value in a register of this stage.
    pub fn keep(&self, name: &str, value: &Expr) -> Expr {
        let q = self.ck.reg(&format!("{name}_{}_q", self.stage), value.ty().clone());
        q.next_when(&self.en, value);
        (*q).clone()
    }

    /// Several.
    pub fn keep_all<const N: usize>(&self, values: [(&str, &Expr); N]) -> [Expr; N] {
        values.map(|(name, value)| self.keep(name, value))
    }

    /// `count` values of `width` bits in a register of this stage.
    pub fn keep_lanes(&self, name: &str, count: i64, width: i64, value: impl FnOnce(&Index) -> Expr) -> Expr {
        let q = self.ck.reg(&format!("{name}_{}_q", self.stage), uint(count * width));
        self.m.generate_for(&format!("g_{name}"), count, |i| {
            q.next_lane(i, &width.into(), Some(&self.en), &value(i));
        });
        (*q).clone()
    }

    /// The lane's elements: x_i, and max_i which is not below it; with `octave` the maximum has a bit more.
    fn elements(&self, in_bits: i64, octave: bool) -> (Expr, Expr) {
        let w = self.m.param("IN_W", in_bits, 4..=32, "bits of an element");
        // Yosys 0.70 refuses a signed port of a single lane, whose slice is the whole of the lanes' unsigned vector.
        let x = self.m.input("x_i", uint(&w));
        self.m.describe(&x, "signed");
        let max = self.m.input("max_i", sint(&w + i64::from(octave)));
        self.m.describe(&max, "not below x_i");
        (self.m.wire("x", &x.as_signed()), max)
    }

    /// max - x where it has at most `near` bits, registered.
    pub fn near_difference(&mut self, in_bits: i64, octave: bool, near: i64) -> Near {
        let (x, max) = self.elements(in_bits, octave);
        self.near(&x, &max, near)
    }

    /// max + more - x where it has at most `near` bits, registered.
    pub fn near_difference_and(&mut self, more: i64, in_bits: i64, octave: bool, near: i64) -> Near {
        let (x, max) = self.elements(in_bits, octave);
        let wide = max.width() + 1;
        let more = lit(more, sint(&wide));
        let max = self.m.wire("max_and_more", &max.extend(&wide).wrapping_add(&more));
        self.near(&x, &max, near)
    }

    /// A difference is not negative and needs no bit for a sign.
    fn near(&mut self, x: &Expr, max: &Expr, near: i64) -> Near {
        self.advance();
        let (low, far) = (self.m.wire_later("low", uint(near)), self.m.wire_later("far", bit()));
        let wide = max.width().clone();
        self.m.generate_if(
            wide.gt(near + 2),
            ["g_cut", "g_whole"],
            || self.cut(x, max, near, [&low, &far]),
            || self.whole(x, max, near, [&low, &far]),
        );
        Near { low: self.keep("d", &low), far: (*far).clone() }
    }

    /// The difference, which has hardly more bits than count.
    fn whole(&self, x: &Expr, max: &Expr, near: i64, [low, far]: [&Wire; 2]) {
        let (m, wide) = (&self.m, max.width());
        let x = if x.width() == wide { x.clone() } else { x.extend(wide) };
        let difference = m.wire("difference", &max.wrapping_sub(&x).as_unsigned());
        let padded = m.wire("difference_wide", &concat(&[&lit(0, uint(near)), &difference]));
        low.drive(padded.slice(0, near));
        far.drive(self.keep("far", &padded.slice(near, wide).any()));
    }

    /// Only the low bits are subtracted. Above them x must be the maximum, or one less where they borrow.
    fn cut(&self, x: &Expr, max: &Expr, near: i64, [low, far]: [&Wire; 2]) {
        let m = &self.m;
        let pairs = m.localparam("PAIRS", (max.width() - near).div(2) + 1);
        let all = m.localparam("WIDE_W", 2 * &pairs + near);
        let (max, x) = (m.wire("max_wide", &max.extend(&all)), m.wire("x_wide", &x.extend(&all)));
        let below = |v: &Expr| concat(&[&lit(0, bit()), &v.slice(0, near)]);
        let difference = m.wire("low_difference", &below(&max).wrapping_sub(below(&x)));
        let borrow = m.wire("borrow", &difference.bit(near));
        low.drive(difference.slice(0, near));
        m.comment("Above, x is the maximum, or one less where the low bits borrow. The one goes through zero bits.");
        m.comment("Which pairs of bits it reaches is the same for all lanes, so that two bits of x take one LUT.");
        let upper = m.wire("upper", &concat(&[&max.slice(near, 2 * &pairs), &lit(0, bit())]));
        let alike = m.wire_later("alike", uint(&pairs));
        m.generate_for("g_pair", &pairs, |p| {
            let ripple = m.wire("ripple", &(&borrow & !upper.slice(0, 2 * p + 1).any()));
            let (b0, b1) = (upper.bit(2 * p + 1), upper.bit(2 * p + 2));
            let expected = concat(&[&(b1 ^ (&ripple & !&b0)), &(b0 ^ &ripple)]);
            alike.drive_part(p, 1, &x.slice(2 * p + near, 2).eq_to(expected));
        });
        // Registered one by one: put together in the same cycle, they would be mapped for speed instead of size.
        far.drive(!self.keep("alike", &alike).all());
    }
}

/// Cost of a difference of `wide` bits of which `near` count.
pub fn difference_cost(wide: i64, near: i64) -> Cost {
    if wide <= near + 2 {
        return Cost::logic((wide + 1) as f64, (wide.min(near) + (wide - near).clamp(0, 1)) as f64);
    }
    // A LUT for a pair, and the pairs put together; which of them the borrow reaches is shared between lanes.
    let pairs = (wide - near) / 2 + 1;
    Cost::logic((near + 1) as f64 + 1.5 * pairs as f64, (near + pairs) as f64)
}

/// value ≥ bound in gates: a comparison would take a carry chain.
pub fn at_least(value: &Expr, bound: u64) -> Expr {
    let bits = value.width().value();
    if bound >> bits != 0 {
        return lit(0, bit());
    }
    let Some(first) = (0..bits).find(|i| bound >> i & 1 == 1) else { return lit(1, bit()) };
    (first + 1..bits).fold(value.bit(first), |all, i| match bound >> i & 1 {
        1 => value.bit(i) & all,
        _ => value.bit(i) | all,
    })
}
