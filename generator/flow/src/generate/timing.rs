//! What the timing diagram shows: the register writes of a small job, then every cycle of it as the exact schedule says.

use bitlathe_cores::Core;
use bitlathe_spec::{Access, Dims, Dir, Extent, FieldValue, Interface, Register, Scalar, Stream};

use super::GenerateError;
use super::vectors::is_set_by_job;

/// Signals over consecutive clock cycles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Sizes of the job.
    pub dims: Dims,
    /// Cycles before the job's first beat, in which the registers are written.
    pub lead: usize,
    /// Signals from top to bottom, each with a value for every cycle.
    pub signals: Vec<TraceSignal>,
}

/// One signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceSignal {
    /// Port name.
    pub name: String,
    /// Whether it is drawn as a bus with its values, rather than as a line.
    pub bus: bool,
    /// Value in each cycle: `0` or `1`, or the text of a bus (of stream data, the number of the beat); `None` where it
    /// does not matter.
    pub values: Vec<Option<String>>,
}

/// The signals of a small job whose sources always offer and whose sink always takes; `None` where the core's schedule
/// does not tell single beats.
pub fn timing(core: &dyn Core) -> Result<Option<Trace>, GenerateError> {
    let interface = core.interface();
    let dims = small_job(core, &interface);
    let Some(beats) = core.beat_cycles(&dims) else { return Ok(None) };
    let contradiction = |reason| GenerateError::Interface { core: core.name().into(), reason };
    if beats.len() != interface.streams.len() {
        return Err(contradiction(format!("the schedule has {} streams", beats.len())));
    }
    let writes = writes(&interface, &dims)?;
    let lead = if interface.registers.is_empty() { 1 } else { writes.len() + 2 };
    let cycles = lead + core.schedule(&dims) as usize;
    let mut signals = Vec::new();
    if !interface.registers.is_empty() {
        signals.extend(register_signals(&writes, cycles));
    }
    for (stream, beats) in interface.streams.iter().zip(&beats) {
        let expected = stream.layout.beats(&dims)?;
        let inside = beats.iter().all(|c| lead + (*c as usize) < cycles);
        if beats.len() as u64 != expected || !beats.is_sorted_by(|a, b| a < b) || !inside {
            return Err(contradiction(format!("the schedule of `{}` does not have its {expected} beats", stream.name)));
        }
        signals.extend(stream_signals(stream, beats, lead, cycles));
    }
    Ok(Some(Trace { dims, lead, signals }))
}

/// Most cycles of a diagram whose loops all run twice; where those take more, only the shortest loop over each size does.
const LONGEST: u64 = 160;
/// Steps of a block, where a size is walked in blocks.
const BLOCK_STEPS: u64 = 3;

/// Sizes of a job that shows every loop, or as many as a picture has room for.
fn small_job(core: &dyn Core, interface: &Interface) -> Dims {
    let all = sizes(interface, |steps| steps.max());
    if core.schedule(&all) <= LONGEST { all } else { sizes(interface, |steps| steps.min()) }
}

/// Sizes that walk the loops over them twice, but for the outermost one, which only repeats the rest; `choose` takes one of the steps of
/// the loops over a size.
fn sizes(interface: &Interface, choose: impl Fn(&mut dyn Iterator<Item = u64>) -> Option<u64>) -> Dims {
    let loops = || interface.streams.iter().flat_map(|stream| &stream.layout.loops);
    let outermost = loops().next().map(|l| &l.extent);
    let size = |s: &Scalar| {
        let blocks = loops().any(|l| matches!(&l.extent, Extent::Within { dim, .. } if *dim == s.name));
        let mut steps = loops().filter_map(|l| match &l.extent {
            Extent::CeilDiv { dim, by } if *dim == s.name => Some(*by),
            _ => None,
        });
        let repeats = matches!(outermost, Some(Extent::CeilDiv { dim, .. }) if *dim == s.name);
        let value = match choose(&mut steps) {
            _ if blocks => BLOCK_STEPS,
            steps => steps.unwrap_or(1) * if repeats { 1 } else { 2 },
        };
        (s.name.clone(), value.clamp(s.min, s.max))
    };
    interface.sizes.iter().map(size).collect()
}

/// Address and value of each register that a job writes; a value that a tensor gives is shown by its field's name.
fn writes(interface: &Interface, dims: &Dims) -> Result<Vec<(String, String)>, GenerateError> {
    let written = interface.registers.iter().filter(|r| r.fields.iter().any(is_set_by_job));
    written.map(|r| Ok((format!("0x{:02x}", r.offset), word(r, dims)?))).collect()
}

fn word(register: &Register, dims: &Dims) -> Result<String, GenerateError> {
    let mut word = 0;
    for field in register.fields.iter().filter(|f| matches!(f.access, Access::ReadWrite | Access::Trigger)) {
        word |= match &field.value {
            FieldValue::None => field.reset,
            FieldValue::Extent(extent) => extent.value(dims)?,
            _ => return Ok(field.name.clone()),
        } << field.lsb;
    }
    Ok(word.to_string())
}

fn register_signals(writes: &[(String, String)], cycles: usize) -> [TraceSignal; 3] {
    let at = |n: usize| n.checked_sub(1).and_then(|n| writes.get(n));
    let write = (0..cycles).map(|n| bit(at(n).is_some())).collect();
    let address = (0..cycles).map(|n| at(n).map(|w| w.0.clone())).collect();
    let data = (0..cycles).map(|n| at(n).map(|w| w.1.clone())).collect();
    [signal("reg_write_i", false, write), signal("reg_addr_i", true, address), signal("reg_wdata_i", true, data)]
}

pub(super) fn signal(name: &str, bus: bool, values: Vec<Option<String>>) -> TraceSignal {
    TraceSignal { name: name.into(), bus, values }
}

fn bit(value: bool) -> Option<String> {
    Some(u8::from(value).to_string())
}

/// An input offers each beat until it is taken; what `ready` does without a beat is not part of the schedule. An output's
/// beats are taken as they come.
fn stream_signals(stream: &Stream, beats: &[u64], lead: usize, cycles: usize) -> Vec<TraceSignal> {
    let job = lead..cycles;
    let moves = |n: usize| job.contains(&n) && beats.binary_search(&((n - lead) as u64)).is_ok();
    let offered = |n: usize| {
        let next = beats.partition_point(|c| lead + (*c as usize) < n);
        let waits = stream.dir == Dir::In || moves(n);
        (job.contains(&n) && next < beats.len() && waits).then_some(next)
    };
    let (with, against) = match stream.dir {
        Dir::In => ("i", "o"),
        Dir::Out => ("o", "i"),
    };
    let column = |part: &str, side: &str, bus: bool, value: &dyn Fn(usize) -> Option<String>| {
        signal(&format!("{}_{part}_{side}", stream.name), bus, (0..cycles).map(value).collect())
    };
    let ready = |n: usize| match stream.dir {
        Dir::In => offered(n).and_then(|_| bit(moves(n))),
        Dir::Out => job.contains(&n).then(|| "1".into()),
    };
    let mut signals =
        vec![column("valid", with, false, &|n| bit(offered(n).is_some())), column("ready", against, false, &ready)];
    if stream.last {
        signals.push(column("last", with, false, &|n| bit(offered(n)? + 1 == beats.len())));
    }
    signals.push(column("data", with, true, &|n| Some(offered(n)?.to_string())));
    signals
}

#[cfg(test)]
mod tests {
    use bitlathe_spec::Layout;

    use super::*;

    fn stream(dir: Dir) -> Stream {
        let layout = Layout {
            loops: vec![],
            lanes: vec![],
            group: 1,
            lane_bits: 8,
            code: "plain".into(),
            axes: vec![],
            shape: vec![],
        };
        Stream { name: "s".into(), dir, layout, signed: true, last: true, doc: String::new() }
    }

    /// One character a cycle, `.` where the value does not matter.
    fn lines(signals: &[TraceSignal]) -> Vec<String> {
        let text = |s: &TraceSignal| s.values.iter().map(|v| v.as_deref().unwrap_or(".")).collect();
        signals.iter().map(text).collect()
    }

    #[test]
    fn an_input_waits_with_its_beat_and_offers_none_after_the_last() {
        let signals = stream_signals(&stream(Dir::In), &[0, 3], 1, 6);
        assert_eq!(lines(&signals), ["011110", ".1001.", ".0111.", ".0111."]);
    }

    #[test]
    fn an_output_is_valid_when_its_beats_move() {
        let signals = stream_signals(&stream(Dir::Out), &[2, 3], 1, 6);
        assert_eq!(lines(&signals), ["000110", ".11111", "...01.", "...01."]);
    }

    #[test]
    fn registers_are_written_one_a_cycle() {
        let writes = [("0x08", "2"), ("0x10", "mult")].map(|(a, v)| (a.to_string(), v.to_string()));
        let signals = register_signals(&writes, 5);
        assert_eq!(lines(&signals), ["01100", ".0x080x10..", ".2mult.."]);
    }
}
