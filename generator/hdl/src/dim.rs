//! Dimensions: widths and counts that carry both a symbol (`ACT_W + $clog2(K)`) and a value under one config.
//!
//! A [`Dim`] is kept as a polynomial over atoms, so equal formulas compare equal and print folded (`2*W`, never `W+W+0`);
//! `verilog/dim.rs` prints it.

use std::collections::BTreeMap;
use std::ops::{Add, Mul, Sub};

/// What a polynomial is made of, with the value it has under this config.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Atom {
    /// A parameter or localparam.
    Name(String, i64),
    /// The index of a generate loop and its trip count.
    Index(String, i64),
    Clog2(Dim),
    Div(Dim, Dim),
    Max(Dim, Dim),
    Min(Dim, Dim),
    Pow2(Dim),
    /// `cond ? a : b`
    Pick(Box<Cond>, Dim, Dim),
}

/// A relation between dimensions: the condition of a generate-if or of an elaboration guard.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cond {
    pub(crate) left: Dim,
    pub(crate) op: &'static str,
    pub(crate) right: Dim,
}

impl Cond {
    /// Whether it holds under this config.
    pub fn holds(&self) -> bool {
        let (l, r) = (self.left.value(), self.right.value());
        match self.op {
            "==" => l == r,
            "!=" => l != r,
            "<" => l < r,
            "<=" => l <= r,
            ">" => l > r,
            _ => l >= r,
        }
    }
}

impl Cond {
    /// The relation that holds when this one does not.
    pub(crate) fn negated(&self) -> Self {
        let op = match self.op {
            "==" => "!=",
            "!=" => "==",
            "<" => ">=",
            "<=" => ">",
            ">" => "<=",
            _ => "<",
        };
        Self { op, ..self.clone() }
    }
}

/// A symbolic integer with a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dim {
    terms: BTreeMap<Vec<Atom>, i64>,
}

impl Dim {
    pub(crate) fn atom(atom: Atom) -> Self {
        Self { terms: BTreeMap::from([(vec![atom], 1)]) }
    }

    pub(crate) fn name(name: &str, value: i64) -> Self {
        Self::atom(Atom::Name(name.into(), value))
    }

    /// The terms of the polynomial: atoms, in order, and coefficient.
    pub(crate) fn terms(&self) -> impl Iterator<Item = (&Vec<Atom>, i64)> {
        self.terms.iter().map(|(atoms, c)| (atoms, *c))
    }

    /// The number when there is no symbol in it.
    pub fn constant(&self) -> Option<i64> {
        match self.terms.len() {
            0 => Some(0),
            1 => self.terms.get(&vec![]).copied(),
            _ => None,
        }
    }

    /// The name when it is one parameter or localparam.
    pub(crate) fn as_name(&self) -> Option<&str> {
        match self.terms().next() {
            Some((atoms, 1)) if self.terms.len() == 1 => match &atoms[..] {
                [Atom::Name(name, _)] => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// The value under this config; a generate index counts as 0.
    pub fn value(&self) -> i64 {
        self.value_at(0)
    }

    /// The value at the last step of every generate loop.
    pub fn last_value(&self) -> i64 {
        self.value_at(1)
    }

    fn value_at(&self, end: i64) -> i64 {
        self.terms.iter().map(|(atoms, c)| c * atoms.iter().map(|a| a.value_at(end)).product::<i64>()).sum()
    }

    /// Whether a generate index occurs in it.
    pub(crate) fn indexed(&self) -> bool {
        self.terms.keys().flatten().any(Atom::indexed)
    }

    /// `$clog2` of it: the bits that count up to it.
    pub fn clog2(&self) -> Self {
        match self.constant() {
            Some(n) => Self::from(clog2(n)),
            None => Self::atom(Atom::Clog2(self.clone())),
        }
    }

    /// The quotient rounded toward zero (both sides are non-negative).
    pub fn div(&self, by: impl Into<Self>) -> Self {
        let by = by.into();
        match (self.constant(), by.constant()) {
            (Some(a), Some(b)) if b != 0 => Self::from(a / b),
            (_, Some(1)) => self.clone(),
            _ => Self::atom(Atom::Div(self.clone(), by)),
        }
    }

    /// The quotient rounded up.
    pub fn ceil_div(&self, by: impl Into<Self>) -> Self {
        let by = by.into();
        if by.constant() == Some(1) { self.clone() } else { (self + &by - 1).div(by) }
    }

    /// The larger of two.
    pub fn larger(&self, o: impl Into<Self>) -> Self {
        let o = o.into();
        match (self - &o).constant() {
            Some(d) if d >= 0 => self.clone(),
            Some(_) => o,
            None => Self::atom(Atom::Max(self.clone(), o)),
        }
    }

    /// The smaller of two.
    pub fn smaller(&self, o: impl Into<Self>) -> Self {
        let o = o.into();
        match (self - &o).constant() {
            Some(d) if d <= 0 => self.clone(),
            Some(_) => o,
            None => Self::atom(Atom::Min(self.clone(), o)),
        }
    }

    /// Two to its power.
    pub fn pow2(&self) -> Self {
        match self.constant() {
            Some(n) => Self::from(1i64 << n.clamp(0, 62)),
            None => Self::atom(Atom::Pow2(self.clone())),
        }
    }

    /// `self` where the condition holds, else the other.
    pub fn when(&self, cond: Cond, otherwise: impl Into<Self>) -> Self {
        Self::atom(Atom::Pick(Box::new(cond), self.clone(), otherwise.into()))
    }

    /// `self == other`
    pub fn eq_to(&self, o: impl Into<Self>) -> Cond {
        Cond { left: self.clone(), op: "==", right: o.into() }
    }
    /// `self != other`
    pub fn ne_to(&self, o: impl Into<Self>) -> Cond {
        Cond { left: self.clone(), op: "!=", right: o.into() }
    }
    /// `self < other`
    pub fn lt(&self, o: impl Into<Self>) -> Cond {
        Cond { left: self.clone(), op: "<", right: o.into() }
    }
    /// `self > other`
    pub fn gt(&self, o: impl Into<Self>) -> Cond {
        Cond { left: self.clone(), op: ">", right: o.into() }
    }
    /// `self >= other`
    pub fn ge(&self, o: impl Into<Self>) -> Cond {
        Cond { left: self.clone(), op: ">=", right: o.into() }
    }

    fn combine(&self, o: &Self, sign: i64) -> Self {
        let mut terms = self.terms.clone();
        for (k, c) in &o.terms {
            *terms.entry(k.clone()).or_insert(0) += sign * c;
        }
        terms.retain(|_, c| *c != 0);
        Self { terms }
    }

    fn multiply(&self, o: &Self) -> Self {
        let mut terms = BTreeMap::new();
        for (ka, ca) in &self.terms {
            for (kb, cb) in &o.terms {
                let mut k: Vec<Atom> = ka.iter().chain(kb).cloned().collect();
                k.sort();
                *terms.entry(k).or_insert(0) += ca * cb;
            }
        }
        terms.retain(|_, c| *c != 0);
        Self { terms }
    }
}

/// Bits that count `n` things: `ceil(log2 n)`.
pub fn clog2(n: i64) -> i64 {
    if n <= 1 { 0 } else { i64::from(64 - ((n - 1) as u64).leading_zeros()) }
}

impl Atom {
    fn value_at(&self, end: i64) -> i64 {
        match self {
            Self::Name(_, v) => *v,
            Self::Index(_, count) => end * (count - 1).max(0),
            Self::Clog2(d) => clog2(d.value_at(end)),
            Self::Div(a, b) => a.value_at(end).checked_div(b.value_at(end)).unwrap_or(0),
            Self::Max(a, b) => a.value_at(end).max(b.value_at(end)),
            Self::Min(a, b) => a.value_at(end).min(b.value_at(end)),
            Self::Pow2(d) => 1i64 << d.value_at(end).clamp(0, 62),
            Self::Pick(c, a, b) => {
                if c.holds() {
                    a.value_at(end)
                } else {
                    b.value_at(end)
                }
            }
        }
    }

    /// Whether it is the index of a generate loop itself.
    pub(crate) fn is_index(&self) -> bool {
        matches!(self, Self::Index(..))
    }

    fn indexed(&self) -> bool {
        match self {
            Self::Name(..) => false,
            Self::Index(..) => true,
            Self::Clog2(d) | Self::Pow2(d) => d.indexed(),
            Self::Div(a, b) | Self::Max(a, b) | Self::Min(a, b) => a.indexed() || b.indexed(),
            Self::Pick(c, a, b) => c.left.indexed() || c.right.indexed() || a.indexed() || b.indexed(),
        }
    }
}

macro_rules! from_int {
    ($($t:ty)*) => {$(
        impl From<$t> for Dim {
            fn from(n: $t) -> Self {
                let n = n as i64;
                if n == 0 { Self::default() } else { Self { terms: BTreeMap::from([(vec![], n)]) } }
            }
        }
    )*};
}
from_int!(i32 u32 i64 u64 usize);

impl From<&Self> for Dim {
    fn from(d: &Self) -> Self {
        d.clone()
    }
}

macro_rules! dim_op {
    ($trait:ident $method:ident, $a:ident $b:ident => $body:expr) => {
        impl<R: Into<Dim>> $trait<R> for &Dim {
            type Output = Dim;
            fn $method(self, rhs: R) -> Dim {
                let ($a, $b) = (self, &rhs.into());
                $body
            }
        }
        impl<R: Into<Dim>> $trait<R> for Dim {
            type Output = Dim;
            fn $method(self, rhs: R) -> Dim {
                let ($a, $b) = (&self, &rhs.into());
                $body
            }
        }
        impl $trait<&Dim> for i64 {
            type Output = Dim;
            fn $method(self, rhs: &Dim) -> Dim {
                let ($a, $b) = (&Dim::from(self), rhs);
                $body
            }
        }
    };
}
dim_op!(Add add, a b => a.combine(b, 1));
dim_op!(Sub sub, a b => a.combine(b, -1));
dim_op!(Mul mul, a b => a.multiply(b));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_have_values() {
        let (w, k) = (Dim::name("W", 8), Dim::name("K", 20));
        assert_eq!((&w + k.clog2() - 1).value(), 12);
        assert_eq!(k.ceil_div(3).value(), 7);
        assert_eq!((&w - &w).constant(), Some(0));
        assert_eq!(w.larger(&w + 2).value(), 10);
    }
}
