//! The core `softmax`: rows of integers in, probabilities out.

pub mod exponential;
