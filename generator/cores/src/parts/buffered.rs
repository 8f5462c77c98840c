//! Streams through the shared parts: `s.skid(…)` and `s.fifo(…)`.

use bitlathe_hdl::{Clock, Stream};

use super::{fifo, stream_register};

/// Buffers on the way of a stream; `last` travels with the data.
pub trait Buffered {
    /// A stream register: no path from one side to the other, two beats of room, no bubbles.
    fn skid(self, clock: &Clock, name: &str) -> Stream;
    /// A FIFO of 2^`depth_bits` beats.
    fn fifo(self, clock: &Clock, name: &str, depth_bits: i64) -> Stream;
}

impl Buffered for Stream {
    #[track_caller]
    fn skid(self, clock: &Clock, name: &str) -> Stream {
        let unit = stream_register::stream_register(self.beat_width().value());
        self.through(clock, name, &unit, &[])
    }

    #[track_caller]
    fn fifo(self, clock: &Clock, name: &str, depth_bits: i64) -> Stream {
        let unit = fifo::fifo(self.beat_width().value(), depth_bits);
        self.through(clock, name, &unit, &[("DEPTH_W", depth_bits.into())])
    }
}
