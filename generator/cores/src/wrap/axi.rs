//! The hardware of `wrap = "axi"`: a top without state of its own around the core, its registers and its streams.
//!
//! Every stream passes a stream register, so that what AXI asks of an offered beat holds whatever the core does, and no path
//! runs through the core from one port to another.

use bitlathe_hdl::{Checked, Errors, Expr, InstanceBuilder, Wire, bit, check, concat, lit};
use bitlathe_spec::axi::{ADDRESS_BITS, AxiInterface, AxiLast, AxiStream, WRAPPER_OFFSET};
use bitlathe_spec::{Dir, Family, Interface};

use super::control::{job_counters_cost, packet_last, packet_last_cost};
use super::registers::{LENGTH_BITS, RESET};
use super::top::{Fields, Resets, Top, Watched, any, padded};
use crate::parts::axi_lite;
use crate::parts::register_file::register_file_cost;
use crate::parts::stream_register::{self, stream_register};
use crate::{Cost, PartCost};

/// The core behind AXI4-Stream.
pub fn design(core: &Checked, interface: &Interface, axi: &AxiInterface) -> Result<Checked, Errors> {
    let doc = format!(
        "`{}` behind AXI4-Stream and AXI4-Lite. Its own registers come first, those of the wrapper at 0x{WRAPPER_OFFSET:x}.",
        interface.top
    );
    let mut top = Top::new(core, interface, axi, &doc);
    let m = top.m.clone();
    m.comment("Resets");
    let ports = m.wire("port_reset", &!top.input(axi.reset));
    let soft = top.wire(RESET, 1);
    let core = m.wire("core_reset", &(&ports | &*soft));
    let resets = Resets { clk: top.input(axi.clock), ports, core };
    let port = top.axi_lite(&resets);
    m.allow(&port.read, "UNUSEDSIGNAL", "no register changes when it is read");
    let fields = top.register_file(&resets, &port, &axi.wrapper_registers(), &[(RESET, &soft)]);
    top.answer(&port, std::slice::from_ref(&fields.rdata));
    let watched: Vec<Watched> = axi.streams.iter().map(|s| stream(&mut top, s, &resets, &fields)).collect();
    top.instantiate(&resets);
    top.counters(&resets, fields.written("clear_counters"), &fields, &watched);
    let offers = axi.streams.iter().filter(|s| s.dir == Dir::Out);
    let offers = offers.map(|s| (**top.output(&format!("{}_tvalid", s.name))).clone());
    fields.read("output_offered_i").drive(any(offers));
    fields.read("clear_counters_done_i").drive(1);
    check(&top.m.finish())
}

/// Cost of what stands around the core.
pub fn cost(axi: &AxiInterface, family: Family) -> Vec<PartCost> {
    let part = |part: &str, count: usize, cost: Cost| PartCost { part: part.into(), count: count as u64, cost };
    let mut registers = Cost::default();
    axi.streams.iter().for_each(|s| registers += stream_register::cost(beat_width(s), family));
    let counted = axi.streams.iter().filter(|s| matches!(s.last(), Some(AxiLast::Counted(_)))).count();
    let parts = [
        part("axi_lite", 1, axi_lite::cost(ADDRESS_BITS.into(), family)),
        part("wrapper registers", 1, register_file_cost(family, &axi.wrapper_registers())),
        part("stream_register", axi.streams.len(), registers),
        part("job_counters", 1, job_counters_cost(axi.streams.len())),
        part("packet_last", counted, packet_last_cost(LENGTH_BITS) * counted as f64),
    ];
    parts.into_iter().filter(|p| p.count > 0).collect()
}

/// Bits of a beat in a stream register: `tlast` above the data, where it means anything.
fn beat_width(stream: &AxiStream) -> i64 {
    stream.beat_bits as i64 + i64::from(stream.last() != Some(&AxiLast::Ignored))
}

fn stream(top: &mut Top, stream: &AxiStream, resets: &Resets, fields: &Fields) -> Watched {
    top.m.comment(&format!("Stream {}", stream.stream));
    match stream.dir {
        Dir::In => input_stream(top, stream, resets),
        Dir::Out => output_stream(top, stream, resets, fields),
    }
}

/// The stream register of a stream, without its clock: `offer` is valid and beat in front of it, `taken` valid, ready and
/// beat behind it.
fn register(top: &Top, s: &AxiStream, offer: [&Expr; 2], room: &Wire, taken: (&Wire, &Expr, &Wire)) -> InstanceBuilder {
    let width = beat_width(s);
    let i = top.m.instance(&format!("u_{}", s.stream), &stream_register(width)).param("WIDTH", width);
    let i = i.input("s_valid_i", offer[0]).output("s_ready_o", room).input("s_data_i", offer[1]);
    i.output("m_valid_o", taken.0).input("m_ready_i", taken.1).output("m_data_o", taken.2)
}

/// From the port to the core; while software holds it in reset, beats are taken and dropped.
fn input_stream(top: &mut Top, s: &AxiStream, resets: &Resets) -> Watched {
    let (m, bits) = (top.m.clone(), s.beat_bits as i64);
    let port = |signal: &str| format!("{}_{signal}", s.name);
    let (data, last) = (top.input(&port("tdata")), top.input(&port("tlast")));
    m.allow(&top.input(&port("tkeep")), "UNUSEDSIGNAL", "every beat is whole");
    if s.data_bits() > s.beat_bits {
        m.allow(&data, "UNUSEDSIGNAL", "padded to whole bytes");
    }
    let ends = top.ends(s);
    let packed = match &ends.last {
        Some(_) => concat(&[&last, &data.slice(0, bits)]),
        None => {
            m.allow(&last, "UNUSEDSIGNAL", "the core counts beats");
            data.slice(0, bits)
        }
    };
    let beat = top.wire(&format!("{}_beat", s.stream), beat_width(s));
    let offer = [&top.input(&port("tvalid")), &packed];
    let taken = (&ends.valid, &*ends.ready, &beat);
    resets.core(register(top, s, offer, top.output(&port("tready")), taken)).done();
    ends.data.drive(beat.slice(0, bits));
    if let Some(last) = &ends.last {
        last.drive(beat.bit(bits));
    }
    ends.watched
}

/// From the core to the port, which keeps what it offers while software holds the core in reset.
fn output_stream(top: &mut Top, s: &AxiStream, resets: &Resets, fields: &Fields) -> Watched {
    let (m, name, bits) = (top.m.clone(), s.stream.as_str(), s.beat_bits as i64);
    let port = |signal: &str| format!("{}_{signal}", s.name);
    let named = |what: &str| format!("{name}_{what}");
    let ends = top.ends(s);
    let last = match s.last() {
        Some(AxiLast::Counted(field)) => {
            let (beats, last) = (fields.written(field), top.wire(&named("last"), 1));
            let width = beats.width().clone();
            let i = m.instance(&named("u_last"), &packet_last(width.value())).param("COUNT_W", width);
            let i = resets.core(i).input("beats_i", beats).input("moves_i", &ends.watched.moves);
            i.output("last_o", &last).done();
            last
        }
        _ => ends.last.unwrap_or_else(|| unreachable!("{name} has last")),
    };
    let beat = top.wire(&named("beat"), bits + 1);
    let packed = concat(&[&*last, &*ends.data]);
    let taken = (top.output(&port("tvalid")), &top.input(&port("tready")), &beat);
    resets.ports(register(top, s, [&*ends.valid, &packed], &ends.ready, taken)).done();
    top.output(&port("tdata")).drive(padded(&beat.slice(0, bits), s.data_bits()));
    top.output(&port("tlast")).drive(beat.bit(bits));
    top.output(&port("tkeep")).drive(lit(1, bit()).repeat(s.bytes() as i64));
    ends.watched
}
