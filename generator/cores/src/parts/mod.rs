//! Shared hardware: one part a file, each parametrised, each with its cost beside it.
//!
//! | part | does |
//! |---|---|
//! | [`axi_lite`] | five channels of AXI4-Lite to a register port |
//! | [`buffer`] | deep FIFO with a registered read |
//! | [`buffered`] | stream register and FIFO as steps of a stream |
//! | [`burst_walk`] | bursts of a walk through memory |
//! | [`carry`] | adders on the vendor's carry chain, with proven behavioural forms |
//! | [`crc32`] | signature of a stream of words |
//! | [`delay_line`] | a value some cycles later |
//! | [`divider`] | quotient, one bit a cycle |
//! | [`dsp_mac`] | product and cascaded sum on a DSP block, with two weights |
//! | [`fifo`] | first-word-fall-through queue |
//! | [`lfsr`] | linear feedback shift registers |
//! | [`max_tree`] | largest of several values |
//! | [`normalise`] | leading zeros, and the value without them |
//! | [`memory`] | what a memory costs in blocks, look-up-table sites and multiplexers |
//! | [`multiply_add`] | product plus addend, one DSP block |
//! | [`read_master`] | a stream from memory over AXI4 |
//! | [`register_file`] | registers from a register map |
//! | [`row_walk`] | where in its row a beat lies |
//! | [`sign`] | copies of a sign, to symbolic widths |
//! | [`simd_add`] | sums on DSP blocks whose adder splits into lanes |
//! | [`stream_register`] | skid buffer |
//! | [`sum_tree`] | sum of several values |
//! | [`uart`] | bytes as asynchronous serial |
//! | [`write_master`] | a stream to memory over AXI4 |
//! | [`width_converter`] | wide beats to narrow ones |
//! | [`window_shift`] | a few bits of a long word from a run-time place |
//! | [`replay`] | on-chip copy of a stream that repeats endlessly |
//! | [`requantize`] | multiply, shift with rounding, zero point, saturate |

pub mod axi_lite;
pub mod buffer;
pub mod buffered;
pub mod burst_walk;
pub mod carry;
pub mod crc32;
pub mod delay_line;
pub mod divider;
pub mod dsp_mac;
pub mod fifo;
pub mod lfsr;
pub mod max_tree;
pub mod memory;
pub mod multiply_add;
pub mod normalise;
pub mod read_master;
pub mod register_file;
pub mod replay;
pub mod requantize;
pub mod row_walk;
pub mod sign;
pub mod simd_add;
pub mod stream_register;
pub mod sum_tree;
pub mod uart;
pub mod width_converter;
pub mod window_shift;
pub mod write_master;
