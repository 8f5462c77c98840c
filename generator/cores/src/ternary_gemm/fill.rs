//! The walk that fills a lookup table with one addition a step, and the code of each table entry.
//!
//! A table holds the signed sums of `group` activations for every weight pattern whose first nonzero weight is +1; the
//! opposite pattern is the same entry with its sign bit set. Consecutive steps change one weight by one, so a single adder
//! that adds or subtracts one activation fills the table.

use std::collections::{BTreeMap, VecDeque};

/// One cycle of the fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Start from zero instead of adding.
    pub clear: bool,
    /// Which activation of the group is added.
    pub term: u8,
    /// Subtract it.
    pub negate: bool,
    /// The sum after this step is written to `index`.
    pub write: bool,
    /// Table address.
    pub index: u8,
}

/// Which table a code addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Every pattern of `group` ternary weights, numbered by the balanced base-3 value of the pattern.
    Dense(u8),
    /// Four weights with exactly one zero, numbered by the low four bits of a `sherry5` code.
    OneZero,
}

impl Table {
    /// Activations in a group.
    pub fn group(self) -> usize {
        match self {
            Self::Dense(g) => g.into(),
            Self::OneZero => 4,
        }
    }

    /// Address bits of one bank.
    pub fn index_bits(self) -> u32 {
        match self {
            Self::Dense(2) => 3,
            Self::Dense(3) | Self::OneZero => 4,
            Self::Dense(_) => 6,
        }
    }

    /// The pattern behind every address that a legal code reaches, address zero of dense tables aside.
    pub fn entries(self) -> BTreeMap<u8, Vec<i8>> {
        match self {
            Self::Dense(g) => {
                let top = (3i32.pow(g.into()) - 1) / 2;
                (1..=top).map(|v| (v as u8, balanced(v, g.into()))).collect()
            }
            Self::OneZero => (0..16u8).map(|code| (code, one_zero(code))).collect(),
        }
    }

    /// Addresses that must hold zero because a code, legal or not, may read them.
    fn zeros(self) -> Vec<u8> {
        match self {
            Self::Dense(3) => vec![0, 14, 15],
            Self::Dense(_) => vec![0],
            Self::OneZero => vec![],
        }
    }

    /// The steps of a fill, in order. Every step but a clearing one adds or subtracts one activation.
    pub fn program(self) -> Vec<Step> {
        let clear = Step { clear: true, term: 0, negate: false, write: false, index: 0 };
        let mut steps: Vec<Step> = self.zeros().into_iter().map(|index| Step { write: true, index, ..clear }).collect();
        if steps.is_empty() {
            steps.push(clear);
        }
        let mut wanted: BTreeMap<Vec<i8>, u8> = self.entries().into_iter().map(|(i, p)| (p, i)).collect();
        let mut at = vec![0i8; self.group()];
        while !wanted.is_empty() {
            let path = nearest(&at, &wanted);
            for next in path {
                let term = at.iter().zip(&next).position(|(a, b)| a != b).unwrap_or(0);
                let negate = next[term] < at[term];
                let index = wanted.remove(&next);
                steps.push(Step {
                    clear: false,
                    term: term as u8,
                    negate,
                    write: index.is_some(),
                    index: index.unwrap_or(0),
                });
                at = next;
            }
        }
        steps
    }
}

/// `v` in balanced base 3, most significant digit first.
fn balanced(mut v: i32, digits: usize) -> Vec<i8> {
    let mut out = vec![0; digits];
    for d in out.iter_mut().rev() {
        let r = (v + 1).rem_euclid(3) - 1;
        *d = r as i8;
        v = (v - r) / 3;
    }
    out
}

fn one_zero(code: u8) -> Vec<i8> {
    let zero = usize::from(code >> 2);
    let signs = [1, if code & 2 != 0 { -1 } else { 1 }, if code & 1 != 0 { -1 } else { 1 }];
    let mut rest = signs.into_iter();
    (0..4).map(|i| if i == zero { 0 } else { rest.next().unwrap_or(0) }).collect()
}

/// The shortest walk from `at` to an unwritten entry; among equals the one with fewest open neighbours, so that none is left behind.
fn nearest(at: &[i8], wanted: &BTreeMap<Vec<i8>, u8>) -> Vec<Vec<i8>> {
    let mut queue = VecDeque::from([vec![at.to_vec()]]);
    let mut seen = std::collections::BTreeSet::from([at.to_vec()]);
    let mut found: Vec<Vec<Vec<i8>>> = vec![];
    while let Some(path) = queue.pop_front() {
        if found.first().is_some_and(|f| f.len() < path.len() - 1) {
            break;
        }
        let Some(here) = path.last().cloned() else { break };
        if path.len() > 1 && wanted.contains_key(&here) {
            found.push(path[1..].to_vec());
            continue;
        }
        for next in neighbours(&here) {
            if seen.insert(next.clone()) {
                let mut longer = path.clone();
                longer.push(next);
                queue.push_back(longer);
            }
        }
    }
    let open =
        |p: &Vec<Vec<i8>>| p.last().map_or(0, |e| neighbours(e).iter().filter(|n| wanted.contains_key(*n)).count());
    found.into_iter().min_by_key(open).unwrap_or_default()
}

/// Patterns one step away whose first nonzero weight is +1.
fn neighbours(at: &[i8]) -> Vec<Vec<i8>> {
    let mut out = vec![];
    for i in 0..at.len() {
        for d in [1, -1] {
            let mut n = at.to_vec();
            n[i] += d;
            if n[i].abs() <= 1 && n.iter().find(|w| **w != 0).is_none_or(|w| *w == 1) {
                out.push(n);
            }
        }
    }
    out
}

/// What a decoder gives for a group of two-bit weights (lane 0 in the low bits): sign above address.
pub fn group_code(group: u8, packed: u64) -> u64 {
    let mut v = 0i32;
    for lane in 0..group {
        let w = match packed >> (2 * lane) & 3 {
            1 => 1,
            3 => -1,
            _ => 0,
        };
        v = 3 * v + w;
    }
    let index_bits = Table::Dense(group).index_bits();
    (v.unsigned_abs() as u64) | u64::from(v < 0) << index_bits
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Table; 4] = [Table::Dense(2), Table::Dense(3), Table::Dense(4), Table::OneZero];

    #[test]
    fn a_fill_writes_every_entry_with_its_own_sum() {
        let x = [5i64, -7, 11, 128];
        for table in ALL {
            let (mut sum, mut ram) = (0, BTreeMap::new());
            for s in table.program() {
                sum = if s.clear {
                    0
                } else {
                    sum + if s.negate { -x[usize::from(s.term)] } else { x[usize::from(s.term)] }
                };
                if s.write {
                    ram.insert(s.index, sum);
                }
            }
            for (index, pattern) in table.entries() {
                let want: i64 = pattern.iter().zip(x).map(|(w, x)| i64::from(*w) * x).sum();
                assert_eq!(ram.get(&index), Some(&want), "{table:?} entry {index}");
            }
        }
    }

    #[test]
    fn dense_fills_take_one_step_an_entry() {
        let lengths: Vec<usize> = ALL.iter().map(|t| t.program().len()).collect();
        assert_eq!(lengths[..2], [1 + 4, 3 + 13]);
        assert!(lengths[2] <= 1 + 46 && lengths[3] <= 1 + 36, "{lengths:?}");
    }
}
