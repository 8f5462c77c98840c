//! Valid/ready streams as values: each is consumed exactly once, and its handshake cannot be forgotten.

use std::cell::Cell;
use std::rc::Rc;

use crate::dim::Dim;
use crate::error::Code;
use crate::expr::{Expr, Ty, bit, concat, uint};
use crate::module::{Clock, Module, Unit, Wire};

/// A channel inside a module: data (and `last`) that moves in a cycle with both `valid` and `ready`.
///
/// An offered beat stays until it is taken, and `valid` never waits for `ready`; every method here keeps to that when the
/// streams it consumes do. A stream that nothing consumes is refused (`H008`); a second consumer does not compile:
///
/// ```compile_fail,E0382
/// use bitlathe_hdl::{Module, uint};
///
/// let m = Module::new("twice");
/// let s = m.sink("s", uint(8), false);
/// s.source("a");
/// s.source("b"); // use of moved value
/// ```
#[must_use]
pub struct Stream {
    module: Module,
    name: String,
    valid: Expr,
    data: Expr,
    last: Option<Expr>,
    ready: Wire,
    taken: Rc<Cell<bool>>,
}

/// The wires of a consumed stream. Whoever holds it has driven `ready`.
pub struct Beat {
    /// The source offers a beat.
    pub valid: Expr,
    /// The beat.
    pub data: Expr,
    /// It is the last one, where the stream has `last`.
    pub last: Option<Expr>,
}

impl Module {
    /// An input stream: ports `<name>_valid_i`, `<name>_ready_o`, `<name>_data_i` and, on request, `<name>_last_i`.
    #[track_caller]
    pub fn sink(&self, name: &str, ty: Ty, last: bool) -> Stream {
        let valid = self.input(&format!("{name}_valid_i"), bit());
        let ready = self.output_wire(&format!("{name}_ready_o"), bit());
        let data = self.input(&format!("{name}_data_i"), ty);
        let last = last.then(|| self.input(&format!("{name}_last_i"), bit()));
        self.stream(name, valid, data, last, ready)
    }

    /// A stream from wires of this module; its consumer drives `ready`.
    #[track_caller]
    pub fn stream(&self, name: &str, valid: Expr, data: Expr, last: Option<Expr>, ready: Wire) -> Stream {
        let taken = Rc::default();
        self.mark_stream(name, &taken);
        Stream { module: self.clone(), name: name.into(), valid, data, last, ready, taken }
    }

    /// Two streams beat by beat: moves when both are valid. `combine` makes the joint data; it is the last when either
    /// says so.
    #[track_caller]
    pub fn join(&self, name: &str, a: Stream, b: Stream, combine: impl FnOnce(&Expr, &Expr) -> Expr) -> Stream {
        let ready = self.wire_later(&format!("{name}_ready"), bit());
        let (av, bv) = (a.valid.clone(), b.valid.clone());
        let x = a.take(&(&bv & &*ready));
        let y = b.take(&(&av & &*ready));
        let valid = self.wire(&format!("{name}_valid"), &(x.valid & y.valid));
        let data = self.wire(&format!("{name}_data"), &combine(&x.data, &y.data));
        let last = match (x.last, y.last) {
            (Some(x), Some(y)) => Some(self.wire(&format!("{name}_last"), &(x | y))),
            (x, y) => x.or(y),
        };
        self.stream(name, valid, data, last, ready)
    }

    /// The beats of two streams as one. When both wait they take turns; where they carry `last`, by whole packets.
    #[track_caller]
    pub fn arbiter(&self, clock: &Clock, name: &str, first: Stream, second: Stream) -> Stream {
        let named = |what: &str| format!("{name}_{what}");
        if first.last.is_some() != second.last.is_some() {
            self.error(
                Code::Mismatch,
                format!("one input of arbiter `{name}` carries `last`, the other does not"),
                "give both `last`, or neither",
            );
        }
        let ready = self.wire_later(&named("ready"), bit());
        let turn = clock.reg(&named("turn_q"), bit()).reset_to(0);
        self.describe(&turn, "the second goes first");
        let (xv, yv) = (first.valid.clone(), second.valid.clone());
        let choice = !&xv | (&*turn & &yv);
        let within = first.last.is_some().then(|| clock.reg(&named("within_q"), bit()).reset_to(0));
        let second_goes = match &within {
            Some(within) => within.select(&*turn, &choice),
            None => choice,
        };
        let pick = self.wire(&named("second"), &second_goes);
        let x = first.take(&(&*ready & !&pick));
        let y = second.take(&(&*ready & &pick));
        let valid = self.wire(&named("valid"), &pick.select(&yv, &xv));
        let data = self.wire(&named("data"), &pick.select(&y.data, &x.data));
        let last = x.last.zip(y.last).map(|(x, y)| self.wire(&named("last"), &pick.select(&y, &x)));
        // Who is offered keeps its turn until it is taken, so that the offer stays; then it is the other's.
        let over = match &last {
            Some(last) => &*ready & last,
            None => (*ready).clone(),
        };
        turn.next_when(&valid, &pick ^ &over);
        if let (Some(within), Some(last)) = (within, &last) {
            let moved = self.wire(&named("moved"), &(&valid & &*ready));
            within.next_when(&moved, !last);
        }
        self.stream(name, valid, data, last, ready)
    }
}

impl Stream {
    /// The type of its data.
    pub fn ty(&self) -> &Ty {
        self.data.ty()
    }

    /// Consumes the stream: `ready` says when a beat is accepted.
    #[track_caller]
    pub fn take(self, ready: &Expr) -> Beat {
        self.taken.set(true);
        self.ready.drive(ready);
        Beat { valid: self.valid, data: self.data, last: self.last }
    }

    /// Ends in an output stream: ports `<name>_valid_o`, `<name>_ready_i`, `<name>_data_o` and `<name>_last_o`.
    #[track_caller]
    pub fn source(self, name: &str) {
        let m = self.module.clone();
        let ready = m.input(&format!("{name}_ready_i"), bit());
        let beat = self.take(&ready);
        m.output(&format!("{name}_valid_o"), &beat.valid);
        m.output(&format!("{name}_data_o"), &beat.data);
        if let Some(last) = &beat.last {
            m.output(&format!("{name}_last_o"), last);
        }
    }

    /// Other data, same handshake.
    #[track_caller]
    pub fn map(self, name: &str, f: impl FnOnce(&Expr) -> Expr) -> Self {
        let m = self.module.clone();
        let ready = m.wire_later(&format!("{name}_ready"), bit());
        let beat = self.take(&ready);
        let data = m.wire(&format!("{name}_data"), &f(&beat.data));
        m.stream(name, beat.valid, data, beat.last, ready)
    }

    /// `n` registers in a row; a beat moves on whenever the next register is free.
    #[track_caller]
    pub fn pipe(self, clock: &Clock, n: u32) -> Self {
        let m = self.module.clone();
        let mut s = self;
        for step in 0..n {
            let name = format!("{}_p{step}", s.name);
            let ready = m.wire_later(&format!("{name}_ready"), bit());
            let valid = clock.reg(&format!("{name}_valid_q"), bit()).reset_to(0);
            let data = clock.reg(&format!("{name}_data_q"), s.data.ty().clone());
            let accept = m.wire(&format!("{name}_accept"), &(&*ready | !&*valid));
            let beat = s.take(&accept);
            valid.next_when(&accept, &beat.valid);
            data.next_when(&accept, &beat.data);
            let last = beat.last.map(|l| {
                let r = clock.reg(&format!("{name}_last_q"), bit());
                r.next_when(&accept, &l);
                (*r).clone()
            });
            s = m.stream(&name, (*valid).clone(), (*data).clone(), last, ready);
        }
        s
    }

    /// Bits of a beat as [`Stream::through`] packs it: the data, and `last` above it.
    pub fn beat_width(&self) -> Dim {
        if self.last.is_some() { self.data.width() + 1 } else { self.data.width().clone() }
    }

    /// Through a module that has ports `s_valid_i … m_data_o` and parameter `WIDTH` for [`Stream::beat_width`] bits, such as a
    /// FIFO or a skid register.
    #[track_caller]
    pub fn through(self, clock: &Clock, name: &str, unit: &Rc<Unit>, params: &[(&str, Dim)]) -> Self {
        let m = self.module.clone();
        let (beat_width, ty, has_last) = (self.beat_width(), self.data.ty().clone(), self.last.is_some());
        let accept = m.wire_later(&format!("{name}_accept"), bit());
        let beat = self.take(&accept);
        let packed = match &beat.last {
            Some(last) => concat(&[last, &beat.data]),
            None => beat.data.as_unsigned(),
        };
        let valid = m.wire_later(&format!("{name}_valid"), bit());
        let out = m.wire_later(&format!("{name}_beat"), uint(&beat_width));
        let ready = m.wire_later(&format!("{name}_ready"), bit());
        let mut i = m.instance(&format!("u_{name}"), unit).param("WIDTH", &beat_width);
        for (k, v) in params {
            i = i.param(k, v.clone());
        }
        i.clock(clock)
            .input("s_valid_i", &beat.valid)
            .output("s_ready_o", &accept)
            .input("s_data_i", &packed)
            .output("m_valid_o", &valid)
            .input("m_ready_i", &ready)
            .output("m_data_o", &out)
            .done();
        let data = out.slice(0, &ty.width);
        let data = if ty.signed { data.as_signed() } else { data };
        let data = m.wire(&format!("{name}_data"), &data);
        let last = has_last.then(|| out.bit(&ty.width));
        m.stream(name, (*valid).clone(), data, last, ready)
    }

    /// Two consumers of the same beats: each takes a beat when it likes, and the beat moves on when both have it.
    #[track_caller]
    pub fn fork(self, clock: &Clock, name: &str) -> (Self, Self) {
        let m = self.module.clone();
        let ready = [0, 1].map(|n| m.wire_later(&format!("{name}_{n}_ready"), bit()));
        let done = [0, 1].map(|n| clock.reg(&format!("{name}_{n}_done_q"), bit()).reset_to(0));
        let has = [0, 1].map(|n| m.wire(&format!("{name}_{n}_has"), &(&*ready[n] | &*done[n])));
        let both = m.wire(&format!("{name}_both_have"), &(&has[0] & &has[1]));
        let beat = self.take(&both);
        for n in [0, 1] {
            m.describe(&done[n], "has the beat that the other still waits for");
            done[n].next(&beat.valid & &has[n] & !&both);
        }
        let [first, second] = ready;
        let side = |n: usize, ready| {
            let valid = m.wire(&format!("{name}_{n}_valid"), &(&beat.valid & !&*done[n]));
            m.stream(&format!("{name}_{n}"), valid, beat.data.clone(), beat.last.clone(), ready)
        };
        (side(0, first), side(1, second))
    }
}
