//! Bit-exact integer models of the cores' arithmetic: the judge of the hardware, which shares no code with it.
//!
//! Everything here computes on plain integers and plain parameter structs. Floating point appears only where a real
//! scale becomes integers ([`dyadic`], [`softmax::Method`]), where real values are quantized ([`quantize`], [`grouped`]), and in error
//! figures ([`float`], [`softmax::accuracy`], [`attention::accuracy`]).

mod arguments;
pub mod attention;
pub mod division;
pub mod dyadic;
pub mod encoding;
pub mod float;
pub mod grouped;
pub mod lfsr;
pub mod mixpe;
pub mod quantize;
pub mod quantizer;
pub mod rounding;
pub mod softmax;
pub mod ternary;

pub use arguments::ArgumentError;
pub use division::Reciprocal;
pub use dyadic::{Dyadic, DyadicError, dyadic_constant_shift, dyadic_runtime};
pub use encoding::{EncodeError, Encoding};
pub use lfsr::Lfsr;
pub use rounding::{OutputFormat, Random, requantize, saturate, shift_round};
pub use ternary::{GemmError, Inputs, Output, Requant, TernaryGemm};
