//! A small set of configs that together try every pair of option values that some legal config tries.
//!
//! Used by the tests of every kind of core: most faults need at most two options to meet.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::random::Random;

/// One option: its table, its key, and the values it may take.
pub type OptionValues = (&'static str, &'static str, Vec<Value>);

/// What the cover is made of.
pub struct Space<'a> {
    /// All options; the first value of each is the one that stands where the option has no effect.
    pub options: Vec<OptionValues>,
    /// The rest of a config, with the given name.
    pub base: fn(&str) -> Value,
    /// Whether a config is legal.
    pub legal: &'a dyn Fn(&Value) -> bool,
    /// Whether the option `table.key` has an effect in a config.
    pub acts: fn(&Value, &str, &str) -> bool,
    /// Keys that legality and effect depend on.
    pub decide: &'a [&'static str],
}

/// An option by number with one of its values.
type Choice = (usize, usize);

/// Draws that compete for the next config of the cover.
const CANDIDATES: usize = 120;

impl Space<'_> {
    /// The config of a choice of one value for every option.
    pub fn config(&self, choice: &[usize], name: &str) -> Value {
        let mut c = (self.base)(name);
        for ((table, key, values), &i) in self.options.iter().zip(choice) {
            c[*table][*key] = values[i].clone();
        }
        c
    }

    /// One value for every option, at random.
    pub fn draw(&self, r: &mut Random) -> Vec<usize> {
        self.quiet(self.options.iter().map(|o| r.below(o.2.len() as u64) as usize).collect())
    }

    /// Points of the full cross of all values.
    pub fn cross_size(&self) -> u64 {
        self.options.iter().map(|o| o.2.len() as u64).product()
    }

    /// The config at a point of the full cross, whose digits are the values of the options. `None` where it is illegal or an
    /// option without effect does not have its first value.
    pub fn crossed(&self, point: u64) -> Option<Value> {
        let mut rest = point;
        let mut digit = |values: &Vec<Value>| {
            let value = rest % values.len() as u64;
            rest /= values.len() as u64;
            value as usize
        };
        let choice: Vec<usize> = self.options.iter().map(|o| digit(&o.2)).collect();
        let c = self.config(&choice, &format!("cross{point}"));
        (self.quiet(choice.clone()) == choice && (self.legal)(&c)).then_some(c)
    }

    /// The choice with the first value for every option without an effect.
    fn quiet(&self, mut choice: Vec<usize>) -> Vec<usize> {
        let c = self.config(&choice, "quiet");
        for (o, (table, key, _)) in self.options.iter().enumerate() {
            if !(self.acts)(&c, table, key) {
                choice[o] = 0;
            }
        }
        choice
    }

    /// The pairs that a choice tries: those where both options have an effect.
    fn pairs_of(&self, choice: &[usize]) -> Vec<(Choice, Choice)> {
        let c = self.config(choice, "pair");
        let acts = |o: usize| (self.acts)(&c, self.options[o].0, self.options[o].1);
        let acting: Vec<Choice> = choice.iter().copied().enumerate().filter(|(o, _)| acts(*o)).collect();
        let from = |a: usize| acting[a + 1..].iter().map(move |&b| (a, b));
        (0..acting.len()).flat_map(from).map(|(a, b)| (acting[a], b)).collect()
    }

    /// A legal choice in which a pair has an effect, found by trying all values of the deciding options.
    fn witness(&self, pair: (Choice, Choice)) -> Option<Vec<usize>> {
        let free: Vec<usize> = (0..self.options.len()).filter(|&o| self.decide.contains(&self.options[o].1)).collect();
        let combinations: usize = free.iter().map(|&o| self.options[o].2.len()).product();
        (0..combinations).find_map(|mut rest| {
            let mut choice = vec![0; self.options.len()];
            for &o in &free {
                choice[o] = rest % self.options[o].2.len();
                rest /= self.options[o].2.len();
            }
            for (o, v) in [pair.0, pair.1] {
                choice[o] = v;
            }
            (self.pairs_of(&choice).contains(&pair) && (self.legal)(&self.config(&choice, "pair"))).then_some(choice)
        })
    }

    /// Every pair that some legal config tries, each with such a choice.
    fn reachable(&self) -> BTreeMap<(Choice, Choice), Vec<usize>> {
        let mut found = BTreeMap::new();
        for a in 0..self.options.len() {
            for b in a + 1..self.options.len() {
                let values = |o: usize| 0..self.options[o].2.len();
                for pair in values(a).flat_map(|x| values(b).map(move |y| ((a, x), (b, y)))) {
                    found.extend(self.witness(pair).map(|choice| (pair, choice)));
                }
            }
        }
        found
    }

    /// The cover, found greedily; the same every time.
    pub fn cover(&self) -> Vec<Value> {
        let mut r = Random::new(1);
        let mut open = self.reachable();
        let mut configs = vec![];
        while let Some((&(first, second), known)) = open.iter().next() {
            let mut candidates = vec![known.clone()];
            for n in 0..CANDIDATES {
                // Half of the draws vary the known choice, which is legal; half are free.
                let mut choice: Vec<usize> = self.options.iter().map(|o| r.below(o.2.len() as u64) as usize).collect();
                if n % 2 == 0 {
                    choice.iter_mut().zip(known).for_each(|(c, k)| *c = if r.below(3) == 0 { *k } else { *c });
                }
                [first, second].iter().for_each(|&(o, v)| choice[o] = v);
                candidates.push(self.quiet(choice));
            }
            let gain = |c: &Vec<usize>| self.pairs_of(c).iter().filter(|p| open.contains_key(*p)).count();
            let tries_first = |c: &Vec<usize>| self.pairs_of(c).contains(&(first, second));
            let best = candidates
                .into_iter()
                .filter(|c| tries_first(c) && (self.legal)(&self.config(c, "pair")))
                .max_by_key(gain)
                .unwrap_or_default();
            self.pairs_of(&best).iter().for_each(|p| {
                open.remove(p);
            });
            configs.push(self.config(&best, &format!("pair{}", configs.len())));
        }
        configs
    }
}
