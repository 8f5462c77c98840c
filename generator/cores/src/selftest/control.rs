//! The order of a test: clear, then twice set up, run, settle and compare registers; report; pause.

use bitlathe_hdl::{Clock, Dim, Expr, Module, Reg, Wire, bit, clog2, lit, uint};

use super::{Phase, Plan, RegisterWord, TIME_BITS};
use crate::Cost;

/// Cycles of reset.
const CLEAR_TIME: i64 = 15;
/// Cycles in which a beat too much would show.
const SETTLE_TIME: i64 = 63;

/// The bit of the time above those that count a stretch in which a stream does not move.
const STRETCH: i64 = 8;

/// States in their order.
const NAMES: [&str; 7] = ["clear", "set_up", "run", "settle", "compare", "report", "rest"];

/// The state machine under construction.
pub struct Control {
    state: Reg,
    at: [Expr; 7],
    /// The time of the state is over.
    over: Expr,
    /// Cycles that a state lasts.
    time: Reg,
    /// The run with pauses.
    second: Reg,
    /// Access to a register.
    step: Reg,
}

/// An access to the register port.
pub struct Access {
    pub write: Expr,
    pub address: Expr,
    pub data: Expr,
}

/// What became of a test.
pub struct Judged {
    /// No register and no `last` was wrong.
    pub sound: Expr,
    /// Given up.
    pub late: Expr,
    /// The text may go.
    pub report: Expr,
    /// The text has gone; driven by what sends it.
    pub sent: Wire,
}

impl Control {
    pub fn new(m: &Module, ck: &Clock, plan: &Plan, pause: &Dim) -> Self {
        m.comment("Phases of a test");
        let state = ck.reg("state_q", uint(3)).reset_to(0);
        let at = [0, 1, 2, 3, 4, 5, 6].map(|n| m.wire(NAMES[n as usize], &state.eq_to(n)));
        let time = ck.reg("time_q", uint(TIME_BITS)).reset_to(0);
        let limit = |value: i64| lit(value, uint(TIME_BITS));
        let [clear, _, run, settle, ..] = &at;
        let rest = m.constant("REST_TIME", pause, TIME_BITS);
        let of_run = run.select(limit(plan.patience as i64), &rest);
        let bound = clear.select(limit(CLEAR_TIME), settle.select(limit(SETTLE_TIME), &of_run));
        let over = m.wire("over", &time.eq_to(m.wire("bound", &bound)));
        let second = ck.reg("second_q", bit()).reset_to(0);
        m.describe(&second, "the run with pauses");
        let longest = plan.writes.len().max(plan.checks.len()).max(2) as i64;
        let step = ck.reg("step_q", uint(clog2(longest))).reset_to(0);
        Self { state, at, over, time, second, step }
    }

    /// What the streams see.
    pub fn phase(&self) -> Phase {
        let [clear, set_up, run, settle, ..] = self.at.clone();
        let live = &run | &settle;
        let turn = self.time.slice(STRETCH, 2);
        Phase { begin: &clear | &set_up, clear, run, live, full: !&*self.second, turn }
    }

    /// The register accesses of a run: first writes, then comparisons.
    pub fn access(&self, m: &Module, plan: &Plan, address_bits: u32) -> Access {
        let [_, set_up, ..] = &self.at;
        let column = |name: &str, bits: i64, words: &[RegisterWord], of: &dyn Fn(&RegisterWord) -> u32| {
            let values: Vec<u64> = words.iter().map(|w| u64::from(of(w))).collect();
            m.rom(name, &self.step, bits, &values)
        };
        let bits = i64::from(address_bits);
        let written = column("write_addr", bits, &plan.writes, &|w| w.offset);
        let compared = column("compare_addr", bits, &plan.checks, &|w| w.offset);
        let data = column("write_data", 32, &plan.writes, &|w| w.value);
        let write = if plan.writes.is_empty() { lit(0, bit()) } else { set_up.clone() };
        Access {
            write: m.wire("reg_write", &write),
            address: m.wire("reg_addr", &set_up.select(&written, &compared)),
            data,
        }
    }

    /// Drives every register of the state machine; `waits` are the streams that have not ended, `wrong` is a wrong `last`, `read` the
    /// addressed register.
    pub fn judge(
        self,
        m: &Module,
        ck: &Clock,
        plan: &Plan,
        waits: &[Expr],
        wrong: Option<Expr>,
        read: Option<Expr>,
    ) -> Judged {
        let [clear, set_up, run, settle, compare, report, rest] = &self.at;
        let sent = m.wire_later("sent", bit());
        let waiting = m.wire("waiting", &waits.iter().cloned().reduce(|a, b| a | b).unwrap_or_else(|| lit(0, bit())));
        let last = |words: &[RegisterWord]| self.step.eq_to(words.len().max(1) as i64 - 1);
        let steps_over = m.wire("steps_over", &set_up.select(last(&plan.writes), last(&plan.checks)));
        let walks = m.wire("walks", &(set_up | compare));
        self.step.next((&walks & !&steps_over).select(self.step.wrapping_add(1), 0));

        let given_up = m.wire("given_up", &(run & &self.over & &waiting));
        let by_time = (clear | settle | rest) & &self.over;
        let leaves = (run & (!&waiting | &self.over)) | (&walks & &steps_over) | (report & &*sent) | by_time;
        let leaves = m.wire("leaves", &leaves);
        let again = m.wire("again", &(compare & !&*self.second));
        let following = self.state.wrapping_add(1);
        let target = given_up.select(5, again.select(1, rest.select(0, &following)));
        self.state.next_when(&leaves, &target);
        self.time.next(leaves.select(0, self.time.wrapping_add(1)));
        self.second.next(!clear & (&*self.second | (compare & &leaves)));

        let mut faults: Vec<Expr> = wrong.into_iter().collect();
        if let Some(read) = read.filter(|_| !plan.checks.is_empty()) {
            let column = |name: &str, of: &dyn Fn(&RegisterWord) -> u32| {
                let values: Vec<u64> = plan.checks.iter().map(|w| u64::from(of(w))).collect();
                m.rom(name, &self.step, 32, &values)
            };
            let (mask, value) = (column("compare_mask", &|w| w.mask), column("compare_value", &|w| w.value));
            faults.push(compare & (&read & &mask).ne_to(&value));
        }
        let fault = m.wire("fault", &faults.into_iter().reduce(|a, b| a | b).unwrap_or_else(|| lit(0, bit())));
        let sound = ck.reg("sound_q", bit()).reset_to(1);
        m.describe(&sound, "no register and no last beat was wrong");
        sound.next(clear | (&*sound & !&fault));
        let late = ck.reg("late_q", bit()).reset_to(0);
        m.describe(&late, "a run was given up");
        late.next(!clear & (&*late | &given_up));
        Judged { sound: (*sound).clone(), late: (*late).clone(), report: report.clone(), sent }
    }
}

/// Cost: the state machine, its time, the accesses to registers and a counter a stream.
pub fn cost(plan: &Plan, streams: usize) -> Cost {
    let columns = 2.0 * plan.writes.len() as f64 + 4.0 * plan.checks.len() as f64;
    let streams = streams as f64;
    Cost::logic(90.0 + 8.0 * columns + 45.0 * streams, 40.0 + 33.0 * streams)
}
