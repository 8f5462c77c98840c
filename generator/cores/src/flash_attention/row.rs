//! A row of the array with all that belongs to its query: cells, logits, maximum, probabilities, O.

use std::rc::Rc;

use bitlathe_hdl::{Clock, Dim, Expr, Module, RamStyle, Unit, Wire, bit, clog2, concat, lit, sint, uint};
use bitlathe_spec::Family;

use super::array::{cell, select};
use super::hardware::{DROP_BITS, Hardware, LOGIT_BITS};
use super::wave::Wave;
use super::{accumulate, logit, probability};
use crate::Cost;
use crate::parts::carry::{adder_lut, impl_param};
use crate::parts::delay_line::{delay_cost, delayed};
use crate::parts::memory::lut_memory;

/// A row under construction.
struct Row<'a> {
    hw: &'a Hardware,
    m: Module,
    ck: Clock,
    n: Dim,
    imp: Dim,
    cell_imp: Dim,
    /// The control at this row.
    now: Expr,
    wave: Wave,
}

/// The row.
pub fn unit(hw: &Hardware) -> Rc<Unit> {
    let m = Module::new("attention_row");
    m.doc(
        "One row of the array and its query: N cells, the logits of their sums, the running maximum in octaves, probabilities, O.\n\
         Everything follows control_i, which comes one row later a cycle later; there is no enable. The second read port of O serves the\n\
         output. tile_o is the sum of a tile's probabilities, drop_o the octaves by which the maximum grew.",
    );
    let n = m.param("N", hw.n, 4..=32, "cells of a row");
    let imp = impl_param(&m, hw.implementation);
    let cell_imp = if hw.cell_implementation == 0 { Dim::from(0) } else { imp.clone() };
    let ck = m.clock();
    let wave = Wave::new(hw);
    let now = m.input("control_i", uint(wave.bits()));
    m.allow(&now, "UNUSEDSIGNAL", "one step of the choice is enough where there are four cells");
    let row = Row { hw, m, ck, n, imp, cell_imp, now, wave };
    row.build();
    row.m.finish()
}

impl Row<'_> {
    fn at(&self, name: &str) -> Expr {
        self.wave.field(&self.now, name)
    }

    fn build(&self) {
        let (m, hw) = (&self.m, self.hw);
        let p = m.wire_later("p", uint(hw.p_bits));
        let sums = self.cells(&p);
        let t = self.logits(&sums);
        let (seen, live) = self.counts();
        let (octave, drop) = self.maximum(&t, &seen);
        m.comment("Probabilities");
        let always = lit(1, bit());
        let t = m.wire("t_bits", &t.as_unsigned());
        // The maximum is known N + 1 cycles after the first logit, and a cycle later it is M.
        let waited = delayed(m, &self.ck, "t", &always, &t, &self.n + 2, false);
        let octaves = m.wire("octaves", &waited.slice(LOGIT_BITS, hw.octave_bits).wrapping_sub(&octave));
        let u = self.ck.delay("u", &concat(&[&octaves, &waited.slice(0, LOGIT_BITS)]), 1);
        m.instance("u_probability", &probability::unit(hw))
            .param("U_W", hw.logit_bits())
            .param("IMPL", &self.imp)
            .clock(&self.ck)
            .input("u_i", &u)
            .input("live_i", &live)
            .output("p_o", &p)
            .done();
        self.sum(&p, &drop);
        self.weighted(&sums, &drop);
    }

    /// The value of each cell along the row: one cell later a cycle later.
    fn along(&self, name: &str, value: &Expr) -> Wire {
        let m = &self.m;
        let w = value.width();
        let all = m.wire_later(&format!("{name}_along"), uint(&self.n * w));
        let passed = self.ck.reg(&format!("{name}_q"), uint((&self.n - 1) * w));
        all.drive(concat(&[&*passed, value]));
        passed.next(all.slice(0, (&self.n - 1) * w));
        all
    }

    fn cells(&self, p: &Wire) -> Wire {
        let (m, hw) = (&self.m, self.hw);
        m.comment("Cells");
        let (w, sw) = (Dim::from(hw.bits), Dim::from(hw.cell_bits()));
        let q = m.input("q_i", uint(&w));
        let kv = m.input("kv_i", uint(&self.n * &w));
        let q = self.along("q", &q);
        let [weigh, load, own, pass, take] =
            ["weigh", "load", "own", "pass", "take"].map(|name| self.along(name, &self.at(name)));
        let sums = m.wire_later("sums", uint(&self.n * &sw));
        let passed = m.wire_later("passed", uint(&self.n * &sw));
        let before = m.wire("preceding", &concat(&[&*passed, &lit(0, uint(&sw))]));
        m.allow(&before, "UNUSEDSIGNAL", "nobody follows the last cell");
        let unit = cell::unit(hw, true);
        m.generate_for("g_cell", &self.n, |i| {
            m.instance("u_cell", &unit)
                .param("IN_W", &w)
                .param("P_W", hw.p_bits)
                .param("SUM_W", &sw)
                .param("CHAINED", Dim::from(1).when(i.gt(0), 0))
                .param("IMPL", &self.cell_imp)
                .clock(&self.ck)
                .input("q_i", &q.lane(i, &w))
                .input("kv_i", &kv.lane(i, &w))
                .input("p_i", p)
                .input("take_i", &take.bit(i))
                .input("weigh_i", &weigh.bit(i))
                .input("load_i", &load.bit(i))
                .input("own_i", &own.bit(i))
                .input("pass_i", &pass.bit(i))
                .input("before_i", &before.lane(i, &sw))
                .output_lane("sum_o", &sums, i, &sw)
                .output_lane("pass_o", &passed, i, &sw)
                .done();
        });
        sums
    }

    fn logits(&self, sums: &Wire) -> Expr {
        let (m, hw) = (&self.m, self.hw);
        m.comment("Logits");
        let (cw, sw) = (hw.cell_bits(), Dim::from(hw.score_bits));
        let scores = m.wire_later("scores", uint(&self.n * &sw));
        m.generate_for("g_score", &self.n, |i| scores.drive_lane(i, &sw, &sums.slice(i * cw, &sw)));
        m.allow(sums, "UNUSEDSIGNAL", "scores and products are narrower than the sum of a cell");
        let score = m.wire_later("score", uint(&sw));
        m.instance("u_select", &select::select_tree(hw.n, hw.score_bits, hw.implementation))
            .param("IMPL", &self.imp)
            .param("TERMS", &self.n)
            .param("WIDTH", &sw)
            .clock(&self.ck)
            .input("pick_i", &self.at("pick"))
            .input("values_i", &scores)
            .output("value_o", &score)
            .done();
        let score = m.wire("score_signed", &score.as_signed());
        let t = m.wire_later("t", sint(hw.logit_bits()));
        m.instance("u_logit", &logit::unit(hw))
            .param("S_W", &sw)
            .param("T_W", hw.logit_bits())
            .param("IMPL", &self.imp)
            .clock(&self.ck)
            .input("s_i", &score)
            .input("mult_i", &m.input("mult_i", uint(logit::MULT_BITS)))
            .input("shift_i", &m.input("shift_i", uint(hw.shift_bits())))
            .input("half_i", &m.input("half_i", uint(hw.half_bits())))
            .output("t_o", &t)
            .done();
        (*t).clone()
    }

    /// Whether the key of a logit counts, with its octave and one cycle before its probability.
    fn counts(&self) -> (Expr, Expr) {
        let (m, hw, ck) = (&self.m, self.hw, &self.ck);
        if !hw.causal {
            return (self.at("seen"), self.at("live"));
        }
        m.comment("Keys that the query sees: so many from the tile's first on");
        let bits = hw.reach_bits();
        let [reach, first, last] = ["reach_i", "reach_first_i", "reach_last_i"].map(|name| m.input(name, uint(bits)));
        m.describe(&reach, "keys that this row sees");
        m.describe(&first, "keys that a head's first query sees");
        m.describe(&last, "keys that a head's last query sees");
        let next = ck.reg("reach_q", uint(bits));
        next.next(reach.eq_to(&last).select(&first, reach.wrapping_add(1)));
        m.output("reach_o", &next);
        let (low, sign) = (clog2(hw.n), reach.msb());
        let more = m.wire("more", &reach.slice(low, bits - 1 - low).any());
        let held = |name: &str, value: &Expr| {
            let q = ck.reg(name, uint(value.width()));
            q.next_when(&self.at("reveal"), value);
            (*q).clone()
        };
        let whole = held("whole_q", &(&more & !&sign));
        let none = held("none_q", &sign);
        let keys = held("keys_q", &reach.slice(0, low));
        let sees = m.wire("sees", &(self.at("summed") & !&none & (&whole | self.at("key").lt(&keys))));
        let always = lit(1, bit());
        let later = |name: &str, cycles: i64| delayed(m, ck, name, &always, &sees, cycles, false);
        let seen = later("seen", hw.logit_latency() + 1 - cell::LATENCY);
        (seen, later("live", hw.probability_latency() - 1 - cell::LATENCY))
    }

    /// -M of the block, and the octaves by which M grew with this tile. With -t in place of t, ceil(t / 2^12) is a cut of bits.
    fn maximum(&self, t: &Expr, seen: &Expr) -> (Expr, Expr) {
        let (m, ck, w) = (&self.m, &self.ck, self.hw.octave_bits);
        m.comment("Maximum in octaves, negated: the least");
        let octave = ck.delay("octave", &m.wire("octave", &t.slice(LOGIT_BITS, w).as_signed()), 1);
        let least = ck.reg("tile_least_q", sint(w));
        let none = lit((1 << (w - 1)) - 1, sint(w));
        let kept = m.wire("kept", &self.at("open").select(&none, &*least));
        let takes = m.wire("takes", &(seen & octave.lt(&kept)));
        least.next(takes.select(&octave, &kept));
        let block = self.at("close_slot");
        let all = m.memory("least", w, 1i64 << self.hw.slot_bits(), RamStyle::Distributed, "-M of each block");
        let before = m.wire("m_before", &all.read(&block).as_signed());
        let first = self.at("close_first");
        let falls = m.wire("falls", &least.lt(&before));
        let now = m.wire("m_now", &(&first | &falls).select(&*least, &before).as_unsigned());
        all.write(ck, &self.at("close"), &block, &now);
        let least_q = ck.reg("m_q", uint(w));
        least_q.next_when(&self.at("close"), &now);
        let fall = before.as_unsigned().wrapping_sub(least.as_unsigned());
        let padded = m.wire("fall", &concat(&[&lit(0, uint(DROP_BITS)), &fall]));
        let far = padded.slice(DROP_BITS, w).any();
        let octaves = padded.slice(0, DROP_BITS) | far.repeat(DROP_BITS);
        let drop = ck.reg("drop_q", uint(DROP_BITS));
        m.describe(&drop, "octaves by which M grew");
        drop.next_when(&self.at("close"), (&first | !&falls).select(0, &octaves));
        ((*least_q).clone(), (*drop).clone())
    }

    /// The tile's sum, complete N cycles after the first probability.
    fn sum(&self, p: &Wire, drop: &Expr) {
        let (m, ck, hw) = (&self.m, &self.ck, self.hw);
        m.comment("Sum of probabilities");
        let width = hw.p_bits + &self.n.clog2();
        let tile = ck.reg("tile_q", uint(&width));
        let so_far = m.wire("so_far", &(&*tile & (!self.at("take")).repeat(&width)));
        tile.next(so_far.wrapping_add(concat(&[&lit(0, uint(self.n.clog2())), &**p])));
        m.output("tile_o", &tile);
        m.output("drop_o", drop);
    }

    fn weighted(&self, sums: &Wire, drop: &Expr) {
        let (m, hw) = (&self.m, self.hw);
        m.comment("Weighted values");
        let product = sums.slice((&self.n - 1) * hw.cell_bits(), hw.product_bits());
        let product = m.wire("product", &product.as_signed());
        let word = m.output_wire("o_o", uint(hw.weighted_bits));
        m.instance("u_accumulate", &accumulate::unit(hw))
            .param("O_W", hw.weighted_bits)
            .param("SUM_W", hw.product_bits())
            .param("A_W", hw.address_bits())
            .clock(&self.ck)
            .input("valid_i", &self.at("out"))
            .input("load_i", &self.at("out_load"))
            .input("first_i", &self.at("out_first"))
            .input("at_i", &self.at("out_at"))
            .input("drop_i", drop)
            .input("product_i", &product)
            .input("read_i", &m.input("o_read_i", bit()))
            .input("read_at_i", &m.input("o_at_i", uint(hw.address_bits())))
            .output("word_o", &word)
            .done();
    }
}

/// Cost of a row but its cells.
pub fn cost(hw: &Hardware, family: Family) -> Cost {
    let (n, w) = (hw.n, hw.octave_bits);
    let mut cost = select::cost(n, hw.score_bits, family);
    cost += logit::cost(hw, family);
    // Octave, tile's least, that of the block, its fall.
    cost += Cost::logic(3.0 + 4.5 * w as f64 + DROP_BITS as f64, (3 * w + DROP_BITS) as f64);
    cost += lut_memory(family, 1, w, 1 << hw.slot_bits());
    cost += delay_cost(family, hw.logit_bits(), n + 2, false);
    cost += Cost::logic(w as f64, hw.logit_bits() as f64);
    cost += probability::cost(hw, family);
    if hw.causal {
        let reach = hw.reach_bits();
        cost += Cost::logic(2.5 * reach as f64 + 8.0, (reach + 8) as f64);
        cost += delay_cost(family, 1, hw.logit_latency(), false);
        cost += delay_cost(family, 1, hw.probability_latency(), false);
    }
    let tile = hw.tile_bits();
    cost += Cost::logic(adder_lut(family, tile), tile as f64);
    cost += accumulate::cost(hw, family);
    // q passes along the row. Its control does too, in the registers that the rows below have for theirs.
    cost += Cost::logic(0.0, ((n - 1) * hw.bits) as f64);
    cost
}
