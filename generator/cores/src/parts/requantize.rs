//! One lane of the requantizer: multiply, shift with rounding, add the zero point, saturate. All five rounding names.
//!
//! The product is cut at the shift; what lies below is one round bit and one sticky bit, and the names differ in when they
//! add one. Stochastic rounding instead adds a random fraction of 16 bits before the cut.

use std::rc::Rc;

use bitlathe_hdl::{Dim, Expr, Module, Unit, bit, clog2, concat, lit, sint, uint};
use bitlathe_spec::{Family, Rounding};

use super::lfsr::lfsr_cost;
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
        let a = m.input("acc_i", sint(&acc));
        let mult = m.input("mult_i", uint(16));
        let zp = m.input("zp_i", sint(8));
        let pw = &acc + 17 + i64::from(self.planes == 2);
        let product = ck.reg("product_q", sint(&pw));
        let exact = m.wire("exact", &(&a * &mult));
        if self.planes == 2 {
            let (take, add) = (m.input("take_i", bit()), m.input("add_i", bit()));
            m.describe(&take, "acc_i is valid; the product waits for its partner");
            let kept = add.select(&*product, 0);
            product.next_when(&m.wire("take", &(&en & &take)), kept.wrapping_add(exact.extend(&pw)));
        } else {
            product.next_when(&en, &exact);
        }
        let rounded = self.round(&m, &ck, &en, &product, &pw, &s);
        let zp_1 = ck.reg("zp_1_q", sint(8));
        let zp_2 = ck.reg("zp_2_q", sint(8));
        zp_1.next_when(&en, &zp);
        zp_2.next_when(&en, &*zp_1);
        let y = self.saturate(&m, &rounded, &zp_2, &out);
        let y_q = ck.reg("y_q", sint(&out));
        y_q.next_when(&en, &y);
        m.output("y_o", &y_q);
        m.finish()
    }

    /// The register after the rounding, as wide as the product.
    fn round(&self, m: &Module, ck: &bitlathe_hdl::Clock, en: &Expr, product: &Expr, pw: &Dim, s: &Dim) -> Expr {
        let stochastic = self.rounding == Rounding::Stochastic;
        // Fraction bits below the cut: 16 random ones, or enough that the sticky bit sees everything.
        let below = if stochastic { Dim::from(16) } else { s + 2 };
        let zeros = lit(0, uint(&below));
        let sign = product.msb().repeat(s + 1);
        let fixed = m.wire("fixed", &concat(&[&sign, product, &zeros]));
        m.allow(&fixed, "UNUSEDSIGNAL", "bits far above or below the cut");
        let cut = pw + &below;
        let shifted = match self.shift {
            Shift::Constant(_) => m.wire("shifted", &fixed.slice(s, &cut)),
            Shift::Range(..) => {
                let shift = m.input("shift_i", uint(6));
                let q = ck.reg("shift_q", uint(6));
                q.next_when(en, &shift);
                let signed = m.wire("signed_fixed", &fixed.as_signed());
                let moved = m.wire("moved", &signed.shr(&q));
                m.allow(&moved, "UNUSEDSIGNAL", "copies of the sign");
                m.wire("shifted", &moved.slice(0, &cut))
            }
        };
        let rounded = ck.reg("rounded_q", sint(pw));
        if stochastic {
            let random = m.input("random_i", uint(16));
            let r = ck.reg("random_q", uint(16));
            r.next_when(en, &random);
            let sum = m.wire("sum", &shifted.wrapping_add(concat(&[&lit(0, uint(pw)), &r])));
            m.allow(&sum, "UNUSEDSIGNAL", "the fraction is dropped");
            rounded.next_when(en, sum.slice(16, pw).as_signed());
            return (*rounded).clone();
        }
        let whole = m.wire("whole", &shifted.slice(&below, pw));
        let half = shifted.bit(&below - 1);
        let sticky = shifted.slice(0, &below - 1).any();
        let up = match self.rounding {
            Rounding::HalfUp => half,
            Rounding::HalfEven => half & (sticky | whole.bit(0)),
            Rounding::HalfAway => half & (sticky | !whole.msb()),
            Rounding::Floor | Rounding::Stochastic => lit(0, bit()),
        };
        if self.rounding == Rounding::Floor {
            m.allow(&shifted, "UNUSEDSIGNAL", "the fraction is dropped");
            rounded.next_when(en, whole.as_signed());
        } else {
            let up = m.wire("round_up", &up);
            let one = concat(&[&lit(0, uint(pw - 1)), &up]);
            rounded.next_when(en, whole.wrapping_add(one).as_signed());
        }
        (*rounded).clone()
    }

    fn saturate(&self, m: &Module, rounded: &Expr, zp: &Expr, out: &Dim) -> Expr {
        let sum = m.wire("with_zero_point", &(rounded + zp));
        let rest = sum.width() - out;
        let upper = m.wire("upper", &sum.slice(out - 1, &rest + 1));
        let negative = sum.msb();
        let fits = upper.all() | !upper.any();
        let low = sum.slice(0, out);
        let low = m.wire("low", &low);
        let most = concat(&[&lit(0, bit()), &lit(-1, sint(out - 1)).as_unsigned()]);
        let least = if self.narrow {
            concat(&[&lit(1, bit()), &lit(1, uint(out - 1))])
        } else {
            concat(&[&lit(1, bit()), &lit(0, uint(out - 1))])
        };
        let limit = m.wire("limit", &negative.select(&least, &most));
        let mut clipped = fits.select(&low, &limit);
        if self.narrow {
            let forbidden = m.wire("most_negative", &(&negative & low.msb() & !low.slice(0, out - 1).any()));
            clipped = forbidden.select(&least, &clipped);
        }
        m.wire("clipped", &clipped.as_signed())
    }

    /// Bits of the product.
    fn product_bits(&self) -> i64 {
        self.acc_bits + 17 + i64::from(self.planes == 2)
    }

    /// DSP blocks of the product, and whether it is parted: the accumulator is wider than a block takes. On iCE40 the product is
    /// made of look-up tables.
    fn dsp(&self, family: Family) -> (i64, bool) {
        let widest = match family {
            Family::Xcup => 27,
            Family::Xc7 => 25,
            Family::Ecp5 => 18,
            Family::Ice40 => return (0, false),
        };
        // The block's lower part has a bit less. A rest of two bits becomes LUTs on ECP5.
        let rest = self.acc_bits - (widest - 1);
        let parted = self.acc_bits > widest;
        (1 + i64::from(parted && !(family == Family::Ecp5 && rest == 2)), parted)
    }

    /// Flip-flops of its own: product bits that the rounding needs, the rounded value, the random number, the output.
    fn ff(&self) -> i64 {
        let width = self.product_bits();
        let (kept, rounded, rest) = match (self.shift, self.rounding) {
            (Shift::Range(..), Rounding::Stochastic) => (width, width, 16),
            (Shift::Range(..), _) => (width, width, 0),
            (Shift::Constant(s), Rounding::Stochastic) => (width - (s - 16).max(0), width - s + 1, s.min(16)),
            (Shift::Constant(s), Rounding::Floor) => (width - s, width - s, 0),
            (Shift::Constant(s), Rounding::HalfUp) => (width - s + 1, width - s + 1, 0),
            (Shift::Constant(s), _) => (width, width - s + 1, 0),
        };
        let kept = if self.planes == 2 { width } else { kept };
        kept.clamp(1, width) + rounded.clamp(1, width) + rest + self.out_bits
    }

    /// Bits of a run-time shift: six from a stream, from a register those that hold the largest.
    fn shift_bits(&self, streamed: bool) -> i64 {
        match self.shift {
            Shift::Constant(_) => 0,
            Shift::Range(..) if streamed => 6,
            Shift::Range(_, hi) => clog2(hi + 1),
        }
    }

    /// LUTs behind the product of `width` bits: rounding of the `bits` that a shift by `s` leaves, zero point, saturation.
    fn rounding_lut(&self, family: Family, bits: f64, s: f64) -> f64 {
        let (plain, floor, nearest, random) = match family {
            Family::Xcup | Family::Xc7 => (1.75 * bits - 1.0, -0.25 * bits, s / 4.0, s.min(16.0) - 1.0),
            Family::Ecp5 => (3.0 * bits + 10.0, -bits, 8.0, s.min(16.0)),
            Family::Ice40 => (2.0 * bits, -bits - 4.0, s / 3.0 + 15.0, 12.0),
        };
        let narrow = match family {
            Family::Ecp5 => 8.0,
            _ => 3.0,
        };
        let by_rounding = match self.rounding {
            Rounding::HalfUp => 0.0,
            Rounding::Floor => floor,
            Rounding::HalfEven | Rounding::HalfAway => nearest,
            Rounding::Stochastic => random,
        };
        plain + by_rounding + self.out_bits as f64 / 2.0 + if self.narrow { narrow } else { 0.0 }
    }

    /// LUTs of a shifter for a product of `width` bits, and of the bits below the cut that rounding by a run-time shift has to see.
    fn shifter_lut(&self, family: Family, width: f64, levels: f64) -> f64 {
        let (level, nearest, random) = match family {
            Family::Xcup | Family::Xc7 => (0.7, 0.7, 1.2),
            Family::Ecp5 => (1.45, 1.2, 3.0),
            Family::Ice40 => (1.05, 0.5, 1.0),
        };
        let below = match self.rounding {
            Rounding::HalfUp | Rounding::Floor => 0.0,
            Rounding::HalfEven | Rounding::HalfAway => nearest,
            Rounding::Stochastic => random,
        };
        width * (levels * level + below)
    }

    /// Cost of `lanes` of them. `streamed`: each lane has its own parameters; otherwise the lanes share those and their registers.
    /// The LUT figures were fitted to lanes synthesized alone, twelve shapes of every rounding name.
    pub fn cost(&self, family: Family, lanes: i64, streamed: bool) -> Cost {
        let (width, acc) = (self.product_bits() as f64, self.acc_bits as f64);
        let (dsp, parted) = self.dsp(family);
        let levels = self.shift_bits(streamed);
        // The product in LUTs, the sum of two parts of a product, the sum over the planes.
        let (product, join, planes) = match family {
            Family::Xcup | Family::Xc7 => (0.0, 0.95 * acc, 1.2 * width),
            Family::Ecp5 => (0.0, 45.0, 1.7 * width),
            Family::Ice40 => (48.0 * acc - 60.0, 0.0, 2.2 * width),
        };
        let (bits, s) = match self.shift {
            Shift::Constant(s) => (width - s as f64 + 1.0, s as f64),
            Shift::Range(..) => (width, 0.0),
        };
        let given = |present: bool, lut: f64| if present { lut } else { 0.0 };
        let lut = product
            + self.rounding_lut(family, bits, s)
            + given(levels > 0, self.shifter_lut(family, width, levels as f64))
            + given(parted, join)
            + given(self.planes == 2, planes);
        let mut each = Cost { dsp: dsp as f64, ..Cost::logic(lut, self.ff() as f64) };
        if self.rounding == Rounding::Stochastic {
            each += lfsr_cost();
        }
        let parameters = if streamed { lanes } else { 1 };
        let mut cost = each * lanes as f64;
        cost.ff += (parameters * (16 + levels)) as f64;
        cost
    }
}
