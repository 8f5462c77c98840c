//! The hardware of `quantizer`: parameters, the method's lanes, and what goes before or instead of them.
//!
//! Most methods are elementwise: a beat passes a pipeline of fixed length under one enable, which stops when an output beat
//! waits. `iqr` puts a walk over the tensor in front of it; `absmax`, `mx` and `hadamard` have structures of their own.

use std::rc::Rc;

use bitlathe_hdl::{Checked, Clock, Dim, Errors, Expr, Module, Unit, Wire, bit, check, concat, lit, sint, uint};
use bitlathe_spec::{Interface, Rounding};

use super::config::ElementName;
use super::front::Span;
use super::iqr::SecondWalk;
use super::lanes::{outlier_pair, region_lane, stochastic_lane};
use crate::parts::delay_line::delayed;
use crate::parts::lfsr;
use crate::parts::register_file::connect;
use crate::parts::requantize::{self, RequantizeLane, Shift};
use crate::parts::row_walk::{column_bits, row_walk};

/// Output and scale of the methods that scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scaled {
    /// Bits of the scaled value.
    pub out_bits: i64,
    /// Symmetric saturation.
    pub narrow: bool,
    /// Rounding rule.
    pub rounding: Rounding,
    /// Constant or run-time shift.
    pub shift: Shift,
    /// Parameters come as streams, one lane a channel.
    pub per_channel: bool,
}

/// The methods with their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Method {
    Requant(Scaled),
    Pot(Scaled),
    Stochastic(Scaled, Vec<u8>),
    DualScale(Scaled),
    Iqr(Scaled),
    Ovp(Scaled),
    Absmax { out_bits: i64 },
    Mx { element: ElementName, block: i64, frac: i64 },
    Hadamard { size: i64 },
}

/// Every number that the hardware depends on.
#[derive(Clone, Debug)]
pub struct Hardware {
    /// Name of the top module.
    pub top: String,
    /// Elements of a beat.
    pub lanes: i64,
    /// Largest row.
    pub c_max: i64,
    /// Bits of an element.
    pub in_bits: i64,
    /// What is done.
    pub method: Method,
}

/// An input beside x: a tensor that is a stream (per channel) or register fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Name of the tensor.
    pub name: &'static str,
    /// Bits of an element on its stream.
    pub bits: i64,
    /// Elements a channel.
    pub planes: i64,
}

impl Hardware {
    /// Beats of the longest row.
    pub fn beats_max(&self) -> i64 {
        (self.c_max + self.lanes - 1) / self.lanes
    }

    /// Scale and output of the methods that scale.
    pub fn scaled(&self) -> Option<&Scaled> {
        match &self.method {
            Method::Requant(s) | Method::Pot(s) | Method::Stochastic(s, _) => Some(s),
            Method::DualScale(s) | Method::Iqr(s) | Method::Ovp(s) => Some(s),
            Method::Absmax { .. } | Method::Mx { .. } | Method::Hadamard { .. } => None,
        }
    }

    /// Inputs of the scale.
    pub fn parameters(&self) -> Vec<Parameter> {
        let Some(s) = self.scaled() else { return vec![] };
        let planes = match self.method {
            Method::Requant(_) | Method::Ovp(_) => 1,
            Method::DualScale(_) | Method::Iqr(_) => 2,
            _ => 0,
        };
        let mut out = vec![];
        if planes > 0 {
            out.push(Parameter { name: "mult", bits: 16, planes });
        }
        if matches!(s.shift, Shift::Range(..)) {
            out.push(Parameter { name: "shift", bits: 8, planes: 1 });
        }
        if matches!(self.method, Method::Requant(_)) {
            out.push(Parameter { name: "zp", bits: 8, planes: 1 });
        }
        out
    }

    /// The requantizer lane inside a method.
    pub fn requantizer(&self) -> Option<RequantizeLane> {
        let s = self.scaled().filter(|_| !matches!(self.method, Method::Stochastic(..)))?;
        Some(RequantizeLane {
            acc_bits: self.in_bits,
            shift: s.shift,
            rounding: s.rounding,
            out_bits: s.out_bits,
            narrow: s.narrow,
            planes: 1,
            batch: 1,
        })
    }

    /// Bits of a lane of y.
    pub fn y_bits(&self) -> i64 {
        match &self.method {
            Method::Requant(s) | Method::Pot(s) | Method::Stochastic(s, _) => s.out_bits,
            Method::DualScale(s) | Method::Iqr(s) => s.out_bits + 1,
            Method::Ovp(_) => 4,
            Method::Absmax { out_bits } => *out_bits,
            Method::Mx { element, .. } => element.bits(),
            Method::Hadamard { .. } => 32,
        }
    }

    /// Cycles from an accepted beat to its output in the elementwise methods.
    pub fn latency(&self) -> i64 {
        match self.method {
            Method::Stochastic(..) => 1,
            Method::DualScale(_) | Method::Iqr(_) | Method::Ovp(_) => requantize::LATENCY + 1,
            _ => requantize::LATENCY,
        }
    }
}

/// The whole core.
pub fn design(hw: &Hardware, interface: &Interface) -> Result<Checked, Errors> {
    check(&Top::new(hw, interface).build())
}

/// The top module under construction.
pub struct Top<'a> {
    /// Numbers.
    pub hw: &'a Hardware,
    /// The boundary.
    pub interface: &'a Interface,
    /// The module.
    pub m: Module,
    /// Its clock.
    pub ck: Clock,
    /// Lanes, as a symbol.
    pub lanes: Dim,
    /// Bits of an element, as a symbol.
    pub in_w: Dim,
}

/// A beat of x with what was taken together with it.
pub struct Taken {
    /// The beat moves.
    pub accept: Expr,
    /// Elements.
    pub data: Expr,
    /// Last beat of the job.
    pub last: Expr,
    /// Parameters by name, one lane an element.
    parameters: Vec<(&'static str, Expr)>,
}

impl<'a> Top<'a> {
    fn new(hw: &'a Hardware, interface: &'a Interface) -> Self {
        let m = Module::new(&hw.top);
        let lanes = m.param("LANES", hw.lanes, 1..=256, "elements of a beat");
        let in_w = m.param("IN_W", hw.in_bits, 4..=32, "bits of an element");
        let ck = m.clock();
        Self { hw, interface, m, ck, lanes, in_w }
    }

    fn build(self) -> Rc<Unit> {
        match self.hw.method {
            Method::Absmax { out_bits } => self.absmax(out_bits),
            Method::Mx { element, block, frac } => self.mx(element, block, frac),
            Method::Hadamard { size } => self.hadamard(size),
            _ => self.elementwise(),
        }
        self.m.finish()
    }

    /// The register file, where the core has registers: the fields by name, and a `set` input for each sticky bit.
    pub fn registers(&self, params: &[(&str, &Dim)]) -> impl Fn(&str) -> Option<Expr> + use<> {
        let none = self.interface.registers.is_empty();
        let fields = if none { vec![] } else { connect(&self.m, &self.ck, self.interface, params, &[]) };
        move |name| fields.iter().find(|(n, _)| n == name).map(|(_, e)| e.clone())
    }

    /// Takes a beat of x together with the parameters that belong to it, when `en` holds.
    fn take(&self, en: &Expr, field: &dyn Fn(&str) -> Option<Expr>, second: Option<&SecondWalk>) -> Taken {
        let m = &self.m;
        let streams = self.hw.scaled().is_some_and(|s| s.per_channel);
        let mut ok = en.clone();
        let accept = m.wire_later("accept", bit());
        let parameters = self.hw.parameters();
        let mut taken = vec![];
        for p in &parameters {
            if streams {
                let s = m.sink(p.name, uint(&self.lanes * (p.bits * p.planes)), false).take(&accept);
                ok = &ok & &s.valid;
                self.allow_byte(p, &s.data);
                taken.push((p.name, s.data));
            } else {
                taken.push((p.name, self.spread(p, field)));
            }
        }
        let supplied = m.wire("supplied", &ok);
        let (valid, data, last) = match second {
            Some(walk) => {
                walk.ready.drive(&supplied);
                (walk.valid.clone(), walk.data.clone(), walk.last.clone())
            }
            None => {
                let x = m.sink("x", uint(&self.lanes * &self.in_w), true).take(&supplied);
                (x.valid, x.data, x.last.unwrap_or_else(|| lit(0, bit())))
            }
        };
        accept.drive(&valid & &supplied);
        Taken { accept: (*accept).clone(), data, last, parameters: taken }
    }

    /// A register's value for every lane, laid out as its stream would be.
    fn spread(&self, p: &Parameter, field: &dyn Fn(&str) -> Option<Expr>) -> Expr {
        let m = &self.m;
        let planes = (0..p.planes).map(|n| {
            let name = if p.planes == 1 { p.name.to_owned() } else { format!("{}_{n}", p.name) };
            let value = field(&name).unwrap_or_else(|| lit(0, uint(p.bits)));
            let pad = p.bits - value.width().value();
            let padded = if pad > 0 { concat(&[&lit(0, uint(pad)), &value]) } else { value };
            padded.repeat(&self.lanes)
        });
        let planes: Vec<Expr> = planes.collect();
        let all: Vec<&Expr> = planes.iter().rev().collect();
        let all = m.wire(&format!("{}_all", p.name), &concat(&all));
        self.allow_byte(p, &all);
        all
    }

    /// A shift travels in a byte, of which the shifter reads six bits.
    fn allow_byte(&self, p: &Parameter, lanes: &Expr) {
        if p.name == "shift" {
            self.m.allow(lanes, "UNUSEDSIGNAL", "the shifter reads six bits of a byte");
        }
    }

    /// A value `n` enabled cycles later.
    pub fn delayed(&self, name: &str, en: &Expr, value: &Expr, n: i64, reset: bool) -> Expr {
        delayed(&self.m, &self.ck, name, en, value, n, reset)
    }

    fn elementwise(&self) {
        let (m, hw) = (&self.m, self.hw);
        m.doc(match hw.method {
            Method::Requant(_) => "Requantizer: y = saturate(round(x * mult / 2^shift) + zero point), LANES elements a beat.",
            Method::Pot(_) => "Power-of-two quantizer: y = saturate(round(x / 2^shift)), LANES elements a beat.",
            Method::Stochastic(..) => {
                "Stochastic rounding against 4-bit LFSRs: y = saturate((x * 2^4 / 2^shift + r) / 2^4), LANES elements a beat."
            }
            Method::Ovp(_) => "Outlier-victim pairs: LANES elements a beat, four bits each.",
            _ => "Two-region quantizer: {|x| > threshold, round(x * mult / 2^shift)}, LANES elements a beat.",
        });
        let c_max = hw.counts_columns().then(|| m.param("C_MAX", hw.c_max, 1..=65536, "largest row"));
        let iqr = matches!(hw.method, Method::Iqr(_));
        let r_max = iqr.then(|| m.param("R_MAX", hw.rows_max() as i64, 1..=0x7fff_ffff, "most rows"));
        let columns = c_max.iter().map(|max| ("COLUMNS_MAX", max));
        let bounds: Vec<(&str, &Dim)> = columns.chain(r_max.iter().map(|max| ("ROWS_MAX", max))).collect();
        let field = self.registers(&bounds);
        let en = m.wire_later("en", bit());
        m.describe(&en, "moves every stage; low while an output beat waits");
        m.comment("Input");
        let sizes = c_max.as_ref().zip(r_max.as_ref());
        let found = sizes.map(|(c_max, r_max)| self.quartiles(c_max, r_max, &field));
        let x = self.take(&en, &field, found.as_ref());
        let n = hw.latency();
        let valid = self.delayed("valid", &en, &x.accept, n, true);
        let last = self.delayed("last", &en, &x.last, n, false);
        m.comment("Lanes");
        let threshold = found.map(|f| f.threshold).or_else(|| field("thr"));
        let alone = matches!(hw.method, Method::Ovp(_)).then(|| self.alone(&x.accept, c_max.as_ref(), &field));
        let y = self.lane_array(&en, &x, threshold.as_ref(), alone.as_ref());
        let ready = m.wire_later("y_ready", bit());
        en.drive(!&valid | &*ready);
        m.stream("y", valid, y, Some(last), ready).source("y");
    }

    /// Random numbers of all lanes, drawn with each accepted beat and restarted after a job's last.
    fn random(&self, x: &Taken) -> Option<Expr> {
        let (m, hw) = (&self.m, self.hw);
        let scaled = hw.scaled().filter(|s| s.rounding == Rounding::Stochastic)?;
        let restart = m.wire("restart", &(&x.accept & &x.last));
        if let Method::Stochastic(..) = hw.method {
            let seeds = hw.lfsr_seeds();
            let states = m.wire_later("lfsr_states", uint(4 * seeds.len()));
            for (n, seed) in seeds.iter().enumerate() {
                m.instance(&format!("u_lfsr_{n}"), &lfsr::lfsr4((*seed).into()))
                    .param("SEED", i64::from(*seed))
                    .clock(&self.ck)
                    .input("step_i", &x.accept)
                    .input("restart_i", &restart)
                    .output_lane("state_o", &states, n, &Dim::from(4))
                    .done();
            }
            return Some((*states).clone());
        }
        debug_assert!(scaled.out_bits > 0);
        let states = m.wire_later("random", uint(&self.lanes * 16));
        m.generate_for("g_lfsr", &self.lanes, |i| {
            // Seed of lane i: (i + 1) * 0x9e37 modulo 2^16.
            m.instance("u_lfsr", &lfsr::lfsr16())
                .param("SEED", (i + 1) * 0x9e37)
                .clock(&self.ck)
                .input("step_i", &x.accept)
                .input("restart_i", &restart)
                .output_lane("state_o", &states, i, &Dim::from(16))
                .done();
        });
        Some((*states).clone())
    }

    /// One unit a lane, or a pair of lanes for `ovp`.
    fn lane_array(&self, en: &Expr, x: &Taken, threshold: Option<&Expr>, alone: Option<&Expr>) -> Expr {
        let (m, hw) = (&self.m, self.hw);
        let random = self.random(x);
        let y_bits = Dim::from(hw.y_bits());
        let y = m.wire_later("y_data", uint(&self.lanes * &y_bits));
        let parameter = |name: &str| x.parameters.iter().find(|(n, _)| *n == name).map(|(_, e)| e);
        let (wide, unit) = match &hw.method {
            Method::Stochastic(s, _) => {
                let states = random.clone().unwrap_or_else(|| lit(0, uint(4)));
                self.stochastic_array(en, x, s, hw.lfsr_seeds().len(), &states, parameter("shift"), &y);
                return (*y).clone();
            }
            Method::DualScale(_) | Method::Iqr(_) => (1, region_lane(hw)),
            Method::Ovp(_) => (2, outlier_pair(hw)),
            _ => (1, hw.requantizer().map_or_else(|| region_lane(hw), |l| l.unit())),
        };
        let groups = if wide == 1 { self.lanes.clone() } else { self.lanes.div(wide) };
        m.generate_for("g_lane", &groups, |i| {
            let mut lane = m.instance("u_lane", &unit).clock(&self.ck).input("en_i", en);
            let elements = x.data.lane(i, &(&self.in_w * wide));
            let out = m.wire_later(
                "lane_y",
                if wide == 1 && threshold.is_none() && !hw.is_region() { sint(&y_bits) } else { uint(&y_bits * wide) },
            );
            match hw.method {
                Method::Requant(_) | Method::Pot(_) => {
                    let element = m.wire("element", &elements.as_signed());
                    lane = lane.param("ACC_W", &self.in_w).input("acc_i", &element);
                }
                _ => lane = lane.param("IN_W", &self.in_w).input("x_i", &elements),
            }
            if matches!(hw.method, Method::Pot(_)) {
                lane = lane.input("mult_i", &lit(1, uint(16))).input("zp_i", &lit(0, sint(8)));
            }
            for p in hw.parameters() {
                let Some(all) = parameter(p.name) else { continue };
                let width = Dim::from(p.bits * wide);
                for plane in 0..p.planes {
                    let at = (&self.lanes * plane) * p.bits + i * &width;
                    let bits = all.slice(at, &width);
                    let port = if p.planes == 1 { format!("{}_i", p.name) } else { format!("{}_{plane}_i", p.name) };
                    lane = match (p.name, wide) {
                        ("shift", 1) => lane.input(&port, &all.slice(i * p.bits, 6)),
                        ("zp", _) => lane.input(&port, &bits.as_signed()),
                        _ => lane.input(&port, &bits),
                    };
                }
            }
            if let Some(t) = threshold {
                lane = lane.input("threshold_i", t);
            }
            if let Some(alone) = alone {
                lane = lane.input("alone_i", &alone.bit(i));
            }
            if let Some(r) = &random {
                lane = lane.input("random_i", &r.lane(i, &Dim::from(16)));
            }
            lane.output("y_o", &out).done();
            y.drive_lane(i, &(&y_bits * wide), &out.as_unsigned());
        });
        (*y).clone()
    }

    /// One bit a pair: its right element is padding.
    fn alone(&self, accept: &Expr, c_max: Option<&Dim>, field: &dyn Fn(&str) -> Option<Expr>) -> Expr {
        let (m, hw) = (&self.m, self.hw);
        let c_max = c_max.cloned().unwrap_or_default();
        let width = column_bits(&c_max);
        let (remaining, end) = (m.wire_later("remaining", uint(&width)), m.wire_later("row_end", bit()));
        let columns = field("columns").unwrap_or_else(|| lit(0, uint(&width)));
        m.instance("u_walk", &row_walk(hw.lanes, hw.c_max))
            .param("LANES", &self.lanes)
            .param("C_MAX", &c_max)
            .clock(&self.ck)
            .input("columns_i", &columns)
            .input("accept_i", accept)
            .output("remaining_o", &remaining)
            .output("end_o", &end)
            .done();
        let pairs = self.lanes.div(2);
        let alone = m.wire_later("alone", uint(&pairs));
        m.generate_for("g_alone", &pairs, |i| {
            let only = remaining.eq_to(m.constant("ONLY_LEFT", 2 * i + 1, &width));
            alone.drive_part(i, 1, &(&*end & only));
        });
        (*alone).clone()
    }

    #[allow(clippy::too_many_arguments)]
    fn stochastic_array(
        &self,
        en: &Expr,
        x: &Taken,
        s: &Scaled,
        seeds: usize,
        states: &Expr,
        shift: Option<&Expr>,
        y: &Wire,
    ) {
        let m = &self.m;
        let (unit, y_bits, four) = (stochastic_lane(self.hw.in_bits, s), Dim::from(s.out_bits), Dim::from(4));
        let n = m.localparam("SEEDS", seeds);
        m.generate_for("g_lane", &self.lanes, |i| {
            let element = m.wire("element", &x.data.lane(i, &self.in_w).as_signed());
            let mine = i - i.div(&n) * &n;
            let out = m.wire_later("lane_y", sint(&y_bits));
            let mut lane = m
                .instance("u_lane", &unit)
                .param("IN_W", &self.in_w)
                .clock(&self.ck)
                .input("en_i", en)
                .input("x_i", &element)
                .input("state_i", &states.lane(mine, &four));
            if let Some(all) = shift {
                lane = lane.input("shift_i", &all.slice(i * 8, 6));
            }
            lane.output("y_o", &out).done();
            y.drive_lane(i, &y_bits, &out.as_unsigned());
        });
    }
}

impl Hardware {
    /// First states of the 4-bit LFSRs that some lane reads.
    pub fn lfsr_seeds(&self) -> &[u8] {
        match &self.method {
            Method::Stochastic(_, seeds) => &seeds[..seeds.len().min(self.lanes as usize)],
            _ => &[],
        }
    }

    /// Whether the method has two regions.
    pub fn is_region(&self) -> bool {
        matches!(self.method, Method::DualScale(_) | Method::Iqr(_))
    }

    /// Largest threshold that is an input.
    pub fn threshold_max(&self) -> Option<i64> {
        matches!(self.method, Method::DualScale(_)).then_some((1 << 31) - 1)
    }
}

/// What a front offers.
pub struct Waiting {
    /// A maximum is offered.
    pub a_valid: Expr,
    /// It is taken.
    pub a_ready: Wire,
    /// The maxima of a group.
    pub a: Expr,
    /// A beat is offered.
    pub valid: Expr,
    /// It is taken.
    pub ready: Wire,
    /// Its elements.
    pub data: Expr,
    /// It ends its group.
    pub end: Expr,
    /// It ends the job.
    pub last: Expr,
}

impl Top<'_> {
    /// The front of a method that needs maxima first.
    pub fn front(&self, span: Span, c_max: &Dim, field: &dyn Fn(&str) -> Option<Expr>, used: &Wire) -> Waiting {
        let m = &self.m;
        m.comment("Maxima, and the elements behind them");
        let front = self.hw.front(span);
        let a_w = &self.in_w * span.maxima();
        let wire = |name: &str, width: &Dim| m.wire_later(name, uint(width));
        let one = Dim::from(1);
        let (a_valid, a_ready, a) = (wire("a_valid", &one), wire("a_ready", &one), wire("a_data", &a_w));
        let (valid, ready) = (wire("waiting_valid", &one), wire("waiting_ready", &one));
        let data = wire("waiting_data", &(&self.lanes * &self.in_w));
        let (end, last) = (wire("waiting_end", &one), wire("waiting_last", &one));
        let x_ready = wire("x_ready", &one);
        let x = m.sink("x", uint(&self.lanes * &self.in_w), true).take(&x_ready);
        let x_last = x.last.unwrap_or_else(|| lit(0, bit()));
        let columns = field("columns").unwrap_or_else(|| lit(0, uint(column_bits(c_max))));
        let mut i = m
            .instance("u_front", &front.unit())
            .param("LANES", &self.lanes)
            .param("IN_W", &self.in_w)
            .param("C_MAX", c_max);
        if span == Span::Row {
            // Two rows, however long an override makes them.
            i = i.param("DEPTH", 2 * &c_max.ceil_div(&self.lanes) + span.slack());
        }
        i.clock(&self.ck)
            .input("columns_i", &columns)
            .input("x_valid_i", &x.valid)
            .output("x_ready_o", &x_ready)
            .input("x_data_i", &x.data)
            .input("x_last_i", &x_last)
            .input("used_i", used)
            .output("a_valid_o", &a_valid)
            .input("a_ready_i", &a_ready)
            .output("a_data_o", &a)
            .output("m_valid_o", &valid)
            .input("m_ready_i", &ready)
            .output("m_data_o", &data)
            .output("m_end_o", &end)
            .output("m_last_o", &last)
            .done();
        let e = |w: Wire| (*w).clone();
        Waiting {
            a_valid: e(a_valid),
            a_ready,
            a: e(a),
            valid: e(valid),
            ready,
            data: e(data),
            end: e(end),
            last: e(last),
        }
    }
}

/// The walk of waiting groups through the lanes.
pub struct Release {
    /// Moves every stage behind the buffer.
    pub en: Wire,
    /// A beat leaves the buffer.
    pub take: Expr,
    /// A beat of the side output is offered.
    pub side_valid: Expr,
    /// It is taken.
    pub side_ready: Wire,
}

impl Top<'_> {
    /// Loads the next group's scale when the last beat of the one before leaves, and offers its side output.
    pub fn release(&self, front: &Waiting, offered: &Expr, ready: &Wire, side: &str, load: &Wire) -> Release {
        let (m, ck) = (&self.m, &self.ck);
        let en = m.wire_later("en", bit());
        m.describe(&en, "moves every stage behind the buffer; low while an output beat waits");
        let have = ck.reg("have_q", bit()).reset_to(0);
        let take = m.wire("take", &(&*have & &front.valid & &*en));
        front.ready.drive(&*have & &*en);
        let ending = m.wire("ending", &(&take & &front.end));
        let side_valid = ck.reg(&format!("{side}_valid_q"), bit()).reset_to(0);
        let side_ready = m.wire_later(&format!("{side}_ready"), bit());
        let free = m.wire(&format!("{side}_free"), &(!&*side_valid | &*side_ready));
        ready.drive((!&*have | &ending) & &free);
        load.drive(offered & &**ready);
        have.next(&**load | (&*have & !&ending));
        side_valid.next(&**load | (&*side_valid & !&*side_ready));
        Release { en, take, side_valid: (*side_valid).clone(), side_ready }
    }
}
