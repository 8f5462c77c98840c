//! Adders that use the carry chain as the vendor built it, each with a behavioural form that is proven equal.
//!
//! Synthesis spends one look-up table a bit on `a + b`, one more where an operand is negated on the way and two for a third
//! operand. A LUT6_2 has room for all of it: O6 gives the propagate bit and O5 what goes onto the chain (AMD UG574, "CLB
//! Look-Up Tables" and "Carry Chain Primitive"), so a sum of three costs what a sum of two costs.

use std::rc::Rc;

use bitlathe_hdl::{Dim, Expr, Module, Unit, bit, concat, lit, uint};
use bitlathe_spec::Family;

/// `IMPL` of a core for a family: which form of the macros it instantiates.
pub fn implementation(family: Family) -> i64 {
    match family {
        Family::Xcup => 1,
        Family::Xc7 => 2,
        Family::Ecp5 | Family::Ice40 => 0,
    }
}

/// `IMPL` of the form for ECP5, which [`gated_add`] alone has.
pub const ECP5_FORM: i64 = 3;

/// The `IMPL` parameter as every module that holds a macro declares it.
pub fn impl_param(m: &Module, value: i64) -> Dim {
    m.param("IMPL", value, 0..=2, "0 behavioural, 1 UltraScale+ cells, 2 7-series cells")
}

/// Whether a family has the macros' vendor form.
fn vendor(family: Family) -> bool {
    implementation(family) != 0
}

/// LUTs of a plain adder of `width` bits: one a bit, on ECP5 in pairs (CCU2C).
pub fn adder_lut(family: Family, width: i64) -> f64 {
    if family == Family::Ecp5 { (width + width % 2) as f64 } else { width as f64 }
}

/// LUTs of [`signed_pair_add`] on operands of `width` bits of which `complemented` may be complemented. Without the macro each of those
/// takes an exclusive-or a bit.
pub fn signed_pair_lut(family: Family, width: i64, complemented: i64) -> f64 {
    if vendor(family) { (width + 1) as f64 } else { (complemented * width) as f64 + adder_lut(family, width + 1) }
}

/// LUTs of [`ternary_add`] on two or three operands of `width` bits, for a sum two bits wider. Without the macro a third operand
/// takes a carry-save stage of two LUTs a bit.
pub fn ternary_lut(family: Family, width: i64, operands: i64) -> f64 {
    match operands {
        _ if vendor(family) => (width + 2) as f64,
        3 => (2 * width) as f64 + adder_lut(family, width + 2),
        _ => adder_lut(family, width + 1),
    }
}

/// LUTs of [`choice_add`] on a sum of `width` bits and values of `values` bits, without the macro two a bit of those; a sum that is
/// zero then takes nothing.
pub fn choice_lut(family: Family, width: i64, values: i64, zero: bool) -> f64 {
    let sum = if zero { 0.0 } else { adder_lut(family, width) };
    if vendor(family) { width as f64 } else { (2 * values) as f64 + sum }
}

/// LUTs of [`ternary_add`] as an accumulator: `operands` of `width` bits with `debts` pending ones, and a gated one of `acc` bits.
/// Without the macro the operands are added first; a second pending one takes a carry-save stage.
pub fn accumulate_lut(family: Family, width: i64, acc: i64, operands: i64, debts: i64) -> f64 {
    if vendor(family) {
        return acc as f64;
    }
    let first = if operands == 2 { adder_lut(family, width + 1) } else { 0.0 };
    let second = if debts == 2 { acc - 1 } else { 0 };
    first + (acc + second) as f64 + adder_lut(family, acc)
}

/// Vendor carry chain: `o = s ^ carry`, carry moves on where `s` is set, else becomes `di`.
pub fn carry_chain(width: i64, implementation: i64) -> Rc<Unit> {
    let m = Module::new("carry_chain");
    m.doc("Carry chain of one vendor: sum bits from propagate (s) and generate (di) bits.\nIMPL 0 does not use this module.");
    let w = m.param("WIDTH", width, 2..=128, "bits of the sum");
    let imp = impl_param(&m, implementation);
    let (s, di) = (m.input("s_i", uint(&w)), m.input("di_i", uint(&w)));
    let ci = m.input("ci_i", bit());
    let sum = m.output_wire("sum_o", uint(&w));
    m.describe(&s, "propagate: the sum bit without carry");
    m.describe(&di, "carry out where nothing is propagated");
    let chain = |cell: &str, bits: i64, label: &str, last_inputs: bool| {
        let upper = cell.to_lowercase();
        let n = m.localparam(&format!("CELLS_{cell}"), w.div(bits) + 1);
        let pad = &n * bits - &w;
        let padded = |name: &str, v: &Expr| m.wire(&format!("{upper}_{name}"), &concat(&[&lit(0, uint(&pad)), v]));
        let (s_pad, di_pad) = (padded("s", &s), padded("di", &di));
        let out = m.wire_later(&format!("{upper}_o"), uint(&n * bits));
        let co = m.wire_later(&format!("{upper}_co"), uint(&n * bits));
        let carry = m.wire_later(&format!("{upper}_carry"), uint(&n + 1));
        m.allow(&out, "UNUSEDSIGNAL", "the last cell is padded");
        m.allow(&co, "UNUSEDSIGNAL", "only the carry out of a whole cell goes on");
        m.allow(&carry, "UNUSEDSIGNAL", "nobody takes the last carry");
        carry.drive_part(0, 1, &ci);
        m.generate_for(label, &n, |i| {
            let mut cellinst = m
                .primitive(&format!("u_{upper}"), cell, &[])
                .input("CI", &carry.bit(i))
                .input("DI", &di_pad.lane(i, &Dim::from(bits)))
                .input("S", &s_pad.lane(i, &Dim::from(bits)));
            cellinst = if last_inputs {
                cellinst.input("CI_TOP", &lit(0, bit()))
            } else {
                cellinst.input("CYINIT", &lit(0, bit()))
            };
            cellinst.output_lane("O", &out, i, &Dim::from(bits)).output_lane("CO", &co, i, &Dim::from(bits)).done();
            carry.drive_part(i + 1, 1, &co.bit(i * bits + (bits - 1)));
        });
        sum.drive_part(0, &w, &out.slice(0, &w));
    };
    m.generate_if(
        imp.eq_to(1),
        ["g_ultrascale", "g_series7"],
        || chain("CARRY8", 8, "g_carry8", true),
        || chain("CARRY4", 4, "g_carry4", false),
    );
    m.finish()
}

/// `INIT` of a LUT6_2 whose O6 and O5 are functions of inputs I0..I4 (I5 is tied high).
fn lut6_2(o6: impl Fn([bool; 5]) -> bool, o5: impl Fn([bool; 5]) -> bool) -> String {
    let mut init = 0u64;
    for n in 0..32u64 {
        let inputs = [0, 1, 2, 3, 4].map(|b| n >> b & 1 == 1);
        init |= u64::from(o5(inputs)) << n | u64::from(o6(inputs)) << (32 + n);
    }
    format!("64'h{init:016x}")
}

/// `INIT` of a LUT6.
fn lut6(o: impl Fn([bool; 6]) -> bool) -> String {
    let on = |n: u64| o([0, 1, 2, 3, 4, 5].map(|b| n >> b & 1 == 1));
    let init = (0..64).fold(0, |init, n| init | u64::from(on(n)) << n);
    format!("64'h{init:016x}")
}

fn place_lut(
    m: &Module,
    name: &str,
    init: &str,
    inputs: &[&Expr],
    o6: (&bitlathe_hdl::Wire, &Dim),
    o5: (&bitlathe_hdl::Wire, Dim),
) {
    let mut cell = m.primitive(name, "LUT6_2", &[("INIT", init)]);
    for n in 0..5 {
        let zero = lit(0, bit());
        cell = cell.input(&format!("I{n}"), inputs.get(n).copied().unwrap_or(&zero));
    }
    cell.input("I5", &lit(1, bit())).output_part("O6", o6.0, o6.1, 1).output_part("O5", o5.0, o5.1, 1).done();
}

/// `sum = (a ^ sa) + (b ^ sb) + sa`: two operands, each complemented on request, one look-up table a bit.
///
/// Complementing without the +1 leaves a debt of one a negated operand: `sa` is paid here by the carry input, `sb` by a later adder.
pub fn signed_pair_add(width: i64, implementation: i64) -> Rc<Unit> {
    let m = Module::new("signed_pair_add");
    m.doc(
        "Sum of two operands that are each complemented on request: sum = (a ^ na) + (b ^ nb) + na.\n\
         Minus b still lacks one where nb is set; a later adder's carry input pays it.",
    );
    let w = m.param("WIDTH", width, 2..=64, "bits of an operand");
    let imp = impl_param(&m, implementation);
    let (a, b) = (m.input("a_i", uint(&w)), m.input("b_i", uint(&w)));
    let (na, nb) = (m.input("na_i", bit()), m.input("nb_i", bit()));
    let sum = m.output_wire("sum_o", uint(&w + 1));
    m.describe(&na, "complement a");
    m.describe(&nb, "complement b");
    let wide = |e: &Expr| concat(&[&e.msb(), e]);
    let (ax, bx) = (m.wire("a_x", &wide(&a)), m.wire("b_x", &wide(&b)));
    m.generate_if(
        imp.eq_to(0),
        ["g_behavioural", "g_vendor"],
        || {
            let n = &w + 1;
            let left = m.wire("left", &(&ax ^ na.repeat(&n)));
            let right = m.wire("right", &(&bx ^ nb.repeat(&n)));
            let one = concat(&[&lit(0, uint(&w)), &na]);
            sum.drive(left.wrapping_add(&right).wrapping_add(one));
        },
        || {
            let n = &w + 1;
            let (s, di) = (m.wire_later("s", uint(&n)), m.wire_later("di", uint(&n)));
            let init = lut6_2(|[a, b, x, y, _]| a ^ b ^ x ^ y, |[a, _, x, _, _]| a ^ x);
            m.generate_for("g_bit", &n, |i| {
                place_lut(&m, "u_lut", &init, &[&ax.bit(i), &bx.bit(i), &na, &nb], (&s, i), (&di, i.clone()));
            });
            m.instance("u_carry", &carry_chain(width + 1, implementation.max(1)))
                .param("WIDTH", n)
                .param("IMPL", &imp)
                .input("s_i", &s)
                .input("di_i", &di)
                .input("ci_i", &na)
                .output("sum_o", &sum)
                .done();
        },
    );
    m.finish()
}

/// `sum = ±a ± b`, complete: [`signed_pair_add`] without a debt, for adders that have no carry input to pay it.
///
/// Each bit's table gives the propagate bit (O6) of the complemented operands with the generate bit (O5) of the bit below;
/// bit 0 has no bit below and takes the second +1 there. The path is one table longer than that of [`signed_pair_add`].
pub fn signed_pair_sum(width: i64, sum_bits: i64, implementation: i64) -> Rc<Unit> {
    let m = Module::new("signed_pair_sum");
    m.doc("Sum of two operands that are each negated on request: sum = (na ? -a : a) + (nb ? -b : b).");
    let w = m.param("WIDTH", width, 2..=64, "bits of an operand");
    let n = m.param("SUM_W", sum_bits, 3..=66, "bits of the sum");
    let imp = impl_param(&m, implementation);
    m.guard(n.gt(&w), "the sum is wider than an operand");
    let (a, b) = (m.input("a_i", uint(&w)), m.input("b_i", uint(&w)));
    let (na, nb) = (m.input("na_i", bit()), m.input("nb_i", bit()));
    let sum = m.output_wire("sum_o", uint(&n));
    m.describe(&na, "negate a");
    m.describe(&nb, "negate b");
    let wide = |e: &Expr| concat(&[&e.msb().repeat(&n - &w), e]);
    let (ax, bx) = (m.wire("a_x", &wide(&a)), m.wire("b_x", &wide(&b)));
    m.generate_if(
        imp.eq_to(0),
        ["g_behavioural", "g_vendor"],
        || {
            let flipped = |e: &Expr, by: &Expr| e ^ by.repeat(&n);
            let one = |by: &Expr| concat(&[&lit(0, uint(&n - 1)), by]);
            let left = m.wire("left", &flipped(&ax, &na).wrapping_add(one(&na)));
            let right = m.wire("right", &flipped(&bx, &nb).wrapping_add(one(&nb)));
            sum.drive(left.wrapping_add(&right));
        },
        || {
            let s = m.wire_later("s", uint(&n));
            let generate = m.wire_later("generate_bits", uint(&n + 1));
            m.allow(&generate, "UNUSEDSIGNAL", "the last one lies beyond the sum");
            generate.drive_part(0, 1, &nb);
            let init = lut6_2(|[a, b, x, y, g]| a ^ b ^ x ^ y ^ g, |[a, b, x, y, _]| (a ^ x) & (b ^ y));
            m.generate_for("g_bit", &n, |i| {
                let inputs = [&ax.bit(i), &bx.bit(i), &na, &nb, &generate.bit(i)];
                place_lut(&m, "u_lut", &init, &inputs, (&s, i), (&generate, i + 1));
            });
            m.instance("u_carry", &carry_chain(sum_bits, implementation.max(1)))
                .param("WIDTH", &n)
                .param("IMPL", &imp)
                .input("s_i", &s)
                .input("di_i", &generate.slice(0, &n))
                .input("ci_i", &na)
                .output("sum_o", &sum)
                .done();
        },
    );
    m.finish()
}

/// `sum = a + b + (c where use_c) + carry_a + carry_b`, modulo 2^WIDTH: three operands, one look-up table a bit.
///
/// Each bit's table gives the parity (O6) and the majority (O5) of the three; the majority enters the next bit's table and chain.
pub fn ternary_add(width: i64, implementation: i64) -> Rc<Unit> {
    let m = Module::new("ternary_add");
    m.doc("Sum of three operands and two carries, modulo 2^WIDTH: sum = a + b + (use_c ? c : 0) + carry_a + carry_b.");
    let w = m.param("WIDTH", width, 3..=64, "bits of the operands and of the sum");
    let imp = impl_param(&m, implementation);
    let [a, b, c] = ["a_i", "b_i", "c_i"].map(|n| m.input(n, uint(&w)));
    let use_c = m.input("use_c_i", bit());
    let (ca, cb) = (m.input("carry_a_i", bit()), m.input("carry_b_i", bit()));
    let sum = m.output_wire("sum_o", uint(&w));
    m.generate_if(
        imp.eq_to(0),
        ["g_behavioural", "g_vendor"],
        || {
            let fill = lit(0, uint(&w - 1));
            let third = &c & use_c.repeat(&w);
            let carries = concat(&[&fill, &ca]).wrapping_add(concat(&[&fill, &cb]));
            sum.drive(a.wrapping_add(&b).wrapping_add(third).wrapping_add(carries));
        },
        || {
            let s = m.wire_later("s", uint(&w));
            let majority = m.wire_later("majority", uint(&w + 1));
            m.allow(&majority, "UNUSEDSIGNAL", "the last one lies beyond the sum");
            majority.drive_part(0, 1, &cb);
            let third = |[_, _, c, _, u]: [bool; 5]| c && u;
            let init = lut6_2(
                |i @ [a, b, _, m, _]| a ^ b ^ m ^ third(i),
                |i @ [a, b, _, _, _]| u8::from(a) + u8::from(b) + u8::from(third(i)) >= 2,
            );
            m.generate_for("g_bit", &w, |i| {
                let inputs = [&a.bit(i), &b.bit(i), &c.bit(i), &majority.bit(i), &use_c];
                place_lut(&m, "u_lut", &init, &inputs, (&s, i), (&majority, i + 1));
            });
            m.instance("u_carry", &carry_chain(width, implementation.max(1)))
                .param("WIDTH", &w)
                .param("IMPL", &imp)
                .input("s_i", &s)
                .input("di_i", &majority.slice(0, &w))
                .input("ci_i", &ca)
                .output("sum_o", &sum)
                .done();
        },
    );
    m.finish()
}

/// `sum = sum_i + (0, x, y or z by select)`, modulo 2^WIDTH: choice and addition in one look-up table a bit.
///
/// Propagate is the chosen bit exclusive-or the bit of the sum, which needs all six inputs of a table; where nothing is propagated
/// both bits are equal, so the sum's own bit goes onto the chain past the table.
pub fn choice_add(width: i64, implementation: i64) -> Rc<Unit> {
    let m = Module::new("choice_add");
    m.doc("Adds one of four values, modulo 2^WIDTH: sum_o = sum_i + (select 0: 0, 1: x, 2: y, 3: z).");
    let w = m.param("WIDTH", width, 2..=64, "bits of the values and of the sum");
    let imp = impl_param(&m, implementation);
    let select = m.input("select_i", uint(2));
    let [x, y, z, below] = ["x_i", "y_i", "z_i", "sum_i"].map(|n| m.input(n, uint(&w)));
    let sum = m.output_wire("sum_o", uint(&w));
    m.generate_if(
        imp.eq_to(0),
        ["g_behavioural", "g_vendor"],
        || {
            let high = select.bit(0).select(&z, &y);
            let low = select.bit(0).select(&x, lit(0, uint(&w)));
            let chosen = m.wire("chosen", &select.bit(1).select(high, low));
            sum.drive(below.wrapping_add(&chosen));
        },
        || {
            let s = m.wire_later("s", uint(&w));
            let init = lut6(|[x, y, z, sum, s0, s1]| sum ^ [false, x, y, z][usize::from(s1) * 2 + usize::from(s0)]);
            m.generate_for("g_bit", &w, |i| {
                let mut cell = m.primitive("u_lut", "LUT6", &[("INIT", &init)]);
                let inputs = [x.bit(i), y.bit(i), z.bit(i), below.bit(i), select.bit(0), select.bit(1)];
                for (n, input) in inputs.iter().enumerate() {
                    cell = cell.input(&format!("I{n}"), input);
                }
                cell.output_part("O", &s, i, 1).done();
            });
            m.instance("u_carry", &carry_chain(width, implementation.max(1)))
                .param("WIDTH", &w)
                .param("IMPL", &imp)
                .input("s_i", &s)
                .input("di_i", &below)
                .input("ci_i", &lit(0, bit()))
                .output("sum_o", &sum)
                .done();
        },
    );
    m.finish()
}

/// `sum = sum_i + (gate ? x : 0)`, modulo 2^WIDTH: gate and addition in one look-up table a bit on ECP5.
///
/// A carry cell's table has four inputs and propagates by all of them; what it puts onto the chain elsewhere is the same table with
/// inputs C and D at zero (CCU2C in Yosys' `ecp5/cells_sim.v`). With the gate on D both agree: without D the sum passes alone.
pub fn gated_add(width: i64, implementation: i64) -> Rc<Unit> {
    let m = Module::new("gated_add");
    m.doc("Adds a value or nothing, modulo 2^WIDTH: sum_o = sum_i + (gate_i ? x_i : 0).");
    let w = m.param("WIDTH", width, 2..=64, "bits of the value and of the sum");
    let imp = m.param("IMPL", implementation, 0..=3, "3 ECP5 cells, otherwise behavioural");
    let gate = m.input("gate_i", bit());
    let (x, below) = (m.input("x_i", uint(&w)), m.input("sum_i", uint(&w)));
    let sum = m.output_wire("sum_o", uint(&w));
    m.generate_if(
        imp.ne_to(ECP5_FORM),
        ["g_behavioural", "g_ecp5"],
        || sum.drive(below.wrapping_add(&x & gate.repeat(&w))),
        || {
            // A cell takes two bits.
            let cells = m.localparam("CELLS", w.ceil_div(2));
            let padded = |name: &str, v: &Expr| {
                let padded = m.wire(name, &concat(&[&lit(0, bit()), v]));
                m.allow(&padded, "UNUSEDSIGNAL", "padding of the last cell");
                padded
            };
            let (x, below) = (padded("x", &x), padded("below", &below));
            let out = m.wire_later("out", uint(&cells * 2));
            let carry = m.wire_later("carry", uint(&cells + 1));
            m.allow(&out, "UNUSEDSIGNAL", "padding of the last cell");
            m.allow(&carry, "UNUSEDSIGNAL", "nobody takes the last carry");
            carry.drive_part(0, 1, &lit(0, bit()));
            // A where D is low, else A ^ B.
            let init = "16'h66aa";
            let attributes = [("INIT0", init), ("INIT1", init), ("INJECT1_0", "\"NO\""), ("INJECT1_1", "\"NO\"")];
            m.generate_for("g_cell", &cells, |i| {
                let mut cell = m.primitive("u_ccu2c", "CCU2C", &attributes).input("CIN", &carry.bit(i));
                for half in 0..2 {
                    let at = 2 * i + half;
                    cell = cell
                        .input(&format!("A{half}"), &below.bit(&at))
                        .input(&format!("B{half}"), &x.bit(&at))
                        .input(&format!("C{half}"), &lit(0, bit()))
                        .input(&format!("D{half}"), &gate)
                        .output_part(&format!("S{half}"), &out, &at, 1);
                }
                cell.output_part("COUT", &carry, i + 1, 1).done();
            });
            sum.drive(out.slice(0, &w));
        },
    );
    m.finish()
}
