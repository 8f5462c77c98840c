//! What a row's sum becomes before its output is made: a reciprocal, the sum without its leading zeros, ITA's inverse.

use std::rc::Rc;

use bitlathe_hdl::{Clock, Dim, Expr, Module, Unit, bit, concat, lit, uint};

use super::hardware::RowScale;
use crate::parts::divider::{self, divider};
use crate::parts::normalise::normalise;

/// Bits of a reciprocal: 2^17 to 2^18.
pub const RECIPROCAL_BITS: i64 = 19;
/// Bits of ITA's inverse.
pub const INVERSE_BITS: i64 = 8;
/// ITA's dividend, (2^8 - 1)·2^8.
const DIVIDEND: i64 = 255 << 8;

/// Bits of the quotient that a scale divides for.
fn quotient_bits(scale: RowScale) -> Option<i64> {
    match scale {
        RowScale::Reciprocal(_) => Some(RECIPROCAL_BITS),
        RowScale::Inverse => Some(INVERSE_BITS),
        RowScale::Magnitude | RowScale::Sum => None,
    }
}

/// Cycles between two rows: a divider takes one after the other.
pub fn interval(scale: RowScale) -> i64 {
    quotient_bits(scale).map_or(1, |q| divider::latency(q) + 1)
}

/// Cycles in the divider.
pub fn division(scale: RowScale) -> Option<i64> {
    quotient_bits(scale).map(divider::latency)
}

/// Cycles from an offered sum to its scale.
pub fn latency(scale: RowScale) -> i64 {
    i64::from(normalises(scale)) + division(scale).unwrap_or(0)
}

/// Whether a register holds the normalised sum in front of what follows.
pub fn normalises(scale: RowScale) -> bool {
    matches!(scale, RowScale::Reciprocal(_) | RowScale::Magnitude)
}

/// Sizes of a scale.
#[derive(Clone, Copy, Debug)]
pub struct Scaler {
    /// What it makes.
    pub scale: RowScale,
    /// Bits of a sum.
    pub sum_bits: i64,
    /// Most leading zeros of a sum.
    pub most_zeros: i64,
    /// Bits of the maximum that travels along.
    pub max_bits: Option<i64>,
}

impl Scaler {
    /// Bits of the number of leading zeros.
    pub fn zeros_bits(&self) -> i64 {
        bitlathe_hdl::clog2(self.most_zeros + 1)
    }

    /// The module: `sum` (with `max`) in; `scale` out, with `zeros`, `reciprocal`, `normal`, `inverse` as it has them.
    pub fn unit(&self) -> Rc<Unit> {
        let (name, doc) = match self.scale {
            RowScale::Reciprocal(_) => (
                "softmax_reciprocal",
                "Sum S to scale: n = leading zeros of S in SUM_W bits,\n\
                 reciprocal = floor(2^(SUM_W+17) / (S << n)).",
            ),
            RowScale::Magnitude => {
                ("softmax_magnitude", "Sum S without its leading zeros, of which there are n in SUM_W bits.")
            }
            _ => ("softmax_inverse", "Sum S to floor(65280 / S), at most 255."),
        };
        let m = Module::new(name);
        m.doc(doc);
        let w = m.param("SUM_W", self.sum_bits, 2..=64, "bits of a sum");
        let ck = m.clock();
        let port = Port {
            valid: m.input("sum_valid_i", bit()),
            sum: m.input("sum_i", uint(&w)),
            max: self.max_bits.map(|bits| {
                let mw = m.param("MAX_W", bits, 2..=33, "bits of a maximum");
                m.input("max_i", uint(&mw))
            }),
            next: m.input("scale_ready_i", bit()),
        };
        match self.scale {
            RowScale::Reciprocal(_) => self.reciprocal(&m, &ck, &w, &port),
            RowScale::Magnitude => self.magnitude(&m, &ck, &w, &port),
            _ => inverse(&m, &ck, &w, &port),
        }
        m.finish()
    }

    /// Normalised sums wait here until `start`.
    fn normalised(&self, m: &Module, ck: &Clock, w: &Dim, port: &Port, start: &Expr) -> Normalised {
        let (zeros, value) = normalise(m, "sum", &port.sum, self.most_zeros);
        let valid = ck.reg("valid_q", bit()).reset_to(0);
        let free = m.wire("free", &(!&*valid | start));
        m.output("sum_ready_o", &free);
        let take = m.wire("take", &(&port.valid & &free));
        valid.next(&take | (&*valid & !start));
        let held = |name: &str, value: &Expr| {
            let q = ck.reg(name, uint(value.width()));
            q.next_when(&take, value);
            (*q).clone()
        };
        let (zeros, normal) = (held("zeros_q", &zeros), held("normal_q", &value));
        let max = port.max.as_ref().map(|max| held("max_q", max));
        debug_assert_eq!(normal.width(), w);
        Normalised { valid: (*valid).clone(), zeros, normal, max }
    }

    fn magnitude(&self, m: &Module, ck: &Clock, w: &Dim, port: &Port) {
        let n = self.normalised(m, ck, w, port, &port.next);
        m.output("scale_valid_o", &n.valid);
        m.output("zeros_o", &n.zeros);
        m.output("normal_o", &n.normal);
        if let Some(max) = &n.max {
            m.output("max_o", max);
        }
    }

    fn reciprocal(&self, m: &Module, ck: &Clock, w: &Dim, port: &Port) {
        let free = m.wire_later("divider_ready", bit());
        let n = self.normalised(m, ck, w, port, &free);
        let start = m.wire("start", &(&n.valid & &*free));
        let numerator =
            m.wire("numerator", &concat(&[&lit(0, uint(RECIPROCAL_BITS - 18)), &lit(1, bit()), &lit(0, uint(w + 17))]));
        let quotient = divided(m, ck, w, RECIPROCAL_BITS, [&n.valid, &numerator, &n.normal], &free, &port.next);
        m.output("reciprocal_o", &quotient);
        // The divider is free only when its quotient was taken, so what belongs to the quotient is kept beside it.
        kept(m, ck, &start, "zeros", &n.zeros);
        if let Some(max) = &n.max {
            kept(m, ck, &start, "max", max);
        }
    }
}

/// Inputs of a scale.
struct Port {
    valid: Expr,
    sum: Expr,
    max: Option<Expr>,
    /// The scale is taken.
    next: Expr,
}

/// A sum that waits, normalised.
struct Normalised {
    valid: Expr,
    zeros: Expr,
    normal: Expr,
    max: Option<Expr>,
}

fn inverse(m: &Module, ck: &Clock, w: &Dim, port: &Port) {
    let free = m.wire_later("divider_ready", bit());
    m.output("sum_ready_o", &free);
    let start = m.wire("start", &(&port.valid & &*free));
    let numerator = m.wire("numerator", &lit(DIVIDEND, uint(w + INVERSE_BITS)));
    let quotient = divided(m, ck, w, INVERSE_BITS, [&port.valid, &numerator, &port.sum], &free, &port.next);
    m.output("inverse_o", &quotient);
    if let Some(max) = &port.max {
        kept(m, ck, &start, "max", max);
    }
}

/// A value that stays beside the quotient that it belongs to.
fn kept(m: &Module, ck: &Clock, start: &Expr, name: &str, value: &Expr) {
    let q = ck.reg(&format!("kept_{name}_q"), uint(value.width()));
    q.next_when(start, value);
    m.output(&format!("{name}_o"), &q);
}

fn divided(
    m: &Module,
    ck: &Clock,
    w: &Dim,
    quotient_bits: i64,
    [valid, numerator, denominator]: [&Expr; 3],
    free: &bitlathe_hdl::Wire,
    next: &Expr,
) -> Expr {
    let done = m.output_wire("scale_valid_o", bit());
    let quotient = m.wire_later("quotient", uint(quotient_bits));
    m.instance("u_divider", &divider(w.value(), quotient_bits))
        .param("DEN_W", w)
        .param("Q_W", quotient_bits)
        .clock(ck)
        .input("s_valid_i", valid)
        .output("s_ready_o", free)
        .input("num_i", numerator)
        .input("den_i", denominator)
        .output("m_valid_o", &done)
        .input("m_ready_i", next)
        .output("quotient_o", &quotient)
        .done();
    (*quotient).clone()
}
