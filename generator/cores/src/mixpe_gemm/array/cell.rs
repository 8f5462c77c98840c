//! What the cells of all kernels have in common: ports, two tiles of weights, lanes whose sums grow with the row.

use std::rc::Rc;

use bitlathe_hdl::{Clock, Dim, Expr, Module, Unit, Wire, bit, concat, lit, uint};

use super::{Kernel, Shape, Size, WEIGHT, amd_form, array_impl_param};
use crate::Cost;
use crate::parts::carry::{adder_lut, choice_add};
use crate::parts::sign::widen;

/// Ports of a cell.
pub(super) struct Ports {
    pub ck: Clock,
    pub en: Expr,
    /// Rows of the step that take `w`.
    pub load: Expr,
    /// The loaded weights come into use.
    pub swap: Expr,
    pub w: Expr,
    pub table: Expr,
    /// Partial sums of the rows above.
    pub chain: Expr,
    pub chain_o: Wire,
    pub sum_o: Wire,
}

impl Ports {
    /// The ports that every cell has.
    pub fn new(m: &Module, kernel: &dyn Kernel, act: &Dim, lane: &Dim) -> Self {
        let chain_w = lane * kernel.lanes();
        let ports = Self {
            ck: m.clock(),
            en: m.input("en_i", bit()),
            load: m.input("load_i", uint(kernel.rows_a_step())),
            swap: m.input("swap_i", bit()),
            w: m.input("w_i", uint(WEIGHT * kernel.cols_a_cell())),
            table: m.input("table_i", uint(kernel.table_bits(act))),
            chain: m.input("chain_i", uint(&chain_w)),
            chain_o: m.output_wire("chain_o", uint(&chain_w)),
            sum_o: m.output_wire("sum_o", uint(&chain_w)),
        };
        m.describe(&ports.load, "take weights of the next tile, a bit a row; enabled already");
        m.describe(&ports.swap, "use the next tile; enabled already");
        m.describe(&ports.chain, "partial sums of the step above");
        m.describe(&ports.chain_o, "for the step below");
        m.describe(&ports.sum_o, "for the foot");
        ports
    }
}

/// Cost of a cell of lanes, each with `lane` look-up tables: with its weights and partial sums.
pub(super) fn lane_cell_cost(kernel: &dyn Kernel, at: &Size, lane: f64) -> Cost {
    let sums = kernel.lanes() * lane_bits(kernel, at);
    Cost::logic(kernel.lanes() as f64 * lane, (2 * WEIGHT * kernel.rows_a_step() + sums) as f64)
}

/// Cost of a cell that adds a product of `product` look-up tables.
pub(super) fn product_cell_cost(kernel: &dyn Kernel, at: &Size, product: f64) -> Cost {
    let sum = if at.is_first(1) { 0.0 } else { adder_lut(at.family, lane_bits(kernel, at)) };
    let mut cost = lane_cell_cost(kernel, at, product + sum);
    cost.ff += (at.act + WEIGHT) as f64;
    cost
}

/// Bits of a lane's partial sum.
pub(super) fn lane_bits(kernel: &dyn Kernel, at: &Size) -> i64 {
    kernel.lane_bits(&at.act.into(), &at.rows.into()).value()
}

/// Inside of a cell made of look-up tables.
pub(super) struct LaneCell {
    pub m: Module,
    pub ck: Clock,
    pub en: Expr,
    /// Weights in use, the step's first row lowest.
    pub weights: Expr,
    pub table: Expr,
    pub act: Dim,
    /// Bits of the partial sum that this step adds to.
    pub sum_w: Dim,
    pub imp: Dim,
    /// Bits of that sum in the last step.
    pub widest: i64,
    pub implementation: i64,
}

impl LaneCell {
    /// A cell: `prepare` builds what the lanes share, `add` adds to one lane.
    pub fn unit<T>(
        kernel: &dyn Kernel,
        shape: Shape,
        prepare: impl FnOnce(&Self) -> T,
        add: impl Fn(&Self, &T, i64, &Expr) -> Expr,
    ) -> Rc<Unit> {
        let m = Module::new(&format!("mixpe_cell_{}", kernel.name().replace('-', "_")));
        m.doc(&format!("One step of one column. {}.", kernel.about()));
        let steps = (shape.rows + kernel.rows_a_step() - 1) / kernel.rows_a_step();
        let rows = Dim::from(steps * kernel.rows_a_step());
        let widest = kernel.lane_bits(&Dim::from(shape.act_bits), &rows).value();
        let act = m.param("ACT_W", shape.act_bits, 2..=16, "bits of an activation");
        let lane = m.param("LANE_W", widest, 2..=32, "bits of a lane of the chain");
        let sum_w = m.param("SUM_W", widest, 2..=32, "bits of a lane that the rows so far can reach");
        let imp = array_impl_param(&m, shape.implementation);
        m.guard(lane.ge(&sum_w), "a lane holds the sum of its rows");
        let p = Ports::new(&m, kernel, &act, &lane);
        m.allow(&p.chain, "UNUSEDSIGNAL", "copies of the sign");
        let a_step = kernel.rows_a_step();
        let next = p.ck.reg("next_q", uint(WEIGHT * a_step));
        let weights = p.ck.reg("weights_q", uint(WEIGHT * a_step));
        for row in 0..a_step {
            next.next_lane(row, &Dim::from(WEIGHT), Some(&p.load.bit(row)), &p.w);
        }
        weights.next_when(&p.swap, &*next);
        let weights = (*weights).clone();
        let Ports { ck, en, table, chain, chain_o, sum_o, .. } = p;
        let implementation = shape.implementation;
        let cell = Self { m, ck, en, weights, table, act, sum_w, imp, widest, implementation };
        let shared = prepare(&cell);
        for k in 0..kernel.lanes() {
            let at = &lane * k;
            let below = cell.m.wire(&format!("below_{k}"), &chain.slice(&at, &cell.sum_w));
            let sum = cell.ck.reg(&format!("sum_{k}_q"), uint(&cell.sum_w));
            sum.next_when(&cell.en, add(&cell, &shared, k, &below));
            let wide = widen(&cell.m, &format!("wide_{k}"), &sum, &lane);
            chain_o.drive_part(&at, &lane, &wide);
            sum_o.drive_part(&at, &lane, &wide);
        }
        cell.m.finish()
    }

    /// Cell of one lane that adds a product, registered by itself so that no tool merges multiplication and addition.
    pub fn product_unit(kernel: &dyn Kernel, shape: Shape, product: impl Fn(&Self, &Dim) -> Expr) -> Rc<Unit> {
        Self::unit(
            kernel,
            shape,
            |cell| {
                let bits = cell.m.localparam("PRODUCT_W", &cell.act + WEIGHT);
                let product_q = cell.ck.reg("product_q", uint(&bits));
                product_q.next_when(&cell.en, product(cell, &bits));
                (*product_q).clone()
            },
            |cell, product, _, below| below.wrapping_add(widen(&cell.m, "wide_product", product, &cell.sum_w)),
        )
    }

    /// A bit of a weight in use.
    pub fn weight_bit(&self, row: i64, bit: i64) -> Expr {
        self.weights.bit(row * WEIGHT + bit)
    }

    /// `v` shifted left by `by` bits, with its sign, `to` bits wide.
    pub fn shifted(&self, name: &str, v: &Expr, by: i64, to: &Dim) -> Expr {
        if by == 0 {
            return widen(&self.m, name, v, to);
        }
        let moved = self.m.wire(&format!("{name}_moved"), &concat(&[v, &lit(0, uint(by))]));
        widen(&self.m, name, &moved, to)
    }

    /// `below` plus one of {0, x, y, z} by two bits, on the vendor's carry chain.
    pub fn choose_and_add(&self, lane: i64, select: &Expr, values: [&Expr; 3], below: &Expr) -> Expr {
        let sum = self.m.wire_later(&format!("sum_{lane}"), uint(&self.sum_w));
        let imp = amd_form(&self.imp);
        self.m
            .instance(&format!("u_add_{lane}"), &choice_add(self.widest, imp.value()))
            .param("WIDTH", &self.sum_w)
            .param("IMPL", imp)
            .input("select_i", select)
            .input("x_i", values[0])
            .input("y_i", values[1])
            .input("z_i", values[2])
            .input("sum_i", below)
            .output("sum_o", &sum)
            .done();
        (*sum).clone()
    }
}
