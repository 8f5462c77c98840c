//! What the datasheet says of a configured core, in words and numbers.

use super::config::Derived;
use crate::{About, ProvenRange};

/// Title, text, definition and block diagram.
pub fn about(_: &Derived) -> About {
    About { title: "Softmax".into(), paragraphs: vec![], definition: vec![], blocks: vec![] }
}

/// Ranges proven when the core was made.
pub fn ranges(_: &Derived) -> Vec<ProvenRange> {
    vec![]
}
