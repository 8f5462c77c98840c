//! The hardware of `wrap = "axi"`: a top without state of its own around the core, its registers and its streams.
//!
//! Every stream passes a stream register, so that what AXI asks of an offered beat holds whatever the core does, and no path
//! runs through the core from one port to another.

use std::collections::BTreeMap;
use std::rc::Rc;

use bitlathe_hdl::{Checked, Dim, Errors, Expr, InstanceBuilder, Module, Unit, Wire, bit, check, concat, lit, uint};
use bitlathe_spec::axi::{ADDRESS_BITS, AxiInterface, AxiLast, AxiStream, CONTROL, WRAPPER_OFFSET};
use bitlathe_spec::{Access, Dir, Family, Field, Interface, Register};

use super::control::{job_counters, job_counters_cost, packet_last, packet_last_cost};
use super::registers::{LENGTH_BITS, RESET, stalls};
use crate::parts::axi_lite::{self, axi_lite};
use crate::parts::register_file::{register_file, register_file_cost};
use crate::parts::stream_register::{self, stream_register};
use crate::{Cost, PartCost};

/// The core behind AXI.
pub fn design(core: &Checked, interface: &Interface, axi: &AxiInterface) -> Result<Checked, Errors> {
    check(&Top::new(core, interface, axi).build())
}

/// Cost of what stands around the core.
pub fn cost(axi: &AxiInterface, family: Family) -> Vec<PartCost> {
    let part = |part: &str, count: usize, cost: Cost| PartCost { part: part.into(), count: count as u64, cost };
    let mut registers = Cost::default();
    axi.streams.iter().for_each(|s| registers += stream_register::cost(beat_width(s), family));
    let counted = axi.streams.iter().filter(|s| matches!(s.last, AxiLast::Counted(_))).count();
    let parts = [
        part("axi_lite", 1, axi_lite::cost(ADDRESS_BITS.into(), family)),
        part("wrapper registers", 1, register_file_cost(family, axi.wrapper_registers())),
        part("stream_register", axi.streams.len(), registers),
        part("job_counters", 1, job_counters_cost(axi.streams.len())),
        part("packet_last", counted, packet_last_cost(LENGTH_BITS) * counted as f64),
    ];
    parts.into_iter().filter(|p| p.count > 0).collect()
}

/// Bits of a beat in a stream register: `tlast` above the data, where it means anything.
fn beat_width(stream: &AxiStream) -> i64 {
    stream.beat_bits as i64 + i64::from(stream.last != AxiLast::Ignored)
}

/// The top under construction.
struct Top<'a> {
    core: &'a Checked,
    interface: &'a Interface,
    axi: &'a AxiInterface,
    m: Module,
    inputs: BTreeMap<String, Expr>,
    outputs: BTreeMap<String, Wire>,
    /// Connections of the core.
    core_inputs: Vec<(String, Expr)>,
    core_outputs: Vec<(String, Wire)>,
}

/// Clock and resets.
struct Resets {
    clk: Expr,
    /// Of what keeps the rules of AXI: ports alone.
    ports: Expr,
    /// Of the core and what leads to it.
    core: Expr,
}

impl Resets {
    fn ports(&self, i: InstanceBuilder) -> InstanceBuilder {
        i.input("clk_i", &self.clk).input("rst_i", &self.ports)
    }

    fn core(&self, i: InstanceBuilder) -> InstanceBuilder {
        i.input("clk_i", &self.clk).input("rst_i", &self.core)
    }
}

/// The wrapper's registers: what software writes, and what it reads.
struct Fields {
    written: BTreeMap<String, Expr>,
    read: BTreeMap<String, Wire>,
}

/// A stream at the core, as the counters see it.
struct Watched {
    stream: AxiStream,
    moves: Expr,
    stalled: Expr,
}

impl<'a> Top<'a> {
    fn new(core: &'a Checked, interface: &'a Interface, axi: &'a AxiInterface) -> Self {
        let m = Module::new(&axi.top);
        let (inputs, outputs) = (BTreeMap::new(), BTreeMap::new());
        Self { core, interface, axi, m, inputs, outputs, core_inputs: vec![], core_outputs: vec![] }
    }

    fn build(mut self) -> Rc<Unit> {
        let top = &self.interface.top;
        self.m.doc(&format!(
            "`{top}` behind AXI4-Stream and AXI4-Lite. Its own registers come first, those of the wrapper at 0x{WRAPPER_OFFSET:x}."
        ));
        let implementation = self.core.top_manifest().params.into_iter().find(|p| p.name == "IMPL");
        let implementation = implementation.map(|p| self.m.param("IMPL", p.value, p.min..=p.max, &p.doc));
        self.ports();
        self.m.comment("Resets");
        let ports = self.m.wire("port_reset", &!self.input("aresetn"));
        let soft = self.wire("reset", 1);
        let core = self.m.wire("core_reset", &(&ports | &*soft));
        let resets = Resets { clk: self.input("aclk"), ports, core };
        let fields = self.registers(&resets, soft);
        let streams = self.axi.streams.iter();
        let watched: Vec<Watched> = streams.map(|s| self.stream(s, &resets, &fields)).collect();
        self.instantiate(&resets, implementation.as_ref());
        self.control(&resets, &fields, &watched);
        self.m.finish()
    }

    /// The ports of the AXI interface with their attributes.
    fn ports(&mut self) {
        let m = &self.m;
        for p in self.axi.ports() {
            let ty = uint(p.width as i64);
            let port = match p.dir {
                Dir::In => {
                    let port = m.input(&p.name, ty);
                    self.inputs.insert(p.name.clone(), port.clone());
                    port
                }
                Dir::Out => {
                    let port = m.output_wire(&p.name, ty);
                    self.outputs.insert(p.name.clone(), port.clone());
                    (*port).clone()
                }
            };
            m.attribute(&port, "X_INTERFACE_INFO", &p.info);
            p.parameter.iter().for_each(|text| m.attribute(&port, "X_INTERFACE_PARAMETER", text));
        }
        for name in ["awprot", "arprot"] {
            m.allow(&self.input(&format!("{CONTROL}_{name}")), "UNUSEDSIGNAL", "every access is allowed");
        }
    }

    /// An input port by its name.
    fn input(&self, name: &str) -> Expr {
        self.inputs.get(name).unwrap_or_else(|| unreachable!("the interface has the input {name}")).clone()
    }

    /// An output port by its name.
    fn output(&self, name: &str) -> &Wire {
        self.outputs.get(name).unwrap_or_else(|| unreachable!("the interface has the output {name}"))
    }

    fn wire(&self, name: &str, width: i64) -> Wire {
        self.m.wire_later(name, uint(width))
    }

    /// AXI4-Lite and both register files; drives what holds the core in reset.
    fn registers(&mut self, resets: &Resets, soft: Wire) -> Fields {
        let m = self.m.clone();
        m.comment("Registers");
        let bits = i64::from(ADDRESS_BITS);
        let (addr, write) = (self.wire("addr", bits), self.wire("write", 1));
        let (wdata, rdata, keep) = (self.wire("wdata", 32), self.wire("rdata", 32), self.wire("keep", 32));
        let hole = self.wire("hole", 1);
        let unit = axi_lite(bits);
        let mut i = resets.ports(m.instance("u_axi_lite", &unit).param("ADDR_W", bits));
        for port in self.axi.ports() {
            let Some(signal) = port.name.strip_prefix(CONTROL).and_then(|n| n.strip_prefix('_')) else { continue };
            i = match port.dir {
                Dir::In if !unit.has_port(&format!("{signal}_i")) => i,
                Dir::In => i.input(&format!("{signal}_i"), &self.input(&port.name)),
                Dir::Out => i.output(&format!("{signal}_o"), self.output(&port.name)),
            };
        }
        i.output("addr_o", &addr)
            .output("write_o", &write)
            .output("wdata_o", &wdata)
            .input("rdata_i", &rdata)
            .input("keep_i", &keep)
            .input("error_i", &hole)
            .done();

        let word = m.wire("word", &addr.slice(2, bits - 2));
        let at_core = m.wire("at_core", &addressed(&word, self.axi.core_registers()));
        hole.drive(!(&at_core | &addressed(&word, self.axi.wrapper_registers())));
        let lost: Vec<Expr> = self.axi.registers.iter().filter_map(|r| transient(&word, r)).collect();
        keep.drive(!lost.into_iter().reduce(|a, b| a | b).unwrap_or_else(|| lit(0, uint(32))));

        let own_rdata = self.wire("wrapper_rdata", 32);
        if self.axi.core_registers().is_empty() {
            rdata.drive(&*own_rdata);
        } else {
            let core_rdata = self.wire("core_rdata", 32);
            let core_addr = addr.slice(0, i64::from(self.interface.address_bits()));
            let core_write = m.wire("core_write", &(&*write & &at_core));
            self.core_inputs.push(("reg_write_i".into(), core_write));
            self.core_inputs.push(("reg_addr_i".into(), core_addr));
            self.core_inputs.push(("reg_wdata_i".into(), (*wdata).clone()));
            self.core_outputs.push(("reg_rdata_o".into(), core_rdata.clone()));
            rdata.drive((at_core.repeat(32) & &*core_rdata) | &*own_rdata);
        }
        self.wrapper_registers(resets, soft, [&addr, &write, &wdata, &own_rdata])
    }

    /// The wrapper's register file.
    fn wrapper_registers(&self, resets: &Resets, soft: Wire, [addr, write, wdata, rdata]: [&Wire; 4]) -> Fields {
        let registers = self.axi.wrapper_registers();
        let unit = register_file(&format!("{}_registers", self.axi.top), ADDRESS_BITS, registers);
        let mut i = resets.ports(self.m.instance("u_registers", &unit));
        i = i.input("write_i", write).input("addr_i", addr).input("wdata_i", wdata).output("rdata_o", rdata);
        let mut fields = Fields { written: BTreeMap::new(), read: BTreeMap::new() };
        for f in registers.iter().flat_map(|r| &r.fields) {
            if unit.has_port(&format!("{}_o", f.name)) {
                let wire = if f.name == RESET { soft.clone() } else { self.wire(&f.name, i64::from(f.width)) };
                i = i.output(&format!("{}_o", f.name), &wire);
                fields.written.insert(f.name.clone(), (*wire).clone());
            }
            for port in [format!("{}_i", f.name), format!("{}_done_i", f.name)] {
                if unit.has_port(&port) {
                    let wire = self.wire(&format!("{}_now", port.trim_end_matches("_i")), i64::from(f.width));
                    i = i.input(&port, &wire);
                    fields.read.insert(port, wire);
                }
            }
        }
        i.done();
        fields
    }

    fn stream(&mut self, stream: &AxiStream, resets: &Resets, fields: &Fields) -> Watched {
        self.m.comment(&format!("Stream {}", stream.stream));
        match stream.dir {
            Dir::In => self.input_stream(stream, resets),
            Dir::Out => self.output_stream(stream, resets, fields),
        }
    }

    /// The stream register of a stream, without its clock: `offer` is valid and beat in front of it, `taken` valid, ready and
    /// beat behind it.
    fn stream_register(
        &self,
        s: &AxiStream,
        offer: [&Expr; 2],
        room: &Wire,
        taken: (&Wire, &Expr, &Wire),
    ) -> InstanceBuilder {
        let width = beat_width(s);
        let i = self.m.instance(&format!("u_{}", s.stream), &stream_register(width)).param("WIDTH", width);
        let i = i.input("s_valid_i", offer[0]).output("s_ready_o", room).input("s_data_i", offer[1]);
        i.output("m_valid_o", taken.0).input("m_ready_i", taken.1).output("m_data_o", taken.2)
    }

    /// From the port to the core; while software holds it in reset, beats are taken and dropped.
    fn input_stream(&mut self, s: &AxiStream, resets: &Resets) -> Watched {
        let (m, name, bits) = (self.m.clone(), s.stream.as_str(), s.beat_bits as i64);
        let port = |signal: &str| format!("{}_{signal}", s.name);
        let named = |what: &str| format!("{name}_{what}");
        let (data, last) = (self.input(&port("tdata")), self.input(&port("tlast")));
        m.allow(&self.input(&port("tkeep")), "UNUSEDSIGNAL", "every beat is whole");
        if s.data_bits() > s.beat_bits {
            m.allow(&data, "UNUSEDSIGNAL", "padded to whole bytes");
        }
        let packed = match s.last {
            AxiLast::Core => concat(&[&last, &data.slice(0, bits)]),
            _ => {
                m.allow(&last, "UNUSEDSIGNAL", "the core counts beats");
                data.slice(0, bits)
            }
        };
        let (valid, ready) = (self.wire(&named("valid"), 1), self.wire(&named("ready"), 1));
        let beat = self.wire(&named("beat"), beat_width(s));
        let offer = [&self.input(&port("tvalid")), &packed];
        let room = self.output(&port("tready"));
        resets.core(self.stream_register(s, offer, room, (&valid, &ready, &beat))).done();
        self.core_inputs.push((named("valid_i"), (*valid).clone()));
        self.core_outputs.push((named("ready_o"), ready.clone()));
        self.core_inputs.push((named("data_i"), beat.slice(0, bits)));
        if s.last == AxiLast::Core {
            self.core_inputs.push((named("last_i"), beat.bit(bits)));
        }
        Watched { stream: s.clone(), moves: m.wire(&named("moves"), &(&*valid & &*ready)), stalled: &*valid & !&*ready }
    }

    /// From the core to the port, which keeps what it offers while software holds the core in reset.
    fn output_stream(&mut self, s: &AxiStream, resets: &Resets, fields: &Fields) -> Watched {
        let (m, name, bits) = (self.m.clone(), s.stream.as_str(), s.beat_bits as i64);
        let port = |signal: &str| format!("{}_{signal}", s.name);
        let named = |what: &str| format!("{name}_{what}");
        let (valid, ready) = (self.wire(&named("valid"), 1), self.wire(&named("ready"), 1));
        let (data, last) = (self.wire(&named("data"), bits), self.wire(&named("last"), 1));
        self.core_outputs.push((named("valid_o"), valid.clone()));
        self.core_inputs.push((named("ready_i"), (*ready).clone()));
        self.core_outputs.push((named("data_o"), data.clone()));
        let moves = m.wire(&named("moves"), &(&*valid & &*ready));
        match &s.last {
            AxiLast::Counted(field) => {
                let beats = fields.written.get(field).unwrap_or_else(|| unreachable!("{field} is written"));
                let width = beats.width().clone();
                let i = m.instance(&named("u_last"), &packet_last(width.value())).param("COUNT_W", width);
                resets.core(i).input("beats_i", beats).input("moves_i", &moves).output("last_o", &last).done();
            }
            _ => self.core_outputs.push((named("last_o"), last.clone())),
        }
        let beat = self.wire(&named("beat"), bits + 1);
        let packed = concat(&[&*last, &*data]);
        let taken = (self.output(&port("tvalid")), &self.input(&port("tready")), &beat);
        resets.ports(self.stream_register(s, [&*valid, &packed], &ready, taken)).done();
        let pad = s.data_bits() as i64 - bits;
        let low = beat.slice(0, bits);
        let padded = if pad > 0 { concat(&[&lit(0, uint(pad)), &low]) } else { low };
        self.output(&port("tdata")).drive(&padded);
        self.output(&port("tlast")).drive(beat.bit(bits));
        self.output(&port("tkeep")).drive(lit(1, bit()).repeat(s.bytes() as i64));
        Watched { stream: s.clone(), moves, stalled: &*valid & !&*ready }
    }

    fn instantiate(&self, resets: &Resets, implementation: Option<&Dim>) {
        self.m.comment("The core");
        let mut i = self.m.instance("u_core", self.core.unit());
        if let Some(implementation) = implementation {
            i = i.param("IMPL", implementation);
        }
        i = resets.core(i);
        for (port, value) in &self.core_inputs {
            i = i.input(port, value);
        }
        for (port, wire) in &self.core_outputs {
            i = i.output(port, wire);
        }
        i.done();
    }

    /// Counters, and what else software reads.
    fn control(&self, resets: &Resets, fields: &Fields, watched: &[Watched]) {
        let m = &self.m;
        let written = |name: &str| fields.written.get(name).unwrap_or_else(|| unreachable!("{name} is written"));
        let read = |name: &str| fields.read.get(name).unwrap_or_else(|| unreachable!("{name} is read"));
        let of = |dir: Dir| watched.iter().filter(move |w| w.stream.dir == dir);
        let any = |list: Vec<Expr>| list.into_iter().reduce(|a, b| a | b).unwrap_or_else(|| lit(0, bit()));

        m.comment("Counters");
        let offers = of(Dir::Out).map(|w| (**self.output(&format!("{}_tvalid", w.stream.name))).clone()).collect();
        read("output_offered_i").drive(any(offers));
        let enters = m.wire("enters", &any(of(Dir::In).map(|w| w.moves.clone()).collect()));
        let leaves = m.wire("leaves", &any(of(Dir::Out).map(|w| w.moves.clone()).collect()));
        let stalled: Vec<&Expr> = watched.iter().rev().map(|w| &w.stalled).collect();
        let counts = self.wire("stall_counts", 32 * watched.len() as i64);
        let unit = job_counters(watched.len() as i64);
        let i = resets.core(m.instance("u_counters", &unit).param("STREAMS", watched.len() as i64));
        i.input("clear_i", written("clear_counters"))
            .input("enters_i", &enters)
            .input("leaves_i", &leaves)
            .input("stalled_i", &concat(&stalled))
            .output("cycles_o", read("cycles_i"))
            .output("stalls_o", &counts)
            .done();
        for (n, w) in (0..).zip(watched) {
            read(&format!("{}_i", stalls(&w.stream.stream))).drive(counts.slice(32 * n, 32));
        }
        read("clear_counters_done_i").drive(1);
    }
}

/// Whether the word is one of these registers; they are compared run by run of neighbours.
fn addressed(word: &Expr, registers: &[Register]) -> Expr {
    let mut words: Vec<i64> = registers.iter().map(|r| i64::from(r.offset / 4)).collect();
    words.sort_unstable();
    let inside = |run: &[i64]| match run {
        [one] => word.eq_to(*one),
        [0, .., last] => word.le(*last),
        [first, .., last] => word.ge(*first) & word.le(*last),
        [] => lit(0, bit()),
    };
    let runs = words.chunk_by(|a, b| a + 1 == *b).map(inside);
    runs.reduce(|a, b| a | b).unwrap_or_else(|| lit(0, bit()))
}

/// The bits of a register, when it is addressed, that a write must not write as they read: a one acts.
fn transient(word: &Expr, register: &Register) -> Option<Expr> {
    let acts = |f: &&Field| matches!(f.access, Access::WriteOneToClear | Access::Trigger);
    let bits = register.fields.iter().filter(acts).fold(0u64, |bits, f| bits | (((1 << f.width) - 1) << f.lsb));
    let here = word.eq_to(i64::from(register.offset / 4));
    (bits != 0).then(|| here.repeat(32) & lit(bits as i64, uint(32)))
}
