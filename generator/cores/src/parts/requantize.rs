//! One lane of the requantizer: multiply, shift with rounding, add the zero point, saturate. All five rounding names.
//!
//! The product is cut at the shift; what lies below is one round bit and one sticky bit, and the names differ in when they
//! add one. Stochastic rounding instead adds a random fraction of 16 bits below the cut and takes its carry. The rounding
//! is the carry into the addition of the zero point, so it costs no adder.

use std::rc::Rc;

use bitlathe_hdl::{Clock, Dim, Expr, Module, Unit, bit, concat, lit, sint, uint};
use bitlathe_spec::{Family, Rounding};

use crate::Cost;
use crate::parts::window_shift::{REACH, SHIFT_W, window_shift};

/// Cycles from an accumulator to its output.
pub const LATENCY: i64 = 3;

/// Unsigned bits of an accumulator that synthesis gives a DSP block where it takes several.
const PIECE: i64 = 17;

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
    /// Accumulators from a vector's first plane to its second.
    pub batch: i64,
}

/// A product at its cut.
struct Cut {
    /// The bits above the cut that lie near the output's range.
    nearby: Expr,
    /// The value lies beyond them.
    far: Expr,
    /// Its sign.
    negative: Expr,
    /// The rounding adds one.
    up: Expr,
}

/// Inputs of the lane that a core holds at a constant, so that their registers and arithmetic vanish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tied {
    /// None.
    Nothing,
    /// The zero point, at zero.
    ZeroPoint,
    /// The zero point at zero and the multiplier at one.
    ZeroPointAndMultiplier,
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
             With planes, add_i adds the product of the accumulator taken BATCH before.",
        );
        let acc = m.param("ACC_W", self.acc_bits, 4..=64, "bits of the accumulator");
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
        // Beyond this many bits no zero point brings a value back into the output's range.
        let near = m.localparam("NEAR_W", out.larger(8) + 2);
        let cut = self.cut(&m, &ck, &en, &product, &s, &near);
        let y = self.saturate(&m, &ck, &en, &cut, &biased(&m, &zp_q, &out, &near), &out);
        m.output("y_o", &y);
        m.finish()
    }

    /// First stage: the product, and with planes the sum of two.
    fn product(&self, m: &Module, ck: &Clock, en: &Expr, acc: &Dim) -> Expr {
        let a = m.input("acc_i", sint(acc));
        let mult = m.input("mult_i", uint(16));
        // A signed number times an unsigned one never reaches the lowest value of both widths together: a bit less holds it.
        let full = m.wire("full_product", &(&a * &mult));
        m.allow(&full, "UNUSEDSIGNAL", "the top bit repeats the sign");
        let exact = m.wire("exact", &full.fit(acc + 16));
        if self.planes == 2 {
            return self.sum_of_planes(m, ck, en, &exact);
        }
        let product = ck.reg("product_q", exact.ty().clone());
        product.next_when(en, &exact);
        (*product).clone()
    }

    /// The newest of `BATCH` products; each waits there for its partner of the other plane.
    fn sum_of_planes(&self, m: &Module, ck: &Clock, en: &Expr, exact: &Expr) -> Expr {
        let batch = m.param("BATCH", self.batch, 1..=16, "accumulators from a vector's first plane to its second");
        let (take, add) = (m.input("take_i", bit()), m.input("add_i", bit()));
        m.describe(&take, "acc_i is valid");
        m.describe(&add, "it belongs to the second plane");
        let pw = exact.width() + 1;
        let all = &batch * &pw;
        let products = ck.reg("products_q", uint(&all));
        let oldest = m.wire("oldest", &products.slice((&batch - 1) * &pw, &pw).as_signed());
        let sum = m.wire("plane_sum", &add.select(&oldest, 0).wrapping_add(exact.extend(&pw)));
        let moved = m.wire("products", &concat(&[&*products, &sum.as_unsigned()]));
        m.allow(&moved, "UNUSEDSIGNAL", "the oldest product leaves");
        products.next_when(&m.wire("take", &(en & &take)), moved.slice(0, &all));
        m.wire("product", &products.slice(0, &pw).as_signed())
    }

    /// The product at the cut: the bits near the output's range, what lies beyond them, and whether the rounding adds one.
    fn cut(&self, m: &Module, ck: &Clock, en: &Expr, product: &Expr, s: &Dim, near: &Dim) -> Cut {
        // Fraction bits of the window: 16 meet the random ones, otherwise the half; a sticky bit stands for the rest.
        let fraction = if self.rounding == Rounding::Stochastic { 16 } else { 1 };
        let negative = m.wire("product_negative", &product.msb());
        let width = m.localparam("WINDOW_W", near + fraction);
        let (bits, below, above) = match self.shift {
            Shift::Constant(_) => {
                let sign = negative.repeat(&width + s);
                let fixed = m.wire("fixed", &concat(&[&sign, product, &lit(0, uint(fraction + 1))]));
                m.allow(&fixed, "UNUSEDSIGNAL", "a rule may ignore the bits below the cut");
                let at = s + 1;
                let flipped = m.wire("flipped", &fixed.xor(negative.repeat(fixed.width())));
                m.allow(&flipped, "UNUSEDSIGNAL", "only what lies above the window counts");
                let above = flipped.slice(&at + &width, fixed.width() - &at - &width).any();
                (m.wire("window", &fixed.slice(&at, &width)), fixed.slice(0, &at).any(), above)
            }
            Shift::Range(..) => {
                let shift = m.input("shift_i", uint(SHIFT_W));
                let q = ck.reg("shift_q", uint(SHIFT_W));
                q.next_when(en, &shift);
                let sign = negative.repeat(&width + REACH);
                let word = m.wire("fixed", &concat(&[&sign, product, &lit(0, uint(fraction))]));
                let w = window_shift(m, &word, &negative, &q, &width, s);
                (w.bits, w.below, w.above)
            }
        };
        let sticky = m.wire("sticky", &below);
        let nearby = m.wire("nearby", &bits.slice(fraction, near).as_signed());
        let far = m.wire("far", &(above | nearby.msb().xor(&negative)));
        let half = bits.bit(fraction - 1);
        let up = match self.rounding {
            Rounding::HalfUp => half,
            Rounding::HalfEven => half & (&sticky | nearby.bit(0)),
            Rounding::HalfAway => half & (&sticky | !&negative),
            Rounding::Floor => lit(0, bit()),
            Rounding::Stochastic => {
                let random = m.input("random_i", uint(16));
                let r = ck.reg("random_q", uint(16));
                r.next_when(en, &random);
                let sum = m.wire("fraction_sum", &(bits.slice(0, 16) + &*r));
                m.allow(&sum, "UNUSEDSIGNAL", "only its carry counts");
                sum.msb()
            }
        };
        if !matches!(self.rounding, Rounding::HalfEven | Rounding::HalfAway) {
            m.allow(&sticky, "UNUSEDSIGNAL", "the rounding ignores it");
        }
        if self.rounding == Rounding::Floor {
            m.allow(&bits, "UNUSEDSIGNAL", "the fraction is dropped");
        }
        Cut { nearby, far, negative, up: m.wire("round_up", &up) }
    }

    /// Second stage: a sum biased by 2^(OUT_W-1), whose lower bound is zero, so that a synchronous reset clamps it there.
    /// Third stage: the upper bound, by a synchronous set. Neither costs a multiplexer.
    fn saturate(&self, m: &Module, ck: &Clock, en: &Expr, cut: &Cut, biased_zp: &Expr, out: &Dim) -> Expr {
        let (near, far) = (cut.nearby.width(), &cut.far);
        let carry = m.wire("carry", &concat(&[&lit(0, bit()), &cut.up]).as_signed());
        let sum = (&cut.nearby + biased_zp).extend(near + 1).wrapping_add(carry.extend(near + 1));
        let sum = m.wire("sum", &sum);
        let least = i64::from(self.narrow);
        let negative = if self.narrow { m.wire("negative", &(sum.msb() | !sum.any())) } else { sum.msb() };
        let under = m.wire("under", &far.select(&cut.negative, &negative));
        let beyond = m.wire("beyond", &sum.slice(out, near + 1 - out));
        let over = m.wire("over", &far.select(!&cut.negative, !sum.msb() & beyond.any()));
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

    /// Cost of `lanes` of them. `own`: each lane has its own parameters; otherwise Yosys merges the registers of the equal ones.
    pub fn cost(&self, family: Family, lanes: i64, own: bool, tied: Tied) -> Cost {
        let mut cost = self.without_parameters(family, tied) * lanes as f64;
        // Lanes with the same shift share what only that decides.
        if !own && self.shift_bits() > 0 && matches!(family, Family::Xcup | Family::Xc7) {
            cost.lut -= 0.15 * self.window_lut(family, self.width(tied)) * (lanes - 1) as f64;
        }
        // The biased zero point is an adder where the output is narrow.
        let bias = if self.out_bits < 8 { 12.0 } else { 0.0 };
        let zero_point = if tied == Tied::Nothing { Cost::logic(bias, 8.0) } else { Cost::default() };
        let copies = if own { lanes as f64 } else { 1.0 };
        cost += zero_point * copies;
        cost.ff += self.shift_bits() as f64 * copies;
        cost
    }

    /// Bits of the product or, with planes, of the sum of two.
    fn width(&self, tied: Tied) -> i64 {
        let multiplier = if tied == Tied::ZeroPointAndMultiplier { 0 } else { 16 };
        self.acc_bits + multiplier + i64::from(self.planes == 2)
    }

    /// Bits near the output's range.
    fn near(&self) -> i64 {
        self.out_bits.max(8) + 2
    }

    /// Bits of a run-time shift that reach a level of [`window_shift`].
    pub fn shift_bits(&self) -> i64 {
        match self.shift {
            Shift::Constant(_) => 0,
            Shift::Range(_, ..=3) => 2,
            Shift::Range(_, ..=15) => 4,
            Shift::Range(..) => SHIFT_W,
        }
    }

    /// Random bits that meet a bit of the product.
    pub fn random_bits(&self) -> i64 {
        let reach = match self.shift {
            Shift::Constant(s) => s,
            Shift::Range(..) => (1 << self.shift_bits()) - 1,
        };
        if self.rounding == Rounding::Stochastic { reach.min(16) } else { 0 }
    }

    /// DSP blocks of the product, and in how many pieces it is parted: seventeen bits at a time are taken off an accumulator that is
    /// wider than a block's factor. A rest of two bits, three behind two pieces, becomes LUTs on ECP5; on iCE40 the
    /// whole product does.
    fn blocks(&self, family: Family, tied: Tied) -> (i64, i64) {
        let widest = match family {
            _ if tied == Tied::ZeroPointAndMultiplier => return (0, 1),
            Family::Xcup => 27,
            Family::Xc7 => 25,
            Family::Ecp5 => 18,
            Family::Ice40 => return (0, 1),
        };
        let off = ((self.acc_bits - widest).max(0) + PIECE - 1) / PIECE;
        let rest_in_lut = family == Family::Ecp5 && off > 0 && self.acc_bits - PIECE * off <= 1 + off;
        (1 + off - i64::from(rest_in_lut), 1 + off)
    }

    /// A lane but for its parameters. The weights of the counted bits were fitted to thirty lanes a family, synthesized alone.
    fn without_parameters(&self, family: Family, tied: Tied) -> Cost {
        let (acc, width) = (self.acc_bits as f64, self.width(tied));
        let (dsp, pieces) = self.blocks(family, tied);
        // Each piece is added to what is left above the one before.
        let joined: i64 = (0..pieces - 1).map(|piece| self.acc_bits - PIECE * piece).sum();
        let rest = if dsp < pieces { 35.0 } else { 0.0 };
        let (whole, join, once, planes) = match family {
            Family::Xcup | Family::Xc7 => (0.0, joined as f64, 4.0, 1.2),
            Family::Ecp5 => (0.0, 22.0 + rest + 2.6 * acc * (pieces - 2) as f64, 2.0, 1.5),
            Family::Ice40 => (49.3 * acc - 60.0, 0.0, -3.0, 2.6),
        };
        let given = |present: bool, lut: f64| if present { lut } else { 0.0 };
        // With a constant in place of the zero point, the carry chain takes the value without a look-up table.
        let sum = match self.shift {
            _ if tied != Tied::Nothing => 0,
            Shift::Constant(s) => self.near().min((width - s).max(0)) + 1,
            Shift::Range(..) => self.near() + 1,
        };
        let lut = given(tied != Tied::ZeroPointAndMultiplier, whole)
            + given(pieces > 1, join)
            + given(self.planes == 2, planes * width as f64)
            + sum as f64
            + once
            + given(self.narrow, 2.0)
            + match self.shift {
                Shift::Constant(s) => self.constant_cut_lut(family, tied, s),
                Shift::Range(..) => self.window_lut(family, width),
            };
        let waiting = if self.planes == 2 { width * (self.batch - 1) } else { 0 };
        let ff = self.product_ff(width) + self.random_bits() + 2 * self.out_bits + 1 + waiting;
        Cost { dsp: dsp as f64, ..Cost::logic(lut, ff as f64) }
    }

    fn rounds_to_nearest(&self) -> bool {
        matches!(self.rounding, Rounding::HalfEven | Rounding::HalfAway)
    }

    /// LUTs of a cut at a constant: the bits above the window, the sticky bit, the random fraction.
    fn constant_cut_lut(&self, family: Family, tied: Tied, s: i64) -> f64 {
        let (above, sticky, random) = match family {
            Family::Xcup | Family::Xc7 => {
                let above = match tied {
                    Tied::Nothing => 0.25,
                    Tied::ZeroPoint => 0.4,
                    Tied::ZeroPointAndMultiplier => 0.6,
                };
                (above, 0.2, 1.0)
            }
            Family::Ecp5 => (1.3, 1.0, 1.4),
            Family::Ice40 => (0.3, 0.6, 0.8),
        };
        let beyond = (self.width(tied) - s - self.near()).max(0) as f64;
        let below = if self.rounds_to_nearest() && s > 0 { 5 + s } else { 0 };
        above * beyond + sticky * below as f64 + random * self.random_bits() as f64
    }

    /// LUTs of a cut at run time, level by level as [`window_shift`] builds it: multiplexers that keep the window, the bits that leave
    /// above and, where the rounding looks at them, below.
    fn window_lut(&self, family: Family, width: i64) -> f64 {
        let fraction = if self.rounding == Rounding::Stochastic { 16 } else { 1 };
        let window = self.near() + fraction;
        let (mut value, mut reach) = (width + fraction, 0);
        let (mut kept_bits, mut above_bits, mut below_bits) = (0, 0, 0);
        for (level, step) in [(6, 16), (4, 4), (2, 1)] {
            let kept = value.min(window + step - 1);
            above_bits += value - kept;
            value = kept;
            if level <= self.shift_bits() {
                reach += 3 * step;
                // Bits of the fraction that no product reaches stay zero.
                kept_bits += kept - (fraction - reach).max(0);
                below_bits += if self.rounds_to_nearest() { width.min(3 * step) } else { 0 };
            }
        }
        let (keep, above, below, random, once) = match family {
            Family::Xcup | Family::Xc7 => (1.35, 0.8, 0.38, 1.65, -16.0),
            Family::Ecp5 => (3.0, 2.2, 1.4, -1.1, -14.0),
            Family::Ice40 => (2.1, -0.2, 0.6, 0.3, 0.0),
        };
        let weigh = |weight: f64, bits: i64| weight * bits as f64;
        weigh(keep, kept_bits)
            + weigh(above, above_bits)
            + weigh(below, below_bits)
            + weigh(random, self.random_bits())
            + once
    }

    /// Flip-flops of the product, as far as the rounding looks below the cut; a sum of planes keeps everything.
    fn product_ff(&self, width: i64) -> i64 {
        let dropped = match (self.shift, self.rounding) {
            (Shift::Range(..), _) | (_, Rounding::HalfEven | Rounding::HalfAway) => 0,
            _ if self.planes == 2 => 0,
            (Shift::Constant(s), Rounding::HalfUp) => s - 1,
            (Shift::Constant(s), Rounding::Floor) => s,
            (Shift::Constant(s), Rounding::Stochastic) => s - 16,
        };
        width - dropped.clamp(0, width)
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
