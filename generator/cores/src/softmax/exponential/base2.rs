//! e(d) of `base2` as a table over all d where it is not zero.

/// half-up(T[j] / 2^q) for d = q·2^F + j, up to the first power of two beyond which all are zero.
pub fn values(octave: &[u64]) -> Vec<u64> {
    let e = |d: usize| {
        let (q, t) = ((d / octave.len()) as u32, octave[d % octave.len()]);
        // The bit below the cut rounds.
        if q == 0 { t } else { (t >> q) + ((t >> (q - 1)) & 1) }
    };
    let mut size = octave.len();
    while (size..2 * size).any(|d| e(d) > 0) || octave[0] >> (size / octave.len()) > 0 {
        size *= 2;
    }
    (0..size).map(e).collect()
}
