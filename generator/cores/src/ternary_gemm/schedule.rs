//! The exact number of cycles of a job without stalls, as a recurrence over slabs.
//!
//! Times are cycles after the first accepted activation beat. A pass ends in the same relative state after a few passes;
//! from there on the rest is a multiplication, so a job of any length takes microseconds.

use std::collections::HashMap;

use super::control::MIN_SLAB_CYCLES;
use super::rtl::Hardware;
use crate::parts::replay;

/// Sizes of a job in units of the hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobSize {
    /// Passes over the weights.
    pub passes: i64,
    /// Slabs of activations in a pass.
    pub slabs: i64,
    /// Weight beats of a slab.
    pub beats: i64,
}

/// What the next slab needs to know of the ones before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    /// First cycle in which the next slab's activations can be loaded.
    load: i64,
    /// First cycle in which the next slab's first beat can be accepted after the beat before.
    issue: i64,
    /// From when the bank of two slabs before is free.
    free: [i64; 2],
}

impl State {
    /// At the start of a job. Resident weights are repeated once all of them are loaded.
    fn first(hw: &Hardware, size: JobSize) -> Self {
        let issue = hw.resident.map_or(0, |_| size.slabs * size.beats + replay::FIRST_BEAT_LATENCY);
        Self { issue, ..Self::default() }
    }

    fn relative(self, to: i64) -> Self {
        let r = |v: i64| v - to;
        Self { load: r(self.load), issue: r(self.issue), free: self.free.map(r) }
    }
}

/// Cycles from the first accepted input beat to the last output beat, inclusive.
pub fn cycles(hw: &Hardware, size: JobSize) -> u64 {
    let mut s = State::first(hw, size);
    let mut seen: HashMap<State, (i64, i64)> = HashMap::new();
    let (mut pass, mut end) = (0, 0);
    while pass < size.passes {
        end = run_pass(hw, size, &mut s, |_| ());
        pass += 1;
        if let Some((before, then)) = seen.insert(s.relative(end), (pass, end)) {
            let (period, step) = (pass - before, end - then);
            let skip = (size.passes - pass) / period;
            pass += skip * period;
            end += skip * step;
            s = s.relative(-skip * step);
            seen.clear();
        }
    }
    (end + output_delay(hw) + hw.batch).max(0) as u64
}

/// Cycles from an accepted weight beat of the last slab to its first output beat.
fn output_delay(hw: &Hardware) -> i64 {
    let requantize = if hw.requant.is_some() { 3 } else { 0 };
    hw.add_stage() + 2 + requantize
}

/// The cycle in which each beat of a job moves, stream by stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BeatCycles {
    /// Activations.
    pub x: Vec<u64>,
    /// Weights.
    pub w: Vec<u64>,
    /// Multipliers: one beat a tile and plane.
    pub mult: Vec<u64>,
    /// Shifts and zero points: one beat a tile.
    pub once: Vec<u64>,
    /// Outputs.
    pub y: Vec<u64>,
}

/// The same recurrence beat by beat, for small jobs.
pub fn beat_cycles(hw: &Hardware, size: JobSize) -> BeatCycles {
    let mut s = State::first(hw, size);
    let mut cycles = BeatCycles::default();
    let along = |from: i64, spacing: i64, n: i64| (0..n).map(move |i| (from + i * spacing) as u64);
    if hw.resident.is_some() {
        cycles.w.extend(along(0, 1, size.slabs * size.beats));
    }
    for _ in 0..size.passes {
        run_pass(hw, size, &mut s, |slab| {
            cycles.x.extend(along(slab.load, 1, hw.batch));
            if hw.resident.is_none() {
                cycles.w.extend(along(slab.start, slab.spacing, size.beats));
            }
            for beat in (0..size.beats).filter(|_| slab.last) {
                let accepted = slab.start + beat * slab.spacing;
                let closes = hw.requant.is_none() || (beat + 1) % hw.planes == 0;
                let taken = (accepted + hw.add_stage() + 1 + hw.batch) as u64;
                cycles.mult.push(taken);
                if closes {
                    cycles.once.push(taken);
                    cycles.y.extend(along(accepted + output_delay(hw), 1, hw.batch));
                }
            }
        });
    }
    cycles
}

/// When a slab of activations comes in and when its weight beats are accepted.
struct Slab {
    /// Its first activation beat.
    load: i64,
    /// Its first weight beat.
    start: i64,
    /// Cycles from one weight beat to the next.
    spacing: i64,
    /// Whether its sums leave the core.
    last: bool,
}

/// One pass; gives the cycle of its last accepted weight beat.
fn run_pass(hw: &Hardware, size: JobSize, s: &mut State, mut tell: impl FnMut(Slab)) -> i64 {
    let mut end = 0;
    for slab in 0..size.slabs {
        // A table waits for its bank after the activations came in, plain activations wait before.
        let (load, next_load, full) = match hw.table() {
            Some(t) => {
                let filled = (s.load + hw.batch).max(s.free[0]) + t.program().len() as i64;
                (s.load, filled, filled + 1)
            }
            None => {
                let load = s.load.max(s.free[0]);
                (load, load + hw.batch, load + hw.batch)
            }
        };
        let last = slab + 1 == size.slabs;
        let spacing = if last { hw.batch } else { 1 };
        let start = full.max(s.issue);
        end = start + (size.beats - 1) * spacing;
        tell(Slab { load, start, spacing, last });
        *s = State {
            load: next_load,
            issue: end + spacing.max(MIN_SLAB_CYCLES + 1 - size.beats),
            free: [s.free[1], end + hw.read_stage() + 1],
        };
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ternary_gemm::rtl::{Style, Tree};

    fn hardware(batch: i64, style: Style) -> Hardware {
        Hardware {
            top: "t".into(),
            implementation: 0,
            k_lanes: 24,
            m_lanes: 4,
            batch,
            planes: 1,
            act_bits: 8,
            acc_bits: 20,
            style,
            group: 3,
            tree: Tree::Fabric,
            encoding: "index5",
            slabs_max: 10,
            tiles_max: 100,
            resident: None,
            requant: None,
        }
    }

    #[test]
    fn skipping_whole_periods_changes_nothing() {
        for (batch, style) in [(1, Style::Lutram), (3, Style::Mux), (2, Style::AddSub)] {
            let hw = hardware(batch, style);
            for (slabs, beats) in [(1, 1), (3, 2), (2, 17), (7, 40)] {
                let at = |passes| cycles(&hw, JobSize { passes, slabs, beats }) as i64;
                let mut s = State::default();
                let size = JobSize { passes: 1, slabs, beats };
                let ends: Vec<i64> = (0..50).map(|_| run_pass(&hw, size, &mut s, |_| ())).collect();
                let tail = at(1) - ends[0];
                for (n, end) in ends.iter().enumerate() {
                    assert_eq!(at(n as i64 + 1), end + tail, "{batch} {style:?} {slabs} {beats} pass {n}");
                }
            }
        }
    }

    #[test]
    fn a_long_weight_stream_never_waits() {
        let hw = hardware(1, Style::Lutram);
        let c = cycles(&hw, JobSize { passes: 1, slabs: 107, beats: 183 });
        assert!((107 * 183) as f64 / c as f64 > 0.99, "{c}");
    }
}
