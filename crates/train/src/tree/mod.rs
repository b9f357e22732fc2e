//! Decision trees: what a fitted tree is, and how one row walks it.
//!
//! [`criterion`] measures how good a split is, [`builder`] grows a tree with it. Both know nothing
//! of forests, so boosting can grow its trees with a criterion of its own.

pub(crate) mod builder;
pub(crate) mod criterion;
mod node;

pub use node::{Node, Tree};
