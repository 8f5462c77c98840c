//! The top of `flash-attention`: streams, the memory of q, skews, rows, control, output.

use std::rc::Rc;

use bitlathe_hdl::{Checked, Clock, Dim, Errors, Expr, Module, RamStyle, Unit, Wire, bit, check, concat, lit, uint};
use bitlathe_spec::Interface;

use super::array::select::PICK_BITS;
use super::hardware::{DROP_BITS, Hardware, PARTS};
use super::interface::{CAUSAL, MASK_ERROR};
use super::wave::Wave;
use super::{control, logit, output, row, sums};
use crate::parts::carry::impl_param;
use crate::parts::delay_line::delay_line;
use crate::parts::register_file::connect;

/// Words from which block memory is taken.
pub const BLOCK_FROM: i64 = 64;

/// The design of a configured core.
pub fn design(hw: &Hardware, interface: &Interface) -> Result<Checked, Errors> {
    check(&Top::new(hw, interface).build())
}

struct Top<'a> {
    hw: &'a Hardware,
    m: Module,
    ck: Clock,
    n: Dim,
    imp: Dim,
    fields: Vec<(String, Expr)>,
    /// Where jobs may be masked: one has more queries than keys.
    mask_error: Option<Wire>,
}

/// What control says of the columns that enter now.
struct Enters {
    a: Expr,
    b: Expr,
    wave: Expr,
    q_write: Expr,
    q_write_at: Expr,
    q_read_at: Expr,
    done: Expr,
    job_done: Expr,
    /// The sums of a tile: valid, first, address, choice of the row.
    settle: [Expr; 4],
    /// With a causal mask: keys that row 0 sees, that a head's first and last query see; where the last row's comes back.
    reach: Option<([Wire; 3], Wire)>,
    /// With resident blocks: whether k and v come by the stream, and the column.
    kept: Option<[Expr; 3]>,
}

impl<'a> Top<'a> {
    fn new(hw: &'a Hardware, interface: &'a Interface) -> Self {
        let m = Module::new(&hw.top);
        m.doc(
            "Attention, softmax(Q K^T / sqrt(d)) V, on one N x N array: both products in the same cells, online softmax between them.\n\
             Nothing of size L x L is stored.",
        );
        let n = m.param("N", hw.n, 4..=32, "queries of a block, keys of a tile");
        let imp = impl_param(&m, hw.implementation);
        let ck = m.clock();
        let mask_error = hw.causal.then(|| m.wire_later("mask_error", bit()));
        let errors: Vec<(&str, &Expr)> = mask_error.iter().map(|e| (MASK_ERROR, &**e)).collect();
        let fields = connect(&m, &ck, interface, &[], &errors);
        Self { hw, m, ck, n, imp, fields, mask_error }
    }

    fn field(&self, name: &str) -> Expr {
        let found = self.fields.iter().find(|(n, _)| n == name);
        found.map_or_else(|| lit(0, bit()), |(_, e)| e.clone())
    }

    fn wire(&self, name: &str, width: impl Into<Dim>) -> Wire {
        self.m.wire_later(name, uint(width))
    }

    fn build(self) -> Rc<Unit> {
        let (m, hw, ck) = (&self.m, self.hw, &self.ck);
        let beat = &self.n * hw.bits;
        m.comment("Streams");
        let readies = ["q_ready", "k_ready", "v_ready"].map(|name| self.wire(name, 1));
        let [q, k, v] = ["q", "k", "v"].map(|name| m.sink(name, uint(&beat), false));
        let [q, k, v] = [(q, &readies[0]), (k, &readies[1]), (v, &readies[2])].map(|(s, ready)| s.take(ready));
        let drained = self.wire("drained", 1);
        let c = self.control([&q.valid, &k.valid, &v.valid], &readies, &drained);

        m.comment("Queries of the resident blocks and of those that follow");
        let queries = m.memory("query_blocks", &beat, 1i64 << hw.address_bits(), memory_style(hw.address_bits()), "");
        queries.write(ck, &c.q_write, &c.q_write_at, &q.data);
        let q = queries.read_registered(ck, "query_q", &c.a, &c.q_read_at);
        let kv = self.keys_and_values(&c, &k.data, &v.data);
        let (q, kv) = (self.skewed("q", &q), self.skewed("kv", &kv));
        let reads = Reads {
            l_at: self.wire("l_at", hw.sum_address_bits()),
            o_read: self.wire("o_read", 1),
            o_at: self.wire("o_at", hw.address_bits()),
        };
        let (tiles, drops, o) = self.rows(&c, &q, &kv, &reads);
        let l = self.sums(&c, &tiles, &drops, &reads);
        self.output(&c, &reads, &drained, &l, &o);
        self.m.finish()
    }

    fn control(&self, valid: [&Expr; 3], readies: &[Wire; 3], drained: &Wire) -> Enters {
        let (m, hw) = (&self.m, self.hw);
        m.comment("Control");
        let out = |name: &str, width: i64| self.wire(name, width);
        let (a, b) = (out("a_enters", 1), out("b_enters", 1));
        let wave = out("wave", Wave::new(hw).bits());
        let (q_write, q_write_at, q_read_at) =
            (out("q_write", 1), out("q_write_at", hw.address_bits()), out("q_read_at", hw.address_bits()));
        let (done, job_done) = (out("block_done", 1), out("job_done", 1));
        let settle = [
            out("settle", 1),
            out("settle_first", 1),
            out("settle_at", hw.sum_address_bits()),
            out("settle_pick", PICK_BITS),
        ];
        let kept =
            (hw.resident > 1).then(|| [out("k_streamed", 1), out("v_streamed", 1), out("place", hw.place_bits())]);
        let mut i = m.instance("u_control", &control::unit(hw)).param("N", &self.n).clock(&self.ck);
        for name in ["columns", "keys", "rows", "kv_heads"] {
            i = i.input(&format!("{name}_i"), &self.field(name));
        }
        let reach = hw.causal.then(|| {
            let wires = ["reach", "reach_first", "reach_last"].map(|name| out(name, hw.reach_bits()));
            (wires, out("reach_back", hw.reach_bits()))
        });
        if let Some((wires, back)) = &reach {
            for (name, wire) in ["reach_o", "reach_first_o", "reach_last_o"].into_iter().zip(wires) {
                i = i.output(name, wire);
            }
            i = i
                .input("reach_i", back)
                .input("queries_i", &self.field("queries"))
                .input("causal_i", &self.field(CAUSAL));
        }
        if let Some(error) = &self.mask_error {
            i = i.output("mask_error_o", error);
        }
        for ((name, valid), ready) in ["q", "k", "v"].into_iter().zip(valid).zip(readies) {
            i = i.input(&format!("{name}_valid_i"), valid).output(&format!("{name}_ready_o"), ready);
        }
        if let Some(kept) = &kept {
            for (name, wire) in ["k_streamed_o", "v_streamed_o", "place_o"].into_iter().zip(kept) {
                i = i.output(name, wire);
            }
        }
        for (name, wire) in ["settle_o", "settle_first_o", "settle_at_o", "settle_pick_o"].into_iter().zip(&settle) {
            i = i.output(name, wire);
        }
        i.output("a_o", &a)
            .output("b_o", &b)
            .output("q_write_o", &q_write)
            .output("q_write_at_o", &q_write_at)
            .output("q_read_at_o", &q_read_at)
            .output("control_o", &wave)
            .output("done_o", &done)
            .output("job_done_o", &job_done)
            .input("drained_i", drained)
            .done();
        let [a, b, wave, q_write, q_write_at, q_read_at, done, job_done] =
            [a, b, wave, q_write, q_write_at, q_read_at, done, job_done].map(|w| (*w).clone());
        let (kept, settle) = (kept.map(|k| k.map(|w| (*w).clone())), settle.map(|w| (*w).clone()));
        Enters { a, b, wave, q_write, q_write_at, q_read_at, done, job_done, settle, reach, kept }
    }

    /// The column of k or v that enters the array, zeros where none does.
    fn keys_and_values(&self, c: &Enters, k: &Expr, v: &Expr) -> Expr {
        let (m, hw, ck) = (&self.m, self.hw, &self.ck);
        m.comment("Keys and values");
        let beat = &self.n * hw.bits;
        let entered = |enters: &Expr| {
            let chosen = c.b.select(v, k) & enters.repeat(&beat);
            ck.delay("kv", &m.wire("kv", &chosen), 1)
        };
        let Some([k_streamed, v_streamed, place]) = &c.kept else {
            return entered(&m.wire("enters", &(&c.a | &c.b)));
        };
        // A tile is kept for the resident blocks that follow the first.
        let (a, b) = (m.wire("k_enters", &(&c.a & k_streamed)), m.wire("v_enters", &(&c.b & v_streamed)));
        let streamed = entered(&m.wire("enters", &(&a | &b)));
        let again = [("key_tile", k, &c.a, &a), ("value_tile", v, &c.b, &b)].map(|(name, data, enters, fresh)| {
            let tile = m.memory(name, &beat, 1i64 << hw.place_bits(), memory_style(hw.place_bits()), "a tile");
            tile.write(ck, fresh, place, data);
            let word = tile.read_registered(ck, &format!("{name}_q"), &lit(1, bit()), place);
            let repeats = m.wire(&format!("{name}_repeat"), &(enters & !fresh));
            let repeats = ck.delay(&format!("{name}_repeat"), &repeats, 1);
            word & repeats.repeat(&beat)
        });
        let [k, v] = again;
        m.wire("column", &(streamed | k | v))
    }

    /// Lane `n` of a beat `n` cycles later, for the wave that runs through the array.
    fn skewed(&self, name: &str, beat: &Expr) -> Wire {
        let (m, w) = (&self.m, Dim::from(self.hw.bits));
        let out = self.wire(&format!("{name}_skewed"), &self.n * &w);
        out.drive_part(0, &w, &beat.slice(0, &w));
        let unit = delay_line(self.hw.bits, 1, false);
        m.generate_for(&format!("g_skew_{name}"), &self.n - 1, |i| {
            m.instance(&format!("u_skew_{name}"), &unit)
                .param("WIDTH", &w)
                .param("STAGES", i + 1)
                .clock(&self.ck)
                .input("en_i", &lit(1, bit()))
                .input("value_i", &beat.slice((i + 1) * &w, &w))
                .output_part("value_o", &out, (i + 1) * &w, &w)
                .done();
        });
        out
    }

    /// What enters row 0, and passes to the next row every cycle.
    fn down(&self, name: &str, first: &Expr) -> Wire {
        let w = first.width();
        let all = self.wire(&format!("{name}_down"), &self.n * w);
        let passed = self.ck.reg(&format!("{name}_down_q"), uint((&self.n - 1) * w));
        all.drive(concat(&[&*passed, first]));
        passed.next(all.slice(0, (&self.n - 1) * w));
        all
    }

    /// Sums of a tile's probabilities, what l and O drop, and O as the output reads it.
    fn rows(&self, c: &Enters, q: &Wire, kv: &Wire, reads: &Reads) -> (Wire, Wire, Wire) {
        let (m, hw, n) = (&self.m, self.hw, &self.n);
        let (mult, shift, half) = self.scale();
        m.comment("Rows");
        let wave = self.down("wave", &c.wave);
        let kv = self.down("kv", kv);
        let (tw, ow) = (Dim::from(hw.tile_bits()), Dim::from(hw.weighted_bits));
        let (tiles, o) = (self.wire("tiles", n * &tw), self.wire("o", n * &ow));
        let drops = self.wire("drops", n * DROP_BITS);
        let unit = row::unit(hw);
        let bits = Dim::from(Wave::new(hw).bits());
        let reach = c.reach.as_ref().map(|(wires, back)| self.reach(wires, back));
        m.generate_for("g_row", n, |i| {
            let mut row = m.instance("u_row", &unit);
            if let Some(r) = &reach {
                row = row.input("reach_i", &r.before.lane(i, &r.bits));
                row = row.input("reach_first_i", &r.first).input("reach_last_i", &r.last);
                row = row.output_lane("reach_o", &r.after, i, &r.bits);
            }
            row.param("N", n)
                .param("IMPL", &self.imp)
                .clock(&self.ck)
                .input("control_i", &wave.lane(i, &bits))
                .input("q_i", &q.lane(i, &Dim::from(hw.bits)))
                .input("kv_i", &kv.lane(i, &(n * hw.bits)))
                .input("mult_i", &mult)
                .input("shift_i", &shift)
                .input("half_i", &half)
                .input("o_read_i", &reads.o_read)
                .input("o_at_i", &reads.o_at)
                .output_lane("tile_o", &tiles, i, &tw)
                .output_lane("drop_o", &drops, i, &DROP_BITS.into())
                .output_lane("o_o", &o, i, &ow)
                .done();
        });
        (tiles, drops, o)
    }

    /// How many keys the rows see, passed from row to row and back to control.
    fn reach(&self, [own, first, last]: &[Wire; 3], back: &Wire) -> Reach {
        let bits = Dim::from(self.hw.reach_bits());
        let after = self.wire("reach_after", &self.n * &bits);
        let before = self.m.wire("reach_before", &concat(&[&*after, &**own]));
        back.drive(before.slice(&self.n * &bits, &bits));
        Reach { bits, before, after, first: (**first).clone(), last: (**last).clone() }
    }

    /// l as the output reads it.
    fn sums(&self, c: &Enters, tiles: &Wire, drops: &Wire, reads: &Reads) -> Wire {
        let (m, hw) = (&self.m, self.hw);
        let l = self.wire("l", hw.sum_bits);
        let mut i = m
            .instance("u_sums", &sums::unit(hw))
            .param("N", &self.n)
            .param("TILE_W", hw.tile_bits())
            .param("L_W", hw.sum_bits)
            .param("A_W", hw.sum_address_bits())
            .param("IMPL", &self.imp)
            .clock(&self.ck);
        for (name, value) in ["valid_i", "first_i", "at_i", "pick_i"].into_iter().zip(&c.settle) {
            i = i.input(name, value);
        }
        i.input("tiles_i", tiles).input("drops_i", drops).input("read_at_i", &reads.l_at).output("l_o", &l).done();
        l
    }

    /// 2^16 - C, r and 2^(r - 1) - 1 of the number of columns.
    fn scale(&self) -> (Expr, Expr, Expr) {
        let (m, hw, ck) = (&self.m, self.hw, &self.ck);
        m.comment("Scale of the logits");
        let (least, bits) = (hw.shifts().0, hw.shift_bits());
        let word = |&(mult, shift): &(u64, i64)| {
            ((1 << logit::MULT_BITS) - mult) | ((shift - least) as u64) << logit::MULT_BITS
        };
        let words: Vec<u64> = std::iter::once(0).chain(hw.scales.iter().map(word)).collect();
        let scale = m.rom("scale", &self.field("columns"), logit::MULT_BITS + bits, &words);
        let scale = ck.delay("scale", &scale, 1);
        let shift = m.wire("shift", &scale.slice(logit::MULT_BITS, bits));
        let ones = concat(&[&lit(1, bit()).repeat(hw.half_bits() - least + 1), &lit(0, uint(least - 1))]);
        let half = m.wire("half", &!m.wire("above_half", &ones).shl(&shift));
        (scale.slice(0, logit::MULT_BITS), shift, ck.delay("half", &half, 1))
    }

    fn output(&self, c: &Enters, reads: &Reads, drained: &Wire, l: &Wire, o: &Wire) {
        let (m, hw) = (&self.m, self.hw);
        m.comment("Output");
        let [valid, last, ready] = ["o_valid", "o_last", "o_ready"].map(|name| self.wire(name, 1));
        let data = self.wire("o_data", self.n.div(PARTS) * hw.out_bits);
        m.instance("u_output", &output::unit(hw))
            .param("LANES", self.n.div(PARTS))
            .param("IMPL", &self.imp)
            .clock(&self.ck)
            .input("done_i", &c.done)
            .input("job_done_i", &c.job_done)
            .input("columns_i", &self.field("columns"))
            .output("l_at_o", &reads.l_at)
            .input("l_i", l)
            .output("o_read_o", &reads.o_read)
            .output("o_at_o", &reads.o_at)
            .input("o_i", o)
            .output("drained_o", drained)
            .output("o_valid_o", &valid)
            .output("o_data_o", &data)
            .output("o_last_o", &last)
            .input("o_ready_i", &ready)
            .done();
        let (valid, data, last) = ((*valid).clone(), (*data).clone(), (*last).clone());
        m.stream("o", valid, data, Some(last), ready).source("o");
    }
}

/// What the output reads of the rows.
struct Reads {
    l_at: Wire,
    o_read: Wire,
    o_at: Wire,
}

/// Keys that the rows see.
struct Reach {
    bits: Dim,
    /// Before each row and behind the last, and behind each row.
    before: Expr,
    after: Wire,
    first: Expr,
    last: Expr,
}

fn memory_style(address_bits: i64) -> RamStyle {
    if 1 << address_bits >= BLOCK_FROM { RamStyle::Block } else { RamStyle::Distributed }
}
