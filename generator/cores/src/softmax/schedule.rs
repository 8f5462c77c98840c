//! The exact number of cycles of a job without stalls.

use std::collections::VecDeque;

use super::hardware::{Hardware, RowScale, Walk};
use super::scale;
use crate::parts::fifo;

/// Cycles from the first accepted input beat to the last output beat, inclusive, for rows of `n` elements.
pub fn cycles(hw: &Hardware, rows: i64, n: i64) -> u64 {
    let beats = (n + hw.lanes - 1) / hw.lanes;
    let mut s = State::first(hw);
    let mut row = 0;
    while row < rows {
        let next = s.next(hw, beats);
        row += 1;
        // Once every row only repeats the one before, the rest is a multiplication.
        let step = next.row.taken - s.row.taken;
        let steady = next == s.clone().later(step);
        s = next;
        if steady {
            s = s.later(step * (rows - row));
            break;
        }
    }
    let last = s.row.side.unwrap_or(0).max(s.row.y + beats - 1);
    (last + 1) as u64
}

/// When a row passes the stages of the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    /// Last input beat.
    taken: i64,
    /// Its maximum was taken over for the second of three walks, and the cycle of that walk's last beat.
    second: i64,
    second_left: i64,
    /// A normalised sum was taken, the divider took it.
    normalised: i64,
    divided: i64,
    /// Its words were taken over for the last walk, and the cycle of that walk's last beat.
    last: i64,
    last_left: i64,
    /// First output beat.
    y: i64,
    /// Beat of `sum`.
    side: Option<i64>,
}

impl Row {
    fn later(mut self, by: i64) -> Self {
        for cycle in [
            &mut self.taken,
            &mut self.second,
            &mut self.second_left,
            &mut self.normalised,
            &mut self.divided,
            &mut self.last,
            &mut self.last_left,
            &mut self.y,
        ] {
            *cycle += by;
        }
        self.side = self.side.map(|c| c + by);
        self
    }
}

/// The row before, and what the slots of a row hang on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    row: Row,
    /// When the last rows gave back their slots: of the input, and of the sums.
    slots: [VecDeque<i64>; 2],
}

impl State {
    /// Before a job.
    fn first(hw: &Hardware) -> Self {
        let ago = -1_000_000;
        let slots = || VecDeque::from(vec![ago; 1 << hw.slots_log2()]);
        let row = Row {
            taken: -1,
            second: ago,
            second_left: ago,
            normalised: ago,
            divided: ago,
            last: ago,
            last_left: ago,
            y: ago,
            side: None,
        };
        Self { row, slots: [slots(), slots()] }
    }

    fn later(mut self, by: i64) -> Self {
        self.slots.iter_mut().flatten().for_each(|c| *c += by);
        Self { row: self.row.later(by), ..self }
    }

    /// A slot is free the cycle after it was given back.
    fn slot(&mut self, kind: usize) -> i64 {
        self.slots[kind].pop_front().map_or(0, |c| c + 1)
    }

    fn next(&self, hw: &Hardware, beats: i64) -> Self {
        let mut s = self.clone();
        let before = self.row;
        let start = (before.taken + 1).max(s.slot(0));
        let taken = start + beats - 1;
        let mut row = Row { taken, ..before };
        // The cycle in which the row's last exponentials are there.
        let summed = if hw.walk == Walk::Three {
            row.second = (taken + hw.maximum_latency()).max(before.second_left).max(s.slot(1));
            row.second_left = row.second + beats;
            s.slots[0].push_back(row.second);
            row.second_left + hw.exponential_latency
        } else {
            taken + hw.online_latency()
        };
        let offered = summed + hw.sum_latency();
        let sum_slot = usize::from(hw.walk == Walk::Three);
        if !hw.waits_for_sum() {
            // Sums leave as they come, exponentials before them.
            row.side = Some(offered);
            row.y = summed - (beats - 1) + fifo::LATENCY;
            s.slots[sum_slot].push_back(offered);
            return Self { row, ..s };
        }
        let ready = row.scaled(hw, offered, &before);
        row.last = ready.max(before.last_left);
        row.last_left = row.last + beats;
        row.y = row.last + 1 + hw.lane_latency();
        if hw.row_scale() == RowScale::Sum {
            row.side = Some(row.last + 1);
        }
        s.slots[sum_slot].push_back(row.last);
        Self { row, ..s }
    }
}

impl Row {
    /// When a sum that is offered has become what the last walk needs.
    fn scaled(&mut self, hw: &Hardware, offered: i64, before: &Self) -> i64 {
        let scale = hw.row_scale();
        let division = scale::division(scale);
        let mut ready = offered;
        if scale::normalises(scale) {
            // The register in front is free when what follows took the row before.
            let freed = if division.is_some() { before.divided } else { before.last };
            self.normalised = offered.max(freed);
            ready = self.normalised + 1;
        }
        if let Some(cycles) = division {
            self.divided = ready.max(before.last + 1);
            ready = self.divided + cycles;
        }
        ready
    }
}

/// The cycle in which each beat of a job moves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BeatCycles {
    /// Elements.
    pub x: Vec<u64>,
    /// Outputs, and the maxima that leave with them.
    pub y: Vec<u64>,
    /// Sums.
    pub sum: Vec<u64>,
}

/// Beat by beat, for small jobs.
pub fn beat_cycles(hw: &Hardware, rows: i64, n: i64) -> BeatCycles {
    let beats = (n + hw.lanes - 1) / hw.lanes;
    let along = |from: i64| (from..from + beats).map(|c| c as u64);
    let mut s = State::first(hw);
    let mut c = BeatCycles::default();
    for _ in 0..rows {
        s = s.next(hw, beats);
        c.x.extend(along(s.row.taken + 1 - beats));
        c.y.extend(along(s.row.y));
        c.sum.extend(s.row.side.map(|c| c as u64));
    }
    c
}
