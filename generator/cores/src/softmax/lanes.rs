//! One exponential of a row to one output, given what became of the row's sum.

use std::rc::Rc;

use bitlathe_hdl::{Dim, Module, Unit, bit, clog2, concat, lit, sint, uint};

use super::hardware::RowScale;
use super::scale::{INVERSE_BITS, RECIPROCAL_BITS};
use crate::parts::carry::impl_param;
use crate::parts::multiply_add::{self, Form, fitting, multiply_add};
use crate::parts::normalise::normalise;

/// Bits that a reciprocal is shifted by once a row; the rest of a shift is done by every lane in steps of as many.
pub const STEP: i64 = 8;
/// Bits of a shifted reciprocal, and its sign.
pub const FACTOR_BITS: i64 = RECIPROCAL_BITS + STEP - 1 + 1;

/// Enabled cycles from an exponential to its output.
pub fn latency(scale: RowScale) -> i64 {
    match scale {
        RowScale::Reciprocal(_) => multiply_add::LATENCY + 1,
        RowScale::Magnitude => 4,
        RowScale::Inverse => 1,
        RowScale::Sum => 0,
    }
}

/// Sizes of a lane that multiplies with a reciprocal.
///
/// With n leading zeros of the sum in SUM_W bits: y = min(2^OUT_W - 1, half-up(e·R·2^n / 2^(SUM_W + 17 - OUT_W))). The low
/// three bits of n shift R, once a row; the others choose the window of the product that becomes y.
#[derive(Clone, Copy, Debug)]
pub struct ScaleLane {
    /// Bits of an exponential.
    pub e_bits: i64,
    /// Bits of a sum.
    pub sum_bits: i64,
    /// Most leading zeros of a sum.
    pub most_zeros: i64,
    /// Bits of an output.
    pub out_bits: i64,
    /// `IMPL`.
    pub implementation: i64,
}

impl ScaleLane {
    /// Places of the window beyond the first.
    pub fn steps(&self) -> i64 {
        self.most_zeros / STEP
    }

    /// Bits that choose the window.
    pub fn step_bits(&self) -> i64 {
        clog2(self.steps() + 1).max(1)
    }

    /// Bits of a product with its addend.
    pub fn product_bits(&self) -> i64 {
        product_bits(&Dim::from(self.e_bits)).value()
    }

    /// Whether the vendor's block is named: where the product fits it. The block of 7 series is too narrow for the factor;
    /// synthesis splits the product there.
    pub fn names_block(&self) -> bool {
        let fitting = |implementation| fitting(implementation, FACTOR_BITS, self.e_bits, self.product_bits());
        fitting(1) == 1 && fitting(self.implementation) == self.implementation
    }

    /// `IMPL` of the lane.
    fn fitting(&self) -> i64 {
        if self.names_block() { self.implementation } else { 0 }
    }

    /// The lane.
    pub fn unit(&self) -> Rc<Unit> {
        let m = Module::new("softmax_scale_lane");
        m.doc(
            "y = min(2^OUT_W - 1, half-up(e * factor / 2^(SUM_W + 17 - OUT_W - 8 * step))).\n\
             The product counts e from its middle, so that e is a signed factor.\n\
             addend_i, one cycle after e: factor times that middle, and half of the last place.\n\
             step_i: three cycles after e. Latency: 4 enabled cycles.",
        );
        let ew = m.param("E_W", self.e_bits, 2..=63, "bits of an exponential");
        let sw = m.param("SUM_W", self.sum_bits, 3..=64, "bits of a sum");
        let out = m.param("OUT_W", self.out_bits, 8..=16, "bits of the output");
        let steps = m.param("STEPS", self.steps(), 0..=7, "largest step");
        let imp = impl_param(&m, self.fitting());
        let (ck, en) = (m.clock(), m.input("en_i", bit()));
        let e = m.input("e_i", uint(&ew));
        let factor = m.input("factor_i", uint(FACTOR_BITS - 1));
        let pw = product_bits(&ew);
        let addend = m.input("addend_i", sint(&pw));
        let step = m.input("step_i", uint((&steps + 1).clog2().larger(1)));
        let centred = m.wire("centred", &concat(&[&!&e.msb(), &e.slice(0, &ew - 1)]).as_signed());
        let product = m.wire_later("product", sint(&pw));
        m.instance("u_product", &multiply_add(Form::PlusC, FACTOR_BITS, self.e_bits, pw.value(), self.fitting()))
            .param("A_W", FACTOR_BITS)
            .param("B_W", &ew)
            .param("P_W", &pw)
            .param("IMPL", &imp)
            .clock(&ck)
            .input("en_i", &en)
            .input("a_i", &concat(&[&lit(0, bit()), &factor]))
            .input("b_i", &centred)
            .input("c_i", &addend)
            .output("p_o", &product)
            .done();
        let padded = m.wire("padded", &concat(&[&lit(0, uint(32)), &product]));
        m.allow(&padded, "UNUSEDSIGNAL", "only the window counts");
        let lowest = m.localparam("LOWEST", &sw + 17 - &out - STEP * &steps);
        let reach = m.wire("reach", &padded.slice(&lowest, &out + 1 + STEP * &steps));
        let moved = m.wire("moved", &reach.shl(&concat(&[&step, &lit(0, uint(clog2(STEP)))])));
        m.allow(&moved, "UNUSEDSIGNAL", "only the window counts");
        let window = m.wire("window", &moved.slice(STEP * &steps, &out + 1));
        let y = ck.reg("y_q", uint(&out));
        y.next_when(&en, window.slice(0, &out) | window.msb().repeat(&out));
        m.output("y_o", &y);
        m.finish()
    }
}

/// Bits of a product with its addend.
pub fn product_bits(e_bits: &Dim) -> Dim {
    e_bits + FACTOR_BITS + 1
}

/// A lane of `log2-4`.
///
/// With D = bits of S - bits of e, S / e lies in 2^(D-1)..2^(D+1), so y is D - 1, D or D + 1: v ≥ 3·2^(k-2), where the logarithm
/// of the rounded quotient v reaches k, is 2S ≥ (3·2^(k-1) - 1)·e for k ≥ 3, 2S > 5e for k = 2 and 2S ≥ 3e for k = 1. Only k = D and
/// k = D + 1 remain to be compared, on numbers without leading zeros.
pub fn log_lane(e_bits: i64, sum_bits: i64, zeros_bits: i64) -> Rc<Unit> {
    let m = Module::new("softmax_log_lane");
    m.doc(
        "Rounded logarithm to base 2 of S / e, twice rounded, at most 15: latency 4 enabled cycles.\n\
         zeros_i: leading zeros of S, with e. normal_i: S without them, one enabled cycle later.",
    );
    let ew = m.param("E_W", e_bits, 2..=63, "bits of an exponential");
    let sw = m.param("SUM_W", sum_bits, 3..=64, "bits of a sum");
    let zw = m.param("ZEROS_W", zeros_bits, 1..=6, "bits of a sum's leading zeros");
    let (ck, en) = (m.clock(), m.input("en_i", bit()));
    let e = m.input("e_i", uint(&ew));
    let sum_zeros = m.input("zeros_i", uint(&zw));
    let sum = m.input("normal_i", uint(&sw));
    let held = |name: &str, value: &bitlathe_hdl::Expr| {
        let q = ck.reg(name, value.ty().clone());
        q.next_when(&en, value);
        (*q).clone()
    };

    m.comment("Alignment");
    let wide = m.wire("wide", &concat(&[&lit(0, uint(&sw - &ew)), &e]));
    let (zeros, normal) = normalise(&m, "e", &wide, sum_bits - 1);
    let none = held("none_q", &!&e.any());
    let aligned = held("aligned_q", &wide.shl(&sum_zeros));
    let normal = held("normal_q", &normal);
    let zeros_w = zeros.width().clone();
    let more = concat(&[&lit(0, uint(&zeros_w + 1 - &zw)), &sum_zeros]);
    let less = m.wire("more_zeros", &concat(&[&lit(0, bit()), &zeros]).wrapping_sub(more));
    let octaves = held("octaves_q", &less.slice(0, &zeros_w));
    m.allow(&less, "UNUSEDSIGNAL", "an exponential has no fewer leading zeros than its sum");

    m.comment("2 S + e and 3 e, both without leading zeros");
    let padded = |name: &str, above: i64, value: &bitlathe_hdl::Expr, below: i64| {
        let zeros = |n: i64| lit(0, uint(n));
        match below {
            0 => m.wire(name, &concat(&[&zeros(above), value])),
            _ => m.wire(name, &concat(&[&zeros(above), value, &zeros(below)])),
        }
    };
    let [d0, d1, d2] = [0, 1, 2].map(|d| octaves.eq_to(d));
    let (d0, d1, d2) = (m.wire("same", &d0), m.wire("one_octave", &d1), m.wire("two_octaves", &d2));
    let (twice_s, four_s) = (padded("twice_sum", 2, &sum, 1), padded("four_sums", 1, &sum, 2));
    let (one_e, two_e) = (padded("one_e", 3, &aligned, 0), padded("two_e", 2, &aligned, 1));
    let near = held("near_q", &four_s.wrapping_add(d1.select(0, &two_e)));
    let far = held("far_q", &twice_s.wrapping_add(d0.select(0, &one_e)));
    let triple = padded("once", 3, &normal, 0).wrapping_add(padded("twice", 2, &normal, 1));
    let triple = held("triple_q", &triple);
    let strict = held("strict_q", &concat(&[&d1, &d2]));
    let octaves = held("octaves_2_q", &octaves);
    let none = held("none_2_q", &none);

    m.comment("Comparison");
    let reaches = |name: &str, left: &bitlathe_hdl::Expr, strict: &bitlathe_hdl::Expr| {
        let enough = left.gt(&triple) | (left.eq_to(&triple) & !strict);
        held(name, &enough)
    };
    let near = reaches("near_reaches_q", &near, &strict.bit(0));
    let far = reaches("far_reaches_q", &far, &strict.bit(1));
    let octaves = held("octaves_3_q", &octaves);
    let none = held("none_3_q", &none);

    m.comment("D - 1, D or D + 1");
    let ow = &zeros_w + 1;
    let one = |b: &bitlathe_hdl::Expr| concat(&[&lit(0, uint(&ow - 1)), b]);
    let base = concat(&[&lit(0, bit()), &octaves]);
    let count = m.wire("count", &base.wrapping_add(one(&near)).wrapping_add(one(&far)).wrapping_sub(lit(1, uint(&ow))));
    let beyond = m.wire("beyond", &(count.gt(15) | none));
    let y = ck.reg("y_q", uint(4));
    y.next_when(&en, beyond.select(15, count.slice(0, 4)));
    m.output("y_o", &y);
    m.finish()
}

/// A lane of `itamax`: the inverse, shifted by as much as e is less than 2^8.
pub fn ita_lane() -> Rc<Unit> {
    let m = Module::new("softmax_ita_lane");
    m.doc("y = floor(inverse * e / 2^8) for e a power of two up to 2^8, or zero: latency 1 enabled cycle.");
    let (ck, en) = (m.clock(), m.input("en_i", bit()));
    let e = m.input("e_i", uint(INVERSE_BITS + 1));
    let inverse = m.input("inverse_i", uint(INVERSE_BITS));
    m.allow(&e, "UNUSEDSIGNAL", "an inverse shifted by all its bits is zero");
    let shifted = (0..INVERSE_BITS).map(|k| {
        let moved = inverse.slice(k, INVERSE_BITS - k);
        let moved = if k == 0 { moved } else { concat(&[&lit(0, uint(k)), &moved]) };
        moved & e.bit(INVERSE_BITS - k).repeat(INVERSE_BITS)
    });
    let any = shifted.reduce(|a, b| a | b).unwrap_or_else(|| lit(0, uint(INVERSE_BITS)));
    let y = ck.reg("y_q", uint(INVERSE_BITS));
    y.next_when(&en, m.wire("shifted", &any));
    m.output("y_o", &y);
    m.finish()
}
