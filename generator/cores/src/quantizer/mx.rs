//! `mx`: blocks wait while their largest magnitude becomes an exponent; then each element becomes a small float or integer.

use std::rc::Rc;

use bitlathe_hdl::{Dim, Expr, Module, Unit, bit, clog2, concat, lit, uint};

use super::config::ElementName;
use super::front::Span;
use super::rtl::{Hardware, Method, Top};
use crate::parts::normalise::normalise;

/// Cycles from an element that leaves the buffer to its code: align, normalise, round.
pub const LANE_LATENCY: i64 = 3;

/// Fields of an element format (OCP Microscaling Formats v1.0, section 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Format {
    mantissa_bits: i64,
    /// Exponent of the largest power of two.
    emax: i64,
    /// emax minus the exponent of the smallest normal number; 0 for integers.
    octaves: i64,
    /// Largest finite magnitude, as a code.
    largest: i64,
}

impl ElementName {
    fn format(self) -> Format {
        let f = |mantissa_bits, emax, octaves, largest| Format { mantissa_bits, emax, octaves, largest };
        match self {
            Self::Int8 => f(6, 0, 0, 127),
            Self::E4m3 => f(3, 8, 14, 0x7e),
            Self::E5m2 => f(2, 15, 29, 0x7b),
            Self::E3m2 => f(2, 4, 6, 0x1f),
            Self::E2m3 => f(3, 2, 2, 0x1f),
            Self::E2m1 => f(1, 2, 2, 0x07),
        }
    }

    /// Octaves below the largest one that the exponent tells apart.
    pub fn octaves(self) -> i64 {
        self.format().octaves
    }

    /// Bits of a code.
    pub fn bits(self) -> i64 {
        1 + clog2(self.format().largest + 1)
    }

    /// The name in a config.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::E4m3 => "e4m3",
            Self::E5m2 => "e5m2",
            Self::E3m2 => "e3m2",
            Self::E2m3 => "e2m3",
            Self::E2m1 => "e2m1",
        }
    }
}

impl Hardware {
    /// How blocks lie in beats.
    pub fn mx_span(&self, block: i64) -> Span {
        if self.lanes >= block { Span::Parts(self.lanes / block) } else { Span::Beats(block / self.lanes) }
    }

    /// The span of the methods that wait for a maximum.
    pub fn span(&self) -> Option<Span> {
        match self.method {
            Method::Absmax { .. } => Some(Span::Row),
            Method::Mx { block, .. } => Some(self.mx_span(block)),
            _ => None,
        }
    }
}

/// A block's scale from its largest magnitude.
fn block_scale(in_bits: i64, element: ElementName, frac: i64) -> Rc<Unit> {
    let m = Module::new("block_scale");
    m.doc("Largest magnitude A of a block to its leading zeros and E = BASE - zeros, an E8M0 exponent; 0 for A = 0.");
    let w = m.param("IN_W", in_bits, 4..=32, "bits of an element");
    let base = in_bits - 1 - frac - element.format().emax + 127;
    let base = m.param("BASE", base, 32..=255, "E of a magnitude without leading zeros");
    let a = m.input("a_i", uint(&w));
    let (zeros, rest) = normalise(&m, "a", &a, in_bits - 1);
    m.allow(&rest, "UNUSEDSIGNAL", "only its leading zeros count");
    let wide = concat(&[&lit(0, uint(8 - zeros.width())), &zeros]);
    let e = m.wire("exponent", &m.constant("BASE_BITS", &base, 8).wrapping_sub(wide));
    m.output("zeros_o", &zeros);
    m.output("e_o", &a.any().select(&e, 0));
    m.finish()
}

/// An element with its block's leading zeros.
fn element_lane(in_bits: i64, element: ElementName) -> Rc<Unit> {
    let f = element.format();
    let m = Module::new(&format!("mx_lane_{}", element.name()));
    m.doc("Element of a block as a code: aligned to the block's largest magnitude, normalised, rounded half to even, latency 3.");
    let w = m.param("IN_W", in_bits, 4..=32, "bits of an element");
    let zeros_w = clog2(in_bits);
    let (ck, en) = (m.clock(), m.input("en_i", bit()));
    let x = m.input("x_i", uint(&w));
    let zeros = m.input("zeros_i", uint(zeros_w));
    let sign = x.msb();
    let folded = m.wire("folded", &x.xor(sign.repeat(&w)));
    let magnitude = m.wire("magnitude", &folded.wrapping_add(concat(&[&lit(0, uint(&w - 1)), &sign])));
    let aligned = ck.reg("aligned_q", uint(&w));
    aligned.next_when(&en, magnitude.shl(&zeros));
    // Room for the mantissa, the rest below it and every shift even where elements are short.
    let pad = f.octaves.max(8);
    let padded = m.wire("padded", &concat(&[&*aligned, &lit(0, uint(pad))]));
    let (shift, normal) = if f.octaves > 0 { normalise(&m, "n", &padded, f.octaves) } else { (lit(0, bit()), padded) };
    let v = &w + pad;
    let normal_q = ck.reg("normal_q", uint(&v));
    normal_q.next_when(&en, &normal);
    let signs = ck.reg("sign_q", uint(2));
    signs.next_when(&en, concat(&[&signs.bit(0), &sign]));
    let steps_w = f.mantissa_bits + 1;
    let kept = m.wire("kept", &normal_q.slice(&v - steps_w, steps_w));
    let half = normal_q.bit(&v - steps_w - 1);
    let sticky = normal_q.slice(0, &v - steps_w - 1).any();
    let up = m.wire("round_up", &(half & (sticky | kept.bit(0))));
    // The exponent above the mantissa: the implicit one and a carry of the rounding add themselves to it.
    let code_w = element.bits();
    let octave = if f.octaves > 0 {
        let shift_q = ck.reg("shift_q", shift.ty().clone());
        shift_q.next_when(&en, &shift);
        let width = shift_q.width().value();
        let most = m.constant("OCTAVES", f.octaves, width);
        let left = m.wire("octave", &most.wrapping_sub(&*shift_q));
        concat(&[&lit(0, uint(code_w + 1 - width - f.mantissa_bits)), &left, &lit(0, uint(f.mantissa_bits))])
    } else {
        lit(0, uint(code_w + 1))
    };
    let wide = |name: &str, e: &Expr, bits: i64| m.wire(name, &concat(&[&lit(0, uint(code_w + 1 - bits)), e]));
    let steps = wide("steps", &kept, steps_w);
    let sum = m.wire("sum", &octave.wrapping_add(&steps).wrapping_add(wide("one_up", &up, 1)));
    let bounded = m.wire("bounded", &sum.gt(f.largest).select(f.largest, &sum));
    m.allow(&bounded, "UNUSEDSIGNAL", "the bound leaves the top bits zero");
    let code = ck.reg("code_q", uint(code_w));
    let short = m.wire("short", &bounded.slice(0, code_w - 1));
    let negative = signs.bit(1);
    let coded = if f.octaves > 0 {
        concat(&[&negative, &short])
    } else {
        let byte = m.wire("signed_byte", &concat(&[&lit(0, bit()), &short]));
        let folded = m.wire("signed_folded", &byte.xor(negative.repeat(code_w)));
        folded.wrapping_add(concat(&[&lit(0, uint(code_w - 1)), &negative]))
    };
    code.next_when(&en, &coded);
    m.output("y_o", &code);
    m.finish()
}

impl Top<'_> {
    /// The whole method.
    pub fn mx(&self, element: ElementName, block: i64, frac: i64) {
        let (m, hw, ck) = (&self.m, self.hw, &self.ck);
        m.doc(
            "Microscaling quantizer: blocks of a row share a power-of-two scale E, elements become small codes.\n\
             A block waits in the buffer until its largest magnitude is known; the next one is taken meanwhile.",
        );
        let span = hw.mx_span(block);
        let c_max = m.param("C_MAX", hw.c_max, 1..=65536, "largest row");
        let field = self.registers(&[("COLUMNS_MAX", &c_max)]);
        let used = m.wire_later("load", bit());
        let front = self.front(span, &c_max, &field, &used);

        m.comment("Scale of the block that leaves the buffer");
        let go = self.release(&front, &front.a_valid, &front.a_ready, "e", &used);
        let parts = span.maxima();
        let zeros_w = clog2(hw.in_bits);
        let (zeros, e) = (m.wire_later("zeros", uint(zeros_w * parts)), m.wire_later("exponents", uint(8 * parts)));
        let scale = block_scale(hw.in_bits, element, frac);
        m.generate_for("g_scale", parts, |i| {
            m.instance("u_scale", &scale)
                .param("IN_W", &self.in_w)
                .input("a_i", &front.a.lane(i, &self.in_w))
                .output_lane("zeros_o", &zeros, i, &Dim::from(zeros_w))
                .output_lane("e_o", &e, i, &Dim::from(8))
                .done();
        });
        let zeros_q = ck.reg("zeros_q", uint(zeros_w * parts));
        zeros_q.next_when(&used, &*zeros);
        let e_q = ck.reg("e_q", uint(8 * parts));
        e_q.next_when(&used, &*e);

        m.comment("Lanes");
        let valid = self.delayed("valid", &go.en, &go.take, LANE_LATENCY, true);
        let last = self.delayed("last", &go.en, &front.last, LANE_LATENCY, false);
        let y_bits = Dim::from(element.bits());
        let y = m.wire_later("y_data", uint(&self.lanes * &y_bits));
        let unit = element_lane(hw.in_bits, element);
        let each = self.lanes.div(parts);
        m.generate_for("g_part", parts, |p| {
            m.generate_for("g_lane", &each, |i| {
                let at = p * &each + i;
                m.instance("u_lane", &unit)
                    .param("IN_W", &self.in_w)
                    .clock(ck)
                    .input("en_i", &go.en)
                    .input("x_i", &front.data.lane(&at, &self.in_w))
                    .input("zeros_i", &zeros_q.lane(p, &Dim::from(zeros_w)))
                    .output_lane("y_o", &y, &at, &y_bits)
                    .done();
            });
        });
        let ready = m.wire_later("y_ready", bit());
        go.en.drive(!&valid | &*ready);
        m.stream("y", valid, (*y).clone(), Some(last), ready).source("y");
        m.stream("e", go.side_valid, (*e_q).clone(), None, go.side_ready).source("e");
    }
}
