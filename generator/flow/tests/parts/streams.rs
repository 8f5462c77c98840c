//! Parts with a stream on either side, under random stalls against the beats that went in.

use std::rc::Rc;

use bitlathe_cores::parts::{buffer, fifo, stream_register, width_converter};
use bitlathe_cores::random::Random;
use bitlathe_flow::sim::{Options, Simulator, StallMode, Stalls};
use bitlathe_hdl::Unit;

use super::bench::{Bench, Cycle, Part, interface, job};
use super::{assert_lint_clean, printed, tools};

/// A part with the words of a beat on either side and its latency: cycles from a beat's arrival to the first that it decides.
struct Case {
    unit: Rc<Unit>,
    words: (u64, u64),
    latency: u64,
}

fn cases() -> Vec<Case> {
    let case = |unit, words, latency| Case { unit, words, latency };
    vec![
        case(stream_register::stream_register(8), (1, 1), stream_register::LATENCY as u64),
        case(fifo::fifo(8, 1), (1, 1), fifo::LATENCY as u64),
        case(fifo::fifo(8, 4), (1, 1), fifo::LATENCY as u64),
        case(buffer::buffer(8, 5), (1, 1), buffer::LATENCY as u64),
        case(buffer::buffer(8, 130), (1, 1), buffer::LATENCY as u64),
        case(width_converter::narrow_converter(8, 3), (3, 1), width_converter::LATENCY as u64),
        case(width_converter::narrow_converter(8, 4), (4, 1), width_converter::LATENCY as u64),
    ]
}

#[test]
fn beats_come_out_in_order_under_every_stall_pattern_and_without_bubbles() {
    let tools = tools();
    for Case { unit, words, latency } in cases() {
        assert_lint_clean(&unit);
        let options = Options { parameters: vec![], ..Options::default() };
        let sim =
            Simulator::build(&interface(unit.name(), words, 8), &printed(&unit), &tools, options).expect("builds");
        let n = 600usize;
        let mut r = Random::new(5);
        let data: Vec<i64> = (0..n).map(|_| r.below(256) as i64 - 128).collect();
        let job = job(n, data.clone(), n);
        for mode in StallMode::ALL {
            let run = sim
                .run(&job, &|_, _| 0, Stalls { mode, seed: 7 }, None)
                .unwrap_or_else(|e| panic!("{}: {e}", unit.name()));
            assert_eq!(run.outputs["m"].data, data, "{} {mode:?}", unit.name());
            if mode == StallMode::None {
                assert_eq!(run.cycles, n as u64 / words.1 + latency, "cycles of {}", unit.name());
            }
        }
    }
}

/// Widening has a `last` that ends a beat anywhere, so its beats are compared cycle by cycle.
#[test]
fn words_are_gathered_up_to_the_ratio_or_the_last_one() {
    for ratio in [2usize, 3, 4] {
        let unit = width_converter::widen_converter(8, ratio as i64);
        let bench = Bench::new(&format!("widen_{ratio}"), &[Part::new(unit).vector("m_data_o", ratio)]);
        let mut r = Random::new(12);
        let cycles: Vec<Cycle> = (0..5000)
            .map(|t| {
                // The first thousand cycles never pause.
                let [valid, ready] = [(); 2].map(|()| i64::from(t < 1000 || r.below(3) != 0));
                vec![vec![valid, r.below(256) as i64, i64::from(r.below(5) == 0), ready]]
            })
            .collect();
        let outputs = bench.play(&cycles);
        let mut gathered: Vec<i64> = vec![];
        let mut due: Option<(Vec<i64>, i64)> = None;
        for (t, (cycle, now)) in cycles.iter().zip(&outputs).enumerate() {
            let [valid, word, last, ready] = cycle[0][..] else { panic!("four inputs") };
            let s_ready = now[0][0];
            assert_eq!(s_ready, i64::from(due.is_none() || ready == 1), "ratio {ratio} cycle {t}");
            assert_eq!(now[0][1], i64::from(due.is_some()), "ratio {ratio} cycle {t}: a beat is offered at once");
            if let Some((words, ends)) = &due {
                assert_eq!((now[0][2], &now[0][3..]), (*ends, &words[..]), "ratio {ratio} cycle {t}");
                if ready == 1 {
                    due = None;
                }
            }
            if valid == 1 && s_ready == 1 {
                gathered.push(word);
                if gathered.len() == ratio || last == 1 {
                    gathered.resize(ratio, 0);
                    due = Some((std::mem::take(&mut gathered), last));
                }
            }
        }
    }
}
