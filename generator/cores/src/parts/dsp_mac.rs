//! One DSP block of UltraScale+ and 7 series as a multiply-accumulate cell with a standing weight.
//!
//! The weight lives in the two registers of operand A, whose enables are separate (AMD UG579, "Input Ports"): the first takes the next
//! weight, the second the one in use. Operand B is the activation; the sum of the block below comes through the cascade.

use std::rc::Rc;

use bitlathe_hdl::{Clock, Dim, Expr, Module, Unit, Wire, bit, concat, lit, uint};

use super::carry::impl_param;
use super::simd_add::tied;

/// Bits of the block's adder and of the cascade.
pub const SUM_BITS: i64 = 48;
/// Bits of the weight operand that both families have, but for the sign, which stays zero.
pub const WEIGHT_BITS: i64 = 24;
/// Bits of the activation operand.
pub const ACT_BITS: i64 = 18;
/// Cycles from the activation to the sum.
pub const LATENCY: i64 = 3;

/// Ports of the block.
struct Block {
    clock: Clock,
    en: Expr,
    load: Expr,
    swap: Expr,
    w: Expr,
    x: Expr,
    cascade: Expr,
    /// Whether the cascade counts, a constant.
    below: Expr,
    sum: Wire,
    up: Wire,
}

/// The block.
pub fn dsp_mac(chained: bool, implementation: i64) -> Rc<Unit> {
    let m = Module::new("dsp_mac");
    m.doc(
        "One DSP block: sum = x * weight + cascade, modulo 2^48, x signed, weight unsigned.\n\
         load_i writes the next weight, swap_i brings it into use for the x of the same cycle.\n\
         sum_o follows x by three cycles, the cascade by one.",
    );
    let chained = m.param("CHAINED", i64::from(chained), 0..=1, "1: the cascade counts");
    let imp = impl_param(&m, implementation);
    let block = Block {
        clock: m.clock(),
        en: m.input("en_i", bit()),
        load: m.input("load_i", bit()),
        swap: m.input("swap_i", bit()),
        w: m.input("w_i", uint(WEIGHT_BITS)),
        x: m.input("x_i", uint(ACT_BITS)),
        cascade: m.input("cascade_i", uint(SUM_BITS)),
        below: m.constant("BELOW", chained, 1),
        sum: m.output_wire("sum_o", uint(SUM_BITS)),
        up: m.output_wire("cascade_o", uint(SUM_BITS)),
    };
    m.describe(&block.load, "take the next weight; enabled already");
    m.describe(&block.swap, "use the next weight; enabled already");
    m.describe(&block.cascade, "cascade_o of the block below");
    m.generate_if(imp.eq_to(0), ["g_behavioural", "g_vendor"], || block.behaviour(&m), || block.cells(&m, &imp));
    m.finish()
}

impl Block {
    fn behaviour(&self, m: &Module) {
        let (ck, en) = (&self.clock, &self.en);
        let [next_q, weight_q] = ["next_q", "weight_q"].map(|n| ck.reg(n, uint(WEIGHT_BITS)));
        let x_q = ck.reg("x_q", uint(ACT_BITS));
        let product_bits = Dim::from(WEIGHT_BITS + ACT_BITS + 1);
        let product_q = ck.reg("product_q", uint(&product_bits));
        let sum_q = ck.reg("sum_q", uint(SUM_BITS));
        next_q.next_when(&self.load, &self.w);
        weight_q.next_when(&self.swap, &*next_q);
        x_q.next_when(en, &self.x);
        let x = m.wire("x", &x_q.as_signed());
        let weight = m.wire("weight", &concat(&[&lit(0, uint(1)), &*weight_q]).as_signed());
        let product = m.wire("product", &(&weight * &x));
        product_q.next_when(en, product.as_unsigned());
        let more = SUM_BITS - product_bits.value();
        let wide = m.wire("wide_product", &concat(&[&product_q.msb().repeat(more), &*product_q]));
        let third = m.wire("third", &(&self.cascade & self.below.repeat(SUM_BITS)));
        sum_q.next_when(en, wide.wrapping_add(third));
        self.sum.drive(&*sum_q);
        self.up.drive(&*sum_q);
    }

    fn cells(&self, m: &Module, imp: &Dim) {
        // X and Y are the product, Z is the cascade or zero.
        let mode = m.wire("opmode", &concat(&[&lit(0, uint(2)), &self.below, &lit(0b0101, uint(4))]));
        // The newer cell has a fourth operand, W, which stays zero.
        let wide_mode = concat(&[&lit(0, uint(2)), &mode]);
        m.generate_if(
            imp.eq_to(1),
            ["g_ultrascale", "g_series7"],
            || {
                m.comment(
                    "No open model of DSP48E2 exists to prove this form. Its registers and modes are those of the\n\
                     DSP48E1 form, which is proven equal to the behavioural one.",
                );
                self.cell(m, "DSP48E2", &wide_mode);
            },
            || self.cell(m, "DSP48E1", &mode),
        );
    }

    fn cell(&self, m: &Module, cell: &str, mode: &Expr) {
        let name = format!("u_{}", cell.to_lowercase());
        let mut i = m.primitive(&name, cell, &attributes(cell)).input("CLK", &m.clock_value(&self.clock));
        let tied = tied(cell).into_iter().filter(|(port, _)| *port != "CEM");
        for (port, bits) in tied.chain([("C", 48), ("CEC", 1), ("CECTRL", 1), ("CEB1", 1)]) {
            i = i.input(port, &lit(0, uint(bits)));
        }
        for port in ["CEB2", "CEM", "CEP"] {
            i = i.input(port, &self.en);
        }
        i.input("CEA1", &self.load)
            .input("CEA2", &self.swap)
            .input("A", &concat(&[&lit(0, uint(30 - WEIGHT_BITS)), &self.w]))
            .input("B", &self.x)
            .input("OPMODE", mode)
            .input("PCIN", &self.cascade)
            .output("P", &self.sum)
            .output("PCOUT", &self.up)
            .done();
    }
}

/// Attributes of the vendor's cell: two registers for the weight, one for the activation, the product and the sum.
fn attributes(cell: &str) -> Vec<(&'static str, &'static str)> {
    let mut out = vec![("USE_MULT", "\"MULTIPLY\""), ("USE_SIMD", "\"ONE48\"")];
    out.extend(["ACASCREG", "AREG"].map(|a| (a, "2")));
    out.extend(["BCASCREG", "BREG", "MREG", "PREG"].map(|a| (a, "1")));
    let none = ["ADREG", "ALUMODEREG", "CARRYINREG", "CARRYINSELREG", "CREG", "DREG", "INMODEREG", "OPMODEREG"];
    out.extend(none.map(|a| (a, "0")));
    if cell == "DSP48E1" {
        out.push(("USE_DPORT", "\"FALSE\""));
    }
    out
}
