//! Linear feedback shift registers for stochastic rounding.
//!
//! Ports `step_i`, `restart_i`, `state_o`: the state after a step is there one cycle later. No handshake.

use std::rc::Rc;

use bitlathe_hdl::{Module, Unit, bit, concat, uint};

use crate::Cost;

/// Cost of the register: its feedback and its restart.
pub fn lfsr_cost() -> Cost {
    Cost::logic(2.0, 16.0)
}

/// 16 bits, x^16 + x^15 + x^13 + x^4 + 1: `s' = {s[14:0], s15 ^ s14 ^ s12 ^ s3}`, period 65535.
pub fn lfsr16() -> Rc<Unit> {
    let m = Module::new("lfsr16");
    m.doc("16-bit LFSR, x^16 + x^15 + x^13 + x^4 + 1. Restart wins over step; the seed is taken modulo 2^16.");
    let seed = m.param("SEED", 0x9e37, 1..=0x00ff_ffff, "state after reset and restart");
    let ck = m.clock();
    let (step, restart) = (m.input("step_i", bit()), m.input("restart_i", bit()));
    let state = ck.reg("state_q", uint(16));
    let feedback = state.bit(15) ^ state.bit(14) ^ state.bit(12) ^ state.bit(3);
    let first = m.constant("FIRST", &seed, 16);
    let stepped = step.select(concat(&[&state.slice(0, 15), &feedback]), &*state);
    state.next((restart | ck.reset()).select(&first, &stepped));
    m.output("state_o", &state);
    m.finish()
}

/// Four bits, x^4 + x^3 + 1: `s' = {s[2:0], s3 ^ s2}`, period 15.
pub fn lfsr4(seed: i64) -> Rc<Unit> {
    let m = Module::new("lfsr4");
    m.doc("4-bit LFSR, x^4 + x^3 + 1. Restart wins over step.");
    let seed = m.param("SEED", seed, 1..=15, "state after reset and restart");
    let ck = m.clock();
    let (step, restart) = (m.input("step_i", bit()), m.input("restart_i", bit()));
    let state = ck.reg("state_q", uint(4));
    let feedback = state.bit(3) ^ state.bit(2);
    let first = m.constant("FIRST", &seed, 4);
    let stepped = step.select(concat(&[&state.slice(0, 3), &feedback]), &*state);
    state.next((restart | ck.reset()).select(&first, &stepped));
    m.output("state_o", &state);
    m.finish()
}
