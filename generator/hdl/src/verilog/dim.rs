//! Dimensions as Verilog constant expressions: shared factors stand outside, parentheses follow precedence.
//!
//! `{}` spaces sums (`W + 1`); `{:#}` leaves the spaces out, as is usual between brackets (`[W-1:0]`).

use std::fmt;

use crate::dim::{Atom, Cond, Dim};

/// How tightly a text binds, loosest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Choice,
    Shift,
    Sum,
    /// Apart from products: a quotient is rounded before it is multiplied, so it keeps its parentheses.
    Quotient,
    Product,
    Name,
}

struct Text {
    s: String,
    level: Level,
}

impl Text {
    fn new(s: impl Into<String>, level: Level) -> Self {
        Self { s: s.into(), level }
    }

    /// In parentheses where it binds less tightly than its place asks for.
    fn within(self, level: Level) -> String {
        if self.level < level { format!("({})", self.s) } else { self.s }
    }
}

/// A term of a polynomial: atoms and coefficient.
type Term<'a> = (Vec<&'a Atom>, i64);

/// Writes with or without spaces around `+` and `-`.
#[derive(Clone, Copy)]
struct Writer {
    compact: bool,
}

impl Writer {
    fn dim(self, d: &Dim) -> Text {
        self.sum(d.terms().map(|(atoms, c)| (atoms.iter().collect(), c)).collect())
    }

    fn sum(self, terms: Vec<Term>) -> Text {
        let mut parts = self.addends(terms);
        // A positive part leads where there is one.
        parts.sort_by_key(|(negative, _)| *negative);
        let (plus, minus) = if self.compact { ("+", "-") } else { (" + ", " - ") };
        let mut parts = parts.into_iter();
        let Some((negative, first)) = parts.next() else { return Text::new("0", Level::Name) };
        let mut sum =
            if negative { Text::new(format!("-{}", first.within(Level::Quotient)), Level::Sum) } else { first };
        for (negative, part) in parts {
            // What follows a minus keeps its own sums in parentheses.
            let part = part.within(Level::Quotient);
            sum = Text::new(sum.within(Level::Sum) + if negative { minus } else { plus } + &part, Level::Sum);
        }
        sum
    }

    /// The parts of a sum, each with whether it is subtracted; plain numbers last.
    fn addends(self, mut terms: Vec<Term>) -> Vec<(bool, Text)> {
        if terms.len() > 1
            && let Some(shared) = most_shared(&terms)
        {
            let (mut inside, rest): (Vec<Term>, _) = terms.into_iter().partition(|(atoms, _)| atoms.contains(&shared));
            let factors = take_common(&mut inside);
            let mut parts = vec![self.scaled(inside, |w, sum| w.product(sum, &factors))];
            parts.extend(self.addends(rest));
            return parts;
        }
        let divisor = terms.iter().fold(0, |d, (_, c)| gcd(d, c.abs()));
        if terms.len() > 1 && divisor > 1 && terms.iter().all(|(atoms, _)| !atoms.is_empty()) {
            terms.iter_mut().for_each(|(_, c)| *c /= divisor);
            return vec![
                self.scaled(terms, |_, sum| {
                    Text::new(format!("{divisor}*{}", sum.within(Level::Name)), Level::Product)
                }),
            ];
        }
        terms.sort_by_key(|(atoms, _)| atoms.is_empty());
        terms.into_iter().map(|(atoms, c)| (c < 0, self.monomial(c.abs(), &atoms))).collect()
    }

    /// A sum times something, its sign taken out when every term is negative.
    fn scaled(self, mut terms: Vec<Term>, scale: impl FnOnce(Self, Text) -> Text) -> (bool, Text) {
        let negative = terms.iter().all(|(_, c)| *c < 0);
        if negative {
            terms.iter_mut().for_each(|(_, c)| *c = -*c);
        }
        (negative, scale(self, self.sum(terms)))
    }

    fn monomial(self, coefficient: i64, atoms: &[&Atom]) -> Text {
        match (coefficient, atoms) {
            (c, []) => Text::new(c.to_string(), Level::Name),
            (1, [first, rest @ ..]) if !first.is_index() && rest.iter().any(|a| a.is_index()) => {
                // A lane's index leads: `row*WIDTH`.
                let (mut ordered, names): (Vec<&Atom>, Vec<&Atom>) = atoms.iter().copied().partition(|a| a.is_index());
                ordered.extend(names);
                self.monomial(1, &ordered)
            }
            (1, [first, rest @ ..]) => self.product(self.atom(first), rest),
            (c, _) => {
                let atoms = self.monomial(1, atoms);
                Text::new(format!("{c}*{}", atoms.within(Level::Product)), Level::Product)
            }
        }
    }

    fn product(self, first: Text, rest: &[&Atom]) -> Text {
        if rest.is_empty() {
            return first;
        }
        let factors = rest.iter().map(|a| self.atom(a).within(Level::Name));
        let text = factors.fold(first.within(Level::Product), |s, f| format!("{s}*{f}"));
        Text::new(text, Level::Product)
    }

    fn atom(self, atom: &Atom) -> Text {
        let factor = |d: &Dim| self.dim(d).within(Level::Name);
        let side = |d: &Dim| self.dim(d).within(Level::Sum);
        match atom {
            Atom::Name(n, _) | Atom::Index(n, _) => Text::new(n, Level::Name),
            Atom::Clog2(d) => Text::new(format!("$clog2({})", self.dim(d).s), Level::Name),
            Atom::Div(a, b) => Text::new(format!("{}/{}", factor(a), factor(b)), Level::Quotient),
            Atom::Pow2(d) => Text::new(format!("1 << {}", factor(d)), Level::Shift),
            Atom::Max(a, b) => self.choice(&format!("{} > {}", side(a), side(b)), a, b),
            Atom::Min(a, b) => self.choice(&format!("{} < {}", side(a), side(b)), a, b),
            Atom::Pick(c, a, b) => self.choice(&c.to_string(), a, b),
        }
    }

    fn choice(self, cond: &str, a: &Dim, b: &Dim) -> Text {
        let arm = |d: &Dim| self.dim(d).within(Level::Shift);
        Text::new(format!("{cond} ? {} : {}", arm(a), arm(b)), Level::Choice)
    }
}

/// The atom that the most terms share, when at least two do; names before loop indices.
fn most_shared<'a>(terms: &[Term<'a>]) -> Option<&'a Atom> {
    let count = |atom: &Atom| terms.iter().filter(|(atoms, _)| atoms.contains(&atom)).count();
    let all = terms.iter().flat_map(|(atoms, _)| atoms.iter().copied());
    // `max_by_key` gives the last of equals, the reverse makes it the first.
    let best = all.rev().max_by_key(|a| (count(a), !a.is_index()))?;
    (count(best) > 1).then_some(best)
}

/// Takes out of every term the atoms that all of them have.
fn take_common<'a>(terms: &mut [Term<'a>]) -> Vec<&'a Atom> {
    let mut common = vec![];
    let Some((first, _)) = terms.first().cloned() else { return common };
    for atom in first {
        if terms.iter().all(|(atoms, _)| atoms.contains(&atom)) {
            common.push(atom);
            for (atoms, _) in terms.iter_mut() {
                atoms.iter().position(|a| *a == atom).map(|at| atoms.remove(at));
            }
        }
    }
    common
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&Writer { compact: f.alternate() }.dim(self).s)
    }
}

impl fmt::Display for Cond {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let side = |d: &Dim| Writer { compact: false }.dim(d).within(Level::Sum);
        write!(f, "{} {} {}", side(&self.left), self.op, side(&self.right))
    }
}

/// As a factor or a count of replications: in parentheses unless it is one name or number.
pub(super) fn factor(d: &Dim) -> String {
    Writer { compact: true }.dim(d).within(Level::Name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(name: &str) -> Dim {
        Dim::atom(Atom::Index(name.into(), 4))
    }

    #[test]
    fn formulas_fold_and_print_in_verilog() {
        let (w, k) = (Dim::name("W", 8), Dim::name("K", 20));
        assert_eq!((&w + &w + 0).to_string(), "2*W");
        assert_eq!((&w + k.clog2() - 1).to_string(), "W + $clog2(K) - 1");
        assert_eq!(format!("{:#}", &w + (&k + 1).clog2() - 1), "W+$clog2(K+1)-1");
        assert_eq!((&(&w + 1) * &(&k - 1)).to_string(), "(W + 1)*K - W - 1");
        assert_eq!((Dim::from(32) - &w).to_string(), "32 - W");
        assert_eq!((Dim::from(0) - &w).to_string(), "-W");
        assert_eq!((&w * &k - &w).to_string(), "(K - 1)*W");
        assert_eq!(w.larger(&w + 2).to_string(), "W + 2");
    }

    #[test]
    fn lanes_lead_with_their_index() {
        let (w, n) = (Dim::name("W", 8), Dim::name("N", 3));
        let (row, term) = (index("row"), index("term"));
        assert_eq!((&row * &w).to_string(), "row*W");
        assert_eq!((&row * 3 * &w + &w).to_string(), "(3*row + 1)*W");
        assert_eq!(((&row * &n + &term) * &w).to_string(), "(row*N + term)*W");
        assert_eq!(((&row * &n + &term) * &w * &n).to_string(), "(row*N + term)*N*W");
        assert_eq!(((&row * &n + &term) * 4).to_string(), "4*(row*N + term)");
    }

    #[test]
    fn parentheses_follow_precedence() {
        let (w, k) = (Dim::name("W", 8), Dim::name("K", 20));
        assert_eq!(k.ceil_div(3).to_string(), "(K + 2)/3");
        assert_eq!((k.ceil_div(3) + 1).to_string(), "(K + 2)/3 + 1");
        assert_eq!((k.div(3) * 3).to_string(), "3*(K/3)");
        assert_eq!((w.pow2() - 1).to_string(), "(1 << W) - 1");
        assert_eq!((&w + 1).pow2().to_string(), "1 << (W + 1)");
        assert_eq!(w.larger(&k).to_string(), "W > K ? W : K");
        assert_eq!((w.larger(&k) - 1).to_string(), "(W > K ? W : K) - 1");
        assert_eq!((&w + 1).gt(&k).to_string(), "W + 1 > K");
    }
}
