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
}

impl Sizes {
    /// Keys that a block sees at most.
    fn seen(&self, hw: &Hardware, block: i64) -> i64 {
        let first = block * hw.n % self.queries;
        if !hw.causal || first + hw.n >= self.queries { self.keys } else { first + hw.n + self.keys - self.queries }
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
#[derive(Clone, Copy, Debug)]
struct Tile {
    first: bool,
    last: bool,
    streamed: bool,
}

struct Machine<'a> {
    hw: &'a Hardware,
    columns: i64,
    beats: Beats,
    /// The next cycle in which a column may enter.
    free: i64,
    /// The last column of the last A.
    last_a: i64,
    /// Blocks of q: when each lot of columns began to come in, how many tiles took their first, and when a block left memory.
    q_next: i64,
    q_left: VecDeque<i64>,
    q_used: usize,
    /// When blocks that have begun gave back their slot; the first are those before the job.
    slots: VecDeque<i64>,
    /// The last sum that was read; the last division of each lane; the beginning of the last quarter.
    fed: i64,
    lanes: Vec<i64>,
    began: i64,
    older: Option<Tile>,
    newer: Option<Tile>,
}

/// Long before the job.
const AGO: i64 = -1_000_000;

/// When the beats of a job move.
pub fn beats(hw: &Hardware, sizes: Sizes) -> Beats {
    let slots = || VecDeque::from(vec![AGO; 1 << hw.slot_bits()]);
    let mut m = Machine {
        hw,
        columns: sizes.columns,
        beats: Beats::default(),
        free: 0,
        last_a: AGO,
        q_next: 0,
        q_left: slots(),
        q_used: 0,
        slots: slots(),
        fed: AGO,
        lanes: vec![AGO; hw.output_lanes() as usize],
        began: AGO,
        older: None,
        newer: None,
    };
    let blocks = (sizes.rows + hw.n - 1) / hw.n;
    for _ in 0..sizes.kv_heads {
        for group in (0..blocks).step_by(hw.resident as usize) {
            let tiles = (sizes.seen(hw, group) + hw.n - 1) / hw.n;
            for tile in 0..tiles {
                for r in 0..hw.resident.min(blocks - group) {
                    m.tile(Tile { first: tile == 0, last: tile + 1 == tiles, streamed: r == 0 });
                }
            }
        }
    }
    while m.older.is_some() {
        m.values();
    }
    m.beats
}

/// Cycles from the first accepted input beat to the last output beat, inclusive.
pub fn cycles(hw: &Hardware, sizes: Sizes) -> u64 {
    beats(hw, sizes).o.last().map_or(0, |o| (o + sizes.columns) as u64)
}

impl Machine<'_> {
    /// A of a tile, then B of the one before.
    fn tile(&mut self, t: Tile) {
        let mut start = self.free;
        if t.first {
            // A column of q can be read the cycle after it came in.
            let loaded = self.load();
            start = start.max(loaded + 1);
        }
        let mut end = (start + self.columns - 1).max(self.last_a + self.hw.probability_latency());
        if t.first {
            end = end.max(self.slots.pop_front().unwrap_or(AGO) + 1);
        }
        if t.streamed {
            self.beats.k.push((start, end));
        }
        if t.last {
            self.q_left.push_back(end);
        }
        self.last_a = end;
        self.free = end + 1;
        if self.older.is_some() {
            self.newer = Some(t);
            self.values();
        } else {
            self.older = Some(t);
        }
    }

    /// The first cycle of the next block of q.
    fn load(&mut self) -> i64 {
        // Blocks come in as soon as there is room, long before they are used.
        while self.beats.q.len() <= self.q_used {
            let room = self.q_left.pop_front().unwrap_or(AGO) + 1;
            let start = self.q_next.max(room);
            self.beats.q.push(start);
            self.q_next = start + self.columns;
        }
        self.q_used += 1;
        self.beats.q[self.q_used - 1]
    }

    /// B of the older tile.
    fn values(&mut self) {
        let Some(t) = self.older.take() else { return };
        if self.newer.is_none() {
            self.free = self.free.max(self.last_a + self.hw.probability_latency() + 1);
        }
        if t.streamed {
            self.beats.v.push(self.free);
        }
        self.free += self.columns;
        if t.last {
            self.leave(self.free - 1);
        }
        self.older = self.newer.take();
    }

    /// A block whose last column of v entered at a cycle.
    fn leave(&mut self, entered: i64) {
        let there = entered + 1 + self.hw.block_latency() + fifo::LATENCY;
        for _ in 0..PARTS {
            let mut offered = AGO;
            for lane in &mut self.lanes {
                // l is read for one lane a cycle. It waits, normalised, for the divider, which is free once its quotient was taken over.
                self.fed = there.max(self.fed + 1).max(*lane);
                *lane = (self.fed + 1).max(self.began + 1);
                offered = *lane + output::division();
            }
            self.began = offered.max(self.began + self.columns);
            self.beats.o.push(self.began + 1 + self.hw.output_latency());
        }
        self.slots.push_back(self.began + self.columns);
    }
}
