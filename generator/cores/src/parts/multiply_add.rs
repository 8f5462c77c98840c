//! Product plus addend in one DSP block of UltraScale+ or 7 series, with all its registers; a behavioural form elsewhere.
//!
//! Synthesis takes the product to a block but leaves the addition to look-up tables. The block's cell is named here instead
//! (AMD UG579, "Multiplier" and "Arithmetic Logic Unit"): X and Y are the product, Z is C.

use std::rc::Rc;

use bitlathe_hdl::{Clock, Dim, Expr, Module, Unit, Wire, bit, lit, sint, uint};
use bitlathe_spec::Family;

use super::carry::impl_param;
use crate::Cost;

/// Cycles from the factors to the result; the addend comes one cycle after the factors.
pub const LATENCY: i64 = 3;

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

/// p = a·b + c modulo 2^`p_bits`, signed.
pub fn multiply_add(a_bits: i64, b_bits: i64, p_bits: i64, implementation: i64) -> Rc<Unit> {
    let m = Module::new("multiply_add");
    m.doc("p = a * b + c modulo 2^P_W, latency 3 enabled cycles; c comes one enabled cycle after a and b.");
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
    let p = m.output_wire("p_o", sint(&pw));
    let behaviour = || {
        let held = |name: &str, value: &Expr| {
            let q = ck.reg(name, value.ty().clone());
            q.next_when(&en, value);
            (*q).clone()
        };
        let (a, b, c) = (held("a_q", &a), held("b_q", &b), held("c_q", &c));
        let product = held("product_q", &a.mul(&b));
        p.drive(held("p_q", &c.wrapping_add(product.extend(&pw))));
    };
    let vendor = || {
        let [a, b, c] = [("a", &a, 30), ("b", &b, 18), ("c", &c, 48)].map(|(name, v, w)| widened(&m, name, v, w));
        let sum = m.wire_later("sum", uint(48));
        m.allow(&sum, "UNUSEDSIGNAL", "copies of the sign");
        let cell = Cell { m: &m, ck: &ck, en: &en, a, b, c, sum };
        let place = |name| cell.place(name);
        m.generate_if(imp.eq_to(1), ["g_ultrascale", "g_series7"], || place("DSP48E2"), || place("DSP48E1"));
        p.drive(cell.sum.slice(0, &pw).as_signed());
    };
    m.generate_if(imp.eq_to(0), ["g_behavioural", "g_vendor"], behaviour, vendor);
    m.finish()
}

/// The value with copies of its sign, at least as wide as it is, such as a port of a vendor's cell.
pub fn widened(m: &Module, name: &str, value: &Expr, width: impl Into<Dim>) -> Expr {
    let width = width.into();
    let copies = m.wire(&format!("{name}_signs"), &value.msb().repeat(&width));
    let all = m.wire(&format!("{name}_all"), &bitlathe_hdl::concat(&[&copies, value]));
    m.allow(&all, "UNUSEDSIGNAL", "surplus copies of the sign");
    m.wire(&format!("{name}_port"), &all.slice(0, width))
}

/// The vendor's cell with what it is connected to.
struct Cell<'a> {
    m: &'a Module,
    ck: &'a Clock,
    en: &'a Expr,
    a: Expr,
    b: Expr,
    c: Expr,
    sum: Wire,
}

impl Cell<'_> {
    fn place(&self, cell: &str) {
        let m = self.m;
        // Z is C, Y and X the product; the newer cell's fourth operand, W, stays zero.
        let mode = lit(0b011_0101, uint(if cell == "DSP48E2" { 9 } else { 7 }));
        let name = format!("u_{}", cell.to_lowercase());
        let mut i = m.primitive(&name, cell, &attributes(cell)).input("CLK", &m.clock_value(self.ck));
        for (port, bits) in tied(cell) {
            i = i.input(port, &lit(0, uint(bits)));
        }
        for port in ["CEA1", "CEA2", "CEB1", "CEB2", "CEC", "CEM", "CEP"] {
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

/// Attributes of the vendor's cell: a register at every step of the product, the mode constant.
fn attributes(cell: &str) -> Vec<(&'static str, &'static str)> {
    let mut out = vec![("USE_MULT", "\"MULTIPLY\"")];
    out.extend(["ACASCREG", "AREG", "BCASCREG", "BREG", "CREG", "MREG", "PREG"].map(|a| (a, "1")));
    let none = ["ADREG", "ALUMODEREG", "CARRYINREG", "CARRYINSELREG", "DREG", "INMODEREG", "OPMODEREG"];
    out.extend(none.map(|a| (a, "0")));
    if cell == "DSP48E1" {
        out.push(("USE_DPORT", "\"FALSE\""));
    }
    out
}

/// Inputs of the vendor's cell that stay at zero, with their bits.
fn tied(cell: &str) -> Vec<(&'static str, i64)> {
    let d = if cell == "DSP48E2" { 27 } else { 25 };
    let mut out =
        vec![("ACIN", 30), ("ALUMODE", 4), ("BCIN", 18), ("CARRYINSEL", 3), ("D", d), ("INMODE", 5), ("PCIN", 48)];
    let single =
        ["CARRYCASCIN", "CARRYIN", "MULTSIGNIN", "CEAD", "CEALUMODE", "CECARRYIN", "CECTRL", "CED", "CEINMODE"];
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
    let (large, small) = (a_bits.max(b_bits), a_bits.min(b_bits));
    // Unsigned parts of the factors that blocks take, and the sums that join their products.
    let pieces =
        |wide: i64, narrow: i64| (((large - 1 + wide - 1) / wide) * ((small - 1 + narrow - 1) / narrow)) as f64;
    let (dsp, lut) = match family {
        Family::Xcup => (pieces(26, 17), p_bits as f64),
        Family::Xc7 => (pieces(24, 17), p_bits as f64),
        Family::Ecp5 => (pieces(17, 17), 1.5 * p_bits as f64),
        Family::Ice40 => return Cost::logic((a_bits * b_bits + p_bits) as f64, registers),
    };
    Cost { dsp, ..Cost::logic(lut + 34.0 * (dsp - 1.0), registers) }
}
