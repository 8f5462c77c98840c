//! `hadamard`: butterflies between the lanes of a beat, then between beats through delays.
//!
//! The transform of 2^n elements is a product of n stages in any order, one for each bit of an element's place: the lanes
//! hold the low bits, the beats of a block the high ones. A stage between beats keeps the first of two partners in a
//! memory, gives their sum when the second comes, and puts the difference where the first was (single-path delay
//! feedback; He and Torkelson, IPPS 1996).

use std::rc::Rc;

use bitlathe_hdl::{Dim, Module, RamStyle, Unit, bit, clog2, concat, lit, uint};

use super::rtl::{Hardware, Top};

/// Stages of a transform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stages {
    /// Distances between partners in one beat.
    pub lanes: Vec<i64>,
    /// Distances between partners in beats.
    pub beats: Vec<i64>,
}

impl Stages {
    /// Of `size` elements, `lanes` a beat.
    pub fn new(lanes: i64, size: i64) -> Self {
        let distances = |n: i64| (0..clog2(n)).map(|k| 1i64 << k).collect();
        let inside = lanes.min(size);
        Self { lanes: distances(inside), beats: distances(size / inside) }
    }

    /// Steps from a beat to its output.
    pub fn latency(&self) -> i64 {
        self.lanes.len() as i64 + self.beats.iter().map(|d| d + 1).sum::<i64>()
    }
}

/// Butterflies between lanes HALF apart.
fn lane_stage(lanes: i64, width: i64, half: i64) -> Rc<Unit> {
    let m = Module::new("lane_butterflies");
    m.doc("Sums and differences of lanes HALF apart, one bit wider, one step.");
    let n = m.param("LANES", lanes, 2..=256, "elements of a beat");
    let w = m.param("WIDTH", width, 4..=31, "bits of an element");
    let h = m.param("HALF", half, 1..=128, "distance between partners");
    let (ck, en) = (m.clock(), m.input("en_i", bit()));
    let x = m.input("x_i", uint(&n * &w));
    let out_w = &w + 1;
    let y = ck.reg("y_q", uint(&n * &out_w));
    m.generate_for("g_pair", n.div(2), |p| {
        let low = p + p.div(&h) * &h;
        let high = &low + &h;
        let a = m.wire("a", &x.lane(&low, &w).as_signed());
        let b = m.wire("b", &x.lane(&high, &w).as_signed());
        y.next_lane(&low, &out_w, Some(&en), &(&a + &b).as_unsigned());
        y.next_lane(&high, &out_w, Some(&en), &(&a - &b).as_unsigned());
    });
    m.output("y_o", &y);
    m.finish()
}

/// Butterflies between beats DISTANCE apart.
fn beat_stage(lanes: i64, width: i64, distance: i64, start: i64) -> Rc<Unit> {
    let single = distance == 1;
    let m = Module::new(if single { "beat_butterflies_next" } else { "beat_butterflies" });
    m.doc(
        "Sums and differences of beats DISTANCE apart, one bit wider, DISTANCE + 1 steps.\n\
         START makes the first beat of a job the first partner.",
    );
    let n = m.param("LANES", lanes, 1..=256, "elements of a beat");
    let w = m.param("WIDTH", width, 4..=31, "bits of an element");
    let d = m.param("DISTANCE", distance, 1..=512, "beats between partners");
    let start = m.param("START", start, 0..=1023, "state of the beat counter before a job");
    let (ck, en) = (m.clock(), m.input("en_i", bit()));
    let restart = m.input("restart_i", bit());
    m.describe(&restart, "the job is over");
    let x = m.input("x_i", uint(&n * &w));
    let out_w = &w + 1;
    let bits = d.clog2() + 1;
    let count = ck.reg("count_q", uint(&bits));
    let first = m.constant("FIRST", &start, &bits);
    let stepped = en.select(count.wrapping_add(1), &*count);
    count.next((restart | ck.reset()).select(&first, &stepped));
    let second = m.wire("second", &count.msb());
    let (stored, stores) = if single {
        let kept = ck.reg("kept_q", uint(&n * &out_w));
        let stores = m.wire_later("stores", uint(&n * &out_w));
        kept.next_when(&en, &*stores);
        ((*kept).clone(), stores)
    } else {
        let mem = m.memory("kept", &n * &out_w, &d, RamStyle::Distributed, "first partners, then differences");
        let at = m.wire("at", &count.slice(0, d.clog2()));
        let stores = m.wire_later("stores", uint(&n * &out_w));
        mem.write(&ck, &en, &at, &stores);
        (m.wire("stored", &mem.read(&at)), stores)
    };
    let y = ck.reg("y_q", uint(&n * &out_w));
    m.generate_for("g_lane", &n, |i| {
        let b = m.wire("b", &x.lane(i, &w).as_signed());
        let a = m.wire("a", &stored.lane(i, &out_w).as_signed());
        // While partners meet, `a` is an element of W bits that was widened.
        let wide = b.extend(&out_w);
        let sum = m.wire("sum", &a.wrapping_add(&wide));
        let difference = m.wire("difference", &a.wrapping_sub(&wide));
        stores.drive_lane(i, &out_w, &second.select(&difference, &wide).as_unsigned());
        y.next_lane(i, &out_w, Some(&en), &second.select(&sum, &a).as_unsigned());
    });
    m.output("y_o", &y);
    m.finish()
}

/// Which steps of the pipeline carry beats: it moves with each accepted beat, and by itself once the job's last is in.
fn step_control(latency: i64) -> Rc<Unit> {
    let m = Module::new("step_control");
    m.doc("Moves a pipeline of LATENCY steps with each accepted beat, and empties it behind a job's last beat.");
    let l = m.param("LATENCY", latency, 1..=2047, "steps from a beat to its output");
    let ck = m.clock();
    let (valid, last) = (m.input("x_valid_i", bit()), m.input("x_last_i", bit()));
    let x_ready = m.output_wire("x_ready_o", bit());
    let y_ready = m.input("y_ready_i", bit());
    let bits = (&l + 1).clog2();
    let one = |w: &Dim| concat(&[&lit(0, uint(w - 1)), &lit(1, bit())]);
    // Steps of the job so far, up to LATENCY, and beats that are inside.
    let filled = ck.reg("filled_q", uint(&bits)).reset_to(0);
    let inside = ck.reg("inside_q", uint(&bits)).reset_to(0);
    let draining = ck.reg("draining_q", bit()).reset_to(0);
    let y_valid = ck.reg("y_valid_q", bit()).reset_to(0);
    let y_last = ck.reg("y_last_q", bit()).reset_to(0);
    let free = m.wire("free", &(!&*y_valid | &y_ready));
    x_ready.drive(&free & !&*draining);
    let accept = m.wire("accept", &(&valid & &free & !&*draining));
    let step = m.wire("step", &(&accept | (&free & &*draining)));
    let reached = m.wire("reached", &filled.eq_to(m.constant("FILLED", &l - 1, &bits)));
    let leaves = m.wire("leaves", &(&step & &reached));
    let ends = m.wire("ends", &(&accept & &last));
    // A pipeline of one step holds nothing when the job's last beat passes it.
    let last_inside = m.wire("last_inside", &(&*draining & inside.eq_to(one(&bits))));
    let passes = m.wire("passes", &(&ends & inside.eq_to(lit(0, uint(&bits)))));
    let empty_after = m.wire("empty_after", &(&leaves & (&last_inside | &passes)));
    let more = m.wire("more", &filled.wrapping_add(one(&bits)));
    filled.next_when(&step, empty_after.select(lit(0, uint(&bits)), reached.select(&*filled, &more)));
    let counted = accept.select(inside.wrapping_add(one(&bits)), inside.wrapping_sub(one(&bits)));
    inside.next_when(&m.wire("changes", &accept.xor(&leaves)), m.wire("counted", &counted));
    draining.next((&ends | &*draining) & !&empty_after);
    y_valid.next(step.select(&leaves, &(&*y_valid & !&y_ready)));
    y_last.next_when(&step, &empty_after);
    m.output("step_o", &step);
    m.output("restart_o", &empty_after);
    m.output("y_valid_o", &y_valid);
    m.output("y_last_o", &y_last);
    m.finish()
}

impl Hardware {
    /// Steps of the transform.
    pub fn stages(&self, size: i64) -> Stages {
        Stages::new(self.lanes, size)
    }
}

impl Top<'_> {
    /// The whole method.
    pub fn hadamard(&self, size: i64) {
        let (m, hw, ck) = (&self.m, self.hw, &self.ck);
        m.doc(
            "Walsh-Hadamard transform of blocks of a row, natural order, exact: y[i] = sum over j of (-1)^popcount(i & j) * x[j].\n\
             Results leave while later beats come in, and by themselves behind the job's last beat.",
        );
        let stages = hw.stages(size);
        let [step, restart, x_ready, y_valid, y_last, y_ready] =
            ["step", "restart", "x_ready", "y_valid", "y_last", "y_ready"].map(|n| m.wire_later(n, bit()));
        let x = m.sink("x", uint(&self.lanes * &self.in_w), true).take(&x_ready);
        let last = x.last.unwrap_or_else(|| lit(0, bit()));
        m.instance("u_control", &step_control(stages.latency()))
            .param("LATENCY", stages.latency())
            .clock(ck)
            .input("x_valid_i", &x.valid)
            .input("x_last_i", &last)
            .output("x_ready_o", &x_ready)
            .input("y_ready_i", &y_ready)
            .output("step_o", &step)
            .output("restart_o", &restart)
            .output("y_valid_o", &y_valid)
            .output("y_last_o", &y_last)
            .done();
        if stages.beats.is_empty() {
            m.allow(&restart, "UNUSEDSIGNAL", "no stage counts beats");
        }
        let mut value = x.data;
        let (mut width, mut bits, mut before) = (self.in_w.clone(), hw.in_bits, 0_i64);
        for half in &stages.lanes {
            let out = m.wire_later(&format!("lanes_{half}"), uint(&self.lanes * (&width + 1)));
            m.instance(&format!("u_lanes_{half}"), &lane_stage(hw.lanes, bits, *half))
                .param("LANES", &self.lanes)
                .param("WIDTH", &width)
                .param("HALF", *half)
                .clock(ck)
                .input("en_i", &step)
                .input("x_i", &value)
                .output("y_o", &out)
                .done();
            (value, width, bits, before) = ((*out).clone(), &width + 1, bits + 1, before + 1);
        }
        for distance in &stages.beats {
            let start = (-before).rem_euclid(2 * distance);
            let out = m.wire_later(&format!("beats_{distance}"), uint(&self.lanes * (&width + 1)));
            m.instance(&format!("u_beats_{distance}"), &beat_stage(hw.lanes, bits, *distance, start))
                .param("LANES", &self.lanes)
                .param("WIDTH", &width)
                .param("DISTANCE", *distance)
                .param("START", start)
                .clock(ck)
                .input("en_i", &step)
                .input("restart_i", &restart)
                .input("x_i", &value)
                .output("y_o", &out)
                .done();
            (value, width, bits, before) = ((*out).clone(), &width + 1, bits + 1, before + distance + 1);
        }
        let y = m.wire_later("y_data", uint(32 * &self.lanes));
        m.generate_for("g_out", &self.lanes, |i| {
            let short = m.wire("short", &value.lane(i, &width).as_signed());
            let word = m.wire("word", &if bits < 32 { short.extend(32) } else { short });
            y.drive_lane(i, &Dim::from(32), &word.as_unsigned());
        });
        m.stream("y", (*y_valid).clone(), (*y).clone(), Some((*y_last).clone()), y_ready).source("y");
    }
}
