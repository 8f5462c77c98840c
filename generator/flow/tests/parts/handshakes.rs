//! Handshakes by formal proof, and each proof shown to fail on a part that is broken on purpose.

use std::rc::Rc;

use bitlathe_cores::parts::buffer::buffer;
use bitlathe_cores::parts::divider::divider;
use bitlathe_cores::parts::fifo::fifo;
use bitlathe_cores::parts::replay::replay_buffer;
use bitlathe_cores::parts::stream_register::stream_register;
use bitlathe_cores::parts::width_converter::{narrow_converter, widen_converter};
use bitlathe_flow::synth::{FormalMode, Verdict, prove_formal};
use bitlathe_hdl::Unit;
use bitlathe_spec::SourceFile;

use super::{printed, tools};

const RULES: &str = include_str!("../../../../testbench/formal/part_stream_rules.v");
const ORDER: &str = include_str!("../../../../testbench/formal/stream_order.v");
const DIVIDER: &str = include_str!("../../../../testbench/formal/divider_rules.v");
const REPLAY: &str = include_str!("../../../../testbench/formal/replay_rules.v");

/// A part with small parameters, the words of a beat on either side, and whether it has `last`.
struct Case {
    unit: Rc<Unit>,
    parameters: &'static str,
    words: (u32, u32),
    last: bool,
}

fn cases() -> Vec<Case> {
    let case = |unit, parameters, words| Case { unit, parameters, words, last: false };
    vec![
        case(stream_register(4), ".WIDTH(4)", (1, 1)),
        case(fifo(4, 1), ".WIDTH(4), .DEPTH_W(1)", (1, 1)),
        case(buffer(4, 3), ".WIDTH(4), .DEPTH(3)", (1, 1)),
        // Block memory at a small depth: the text is that of any depth.
        case(buffer(4, 128), ".WIDTH(4), .DEPTH(2)", (1, 1)),
        case(narrow_converter(4, 3), ".WIDTH(4), .RATIO(3)", (3, 1)),
        Case { last: true, ..case(widen_converter(4, 3), ".WIDTH(4), .RATIO(3)", (1, 3)) },
    ]
}

/// Proves the rules `text` of a unit; `fault` replaces a piece of its Verilog.
fn prove(
    unit: &Rc<Unit>,
    (top, text): (&str, String),
    mode: FormalMode,
    depth: u32,
    fault: Option<(&str, &str)>,
) -> Verdict {
    let mut files = printed(unit);
    if let Some((from, to)) = fault {
        let broken =
            files.iter_mut().filter(|f| f.text.contains(from)).map(|f| f.text = f.text.replace(from, to)).count();
        assert!(broken > 0, "{} does not hold `{from}`", unit.name());
    }
    files.push(SourceFile { path: format!("{top}.v"), text });
    prove_formal(&files, top, mode, depth, &tools()).expect("the prover runs")
}

impl Case {
    fn fill(&self, rules: &str) -> String {
        let last = if self.last { ", .s_last_i(s_last_i), .m_last_o(m_last)" } else { "" };
        // `LAST` stands before the end of a port list.
        rules
            .replace("PART u_part", &format!("{} #({}) u_part", self.unit.name(), self.parameters))
            .replace("(m_data) LAST", &format!("(m_data){last}"))
            .replace("S_WORDS", &self.words.0.to_string())
            .replace("M_WORDS", &self.words.1.to_string())
            .replace("wire m_last;", if self.last { "wire m_last;" } else { "wire m_last = 0;" })
    }

    fn rules(&self, fault: Option<(&str, &str)>) -> Verdict {
        prove(&self.unit, ("stream_rules", self.fill(RULES)), FormalMode::Induction, 4, fault)
    }

    fn order(&self, fault: Option<(&str, &str)>) -> Verdict {
        prove(&self.unit, ("stream_order", self.fill(ORDER)), FormalMode::Bmc, 12, fault)
    }
}

fn assert_proven(verdict: &Verdict, what: &str) {
    assert!(matches!(verdict, Verdict::Proven), "{what}: {verdict:?}");
}

fn assert_refuted(verdict: &Verdict, what: &str) {
    assert!(matches!(verdict, Verdict::Refuted(_)), "{what}: {verdict:?}");
}

#[test]
fn offered_beats_stay_for_all_time() {
    for case in cases() {
        assert_proven(&case.rules(None), case.unit.name());
    }
}

#[test]
fn words_keep_their_order_and_number() {
    for case in cases() {
        assert_proven(&case.order(None), case.unit.name());
    }
}

#[test]
fn the_divider_answers_on_time_and_keeps_its_answer() {
    let rules = || ("divider_rules", DIVIDER.to_owned());
    let unit = divider(3, 3);
    assert_proven(&prove(&unit, rules(), FormalMode::Bmc, 14, None), "divider");
    // The quotient is not kept while nobody takes it.
    let fault = ("last | (done_q & ~m_ready_i)", "last");
    assert_refuted(&prove(&unit, rules(), FormalMode::Bmc, 14, Some(fault)), "divider");
}

#[test]
fn the_replay_buffer_repeats_what_it_loaded() {
    for ultra in [false, true] {
        let unit = replay_buffer(4, 3, ultra);
        let rules = || ("replay_rules", REPLAY.replace("PART", unit.name()));
        assert_proven(&prove(&unit, rules(), FormalMode::Bmc, 12, None), unit.name());
        let fault = ("read_q == last_q", "read_q == 2'd2");
        assert_refuted(&prove(&unit, rules(), FormalMode::Bmc, 12, Some(fault)), unit.name());
    }
}

/// A piece of each part's Verilog and what breaks its order.
const FAULTS: [(&str, &str, &str); 6] = [
    // The spare word is forgotten.
    ("stream_register", "spare_q ? held_q : s_data_i", "s_data_i"),
    // A full queue takes more.
    ("fifo", "push = s_valid_i & ~used[DEPTH_W]", "push = s_valid_i"),
    // A waiting beat is overwritten.
    ("buffer_small", "(|used_q) & (m_ready_i | ~valid_q)", "(|used_q)"),
    ("buffer_block", "(|used_q) & (m_ready_i | ~valid_q)", "(|used_q)"),
    ("widen_converter", "~valid_q | m_ready_i", "1'b1"),
    // A wide beat is replaced after its first word.
    ("narrow_converter", "(m_ready_i & last)", "m_ready_i"),
];

#[test]
fn broken_parts_are_refuted() {
    for case in cases() {
        let name = case.unit.name();
        let (_, from, to) = FAULTS.into_iter().find(|f| f.0 == name).expect("a fault for every part");
        assert_refuted(&case.order(Some((from, to))), name);
        // Overwriting a waiting beat breaks the handshake too.
        if name.starts_with("buffer") || name == "widen_converter" {
            let verdict = case.rules(Some((from, to)));
            assert!(!matches!(verdict, Verdict::Proven), "{name}: {verdict:?}");
        }
    }
}
