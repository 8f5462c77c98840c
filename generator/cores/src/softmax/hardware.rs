//! Every number that the hardware of `softmax` depends on, and the latencies that the schedule is made of.

use bitlathe_golden::softmax::Output;

use super::exponential::Stage;
use super::front;
use super::lanes;
use super::scale;
use super::sum;
use crate::parts::{buffer, fifo};
use bitlathe_hdl::clog2;

/// Beats of one bank of look-up-table memory.
const LUT_MEMORY_BEATS: i64 = 32;

/// Walks over a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk {
    /// Exponentials of a beat from the maximum so far, nothing divided.
    One,
    /// Maximum and sum at once, then output.
    Two,
    /// Maximum, sum, output.
    Three,
}

/// How a running maximum rescales the sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Online {
    /// In whole octaves of 2^F steps, rounded half up.
    Octaves(i64),
    /// In steps, 32 an octave: the number of octaves is rounded, the sum is cut.
    Ita,
}

/// What a row's sum becomes before its output is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowScale {
    /// A reciprocal, for outputs of this many bits.
    Reciprocal(i64),
    /// The sum without its leading zeros.
    Magnitude,
    /// floor(65280 / sum).
    Inverse,
    /// Itself.
    Sum,
}

/// Every number that the hardware depends on.
#[derive(Clone, Debug)]
pub struct Hardware {
    /// Name of the top module.
    pub top: String,
    /// Elements of a beat.
    pub lanes: i64,
    /// Longest row.
    pub n_max: i64,
    /// Bits of an element.
    pub in_bits: i64,
    /// Walks over a row.
    pub walk: Walk,
    /// The running maximum, in fewer than three walks.
    pub online: Option<Online>,
    /// What leaves.
    pub output: Output,
    /// e(max - x).
    pub stage: Stage,
    /// Its latency, which takes the making of a lane to know.
    pub exponential_latency: i64,
    /// Bits of the least sum of a row.
    pub least_sum_bits: i64,
    /// `IMPL` of vendor macros.
    pub implementation: i64,
}

impl Hardware {
    /// Beats of the longest row.
    pub fn beats_max(&self) -> i64 {
        (self.n_max + self.lanes - 1) / self.lanes
    }

    /// Bits of a sum: room for the longest row.
    pub fn sum_bits(&self) -> i64 {
        self.stage.e_bits() + clog2(self.n_max).max(1)
    }

    /// Most leading zeros of a sum.
    pub fn most_zeros(&self) -> i64 {
        self.sum_bits() - self.least_sum_bits
    }

    /// What a row's sum becomes.
    pub fn row_scale(&self) -> RowScale {
        match (self.online, self.output) {
            (Some(Online::Ita), _) => RowScale::Inverse,
            (_, Output::U8) => RowScale::Reciprocal(8),
            (_, Output::U16) => RowScale::Reciprocal(16),
            (_, Output::Log2x4) => RowScale::Magnitude,
            (_, Output::Raw) => RowScale::Sum,
        }
    }

    /// Cycles between two reciprocals: rows of fewer beats wait.
    pub fn row_interval(&self) -> i64 {
        scale::interval(self.row_scale())
    }

    /// Whether the output waits for the row's sum.
    pub fn waits_for_sum(&self) -> bool {
        match self.walk {
            Walk::One => false,
            Walk::Two => true,
            Walk::Three => self.output != Output::Raw,
        }
    }

    /// Bits of a lane of y.
    pub fn y_bits(&self) -> i64 {
        match self.output {
            Output::U8 => 8,
            Output::U16 => 16,
            Output::Log2x4 => 4,
            Output::Raw => self.stage.e_bits(),
        }
    }

    /// Cycles from a row's last accepted beat to its offered maximum.
    pub fn maximum_latency(&self) -> i64 {
        front::maximum_latency(self.lanes)
    }

    /// Cycles from an accepted beat to its exponentials where the maximum runs along.
    pub fn online_latency(&self) -> i64 {
        front::online_latency(self.lanes) + self.exponential_latency
    }

    /// Cycles from a row's last exponentials to its offered sum.
    pub fn sum_latency(&self) -> i64 {
        sum::latency(self.lanes)
    }

    /// Cycles from a beat that leaves the last buffer to its output.
    pub fn lane_latency(&self) -> i64 {
        let lanes = lanes::latency(self.row_scale());
        if self.walk == Walk::Two { self.exponential_latency + lanes } else { lanes }
    }

    /// Cycles for which a row holds a slot beyond those of its beats: exponentials, sum, what becomes of it.
    fn residence(&self) -> i64 {
        let exponentials = if self.walk == Walk::Three { self.exponential_latency } else { self.online_latency() };
        let scale = if self.waits_for_sum() { scale::latency(self.row_scale()) } else { 0 };
        exponentials + self.sum_latency() + scale + 1
    }

    /// Cycles that a row takes at least, however short it is, where its slot is given back by the scale of its sum.
    fn least_row(&self) -> i64 {
        if self.waits_for_sum() { self.row_interval() } else { 1 }
    }

    /// log2 of the rows that may be under way between their first beat and the use of their maximum or sum: enough that rows
    /// of as many beats as a reciprocal takes never wait for a slot.
    pub fn slots_log2(&self) -> i64 {
        let least = self.least_row();
        clog2(1 + (self.residence() + least - 1) / least).max(1)
    }

    /// Beats that a buffer holds beyond a row, so that without stalls it is never full: rows shorter than the interval of
    /// reciprocals pile up until all slots are taken; longer ones wait no longer than the way of their sum.
    pub fn slack(&self) -> i64 {
        (1 << self.slots_log2()) * self.least_row().min(self.beats_max())
    }

    /// Beats that wait before or behind the exponentials.
    pub fn depth(&self) -> i64 {
        (self.beats_max() + self.slack()).max(self.least_depth())
    }

    /// A buffer that is more than one bank of look-up-table memory deep is made deep enough for block memory, of which a row of
    /// beats takes no more for it.
    pub fn least_depth(&self) -> i64 {
        if self.beats_max() + self.slack() > LUT_MEMORY_BEATS { buffer::BLOCK_FROM } else { 2 }
    }

    /// log2 of the beats that the output queue holds: all that are on their way to it.
    pub fn queue_log2(&self) -> i64 {
        let exponentials = if self.walk == Walk::Three { self.exponential_latency } else { self.online_latency() };
        clog2(exponentials + fifo::LATENCY + 1)
    }
}
