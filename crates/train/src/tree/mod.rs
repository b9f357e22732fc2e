//! Decision trees: what a fitted tree is, and how one row walks it.
//!
//! [`criterion`] measures how good a split is, [`builder`] grows a tree with it. Both know nothing
//! of forests, so boosting can grow its trees with a criterion of its own. [`discrete`] knows which features have few
//! values, which are added up in [`buckets`] where others are sorted.

mod buckets;
pub(crate) mod builder;
pub(crate) mod criterion;
pub(crate) mod discrete;
mod node;
mod order;
#[cfg(test)]
mod tests;

pub use node::{Node, Tree};
