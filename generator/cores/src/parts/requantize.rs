//! One lane of the requantizer: multiply, shift with rounding, add the zero point, saturate. All five rounding names.
//!
//! The product is cut at the shift; what lies below is one round bit and one sticky bit, and the names differ in when they
//! add one. Stochastic rounding instead adds a random fraction of 16 bits below the cut and takes its carry. The rounding
//! is the carry into the addition of the zero point, so it costs no adder.
//!
//! Ports: `acc_i`, `mult_i`, `zp_i`, with a run-time shift `shift_i`, with stochastic rounding `random_i`, with planes `take_i`
//! and `add_i`. `en_i` advances all stages; every input reaches `y_o` after [`LATENCY`] enabled cycles. No handshake: the caller's
//! valid bits go along outside.

use std::rc::Rc;

use bitlathe_hdl::{Clock, Dim, Expr, Module, Unit, bit, concat, lit, sint, uint};
use bitlathe_spec::{Family, Rounding};

use crate::Cost;

/// Cycles from an accumulator to its output.
pub const LATENCY: i64 = 3;

/// How far the product is shifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// Fixed at generation.
    Constant(i64),
    /// An input between two bounds.
    Range(i64, i64),
}

impl Shift {
    /// Largest shift.
    pub fn largest(self) -> i64 {
        match self {
            Self::Constant(s) => s,
            Self::Range(_, hi) => hi,
        }
    }
}

/// A lane's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequantizeLane {
    /// Bits of the accumulator.
    pub acc_bits: i64,
    /// Constant or run-time shift.
    pub shift: Shift,
    /// Rounding name.
    pub rounding: Rounding,
    /// Bits of the output.
    pub out_bits: i64,
    /// Symmetric saturation.
    pub narrow: bool,
    /// With two planes the products of two accumulators are added before the rounding.
    pub planes: i64,
}

impl RequantizeLane {
    /// Name of the module: everything structural is in it.
    fn name(&self) -> String {
        let mut name = format!("requantize_{}", self.rounding.name().replace('-', "_"));
        for (set, tag) in [
            (matches!(self.shift, Shift::Range(..)), "_shift"),
            (self.planes == 2, "_planes"),
            (self.narrow, "_narrow"),
        ] {
            if set {
                name += tag;
            }
        }
        name
    }

    /// The lane.
    pub fn unit(&self) -> Rc<Unit> {
        let m = Module::new(&self.name());
        m.doc(
            "Requantizer lane: y = saturate(round(acc * mult / 2^shift) + zero point), latency 3 enabled cycles.\n\
             With planes, add_i adds the product of the accumulator taken before.",
        );
        let acc = m.param("ACC_W", self.acc_bits, 4..=40, "bits of the accumulator");
        let out = m.param("OUT_W", self.out_bits, 2..=16, "bits of the output");
        let s = match self.shift {
            Shift::Constant(s) => m.param("SHIFT", s, 0..=47, "shift of the product"),
            Shift::Range(_, hi) => m.param("SHIFT_MAX", hi, 0..=47, "largest shift of the product"),
        };
        let (ck, en) = (m.clock(), m.input("en_i", bit()));
        let product = self.product(&m, &ck, &en, &acc);
        let zp = m.input("zp_i", sint(8));
        let zp_q = ck.reg("zp_q", sint(8));
        zp_q.next_when(&en, &zp);
        let (whole, up) = self.cut(&m, &ck, &en, &product, &s);
        let y = self.saturate(&m, &ck, &en, &whole, &up, &zp_q, &out);
        m.output("y_o", &y);
        m.finish()
    }

    /// First stage: the product, and with planes the sum of two.
    fn product(&self, m: &Module, ck: &Clock, en: &Expr, acc: &Dim) -> Expr {
        let a = m.input("acc_i", sint(acc));
        let mult = m.input("mult_i", uint(16));
        let product = ck.reg("product_q", sint(acc + 17 + i64::from(self.planes == 2)));
        let exact = m.wire("exact", &(&a * &mult));
        if self.planes == 2 {
            let (take, add) = (m.input("take_i", bit()), m.input("add_i", bit()));
            m.describe(&take, "acc_i is valid; the product waits for its partner");
            let kept = add.select(&*product, 0);
            let sum = kept.wrapping_add(exact.extend(product.width()));
            product.next_when(&m.wire("take", &(en & &take)), sum);
        } else {
            product.next_when(en, &exact);
        }
        (*product).clone()
    }

    /// The product above the cut, and whether its rounding adds one.
    fn cut(&self, m: &Module, ck: &Clock, en: &Expr, product: &Expr, s: &Dim) -> (Expr, Expr) {
        let stochastic = self.rounding == Rounding::Stochastic;
        // Fraction bits kept below the cut: 16 meet the random ones; otherwise all, so that the sticky bit misses nothing.
        let below = if stochastic { Dim::from(16) } else { s + 2 };
        let zeros = lit(0, uint(&below));
        let sign = product.msb().repeat(s + 1);
        let fixed = m.wire("fixed", &concat(&[&sign, product, &zeros]));
        m.allow(&fixed, "UNUSEDSIGNAL", "bits far above or below the cut");
        let width = product.width() + &below;
        let shifted = match self.shift {
            Shift::Constant(_) => m.wire("shifted", &fixed.slice(s, &width)),
            Shift::Range(..) => {
                let shift = m.input("shift_i", uint(6));
                let q = ck.reg("shift_q", uint(6));
                q.next_when(en, &shift);
                let signed = m.wire("signed_fixed", &fixed.as_signed());
                let moved = m.wire("moved", &signed.shr(&q));
                m.allow(&moved, "UNUSEDSIGNAL", "copies of the sign");
                m.wire("shifted", &moved.slice(0, &width))
            }
        };
        let whole = m.wire("whole", &shifted.slice(&below, product.width()));
        let half = shifted.bit(&below - 1);
        let sticky = shifted.slice(0, &below - 1).any();
        let up = match self.rounding {
            Rounding::HalfUp => half,
            Rounding::HalfEven => half & (sticky | whole.bit(0)),
            Rounding::HalfAway => half & (sticky | !whole.msb()),
            Rounding::Floor => {
                m.allow(&shifted, "UNUSEDSIGNAL", "the fraction is dropped");
                lit(0, bit())
            }
            Rounding::Stochastic => {
                let random = m.input("random_i", uint(16));
                let r = ck.reg("random_q", uint(16));
                r.next_when(en, &random);
                let sum = m.wire("fraction_sum", &(shifted.slice(0, 16) + &*r));
                m.allow(&sum, "UNUSEDSIGNAL", "only its carry counts");
                sum.msb()
            }
        };
        (whole, m.wire("round_up", &up))
    }

    /// Second stage: a sum biased by 2^(OUT_W-1), whose lower bound is zero, so that a synchronous reset clamps it there.
    /// Third stage: the upper bound, by a synchronous set. Neither costs a multiplexer.
    #[allow(clippy::too_many_arguments)]
    fn saturate(&self, m: &Module, ck: &Clock, en: &Expr, whole: &Expr, up: &Expr, zp: &Expr, out: &Dim) -> Expr {
        // Beyond this many bits no zero point brings a value back into the output's range.
        let near = m.localparam("NEAR_W", out.larger(8) + 2);
        let wide = m.wire("wide", &concat(&[&whole.msb().repeat(&near), whole]));
        let above = m.wire("above", &wide.slice(&near - 1, whole.width() + 1));
        let far = m.wire("far", &!(above.all() | !above.any()));
        let biased_zp = biased(m, zp, out, &near);
        let nearby = m.wire("nearby", &wide.slice(0, &near).as_signed());
        let carry = m.wire("carry", &concat(&[&lit(0, bit()), up]).as_signed());
        let sum = m.wire("sum", &(&nearby + &biased_zp).extend(&near + 2).wrapping_add(carry.extend(&near + 2)));
        let least = i64::from(self.narrow);
        let negative = if self.narrow { m.wire("negative", &(sum.msb() | !sum.any())) } else { sum.msb() };
        let under = m.wire("under", &far.select(whole.msb(), &negative));
        let beyond = m.wire("beyond", &sum.slice(out, &near + 2 - out));
        let over = m.wire("over", &far.select(!whole.msb(), !sum.msb() & beyond.any()));
        let clamped = ck.reg("clamped_q", uint(out));
        clamped.next_when(en, under.select(lit(least, uint(out)), sum.slice(0, out)));
        let over_q = ck.reg("over_q", bit());
        over_q.next_when(en, &over);
        let unbiased = concat(&[&!clamped.msb(), &clamped.slice(0, out - 1)]);
        let most = concat(&[&lit(0, bit()), &lit(-1, sint(out - 1)).as_unsigned()]);
        let y = ck.reg("y_q", sint(out));
        y.next_when(en, over_q.select(&most, &unbiased).as_signed());
        (*y).clone()
    }

    /// Cost of one lane.
    pub fn cost(&self, family: Family) -> Cost {
        let (out, range) = (self.out_bits as f64, matches!(self.shift, Shift::Range(..)));
        let product = (self.acc_bits + 17 + i64::from(self.planes == 2)) as f64;
        let near = out.max(8.0) + 2.0;
        let whole = product - if range { 0.0 } else { self.shift.largest() as f64 };
        // A sum, the test of the bits far above it, the bounds, and a second sum where the bias is no flipped bit.
        let saturation = near + ((whole - near) / 5.0).ceil().max(0.0) + 3.0 + if out < 8.0 { near + 4.0 } else { 0.0 };
        let (multiplier, dsp) = self.multiplier(family);
        let dropped = if range { 0.0 } else { self.dropped() };
        let random = if self.rounding == Rounding::Stochastic { 16.0 } else { 0.0 };
        Cost {
            lut: multiplier + saturation + self.rounding_lut() + self.shifter_lut(product),
            ff: product - dropped + 8.0 + 2.0 * out + 1.0 + if range { 6.0 } else { 0.0 } + random,
            dsp,
            ..Cost::default()
        }
    }

    /// Product bits below a constant shift that no rounding looks at, and that are therefore never stored.
    fn dropped(&self) -> f64 {
        let shift = self.shift.largest();
        let dropped = match self.rounding {
            Rounding::HalfEven | Rounding::HalfAway => 0,
            Rounding::HalfUp => shift - 1,
            Rounding::Floor => shift,
            Rounding::Stochastic => shift - 16,
        };
        dropped.max(0) as f64
    }

    fn rounding_lut(&self) -> f64 {
        match self.rounding {
            Rounding::HalfUp | Rounding::Floor => 0.0,
            // The sticky bit, six product bits a look-up table.
            Rounding::HalfEven | Rounding::HalfAway => self.shift.largest() as f64 / 5.0 + 2.0,
            Rounding::Stochastic => 16.0,
        }
    }

    /// A barrel shifter of a run-time shift of six bits, about four look-up tables a bit; those of the sticky bit mostly hold
    /// zeros.
    fn shifter_lut(&self, product: f64) -> f64 {
        let Shift::Range(_, largest) = self.shift else { return 0.0 };
        match self.rounding {
            Rounding::Floor | Rounding::HalfUp => 4.1 * product,
            Rounding::Stochastic => 4.1 * (product + 16.0),
            Rounding::HalfEven | Rounding::HalfAway => 4.1 * product + 18.0 + 0.6 * largest as f64,
        }
    }

    /// Look-up tables and DSP blocks of the product: one block where the accumulator fits its wider input, else two and an adder.
    fn multiplier(&self, family: Family) -> (f64, f64) {
        let acc = self.acc_bits as f64;
        let input = match family {
            Family::Xcup => 27,
            Family::Xc7 => 25,
            Family::Ecp5 => 18,
            Family::Ice40 => return (16.0 * acc, 0.0),
        };
        if self.acc_bits <= input { (0.0, 1.0) } else { (1.2 * acc, 2.0) }
    }
}

/// The zero point plus 2^(OUT_W-1) in NEAR_W bits; with eight or more output bits that flips a bit and costs nothing.
fn biased(m: &Module, zp: &Expr, out: &Dim, near: &Dim) -> Expr {
    let biased = m.wire_later("biased_zp", sint(near));
    let wide = m.wire("zp_wide", &zp.extend(near));
    let above = lit(0, uint(near - out));
    let flip = || {
        let flipped = concat(&[&above, &!wide.bit(out - 1), &wide.slice(0, out - 1)]);
        biased.drive(flipped.as_signed());
    };
    let add = || {
        let bias = concat(&[&above, &lit(1, bit()), &lit(0, uint(out - 1))]).as_signed();
        biased.drive(wide.wrapping_add(bias));
    };
    m.generate_if(out.ge(8), ["g_flip", "g_add"], flip, add);
    (*biased).clone()
}
