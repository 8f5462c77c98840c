//! Lanes of the elementwise methods beside the shared requantizer lane.

use std::rc::Rc;

use bitlathe_hdl::{Clock, Dim, Expr, Module, Unit, bit, concat, lit, sint, uint};
use bitlathe_spec::Rounding;

use super::rtl::{Hardware, Scaled};
use crate::parts::delay_line::delayed;
use crate::parts::requantize::{self, Shift};

/// y = saturate((t + r) >> 4), t = (x * 2^4) >> shift: one adder of four bits, whose carry runs on through a chain without
/// logic; the bounds are set and reset inputs of the output register.
pub fn stochastic_lane(in_bits: i64, s: &Scaled) -> Rc<Unit> {
    let runtime = matches!(s.shift, Shift::Range(..));
    let mut name = "stochastic_lane".to_owned();
    for (set, tag) in [(runtime, "_shift"), (s.narrow, "_narrow")] {
        if set {
            name += tag;
        }
    }
    let m = Module::new(&name);
    m.doc(
        "Stochastic rounding: y = saturate((t + r) >> 4), t = (x << 4) >> shift, one enabled cycle.\n\
         r is the LFSR's state rotated right by one bit.",
    );
    let w = m.param("IN_W", in_bits, 4..=32, "bits of an element");
    let out = m.param("OUT_W", s.out_bits, 2..=16, "bits of the output");
    let largest = match s.shift {
        Shift::Constant(v) => m.param("SHIFT", v, 0..=47, "fraction bits of an element"),
        Shift::Range(_, hi) => m.param("SHIFT_MAX", hi, 0..=47, "most fraction bits of an element"),
    };
    let (ck, en) = (m.clock(), m.input("en_i", bit()));
    let x = m.input("x_i", sint(&w));
    let state = m.input("state_i", uint(4));
    let t = cut(&m, &x, &largest, runtime, &out);
    // The output's bits with the fraction below them; what lies above decides whether they count.
    let near_w = &out + 4;
    let above = m.wire("above", &t.slice(&near_w - 1, t.width() - &near_w + 1));
    let far = m.wire("far", &!(above.all() | !above.any()));
    let random = m.wire("random", &concat(&[&state.bit(0), &state.slice(1, 3)]));
    let padded = m.wire("random_wide", &concat(&[&lit(0, uint(&out)), &random]));
    let sum = m.wire("sum", &t.slice(0, &near_w).wrapping_add(&padded));
    m.allow(&sum, "UNUSEDSIGNAL", "the fraction is dropped");
    let negative = t.msb();
    let over = m.wire("over", &(!&negative & (&far | sum.msb())));
    let under = m.wire("under", &(&negative & &far));
    let low = m.wire("low", &sum.slice(4, &out));
    let most = concat(&[&lit(0, bit()), &lit(-1, sint(&out - 1)).as_unsigned()]);
    let least = concat(&[&lit(1, bit()), &lit(i64::from(s.narrow), uint(&out - 1))]);
    let low = if s.narrow {
        let forbidden = m.wire("most_negative", &(low.msb() & !low.slice(0, &out - 1).any()));
        m.wire("symmetric", &(forbidden & &negative).select(&least, &low))
    } else {
        low
    };
    let bounded = m.wire("bounded", &under.select(&least, &low));
    let y = ck.reg("y_q", sint(&out));
    y.next_when(&en, over.select(&most, &bounded).as_signed());
    m.output("y_o", &y);
    m.finish()
}

/// t = (x << 4) >> shift with at least OUT_W + 5 bits.
fn cut(m: &Module, x: &Expr, shift: &Dim, runtime: bool, out: &Dim) -> Expr {
    let width = m.localparam("T_W", x.width() + out + 5);
    let sign = x.msb().repeat(shift + out + 1);
    let fixed = m.wire("fixed", &concat(&[&sign, x, &lit(0, uint(4))]));
    m.allow(&fixed, "UNUSEDSIGNAL", "bits below 2^-4 are dropped");
    if !runtime {
        return m.wire("t", &fixed.slice(shift, &width));
    }
    let by = m.input("shift_i", uint(6));
    let signed = m.wire("signed_fixed", &fixed.as_signed());
    let moved = m.wire("moved", &signed.shr(&by));
    m.allow(&moved, "UNUSEDSIGNAL", "copies of the sign");
    m.wire("t", &moved.slice(0, &width))
}

/// Ports and parameters of the scale, as a lane that holds requantizer lanes passes them on.
struct Scale {
    shift: Option<Expr>,
    random: Option<Expr>,
}

impl Scale {
    fn ports(m: &Module, hw: &Hardware, elements: i64) -> Self {
        let s = hw.scaled();
        let shift = s.is_some_and(|s| matches!(s.shift, Shift::Range(..)));
        let random = s.is_some_and(|s| s.rounding == Rounding::Stochastic);
        // A pair takes the bytes of its streams; one lane takes what the shifter reads.
        let bits = if elements == 1 { 6 } else { 8 * elements };
        let shift = shift.then(|| m.input("shift_i", uint(bits)));
        if let Some(bytes) = shift.as_ref().filter(|_| elements > 1) {
            m.allow(bytes, "UNUSEDSIGNAL", "the shifter reads six bits of a byte");
        }
        Self { shift, random: random.then(|| m.input("random_i", uint(16))) }
    }

    /// A requantizer lane without zero point.
    #[allow(clippy::too_many_arguments)]
    fn lane(
        &self,
        m: &Module,
        ck: &Clock,
        hw: &Hardware,
        name: &str,
        en: &Expr,
        x: &Expr,
        mult: &Expr,
        at: i64,
    ) -> Expr {
        let Some(lane) = hw.requantizer() else { return lit(0, sint(8)) };
        let out = m.wire_later(&format!("{name}_scaled"), sint(lane.out_bits));
        let mut i = m
            .instance(&format!("u_{name}"), &lane.unit())
            .param("ACC_W", x.width())
            .clock(ck)
            .input("en_i", en)
            .input("acc_i", x)
            .input("mult_i", mult)
            .input("zp_i", &lit(0, sint(8)));
        if let Some(s) = &self.shift {
            i = i.input("shift_i", &if at < 0 { s.clone() } else { s.slice(8 * at, 6) });
        }
        if let Some(r) = &self.random {
            i = i.input("random_i", r);
        }
        i.output("y_o", &out).done();
        (*out).clone()
    }
}

/// `dual-scale` and `iqr`: the code {outside, q}, outside = (|x| > threshold), q scaled by the region's multiplier.
pub fn region_lane(hw: &Hardware) -> Rc<Unit> {
    let inner = hw.requantizer().map(|l| l.unit());
    let m = Module::new(&inner.map_or("region".into(), |u| format!("region_{}", u.name())));
    m.doc("Two-region quantizer lane: {|x| > threshold, round(x * mult / 2^shift)}, latency 4 enabled cycles.");
    let w = m.param("IN_W", hw.in_bits, 4..=32, "bits of an element");
    let (ck, en) = (m.clock(), m.input("en_i", bit()));
    let bits = m.input("x_i", uint(&w));
    let threshold = m.input("threshold_i", uint(31));
    let mult = ["mult_0_i", "mult_1_i"].map(|n| m.input(n, uint(16)));
    let scale = Scale::ports(&m, hw, 1);
    let x = m.wire("x", &bits.as_signed());
    let negative = x.msb();
    // |x| as ~x where x is negative is one less: |x| > t is then ~x >= t.
    let folded = m.wire("folded", &bits.xor(negative.repeat(&w)));
    let wide = m.wire("folded_wide", &concat(&[&lit(0, uint(33 - &w)), &folded]));
    let bound = m.wire("threshold_wide", &concat(&[&lit(0, uint(2)), &threshold]));
    let outside = m.wire("outside", &(wide.gt(&bound) | (&negative & wide.eq_to(&bound))));
    let x_q = ck.reg("x_q", sint(&w));
    let mult_q = ck.reg("mult_q", uint(16));
    let outside_q = ck.reg("outside_q", bit());
    x_q.next_when(&en, &x);
    mult_q.next_when(&en, outside.select(&mult[1], &mult[0]));
    outside_q.next_when(&en, &outside);
    let shift_q = scale.shift.as_ref().map(|s| {
        let q = ck.reg("shift_q", uint(6));
        q.next_when(&en, s);
        (*q).clone()
    });
    let random_q = scale.random.as_ref().map(|r| {
        let q = ck.reg("random_q", uint(16));
        q.next_when(&en, r);
        (*q).clone()
    });
    let scale = Scale { shift: shift_q, random: random_q };
    let q = scale.lane(&m, &ck, hw, "lane", &en, &x_q, &mult_q, -1);
    let region = delayed(&m, &ck, "outside", &en, &outside_q, requantize::LATENCY, false);
    m.output("y_o", &concat(&[&region, &q]));
    m.finish()
}

/// Magnitudes of the outlier codes 1..=7, in units of the grid.
const OUTLIERS: [i64; 7] = [12, 16, 24, 32, 48, 64, 96];

/// `ovp`: two neighbours scaled to the grid and coded as a pair.
pub fn outlier_pair(hw: &Hardware) -> Rc<Unit> {
    let inner = hw.requantizer().map(|l| l.unit());
    let m = Module::new(&inner.map_or("pair".into(), |u| format!("outlier_pair_{}", u.name())));
    m.doc(
        "Outlier-victim pair: two elements become four bits each, latency 4 enabled cycles.\n\
         |v| <= 9 is normal, {sign, min(|v|, 7)}; a larger one is {sign, code of 12, 16, 24, 32, 48, 64 or 96} and its partner 1000.",
    );
    let w = m.param("IN_W", hw.in_bits, 4..=32, "bits of an element");
    let (ck, en) = (m.clock(), m.input("en_i", bit()));
    let x = m.input("x_i", uint(2 * &w));
    let alone = m.input("alone_i", bit());
    m.describe(&alone, "the right element is padding: the left one is coded as normal");
    let mult = m.input("mult_i", uint(32));
    let scale = Scale::ports(&m, hw, 2);
    let alone = delayed(&m, &ck, "alone", &en, &alone, requantize::LATENCY, false);
    let sides = ["left", "right"].map(|name| {
        let at = i64::from(name == "right");
        let element = m.wire(&format!("{name}_x"), &x.lane(at, &w).as_signed());
        let v = scale.lane(&m, &ck, hw, name, &en, &element, &mult.slice(16 * at, 16), at);
        grid_codes(&m, name, &v)
    });
    let [left, right] = &sides;
    let left_out = m.wire("left_outlier", &(&left.outlier & !&alone));
    let right_out = m.wire("right_outlier", &(&right.outlier & !&left_out & !&alone));
    let victim = lit(0b1000, uint(4));
    let y = ck.reg("y_q", uint(8));
    let coded = |side: &Grid, own: &Expr, other: &Expr| own.select(&side.large, other.select(&victim, &side.normal));
    let right_half = m.wire("right_half", &coded(right, &right_out, &left_out));
    let left_half = m.wire("left_half", &coded(left, &left_out, &right_out));
    y.next_when(&en, concat(&[&right_half, &left_half]));
    m.output("y_o", &y);
    m.finish()
}

/// A value of the grid as both codes.
struct Grid {
    outlier: Expr,
    normal: Expr,
    large: Expr,
}

fn grid_codes(m: &Module, name: &str, v: &Expr) -> Grid {
    let sign = v.msb();
    let label = |n: &str| format!("{name}_{n}");
    let bits = m.wire(&label("bits"), &v.as_unsigned());
    // 8 bits hold |v| up to 128: -128 stands for all that is smaller.
    let folded = m.wire(&label("folded"), &bits.xor(sign.repeat(8)));
    let one = m.wire(&label("one"), &concat(&[&lit(0, uint(7)), &sign]));
    let magnitude = m.wire(&label("magnitude"), &folded.wrapping_add(&one));
    let outlier = m.wire(&label("large"), &magnitude.gt(9));
    let seven = lit(7, uint(3));
    let normal = m.wire(&label("normal"), &concat(&[&sign, &magnitude.gt(7).select(&seven, magnitude.slice(0, 3))]));
    // Above the middle between two magnitudes the larger is nearer; at the middle the smaller is taken.
    let mut code = lit(1, uint(3));
    for (n, pair) in OUTLIERS.windows(2).enumerate() {
        let next = lit(n as i64 + 2, uint(3));
        code = magnitude.gt((pair[0] + pair[1]) / 2).select(&next, &code);
    }
    let code = m.wire(&label("code"), &code);
    Grid { outlier, normal, large: m.wire(&label("outlier_code"), &concat(&[&sign, &code])) }
}
