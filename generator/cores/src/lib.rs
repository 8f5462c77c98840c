//! The cores: one folder each, and the hardware parts that they share.

mod boundary;
mod common;
pub mod compare;
mod core;
pub mod flash_attention;
pub mod mixpe_gemm;
pub mod pairwise;
pub mod parts;
pub mod quantizer;
pub mod random;
mod requantized;
mod room;
pub mod selftest;
pub mod softmax;
pub mod ternary_gemm;
pub mod wrap;

pub use crate::core::*;

/// Every kind of core, in the order in which `bitlathe list` shows them.
pub fn kinds() -> &'static [&'static dyn Kind] {
    &[
        &ternary_gemm::TernaryGemm,
        &mixpe_gemm::MixpeGemm,
        &quantizer::Quantizer,
        &softmax::Softmax,
        &flash_attention::FlashAttention,
    ]
}
