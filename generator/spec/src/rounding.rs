//! The five rounding names; their arithmetic lives in `bitlathe-golden` and, independently, in the RTL.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How `n / 2^s` becomes an integer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rounding {
    /// Nearest, ties to even (ONNX QuantizeLinear, PyTorch).
    #[default]
    HalfEven,
    /// `floor(v + 1/2)` (pulp ITA, LiteRT reference kernels).
    HalfUp,
    /// Nearest, ties away from zero (NVDLA, QONNX HALF_UP).
    HalfAway,
    /// Toward minus infinity.
    Floor,
    /// `floor(v + r / 2^b)`, r from an LFSR.
    Stochastic,
}

impl Rounding {
    /// Every name, in the order of the documentation.
    pub const ALL: [Self; 5] = [Self::HalfEven, Self::HalfUp, Self::HalfAway, Self::Floor, Self::Stochastic];

    /// The name as written in a config.
    pub fn name(self) -> &'static str {
        match self {
            Self::HalfEven => "half-even",
            Self::HalfUp => "half-up",
            Self::HalfAway => "half-away",
            Self::Floor => "floor",
            Self::Stochastic => "stochastic",
        }
    }
}
