//! Shared hardware: one part a file, each parametrised, each with its cost beside it.
//!
//! | part | does |
//! |---|---|
//! | [`carry`] | adders on the vendor's carry chain, with proven behavioural forms |
//! | [`delay_line`] | a value some cycles later |
//! | [`fifo`] | first-word-fall-through queue |
//! | [`lfsr`] | 16-bit linear feedback shift register |
//! | [`memory`] | what a memory costs in blocks, look-up-table sites and multiplexers |
//! | [`register_file`] | registers from a register map |
//! | [`stream_register`] | skid buffer |
//! | [`width_converter`] | wide beats to narrow ones |
//! | [`replay`] | on-chip copy of a stream that repeats endlessly |
//! | [`requantize`] | multiply, shift with rounding, zero point, saturate |

pub mod carry;
pub mod delay_line;
pub mod fifo;
pub mod lfsr;
pub mod memory;
pub mod register_file;
pub mod replay;
pub mod requantize;
pub mod stream_register;
pub mod width_converter;
