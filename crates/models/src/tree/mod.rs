//! The one tree engine: every ensemble, whatever library grew it, is walked here.
//!
//! A walk is bound by memory latency, not by arithmetic, so the form is chosen for many independent
//! loads in flight: hot nodes of 8 bytes (16 when the inputs are `f64` or an index does not fit) in
//! breadth-first order with the right child beside the left one, leaves that point at themselves, and
//! branch-free steps taken in lockstep by 10, 12 or 16 trees of one row or rows of one tree. Counts are made
//! powers of two, so that masks take the place of checks. Trees of a few hundred nodes count them from their root,
//! in a byte, which no instruction has to take out of a word ([`small`]). Ensembles with categorical splits, equality
//! tests or zeros that count as missing use a plain walk instead.
//!
//! Every split is rewritten to `x <= threshold`. The rewrite is exact for the input type `X`: an `f64`
//! threshold is rounded *down* to `f32`, and `x < t` becomes `x <= (largest X below t)`. Both sides are
//! then compared as integers of the same order ([`Scalar::key`]).
//!
//! Leaf values are added in the order of the trees, in the type `V`, so sums are those of the library.

mod build;
mod explain;
mod forest;
mod scalar;
mod small;
mod spec;
mod walk;

#[cfg(test)]
mod tests;

pub use build::{BuildError, NODES_MAX};
pub use explain::{ExplainError, ExplainedRows, Explainer, LazyExplainer};
pub use forest::Forest;
pub use scalar::Scalar;
pub use spec::{CategorySet, NodeSpec, Split, Test, TreeSpec};
