//! Logits from exact products, negated: -t = -half-up(S·C / 2^r) = floor((-S·C + 2^(r - 1) - 1) / 2^r).
//!
//! u = M·2^12 - t needs no subtraction of its lower bits, and ceil(t / 2^12) no addition.

use std::rc::Rc;

use bitlathe_hdl::{Clock, Dim, Expr, Module, Unit, bit, clog2, concat, lit, sint, uint};
use bitlathe_spec::Family;

use super::hardware::Hardware;
use crate::Cost;
use crate::parts::carry::{impl_param, implementation};
use crate::parts::delay_line::{delay_cost, delayed};
use crate::parts::multiply_add::{self, Form, fitting, multiply_add};
use crate::parts::sign::widen;

/// Bits of C.
pub const MULT_BITS: i64 = 16;
/// Bits of S that the first of two blocks takes.
const LOW_BITS: i64 = 17;
/// Bits of S that one block takes.
const NARROW: i64 = 25;

/// Whether S takes two blocks.
fn is_wide(score_bits: i64) -> bool {
    score_bits > NARROW
}

/// Cycles from S to t.
pub fn latency(score_bits: i64) -> i64 {
    let product = if is_wide(score_bits) { multiply_add::LATENCY + 2 } else { multiply_add::LATENCY };
    product + 1
}

/// Widths of the products.
struct Widths {
    /// S·C with its half, or that of the lower bits of S.
    low: i64,
    /// The upper bits with what the lower ones carry.
    high: i64,
}

impl Hardware {
    /// Bits that choose among the legal r.
    pub fn shift_bits(&self) -> i64 {
        let (least, most) = self.shifts();
        clog2(most - least + 1).max(1)
    }

    /// Bits of the half that is added before the shift.
    pub fn half_bits(&self) -> i64 {
        self.shifts().1
    }

    fn logit_widths(&self) -> Widths {
        let own = if is_wide(self.score_bits) { LOW_BITS + 1 } else { self.score_bits };
        let low = (own + MULT_BITS + 2).max(self.half_bits() + 2);
        let high = (self.score_bits + 2).max(low - LOW_BITS + 1);
        Widths { low, high }
    }
}

/// The unit.
pub fn unit(hw: &Hardware) -> Rc<Unit> {
    let m = Module::new("attention_logit");
    m.doc(&format!(
        "t_o = -half-up(S * C / 2^r): mult_i = 2^16 - C, r = shift_i + {}, half_i = 2^(r - 1) - 1. Latency {} cycles.",
        hw.shifts().0,
        latency(hw.score_bits)
    ));
    let sw = m.param("S_W", hw.score_bits, 8..=48, "bits of S");
    let tw = m.param("T_W", hw.logit_bits(), 13..=48, "bits of t");
    let imp = impl_param(&m, hw.implementation);
    let ck = m.clock();
    let s = m.input("s_i", sint(&sw));
    let mult = m.input("mult_i", uint(MULT_BITS));
    let shift = m.input("shift_i", uint(hw.shift_bits()));
    let half = m.input("half_i", uint(hw.half_bits()));
    let mult = m.wire("mult", &concat(&[&lit(1, bit()), &mult]).as_signed());
    let p = Products { m: &m, ck: &ck, imp: &imp, hw };
    let product = if is_wide(hw.score_bits) { p.two(&s, &mult, &half) } else { p.one(&s, &mult, &half) };
    let (least, most) = hw.shifts();
    let reach = hw.logit_bits() + most;
    let product = m.wire("full", &widen(&m, "full_wide", &product, reach.max(product.width().value())));
    let window = m.wire("window", &product.slice(least, &tw + (most - least)));
    let moved = m.wire("moved", &window.shr(&shift));
    m.allow(&moved, "UNUSEDSIGNAL", "t is in its range");
    m.allow(&product, "UNUSEDSIGNAL", "the bits below are rounded away");
    m.output("t_o", &ck.delay("t", &m.wire("t", &moved.slice(0, &tw).as_signed()), 1));
    m.finish()
}

struct Products<'a> {
    m: &'a Module,
    ck: &'a Clock,
    imp: &'a Dim,
    hw: &'a Hardware,
}

impl Products<'_> {
    fn one(&self, s: &Expr, mult: &Expr, half: &Expr) -> Expr {
        let w = self.hw.logit_widths();
        let half = self.extended("half", half, w.low);
        self.block("product", s, mult, &half, w.low)
    }

    /// S = upper·2^17 + lower: what lower·C leaves above its 17th bit is the addend of upper·C.
    fn two(&self, s: &Expr, mult: &Expr, half: &Expr) -> Expr {
        let (m, w) = (self.m, self.hw.logit_widths());
        let always = lit(1, bit());
        let lower = m.wire("lower", &concat(&[&lit(0, bit()), &s.slice(0, LOW_BITS)]).as_signed());
        let half = self.extended("half", half, w.low);
        let low = self.block("low", mult, &lower, &half, w.low);
        let upper = m.wire("upper", &s.slice(LOW_BITS, s.width() - LOW_BITS));
        let upper = delayed(m, self.ck, "upper", &always, &upper, 2, false);
        let carry = m.wire("carry", &low.slice(LOW_BITS, w.low - LOW_BITS).as_signed());
        let carry = m.wire("carry_in", &widen(m, "carry_wide", &carry, w.high).as_signed());
        let high = self.block("high", &m.wire("upper_late", &upper.as_signed()), mult, &carry, w.high);
        let rest = delayed(m, self.ck, "rest", &always, &m.wire("rest", &low.slice(0, LOW_BITS)), 2, false);
        m.wire("product", &concat(&[&high, &rest]).as_signed())
    }

    fn extended(&self, name: &str, value: &Expr, width: i64) -> Expr {
        self.m.wire(&format!("{name}_wide"), &concat(&[&lit(0, uint(width - value.width())), value]).as_signed())
    }

    fn block(&self, name: &str, a: &Expr, b: &Expr, c: &Expr, width: i64) -> Expr {
        let p = self.m.wire_later(name, sint(width));
        let (aw, bw) = (a.width().value(), b.width().value());
        let fits = fitting(self.hw.implementation, aw, bw, width) != 0;
        let unit = multiply_add(Form::PlusC, aw, bw, width, if fits { self.hw.implementation } else { 0 });
        let imp = if fits { self.imp.clone() } else { Dim::from(0) };
        self.m
            .instance(&format!("u_{name}"), &unit)
            .param("A_W", a.width())
            .param("B_W", b.width())
            .param("P_W", width)
            .param("IMPL", imp)
            .clock(self.ck)
            .input("en_i", &lit(1, bit()))
            .input("a_i", a)
            .input("b_i", b)
            .input("c_i", c)
            .output("p_o", &p)
            .done();
        (*p).clone()
    }
}

/// Cost: one block or two, and the choice of t among the legal shifts.
pub fn cost(hw: &Hardware, family: Family) -> Cost {
    let w = hw.logit_widths();
    let (least, most) = hw.shifts();
    let mut cost = Cost::logic(hw.logit_bits() as f64 * ((most - least) as f64 / 3.0).ceil(), hw.logit_bits() as f64);
    if is_wide(hw.score_bits) {
        cost += multiply_add::cost(MULT_BITS + 1, LOW_BITS + 1, w.low, family);
        cost += multiply_add::cost(hw.score_bits - LOW_BITS, MULT_BITS + 1, w.high, family);
        // The upper bits; those below r are not kept. With the register of the choice before them they fill a shift register.
        let upper = hw.score_bits - LOW_BITS;
        if implementation(family) != 0 {
            cost += delay_cost(family, upper, 3, false);
            cost.ff -= upper as f64;
        } else {
            cost += delay_cost(family, upper, 2, false);
        }
    } else {
        cost += multiply_add::cost(hw.score_bits, MULT_BITS + 1, w.low, family);
    }
    cost
}
