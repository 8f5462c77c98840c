//! The exact cycles of a job without stalls, by a recurrence over tiles and over the quarters of blocks that leave.

use std::collections::VecDeque;

use super::hardware::{Hardware, PARTS};
use super::output;
use crate::parts::fifo;

/// Sizes of a job as the array sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Key/value heads.
    pub kv_heads: i64,
    /// Queries of all heads that share a key/value head.
    pub rows: i64,
    /// Queries of a head.
    pub queries: i64,
    /// Keys of a head.
    pub keys: i64,
    /// Columns of a head.
    pub columns: i64,
    /// Whether the job is masked.
    pub causal: bool,
}

impl Sizes {
    /// Keys that the blocks of a walk see at most: all, where they hold a head's last query.
    fn seen(&self, hw: &Hardware, walk: i64) -> i64 {
        let rows = hw.n * hw.resident;
        let end = walk * rows % self.queries + rows;
        if !self.causal || end >= self.queries { self.keys } else { end + self.keys - self.queries }
    }
}

/// The first cycle of each run of `columns` beats that follow each other, but for the last beat of a tile of k, which may wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beats {
    /// Blocks of q.
    pub q: Vec<i64>,
    /// Tiles of k: the first and the last beat.
    pub k: Vec<(i64, i64)>,
    /// Tiles of v.
    pub v: Vec<i64>,
    /// Quarters of blocks of o.
    pub o: Vec<i64>,
}

/// A tile on its way through the array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tile {
    first: bool,
    last: bool,
    streamed: bool,
}

/// What the array is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Array {
    /// The next cycle in which a column may enter.
    free: i64,
    /// The last column of the last A.
    last_a: i64,
    /// Tiles whose v are to come.
    older: Option<Tile>,
    newer: Option<Tile>,
}

/// All that decides when later beats move.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    array: Array,
    /// When the next block of q may begin to come in, and when blocks left memory that later ones wait for.
    q_next: i64,
    q_left: VecDeque<i64>,
    /// When blocks gave back their slots.
    slots: VecDeque<i64>,
    /// The last l that was read; the last division of each lane; the beginning of the last quarter that left.
    fed: i64,
    lanes: Vec<i64>,
    began: i64,
}

/// Long before the job.
const AGO: i64 = -1_000_000;

impl Array {
    fn later(self, by: i64) -> Self {
        Self { free: self.free + by, last_a: self.last_a + by, ..self }
    }
}

impl State {
    /// Before a job.
    fn first(hw: &Hardware) -> Self {
        let slots = || VecDeque::from(vec![AGO; 1 << hw.slot_bits()]);
        Self {
            array: Array { free: 0, last_a: AGO, older: None, newer: None },
            q_next: 0,
            q_left: slots(),
            slots: slots(),
            fed: AGO,
            lanes: vec![AGO; hw.output_lanes() as usize],
            began: AGO,
        }
    }

    fn later(mut self, by: i64) -> Self {
        self.array = self.array.later(by);
        let times = self.q_left.iter_mut().chain(&mut self.slots).chain(&mut self.lanes);
        times.chain([&mut self.q_next, &mut self.fed, &mut self.began]).for_each(|t| *t += by);
        self
    }
}

struct Machine<'a> {
    hw: &'a Hardware,
    sizes: Sizes,
    state: State,
    /// Every beat, where they are asked for: then nothing is skipped.
    beats: Option<Beats>,
}

/// When the beats of a job move.
pub fn beats(hw: &Hardware, sizes: Sizes) -> Beats {
    let mut m = Machine { hw, sizes, state: State::first(hw), beats: Some(Beats::default()) };
    m.job();
    m.beats.unwrap_or_default()
}

/// Cycles from the first accepted input beat to the last output beat, inclusive.
pub fn cycles(hw: &Hardware, sizes: Sizes) -> u64 {
    let mut m = Machine { hw, sizes, state: State::first(hw), beats: None };
    m.job();
    (m.state.began + 1 + hw.output_latency() + sizes.columns) as u64
}

impl Machine<'_> {
    fn job(&mut self) {
        let blocks = (self.sizes.rows + self.hw.n - 1) / self.hw.n;
        let (walks, rest) = (blocks / self.hw.resident, blocks % self.hw.resident);
        self.repeat(self.sizes.kv_heads, |m, _| {
            if m.sizes.causal {
                (0..walks).for_each(|walk| m.walk(walk, m.hw.resident));
            } else {
                m.repeat(walks, |m, _| m.walk(0, m.hw.resident));
            }
            if rest > 0 {
                m.walk(walks, rest);
            }
        });
        while self.state.array.older.is_some() {
            self.values();
        }
    }

    /// Repeats a step; once it only repeats the one before, the rest is a multiplication.
    fn repeat(&mut self, times: i64, step: impl Fn(&mut Self, i64)) {
        for n in 0..times {
            let before = self.state.clone();
            step(self, n);
            let by = self.state.array.free - before.array.free;
            if self.beats.is_none() && self.state == before.later(by) {
                self.state = self.state.clone().later(by * (times - 1 - n));
                return;
            }
        }
    }

    /// A walk over the keys for some blocks.
    fn walk(&mut self, number: i64, blocks: i64) {
        let tiles = (self.sizes.seen(self.hw, number) + self.hw.n - 1) / self.hw.n;
        let mut tile = 0;
        while tile < tiles {
            let before = self.state.array;
            for r in 0..blocks {
                self.tile(Tile { first: tile == 0, last: tile + 1 == tiles, streamed: r == 0 });
            }
            tile += 1;
            let by = self.state.array.free - before.free;
            // Tiles that are neither first nor last, nor follow the last of other blocks, touch nothing but the array.
            if self.beats.is_none() && tile > 2 && tile + 1 < tiles && self.state.array == before.later(by) {
                self.state.array = self.state.array.later(by * (tiles - 1 - tile));
                tile = tiles - 1;
            }
        }
    }

    /// A of a tile, then B of the one before.
    fn tile(&mut self, t: Tile) {
        let columns = self.sizes.columns;
        let mut start = self.state.array.free;
        if t.first {
            // A column of q can be read the cycle after it came in.
            start = start.max(self.load() + 1);
        }
        let s = &mut self.state;
        let mut end = (start + columns - 1).max(s.array.last_a + self.hw.probability_latency());
        if t.first {
            end = end.max(s.slots.pop_front().unwrap_or(AGO) + 1);
        }
        if t.last {
            s.q_left.push_back(end);
        }
        s.array.last_a = end;
        s.array.free = end + 1;
        if let (Some(beats), true) = (&mut self.beats, t.streamed) {
            beats.k.push((start, end));
        }
        if s.array.older.is_some() {
            s.array.newer = Some(t);
            self.values();
        } else {
            s.array.older = Some(t);
        }
    }

    /// The first cycle of the next block of q, which comes in as soon as there is room.
    fn load(&mut self) -> i64 {
        let s = &mut self.state;
        let start = s.q_next.max(s.q_left.pop_front().unwrap_or(AGO) + 1);
        s.q_next = start + self.sizes.columns;
        if let Some(beats) = &mut self.beats {
            beats.q.push(start);
        }
        start
    }

    /// B of the older tile.
    fn values(&mut self) {
        let array = &mut self.state.array;
        let Some(t) = array.older.take() else { return };
        if array.newer.is_none() {
            array.free = array.free.max(array.last_a + self.hw.probability_latency() + 1);
        }
        if let (Some(beats), true) = (&mut self.beats, t.streamed) {
            beats.v.push(array.free);
        }
        array.free += self.sizes.columns;
        array.older = array.newer.take();
        if t.last {
            let entered = array.free - 1;
            self.leave(entered);
        }
    }

    /// A block whose last column of v entered at a cycle.
    fn leave(&mut self, entered: i64) {
        let there = entered + 1 + self.hw.block_latency() + fifo::LATENCY;
        let s = &mut self.state;
        for _ in 0..PARTS {
            let mut offered = AGO;
            for lane in &mut s.lanes {
                // l is read for one lane a cycle. It waits, normalised, for the divider, which is free once its quotient was taken over.
                s.fed = there.max(s.fed + 1).max(*lane);
                *lane = (s.fed + 1).max(s.began + 1);
                offered = *lane + output::division();
            }
            s.began = offered.max(s.began + self.sizes.columns);
            if let Some(beats) = &mut self.beats {
                beats.o.push(s.began + 1 + self.hw.output_latency());
            }
        }
        s.slots.push_back(s.began + self.sizes.columns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flash_attention::FlashAttention;
    use crate::room::Room;

    /// What is skipped is what would have been counted.
    #[test]
    fn cycles_are_those_of_the_last_beat() {
        for config in FlashAttention::space().cover().into_iter().step_by(2) {
            let config = serde_json::from_value(config).unwrap();
            let core = FlashAttention::core(config).unwrap_or_else(|e| panic!("{e:?}"));
            let hw = &core.0.hardware;
            for (kv_heads, heads, queries, keys, columns) in [
                (1, 1, 1, 1, 1),
                (1, 1, 300, 300, 7),
                (3, 6, 77, 200, 1),
                (9, 9, 21, 400, 19),
                (7, 14, 40, 41, 64),
                (2, 4, 500, 503, 3),
            ] {
                let causal = hw.causal && columns % 2 == 1;
                let sizes = Sizes { kv_heads, rows: heads / kv_heads * queries, queries, keys, columns, causal };
                let last = beats(hw, sizes).o.last().map(|o| (o + columns) as u64);
                assert_eq!(Some(cycles(hw, sizes)), last, "{hw:?} {sizes:?}");
            }
        }
    }
}
