//! What a user must say to read a weight file whose bytes alone do not say it.

use std::str::FromStr;

use thiserror::Error;

/// Choices for reading weights; each is needed by some files only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Turns real numbers into {-1, 0, 1}; without it they are handed over as they are.
    pub ternarize: Option<Ternarize>,
    /// How `weight_scale` of an HF BitNet file is meant; such a file is refused without it.
    pub scale: Option<ScaleUse>,
    /// Which layout a GGUF tensor of type I2_S has; such a tensor is refused without it.
    pub i2s: Option<I2sLayout>,
    /// How the zero points of a GPTQ layer are stored; such a layer is refused without it.
    pub gptq_zeros: Option<GptqZeros>,
}

/// How real weights become ternary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ternarize {
    /// clip(round(W / mean |W|), -1, 1), one scale for the matrix.
    Absmean,
}

/// How `weight_scale` relates to the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScaleUse {
    /// Weights are the codes divided by it, as in `BitLinear`.
    Divide,
    /// Weights are the codes times it, as in `AutoBitLinear`.
    Multiply,
}

/// Two layouts that share type 36 of GGUF, both in rows of bytes whose bits 7:6, 5:4, 3:2, 1:0 hold four quarters of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum I2sLayout {
    /// Blocks of 128 weights in 32 bytes, as x86 builds of bitnet.cpp write them.
    X86,
    /// Blocks of 64 weights in 16 bytes, as ARM builds of bitnet.cpp write them.
    Arm,
}

/// The two versions of GPTQ files, `checkpoint_format` in `quantize_config.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GptqZeros {
    /// `gptq`: stored is the zero point less one.
    V1,
    /// `gptq_v2`: stored is the zero point.
    V2,
}

/// A name that is none of an option's values.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{name}` is not one of {legal}")]
pub struct UnknownName {
    /// What was given.
    pub name: String,
    /// What could be.
    pub legal: &'static str,
}

impl FromStr for Ternarize {
    type Err = UnknownName;
    fn from_str(name: &str) -> Result<Self, UnknownName> {
        match name {
            "absmean" => Ok(Self::Absmean),
            _ => Err(UnknownName { name: name.into(), legal: "absmean" }),
        }
    }
}

impl FromStr for ScaleUse {
    type Err = UnknownName;
    fn from_str(name: &str) -> Result<Self, UnknownName> {
        match name {
            "divide" => Ok(Self::Divide),
            "multiply" => Ok(Self::Multiply),
            _ => Err(UnknownName { name: name.into(), legal: "divide, multiply" }),
        }
    }
}

impl FromStr for I2sLayout {
    type Err = UnknownName;
    fn from_str(name: &str) -> Result<Self, UnknownName> {
        match name {
            "x86" => Ok(Self::X86),
            "arm" => Ok(Self::Arm),
            _ => Err(UnknownName { name: name.into(), legal: "x86, arm" }),
        }
    }
}

impl FromStr for GptqZeros {
    type Err = UnknownName;
    fn from_str(name: &str) -> Result<Self, UnknownName> {
        match name {
            "v1" => Ok(Self::V1),
            "v2" => Ok(Self::V2),
            _ => Err(UnknownName { name: name.into(), legal: "v1, v2" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        assert_eq!("absmean".parse(), Ok(Ternarize::Absmean));
        assert_eq!("divide".parse(), Ok(ScaleUse::Divide));
        assert_eq!("multiply".parse(), Ok(ScaleUse::Multiply));
        assert_eq!("x86".parse(), Ok(I2sLayout::X86));
        assert_eq!("arm".parse(), Ok(I2sLayout::Arm));
        assert_eq!("v1".parse(), Ok(GptqZeros::V1));
        assert_eq!("v2".parse(), Ok(GptqZeros::V2));
        let wrong = "times".parse::<ScaleUse>().unwrap_err();
        assert_eq!(wrong.to_string(), "`times` is not one of divide, multiply");
    }
}
