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

fn rows_with_reciprocals(hw: &Hardware, rows: i64, beats: i64) -> i64 {
    let known = front::latency(hw.lanes, Span::Row);
    let long_ago = -1_000_000;
    let mut s = State { taken: -1, loaded: [long_ago; 2], left: long_ago, divided: long_ago };
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
