//! The last walk over a row: what is known of it meets its exponentials, and y leaves. It alone stops when an output waits.

use bitlathe_hdl::{Expr, bit, concat, lit, uint};

use super::hardware::{RowScale, Walk};
use super::lanes::{self, FACTOR_BITS, STEP, ita_lane, log_lane, product_bits};
use super::rtl::{Offered, Release, Top, Waiting};
use super::scale::INVERSE_BITS;

impl Top<'_> {
    /// The walk that writes y, under an enable.
    pub fn last_walk(&self, row: &Offered, waiting: &Waiting) -> Release {
        let (m, hw) = (&self.m, self.hw);
        m.comment("Output");
        let en = self.wire("en", 1);
        m.describe(&en, "moves the last walk; low while an output beat waits");
        let raw = hw.row_scale() == RowScale::Sum;
        let side = raw.then(|| (self.ck.reg("sum_offered_q", bit()).reset_to(0), self.wire("sum_out_ready", 1)));
        let free = side.as_ref().map_or_else(|| lit(1, bit()), |(valid, ready)| !&**valid | &**ready);
        let go = self.release("last", row, waiting, &en, &m.wire("row_free", &free));
        let n = hw.lane_latency();
        let valid = self.delayed("y_valid", &en, &go.take, n, true);
        let last = self.delayed("y_last", &en, &waiting.last, n, false);
        let e = match row.word("max") {
            Some(max) => {
                let max = self.held("last_max_q", &go.load, &max.as_signed());
                self.exponentials("last_exp", &en, &waiting.data, &max)
            }
            None => waiting.data.clone(),
        };
        // The words of a row reach the lanes with its exponentials.
        let behind = if hw.walk == Walk::Two { hw.exponential_latency } else { 0 };
        let y = match hw.row_scale() {
            RowScale::Reciprocal(bits) => self.scale_lanes(&en, &go, row, &e, behind, bits),
            RowScale::Magnitude => self.log_lanes(&en, &go, row, &e, behind),
            RowScale::Inverse => self.ita_lanes(&en, &go, row, &e, behind),
            RowScale::Sum => e,
        };
        let ready = self.wire("y_ready", 1);
        en.drive(!&valid | &*ready);
        m.stream("y", valid, y, Some(last), ready).source("y");
        if let Some((offered, ready)) = side {
            offered.next(&go.load | (&*offered & !&*ready));
            let sum = self.held("sum_q", &go.load, row.word("sum").unwrap_or(&go.load));
            m.stream("sum", (*offered).clone(), sum, None, ready).source("sum");
        }
        go
    }

    /// A word of a row, when its first exponentials reach the lanes.
    fn at_lanes(&self, name: &str, en: &Expr, go: &Release, row: &Offered, behind: i64) -> Expr {
        let word = row.word(name).unwrap_or(&go.load);
        let held = self.held(&format!("row_{name}_q"), &go.load, word);
        self.delayed(&format!("row_{name}"), en, &held, behind, false)
    }

    fn scale_lanes(&self, en: &Expr, go: &Release, row: &Offered, e: &Expr, behind: i64, bits: i64) -> Expr {
        let (m, lane) = (&self.m, self.hw.scale_lane(bits));
        let zeros_w = self.hw.scaler().zeros_bits();
        let zero = lit(0, bit());
        let (zeros, reciprocal) = (row.word("zeros").unwrap_or(&zero), row.word("reciprocal").unwrap_or(&zero));
        // Leading zeros of the sum, as far as one factor can take them over.
        let fine_w = zeros_w.min(bitlathe_hdl::clog2(STEP));
        let fine = m.wire("fine", &zeros.slice(0, fine_w));
        let wide = concat(&[&lit(0, uint(STEP - 1)), reciprocal]);
        let factor = self.held("factor_q", &go.load, &m.wire("shifted_reciprocal", &wide.shl(&fine)));
        let coarse = if zeros_w > fine_w { zeros.slice(fine_w, zeros_w - fine_w) } else { zero };
        let step_w = lane.step_bits();
        let coarse = m.wire("coarse", &coarse);
        let step = self.held("step_q", &go.load, &coarse.slice(0, step_w));
        let factor = self.delayed("factor", en, &factor, behind, false);
        let step = self.delayed("step", en, &step, behind, false);

        let pw = product_bits(&self.e_w);
        let above = &pw - (FACTOR_BITS - 1) - (&self.e_w - 1);
        let middle = concat(&[&lit(0, uint(above)), &factor, &lit(0, uint(&self.e_w - 1))]);
        let place = &self.sum_w + 16 - bits;
        let top_half = concat(&[&lit(0, uint(&pw - &place - 1)), &lit(1, bit()), &lit(0, uint(&place))]);
        let half = m.wire("half", &m.wire("first_half", &top_half).shr(&concat(&[&step, &lit(0, uint(3))])));
        let addend = self.ck.reg("addend_q", uint(&pw));
        addend.next_when(en, m.wire("middle", &middle).wrapping_add(&half));
        let addend = m.wire("addend", &addend.as_signed());
        let late = self.delayed("late_step", en, &step, lanes::latency(RowScale::Reciprocal(bits)) - 1, false);

        let y = self.wire("y_lanes", &self.lanes * bits);
        let unit = lane.unit();
        let imp = self.imp.clone().unwrap_or_default();
        m.generate_for("g_lane", &self.lanes, |i| {
            m.instance("u_lane", &unit)
                .param("E_W", &self.e_w)
                .param("SUM_W", &self.sum_w)
                .param("OUT_W", bits)
                .param("STEPS", lane.steps())
                .param("IMPL", &imp)
                .clock(&self.ck)
                .input("en_i", en)
                .input("e_i", &e.lane(i, &self.e_w))
                .input("factor_i", &factor)
                .input("addend_i", &addend)
                .input("step_i", &late)
                .output_part("y_o", &y, i * bits, bits)
                .done();
        });
        (*y).clone()
    }

    fn log_lanes(&self, en: &Expr, go: &Release, row: &Offered, e: &Expr, behind: i64) -> Expr {
        let zeros = self.at_lanes("zeros", en, go, row, behind);
        let normal = self.at_lanes("normal", en, go, row, behind);
        let normal = self.delayed("late_normal", en, &normal, 1, false);
        let (m, zeros_w) = (&self.m, self.hw.scaler().zeros_bits());
        let y = self.wire("y_lanes", &self.lanes * 4);
        let unit = log_lane(self.hw.stage.e_bits(), self.hw.sum_bits(), zeros_w);
        m.generate_for("g_lane", &self.lanes, |i| {
            m.instance("u_lane", &unit)
                .param("E_W", &self.e_w)
                .param("SUM_W", &self.sum_w)
                .param("ZEROS_W", zeros_w)
                .clock(&self.ck)
                .input("en_i", en)
                .input("e_i", &e.lane(i, &self.e_w))
                .input("zeros_i", &zeros)
                .input("normal_i", &normal)
                .output_part("y_o", &y, i * 4, 4)
                .done();
        });
        (*y).clone()
    }

    fn ita_lanes(&self, en: &Expr, go: &Release, row: &Offered, e: &Expr, behind: i64) -> Expr {
        let inverse = self.at_lanes("inverse", en, go, row, behind);
        let y = self.wire("y_lanes", &self.lanes * INVERSE_BITS);
        let unit = ita_lane();
        self.m.generate_for("g_lane", &self.lanes, |i| {
            self.m
                .instance("u_lane", &unit)
                .clock(&self.ck)
                .input("en_i", en)
                .input("e_i", &e.lane(i, &self.e_w))
                .input("inverse_i", &inverse)
                .output_part("y_o", &y, i * INVERSE_BITS, INVERSE_BITS)
                .done();
        });
        (*y).clone()
    }
}
