//! Draws the timing diagram: where lines, buses and shades lie. Cycles in which nothing changes are left out.

use bitlathe_templates::datasheet::Waves;

use super::timing::{Trace, TraceSignal};

const CELL: u32 = 42;
const ROW: u32 = 30;
const TOP: u32 = 24;
const SWING: u32 = 18;
/// Width of a break between cycles.
const BREAK: u32 = 12;
/// Equal cycles in a row from which on those between the first and the last are left out.
const LONG: usize = 5;

/// The drawing of a trace, with cycle numbers and a clock above it.
pub fn draw(trace: &Trace) -> Waves {
    let cycles = shown(&trace.signals);
    let signals: Vec<TraceSignal> = trace.signals.iter().map(|s| cut(s, &cycles)).collect();
    let longest = signals.iter().map(|s| s.name.chars().count()).max().unwrap_or(0);
    let left = 12 + 74 * longest as u32 / 10;
    let breaks: Vec<usize> = (1..cycles.len()).filter(|&n| cycles[n] != cycles[n - 1] + 1).collect();
    let breaks_before = |n: usize| breaks.iter().filter(|b| **b <= n).count() as u32;
    let x: Vec<u32> = (0..=cycles.len()).map(|n| left + CELL * n as u32 + BREAK * breaks_before(n)).collect();
    let width = x[cycles.len()] + 2;
    let number = |(&cycle, &x): (&usize, &u32)| Some((x + CELL / 2, cycle.checked_sub(trace.lead)?));
    let mut waves = Waves {
        width,
        height: TOP + ROW * (signals.len() as u32 + 1) + 4,
        min_width: width * 4 / 5,
        numbers: cycles.iter().zip(&x).filter_map(number).collect(),
        grid: x[..cycles.len()].to_vec(),
        moves: moves(&signals, &x),
        breaks: breaks.iter().map(|&b| x[b] - BREAK).collect(),
        break_width: BREAK,
        ..Waves::default()
    };
    waves.names.push((baseline(0), "clk_i".into()));
    waves.lines.push(clock(&x));
    for (signal, row) in signals.iter().zip(1..) {
        waves.names.push((baseline(row), signal.name.clone()));
        if signal.bus {
            draw_bus(&mut waves, signal, row, &x, &breaks);
        } else {
            draw_line(&mut waves, signal, row, &x);
        }
    }
    waves
}

/// The cycles that are drawn: of many equal ones in a row the first and the last.
fn shown(signals: &[TraceSignal]) -> Vec<usize> {
    let cycles = signals.iter().map(|s| s.values.len()).max().unwrap_or(0);
    let column = |n: usize| signals.iter().map(move |s| &s.values[n]);
    let mut shown = Vec::new();
    for equal in (0..cycles).collect::<Vec<_>>().chunk_by(|a, b| column(*a).eq(column(*b))) {
        match equal {
            [first, .., last] if equal.len() >= LONG => shown.extend([*first, *last]),
            few => shown.extend(few),
        }
    }
    shown
}

fn cut(signal: &TraceSignal, cycles: &[usize]) -> TraceSignal {
    TraceSignal { values: cycles.iter().map(|&n| signal.values[n].clone()).collect(), ..signal.clone() }
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

/// One outline for each run of equal values; the value stands before the first break.
fn draw_bus(waves: &mut Waves, signal: &TraceSignal, row: u32, x: &[u32], breaks: &[usize]) {
    for (start, end) in runs(signal) {
        let shape = outline(x[start], x[end], row);
        match &signal.values[start] {
            Some(text) => {
                waves.buses.push(shape);
                let unbroken = breaks.iter().find(|b| (start + 1..end).contains(b)).map_or(x[end], |&b| x[b] - BREAK);
                waves.values.push((u32::midpoint(x[start], unbroken), baseline(row) - 1, text.clone()));
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
fn moves(signals: &[TraceSignal], x: &[u32]) -> Vec<(u32, u32, u32, u32)> {
    let mut cells = Vec::new();
    let mut row = 0;
    for group in signals.chunk_by(|a, b| group_of(&a.name) == group_of(&b.name)) {
        let is_one = |s: &TraceSignal, n: usize| s.values.get(n).is_some_and(|v| v.as_deref() == Some("1"));
        let gates: Vec<&TraceSignal> = group
            .iter()
            .filter(|s| ["_valid_", "_ready_", "_write_"].iter().any(|part| s.name.contains(part)))
            .collect();
        for n in (0..x.len() - 1).filter(|&n| !gates.is_empty() && gates.iter().all(|s| is_one(s, n))) {
            let top = high(row + 1) - (ROW - SWING) / 2;
            cells.push((x[n], top, CELL, ROW * group.len() as u32));
        }
        row += group.len() as u32;
    }
    cells
}

/// The stream of a port, or `reg`: its name without the last two parts.
fn group_of(port: &str) -> &str {
    port.rsplitn(3, '_').nth(2).unwrap_or(port)
}

#[cfg(test)]
mod tests {
    use super::super::timing::signal;
    use super::*;

    fn bits(text: &str) -> Vec<Option<String>> {
        text.chars().map(|c| Some(c.to_string())).collect()
    }

    #[test]
    fn only_cycles_with_valid_and_ready_are_marked() {
        let signals = vec![
            signal("reg_write_i", false, bits("100")),
            signal("y_valid_o", false, bits("011")),
            signal("y_ready_i", false, bits("101")),
            signal("y_data_o", true, vec![None, Some("0".into()), Some("0".into())]),
        ];
        let waves = draw(&Trace { signals, lead: 1, ..Trace::default() });
        let left = waves.grid[0];
        let columns: Vec<u32> = waves.moves.iter().map(|m| (m.0 - left) / CELL).collect();
        assert_eq!(columns, [0, 2], "one write, one beat");
        assert_eq!(waves.values.len(), 1, "a beat that waits is one value");
        assert_eq!(waves.unknown.len(), 1);
        assert_eq!(waves.numbers, [(left + CELL * 3 / 2, 0), (left + CELL * 5 / 2, 1)], "the lead has no numbers");
    }

    #[test]
    fn a_long_wait_is_left_out_and_a_short_one_is_not() {
        let signals = vec![signal("y_valid_o", false, bits("1000000110000"))];
        let waves = draw(&Trace { signals, ..Trace::default() });
        let numbers: Vec<usize> = waves.numbers.iter().map(|n| n.1).collect();
        assert_eq!(numbers, [0, 1, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(waves.breaks, [waves.grid[2] - BREAK], "between the cycles 1 and 6");
    }
}
