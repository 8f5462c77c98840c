//! Product plus or minus addend in one DSP block of UltraScale+ or 7 series, with all its registers; a behavioural form elsewhere.
//!
//! Synthesis takes the product to a block but leaves the addition to look-up tables. The block's cell is named here instead
//! (AMD UG579, "Multiplier" and "Arithmetic Logic Unit"): X and Y are the product, Z is C.

use std::rc::Rc;

use bitlathe_hdl::{Clock, Dim, Expr, Module, Unit, Wire, bit, concat, lit, sint, uint};
use bitlathe_spec::Family;

use super::carry::{adder_lut, impl_param};
use super::sign::widen;
use crate::Cost;

/// Cycles from the factors to the result; the addend comes one cycle after the factors.
pub const LATENCY: i64 = 3;

/// What becomes of product and addend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// a·b + c.
    PlusC,
    /// a·b - c.
    MinusC,
    /// c - a·b, where an input decides whether c counts.
    FromC,
}

impl Form {
    fn module(self) -> &'static str {
        match self {
            Self::PlusC => "multiply_add",
            Self::MinusC => "multiply_minus",
            Self::FromC => "multiply_from",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::PlusC => "a * b + c",
            Self::MinusC => "a * b - c",
            Self::FromC => "(keep ? c : 0) - a * b",
        }
    }

    /// ALUMODE and CARRYIN of the block (AMD UG579, "ALUMODE Inputs"): Z + XY, XY - Z as -Z + XY + 1 - 1, Z - XY.
    fn adder(self) -> [i64; 2] {
        match self {
            Self::PlusC => [0b0000, 0],
            Self::MinusC => [0b0001, 1],
            Self::FromC => [0b0011, 0],
        }
    }
}

/// Widest factors and result of one block as an implementation has it; `None` for the behavioural form.
fn widest(implementation: i64) -> Option<[i64; 3]> {
    match implementation {
        1 => Some([27, 18, 48]),
        2 => Some([25, 18, 48]),
        _ => None,
    }
}

/// The implementation if its block is wide enough, otherwise the behavioural form.
pub fn fitting(implementation: i64, a_bits: i64, b_bits: i64, p_bits: i64) -> i64 {
    let fits = |most: [i64; 3]| a_bits <= most[0] && b_bits <= most[1] && p_bits <= most[2];
    if widest(implementation).is_some_and(fits) { implementation } else { 0 }
}

/// p of a form modulo 2^`p_bits`, signed.
pub fn multiply_add(form: Form, a_bits: i64, b_bits: i64, p_bits: i64, implementation: i64) -> Rc<Unit> {
    let m = Module::new(form.module());
    let c_late = if form == Form::FromC { "c and keep come" } else { "c comes" };
    m.doc(&format!(
        "p = {} modulo 2^P_W, latency 3 enabled cycles; {c_late} one enabled cycle after a and b.",
        form.text()
    ));
    let aw = m.param("A_W", a_bits, 2..=64, "bits of the first factor");
    let bw = m.param("B_W", b_bits, 2..=64, "bits of the second factor");
    let pw = m.param("P_W", p_bits, 5..=128, "bits of addend and result");
    let imp = impl_param(&m, implementation);
    m.guard(pw.gt(&aw + &bw), "the result holds the product");
    for (n, width) in [&aw, &bw, &pw].into_iter().enumerate() {
        let [new, old] = [1, 2].map(|i| Dim::from(widest(i).map_or(0, |most| most[n])));
        let most = new.when(imp.eq_to(1), old.when(imp.eq_to(2), 128));
        m.guard(most.ge(width), "one block holds it");
    }
    let (ck, en) = (m.clock(), m.input("en_i", bit()));
    let [a, b, c] = [("a_i", &aw), ("b_i", &bw), ("c_i", &pw)].map(|(name, w)| m.input(name, sint(w)));
    let keep = (form == Form::FromC).then(|| m.input("keep_i", bit()));
    let p = m.output_wire("p_o", sint(&pw));
    let behaviour = || {
        let held = |name: &str, value: &Expr| {
            let q = ck.reg(name, value.ty().clone());
            q.next_when(&en, value);
            (*q).clone()
        };
        let (a, b, c) = (held("a_q", &a), held("b_q", &b), held("c_q", &c));
        let product = held("product_q", &a.mul(&b)).extend(&pw);
        let sum = match (form, &keep) {
            (Form::MinusC, _) => product.wrapping_sub(c),
            (Form::FromC, Some(keep)) => held("keep_q", keep).select(c, 0).wrapping_sub(product),
            _ => c.wrapping_add(product),
        };
        p.drive(held("p_q", &sum));
    };
    let vendor = || {
        let [a, b, c] =
            [("a", &a, 30), ("b", &b, 18), ("c", &c, 48)].map(|(name, v, w)| widen(&m, &format!("{name}_wide"), v, w));
        let sum = m.wire_later("sum", uint(48));
        m.allow(&sum, "UNUSEDSIGNAL", "copies of the sign");
        let cell = Cell { m: &m, ck: &ck, en: &en, form, a, b, c, keep: keep.clone(), sum };
        let place = |name| cell.place(name);
        m.generate_if(imp.eq_to(1), ["g_ultrascale", "g_series7"], || place("DSP48E2"), || place("DSP48E1"));
        p.drive(cell.sum.slice(0, &pw).as_signed());
    };
    m.generate_if(imp.eq_to(0), ["g_behavioural", "g_vendor"], behaviour, vendor);
    m.finish()
}

/// The vendor's cell with what it is connected to.
struct Cell<'a> {
    m: &'a Module,
    ck: &'a Clock,
    en: &'a Expr,
    form: Form,
    a: Expr,
    b: Expr,
    c: Expr,
    keep: Option<Expr>,
    sum: Wire,
}

impl Cell<'_> {
    fn place(&self, cell: &str) {
        let m = self.m;
        // Z is C where it counts, Y and X the product; the newer cell's fourth operand, W, stays zero.
        let above = lit(0, uint(if cell == "DSP48E2" { 3 } else { 1 }));
        let mode = match &self.keep {
            None => lit(0b011_0101, uint(if cell == "DSP48E2" { 9 } else { 7 })),
            Some(keep) => concat(&[&above, keep, keep, &lit(0b0101, uint(4))]),
        };
        let name = format!("u_{}", cell.to_lowercase());
        let mut i = m.primitive(&name, cell, &attributes(cell, self.form)).input("CLK", &m.clock_value(self.ck));
        let [alu_mode, carry] = self.form.adder();
        i = i.input("ALUMODE", &lit(alu_mode, uint(4))).input("CARRYIN", &lit(carry, bit()));
        for (port, bits) in tied(cell) {
            i = i.input(port, &lit(0, uint(bits)));
        }
        for port in ["CEA1", "CEA2", "CEB1", "CEB2", "CEC", "CECTRL", "CEM", "CEP"] {
            i = i.input(port, self.en);
        }
        i.input("A", &self.a)
            .input("B", &self.b)
            .input("C", &self.c)
            .input("OPMODE", &mode)
            .output("P", &self.sum)
            .done();
    }
}

/// Attributes of the vendor's cell: a register at every step of the product, and for a mode that changes.
fn attributes(cell: &str, form: Form) -> Vec<(&'static str, &'static str)> {
    let mut out = vec![("USE_MULT", "\"MULTIPLY\"")];
    out.extend(["ACASCREG", "AREG", "BCASCREG", "BREG", "CREG", "MREG", "PREG"].map(|a| (a, "1")));
    let none = ["ADREG", "ALUMODEREG", "CARRYINREG", "CARRYINSELREG", "DREG", "INMODEREG"];
    out.extend(none.map(|a| (a, "0")));
    out.push(("OPMODEREG", if form == Form::FromC { "1" } else { "0" }));
    if cell == "DSP48E1" {
        out.push(("USE_DPORT", "\"FALSE\""));
    }
    out
}

/// Inputs of the vendor's cell that stay at zero, with their bits.
fn tied(cell: &str) -> Vec<(&'static str, i64)> {
    let d = if cell == "DSP48E2" { 27 } else { 25 };
    let mut out = vec![("ACIN", 30), ("BCIN", 18), ("CARRYINSEL", 3), ("D", d), ("INMODE", 5), ("PCIN", 48)];
    let single = ["CARRYCASCIN", "MULTSIGNIN", "CEAD", "CEALUMODE", "CECARRYIN", "CED", "CEINMODE"];
    let resets =
        ["RSTA", "RSTALLCARRYIN", "RSTALUMODE", "RSTB", "RSTC", "RSTCTRL", "RSTD", "RSTINMODE", "RSTM", "RSTP"];
    out.extend(single.into_iter().chain(resets).map(|port| (port, 1)));
    out
}

/// Cost: one block where it fits; otherwise what synthesis makes of the product, and an adder.
pub fn cost(a_bits: i64, b_bits: i64, p_bits: i64, family: Family) -> Cost {
    let implementation = fitting(super::carry::implementation(family), a_bits, b_bits, p_bits);
    if implementation != 0 {
        return Cost { dsp: 1.0, ..Cost::default() };
    }
    let registers = (2 * (a_bits + b_bits) + 2 * p_bits) as f64;
    let adder = if family == Family::Ecp5 { 1.5 } else { 1.0 } * p_bits as f64;
    let mut cost = product_cost(a_bits, b_bits, family);
    cost += Cost::logic(adder, registers);
    cost
}

/// Cost of a signed product without its registers as synthesis makes it: blocks with the sums that join them, or look-up tables.
pub fn product_cost(a_bits: i64, b_bits: i64, family: Family) -> Cost {
    let (large, small) = (a_bits.max(b_bits), a_bits.min(b_bits));
    // Unsigned parts of the factors that blocks take.
    let pieces =
        |wide: i64, narrow: i64| (((large - 1 + wide - 1) / wide) * ((small - 1 + narrow - 1) / narrow)) as f64;
    let dsp = match family {
        Family::Xcup => pieces(26, 17),
        Family::Xc7 => pieces(24, 17),
        Family::Ecp5 if small <= ECP5_FACTOR && (ECP5_FACTOR + 1..2 * ECP5_FACTOR).contains(&large) => {
            // What is left of a factor of one bit too many, two bits with its sign, becomes look-up tables. Two blocks join in an
            // adder above the lower one's own bits.
            let (dsp, lut) = match large - ECP5_FACTOR {
                1 => (1.0, 3.0 * small as f64),
                _ => (2.0, adder_lut(family, large + small - (ECP5_FACTOR - 1))),
            };
            return Cost { dsp, ..Cost::logic(lut, 0.0) };
        }
        Family::Ecp5 => pieces(17, 17),
        Family::Ice40 => return Cost::logic(2.75 * (a_bits * b_bits) as f64, 0.0),
    };
    Cost { dsp, ..Cost::logic(34.0 * (dsp - 1.0), 0.0) }
}

/// Bits of a factor of the block of ECP5.
const ECP5_FACTOR: i64 = 18;
