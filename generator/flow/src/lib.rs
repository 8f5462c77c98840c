//! Everything that runs outside the generator's own arithmetic: EDA tools, co-simulation, synthesis, files of numbers.

pub mod constraints;
pub mod generate;
pub mod lint;
pub mod npy;
pub mod prediction;
pub mod process;
pub mod sim;
mod sources;
pub mod synth;
pub mod tools;
pub mod verify;
pub mod weights;
