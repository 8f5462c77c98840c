//! Valid/ready streams as values: each is consumed exactly once, and its handshake cannot be forgotten.

use std::cell::Cell;
use std::rc::Rc;

use crate::dim::Dim;
use crate::expr::{Expr, Ty, bit};
use crate::module::{Clock, Module, Unit, Wire};

/// A channel inside a module: data (and `last`) that moves in a cycle with both `valid` and `ready`.
#[must_use]
pub struct Stream {
    module: Module,
    name: String,
    valid: Expr,
    data: Expr,
    last: Option<Expr>,
    ready: Wire,
    taken: Rc<Cell<u32>>,
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
        let taken = Rc::new(Cell::new(0));
        self.mark_stream(name, &taken);
        Stream { module: self.clone(), name: name.into(), valid, data, last, ready, taken }
    }

    /// Two streams beat by beat: moves when both are valid. `combine` makes the joint data.
    #[track_caller]
    pub fn join(&self, name: &str, a: Stream, b: Stream, combine: impl FnOnce(&Expr, &Expr) -> Expr) -> Stream {
        let ready = self.wire_later(&format!("{name}_ready"), bit());
        let (av, bv) = (a.valid.clone(), b.valid.clone());
        let x = a.take(&(&bv & &*ready));
        let y = b.take(&(&av & &*ready));
        let valid = self.wire(&format!("{name}_valid"), &(x.valid & y.valid));
        let data = self.wire(&format!("{name}_data"), &combine(&x.data, &y.data));
        self.stream(name, valid, data, x.last.or(y.last), ready)
    }

    /// The first stream while it is valid, else the second. Neither carries `last`.
    #[track_caller]
    pub fn arbiter(&self, name: &str, first: Stream, second: Stream) -> Stream {
        let ready = self.wire_later(&format!("{name}_ready"), bit());
        let hold = first.valid.clone();
        let x = first.take(&ready);
        let y = second.take(&(&*ready & !&hold));
        let valid = self.wire(&format!("{name}_valid"), &(&x.valid | &y.valid));
        let data = self.wire(&format!("{name}_data"), &x.valid.select(&x.data, &y.data));
        self.stream(name, valid, data, None, ready)
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
        self.taken.set(self.taken.get() + 1);
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

    /// Through a module that has ports `s_valid_i … m_data_o` and parameter `WIDTH`, such as a FIFO or a skid register.
    #[track_caller]
    pub fn through(self, clock: &Clock, name: &str, unit: &Rc<Unit>, params: &[(&str, Dim)]) -> Self {
        let m = self.module.clone();
        let (width, has_last) = (self.data.width().clone(), self.last.is_some());
        let total = if has_last { &width + 1 } else { width.clone() };
        let ty = self.data.ty().clone();
        let sink_ready = m.wire_later(&format!("{name}_full_n"), bit());
        let beat = self.take(&sink_ready);
        let word = match &beat.last {
            Some(l) => m.wire(&format!("{name}_word"), &crate::expr::concat(&[l, &beat.data])),
            None => beat.data.as_unsigned(),
        };
        let valid = m.wire_later(&format!("{name}_valid"), bit());
        let out = m.wire_later(&format!("{name}_out"), crate::expr::uint(total.clone()));
        let ready = m.wire_later(&format!("{name}_ready"), bit());
        let mut i = m.instance(&format!("u_{name}"), unit).param("WIDTH", total);
        for (k, v) in params {
            i = i.param(k, v.clone());
        }
        i.clock(clock)
            .input("s_valid_i", &beat.valid)
            .output("s_ready_o", &sink_ready)
            .input("s_data_i", &word)
            .output("m_valid_o", &valid)
            .input("m_ready_i", &ready)
            .output("m_data_o", &out)
            .done();
        let data = out.slice(0, width.clone());
        let data = if ty.signed { data.as_signed() } else { data };
        let last = has_last.then(|| out.bit(width));
        m.stream(name, (*valid).clone(), data, last, ready)
    }

    /// Two consumers of the same beats; it moves when both have it.
    #[track_caller]
    pub fn fork(self, clock: &Clock, name: &str) -> (Self, Self) {
        let m = self.module.clone();
        let ready = [0, 1].map(|n| m.wire_later(&format!("{name}_{n}_ready"), bit()));
        let done = [0, 1].map(|n| clock.reg(&format!("{name}_{n}_done_q"), bit()).reset_to(0));
        let got = [0, 1].map(|n| m.wire(&format!("{name}_{n}_got"), &(&*ready[n] | &*done[n])));
        let both = m.wire(&format!("{name}_both"), &(&got[0] & &got[1]));
        let beat = self.take(&both);
        let [r0, r1] = ready;
        let mut out = [r0, r1].into_iter().enumerate().map(|(n, r)| {
            done[n].next(&beat.valid & &got[n] & !&both);
            let valid = m.wire(&format!("{name}_{n}_valid"), &(&beat.valid & !&*done[n]));
            m.stream(&format!("{name}_{n}"), valid, beat.data.clone(), beat.last.clone(), r)
        });
        let first = out.next();
        let second = out.next();
        match (first, second) {
            (Some(a), Some(b)) => (a, b),
            _ => unreachable!("the iterator has two items"),
        }
    }
}
