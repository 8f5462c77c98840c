//! What a row's products are made of: cells, and the choice of the one whose sum is complete.

pub mod cell;
pub mod select;
