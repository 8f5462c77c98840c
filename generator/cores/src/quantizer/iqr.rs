//! `iqr`: a first walk over the tensor counts magnitudes, a scan of the counts gives the threshold, a second walk quantizes.

use std::rc::Rc;

use bitlathe_hdl::{Clock, Dim, Expr, Module, RamStyle, Unit, Wire, bit, concat, lit, uint};

use super::rtl::{Hardware, Method, Top};
use crate::parts::delay_line::delay_line;
use crate::parts::row_walk::{column_bits, lane_mask, row_walk};
use crate::parts::sum_tree::{self, sum_tree};

/// Magnitudes in steps of 2^(IN_W-8): 0..=128.
const BINS: i64 = 129;
/// Bits of a bin's number.
const BIN_W: i64 = 8;
/// Bits of a count; R * C stays below 2^32.
pub const COUNT_W: i64 = 32;
/// Cycles from the first walk's last beat to the first read of the scan: the counters finish.
const SETTLE: i64 = 4;

/// Cycles from the first walk's last accepted beat to the first beat of the second walk.
pub fn scan_cycles(lanes: i64) -> i64 {
    // Address, memory, comparison, fence, offer, hand-over.
    SETTLE + BINS + sum_tree::latency(lanes) + 6
}

impl Hardware {
    /// Largest number of rows: counts of R * C elements fit their bins.
    pub fn rows_max(&self) -> u64 {
        match self.method {
            Method::Iqr(_) => (((1u64 << COUNT_W) - 1) / self.c_max as u64).min((1 << 31) - 1),
            _ => u64::from(u32::MAX),
        }
    }
}

/// Counts of one lane: a bin a beat, read and written back two cycles later with forwarding; cleared while they are scanned.
fn bin_counter() -> Rc<Unit> {
    let m = Module::new("bin_counter");
    m.doc(
        "Histogram of one lane: adds one to bin_i when count_i; read_i gives a bin's count two cycles later and clears it.",
    );
    let ck = m.clock();
    let [count, read] = ["count_i", "read_i"].map(|n| m.input(n, bit()));
    let bin = m.input("bin_i", uint(BIN_W));
    let mem = m.memory("histogram", COUNT_W, 1 << BIN_W, RamStyle::Block, "elements by magnitude");
    let active = m.wire("active", &(&count | &read));
    let present = mem.read_registered(&ck, "present_q", &active, &bin);
    let bin_q = ck.reg("bin_q", uint(BIN_W));
    bin_q.next_when(&active, &bin);
    let counts = ck.reg("counts_q", bit()).reset_to(0);
    counts.next(&count);
    let clears = ck.reg("clears_q", bit()).reset_to(0);
    clears.next(&read);
    // The beat before wrote while this one read.
    let newest = ck.reg("newest_q", uint(COUNT_W));
    let repeated = ck.reg("repeated_q", bit()).reset_to(0);
    repeated.next(&count & &*counts & bin.eq_to(&*bin_q));
    let previous = m.wire("previous", &repeated.select(&*newest, &present));
    let more = m.wire("more", &previous.wrapping_add(lit(1, uint(COUNT_W))));
    newest.next_when(&counts, &more);
    let write = m.wire("write", &(&*counts | &*clears));
    mem.write(&ck, &write, &bin_q, &m.wire("written", &clears.select(0, &more)));
    m.output("count_o", &present);
    m.finish()
}

/// The whole front: x in twice, the threshold, and the second walk out.
fn quartile_threshold(hw: &Hardware) -> Rc<Unit> {
    let m = Module::new("quartile_threshold");
    m.doc(
        "Threshold from quartiles: counts |x| >> (IN_W-8) over the first walk, finds Q1 and Q3, the first bins whose cumulative\n\
         count reaches N/4 and 3N/4 rounded up; threshold = (Q3 + floor(3 * (Q3 - Q1) / 2)) << (IN_W-8), saturated.\n\
         The second walk passes through.",
    );
    let n = m.param("LANES", hw.lanes, 1..=256, "elements of a beat");
    let w = m.param("IN_W", hw.in_bits, 8..=32, "bits of an element");
    let c = m.param("C_MAX", hw.c_max, 1..=65536, "largest row");
    let r = m.param("R_MAX", hw.rows_max() as i64, 1..=0x7fff_ffff, "most rows");
    let ck = m.clock();
    let columns = m.input("columns_i", uint(column_bits(&c)));
    let rows = m.input("rows_i", uint((&r + 1).clog2()));
    let x = m.sink("x", uint(&n * &w), true);
    let thr_ready = m.input("thr_ready_i", bit());

    m.comment("Walks: the first counts, a scan follows, the second passes through");
    let state = |name: &str, reset: i64| ck.reg(name, bit()).reset_to(reset);
    let (clearing, counting, passing) = (state("clearing_q", 1), state("counting_q", 0), state("passing_q", 0));
    m.describe(&clearing, "the bins are set to zero after a reset");
    let m_ready = m.input("m_ready_i", bit());
    let ready = m.wire("ready", &(&*counting | (&*passing & &m_ready)));
    let beat = x.take(&ready);
    let last = beat.last.unwrap_or_else(|| lit(0, bit()));
    let accept = m.wire("accept", &(&beat.valid & &ready));
    let counts = m.wire("counts", &(&beat.valid & &*counting));
    let (remaining, row_end) = (m.wire_later("remaining", uint(column_bits(&c))), m.wire_later("row_end", bit()));
    m.instance("u_walk", &row_walk(hw.lanes, hw.c_max))
        .param("LANES", &n)
        .param("C_MAX", &c)
        .clock(&ck)
        .input("columns_i", &columns)
        .input("accept_i", &accept)
        .output("remaining_o", &remaining)
        .output("end_o", &row_end)
        .done();
    let row = ck.reg("row_q", rows.ty().clone()).reset_to(0);
    let next_row = m.wire("next_row", &row.wrapping_add(1));
    let last_row = m.wire("last_row", &next_row.eq_to(&rows));
    let ends_row = m.wire("ends_row", &(&counts & &*row_end));
    let ends_walk = m.wire("ends_walk", &(&ends_row & &last_row));
    row.next_when(&ends_row, last_row.select(0, &next_row));

    m.comment("Scan");
    let settle = ck.reg("settle_q", uint(SETTLE)).reset_to(0);
    settle.next(concat(&[&settle.slice(0, SETTLE - 1), &ends_walk]));
    let scanning = state("scanning_q", 0);
    let bin = ck.reg("bin_q", uint(BIN_W)).reset_to(0);
    let last_bin = m.wire("last_bin", &bin.eq_to(BINS - 1));
    let reads = m.wire("reads", &(&*scanning | &*clearing));
    bin.next_when(&reads, last_bin.select(0, bin.wrapping_add(1)));
    scanning.next(settle.bit(SETTLE - 1) | (&*scanning & !&last_bin));
    clearing.next(&*clearing & !&last_bin);

    let found = quartiles(
        &m,
        &ck,
        hw,
        &n,
        &c,
        Counted {
            data: &beat.data,
            width: &w,
            counts: &counts,
            remaining: &remaining,
            reads: &reads,
            scanning: &scanning,
            bin: &bin,
            last_bin: &last_bin,
            over: &ends_walk,
        },
    );

    m.comment("Threshold");
    let thr_valid = state("thr_valid_q", 0);
    thr_valid.next(&found.done | (&*thr_valid & !&thr_ready));
    let handed = m.wire("handed", &(&*thr_valid & &thr_ready));
    // The last bin is written two cycles after its turn.
    let cleared = ck.reg("cleared_q", uint(2)).reset_to(0);
    cleared.next(concat(&[&cleared.bit(0), &(&*clearing & &last_bin)]));
    let first = cleared.bit(1);
    let ends = m.wire("ends", &(&*passing & &accept & &last));
    counting.next(&first | &ends | (&*counting & !&ends_walk));
    passing.next(&handed | (&*passing & !&ends));
    m.output("thr_valid_o", &thr_valid);
    m.output("threshold_o", &found.threshold);
    m.output("m_valid_o", &(&beat.valid & &*passing));
    m.output("m_data_o", &beat.data);
    m.output("m_last_o", &last);
    m.finish()
}

/// What the counting side sees.
struct Counted<'a> {
    data: &'a Expr,
    width: &'a Dim,
    counts: &'a Expr,
    remaining: &'a Wire,
    reads: &'a Expr,
    scanning: &'a Expr,
    bin: &'a Expr,
    last_bin: &'a Expr,
    over: &'a Expr,
}

struct Found {
    done: Expr,
    threshold: Expr,
}

fn quartiles(m: &Module, ck: &Clock, hw: &Hardware, n: &Dim, c: &Dim, s: Counted<'_>) -> Found {
    let w = s.width;
    m.comment("Histogram, one memory a lane");
    let mask = m.wire_later("mask", uint(n));
    m.instance("u_mask", &lane_mask(hw.lanes, hw.c_max))
        .param("LANES", n)
        .param("C_MAX", c)
        .input("remaining_i", s.remaining)
        .output("mask_o", &mask)
        .done();
    let all = m.wire_later("bin_counts", uint(n * COUNT_W));
    let counter = bin_counter();
    let read_q = ck.reg("read_q", bit()).reset_to(0);
    read_q.next(s.reads);
    let scan_bin_q = ck.reg("scan_bin_q", uint(BIN_W));
    scan_bin_q.next(s.bin);
    m.generate_for("g_lane", n, |i| {
        let x = m.wire("x", &s.data.lane(i, w));
        let folded = m.wire("folded", &x.xor(x.msb().repeat(w)));
        let one = concat(&[&lit(0, uint(w - 1)), &x.msb()]);
        let magnitude = m.wire("magnitude", &folded.wrapping_add(one));
        m.allow(&magnitude, "UNUSEDSIGNAL", "the top 8 bits choose the bin");
        let bin_q = ck.reg("lane_bin_q", uint(BIN_W));
        bin_q.next(magnitude.slice(w - 8, 8));
        let count_q = ck.reg("count_q", bit()).reset_to(0);
        count_q.next(s.counts & &mask.bit(i));
        let at = m.wire("at", &read_q.select(&*scan_bin_q, &*bin_q));
        m.instance("u_bins", &counter)
            .clock(ck)
            .input("count_i", &count_q)
            .input("read_i", &read_q)
            .input("bin_i", &at)
            .output_lane("count_o", &all, i, &Dim::from(COUNT_W))
            .done();
    });
    let total = element_count(m, ck, n, c, &s);
    m.comment("Cumulative counts against the ranks");
    let sum = m.wire_later("bin_sum", uint(COUNT_W));
    m.instance("u_sum", &sum_tree(hw.lanes, COUNT_W))
        .param("TERMS", n)
        .param("WIDTH", COUNT_W)
        .clock(ck)
        .input("values_i", &all)
        .output("sum_o", &sum)
        .done();
    // Memory address, memory, tree.
    let delay = 2 + sum_tree::latency(hw.lanes);
    let tag = m.wire("tag", &concat(&[&(s.scanning & s.last_bin), s.scanning, s.bin]));
    let tag_out = m.wire_later("tag_delayed", uint(BIN_W + 2));
    m.instance("u_tag", &delay_line(BIN_W + 2, delay, true))
        .param("WIDTH", BIN_W + 2)
        .param("STAGES", delay)
        .clock(ck)
        .input("en_i", &lit(1, bit()))
        .input("value_i", &tag)
        .output("value_o", &tag_out)
        .done();
    let present = tag_out.bit(BIN_W);
    let bin = m.wire("summed_bin", &tag_out.slice(0, BIN_W));
    let below = ck.reg("below_q", uint(COUNT_W)).reset_to(0);
    let reached = m.wire("reached", &below.wrapping_add(&*sum));
    let restart = m.wire("scan_over", &tag_out.bit(BIN_W + 1));
    below.next_when(&present, restart.select(0, &reached));
    // ceil(N / 4) and ceil(3 N / 4) without a division: 4 * count >= N and 4 * count >= 3 N.
    let wide = |name: &str, e: &Expr| m.wire(name, &concat(&[e, &lit(0, uint(2))]));
    let four = wide("four_times", &reached);
    let once = m.wire("once", &concat(&[&lit(0, uint(2)), &total]));
    let thrice_sum = m.wire("thrice_sum", &(&once + &concat(&[&lit(0, bit()), &total, &lit(0, bit())])));
    let thrice = m.wire("thrice", &thrice_sum.slice(0, COUNT_W + 2));
    m.allow(&thrice_sum, "UNUSEDSIGNAL", "three times a count needs two bits more than it");
    let quartile = |name: &str, rank: &Expr| {
        let q = ck.reg(&format!("{name}_q"), uint(BIN_W));
        let have = ck.reg(&format!("have_{name}_q"), bit()).reset_to(0);
        let now = m.wire(&format!("{name}_now"), &(&present & !&*have & four.ge(rank)));
        q.next_when(&now, &bin);
        have.next((&now | &*have) & !&restart);
        (*q).clone()
    };
    let (q1, q3) = (quartile("q1", &once), quartile("q3", &thrice));
    let done = ck.reg("quartiles_done_q", bit()).reset_to(0);
    done.next(&restart);
    fence(m, ck, hw, w, [&q1, &q3], &done)
}

/// Elements of the first walk.
fn element_count(m: &Module, ck: &Clock, n: &Dim, c: &Dim, s: &Counted<'_>) -> Expr {
    let bits = column_bits(c);
    let lanes = m.constant("ALL_LANES", n, &bits);
    let more = m.wire("beat_elements", &s.remaining.gt(&lanes).select(&lanes, &**s.remaining));
    let total = ck.reg("total_q", uint(COUNT_W)).reset_to(0);
    let begun = ck.reg("begun_q", bit()).reset_to(0);
    begun.next_when(s.counts, !s.over);
    let base = begun.select(&*total, 0);
    let wide = concat(&[&lit(0, uint(COUNT_W - &bits)), &more]);
    total.next_when(s.counts, base.wrapping_add(&wide));
    (*total).clone()
}

/// Tukey's fence above the third quartile.
fn fence(m: &Module, ck: &Clock, hw: &Hardware, w: &Dim, [q1, q3]: [&Expr; 2], done: &Expr) -> Found {
    let range = m.wire("range", &q3.wrapping_sub(q1));
    let one_and_half = m.wire("thrice_range", &(concat(&[&lit(0, bit()), &range]) + concat(&[&range, &lit(0, bit())])));
    // 128 + 192 at most: nine bits.
    let halved = m.wire("halved", &one_and_half.slice(1, 9));
    m.allow(&one_and_half, "UNUSEDSIGNAL", "halved");
    let bins = m.wire("fence", &halved.wrapping_add(concat(&[&lit(0, bit()), q3])));
    let beyond = m.wire("beyond", &bins.gt(127));
    let most = lit((1i64 << (hw.in_bits - 1)) - 1, uint(31));
    let low = concat(&[&lit(0, uint(32 - w)), &bins.slice(0, 7), &lit(0, uint(w - 8))]);
    let threshold = ck.reg("threshold_q", uint(31));
    threshold.next_when(done, beyond.select(&most, &low));
    let ready = ck.reg("threshold_done_q", bit()).reset_to(0);
    ready.next(done);
    Found { done: (*ready).clone(), threshold: (*threshold).clone() }
}

/// The second walk, with the threshold that the first one gave.
pub struct SecondWalk {
    /// A beat is offered.
    pub valid: Expr,
    /// It is taken.
    pub ready: Wire,
    /// Its elements.
    pub data: Expr,
    /// It ends the job.
    pub last: Expr,
    /// The threshold.
    pub threshold: Expr,
}

impl Top<'_> {
    /// The first walk and the scan, in front of the lanes.
    pub fn quartiles(&self, c_max: Option<&Dim>, field: &dyn Fn(&str) -> Option<Expr>) -> SecondWalk {
        let (m, hw) = (&self.m, self.hw);
        let c_max = c_max.cloned().unwrap_or_default();
        let columns = field("columns").unwrap_or_else(|| lit(0, uint(column_bits(&c_max))));
        let rows = field("rows").unwrap_or_else(|| lit(0, uint(1)));
        let [x_ready, valid, ready, last, thr_valid, thr_ready] =
            ["x_ready", "walk_valid", "walk_ready", "walk_last", "thr_valid", "thr_ready"]
                .map(|n| m.wire_later(n, bit()));
        let data = m.wire_later("walk_data", uint(&self.lanes * &self.in_w));
        let threshold = m.wire_later("threshold", uint(31));
        let x = m.sink("x", uint(&self.lanes * &self.in_w), true).take(&x_ready);
        let x_last = x.last.unwrap_or_else(|| lit(0, bit()));
        m.instance("u_threshold", &quartile_threshold(hw))
            .param("LANES", &self.lanes)
            .param("IN_W", &self.in_w)
            .param("C_MAX", &c_max)
            .clock(&self.ck)
            .input("columns_i", &columns)
            .input("rows_i", &rows)
            .input("x_valid_i", &x.valid)
            .output("x_ready_o", &x_ready)
            .input("x_data_i", &x.data)
            .input("x_last_i", &x_last)
            .output("thr_valid_o", &thr_valid)
            .input("thr_ready_i", &thr_ready)
            .output("threshold_o", &threshold)
            .output("m_valid_o", &valid)
            .input("m_ready_i", &ready)
            .output("m_data_o", &data)
            .output("m_last_o", &last)
            .done();
        let word = m.wire("thr_word", &concat(&[&lit(0, bit()), &*threshold]));
        m.stream("thr", (*thr_valid).clone(), word, None, thr_ready).source("thr");
        let e = |w: Wire| (*w).clone();
        SecondWalk { valid: e(valid), ready, data: e(data), last: e(last), threshold: e(threshold) }
    }
}
