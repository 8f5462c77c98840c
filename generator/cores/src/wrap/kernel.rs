//! The hardware of `wrap = "kernel"`: the core as a kernel of XRT. An AXI4 master for each stream moves its beats from and to
//! memory; the control block starts all of them, and tells when all are done.
//!
//! A job is done when the core has taken every beat of its inputs and every word of its outputs is answered. While it runs,
//! software leaves the arguments as they are, which the rules of `ap_ctrl_hs` ask for anyway. A stream of no beats stands still:
//! weights that stay on chip are not sent again.

use bitlathe_hdl::{Checked, Errors, Expr, InstanceBuilder, Wire, check, concat, lit, uint};
use bitlathe_spec::axi::{ADDRESS_BITS, AxiInterface, AxiMemory, AxiStream, WRAPPER_OFFSET};
use bitlathe_spec::{Dir, Family, Interface};

use super::control::{ap_control, ap_control_cost, job_counters_cost};
use super::registers::{CONTROL_WORDS, LENGTH_BITS, beats, error, half, passes};
use super::top::{Ends, Fields, Resets, Top, Watched, padded};
use crate::parts::axi_lite;
use crate::parts::burst_walk::WalkShape;
use crate::parts::read_master::{self, read_master};
use crate::parts::register_file::register_file_cost;
use crate::parts::width_converter::{narrow_converter, narrow_cost, widen_converter, widen_cost};
use crate::parts::write_master::{self, write_master};
use crate::{Cost, PartCost};

/// The core behind AXI4 masters.
pub fn design(core: &Checked, interface: &Interface, axi: &AxiInterface) -> Result<Checked, Errors> {
    let doc = format!(
        "`{}` as a kernel of XRT. Control at 0x000, arguments from 0x010, the core's registers from 0x{:03x}, those of the \
         wrapper at 0x{WRAPPER_OFFSET:x}.",
        interface.top, axi.core_offset
    );
    let mut top = Top::new(core, interface, axi, &doc);
    let m = top.m.clone();
    m.allow(top.output("interrupt"), "SYMRSVDWORD", "kernels have it under this name");
    m.comment("Reset");
    let reset = m.wire("reset", &!top.input(axi.reset));
    let resets = Resets { clk: top.input(axi.clock), ports: reset.clone(), core: reset };
    let port = top.axi_lite(&resets);
    let registers = &axi.wrapper_registers()[CONTROL_WORDS..];
    let fields = top.register_file(&resets, &port, registers, &[]);
    let (start, control_rdata) = (top.wire("start", 1), top.wire("control_rdata", 32));
    top.answer(&port, &[fields.rdata.clone(), (*control_rdata).clone()]);

    let streams = axi.streams.iter().map(|s| stream(&mut top, s, &start, &resets, &fields));
    let (watched, done): (Vec<Watched>, Vec<Expr>) = streams.collect::<Vec<_>>().into_iter().unzip();
    top.instantiate(&resets);

    m.comment("Start and end of a job");
    let count = done.len() as i64;
    let i = resets.core(m.instance("u_control", &ap_control(count)).param("STREAMS", count));
    let i = i.input("write_i", &port.write).input("read_i", &port.read).input("addr_i", &port.addr);
    let i = i.input("wdata_i", &port.wdata).output("rdata_o", &control_rdata).output("start_o", &start);
    let done: Vec<&Expr> = done.iter().rev().collect();
    i.input("done_i", &concat(&done)).output("interrupt_o", top.output("interrupt")).done();
    top.counters(&resets, &start, &fields, &watched);
    check(&top.m.finish())
}

/// Cost of what stands around the core.
pub fn cost(axi: &AxiInterface, family: Family) -> Vec<PartCost> {
    let part = |part: &str, count: usize, cost: Cost| PartCost { part: part.into(), count: count as u64, cost };
    let (mut reads, mut writes, mut converters) = (Cost::default(), Cost::default(), Cost::default());
    let masters = || axi.streams.iter().filter_map(|s| Some((s, s.memory()?)));
    for (s, memory) in masters() {
        let (shape, word, ratio) = (shape(s, memory, axi), 8 * memory.word_bytes as i64, memory.beat_words as i64);
        match s.dir {
            Dir::In => reads += read_master::cost(&shape, read_master::DEPTH, family),
            Dir::Out => writes += write_master::cost(&shape, write_master::DEPTH, family),
        }
        if ratio > 1 {
            converters += match s.dir {
                Dir::In => widen_cost(word, ratio, family),
                Dir::Out => narrow_cost(word, ratio, family),
            };
        }
    }
    let inputs = masters().filter(|(s, _)| s.dir == Dir::In).count();
    let converted = masters().filter(|(_, memory)| memory.beat_words > 1).count();
    let registers = &axi.wrapper_registers()[CONTROL_WORDS..];
    let parts = [
        part("axi_lite", 1, axi_lite::cost(ADDRESS_BITS.into(), family)),
        part("ap_control", 1, ap_control_cost(axi.streams.len())),
        part("wrapper registers", 1, register_file_cost(family, registers)),
        part("read_master", inputs, reads),
        part("write_master", axi.streams.len() - inputs, writes),
        part("width converters", converted, converters),
        part("job_counters", 1, job_counters_cost(axi.streams.len())),
    ];
    parts.into_iter().filter(|p| p.count > 0).collect()
}

/// How the walk of a master is sized.
fn shape(stream: &AxiStream, memory: &AxiMemory, axi: &AxiInterface) -> WalkShape {
    let log = |n: u64| i64::from(n.trailing_zeros());
    let repeats = axi.registers.iter().any(|r| r.name == passes(&stream.stream));
    WalkShape {
        word: log(memory.word_bytes),
        burst: log(memory.burst_words()),
        count: i64::from(LENGTH_BITS) + log(memory.beat_words),
        pass: if repeats { LENGTH_BITS.into() } else { 1 },
    }
}

/// A stream with its master; also whether it is done.
fn stream(top: &mut Top, s: &AxiStream, start: &Expr, resets: &Resets, fields: &Fields) -> (Watched, Expr) {
    top.m.comment(&format!("Stream {}", s.stream));
    let memory = s.memory().unwrap_or_else(|| unreachable!("{} has a master", s.stream));
    let master = Master { shape: shape(s, memory, top.axi), s, memory };
    let ends = top.ends(s);
    match s.dir {
        Dir::In => master.reads(top, ends, start, resets, fields),
        Dir::Out => master.writes(top, ends, start, resets, fields),
    }
}

/// A stream with what its master is made of.
struct Master<'a> {
    s: &'a AxiStream,
    memory: &'a AxiMemory,
    shape: WalkShape,
}

impl Master<'_> {
    fn port(&self, signal: &str) -> String {
        format!("{}_{signal}", self.s.name)
    }

    fn named(&self, what: &str) -> String {
        format!("{}_{what}", self.s.stream)
    }

    /// What every master has: clock, walk, parameters.
    fn walk(&self, i: InstanceBuilder, resets: &Resets, start: &Expr, fields: &Fields) -> InstanceBuilder {
        let WalkShape { word, burst, count, pass } = self.shape;
        let i =
            resets.core(i).param("WORD_W", word).param("BURST_W", burst).param("COUNT_W", count).param("PASS_W", pass);
        let [low, high] = [false, true].map(|upper| fields.written(&half(&self.s.stream, upper)));
        let zeros = i64::from(self.memory.beat_words.trailing_zeros());
        let beats = fields.written(&beats(&self.s.stream));
        let words = if zeros > 0 { concat(&[beats, &lit(0, uint(zeros))]) } else { beats.clone() };
        i.input("start_i", &(start & beats.any())).input("address_i", &concat(&[high, low])).input("words_i", &words)
    }

    /// The outputs of an address channel that never change.
    fn constants(&self, top: &Top, channel: &str) {
        let drive = |signal: &str, value: i64, bits: i64| {
            top.output(&self.port(&format!("{channel}{signal}"))).drive(lit(value, uint(bits)));
        };
        drive("id", 0, 1);
        drive("size", self.shape.word, 3);
        drive("burst", 1, 2);
        drive("cache", 3, 4);
        drive("prot", 0, 3);
    }

    fn words(&self) -> i64 {
        self.memory.beat_words as i64
    }

    fn word_bits(&self) -> i64 {
        8 * self.memory.word_bytes as i64
    }

    /// From memory to the core.
    fn reads(&self, top: &Top, ends: Ends, start: &Expr, resets: &Resets, fields: &Fields) -> (Watched, Expr) {
        let (m, s) = (&top.m, self.s);
        self.constants(top, "ar");
        m.allow(&top.input(&self.port("rid")), "UNUSEDSIGNAL", "there is one identifier");
        let unit = read_master(&self.shape, read_master::DEPTH);
        let i = m.instance(&format!("u_{}", s.stream), &unit).param("DEPTH", read_master::DEPTH);
        let once = lit(1, uint(1));
        let repeated = self.shape.pass > 1;
        let passes = if repeated { fields.written(&passes(&s.stream)) } else { &once };
        let i = self.walk(i, resets, start, fields).input("passes_i", passes);
        let i = i.input("arready_i", &top.input(&self.port("arready")));
        let i = ["rvalid", "rlast", "rdata", "rresp"]
            .iter()
            .fold(i, |i, signal| i.input(&format!("{signal}_i"), &top.input(&self.port(signal))));
        let i = ["arvalid", "araddr", "arlen", "rready"]
            .iter()
            .fold(i, |i, signal| i.output(&format!("{signal}_o"), top.output(&self.port(signal))));
        let i = i.output("error_o", fields.read(&format!("{}_set_i", error(&s.stream))));

        let beat = top.wire(&self.named("beat"), self.word_bits() * self.words());
        let last = ends.last.clone().unwrap_or_else(|| top.wire(&self.named("last"), 1));
        if self.words() == 1 {
            offer(i, &ends.valid, &ends.ready, &beat, &last).done();
        } else {
            self.widen(top, resets, i, &ends, (&beat, &last));
        }
        if s.beat_bits < self.word_bits() as u64 * self.memory.beat_words {
            m.allow(&beat, "UNUSEDSIGNAL", "padded to a power of two of bytes");
        }
        ends.data.drive(beat.slice(0, s.beat_bits as i64));
        let none = !fields.written(&beats(&s.stream)).any();
        let done = m.wire(&self.named("done"), &((&ends.watched.moves & &*last) | none));
        (ends.watched, done)
    }

    /// Several words make a beat.
    fn widen(&self, top: &Top, resets: &Resets, master: InstanceBuilder, ends: &Ends, (beat, last): (&Wire, &Wire)) {
        let wire = |what: &str, bits: i64| top.wire(&self.named(what), bits);
        let (valid, ready) = (wire("word_valid", 1), wire("word_ready", 1));
        let (word, word_last) = (wire("word", self.word_bits()), wire("word_last", 1));
        offer(master, &valid, &ready, &word, &word_last).done();
        let unit = widen_converter(self.word_bits(), self.words());
        let i = top.m.instance(&format!("u_{}_widen", self.s.stream), &unit);
        let i = resets.core(i).param("WIDTH", self.word_bits()).param("RATIO", self.words());
        let i = i.input("s_valid_i", &valid).output("s_ready_o", &ready).input("s_data_i", &word);
        offer(i.input("s_last_i", &word_last), &ends.valid, &ends.ready, beat, last).done();
    }

    /// From the core to memory.
    fn writes(&self, top: &Top, ends: Ends, start: &Expr, resets: &Resets, fields: &Fields) -> (Watched, Expr) {
        let (m, s) = (&top.m, self.s);
        self.constants(top, "aw");
        m.allow(&top.input(&self.port("bid")), "UNUSEDSIGNAL", "there is one identifier");
        if let Some(last) = &ends.last {
            m.allow(last, "UNUSEDSIGNAL", "the number of beats says where a job ends");
        }
        let beat = m.wire(&self.named("beat"), &padded(&ends.data, self.memory.beat_bytes() * 8));
        let unit = write_master(&self.shape, write_master::DEPTH);
        let i = m.instance(&format!("u_{}", s.stream), &unit).param("DEPTH", write_master::DEPTH);
        let i = self.walk(i, resets, start, fields);
        let i = ["awready", "wready", "bvalid", "bresp"]
            .iter()
            .fold(i, |i, signal| i.input(&format!("{signal}_i"), &top.input(&self.port(signal))));
        let i = ["awvalid", "awaddr", "awlen", "wvalid", "wdata", "wlast"]
            .iter()
            .fold(i, |i, signal| i.output(&format!("{signal}_o"), top.output(&self.port(signal))));
        top.output(&self.port("wstrb")).drive(lit(1, uint(1)).repeat(self.memory.word_bytes as i64));
        top.output(&self.port("bready")).drive(lit(1, uint(1)));
        let done = top.wire(&self.named("done"), 1);
        let i = i.output("error_o", fields.read(&format!("{}_set_i", error(&s.stream)))).output("idle_o", &done);
        if self.words() == 1 {
            i.input("s_valid_i", &ends.valid).output("s_ready_o", &ends.ready).input("s_data_i", &beat).done();
        } else {
            self.narrow(top, resets, i, &ends, &beat);
        }
        (ends.watched, (*done).clone())
    }

    /// A beat makes several words.
    fn narrow(&self, top: &Top, resets: &Resets, master: InstanceBuilder, ends: &Ends, beat: &Expr) {
        let wire = |what: &str, bits: i64| top.wire(&self.named(what), bits);
        let (valid, ready, word) = (wire("word_valid", 1), wire("word_ready", 1), wire("word", self.word_bits()));
        master.input("s_valid_i", &valid).output("s_ready_o", &ready).input("s_data_i", &word).done();
        let unit = narrow_converter(self.word_bits(), self.words());
        let i = top.m.instance(&format!("u_{}_narrow", self.s.stream), &unit);
        let i = resets.core(i).param("WIDTH", self.word_bits()).param("RATIO", self.words());
        let i = i.input("s_valid_i", &ends.valid).output("s_ready_o", &ends.ready).input("s_data_i", beat);
        i.output("m_valid_o", &valid).input("m_ready_i", &ready).output("m_data_o", &word).done();
    }
}

/// Connects what a part offers.
fn offer(i: InstanceBuilder, valid: &Wire, ready: &Expr, data: &Wire, last: &Wire) -> InstanceBuilder {
    i.output("m_valid_o", valid).input("m_ready_i", ready).output("m_data_o", data).output("m_last_o", last)
}
