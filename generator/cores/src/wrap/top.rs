//! What wrapped tops have in common: ports, resets, registers behind AXI4-Lite, the core, counters.

use std::collections::BTreeMap;

use bitlathe_hdl::{Checked, Dim, Expr, InstanceBuilder, Module, Wire, bit, concat, lit, uint};
use bitlathe_spec::axi::{ADDRESS_BITS, AxiInterface, AxiStream, CONTROL};
use bitlathe_spec::{Access, Dir, Field, Interface, Register};

use super::control::job_counters;
use super::registers::{CYCLES, stalls};
use crate::parts::axi_lite::axi_lite;
use crate::parts::register_file::register_file;

/// The top under construction.
pub struct Top<'a> {
    pub core: &'a Checked,
    pub interface: &'a Interface,
    pub axi: &'a AxiInterface,
    pub m: Module,
    /// `IMPL`, where the core takes it.
    implementation: Option<Dim>,
    inputs: BTreeMap<String, Expr>,
    outputs: BTreeMap<String, Wire>,
    /// Connections of the core.
    core_inputs: Vec<(String, Expr)>,
    core_outputs: Vec<(String, Wire)>,
}

/// Clock and resets.
pub struct Resets {
    pub clk: Expr,
    /// Of what keeps the rules of AXI: ports alone.
    pub ports: Expr,
    /// Of the core and what leads to it.
    pub core: Expr,
}

impl Resets {
    pub fn ports(&self, i: InstanceBuilder) -> InstanceBuilder {
        i.input("clk_i", &self.clk).input("rst_i", &self.ports)
    }

    pub fn core(&self, i: InstanceBuilder) -> InstanceBuilder {
        i.input("clk_i", &self.clk).input("rst_i", &self.core)
    }
}

/// The register port that software comes through.
pub struct RegisterPort {
    pub addr: Wire,
    pub read: Wire,
    pub write: Wire,
    pub wdata: Wire,
    rdata: Wire,
    keep: Wire,
    hole: Wire,
}

/// A register file of the wrapper: what software writes, and what it reads.
pub struct Fields {
    written: BTreeMap<String, Expr>,
    read: BTreeMap<String, Wire>,
    /// The addressed word, zero where it is another's.
    pub rdata: Expr,
}

impl Fields {
    /// The value that software gave a field.
    pub fn written(&self, name: &str) -> &Expr {
        self.written.get(name).unwrap_or_else(|| unreachable!("{name} is written"))
    }

    /// What drives a port of the register file.
    pub fn read(&self, port: &str) -> &Wire {
        self.read.get(port).unwrap_or_else(|| unreachable!("{port} is read"))
    }
}

/// A stream at the core, as the counters see it.
pub struct Watched {
    pub stream: AxiStream,
    pub moves: Expr,
    pub stalled: Expr,
}

/// A stream's ports at the core.
pub struct Ends {
    pub valid: Wire,
    pub ready: Wire,
    pub data: Wire,
    /// Where the core has it.
    pub last: Option<Wire>,
    pub watched: Watched,
}

impl<'a> Top<'a> {
    /// A module with the ports of the AXI interface and their attributes.
    pub fn new(core: &'a Checked, interface: &'a Interface, axi: &'a AxiInterface, doc: &str) -> Self {
        let m = Module::new(&axi.top);
        m.doc(doc);
        let parameter = core.top_manifest().params.into_iter().find(|p| p.name == "IMPL");
        let implementation = parameter.map(|p| m.param("IMPL", p.value, p.min..=p.max, &p.doc));
        let (inputs, outputs) = (BTreeMap::new(), BTreeMap::new());
        let (core_inputs, core_outputs) = (vec![], vec![]);
        let mut top = Self { core, interface, axi, m, implementation, inputs, outputs, core_inputs, core_outputs };
        top.ports();
        top
    }

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
    pub fn input(&self, name: &str) -> Expr {
        self.inputs.get(name).unwrap_or_else(|| unreachable!("the interface has the input {name}")).clone()
    }

    /// An output port by its name.
    pub fn output(&self, name: &str) -> &Wire {
        self.outputs.get(name).unwrap_or_else(|| unreachable!("the interface has the output {name}"))
    }

    pub fn wire(&self, name: &str, width: i64) -> Wire {
        self.m.wire_later(name, uint(width))
    }

    /// AXI4-Lite down to the register port.
    pub fn axi_lite(&self, resets: &Resets) -> RegisterPort {
        let m = &self.m;
        m.comment("Registers");
        let bits = i64::from(ADDRESS_BITS);
        let port = RegisterPort {
            addr: self.wire("addr", bits),
            read: self.wire("read", 1),
            write: self.wire("write", 1),
            wdata: self.wire("wdata", 32),
            rdata: self.wire("rdata", 32),
            keep: self.wire("keep", 32),
            hole: self.wire("hole", 1),
        };
        let unit = axi_lite(bits);
        let mut i = resets.ports(m.instance("u_axi_lite", &unit).param("ADDR_W", bits));
        for p in self.axi.ports() {
            let Some(signal) = p.name.strip_prefix(CONTROL).and_then(|n| n.strip_prefix('_')) else { continue };
            i = match p.dir {
                Dir::In if !unit.has_port(&format!("{signal}_i")) => i,
                Dir::In => i.input(&format!("{signal}_i"), &self.input(&p.name)),
                Dir::Out => i.output(&format!("{signal}_o"), self.output(&p.name)),
            };
        }
        i.output("addr_o", &port.addr)
            .output("read_o", &port.read)
            .output("write_o", &port.write)
            .output("wdata_o", &port.wdata)
            .input("rdata_i", &port.rdata)
            .input("keep_i", &port.keep)
            .input("error_i", &port.hole)
            .done();
        port
    }

    /// The registers of the core, and what every access gives: `others` are the addressed words of the wrapper.
    pub fn answer(&mut self, port: &RegisterPort, others: &[Expr]) {
        let (m, axi) = (self.m.clone(), self.axi);
        let word = m.wire("word", &port.addr.slice(2, i64::from(ADDRESS_BITS) - 2));
        let at_core = m.wire("at_core", &addressed(&word, axi.core_registers()));
        let mut known = &at_core | &addressed(&word, &axi.wrapper_registers());
        if axi.reserved_below > 0 {
            known = known | word.lt(i64::from(axi.reserved_below / 4));
        }
        port.hole.drive(!known);
        let lost = axi.registers.iter().filter_map(|r| transient(&word, r)).reduce(|a, b| a | b);
        port.keep.drive(!lost.unwrap_or_else(|| lit(0, uint(32))));
        let mut words = others.to_vec();
        if !axi.core_registers().is_empty() {
            let rdata = self.wire("core_rdata", 32);
            let addr = port.addr.slice(0, i64::from(self.interface.address_bits()));
            self.core_inputs.push(("reg_write_i".into(), m.wire("core_write", &(&*port.write & &at_core))));
            self.core_inputs.push(("reg_addr_i".into(), addr));
            self.core_inputs.push(("reg_wdata_i".into(), (*port.wdata).clone()));
            self.core_outputs.push(("reg_rdata_o".into(), rdata.clone()));
            words.push(at_core.repeat(32) & &*rdata);
        }
        port.rdata.drive(words.into_iter().reduce(|a, b| a | b).unwrap_or_else(|| lit(0, uint(32))));
    }

    /// A register file of the wrapper; `known` are the wires of fields that are there already.
    pub fn register_file(
        &self,
        resets: &Resets,
        port: &RegisterPort,
        registers: &[Register],
        known: &[(&str, &Wire)],
    ) -> Fields {
        let unit = register_file(&format!("{}_registers", self.axi.top), ADDRESS_BITS, registers);
        let rdata = self.wire("wrapper_rdata", 32);
        let mut i = resets.ports(self.m.instance("u_registers", &unit));
        i = i.input("write_i", &port.write).input("addr_i", &port.addr).input("wdata_i", &port.wdata);
        i = i.output("rdata_o", &rdata);
        let mut fields = Fields { written: BTreeMap::new(), read: BTreeMap::new(), rdata: (*rdata).clone() };
        for f in registers.iter().flat_map(|r| &r.fields) {
            if unit.has_port(&format!("{}_o", f.name)) {
                let there = known.iter().find(|(name, _)| *name == f.name).map(|(_, wire)| (*wire).clone());
                let wire = there.unwrap_or_else(|| self.wire(&f.name, i64::from(f.width)));
                i = i.output(&format!("{}_o", f.name), &wire);
                fields.written.insert(f.name.clone(), (*wire).clone());
            }
            for port in ["i", "done_i", "set_i"].map(|end| format!("{}_{end}", f.name)) {
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

    /// Wires at the core's side of a stream, connected to the core. Inputs with `last` drive it.
    pub fn ends(&mut self, s: &AxiStream) -> Ends {
        let named = |what: &str| format!("{}_{what}", s.stream);
        let wire = |what: &str, width: i64| self.wire(&named(what), width);
        let has_last = self.interface.stream(&s.stream).is_some_and(|s| s.last);
        let (valid, ready, data) = (wire("valid", 1), wire("ready", 1), wire("data", s.beat_bits as i64));
        let last = has_last.then(|| wire("last", 1));
        let ends = [("valid", Some(&valid), s.dir), ("data", Some(&data), s.dir), ("last", last.as_ref(), s.dir)];
        let back = if s.dir == Dir::In { Dir::Out } else { Dir::In };
        for (what, wire, dir) in ends.into_iter().chain([("ready", Some(&ready), back)]) {
            let Some(wire) = wire else { continue };
            match dir {
                Dir::In => self.core_inputs.push((named(&format!("{what}_i")), (**wire).clone())),
                Dir::Out => self.core_outputs.push((named(&format!("{what}_o")), wire.clone())),
            }
        }
        let moves = self.m.wire(&named("moves"), &(&*valid & &*ready));
        let watched = Watched { stream: s.clone(), moves, stalled: &*valid & !&*ready };
        Ends { valid, ready, data, last, watched }
    }

    pub fn instantiate(&self, resets: &Resets) {
        self.m.comment("The core");
        let mut i = self.m.instance("u_core", self.core.unit());
        if let Some(implementation) = &self.implementation {
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

    /// Cycles of a job, and stalls of each stream.
    pub fn counters(&self, resets: &Resets, clear: &Expr, fields: &Fields, watched: &[Watched]) {
        let m = &self.m;
        let of = |dir: Dir| watched.iter().filter(move |w| w.stream.dir == dir).map(|w| w.moves.clone());
        m.comment("Counters");
        let enters = m.wire("enters", &any(of(Dir::In)));
        let leaves = m.wire("leaves", &any(of(Dir::Out)));
        let stalled: Vec<&Expr> = watched.iter().rev().map(|w| &w.stalled).collect();
        let counts = self.wire("stall_counts", 32 * watched.len() as i64);
        let unit = job_counters(watched.len() as i64);
        let i = resets.core(m.instance("u_counters", &unit).param("STREAMS", watched.len() as i64));
        i.input("clear_i", clear)
            .input("enters_i", &enters)
            .input("leaves_i", &leaves)
            .input("stalled_i", &concat(&stalled))
            .output("cycles_o", fields.read(&format!("{CYCLES}_i")))
            .output("stalls_o", &counts)
            .done();
        for (n, w) in (0..).zip(watched) {
            fields.read(&format!("{}_i", stalls(&w.stream.stream))).drive(counts.slice(32 * n, 32));
        }
    }
}

/// A value with zeros above it.
pub fn padded(value: &Expr, bits: u64) -> Expr {
    let pad = bits as i64 - value.width().value();
    if pad > 0 { concat(&[&lit(0, uint(pad)), value]) } else { value.clone() }
}

/// Whether one of them is set.
pub fn any(bits: impl Iterator<Item = Expr>) -> Expr {
    bits.reduce(|a, b| a | b).unwrap_or_else(|| lit(0, bit()))
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
