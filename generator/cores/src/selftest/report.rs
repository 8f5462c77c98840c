//! The line of text of a self-test: characters, digits of numbers, and parts that stand only where something holds. The same description
//! makes the memory of the hardware and the text that the model predicts.

use std::rc::Rc;

use bitlathe_hdl::{Expr, Module, Unit, bit, clog2, concat, lit, uint};
use bitlathe_spec::Family;

use super::streams::WORD;
use crate::Cost;
use crate::parts::memory::block_memory;

/// Digits of a number.
const DIGITS: u64 = 8;
/// Two bits above the index say what a byte of the memory is; without the upper one it is a character.
const DIGIT: u64 = 0x80;
const PART: u64 = 0xc0;
const END: u64 = 0xff;

/// When a part of the line is sent. The order of the flags of the hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Always,
    Passed,
    Failed,
    TimedOut,
    /// The stream has not ended.
    Waits(usize),
}

impl When {
    fn flag(self) -> u64 {
        match self {
            Self::Always => 0,
            Self::Passed => 1,
            Self::Failed => 2,
            Self::TimedOut => 3,
            Self::Waits(stream) => 4 + stream as u64,
        }
    }
}

/// A part of the line: characters, or the digits of a number.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Number(usize),
}

/// How a test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Verdict {
    Pass,
    Fail,
    /// Given up; these streams wait, by their number in the interface.
    Timeout(Vec<usize>),
}

/// What a test prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    parts: Vec<(When, Piece)>,
}

impl Line {
    /// The line of a core. `head` says which core it is; `outputs` are the streams with a signature, `streams` all of them.
    pub fn new(head: &str, outputs: &[&str], streams: &[&str]) -> Self {
        let text = |when: When, text: &str| (when, Piece::Text(text.into()));
        let mut parts = vec![text(When::Always, &format!("{head} cycles ")), (When::Always, Piece::Number(0))];
        for (n, name) in outputs.iter().enumerate() {
            parts.extend([text(When::Always, &format!(" {name} ")), (When::Always, Piece::Number(n + 1))]);
        }
        parts.extend([text(When::Passed, " PASS"), text(When::Failed, " FAIL")]);
        parts.push(text(When::TimedOut, " TIMEOUT, waiting:"));
        let waiting = streams.iter().enumerate().map(|(n, name)| text(When::Waits(n), &format!(" {name}")));
        parts.extend(waiting.chain([text(When::Always, "\r\n")]));
        Self { parts }
    }

    /// As it is sent; `numbers` are the cycles and the signatures.
    pub fn text(&self, numbers: &[u32], verdict: &Verdict) -> String {
        let holds = |when: When| match (when, verdict) {
            (When::Always, _) => true,
            (When::Passed, verdict) => *verdict == Verdict::Pass,
            (When::Failed, verdict) => *verdict == Verdict::Fail,
            (When::TimedOut, verdict) => matches!(verdict, Verdict::Timeout(_)),
            (When::Waits(stream), Verdict::Timeout(waiting)) => waiting.contains(&stream),
            (When::Waits(_), _) => false,
        };
        let parts = self.parts.iter().filter(|(when, _)| holds(*when)).map(|(_, piece)| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Number(n) => format!("{:08x}", numbers[*n]),
        });
        parts.collect()
    }

    /// The bytes of the memory.
    fn codes(&self) -> Vec<u64> {
        let mut codes = vec![];
        let mut now = None;
        for (when, piece) in &self.parts {
            if now != Some(*when) {
                codes.push(PART | when.flag());
                now = Some(*when);
            }
            match piece {
                Piece::Text(text) => codes.extend(text.bytes().map(u64::from)),
                // The highest digit comes first.
                Piece::Number(n) => codes.extend((0..DIGITS).rev().map(|d| DIGIT | (DIGITS * *n as u64 + d))),
            }
        }
        codes.push(END);
        codes
    }
}

/// Sends the line while `run_i` holds.
pub fn report(name: &str, line: &Line, words: &Expr, flags: &Expr) -> Rc<Unit> {
    let m = Module::new(name);
    m.doc(
        "The line of text. A byte of the memory below 8'h80 is a character; from 8'h80 a digit of words_i; from 8'hc0 it \
         says which of flags_i must hold for what follows; 8'hff ends the line.",
    );
    let ck = m.clock();
    let run = m.input("run_i", bit());
    let words = m.input("words_i", uint(words.width().value()));
    let flags = m.input("flags_i", uint(flags.width().value()));
    let ready = m.input("m_ready_i", bit());

    let codes = line.codes();
    let width = clog2(codes.len() as i64);
    let index = ck.reg("index_q", uint(width)).reset_to(0);
    let steps = m.wire_later("steps", bit());
    let at = m.wire("at", &run.select(steps.select(index.wrapping_add(1), &*index), 0));
    index.next(&at);
    let code = ck.reg("code_q", uint(8));
    code.next(m.block_rom("code", &at, 8, &codes));

    let special = m.wire("special", &code.bit(7));
    let part = m.wire("part", &(&special & &code.bit(6)));
    let end = m.wire("end_of_line", &code.eq_to(END as i64));
    let sends = ck.reg("sends_q", bit()).reset_to(0);
    m.describe(&sends, "the flag of this part holds");
    sends.next_when(&part, chosen(&m, "flag", &flags, 1, &code));
    let valid = m.wire("valid", &(&run & !&part & &*sends));
    steps.drive(part.select(!&end, !&*sends | &ready));

    let digit = chosen(&m, "digit", &words, 4, &code);
    let decimal = m.wire("decimal", &digit.lt(10));
    let figure = concat(&[&lit(3, uint(4)), &digit]);
    // 'a' - 10
    let letter = figure.wrapping_add(0x57 - 0x30);
    let figure = m.wire("figure", &decimal.select(&figure, &letter));
    m.output("m_valid_o", &valid);
    m.output("m_data_o", &special.select(&figure, &*code));
    m.output("sent_o", &(&run & &end));
    m.finish()
}

/// The `bits` of a vector that the lowest bits of a code point at; the vector is filled to a power of two.
fn chosen(m: &Module, name: &str, vector: &Expr, bits: i64, code: &Expr) -> Expr {
    let lanes = vector.width().value() / bits;
    let select = clog2(lanes).max(1);
    let missing = (1 << select) * bits - vector.width().value();
    let whole = if missing > 0 { concat(&[&lit(0, uint(missing)), vector]) } else { vector.clone() };
    let whole = m.wire(&format!("{name}s"), &whole);
    m.wire(name, &whole.lane_at(&code.slice(0, select), bits))
}

/// Cost: the text in block memory, and the choice of a digit.
pub fn cost(line: &Line, family: Family) -> Cost {
    let codes = line.codes();
    let numbers = line.parts.iter().filter(|(_, piece)| matches!(piece, Piece::Number(_))).count() as f64;
    let mut cost = Cost::logic(numbers * WORD as f64 * 0.7 + 40.0, 18.0);
    cost += block_memory(family, 8, codes.len() as i64, true);
    cost
}
