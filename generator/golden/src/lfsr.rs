//! Fibonacci linear-feedback shift registers, the source of random numbers for stochastic rounding.

/// A Fibonacci LFSR: each step shifts left by one and puts the parity of the tapped bits into bit 0.
///
/// A polynomial x^n + x^a + x^b + … + 1 taps bits n-1, a-1, b-1, …. State zero is never left, so a seed is not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lfsr {
    state: u32,
    bits: u32,
    taps: u32,
}

impl Lfsr {
    /// Tap mask of x^16 + x^15 + x^13 + x^4 + 1 (period 65535), the LFSR of a requantizer lane.
    pub const TAPS_16: u32 = 0xD008;

    /// An LFSR of `bits` bits with a tap mask, started at `seed`.
    ///
    /// # Panics
    /// When `bits` is not in 1..=32, when the mask or seed does not fit `bits`, or when the seed is zero.
    pub fn new(bits: u32, taps: u32, seed: u32) -> Self {
        assert!((1..=32).contains(&bits), "an LFSR of {bits} bits is not in 1..=32");
        let fits = |v: u32| bits == 32 || v >> bits == 0;
        assert!(fits(taps) && fits(seed), "taps {taps:#x} and seed {seed:#x} must fit {bits} bits");
        assert!(seed != 0, "an LFSR started at zero stays there");
        Self { state: seed, bits, taps }
    }

    /// The four-bit LFSR s' = {s2, s1, s0, s3 ^ s2} (period 15).
    pub fn four_bit(seed: u32) -> Self {
        Self::new(4, 0b1100, seed)
    }

    /// The LFSR of requantizer lane `lane` at core reset: 16 bits, seed ((lane + 1) · 0x9E37) mod 2^16, and 1 where that
    /// is zero (lane 65535).
    pub fn of_lane(lane: usize) -> Self {
        let seed = ((lane as u32).wrapping_add(1).wrapping_mul(0x9E37)) & 0xFFFF;
        Self::new(16, Self::TAPS_16, seed.max(1))
    }

    /// The present state.
    pub fn state(&self) -> u32 {
        self.state
    }

    /// The `bits` most significant bits of the present state.
    ///
    /// # Panics
    /// When the register is shorter.
    pub fn top(&self, bits: u32) -> u32 {
        assert!(bits <= self.bits, "an LFSR of {} bits has no {bits} top bits", self.bits);
        (u64::from(self.state) >> (self.bits - bits)) as u32
    }

    /// One step.
    pub fn step(&mut self) {
        let feedback = (self.state & self.taps).count_ones() & 1;
        let mask = u32::MAX >> (32 - self.bits);
        self.state = ((self.state << 1) | feedback) & mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(mut lfsr: Lfsr) -> usize {
        let start = lfsr.state();
        let mut steps = 0;
        loop {
            lfsr.step();
            steps += 1;
            if lfsr.state() == start {
                return steps;
            }
        }
    }

    #[test]
    fn periods_are_maximal() {
        assert_eq!(period(Lfsr::four_bit(1)), 15);
        assert_eq!(period(Lfsr::of_lane(0)), 65_535);
    }

    #[test]
    fn four_bit_steps_as_its_definition() {
        for s in 1u32..16 {
            let bit = |i: u32| s >> i & 1;
            let expected = bit(2) << 3 | bit(1) << 2 | bit(0) << 1 | (bit(3) ^ bit(2));
            let mut lfsr = Lfsr::four_bit(s);
            lfsr.step();
            assert_eq!(lfsr.state(), expected, "from {s:04b}");
        }
    }

    #[test]
    fn lane_seeds_differ_and_are_not_zero() {
        let seeds: std::collections::BTreeSet<u32> = (0..65_535).map(|l| Lfsr::of_lane(l).state()).collect();
        assert_eq!(seeds.len(), 65_535);
        assert!(!seeds.contains(&0));
        assert_eq!(Lfsr::of_lane(65_535).state(), 1);
    }

    #[test]
    fn top_bits_come_from_the_left() {
        let lfsr = Lfsr::new(16, Lfsr::TAPS_16, 0xA5C3);
        assert_eq!(lfsr.top(4), 0xA);
        assert_eq!(lfsr.top(16), 0xA5C3);
        assert_eq!(lfsr.top(0), 0);
        assert_eq!(Lfsr::new(32, 1, 7).top(0), 0);
    }
}
