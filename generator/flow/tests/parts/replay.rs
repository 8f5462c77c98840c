//! The replay buffer: loads to the last beat, then repeats in order and without pauses, until it is told to load again.

use bitlathe_cores::parts::replay::{FIRST_BEAT_LATENCY, replay_buffer};
use bitlathe_cores::random::Random;

use super::bench::{Bench, Cycle, Part};

const DEPTH: usize = 6;

#[test]
fn loaded_beats_repeat_in_order_from_the_first_possible_cycle() {
    let parts = [false, true].map(|ultra| Part::new(replay_buffer(9, DEPTH as i64, ultra)));
    let mut r = Random::new(13);
    let (mut loaded, mut loading) = (0, true);
    // The buffer takes whatever is offered while it loads, so the beats that it holds are known beforehand.
    let cycles: Vec<Cycle> = (0..6000)
        .map(|_| {
            let [valid, ready] = [(); 2].map(|()| i64::from(r.below(3) != 0));
            let reload = i64::from(r.below(50) == 0);
            let last = i64::from(loaded + 1 == DEPTH || r.below(5) == 0);
            if loading && valid == 1 {
                loaded += 1;
                loading = last == 0;
            }
            if reload == 1 {
                (loaded, loading) = (0, true);
            }
            let data = r.below(1 << 9) as i64;
            vec![vec![reload, valid, data, last, ready]; 2]
        })
        .collect();
    let outputs = Bench::new("replay", &parts).play(&cycles);
    let mut repeated = 0;
    for part in 0..2 {
        let (mut held, mut next, mut loading, mut idle): (Vec<i64>, usize, bool, i64) = (vec![], 0, true, 0);
        for (t, (cycle, now)) in cycles.iter().zip(&outputs).enumerate() {
            let [reload, valid, data, last, ready] = cycle[part][..] else { panic!("five inputs") };
            let [s_ready, m_valid, m_data] = now[part][..] else { panic!("three outputs") };
            assert_eq!(s_ready, i64::from(loading), "cycle {t}");
            assert_eq!(m_valid, i64::from(!loading && idle >= FIRST_BEAT_LATENCY), "cycle {t}");
            if m_valid == 1 {
                assert_eq!(m_data, held[next % held.len()], "beat {next} in cycle {t}");
                next += ready as usize;
                repeated += ready;
            }
            idle += 1;
            if loading && valid == 1 {
                held.push(data);
                (loading, idle) = (last == 0, 0);
            }
            if reload == 1 {
                (held, next, loading) = (vec![], 0, true);
            }
        }
    }
    assert!(repeated > 2000, "{repeated} repeated beats");
}
