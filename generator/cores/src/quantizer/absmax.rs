//! `absmax`: rows wait while their largest magnitude becomes a reciprocal; then each element is normalised and scaled.

use std::rc::Rc;

use bitlathe_hdl::{Dim, Expr, Module, Unit, bit, concat, lit, sint, uint};
use bitlathe_spec::Rounding;

use super::front::{self, Front, Span};
use super::rtl::{Hardware, Top};
use crate::parts::divider::{self, divider};
use crate::parts::normalise::normalise;
use crate::parts::requantize::{self, RequantizeLane, Shift};

/// Bits of a reciprocal.
const RECIPROCAL_BITS: i64 = 16;

/// Cycles from a row's offered maximum to its loaded reciprocal: normalise, divide.
pub fn scale_latency() -> i64 {
    1 + divider::latency(RECIPROCAL_BITS)
}

/// Cycles from an element that leaves the buffer to its output: normalise, requantize.
pub const LANE_LATENCY: i64 = 1 + requantize::LATENCY;

impl Hardware {
    /// Cycles that a row's reciprocal takes behind its last beat; shorter rows wait for it.
    pub fn row_latency(&self) -> Option<i64> {
        matches!(self.method, super::rtl::Method::Absmax { .. })
            .then(|| front::latency(self.lanes, Span::Row) + scale_latency())
    }

    /// The front of the methods that have one.
    pub fn front(&self, span: Span) -> Front {
        Front { lanes: self.lanes, in_bits: self.in_bits, c_max: self.c_max, span }
    }

    /// The requantizer of a normalised element.
    pub fn absmax_lane(&self, out_bits: i64) -> RequantizeLane {
        RequantizeLane {
            acc_bits: self.in_bits + 1,
            shift: Shift::Constant(self.in_bits + 8),
            rounding: Rounding::HalfEven,
            out_bits,
            narrow: false,
            planes: 1,
            batch: 1,
        }
    }
}

/// A row's scale: leading zeros and reciprocal.
fn row_scale(in_bits: i64, out_bits: i64) -> Rc<Unit> {
    let m = Module::new("row_scale");
    m.doc(
        "Largest magnitude A to scale: n = leading zeros of A in IN_W bits, reciprocal = floor(TOP * 2^(IN_W+8) / (A << n)),\n\
         TOP = 2^(OUT_W-1) - 1; zero for A = 0.",
    );
    let w = m.param("IN_W", in_bits, 16..=32, "bits of an element");
    let out = m.param("OUT_W", out_bits, 2..=8, "bits of the output");
    let ck = m.clock();
    let (a_valid, a) = (m.input("a_valid_i", bit()), m.input("a_i", uint(&w)));
    let a_ready = m.output_wire("a_ready_o", bit());
    let ready = m.input("scale_ready_i", bit());
    let (zeros, value) = normalise(&m, "a", &a, in_bits - 1);
    let valid = ck.reg("valid_q", bit()).reset_to(0);
    let amax = ck.reg("amax_q", uint(&w));
    let zeros_q = ck.reg("zeros_q", zeros.ty().clone());
    let normal = ck.reg("normal_q", uint(&w));
    let div_ready = m.wire_later("div_ready", bit());
    let free = m.wire("free", &(!&*valid | &*div_ready));
    a_ready.drive(&free);
    let take = m.wire("take", &(&a_valid & &free));
    valid.next(&take | (&*valid & !&*div_ready));
    amax.next_when(&take, &a);
    zeros_q.next_when(&take, &zeros);
    normal.next_when(&take, &value);
    // The divider is free only when its quotient was taken, so what belongs to the quotient is kept beside it.
    let start = m.wire("start", &(&*valid & &*div_ready));
    let kept_amax = ck.reg("kept_amax_q", uint(&w));
    let kept_zeros = ck.reg("kept_zeros_q", zeros.ty().clone());
    kept_amax.next_when(&start, &*amax);
    kept_zeros.next_when(&start, &*zeros_q);
    let top = m.localparam("TOP", (&out - 1).pow2() - 1);
    let q = Dim::from(RECIPROCAL_BITS);
    let num = m.wire("numerator", &concat(&[&m.constant("TOP_BITS", &top, 8), &lit(0, uint(&w + 8))]));
    let quotient = m.wire_later("quotient", uint(&q));
    let done = m.output_wire("scale_valid_o", bit());
    m.instance("u_divider", &divider(in_bits, RECIPROCAL_BITS))
        .param("DEN_W", &w)
        .param("Q_W", &q)
        .clock(&ck)
        .input("s_valid_i", &valid)
        .output("s_ready_o", &div_ready)
        .input("num_i", &num)
        .input("den_i", &normal)
        .output("m_valid_o", &done)
        .input("m_ready_i", &ready)
        .output("quotient_o", &quotient)
        .done();
    m.output("amax_o", &kept_amax);
    m.output("zeros_o", &kept_zeros);
    m.output("reciprocal_o", &kept_amax.any().select(&*quotient, 0));
    m.finish()
}

/// An element of a row with its scale.
fn normalised_lane(hw: &Hardware, out_bits: i64) -> Rc<Unit> {
    let m = Module::new("normalised_lane");
    m.doc("Element of a row: half-even((x << zeros) * reciprocal / 2^(IN_W+8)), latency 4 enabled cycles.");
    let w = m.param("IN_W", hw.in_bits, 16..=32, "bits of an element");
    let (ck, en) = (m.clock(), m.input("en_i", bit()));
    let x = m.input("x_i", sint(&w));
    let zeros = m.input("zeros_i", uint(w.clog2()));
    let reciprocal = m.input("reciprocal_i", uint(RECIPROCAL_BITS));
    let wide = m.wire("wide", &x.extend(&w + 1));
    let normal = ck.reg("normal_q", sint(&w + 1));
    normal.next_when(&en, wide.shl(&zeros));
    let scale = ck.reg("reciprocal_q", uint(RECIPROCAL_BITS));
    scale.next_when(&en, &reciprocal);
    let lane = hw.absmax_lane(out_bits);
    let y = m.wire_later("y", sint(out_bits));
    m.instance("u_requantize", &lane.unit())
        .param("ACC_W", &w + 1)
        .param("OUT_W", out_bits)
        .param("SHIFT", &w + 8)
        .clock(&ck)
        .input("en_i", &en)
        .input("acc_i", &normal)
        .input("mult_i", &scale)
        .input("zp_i", &lit(0, sint(8)))
        .output("y_o", &y)
        .done();
    m.output("y_o", &y);
    m.finish()
}

impl Top<'_> {
    /// The whole method.
    pub fn absmax(&self, out_bits: i64) {
        let (m, hw, ck) = (&self.m, self.hw, &self.ck);
        m.doc(
            "Row quantizer: y = half-even(x * TOP / A), TOP = 2^(bits-1) - 1, A = largest magnitude of the row, with an integer\n\
             reciprocal. A row waits in the buffer until its reciprocal is known; the next row is taken meanwhile.",
        );
        let c_max = m.param("C_MAX", hw.c_max, 1..=65536, "largest row");
        let field = self.registers(&[("COLUMNS_MAX", &c_max)]);
        let used = m.wire_later("load", bit());
        let front = self.front(Span::Row, &c_max, &field, &used);

        m.comment("Scale of the row that leaves the buffer");
        let zeros_w = self.in_w.clog2();
        let load_ready = m.wire_later("load_ready", bit());
        let [scale_valid, zeros, reciprocal, amax] = [
            ("scale_valid", uint(1)),
            ("scale_zeros", uint(&zeros_w)),
            ("scale_reciprocal", uint(RECIPROCAL_BITS)),
            ("scale_amax", uint(&self.in_w)),
        ]
        .map(|(n, ty)| m.wire_later(n, ty));
        m.instance("u_scale", &row_scale(hw.in_bits, out_bits))
            .param("IN_W", &self.in_w)
            .param("OUT_W", out_bits)
            .clock(ck)
            .input("a_valid_i", &front.a_valid)
            .output("a_ready_o", &front.a_ready)
            .input("a_i", &front.a)
            .output("scale_valid_o", &scale_valid)
            .input("scale_ready_i", &load_ready)
            .output("zeros_o", &zeros)
            .output("reciprocal_o", &reciprocal)
            .output("amax_o", &amax)
            .done();
        let go = self.release(&front, &scale_valid, &load_ready, "amax", &used);
        let held = |name: &str, value: &Expr| {
            let q = ck.reg(name, value.ty().clone());
            q.next_when(&used, value);
            (*q).clone()
        };
        let zeros = held("zeros_q", &zeros);
        let reciprocal = held("reciprocal_q", &reciprocal);
        let amax = held("amax_q", &amax);

        m.comment("Lanes");
        let valid = self.delayed("valid", &go.en, &go.take, LANE_LATENCY, true);
        let last = self.delayed("last", &go.en, &front.last, LANE_LATENCY, false);
        let y_bits = Dim::from(out_bits);
        let y = m.wire_later("y_data", uint(&self.lanes * &y_bits));
        let unit = normalised_lane(hw, out_bits);
        m.generate_for("g_lane", &self.lanes, |i| {
            let element = m.wire("element", &front.data.lane(i, &self.in_w).as_signed());
            let out = m.wire_later("lane_y", sint(&y_bits));
            m.instance("u_lane", &unit)
                .param("IN_W", &self.in_w)
                .clock(ck)
                .input("en_i", &go.en)
                .input("x_i", &element)
                .input("zeros_i", &zeros)
                .input("reciprocal_i", &reciprocal)
                .output("y_o", &out)
                .done();
            y.drive_lane(i, &y_bits, &out.as_unsigned());
        });
        let ready = m.wire_later("y_ready", bit());
        go.en.drive(!&valid | &*ready);
        m.stream("y", valid, (*y).clone(), Some(last), ready).source("y");
        let wide = if hw.in_bits < 32 { concat(&[&lit(0, uint(32 - &self.in_w)), &amax]) } else { amax };
        m.stream("amax", go.side_valid, m.wire("amax_data", &wide), None, go.side_ready).source("amax");
    }
}
