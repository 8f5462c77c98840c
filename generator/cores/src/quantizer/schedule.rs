//! The exact number of cycles of a job without stalls.

use super::absmax;
use super::front::{self, Span};
use super::iqr;
use super::mx;
use super::rtl::{Hardware, Method};

/// Cycles from the first accepted input beat to the last output beat, inclusive, for a tensor of rows of columns.
pub fn cycles(hw: &Hardware, rows: i64, columns: i64) -> u64 {
    let beats = (columns + hw.lanes - 1) / hw.lanes;
    let total = rows * beats;
    let cycles = match hw.method {
        Method::Iqr(_) => total - 1 + iqr::scan_cycles(hw.lanes) + total + hw.latency(),
        Method::Hadamard { size } => total + hw.stages(size).latency(),
        Method::Mx { block, .. } => {
            // Groups leave one after the other; the longest of them was waited for once.
            let span = hw.mx_span(block);
            let known = front::latency(hw.lanes, span);
            total - 1 + span.beats(beats) + known + 1 + mx::LANE_LATENCY
        }
        Method::Absmax { .. } => rows_with_reciprocals(hw, rows, beats),
        _ => total + hw.latency(),
    };
    cycles as u64
}

/// When the rows of `absmax` were taken, loaded and done, as seen from the one that follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    /// Last cycle in which a beat of the row before was taken.
    taken: i64,
    /// Cycle in which the row before took its reciprocal, and the row before that.
    loaded: [i64; 2],
    /// Cycle in which the last beat of the row before left the buffer.
    left: i64,
    /// Cycle in which the divider took the row before.
    divided: i64,
}

impl State {
    /// Before a job.
    fn first() -> Self {
        let long_ago = -1_000_000;
        Self { taken: -1, loaded: [long_ago; 2], left: long_ago, divided: long_ago }
    }

    fn next(self, known: i64, beats: i64) -> Self {
        // Two rows wait for their reciprocal at most.
        let start = (self.taken + 1).max(self.loaded[1] + 1);
        let taken = start + beats - 1;
        let offered = taken + known;
        let normalised = offered.max(self.divided);
        let divided = (normalised + 1).max(self.loaded[0] + 1);
        let loaded = (divided + absmax::scale_latency() - 1).max(self.left);
        Self { taken, loaded: [loaded, self.loaded[0]], left: loaded + beats, divided }
    }

    fn later(self, by: i64) -> Self {
        let Self { taken, loaded, left, divided } = self;
        Self { taken: taken + by, loaded: loaded.map(|c| c + by), left: left + by, divided: divided + by }
    }
}

/// The cycle in which each beat of a job moves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BeatCycles {
    /// Elements.
    pub x: Vec<u64>,
    /// Parameters, where they are streams: together with the elements that they scale.
    pub parameters: Vec<u64>,
    /// Outputs.
    pub y: Vec<u64>,
    /// `amax`, `e` or `thr`.
    pub side: Vec<u64>,
}

impl BeatCycles {
    /// A group leaves the buffer: its scale was loaded, its side output and its beats follow.
    fn group(&mut self, loaded: i64, beats: i64, latency: i64) {
        self.side.push((loaded + 1) as u64);
        self.y.extend(along(loaded + 1 + latency, beats));
    }
}

fn along(from: i64, beats: i64) -> impl Iterator<Item = u64> {
    (from..from + beats).map(|c| c as u64)
}

/// Beat by beat, for small jobs.
pub fn beat_cycles(hw: &Hardware, rows: i64, columns: i64) -> BeatCycles {
    let beats = (columns + hw.lanes - 1) / hw.lanes;
    let total = rows * beats;
    let mut c = BeatCycles { x: along(0, total).collect(), ..BeatCycles::default() };
    match hw.method {
        Method::Iqr(_) => {
            let second = total - 1 + iqr::scan_cycles(hw.lanes);
            c.x.extend(along(second, total));
            c.parameters = along(second, total).collect();
            c.side = vec![second as u64 - 1];
            c.y = along(second + hw.latency(), total).collect();
        }
        Method::Hadamard { size } => c.y = along(hw.stages(size).latency(), total).collect(),
        Method::Mx { block, .. } => {
            let span = hw.mx_span(block);
            let (known, longest) = (front::latency(hw.lanes, span), span.beats(beats));
            let (mut taken, mut free) = (-1, 0);
            for _ in 0..rows {
                for first in (0..beats).step_by(longest as usize) {
                    let group = longest.min(beats - first);
                    taken += group;
                    let loaded = (taken + known).max(free);
                    free = loaded + group;
                    c.group(loaded, group, mx::LANE_LATENCY);
                }
            }
        }
        Method::Absmax { .. } => {
            let known = front::latency(hw.lanes, Span::Row);
            let mut s = State::first();
            c.x.clear();
            for _ in 0..rows {
                s = s.next(known, beats);
                c.x.extend(along(s.taken + 1 - beats, beats));
                c.group(s.loaded[0], beats, absmax::LANE_LATENCY);
            }
        }
        _ => {
            c.parameters = c.x.clone();
            c.y = along(hw.latency(), total).collect();
        }
    }
    c
}

fn rows_with_reciprocals(hw: &Hardware, rows: i64, beats: i64) -> i64 {
    let known = front::latency(hw.lanes, Span::Row);
    let mut s = State::first();
    let mut row = 0;
    while row < rows {
        let next = s.next(known, beats);
        row += 1;
        // Once every row only repeats the one before, the rest is a multiplication.
        let step = next.taken - s.taken;
        let steady = next == s.later(step);
        s = next;
        if steady {
            s = s.later(step * (rows - row));
            break;
        }
    }
    s.left + absmax::LANE_LATENCY + 1
}
