//! The hardware of `ternary-gemm`: activation side (fill), weight side (issue, decode), rows, partial sums, output.
//!
//! Stages, counted from the accepted weight beat: 1 beat register, R table read, R+1 pair adders, … F the partial sum is added,
//! F+1 sum ready and written back. One enable moves all of them; it stops when an output beat waits.

use std::collections::BTreeMap;
use std::rc::Rc;

use bitlathe_hdl::{
    Checked, Clock, Dim, Errors, Expr, Module, RamStyle, Unit, Wire, bit, check, clog2, concat, lit, uint,
};
use bitlathe_spec::{Family, Interface};

use super::control::{address_bits, issue_control};
use super::decode::{CodeTable, View, decoder, direct, legality, view_bits};
use super::fill::Table;
use super::rows::{RowShape, dot_row};
use super::rows_dsp::DspRows;
use super::tables::{fill_control, fill_lane, load_control, table_lutram, table_mux};
use super::terms::{term_addsub, term_multiply};
use crate::parts::carry::impl_param;
use crate::parts::delay_line::delay_line;
use crate::parts::register_file::register_file;
use crate::parts::replay;
use crate::parts::requantize;
use crate::requantized::{Lanes, Requantized, Tile};

/// How a weight meets an activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Tables in look-up-table memory.
    Lutram,
    /// Tables in flip-flops.
    Mux,
    /// Add, subtract or skip.
    AddSub,
    /// A multiplier.
    Multiply,
}

impl Style {
    /// Whether a family has what the style is made of.
    pub fn exists_on(self, family: Family) -> bool {
        self != Self::Lutram || family != Family::Ice40
    }
}

/// Where the upper adders of a row lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tree {
    /// Three-operand adders on the carry chain.
    Fabric,
    /// Split adders of DSP blocks.
    Dsp,
}

/// Every number that the hardware depends on.
#[derive(Clone, Debug)]
pub struct Hardware {
    /// Name of the top module.
    pub top: String,
    /// Form of the adder macros.
    pub implementation: i64,
    /// Activations a slab.
    pub k_lanes: i64,
    /// Rows a tile.
    pub m_lanes: i64,
    /// Activation vectors side by side.
    pub batch: i64,
    /// Weight planes.
    pub planes: i64,
    /// Bits of an activation.
    pub act_bits: i64,
    /// Bits that the proof asks for in a partial sum.
    pub acc_bits: i64,
    /// Lookup style.
    pub style: Style,
    /// Activations of a table.
    pub group: i64,
    /// Where the upper adders of a row lie.
    pub tree: Tree,
    /// Encoding of the weight stream.
    pub encoding: &'static str,
    /// Largest number of slabs.
    pub slabs_max: i64,
    /// Largest number of tiles.
    pub tiles_max: i64,
    /// Beats kept on chip, and whether in UltraRAM.
    pub resident: Option<(i64, bool)>,
    /// Output stage; `None` for int32.
    pub requant: Option<Requantized>,
}

impl Hardware {
    /// Table that the rows read, for styles with tables.
    pub fn table(&self) -> Option<Table> {
        match self.style {
            Style::Lutram | Style::Mux if self.encoding == "sherry5" => Some(Table::OneZero),
            Style::Lutram | Style::Mux => Some(Table::Dense(self.group as u8)),
            Style::AddSub | Style::Multiply => None,
        }
    }

    /// What the rows read.
    pub fn view(&self) -> View {
        self.table().map_or(View::Weight, View::Table)
    }

    /// Activations behind one term.
    pub fn term_group(&self) -> i64 {
        self.table().map_or(1, |t| t.group() as i64)
    }

    /// Terms a row and cycle.
    pub fn terms(&self) -> i64 {
        (self.k_lanes + self.term_group() - 1) / self.term_group()
    }

    /// Bits of a term.
    pub fn term_bits(&self) -> i64 {
        match self.style {
            Style::Lutram | Style::Mux => self.act_bits + clog2(self.term_group()),
            Style::AddSub => self.act_bits,
            Style::Multiply => self.act_bits + 1,
        }
    }

    /// The encoding's code table.
    pub fn code(&self) -> CodeTable {
        CodeTable::new(self.encoding)
    }

    /// Codes in a row's slice of a beat.
    pub fn codes(&self) -> i64 {
        let g = self.code().group;
        (self.k_lanes + g - 1) / g
    }

    /// A row's shape with its tree in look-up tables; the partial sum is at least a bit wider than what the tree delivers.
    pub fn row(&self) -> RowShape {
        let (terms, term_bits) = (self.terms(), self.term_bits());
        let shape = RowShape { terms, term_bits, acc_bits: 0, implementation: self.implementation };
        RowShape { acc_bits: self.acc_bits.max(shape.tree_bits() + 1), ..shape }
    }

    /// The shape of a vector's rows with their trees on DSP blocks.
    pub fn dsp_rows(&self) -> DspRows {
        let nonzero = self.table().map_or(1, |t| if t == Table::OneZero { 3 } else { t.group() as i64 });
        let shape = DspRows {
            rows: self.m_lanes,
            terms: self.terms(),
            term_bits: self.term_bits(),
            term_reach: nonzero << (self.act_bits - 1),
            acc_bits: 0,
            implementation: self.implementation,
        };
        DspRows { acc_bits: self.acc_bits.max(shape.tree_bits()), ..shape }
    }

    /// Bits of a partial sum.
    pub fn sum_bits(&self) -> i64 {
        match self.tree {
            Tree::Fabric => self.row().acc_bits,
            Tree::Dsp => self.dsp_rows().acc_bits,
        }
    }

    /// Cycles that a value spends in a row's tree.
    fn tree_cycles(&self) -> i64 {
        match self.tree {
            Tree::Fabric => self.row().levels(),
            Tree::Dsp => self.dsp_rows().tree_latency(),
        }
    }

    /// Stage of the table read: one later when codes are decoded first.
    pub fn read_stage(&self) -> i64 {
        if direct(&self.code(), self.view()) { 1 } else { 2 }
    }

    /// Stage in which the partial sum is added.
    pub fn add_stage(&self) -> i64 {
        self.read_stage()
            + match self.tree {
                Tree::Fabric => self.row().latency(),
                Tree::Dsp => self.dsp_rows().latency(),
            }
    }
}

/// The whole core.
pub fn design(hw: &Hardware, interface: &Interface) -> Result<Checked, Errors> {
    check(&Top::new(hw, interface).build())
}

/// A 1-bit or wider value as it moves through the enabled pipeline, by stage.
struct Pipe<'a> {
    m: &'a Module,
    clock: &'a Clock,
    en: &'a Expr,
}

impl Pipe<'_> {
    /// The value `n` enabled cycles later.
    fn delay(&self, name: &str, value: &Expr, n: impl Into<Dim>, reset: bool) -> Expr {
        let n = n.into();
        let width = value.width().clone();
        let out = self.m.wire_later(&format!("{name}_delayed"), uint(&width));
        self.m
            .instance(&format!("u_delay_{name}"), &delay_line(width.value(), n.value(), reset))
            .param("WIDTH", width)
            .param("STAGES", n)
            .clock(self.clock)
            .input("en_i", self.en)
            .input("value_i", value)
            .output("value_o", &out)
            .done();
        (*out).clone()
    }
}

struct Top<'a> {
    hw: &'a Hardware,
    interface: &'a Interface,
    m: Module,
    ck: Clock,
    p: Params,
}

/// Parameters of the top, as symbols.
struct Params {
    k: Dim,
    rows: Dim,
    batch: Dim,
    act: Dim,
    acc: Dim,
    term: Dim,
    terms: Dim,
    codes: Dim,
    tree: Dim,
    imp: Dim,
}

/// What the issue control says of the accepted beat.
struct Issue {
    accept: Expr,
    keep: Expr,
    emit: Expr,
    last: Expr,
    bank: Expr,
    slab_end: Expr,
    address: Expr,
    plane: Option<Expr>,
}

impl<'a> Top<'a> {
    fn new(hw: &'a Hardware, interface: &'a Interface) -> Self {
        let m = Module::new(&hw.top);
        m.doc(
            "Ternary matrix product Y[t,m] = sum over k of W[m,k] * X[t,k], W in {-1, 0, +1}.\n\
             Activations fill tables slab by slab; all rows of weights pass each slab; partial sums stay in RAM.",
        );
        let tree = match hw.tree {
            Tree::Fabric => m.param("LEVELS", hw.tree_cycles(), 0..=6, "levels of a row's adder tree"),
            Tree::Dsp => m.param("TREE_CYCLES", hw.tree_cycles(), 0..=16, "cycles of the rows' trees"),
        };
        let p = Params {
            k: m.param("K_LANES", hw.k_lanes, 1..=256, "activations a slab"),
            rows: m.param("M_LANES", hw.m_lanes, 1..=256, "rows a tile"),
            batch: m.param("BATCH", hw.batch, 1..=16, "activation vectors side by side"),
            act: m.param("ACT_W", hw.act_bits, 4..=16, "bits of an activation"),
            acc: m.param("ACC_W", hw.sum_bits(), 4..=40, "bits of a partial sum"),
            term: m.param("TERM_W", hw.term_bits(), 3..=24, "bits of a term"),
            terms: m.param("TERMS", hw.terms(), 1..=256, "terms a row and cycle"),
            codes: m.param("CODES", hw.codes(), 1..=256, "codes in a row's slice of a weight beat"),
            tree,
            imp: impl_param(&m, hw.implementation),
        };
        let ck = m.clock();
        Self { hw, interface, m, ck, p }
    }

    fn build(self) -> Rc<Unit> {
        let (m, hw) = (&self.m, self.hw);
        let tiles = m.param("TILES_MAX", hw.tiles_max, 1..=65536, "largest number of tiles");
        let slabs = m.param("SLABS_MAX", hw.slabs_max, 1..=65536, "largest number of slabs");
        let en = m.wire_later("en", bit());
        m.describe(&en, "moves every stage; low while an output beat waits");
        let weight_error = m.wire_later("weight_error", bit());
        let loaded = m.wire_later("loaded", bit());
        let regs = self.registers(&slabs, &tiles, &weight_error, &loaded);
        let free = m.wire_later("free", uint(2));
        let side = self.activation_side(&free);
        let w = self.weight_stream(&regs, &loaded);
        let issue = self.issue(&en, &side, &regs, &w, &slabs, &tiles);
        let pipe = Pipe { m, clock: &self.ck, en: &en };
        let (signs, reads, rstage) = self.codes(&pipe, &issue, &w.data, &weight_error);
        let bank = pipe.delay("bank", &issue.bank, rstage, false);
        let slab_end = pipe.delay("slab_end", &issue.slab_end, rstage, true);
        let done = m.wire("slab_done", &(&slab_end & &*en));
        free.drive(concat(&[&(&done & &bank), &(&done & !&bank)]));
        let terms = self.terms(&en, &side, &bank, &reads);
        let sums = self.rows(&pipe, &issue, &signs, &terms, &tiles);
        self.output(&pipe, &issue, &sums, &en, &regs);
        let Self { m, .. } = self;
        m.finish()
    }

    fn registers(&self, slabs: &Dim, tiles: &Dim, weight_error: &Wire, loaded: &Wire) -> Registers {
        let (m, hw) = (&self.m, self.hw);
        let bits = self.interface.address_bits();
        m.comment("Registers");
        let write = m.input("reg_write_i", bit());
        let addr = m.input("reg_addr_i", uint(bits));
        let wdata = m.input("reg_wdata_i", uint(32));
        let rdata = m.output_wire("reg_rdata_o", uint(32));
        let unit = register_file("register_file", bits, &self.interface.registers);
        let (sw, tw) = ((slabs + 1).clog2(), (tiles + 1).clog2());
        let shift_bits = hw.requant.map_or(1, |r| r.shift_bits());
        let scales = [("mult", 16), ("mult_0", 16), ("mult_1", 16), ("shift", shift_bits), ("zp", 8)];
        let held = scales.into_iter().filter(|(name, _)| unit.has_port(&format!("{name}_o")));
        let fields = Registers {
            k_slabs: m.wire_later("k_slabs", uint(&sw)),
            m_tiles: m.wire_later("m_tiles", uint(&tw)),
            reload: m.wire_later("reload", bit()),
            scale: held.map(|(name, bits)| (name, m.wire_later(name, uint(bits)))).collect(),
        };
        let mut i = m
            .instance("u_registers", &unit)
            .param("K_SLABS_MAX", slabs)
            .param("M_TILES_MAX", tiles)
            .clock(&self.ck)
            .input("write_i", &write)
            .input("addr_i", &addr)
            .input("wdata_i", &wdata)
            .input("weight_error_set_i", weight_error)
            .output("k_slabs_o", &fields.k_slabs)
            .output("m_tiles_o", &fields.m_tiles)
            .output("rdata_o", &rdata);
        let none = |w: &Wire| w.drive(0);
        if hw.resident.is_some() {
            i = i.input("reload_done_i", loaded).output("reload_o", &fields.reload);
        } else {
            none(&fields.reload);
            m.allow(&fields.reload, "UNUSEDSIGNAL", "weights are not resident");
            m.allow(loaded, "UNUSEDSIGNAL", "weights are not resident");
        }
        for (name, wire) in &fields.scale {
            i = i.output(&format!("{name}_o"), wire);
        }
        i.done();
        fields
    }

    /// Activations in: tables with their fill, or plain banks.
    fn activation_side(&self, free: &Wire) -> Side {
        let (m, hw, p) = (&self.m, self.hw, &self.p);
        m.comment("Activations: one slab is loaded while the one before is in use");
        let x = m.sink("x", uint(&p.k * &p.act), true);
        let ready = m.wire_later("x_ready", bit());
        let beat = x.take(&ready);
        let last = beat.last.unwrap_or_else(|| lit(0, bit()));
        let (full, final_q) = (m.wire_later("full", uint(2)), m.wire_later("final_bank", uint(2)));
        let load = m.wire_later("load", uint(&p.batch));
        let write_bank = m.wire_later("write_bank", bit());
        let table = hw.table();
        let unit = table.map_or_else(|| load_control(hw.batch), |t| fill_control(t, hw.batch));
        let mut i = m
            .instance("u_fill_control", &unit)
            .param("BATCH", &p.batch)
            .clock(&self.ck)
            .input("x_valid_i", &beat.valid)
            .input("x_last_i", &last)
            .output("x_ready_o", &ready)
            .input("free_i", free)
            .output("load_o", &load)
            .output("write_bank_o", &write_bank)
            .output("full_o", &full)
            .output("final_o", &final_q);
        let steps = table.map(|t| Steps {
            run: m.wire_later("fill_run", bit()),
            clear: m.wire_later("fill_clear", bit()),
            negate: m.wire_later("fill_negate", bit()),
            term: m.wire_later("fill_term", uint(2)),
            write: m.wire_later("fill_write", bit()),
            index: m.wire_later("fill_index", uint(t.index_bits())),
        });
        if let Some(s) = &steps {
            i = i
                .output("run_o", &s.run)
                .output("clear_o", &s.clear)
                .output("negate_o", &s.negate)
                .output("term_o", &s.term)
                .output("write_o", &s.write)
                .output("write_index_o", &s.index);
        }
        i.done();
        Side { x: beat.data, load: (*load).clone(), write_bank: (*write_bank).clone(), full, final_q, steps }
    }

    /// Weights in: from the stream, or replayed from on-chip memory.
    fn weight_stream(&self, regs: &Registers, loaded: &Wire) -> WeightStream {
        let (m, hw, p) = (&self.m, self.hw, &self.p);
        m.comment("Weights");
        let bits = hw.codes() * hw.code().bits;
        let beat_bits = &p.rows * &p.codes * hw.code().bits;
        let ready = m.wire_later("w_ready", bit());
        let Some((depth, ultra)) = hw.resident else {
            loaded.drive(0);
            let w = m.sink("w", uint(beat_bits), false).take(&ready);
            return WeightStream { valid: w.valid, data: w.data, ready };
        };
        let depth = m.param("RESIDENT_BEATS", depth, 1..=1 << 20, "weight beats kept on chip");
        let store_ready = m.wire_later("store_ready", bit());
        let w = m.sink("w", uint(&beat_bits), true).take(&store_ready);
        let (valid, data) = (m.wire_later("replay_valid", bit()), m.wire_later("replay_data", uint(&beat_bits)));
        let last = w.last.unwrap_or_else(|| lit(0, bit()));
        loaded.drive(&w.valid & &*store_ready & &last);
        m.instance("u_weights", &replay::replay_buffer(bits * hw.m_lanes, depth.value(), ultra))
            .param("WIDTH", beat_bits)
            .param("DEPTH", depth)
            .clock(&self.ck)
            .input("reload_i", &regs.reload)
            .input("s_valid_i", &w.valid)
            .output("s_ready_o", &store_ready)
            .input("s_data_i", &w.data)
            .input("s_last_i", &last)
            .output("m_valid_o", &valid)
            .input("m_ready_i", &ready)
            .output("m_data_o", &data)
            .done();
        WeightStream { valid: (*valid).clone(), data: (*data).clone(), ready }
    }

    fn issue(&self, en: &Wire, side: &Side, regs: &Registers, w: &WeightStream, slabs: &Dim, tiles: &Dim) -> Issue {
        let (m, hw) = (&self.m, self.hw);
        let one = |n: &str| m.wire_later(n, bit());
        let [accept, keep, emit, last, bank, slab_end] =
            ["accept", "keep", "emit", "job_last", "bank", "slab_end"].map(|n| one(&format!("issue_{n}")));
        let two = hw.planes == 2;
        let address_w = address_bits(tiles) + i64::from(two);
        let address = m.wire_later("issue_address", uint(address_w));
        let mut i = m
            .instance("u_issue", &issue_control(hw.slabs_max, hw.tiles_max, hw.batch, hw.planes))
            .param("SLABS_MAX", slabs)
            .param("TILES_MAX", tiles)
            .param("BATCH", &self.p.batch)
            .clock(&self.ck)
            .input("en_i", en)
            .input("full_i", &side.full)
            .input("final_i", &side.final_q)
            .input("k_slabs_i", &regs.k_slabs)
            .input("m_tiles_i", &regs.m_tiles)
            .input("w_valid_i", &w.valid)
            .output("w_ready_o", &w.ready)
            .output("accept_o", &accept)
            .output("bank_o", &bank)
            .output("keep_o", &keep)
            .output("emit_o", &emit)
            .output("slab_end_o", &slab_end)
            .output("last_o", &last)
            .output("address_o", &address);
        let plane = two.then(|| one("issue_plane"));
        if let Some(w) = &plane {
            i = i.output("plane_o", w);
        }
        i.done();
        let e = |w: Wire| (*w).clone();
        Issue {
            accept: e(accept),
            keep: e(keep),
            emit: e(emit),
            last: e(last),
            bank: e(bank),
            slab_end: e(slab_end),
            address: e(address),
            plane: plane.map(e),
        }
    }

    /// The beat register, the check of its codes, and the decoders: signs (one stage after the read) and read addresses.
    fn codes(&self, pipe: &Pipe, issue: &Issue, data: &Expr, error: &Wire) -> (Expr, Expr, i64) {
        let (m, hw, p) = (&self.m, self.hw, &self.p);
        let code = hw.code();
        let w_q = self.ck.reg("w_q", data.ty().clone());
        w_q.next_when(pipe.en, data);
        if code.illegal() {
            let fresh = pipe.delay("accept", &issue.accept, 1, true);
            let illegal = m.wire_later("illegal", bit());
            m.instance("u_illegal", &legality(&code, hw.codes() * hw.m_lanes))
                .param("CODES", &p.rows * &p.codes)
                .input("codes_i", &w_q)
                .output("illegal_o", &illegal)
                .done();
            let found = self.ck.reg("illegal_q", bit()).reset_to(0);
            found.next(&fresh & &*illegal);
            error.drive(&*found);
        } else {
            error.drive(0);
        }
        let bits = view_bits(hw.view());
        let code_w = Dim::from(bits);
        let row_w = &p.terms * bits;
        let all = &p.rows * &row_w;
        let (codes, stage) = if direct(&code, hw.view()) {
            let c = m.wire("codes", &w_q);
            (c, 1)
        } else {
            let decoded = m.wire_later("decoded", uint(&all));
            let row_bits = &p.codes * code.bits;
            let unit = decoder(&code, hw.view(), hw.codes(), hw.terms());
            m.generate_for("g_decode", &p.rows, |r| {
                m.instance("u_decode", &unit)
                    .param("CODES", &p.codes)
                    .param("TERMS", &p.terms)
                    .input("codes_i", &w_q.lane(r, &row_bits))
                    .output_lane("terms_o", &decoded, r, &row_w)
                    .done();
            });
            let q = self.ck.reg("codes_q", uint(&all));
            q.next_when(pipe.en, &*decoded);
            ((*q).clone(), 2)
        };
        // Transposed: all rows of one term lie together, as its table wants them.
        let index_bits = match hw.view() {
            View::Table(_) => bits - 1,
            View::Weight => bits,
        };
        let index_w = Dim::from(index_bits);
        let reads = m.wire_later("reads", uint(&p.terms * &p.rows * index_bits));
        let signs = self.ck.reg("signs_q", uint(&p.rows * &p.terms));
        let signed = hw.style != Style::Multiply;
        m.generate_for("g_code_row", &p.rows, |r| {
            m.generate_for("g_code_term", &p.terms, |t| {
                let at = r * &p.terms + t;
                let one = m.wire("term_code", &codes.lane(&at, &code_w));
                reads.drive_part((t * &p.rows + r) * &index_w, &index_w, &one.slice(0, &index_w));
                let sign = if signed { one.msb() } else { lit(0, bit()) };
                signs.next_lane(&at, &Dim::from(1), Some(pipe.en), &sign);
            });
        });
        ((*signs).clone(), (*reads).clone(), stage)
    }

    /// Terms of all vectors: [vector][row][term].
    fn terms(&self, en: &Wire, side: &Side, bank: &Expr, reads: &Expr) -> Expr {
        let (m, hw, p) = (&self.m, self.hw, &self.p);
        let group = hw.term_group();
        m.comment("Terms: every table is read by all rows");
        let out = m.wire_later("terms", uint(&p.batch * &p.rows * &p.terms * &p.term));
        let group_w = &p.act * group;
        let index_w = Dim::from(match hw.table() {
            Some(t) => i64::from(t.index_bits()),
            None => 2,
        });
        m.generate_for("g_vector", &p.batch, |b| {
            let hold = |name: &str| self.ck.reg(name, uint(&p.k * &p.act));
            let x = if side.steps.is_some() {
                let x_q = hold("x_q");
                x_q.next_when(&side.load.bit(b), &side.x);
                (*x_q).clone()
            } else {
                let banks =
                    [("x_bank0_q", !&side.write_bank), ("x_bank1_q", side.write_bank.clone())].map(|(n, chosen)| {
                        let q = hold(n);
                        let take = m.wire(&n.replace("_q", "_load"), &(side.load.bit(b) & &chosen));
                        q.next_when(&take, &side.x);
                        q
                    });
                m.wire("x_active", &bank.select(&*banks[1], &*banks[0]))
            };
            // The last group may reach beyond the slab: zeros stand there.
            let padded = m.wire("x_padded", &concat(&[&lit(0, uint(&group_w)), &x]));
            m.allow(&padded, "UNUSEDSIGNAL", "padding of the last group");
            m.generate_for("g_term", &p.terms, |t| {
                let data = m.wire_later("term_data", uint(&p.rows * &p.term));
                let lanes = padded.slice(t * &group_w, &group_w);
                let index = reads.slice(t * &p.rows * &index_w, &p.rows * &index_w);
                match &side.steps {
                    Some(steps) => self.table(en, side, steps, bank, &lanes, &index, &data),
                    None => {
                        let unit = match hw.style {
                            Style::AddSub => term_addsub(hw.m_lanes, hw.act_bits),
                            _ => term_multiply(hw.m_lanes, hw.act_bits),
                        };
                        m.instance("u_term", &unit)
                            .param("PORTS", &p.rows)
                            .param("ACT_W", &p.act)
                            .clock(&self.ck)
                            .input("en_i", en)
                            .input("x_i", &lanes)
                            .input("weights_i", &index)
                            .output("data_o", &data)
                            .done();
                    }
                }
                m.generate_for("g_term_row", &p.rows, |r| {
                    let at = ((b * &p.rows + r) * &p.terms + t) * &p.term;
                    out.drive_part(at, &p.term, &data.lane(r, &p.term));
                });
            });
        });
        (*out).clone()
    }

    #[allow(clippy::too_many_arguments)]
    fn table(&self, en: &Wire, side: &Side, s: &Steps, bank: &Expr, lanes: &Expr, index: &Expr, data: &Wire) {
        let (m, hw, p) = (&self.m, self.hw, &self.p);
        let index_bits = hw.table().map_or(1, |t| i64::from(t.index_bits()));
        let sum = m.wire_later("fill_sum", uint(&p.term));
        m.instance("u_fill", &fill_lane(hw.term_group(), hw.act_bits, hw.term_bits()))
            .param("GROUP", hw.term_group())
            .param("ACT_W", &p.act)
            .param("WIDTH", &p.term)
            .clock(&self.ck)
            .input("run_i", &s.run)
            .input("clear_i", &s.clear)
            .input("negate_i", &s.negate)
            .input("term_i", &s.term)
            .input("x_i", lanes)
            .output("sum_o", &sum)
            .done();
        let unit = match hw.style {
            Style::Mux => table_mux(hw.m_lanes, hw.term_bits(), index_bits),
            _ => table_lutram(hw.m_lanes, hw.term_bits(), index_bits),
        };
        m.instance("u_table", &unit)
            .param("PORTS", &p.rows)
            .param("WIDTH", &p.term)
            .param("INDEX_W", index_bits)
            .clock(&self.ck)
            .input("en_i", en)
            .input("write_i", &s.write)
            .input("write_bank_i", &side.write_bank)
            .input("write_index_i", &s.index)
            .input("write_data_i", &sum)
            .input("read_bank_i", bank)
            .input("read_index_i", index)
            .output("data_o", data)
            .done();
    }

    /// The rows with their partial sums; gives the sums of all vectors one stage after the addition.
    fn rows(&self, pipe: &Pipe, issue: &Issue, signs: &Expr, terms: &Expr, tiles: &Dim) -> Expr {
        let (m, hw, p) = (&self.m, self.hw, &self.p);
        let add = self.add_stage();
        m.comment("Partial sums: read two stages before the addition, written one stage after it");
        let read_at = pipe.delay("psum_read", &issue.address, &add - 2, false);
        let write_at = pipe.delay("psum_write", &read_at, 3, false);
        let written = pipe.delay("sum_valid", &issue.accept, &add + 1, true);
        let word = &p.batch * &p.rows * &p.acc;
        let depth = if hw.planes == 2 { address_bits(tiles).pow2() * 2 } else { tiles.clone() };
        let mem = m.memory("psums", &word, depth, RamStyle::Block, "one word a tile: all rows of all vectors");
        let psum = mem.read_registered(&self.ck, "psum_1_q", pipe.en, &read_at);
        let sums = m.wire_later("sums", uint(&word));
        let we = m.wire("psum_we", &(&written & pipe.en));
        mem.write(&self.ck, &we, &write_at, &sums);
        match hw.tree {
            Tree::Fabric => self.rows_in_fabric(pipe, issue, signs, terms, &psum, &sums),
            Tree::Dsp => self.rows_on_dsp(pipe, issue, signs, terms, &psum, &sums),
        }
        (*sums).clone()
    }

    /// A row each: the partial sum and what decides on it arrive with the addition.
    fn rows_in_fabric(&self, pipe: &Pipe, issue: &Issue, signs: &Expr, terms: &Expr, psum: &Expr, sums: &Wire) {
        let (m, hw, p) = (&self.m, self.hw, &self.p);
        let keep = pipe.delay("keep", &issue.keep, self.add_stage(), false);
        let psum = pipe.delay("psum_out", psum, 1, false);
        let unit = dot_row(hw.row());
        m.generate_for("g_sum_vector", &p.batch, |b| {
            m.generate_for("g_row", &p.rows, |r| {
                let at = b * &p.rows + r;
                m.instance("u_row", &unit)
                    .param("TERMS", &p.terms)
                    .param("WIDTH", &p.term)
                    .param("ACC_W", &p.acc)
                    .param("LEVELS", &p.tree)
                    .param("IMPL", &p.imp)
                    .clock(&self.ck)
                    .input("en_i", pipe.en)
                    .input("terms_i", &terms.lane(&at, &(&p.terms * &p.term)))
                    .input("signs_i", &signs.lane(r, &p.terms))
                    .input("psum_i", &psum.lane(&at, &p.acc))
                    .input("keep_i", &keep)
                    .output_lane("sum_o", sums, &at, &p.acc)
                    .done();
            });
        });
    }

    /// All rows of a vector share DSP blocks, whose own registers take the partial sums one stage before the addition.
    fn rows_on_dsp(&self, pipe: &Pipe, issue: &Issue, signs: &Expr, terms: &Expr, psum: &Expr, sums: &Wire) {
        let (m, p, shape) = (&self.m, &self.p, self.hw.dsp_rows());
        let keep = pipe.delay("keep", &issue.keep, self.add_stage() - 1, false);
        let pair_w = m.param("PAIR_W", shape.pair_bits(), 3..=34, "bits of a sum of two terms");
        let tree_w = m.param("TREE_W", shape.tree_bits(), 3..=48, "bits of a row's sum of a cycle");
        m.generate_for("g_sum_vector", &p.batch, |b| {
            m.instance("u_rows", &shape.unit())
                .param("ROWS", &p.rows)
                .param("TERMS", &p.terms)
                .param("WIDTH", &p.term)
                .param("PAIR_W", &pair_w)
                .param("TREE_W", &tree_w)
                .param("ACC_W", &p.acc)
                .param("IMPL", &p.imp)
                .clock(&self.ck)
                .input("en_i", pipe.en)
                .input("terms_i", &terms.lane(b, &(&p.rows * &p.terms * &p.term)))
                .input("signs_i", signs)
                .input("psums_i", &psum.lane(b, &(&p.rows * &p.acc)))
                .input("keep_i", &keep)
                .output_lane("sums_o", sums, b, &(&p.rows * &p.acc))
                .done();
        });
    }

    /// Stage in which the partial sum is added, as a symbol.
    fn add_stage(&self) -> Dim {
        &self.p.tree + (self.hw.add_stage() - self.hw.tree_cycles())
    }

    /// Finished sums: one beat a vector, straight out or through the requantizer.
    fn output(&self, pipe: &Pipe, issue: &Issue, sums: &Expr, en: &Wire, regs: &Registers) {
        let (m, hw, p) = (&self.m, self.hw, &self.p);
        m.comment("Output: the sums of a tile leave one vector a beat");
        let add = self.add_stage();
        let emit = pipe.delay("emit", &(&issue.accept & &issue.emit), &add + 1, true);
        let job_last = pipe.delay("job_last", &issue.last, &add + 1, false);
        let plane = issue.plane.as_ref().map(|e| pipe.delay("plane", e, &add + 1, false));
        let lane_w = &p.rows * &p.acc;
        let held = self.ck.reg("out_q", uint(&p.batch * &lane_w));
        let valid = self.ck.reg("out_valid_q", bit()).reset_to(0);
        let out_last = self.ck.reg("out_last_q", bit());
        let bw = p.batch.clog2() + 1;
        let at = self.ck.reg("out_vector_q", uint(&bw)).reset_to(0);
        let last_vector = m.wire("out_last_vector", &at.eq_to(m.constant("LAST_VECTOR", &p.batch - 1, &bw)));
        let load = m.wire("out_load", &(&emit & &**en));
        held.next_when(&load, sums);
        out_last.next_when(&load, &job_last);
        let out_plane = plane.map(|pl| {
            let q = self.ck.reg("out_plane_q", bit());
            q.next_when(&load, &pl);
            (*q).clone()
        });
        valid.next_when(en, &emit | (&*valid & !&last_vector));
        let step = last_vector.select(0, at.wrapping_add(1));
        at.next_when(&m.wire("out_step", &(&**en & &*valid)), step);
        let tile = m.wire("out_tile", &held.lane_at(&at, &lane_w));
        let beat = OutBeat {
            valid: (*valid).clone(),
            last: m.wire("out_last", &(&*out_last & &last_vector)),
            tile,
            plane: out_plane,
            last_vector,
        };
        match hw.requant {
            None => self.wide_output(en, &beat),
            Some(r) => self.requantized(pipe, en, &beat, r, regs),
        }
    }

    fn wide_output(&self, en: &Wire, beat: &OutBeat) {
        let (m, p) = (&self.m, &self.p);
        let y = m.wire_later("y_data", uint(32 * &p.rows));
        m.generate_for("g_out", &p.rows, |r| {
            let sum = m.wire("out_sum", &beat.tile.lane(r, &p.acc).as_signed());
            let word = m.wire("out_word", &if self.hw.sum_bits() < 32 { sum.extend(32) } else { sum });
            y.drive_lane(r, &Dim::from(32), &word.as_unsigned());
        });
        let y_ready = m.wire_later("y_ready", bit());
        en.drive(!&beat.valid | &*y_ready);
        m.stream("y", beat.valid.clone(), (*y).clone(), Some(beat.last.clone()), y_ready).source("y");
        if let Some(p) = &beat.plane {
            m.allow(p, "UNUSEDSIGNAL", "planes leave one after the other");
        }
    }

    fn requantized(&self, pipe: &Pipe, en: &Wire, beat: &OutBeat, r: Requantized, regs: &Registers) {
        let (m, hw, p) = (&self.m, self.hw, &self.p);
        let lane = r.lane(hw.sum_bits(), hw.planes, hw.batch);
        let lanes = Lanes { m, ck: &self.ck, en, requant: r, lane, rows: &p.rows, acc: &p.acc };
        let taken = m.wire_later("parameters_taken", bit());
        let field = |name: &str| regs.scale.get(name).map_or_else(|| lit(0, bit()), |w| (**w).clone());
        let parameters = lanes.parameters(field, &taken, beat.plane.as_ref());
        let y_ready = m.wire_later("y_ready", bit());
        let complete = beat.plane.as_ref().map_or_else(|| beat.valid.clone(), |second| &beat.valid & second);
        let complete = m.wire("requant_accept", &complete);
        let y_valid = pipe.delay("y_valid", &complete, requantize::LATENCY, true);
        let y_last = pipe.delay("y_last", &beat.last, requantize::LATENCY, false);
        // Without its parameters a tile waits, and with it everything behind and before: y must not be offered twice.
        let supplied = m.wire("parameters_ready", &(!&beat.valid | &parameters.offered));
        en.drive((!&y_valid | &*y_ready) & &supplied);
        let y_valid = m.wire("y_offered", &(&y_valid & &supplied));
        taken.drive(&**en & &beat.valid & &beat.last_vector);
        if !r.per_row {
            m.allow(&taken, "UNUSEDSIGNAL", "parameters are registers");
        }
        let second = beat.plane.as_ref().map(|second| (second, &p.batch));
        let tile = Tile { valid: &beat.valid, last: &beat.last, sums: &beat.tile, second };
        let y = lanes.build(&tile, &parameters);
        m.stream("y", y_valid, (*y).clone(), Some(y_last), y_ready).source("y");
    }
}

struct Registers {
    k_slabs: Wire,
    m_tiles: Wire,
    reload: Wire,
    /// Multipliers, shift and zero point by field name, where all rows share them.
    scale: BTreeMap<&'static str, Wire>,
}

struct Steps {
    run: Wire,
    clear: Wire,
    negate: Wire,
    term: Wire,
    write: Wire,
    index: Wire,
}

struct Side {
    x: Expr,
    load: Expr,
    write_bank: Expr,
    full: Wire,
    final_q: Wire,
    steps: Option<Steps>,
}

struct WeightStream {
    valid: Expr,
    data: Expr,
    ready: Wire,
}

struct OutBeat {
    valid: Expr,
    last: Expr,
    tile: Expr,
    plane: Option<Expr>,
    last_vector: Expr,
}
