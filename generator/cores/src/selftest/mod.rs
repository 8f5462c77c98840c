//! A self-test around any core, made from its interface: a job from memory, a signature of each output, a line of text.
//!
//! One test runs the job twice: at full speed, which counts its cycles, and with sources that pause and sinks that refuse, each
//! for a cycle now and then and for a long stretch. The signature of an
//! output is the CRC-32 of its beats in both runs, one after the other, so a beat too much, too little or out of order shows like a wrong
//! one. A run that does not end in time is given up, and the text names the streams that still wait. The flow chooses the job and knows from
//! the model what must come out; nothing here computes it.

mod control;
mod report;
mod streams;

use std::rc::Rc;

use bitlathe_hdl::{
    Checked, Clock, Dim, Errors, Expr, InstanceBuilder, Module, Unit, Wire, bit, check, concat, lit, uint,
};
use bitlathe_spec::{Dir, Family, Interface, Stream};

use crate::parts::crc32::{self, crc32};
use crate::parts::lfsr::{lfsr_cost, lfsr16};
use crate::parts::uart::{self, uart_transmitter};
use crate::wrap::control::{job_counters, job_counters_cost};
use crate::{Cost, PartCost};

pub use report::{Line, Verdict};
pub use streams::{Pass, WORD, memory};

/// Bits of the counter that bounds a run and makes the pause.
const TIME_BITS: i64 = 28;
/// The longest run and the longest pause.
pub const TIME_MAX: u64 = (1 << TIME_BITS) - 1;

/// A word of a register, and which of its bits count.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct RegisterWord {
    pub offset: u32,
    pub mask: u32,
    pub value: u32,
}

/// What crosses one stream in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Beats that go in: those of one pass, repeated up to so many.
    In {
        /// What memory holds.
        pass: Pass,
        /// Of a run.
        beats: u64,
    },
    /// Beats that come out.
    Out {
        /// Of a run.
        beats: u64,
        /// Ones in the lanes of a beat that carry elements, in words of 32 bits.
        mask: Vec<u32>,
        /// CRC-32 of two runs by the model.
        signature: u32,
    },
}

impl Traffic {
    fn beats(&self) -> u64 {
        match self {
            Self::In { beats, .. } | Self::Out { beats, .. } => *beats,
        }
    }
}

/// What a self-test does with its core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Written before each run.
    pub writes: Vec<RegisterWord>,
    /// Compared after each run.
    pub checks: Vec<RegisterWord>,
    /// Streams in the interface's order.
    pub traffic: Vec<Traffic>,
    /// Cycles after which a run is given up.
    pub patience: u64,
    /// Cycles between two tests.
    pub pause: u64,
    /// Cycles of a bit of the UART.
    pub divider: u64,
    /// What the text says.
    pub line: Line,
}

/// Cost of what stands around the core.
pub fn cost(interface: &Interface, plan: &Plan, family: Family) -> Vec<PartCost> {
    let part = |part: &str, cost: Cost| PartCost { part: part.into(), count: 1, cost };
    let mut stimulus = Cost::default();
    let mut signatures = Cost::default();
    for (stream, traffic) in interface.streams.iter().zip(&plan.traffic) {
        match traffic {
            Traffic::In { pass, .. } => stimulus += memory(pass.0.len() as u64, stream.layout.beat_bits(), family),
            Traffic::Out { .. } => signatures += crc32::cost(stream.layout.beat_bits() as i64),
        }
    }
    let mut control = control::cost(plan, interface.streams.len());
    control += lfsr_cost();
    control += job_counters_cost(1);
    let mut text = report::cost(&plan.line, family);
    text += uart::cost();
    vec![part("stimulus", stimulus), part("signatures", signatures), part("control", control), part("report", text)]
}

/// The core in its self-test: `<core>_selftest`.
pub fn design(core: &Checked, interface: &Interface, plan: &Plan) -> Result<Checked, Errors> {
    let m = Module::new(&top(interface));
    check(&Top { core, interface, plan, ck: m.clock(), m }.build())
}

/// Its name.
pub fn top(interface: &Interface) -> String {
    format!("{}_selftest", interface.top)
}

/// The top under construction.
struct Top<'a> {
    core: &'a Checked,
    interface: &'a Interface,
    plan: &'a Plan,
    m: Module,
    ck: Clock,
}

/// Where a test is, as its parts see it.
struct Phase {
    /// Everything begins again, the core in reset.
    clear: Expr,
    /// A run begins.
    begin: Expr,
    /// Sources may offer.
    run: Expr,
    /// Sinks may take.
    live: Expr,
    /// Nobody pauses.
    full: Expr,
    /// Counts stretches of a run.
    turn: Expr,
}

/// What a stream tells the rest.
struct Watched {
    dir: Dir,
    moves: Expr,
    /// All beats of the run have moved.
    ended: Expr,
    /// A `last` where there should be none, or none where there should be one.
    wrong: Option<Expr>,
    /// Signature and whether it is the right one.
    signature: Option<(Expr, Expr)>,
}

/// Connections of the core.
#[derive(Default)]
struct Connections {
    inputs: Vec<(String, Expr)>,
    outputs: Vec<(String, Wire)>,
}

impl Top<'_> {
    fn build(self) -> Rc<Unit> {
        let (m, ck) = (&self.m, &self.ck);
        let top = &self.interface.top;
        m.doc(&format!(
            "Self-test of `{top}`: a job from memory at full speed and with pauses, a CRC-32 of each output, a line of text."
        ));
        let implementation = self.core.top_manifest().params.into_iter().find(|p| p.name == "IMPL");
        let implementation = implementation.map(|p| m.param("IMPL", p.value, p.min..=p.max, &p.doc));
        let divider = m.param("DIVIDER", self.plan.divider as i64, 2..=65535, "clock cycles of a bit of the UART");
        let pause = m.param("PAUSE", self.plan.pause as i64, 1..=TIME_MAX as i64, "cycles between two tests");

        let control = control::Control::new(m, ck, self.plan, &pause);
        let phase = control.phase();
        let dice = self.dice(&phase.clear);
        let mut core = Connections::default();
        let streams = self.interface.streams.iter().zip(&self.plan.traffic).enumerate();
        let watched: Vec<Watched> = streams
            .map(|(n, (s, t))| {
                // Neighbouring streams look at bits that are far from each other, and take turns in not moving at all.
                let lucky = dice.bit((5 * n as i64) % 16) & phase.turn.ne_to(n as i64 % 4);
                let may = m.wire(&format!("{}_may", s.name), &(&phase.full | lucky));
                self.stream(s, t, &may, &phase, &mut core)
            })
            .collect();
        let reg_rdata = self.register_port(&control, &mut core);
        self.instantiate(&(ck.reset() | &phase.clear), implementation.as_ref(), &core);
        self.judge(control, &watched, reg_rdata.as_ref(), &divider);
        self.m.finish()
    }

    /// Random bits for pauses, the same in every test.
    fn dice(&self, clear: &Expr) -> Expr {
        let m = &self.m;
        let dice = m.wire_later("dice", uint(16));
        let i = m.instance("u_dice", &lfsr16()).clock(&self.ck);
        m.allow(&dice, "UNUSEDSIGNAL", "a stream looks at one bit");
        i.input("step_i", &lit(1, bit())).input("restart_i", clear).output("state_o", &dice).done();
        (*dice).clone()
    }

    /// A stream that moves only where it `may`.
    fn stream(&self, s: &Stream, traffic: &Traffic, may: &Expr, phase: &Phase, core: &mut Connections) -> Watched {
        let (m, name) = (&self.m, s.name.as_str());
        m.comment(&format!("Stream {name}"));
        let named = |what: &str| format!("{name}_{what}");
        let (moves, last) = (m.wire_later(&named("moves"), bit()), m.wire_later(&named("last"), bit()));
        let ended = m.wire_later(&named("ended"), bit());
        let beats = traffic.beats() as i64;
        let i =
            m.instance(&format!("u_{name}_count"), &streams::beat_counter(beats)).param("BEATS", beats).clock(&self.ck);
        let i = i.input("restart_i", &phase.begin).input("moves_i", &moves);
        i.output("last_o", &last).output("ended_o", &ended).done();
        let ports = StreamPorts { moves: &moves, last: &last, ended: &ended, may };
        match traffic {
            Traffic::In { pass, .. } => self.source(s, pass, phase, &ports, core),
            Traffic::Out { mask, signature, .. } => self.sink(s, mask, *signature, phase, &ports, core),
        }
    }

    fn source(&self, s: &Stream, pass: &Pass, phase: &Phase, at: &StreamPorts, core: &mut Connections) -> Watched {
        let (m, ck, name) = (&self.m, &self.ck, s.name.as_str());
        let named = |what: &str| format!("{name}_{what}");
        let ready = m.wire_later(&named("ready"), bit());
        let data = m.wire_later(&named("data"), uint(s.layout.beat_bits() as i64));
        // A beat that is offered stays until it is taken.
        let go = ck.reg(&named("go_q"), bit()).reset_to(0);
        go.next(at.may | (&*go & !&**at.moves));
        let valid = m.wire(&named("valid"), &(&phase.run & &*go & !&**at.ended));
        at.moves.drive(&valid & &*ready);
        let unit = streams::stimulus(&format!("{}_{name}_stimulus", self.interface.top), pass, s.layout.beat_bits());
        let i = m.instance(&format!("u_{name}_stimulus"), &unit).clock(ck);
        i.input("restart_i", &phase.begin).input("next_i", at.moves).output("data_o", &data).done();
        core.inputs.push((named("valid_i"), valid));
        core.outputs.push((named("ready_o"), ready));
        core.inputs.push((named("data_i"), (*data).clone()));
        if s.last {
            core.inputs.push((named("last_i"), (**at.last).clone()));
        } else {
            m.allow(at.last, "UNUSEDSIGNAL", "the core counts beats");
        }
        let (moves, ended) = ((**at.moves).clone(), (**at.ended).clone());
        Watched { dir: Dir::In, moves, ended, wrong: None, signature: None }
    }

    fn sink(
        &self,
        s: &Stream,
        mask: &[u32],
        expected: u32,
        phase: &Phase,
        at: &StreamPorts,
        core: &mut Connections,
    ) -> Watched {
        let (m, name, bits) = (&self.m, s.name.as_str(), s.layout.beat_bits() as i64);
        let named = |what: &str| format!("{name}_{what}");
        let valid = m.wire_later(&named("valid"), bit());
        let data = m.wire_later(&named("data"), uint(bits));
        let ready = m.wire(&named("ready"), &(&phase.live & at.may));
        at.moves.drive(&*valid & &ready);
        let element = match streams::partial(mask, bits) {
            Some(mask) => m.wire(&named("elements"), &(&*data & &mask)),
            None => (*data).clone(),
        };
        let crc = m.wire_later(&named("crc"), uint(32));
        let i = m.instance(&format!("u_{name}_crc"), &crc32(bits)).clock(&self.ck);
        i.input("restart_i", &phase.clear)
            .input("valid_i", at.moves)
            .input("data_i", &element)
            .output("crc_o", &crc)
            .done();
        core.outputs.push((named("valid_o"), valid));
        core.inputs.push((named("ready_i"), ready));
        core.outputs.push((named("data_o"), data));
        let wrong = if s.last {
            let core_last = m.wire_later(&named("core_last"), bit());
            core.outputs.push((named("last_o"), core_last.clone()));
            Some(&**at.moves & (&*core_last ^ &**at.last))
        } else {
            m.allow(at.last, "UNUSEDSIGNAL", "the core marks no last beat");
            None
        };
        let right = crc.eq_to(lit(i64::from(expected), uint(32)));
        let (moves, ended) = ((**at.moves).clone(), (**at.ended).clone());
        Watched { dir: Dir::Out, moves, ended, wrong, signature: Some(((*crc).clone(), right)) }
    }

    /// Connects the register port; gives what it reads.
    fn register_port(&self, control: &control::Control, core: &mut Connections) -> Option<Wire> {
        if self.interface.registers.is_empty() {
            return None;
        }
        self.m.comment("Registers");
        let access = control.access(&self.m, self.plan, self.interface.address_bits());
        core.inputs.push(("reg_write_i".into(), access.write));
        core.inputs.push(("reg_addr_i".into(), access.address));
        core.inputs.push(("reg_wdata_i".into(), access.data));
        let read = self.m.wire_later("reg_rdata", uint(32));
        core.outputs.push(("reg_rdata_o".into(), read.clone()));
        Some(read)
    }

    fn instantiate(&self, reset: &Expr, implementation: Option<&Dim>, core: &Connections) {
        self.m.comment("The core");
        let reset = self.m.wire("core_reset", reset);
        let mut i: InstanceBuilder = self.m.instance("u_core", self.core.unit());
        if let Some(implementation) = implementation {
            i = i.param("IMPL", implementation);
        }
        i = i.input("clk_i", &self.m.clock_value(&self.ck)).input("rst_i", &reset);
        for (port, value) in &core.inputs {
            i = i.input(port, value);
        }
        for (port, wire) in &core.outputs {
            i = i.output(port, wire);
        }
        i.done();
    }

    /// Cycles, verdict, text, lights.
    fn judge(&self, control: control::Control, watched: &[Watched], read: Option<&Wire>, divider: &Dim) {
        let (m, ck) = (&self.m, &self.ck);
        m.comment("Judgement");
        let cycles = self.cycles(&control.phase(), watched);
        let waits: Vec<Expr> = watched.iter().map(|w| !&w.ended).collect();
        let wrong = watched.iter().filter_map(|w| w.wrong.clone()).reduce(|a, b| a | b);
        let judged = control.judge(m, ck, self.plan, &waits, wrong, read.map(|r| (**r).clone()));

        let rights = watched.iter().filter_map(|w| w.signature.as_ref().map(|s| s.1.clone()));
        let right = rights.reduce(|a, b| a & b).unwrap_or_else(|| lit(1, bit()));
        let passed = m.wire("passed", &(&judged.sound & &right & !&judged.late));
        let failed = m.wire("failed", &(!&passed & !&judged.late));
        let signatures = watched.iter().filter_map(|w| w.signature.as_ref().map(|s| &s.0));
        let mut words: Vec<&Expr> = std::iter::once(&cycles).chain(signatures).collect();
        words.reverse();
        let mut flags = vec![lit(1, bit()), passed.clone(), failed, judged.late.clone()];
        flags.extend(waits);
        flags.reverse();
        let flags = concat(&flags.iter().collect::<Vec<_>>());
        self.text(&judged.report, &concat(&words), &flags, &judged.sent, divider);
        self.lights(&judged, &passed);
    }

    /// What the last test found stays until the next one is over.
    fn lights(&self, judged: &control::Judged, passed: &Expr) {
        let (m, ck) = (&self.m, &self.ck);
        m.comment("Lights");
        let light = |name: &str, value: &Expr| {
            let q = ck.reg(&format!("{name}_q"), bit()).reset_to(0);
            q.next_when(&judged.report, value);
            m.output(&format!("{name}_o"), &q);
        };
        light("done", &lit(1, bit()));
        light("pass", passed);
        light("fail", &!passed);
        let heartbeat = ck.reg("heartbeat_q", bit()).reset_to(0);
        heartbeat.next(&*heartbeat ^ (&judged.report & &*judged.sent));
        m.output("heartbeat_o", &heartbeat);
    }

    /// Cycles of the run at full speed.
    fn cycles(&self, phase: &Phase, watched: &[Watched]) -> Expr {
        let m = &self.m;
        let cycles = m.wire_later("cycles", uint(32));
        let any = |dir: Dir| {
            let of = watched.iter().filter(|w| w.dir == dir).map(|w| w.moves.clone());
            of.reduce(|a, b| a | b).unwrap_or_else(|| lit(0, bit())) & &phase.full
        };
        let stalls = m.wire_later("stalls", uint(32));
        m.allow(&stalls, "UNUSEDSIGNAL", "nothing is counted there");
        let i = m.instance("u_cycles", &job_counters(1)).param("STREAMS", 1).clock(&self.ck);
        i.input("clear_i", &phase.clear)
            .input("enters_i", &any(Dir::In))
            .input("leaves_i", &any(Dir::Out))
            .input("stalled_i", &lit(0, bit()))
            .output("cycles_o", &cycles)
            .output("stalls_o", &stalls)
            .done();
        (*cycles).clone()
    }

    fn text(&self, report: &Expr, words: &Expr, flags: &Expr, sent: &Wire, divider: &Dim) {
        let (m, ck) = (&self.m, &self.ck);
        let (valid, ready) = (m.wire_later("text_valid", bit()), m.wire_later("text_ready", bit()));
        let (text, tx) = (m.wire_later("text_data", uint(8)), m.output_wire("tx_o", bit()));
        let unit = report::report(&format!("{}_report", self.interface.top), &self.plan.line, words, flags);
        let i = m.instance("u_report", &unit).clock(ck);
        i.input("run_i", report)
            .input("words_i", &m.wire("words", words))
            .input("flags_i", &m.wire("flags", flags))
            .output("sent_o", sent)
            .output("m_valid_o", &valid)
            .input("m_ready_i", &ready)
            .output("m_data_o", &text)
            .done();
        let i = m.instance("u_uart", &uart_transmitter(self.plan.divider as i64)).param("DIVIDER", divider).clock(ck);
        i.input("s_valid_i", &valid).output("s_ready_o", &ready).input("s_data_i", &text).output("tx_o", &tx).done();
    }
}

/// What a stream has in either direction.
struct StreamPorts<'a> {
    moves: &'a Wire,
    last: &'a Wire,
    ended: &'a Wire,
    may: &'a Expr,
}
