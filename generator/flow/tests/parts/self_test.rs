//! What a self-test is made of: the UART by a receiver, the CRC against another implementation of it.

use bitlathe_cores::parts::crc32::crc32;
use bitlathe_cores::parts::uart::uart_transmitter;
use bitlathe_cores::random::Random;

use super::bench::{Bench, Cycle, Part};

const DIVIDER: usize = 5;

/// Bytes on a line, each with the cycle in which its start bit begins; a stop bit must be high.
fn received(line: &[i64]) -> Vec<(usize, u8)> {
    let (mut bytes, mut at) = (vec![], 0);
    while let Some(start) = line[at..].iter().position(|level| *level == 0).map(|n| at + n) {
        let bit = |n: usize| line[start + DIVIDER * n..][..DIVIDER].to_vec();
        let held = (0..10).map(bit).collect::<Vec<_>>();
        assert!(held.iter().all(|bit| bit.iter().all(|level| *level == bit[0])), "a bit changes in its time: {held:?}");
        assert_eq!((held[0][0], held[9][0]), (0, 1), "start and stop bit");
        bytes.push((start, held[1..9].iter().rev().fold(0, |byte, bit| byte << 1 | bit[0] as u8)));
        at = start + 10 * DIVIDER;
    }
    bytes
}

#[test]
fn bytes_arrive_and_back_to_back_bytes_keep_their_stop_bits() {
    let mut r = Random::new(5);
    let mut cycles: Vec<Cycle> =
        (0..6000).map(|n| vec![vec![i64::from(n < 2000 || r.below(90) == 0), r.below(256) as i64]]).collect();
    // The last byte ends within the test.
    cycles.extend(vec![vec![vec![0, 0]]; 12 * DIVIDER]);
    let outputs = Bench::new("uart", &[Part::new(uart_transmitter(DIVIDER as i64))]).play(&cycles);
    let taken: Vec<(usize, u8)> = (cycles.iter().zip(&outputs).enumerate())
        .filter(|(_, (cycle, now))| cycle[0][0] == 1 && now[0][0] == 1)
        .map(|(t, (cycle, _))| (t + 1, cycle[0][1] as u8))
        .collect();
    let line: Vec<i64> = outputs.iter().map(|now| now[0][1]).collect();
    assert!(taken.len() > 60, "{} bytes", taken.len());
    assert_eq!(received(&line), taken);
}

/// Widths below, at and above a byte and a word; words come with gaps, and every width begins again now and then.
#[test]
fn crc_is_that_of_other_programs() {
    let widths: [usize; 5] = [5, 8, 31, 45, 64];
    let mut r = Random::new(6);
    let cycles: Vec<Cycle> = (0..2000)
        .map(|_| {
            let inputs = |w: &usize| {
                let word = (r.next() & (u64::MAX >> (64 - w))) as i64;
                vec![i64::from(r.below(40) == 0), i64::from(r.below(3) > 0), word]
            };
            widths.iter().map(inputs).collect()
        })
        .collect();
    let parts: Vec<Part> = widths.iter().map(|w| Part::new(crc32(*w as i64))).collect();
    let outputs = Bench::new("crc", &parts).play(&cycles);
    for (n, width) in widths.iter().enumerate() {
        let mut crc = crc32fast::Hasher::new();
        for (t, (cycle, now)) in cycles.iter().zip(&outputs).enumerate() {
            let [restart, valid, word] = cycle[n][..] else { panic!("three inputs") };
            assert_eq!(now[n][0], i64::from(crc.clone().finalize()), "{width} bits in cycle {t}");
            if restart == 1 {
                crc.reset();
            } else if valid == 1 {
                crc.update(&word.to_le_bytes()[..width.div_ceil(8)]);
            }
        }
    }
}
