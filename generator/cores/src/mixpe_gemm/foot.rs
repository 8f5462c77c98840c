//! Below the array: sums over the tiles of a group, then zero point and scale of each column, once a group.

use std::rc::Rc;

use bitlathe_golden::mixpe::{MAX_SCALE, MAX_ZERO};
use bitlathe_hdl::{Dim, Expr, Module, RamStyle, Unit, bit, clog2, concat, lit, sint, uint};
use bitlathe_spec::Family;

use super::array::{Array, amd_form, array_impl_param, array_implementation};
use super::hardware::{Hardware, SCALE_BITS, ZERO_BITS};
use crate::Cost;
use crate::parts::buffer::BLOCK_FROM;
use crate::parts::carry::{adder_lut, implementation};
use crate::parts::multiply_add::{Form, fitting, multiply_add, product_cost};
use crate::parts::sign::widen;

/// How a memory of one word a row of a block is made: iCE40 has none of look-up tables.
pub fn memory_style(rows: i64, family: Family) -> RamStyle {
    if rows >= BLOCK_FROM || family == Family::Ice40 { RamStyle::Block } else { RamStyle::Distributed }
}

/// Sums of a·u and of a over the tiles of a group, kept for every row of a block.
pub fn group_sum(hw: &Hardware) -> Rc<Unit> {
    let m = Module::new("group_sum");
    m.doc(
        "Adds the array's sums over the weight tiles of a group; between two tiles the sums of a block's rows wait in memory.\n\
         A row is read a cycle before its sums come, and written a cycle after.",
    );
    let Array { rows, cols, act_bits, .. } = hw.array;
    let rows = m.param("ROWS", rows, 1..=256, "activations that enter together");
    let cols = m.param("COLS", cols, 1..=256, "columns");
    let act = m.param("ACT_W", act_bits, 2..=16, "bits of an activation");
    let group = m.param("GROUP", hw.group, 1..=256, "activations of a group");
    let t_block = m.param("T_BLOCK", hw.t_block, 1..=65536, "rows of a block");
    let (ck, en) = (m.clock(), m.input("en_i", bit()));
    let (part_w, part_total_w) = (Array::sum_width(&act, &rows), Array::total_width(&act, &rows));
    let sums = m.input("sums_i", uint(&cols * &part_w));
    let total = m.input("total_i", uint(&part_total_w));
    let keep = m.input("keep_i", bit());
    let row_w = t_block.clog2().larger(1);
    let (read_row, write_row) = (m.input("read_row_i", uint(&row_w)), m.input("write_row_i", uint(&row_w)));
    let write = m.input("write_i", bit());
    m.describe(&keep, "the sums of the tiles before count");
    m.describe(&read_row, "row whose sums come in the next cycle");
    m.describe(&write_row, "row whose sums came in the cycle before");
    m.describe(&write, "they wait for the next tile");
    let (sum_w, total_w) = (Array::sum_width(&act, &group), Array::total_width(&act, &group));
    let sums_o = m.output_wire("sums_o", uint(&cols * &sum_w));
    let total_o = m.output_wire("total_o", uint(&total_w));

    let word = &cols * &sum_w + &total_w;
    let style = memory_style(hw.t_block, hw.array.family);
    let mem = m.memory("waiting", &word, &t_block, style, "a row: the sums of its columns, then of its activations");
    let before = mem.read_registered(&ck, "before_q", &en, &read_row);
    let next = m.wire_later("next", uint(&word));
    let add = |name: &str, at: Dim, part: &Expr, width: &Dim| {
        let kept = &before.slice(&at, width) & keep.repeat(width);
        next.drive_part(at, width, &widen(&m, name, part, width).wrapping_add(kept));
    };
    m.generate_for("g_column", &cols, |c| {
        let part = m.wire("part", &sums.lane(c, &part_w));
        add("wide_part", c * &sum_w, &part, &sum_w);
    });
    add("wide_total", &cols * &sum_w, &total, &total_w);
    let sums_q = ck.reg("sums_q", uint(&word));
    sums_q.next_when(&en, &*next);
    mem.write(&ck, &m.wire("write", &(&write & &en)), &write_row, &sums_q);
    sums_o.drive(sums_q.slice(0, &cols * &sum_w));
    total_o.drive(sums_q.slice(&cols * &sum_w, &total_w));
    m.finish()
}

/// Sizes of a column's foot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnFoot {
    /// Bits of an activation.
    pub act_bits: i64,
    /// Activations of a group.
    pub group: i64,
    /// Bits of an accumulator.
    pub acc_bits: i64,
    /// The family, which decides the form of the products.
    pub family: Family,
}

impl ColumnFoot {
    /// Bits of the sum of a group's activations.
    pub fn total_bits(&self) -> i64 {
        self.act_bits + clog2(self.group)
    }

    /// Bits of z·A - acc of a group: (z - u)·a lies in -2^(b+3)..=2^(b+3) - 16, and the group is a power of two.
    pub fn debt_bits(&self) -> i64 {
        self.total_bits() + clog2(MAX_ZERO)
    }

    /// Factors and result of z·A - acc; the result has a bit more than the factors together, as the part asks.
    pub fn zero_product(&self) -> [i64; 3] {
        [self.total_bits(), ZERO_BITS + 1, self.total_bits() + ZERO_BITS + 2]
    }

    /// Factors and result of y - (z·A - acc)·S.
    pub fn scale_product(&self) -> [i64; 3] {
        [self.debt_bits(), clog2(MAX_SCALE + 1) + 1, self.acc_bits]
    }

    /// Whether a product is left to synthesis, as on families without a named block, or where one block is too small.
    pub fn leaves_product(&self, family: Family) -> bool {
        let left = |[a, b, p]: [i64; 3]| fitting(implementation(family), a, b, p) == 0;
        left(self.zero_product()) || left(self.scale_product())
    }

    /// `IMPL` of a product: the family's own where one block holds it.
    fn form(&self, [a, b, p]: [i64; 3], imp: &Dim) -> Dim {
        if fitting(implementation(self.family), a, b, p) == 0 { Dim::from(0) } else { amd_form(imp) }
    }

    /// Cost of the feet of `cols` columns. Where products are left to synthesis it keeps the bits that somebody reads, and one copy of
    /// what is the same for all columns.
    pub fn cost(&self, cols: i64, family: Family) -> Cost {
        let (total, debt, acc) = (self.total_bits(), self.debt_bits(), self.acc_bits);
        let sum = Array::sum_width(&self.act_bits.into(), &self.group.into()).value();
        let [zero, scale] = [self.zero_product(), self.scale_product()];
        let in_block = |[a, b, p]: [i64; 3]| fitting(implementation(family), a, b, p) != 0;
        let block = Cost { dsp: 1.0, ..Cost::default() };
        let (mut each, mut once) = (Cost::logic(0.0, sum as f64), Cost::default());
        if in_block(zero) {
            each += block.clone();
        } else {
            each += product_cost(zero[0], zero[1], family);
            each += Cost::logic(adder_lut(family, debt), (ZERO_BITS + sum + 2 * debt) as f64);
            once.ff += total as f64;
        }
        if in_block(scale) {
            each += block;
        } else {
            // AMD's adder gates the sum before in the same look-up table.
            let gate = if implementation(family) != 0 { 0 } else { acc };
            each += product_cost(scale[0], scale[1], family);
            each += Cost::logic(adder_lut(family, acc) + gate as f64, (2 * (debt + SCALE_BITS) + 2 * acc) as f64);
            once.ff += 1.0;
        }
        let mut cost = each * cols as f64;
        cost += once;
        cost
    }

    /// y - (z·A - acc)·S: the debt of a group first, which fits a bit less than what it is owed, then the scale.
    pub fn unit(&self) -> Rc<Unit> {
        let m = Module::new("column_foot");
        m.doc(
            "Zero point and scale of a column: y = (keep ? partial : 0) + (acc - z * A) * s, latency 6 enabled cycles.\n\
             s comes three cycles after acc, A and z; partial and keep come one cycle after s.",
        );
        let act = m.param("ACT_W", self.act_bits, 2..=16, "bits of an activation");
        let group = m.param("GROUP", self.group, 1..=256, "activations of a group");
        let acc_w = m.param("ACC_W", self.acc_bits, 8..=64, "bits of an accumulator");
        let imp = array_impl_param(&m, array_implementation(self.family));
        let (ck, en) = (m.clock(), m.input("en_i", bit()));
        let sum_w = Array::sum_width(&act, &group);
        let total_w = Array::total_width(&act, &group);
        let acc = m.input("acc_i", uint(&sum_w));
        let total = m.input("total_i", uint(&total_w));
        let z = m.input("z_i", uint(ZERO_BITS));
        let s = m.input("s_i", uint(SCALE_BITS));
        let partial = m.input("partial_i", uint(&acc_w));
        let keep = m.input("keep_i", bit());
        m.describe(&acc, "signed; sum of a * u over the group");
        m.describe(&total, "signed; sum of a over the group");
        m.describe(&z, "zero point of the group");
        m.describe(&s, "scale of the group");
        m.describe(&partial, "signed; sum over the groups before");
        m.describe(&keep, "there are groups before");

        // Wires of their own: Yosys 0.70 fails on a port that takes `$signed` of a whole vector.
        let signed = |name: &str, v: &Expr| m.wire(name, &v.as_signed());
        m.comment(
            "What the zero point takes off, less what there is: z * A - acc, which needs a bit less than its opposite",
        );
        let zero_w = m.localparam("ZERO_W", &total_w + ZERO_BITS + 2);
        let acc_q = ck.reg("acc_q", uint(&sum_w));
        acc_q.next_when(&en, &acc);
        let owed = signed("owed", &widen(&m, "wide_acc", &acc_q, &zero_w));
        let difference = m.wire_later("difference", sint(&zero_w));
        m.allow(&difference, "UNUSEDSIGNAL", "copies of the sign");
        let [a, b, p] = self.zero_product();
        let form = self.form([a, b, p], &imp);
        m.instance("u_zero", &multiply_add(Form::MinusC, a, b, p, form.value()))
            .param("A_W", &total_w)
            .param("B_W", ZERO_BITS + 1)
            .param("P_W", &zero_w)
            .param("IMPL", form)
            .clock(&ck)
            .input("en_i", &en)
            .input("a_i", &signed("activations", &total))
            .input("b_i", &signed("zero", &concat(&[&lit(0, bit()), &z])))
            .input("c_i", &owed)
            .output("p_o", &difference)
            .done();
        m.comment("The scale");
        let debt_w = m.localparam("DEBT_W", &total_w + clog2(MAX_ZERO));
        let debt = signed("debt", &difference.slice(0, &debt_w));
        let y = m.wire_later("y", sint(&acc_w));
        let [a, b, p] = self.scale_product();
        let form = self.form([a, b, p], &imp);
        m.instance("u_scale", &multiply_add(Form::FromC, a, b, p, form.value()))
            .param("A_W", &debt_w)
            .param("B_W", SCALE_BITS + 1)
            .param("P_W", &acc_w)
            .param("IMPL", form)
            .clock(&ck)
            .input("en_i", &en)
            .input("a_i", &debt)
            .input("b_i", &signed("scale", &concat(&[&lit(0, bit()), &s])))
            .input("c_i", &signed("sum_before", &partial))
            .input("keep_i", &keep)
            .output("p_o", &y)
            .done();
        m.output("y_o", &y.as_unsigned());
        m.finish()
    }
}
