//! All rows of one vector with their trees and accumulators on DSP blocks; called by `rtl` where `lookup.tree = "dsp"`.
//!
//! The first adders stay in look-up tables, where a sign costs nothing; they give complete sums, because the lanes of a
//! split adder have no carry input that could pay a debt.

use std::rc::Rc;

use bitlathe_hdl::{Dim, Module, Unit, bit, concat, lit, uint};
use bitlathe_spec::Family;

use crate::Cost;
use crate::parts::carry::{adder_lut, impl_param, signed_pair_sum};
use crate::parts::simd_add::{SimdSum, SimdTree};

/// Shape of the rows of one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DspRows {
    /// Rows.
    pub rows: i64,
    /// Terms of a row and cycle.
    pub terms: i64,
    /// Bits of a term.
    pub term_bits: i64,
    /// Largest magnitude of a term, its sign applied.
    pub term_reach: i64,
    /// Bits of the partial sum.
    pub acc_bits: i64,
    /// `IMPL`.
    pub implementation: i64,
}

impl DspRows {
    fn pairs(self) -> i64 {
        (self.terms + 1) / 2
    }

    /// Bits of a sum of two terms.
    pub fn pair_bits(self) -> i64 {
        let bits = 65 - i64::from((2 * self.term_reach).leading_zeros());
        bits.max(self.term_bits + 1)
    }

    fn tree(self) -> SimdTree {
        let Self { rows, implementation, .. } = self;
        SimdTree { rows, values: self.pairs(), width: self.pair_bits(), implementation }
    }

    fn accumulator(self) -> SimdSum {
        let Self { rows, acc_bits, implementation, .. } = self;
        SimdSum { rows, operands: 2, width: acc_bits, sum_bits: acc_bits, implementation }
    }

    /// Bits of a value that leaves the tree.
    pub fn tree_bits(self) -> i64 {
        self.tree().sum_bits()
    }

    /// Cycles from the sums of pairs to the value that leaves the tree.
    pub fn tree_latency(self) -> i64 {
        self.tree().latency()
    }

    /// Cycles from a term to the sum that holds it.
    pub fn latency(self) -> i64 {
        self.tree_latency() + self.accumulator().latency()
    }

    /// The rows.
    pub fn unit(self) -> Rc<Unit> {
        let m = Module::new("dot_rows_dsp");
        m.doc(
            "All rows of one vector: TERMS values a row, each negated on request, summed and added to the partial sum.\n\
             Pairs are added in look-up tables, everything above on DSP blocks.\n\
             Latency from terms to sums_o: 2 more than the tree's; psums_i and keep_i are taken 2 cycles before sums_o.",
        );
        let rows = m.param("ROWS", self.rows, 1..=256, "rows");
        let n = m.param("TERMS", self.terms, 1..=512, "terms a row and cycle");
        let w = m.param("WIDTH", self.term_bits, 2..=32, "bits of a term");
        let pair_w = m.param("PAIR_W", self.pair_bits(), 3..=34, "bits of a sum of two terms");
        let tree_w = m.param("TREE_W", self.tree_bits(), 3..=48, "bits of a row's sum of a cycle");
        let acc = m.param("ACC_W", self.acc_bits, 4..=48, "bits of the partial sum");
        let imp = impl_param(&m, self.implementation);
        m.guard(acc.ge(&tree_w), "a cycle's sum fits the partial sum");
        let (ck, en) = (m.clock(), m.input("en_i", bit()));
        let terms = m.input("terms_i", uint(&rows * &n * &w));
        let signs = m.input("signs_i", uint(&rows * &n));
        let psums = m.input("psums_i", uint(&rows * &acc));
        let keep = m.input("keep_i", bit());
        m.describe(&keep, "add the partial sums; low on the first slab");
        let pairs = m.localparam("PAIRS", n.ceil_div(2));
        let sums = m.wire_later("pair_sums", uint(&pairs * &rows * &pair_w));
        m.generate_for("g_row", &rows, |r| {
            // An odd number of terms is followed by a zero.
            let row_terms = m.wire("row_terms", &concat(&[&lit(0, uint(&w)), &terms.lane(r, &(&n * &w))]));
            let row_signs = m.wire("row_signs", &concat(&[&lit(0, bit()), &signs.lane(r, &n)]));
            m.allow(&row_terms, "UNUSEDSIGNAL", "padding of the last pair");
            m.allow(&row_signs, "UNUSEDSIGNAL", "padding of the last pair");
            m.generate_for("g_pair", &pairs, |i| {
                m.instance("u_pair", &signed_pair_sum(self.term_bits, self.pair_bits(), self.implementation))
                    .param("WIDTH", &w)
                    .param("SUM_W", &pair_w)
                    .param("IMPL", &imp)
                    .input("a_i", &row_terms.lane(2 * i, &w))
                    .input("b_i", &row_terms.lane(2 * i + 1, &w))
                    .input("na_i", &row_signs.bit(2 * i))
                    .input("nb_i", &row_signs.bit(2 * i + 1))
                    .output_lane("sum_o", &sums, i * &rows + r, &pair_w)
                    .done();
            });
        });
        let tree_sums = m.wire_later("tree_sums", uint(&rows * &tree_w));
        m.instance("u_tree", &self.tree().unit())
            .param("ROWS", &rows)
            .param("N", &pairs)
            .param("WIDTH", &pair_w)
            .param("SUM_W", &tree_w)
            .param("IMPL", &imp)
            .clock(&ck)
            .input("en_i", &en)
            .input("values_i", &sums)
            .output("sums_o", &tree_sums)
            .done();
        let added = m.wire_later("added", uint(&rows * &acc));
        m.generate_for("g_widen", &rows, |r| {
            let one = m.wire("tree_sum", &tree_sums.lane(r, &tree_w));
            let wide = m.wire("wide_sum", &concat(&[&one.msb().repeat(&acc), &one]));
            m.allow(&wide, "UNUSEDSIGNAL", "copies of the sign");
            added.drive_lane(r, &acc, &wide.slice(0, &acc));
        });
        let out = m.output_wire("sums_o", uint(&rows * &acc));
        m.instance("u_accumulate", &self.accumulator().unit())
            .param("ROWS", &rows)
            .param("OPERANDS", Dim::from(2))
            .param("WIDTH", &acc)
            .param("SUM_W", &acc)
            .param("IMPL", &imp)
            .clock(&ck)
            .input("en_i", &en)
            .input("values_i", &concat(&[&added, &psums]))
            .input("use_first_i", &keep)
            .output("sums_o", &out)
            .done();
        m.finish()
    }

    /// Cost of all rows.
    pub fn cost(self, family: Family) -> Cost {
        let pairs = (self.rows * self.pairs()) as f64;
        let mut sum = Cost::logic(adder_lut(family, self.pair_bits()), 0.0) * pairs;
        sum += self.tree().cost(family);
        sum += self.accumulator().cost(family);
        sum
    }
}
