//! `mixpe-gemm`: products with int4 weights by shift and add, scaled once a group (after MixPE, arXiv 2411.16158).
//!
//! | file | holds |
//! |---|---|
//! | [`array`] | the weight-stationary compute array, one file a kernel |
//! | [`import`] | weights of a model file as tensors of a job |

pub mod array;
pub mod import;
