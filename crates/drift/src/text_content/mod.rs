//! Whether current texts say other things than those of the reference.

mod auc;
mod classifier;
mod features;
mod heavy;
mod told_apart;
mod words;

pub use auc::{Scored, auc};
pub(crate) use heavy::{Heavier, HeavyTexts};
pub(crate) use told_apart::TextContent;
pub(crate) use words::telling_words;
