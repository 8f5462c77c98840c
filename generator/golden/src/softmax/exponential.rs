//! The exponential stage: e(d) for a difference d ≥ 0, the part that softmax and attention share.

use super::{Base2, ExpTable, IBert, LinMax, LinMaxPlus, Pwl, ShiftMax, itamax};

/// e(d) ≈ e(0)·exp(-s·d), with the integer constants that [`super::Method::exponential`] makes from the scale s.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Exponential {
    LinMax(LinMax),
    LinMaxPlus(LinMaxPlus),
    ExpTable(ExpTable),
    Base2(Base2),
    Pwl(Pwl),
    IBert(IBert),
    ShiftMax(ShiftMax),
    /// 2^8 shifted by the octaves of d, 32 steps each, rounded half up. Its constants are fixed.
    ItaMax,
}

impl Exponential {
    /// e(d).
    pub fn at(&self, d: u64) -> u64 {
        match self {
            Self::LinMax(m) => m.at(d),
            Self::LinMaxPlus(m) => m.at(d),
            Self::ExpTable(m) => m.at(d),
            Self::Base2(m) => m.at(d),
            Self::Pwl(m) => m.at(d),
            Self::IBert(m) => m.at(d),
            Self::ShiftMax(m) => m.at(d),
            Self::ItaMax => itamax::at(d),
        }
    }

    /// The largest e(d) over all d, at least 1. It is e(0): no method rises above its start, as the comments of each say.
    pub fn largest(&self) -> u64 {
        self.at(0)
    }

    /// The method's name in a config.
    pub fn name(&self) -> &'static str {
        match self {
            Self::LinMax(_) => "linmax",
            Self::LinMaxPlus(_) => "linmax-plus",
            Self::ExpTable(_) => "exp-table",
            Self::Base2(_) => "base2",
            Self::Pwl(_) => "pwl",
            Self::IBert(_) => "ibert",
            Self::ShiftMax(_) => "shiftmax",
            Self::ItaMax => "itamax",
        }
    }
}
