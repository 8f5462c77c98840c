//! The cell of two roles: q·k summed in place, or p·v added to the sum of the cell before it. One multiplier serves both.
//!
//! On a DSP block (AMD UG579, "Pre-adder", "Multiplier" and "Arithmetic Logic Unit") the role costs no logic: the pre-adder lets q (port A) or
//! p (port D, whose register keeps it) through to the multiplier, and multiplexer Z gives the adder zero, the block's own sum, or that
//! of the block before it.

use std::rc::Rc;

use bitlathe_hdl::{Clock, Dim, Expr, Module, Unit, Wire, bit, concat, lit, sint, uint};
use bitlathe_spec::Family;

use super::super::hardware::Hardware;
use crate::Cost;
use crate::parts::carry::impl_param;
use crate::parts::sign::widen;

/// Bits of a DSP block's adder.
pub const BLOCK_BITS: i64 = 48;
/// Cycles from q, k, p or v to the sum.
pub const LATENCY: i64 = 4;
/// Cycles by which the role of the sum comes later than the operands.
pub const ROLE_DELAY: i64 = 2;

/// What of a block does not depend on the vendor's cell.
struct Cell {
    m: Module,
    ck: Clock,
    /// q, extended to port A.
    q: Expr,
    /// p, not negative.
    p: Expr,
    kv: Expr,
    load: Expr,
    weigh: Expr,
    /// Roles of the sum.
    own: Expr,
    pass: Expr,
    /// Whether there is a cell before it, a constant.
    chained: Expr,
    before: Expr,
    sum: Wire,
    /// The same for the next cell, over the cascade of blocks.
    passed: Wire,
}

/// The cell.
pub fn unit(hw: &Hardware, chained: bool) -> Rc<Unit> {
    let m = Module::new("attention_cell");
    m.doc(
        "Cell of two roles, no enable: sum = q * k + sum, or sum = p * v + the sum of the cell before.\n\
         weigh_i comes with the operands and chooses p; own_i and pass_i come two cycles later and choose the sum, none for 0.\n\
         take_i keeps the next p, load_i brings it into use for the v of the same cycle. sum_o follows by four cycles.",
    );
    let w = m.param("IN_W", hw.bits, 8..=16, "bits of q, k and v");
    let pw = m.param("P_W", hw.p_bits, 8..=16, "bits of a probability");
    let sw = m.param("SUM_W", hw.cell_bits(), 16..=48, "bits of a sum; 48 on DSP blocks");
    let chained = m.param("CHAINED", i64::from(chained), 0..=1, "1: there is a cell before");
    let imp = impl_param(&m, hw.cell_implementation);
    let ck = m.clock();
    let (q, kv) = (m.input("q_i", sint(&w)), m.input("kv_i", sint(&w)));
    let (p, take) = (m.input("p_i", uint(&pw)), m.input("take_i", bit()));
    let [weigh, load, own, pass] = ["weigh_i", "load_i", "own_i", "pass_i"].map(|n| m.input(n, bit()));
    let before = m.input("before_i", uint(&sw));
    let (sum, passed) = (m.output_wire("sum_o", uint(&sw)), m.output_wire("pass_o", uint(&sw)));
    m.describe(&before, "pass_o of the cell before");
    let next = ck.reg("next_q", uint(&pw));
    m.describe(&next, "p of the next tile");
    next.next_when(&take, &p);
    let p = (*next).clone();
    let chained = m.constant("BEFORE", chained, 1);
    let cell = Cell { m: m.clone(), ck, q, p, kv, load, weigh, own, pass, chained, before, sum, passed };
    m.generate_if(imp.eq_to(0), ["g_behavioural", "g_vendor"], || cell.behaviour(&sw), || cell.vendor(&imp));
    m.finish()
}

impl Cell {
    fn behaviour(&self, sw: &Dim) {
        let (m, ck) = (&self.m, &self.ck);
        let wide = self.q.width().larger(self.p.width() + 1);
        let q = ck.delay("q", &self.q, 1);
        let p = ck.reg("p_q", uint(self.p.width()));
        p.next_when(&self.load, &self.p);
        let weigh = ck.delay("weigh", &self.weigh, 1);
        let positive = m.wire("positive", &concat(&[&lit(0, bit()), &*p]).as_signed());
        let [q, positive] = [("q", &q), ("p", &positive)].map(|(name, v)| widen(m, &format!("{name}_wide"), v, &wide));
        let factor = ck.delay("factor", &m.wire("chosen", &weigh.select(&positive, &q).as_signed()), 1);
        let kv = ck.delay("kv", &self.kv, 2);
        let product = ck.delay("product", &factor.mul(&kv), 1);
        let (own, pass) = (ck.delay("own", &self.own, 1), ck.delay("pass", &self.pass, 1));
        let sum = ck.reg("sum_q", uint(sw));
        let before = m.wire("preceding", &(&self.before & self.chained.repeat(sw)));
        let base = m.wire("base", &(&before & pass.repeat(sw) | &*sum & own.repeat(sw)));
        sum.next(base.wrapping_add(widen(m, "product_wide", &product, sw)));
        self.sum.drive(&*sum);
        self.passed.drive(&*sum);
    }

    fn vendor(&self, imp: &Dim) {
        let m = &self.m;
        // A is gated away and D let through, or the other way round.
        let inmode = m.wire("inmode", &concat(&[&lit(0, uint(2)), &self.weigh, &self.weigh, &lit(0, bit())]));
        // X and Y are the product. Z is the block's own sum, or that of the block before, or zero.
        let z = m.wire("z", &concat(&[&lit(0, bit()), &self.own, &(&self.pass & &self.chained)]));
        let opmode = m.wire("opmode", &concat(&[&z, &lit(0b0101, uint(4))]));
        let [a, b] =
            [("a", &self.q, 30), ("b", &self.kv, 18)].map(|(name, v, bits)| widen(m, &format!("{name}_wide"), v, bits));
        let d = |bits: i64| concat(&[&lit(0, uint(bits - self.p.width())), &self.p]);
        let ports = [("A", a), ("B", b), ("INMODE", inmode)];
        m.generate_if(
            imp.eq_to(1),
            ["g_ultrascale", "g_series7"],
            || {
                m.comment(
                    "No open model of DSP48E2 exists to prove this form. Its registers and modes are those of the\n\
                     DSP48E1 form, which is proven equal to the behavioural one.",
                );
                // The newer cell has a fourth operand, W, which stays zero.
                self.place("DSP48E2", &ports, &d(27), &concat(&[&lit(0, uint(2)), &opmode]));
            },
            || self.place("DSP48E1", &ports, &d(25), &opmode),
        );
    }

    fn place(&self, cell: &str, ports: &[(&str, Expr)], d: &Expr, opmode: &Expr) {
        let name = format!("u_{}", cell.to_lowercase());
        let one = lit(1, bit());
        let mut i = self.m.primitive(&name, cell, &attributes(cell)).input("CLK", &self.m.clock_value(&self.ck));
        for (port, bits) in TIED {
            i = i.input(port, &lit(0, uint(bits)));
        }
        for port in ["CEA1", "CEA2", "CEAD", "CEB1", "CEB2", "CECTRL", "CEINMODE", "CEM", "CEP"] {
            i = i.input(port, &one);
        }
        for (port, value) in ports {
            i = i.input(port, value);
        }
        i.input("CED", &self.load)
            .input("D", d)
            .input("OPMODE", opmode)
            .input("PCIN", &self.before)
            .output("P", &self.sum)
            .output("PCOUT", &self.passed)
            .done();
    }
}

/// Inputs that stay at zero, with their bits.
const TIED: [(&str, i64); 21] = [
    ("ACIN", 30),
    ("ALUMODE", 4),
    ("BCIN", 18),
    ("C", 48),
    ("CARRYCASCIN", 1),
    ("CARRYIN", 1),
    ("CARRYINSEL", 3),
    ("CEALUMODE", 1),
    ("CEC", 1),
    ("CECARRYIN", 1),
    ("MULTSIGNIN", 1),
    ("RSTA", 1),
    ("RSTALLCARRYIN", 1),
    ("RSTALUMODE", 1),
    ("RSTB", 1),
    ("RSTC", 1),
    ("RSTCTRL", 1),
    ("RSTD", 1),
    ("RSTINMODE", 1),
    ("RSTM", 1),
    ("RSTP", 1),
];

/// Attributes of the vendor's cell: registers at every step, two for B, which has no pre-adder to pass.
fn attributes(cell: &str) -> Vec<(&'static str, &'static str)> {
    let mut out = vec![("USE_MULT", "\"MULTIPLY\"")];
    if cell == "DSP48E1" {
        out.push(("USE_DPORT", "\"TRUE\""));
    } else {
        out.extend([("AMULTSEL", "\"AD\""), ("BMULTSEL", "\"B\"")]);
    }
    let once = ["ACASCREG", "ADREG", "AREG", "DREG", "INMODEREG", "MREG", "OPMODEREG", "PREG"];
    out.extend(once.map(|a| (a, "1")));
    out.extend(["BCASCREG", "BREG"].map(|a| (a, "2")));
    out.extend(["ALUMODEREG", "CARRYINREG", "CARRYINSELREG", "CREG"].map(|a| (a, "0")));
    out
}

/// Cost of a cell: the next p and one DSP block, or a multiplier, its registers and an adder.
pub fn cost(hw: &Hardware, family: Family) -> Cost {
    let (bits, p, sum) = (hw.bits as f64, hw.p_bits as f64, hw.cell_bits() as f64);
    // The operands of the next row and the next cell pass through registers of the row.
    if hw.cell_implementation != 0 {
        return Cost { dsp: 1.0, ..Cost::logic(1.0, p) };
    }
    let factor = bits.max(p + 1.0);
    // The first registers of q, of its control and of k and v are those that pass them on.
    let registers = 2.0 * p + factor + bits + (factor + bits) + sum;
    let logic = factor + 2.0 * sum;
    let dsp = if hw.infers_dsp { 1.0 } else { 0.0 };
    let product = if hw.infers_dsp { 0.0 } else { multiplier_lut(family, bits as i64, factor as i64) };
    Cost { dsp, ..Cost::logic(logic + product, registers) }
}

/// LUTs of a signed product, as Yosys 0.70 makes it.
fn multiplier_lut(family: Family, a: i64, b: i64) -> f64 {
    let each = match family {
        Family::Xcup | Family::Xc7 => 1.7,
        Family::Ecp5 | Family::Ice40 => 2.0,
    };
    (a * b) as f64 * each
}
