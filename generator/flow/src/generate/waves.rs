//! The timing diagram: a recorded handshake, or one drawn from the protocol with the values of a real job.

use bitlathe_spec::{Dir, Interface, Stream};
use bitlathe_templates::datasheet::Waves;

use super::vectors::JobVectors;

/// Signals over consecutive clock cycles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Where the values come from.
    pub origin: String,
    /// What is shown.
    pub caption: String,
    /// Signals from top to bottom.
    pub signals: Vec<TraceSignal>,
    /// Cycles before which some are left out.
    pub breaks: Vec<usize>,
}

/// One signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceSignal {
    /// Port name.
    pub name: String,
    /// Whether it is drawn as a bus with its values, rather than as a line.
    pub bus: bool,
    /// Value in each cycle: `0` or `1`, or the text of a bus; `None` where it does not matter.
    pub values: Vec<Option<String>>,
}

const CELL: u32 = 62;
const ROW: u32 = 30;
const TOP: u32 = 8;
const SWING: u32 = 18;
/// Width of a break between cycles.
const BREAK: u32 = 12;
/// Register writes shown.
const WRITES: usize = 3;

/// (valid, ready) in the cycles of the input phase, for two neighbouring inputs, and of the output phase.
const INPUTS: [[(u8, u8); 6]; 2] =
    [[(1, 1), (1, 0), (1, 1), (0, 1), (1, 1), (0, 1)], [(0, 1), (1, 1), (1, 0), (1, 1), (1, 1), (0, 1)]];
const OUTPUT: [(u8, u8); 5] = [(0, 1), (1, 1), (1, 0), (1, 1), (0, 1)];
/// Beats that the output phase moves.
const OUTPUT_BEATS: usize = 2;

/// The handshake of a core as the protocol allows it, with the writes and beats of a job.
pub fn from_protocol(interface: &Interface, job: &JobVectors) -> Trace {
    let writes: Vec<(u32, u32)> = job.writes.iter().take(WRITES).map(|w| (w.offset, w.value)).collect();
    let lead = if interface.registers.is_empty() { 1 } else { writes.len() + 2 };
    let cycles = lead + INPUTS[0].len() + OUTPUT.len();
    let mut signals = Vec::new();
    if !interface.registers.is_empty() {
        signals.extend(register_signals(&writes, cycles));
    }
    let mut inputs = INPUTS.iter().cycle();
    for (stream, beats) in interface.streams.iter().zip(&job.streams) {
        let total = beats.data.len();
        let (phase, start, first) = match stream.dir {
            Dir::In => (inputs.next().map_or(&OUTPUT[..], |p| &p[..]), lead, 0),
            Dir::Out => (&OUTPUT[..], lead + INPUTS[0].len(), total.saturating_sub(OUTPUT_BEATS)),
        };
        signals.extend(stream_signals(stream, &handshake(phase, start, cycles, first, total), total));
    }
    Trace {
        origin: format!("protocol, with the register values of the job {} in tb/; not a recording", job.name),
        caption: "Set-up, input beats and the last output beats; cycles are left out at the break".into(),
        signals,
        breaks: vec![lead + INPUTS[0].len()],
    }
}

fn register_signals(writes: &[(u32, u32)], cycles: usize) -> [TraceSignal; 3] {
    let at = |n: usize| n.checked_sub(1).and_then(|n| writes.get(n));
    let write = (0..cycles).map(|n| Some(u8::from(at(n).is_some()).to_string())).collect();
    let address = (0..cycles).map(|n| at(n).map(|w| format!("0x{:02x}", w.0))).collect();
    let data = (0..cycles).map(|n| at(n).map(|w| w.1.to_string())).collect();
    [signal("reg_write_i", false, write), signal("reg_addr_i", true, address), signal("reg_wdata_i", true, data)]
}

fn signal(name: &str, bus: bool, values: Vec<Option<String>>) -> TraceSignal {
    TraceSignal { name: name.into(), bus, values }
}

/// Valid, ready and the number of the beat offered in each cycle; no beat beyond `total` is offered.
fn handshake(phase: &[(u8, u8)], start: usize, cycles: usize, first: usize, total: usize) -> Vec<(Option<usize>, u8)> {
    let mut beat = first;
    (0..cycles)
        .map(|n| {
            let (valid, ready) = n.checked_sub(start).and_then(|n| phase.get(n)).copied().unwrap_or((0, 1));
            let offered = (valid == 1 && beat < total).then_some(beat);
            beat += usize::from(offered.is_some() && ready == 1);
            (offered, ready)
        })
        .collect()
}

fn stream_signals(stream: &Stream, cycles: &[(Option<usize>, u8)], total: usize) -> Vec<TraceSignal> {
    let (with, against) = match stream.dir {
        Dir::In => ("i", "o"),
        Dir::Out => ("o", "i"),
    };
    let name = &stream.name;
    let bit = |value: bool| Some(u8::from(value).to_string());
    let mut signals = vec![
        signal(&format!("{name}_valid_{with}"), false, cycles.iter().map(|c| bit(c.0.is_some())).collect()),
        signal(&format!("{name}_ready_{against}"), false, cycles.iter().map(|c| bit(c.1 == 1)).collect()),
    ];
    if stream.last {
        let last = cycles.iter().map(|c| bit(c.0? + 1 == total)).collect();
        signals.push(signal(&format!("{name}_last_{with}"), false, last));
    }
    let data = cycles.iter().map(|c| c.0.map(|beat| format!("beat {beat}"))).collect();
    signals.push(signal(&format!("{name}_data_{with}"), true, data));
    signals
}

/// The drawing of a trace, with a clock above it.
pub fn draw(trace: &Trace) -> Waves {
    let longest = trace.signals.iter().map(|s| s.name.chars().count()).max().unwrap_or(0);
    let cycles = trace.signals.iter().map(|s| s.values.len()).max().unwrap_or(0);
    let left = 12 + 74 * longest as u32 / 10;
    let breaks_before = |n: usize| trace.breaks.iter().filter(|b| **b <= n).count() as u32;
    let x: Vec<u32> = (0..=cycles).map(|n| left + CELL * n as u32 + BREAK * breaks_before(n)).collect();
    let width = x[cycles] + 2;
    let mut waves = Waves {
        width,
        height: TOP + ROW * (trace.signals.len() as u32 + 1) + 4,
        min_width: width * 4 / 5,
        origin: trace.origin.clone(),
        caption: trace.caption.clone(),
        grid: x[..cycles].to_vec(),
        moves: moves(trace, &x),
        breaks: trace.breaks.iter().filter(|b| **b < cycles).map(|&b| x[b] - BREAK).collect(),
        ..Waves::default()
    };
    waves.names.push((baseline(0), "clk_i".into()));
    waves.lines.push(clock(&x));
    for (signal, row) in trace.signals.iter().zip(1..) {
        waves.names.push((baseline(row), signal.name.clone()));
        if signal.bus {
            draw_bus(&mut waves, signal, row, &x);
        } else {
            draw_line(&mut waves, signal, row, &x);
        }
    }
    waves
}

fn baseline(row: u32) -> u32 {
    TOP + ROW * row + 14
}

fn high(row: u32) -> u32 {
    TOP + ROW * row
}

fn low(row: u32) -> u32 {
    high(row) + SWING
}

/// Rising at the left edge of every cycle.
fn clock(x: &[u32]) -> String {
    let (high, low) = (high(0), low(0));
    let mut path = format!("M{} {low}", x[0]);
    for pair in x.windows(2) {
        path += &format!("H{}V{high}H{}V{low}H{}", pair[0], pair[0] + CELL / 2, pair[0] + CELL);
    }
    path
}

/// One line through known values; hatched where the value does not matter.
fn draw_line(waves: &mut Waves, signal: &TraceSignal, row: u32, x: &[u32]) {
    let mut path = String::new();
    let mut joined = false;
    for (start, end) in runs(signal) {
        let Some(value) = &signal.values[start] else {
            waves.unknown.push(outline(x[start], x[end], row));
            joined = false;
            continue;
        };
        let y = if value == "1" { high(row) } else { low(row) };
        path += &if joined { format!("V{y}H{}", x[end]) } else { format!("M{} {y}H{}", x[start], x[end]) };
        joined = true;
    }
    waves.lines.push(path);
}

/// Cycles from which and up to which a signal keeps its value.
fn runs(signal: &TraceSignal) -> Vec<(usize, usize)> {
    let mut end = 0;
    let mut runs = Vec::new();
    for equal in signal.values.chunk_by(|a, b| a == b) {
        runs.push((end, end + equal.len()));
        end += equal.len();
    }
    runs
}

/// One outline for each run of equal values.
fn draw_bus(waves: &mut Waves, signal: &TraceSignal, row: u32, x: &[u32]) {
    for (start, end) in runs(signal) {
        let shape = outline(x[start], x[end], row);
        match &signal.values[start] {
            Some(text) => {
                waves.buses.push(shape);
                waves.values.push((u32::midpoint(x[start], x[end]), baseline(row) - 1, text.clone()));
            }
            None => waves.unknown.push(shape),
        }
    }
}

/// A cell with pointed ends.
fn outline(from: u32, to: u32, row: u32) -> String {
    let (high, low, middle) = (high(row), low(row), high(row) + SWING / 2);
    let (a, b) = (from + 4, to - 4);
    format!("M{from} {middle}L{a} {high}H{b}L{to} {middle}L{b} {low}H{a}Z")
}

/// Cells in which a register write or a beat moves, from the rows of its handshake to its data.
fn moves(trace: &Trace, x: &[u32]) -> Vec<(u32, u32, u32, u32)> {
    let mut cells = Vec::new();
    let mut row = 0;
    while row < trace.signals.len() {
        let group = group_of(&trace.signals[row].name);
        let rows = trace.signals[row..].iter().take_while(|s| group_of(&s.name) == group).count();
        let signals = &trace.signals[row..row + rows];
        let is_one = |s: &TraceSignal, n: usize| s.values.get(n).is_some_and(|v| v.as_deref() == Some("1"));
        let gates: Vec<&TraceSignal> = signals
            .iter()
            .filter(|s| ["_valid_", "_ready_", "_write_"].iter().any(|part| s.name.contains(part)))
            .collect();
        for n in (0..x.len() - 1).filter(|&n| !gates.is_empty() && gates.iter().all(|s| is_one(s, n))) {
            let top = high(row as u32 + 1) - (ROW - SWING) / 2;
            cells.push((x[n], top, CELL, ROW * rows as u32));
        }
        row += rows;
    }
    cells
}

/// The stream of a port, or `reg`: its name without the last two parts.
fn group_of(port: &str) -> &str {
    port.rsplitn(3, '_').nth(2).unwrap_or(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beat_waits_with_its_number_and_none_follows_the_last() {
        let beats: Vec<Option<usize>> = handshake(&INPUTS[0], 1, 8, 0, 2).iter().map(|c| c.0).collect();
        assert_eq!(beats, [None, Some(0), Some(1), Some(1), None, None, None, None]);
    }

    #[test]
    fn only_cycles_with_valid_and_ready_are_marked() {
        let bits = |text: &str| text.chars().map(|c| Some(c.to_string())).collect();
        let signals = vec![
            signal("reg_write_i", false, bits("100")),
            signal("y_valid_o", false, bits("011")),
            signal("y_ready_i", false, bits("101")),
            signal("y_data_o", true, vec![None, Some("beat 0".into()), Some("beat 0".into())]),
        ];
        let waves = draw(&Trace { signals, ..Trace::default() });
        let left = waves.grid[0];
        let columns: Vec<u32> = waves.moves.iter().map(|m| (m.0 - left) / CELL).collect();
        assert_eq!(columns, [0, 2], "one write, one beat");
        assert_eq!(waves.values.len(), 1, "a beat that waits is one value");
        assert_eq!(waves.unknown.len(), 1);
    }
}
