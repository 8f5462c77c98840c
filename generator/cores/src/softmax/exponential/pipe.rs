//! The registers of a lane, stage by stage, and the difference that every lane begins with.

use bitlathe_hdl::{Clock, Dim, Expr, Module, bit, concat, lit, sint, uint};

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

    /// The lane's elements: x_i, and max_i which is not below it; with `octave` the maximum has a bit more.
    fn elements(&self, in_bits: i64, octave: bool) -> (Expr, Expr, Dim) {
        let w = self.m.param("IN_W", in_bits, 4..=32, "bits of an element");
        let wide = &w + i64::from(octave);
        let (x, max) = (self.m.input("x_i", sint(&w)), self.m.input("max_i", sint(&wide)));
        self.m.describe(&max, "not below x_i");
        (x, max, wide)
    }

    /// max - x, all of it. It is not negative and needs no bit for a sign.
    pub fn difference(&mut self, in_bits: i64) -> Expr {
        let (x, max, _) = self.elements(in_bits, false);
        let d = self.m.wire("difference", &max.wrapping_sub(x).as_unsigned());
        self.advance();
        self.keep("d", &d)
    }

    /// max - x where it has at most `near` bits, registered.
    pub fn near_difference(&mut self, in_bits: i64, octave: bool, near: i64) -> Near {
        let (x, max, wide) = self.elements(in_bits, octave);
        self.advance();
        let m = &self.m;
        let (low, far) = (m.wire_later("low", uint(near)), m.wire_later("far", bit()));
        let cut = || {
            let pairs = m.localparam("PAIRS", (&wide - near).div(2) + 1);
            let all = m.localparam("WIDE_W", 2 * &pairs + near);
            let (max, x) = (m.wire("max_wide", &max.extend(&all)), m.wire("x_wide", &x.extend(&all)));
            let below = |v: &Expr| concat(&[&lit(0, bit()), &v.slice(0, near)]);
            let difference = m.wire("difference", &below(&max).wrapping_sub(below(&x)));
            let borrow = m.wire("borrow", &difference.bit(near));
            low.drive(difference.slice(0, near));
            m.comment("Near: above, x is the maximum, or one less where the low bits borrow. Two bits fit one LUT:");
            m.comment("a pair changes where all pairs below it are zero.");
            let upper = m.wire("upper", &concat(&[&max.slice(near, 2 * &pairs), &lit(0, bit())]));
            let alike = m.wire_later("alike", uint(&pairs));
            m.generate_for("g_pair", &pairs, |p| {
                let ripple = m.wire("ripple", &(&borrow & !upper.slice(0, 2 * p + 1).any()));
                let (b0, b1) = (upper.bit(2 * p + 1), upper.bit(2 * p + 2));
                let expected = concat(&[&(b1 ^ (&ripple & !&b0)), &(b0 ^ &ripple)]);
                alike.drive_part(p, 1, &x.slice(2 * p + near, 2).eq_to(expected));
            });
            far.drive(!alike.all());
        };
        let whole = || {
            let x = if octave { x.extend(&wide) } else { x.clone() };
            let difference = m.wire("whole_difference", &max.wrapping_sub(x).as_unsigned());
            let padded = m.wire("padded", &concat(&[&lit(0, uint(near)), &difference]));
            m.allow(&padded, "UNUSEDSIGNAL", "zeros");
            low.drive(padded.slice(0, near));
            far.drive(0);
        };
        m.generate_if(wide.gt(near), ["g_cut", "g_whole"], cut, whole);
        Near { low: self.keep("d", &low), far: self.keep("far", &far) }
    }
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
