//! Shapley values of tree ensembles, exact: how much each feature adds to a sum of leaves.
//!
//! For one leaf of value `v`, the features of its path are the players of a game: with `S` known, the leaf
//! counts `v` times the product of `o` (1 if the row agrees with all splits on that feature, else 0) over `S`
//! and of `z` (the share of training rows that go this way, or whether a background row does) over the others.
//! Of the `d` features of the path, `i` gets (Lundberg et al. 2020, "From local explanations to global
//! understanding with explainable AI for trees", doi:10.1038/s42256-019-0138-9)
//!
//! ```text
//! v (o_i - z_i) sum over S without i of |S|! (d-1-|S|)! / d! * product of o over S, of z over the rest
//!   = v (o_i - z_i) integral from 0 to 1 of the product over j != i of (o_j t + z_j (1 - t)) dt
//! ```
//!
//! as `k! (d-1-k)! / d!` is the integral of `t^k (1-t)^(d-1-k)`. The integrand is a polynomial of degree `d - 1`
//! without a negative term, so Gauss's rule of `d / 2` points ([`rule`]) has it exactly, and no digit cancels.
//!
//! There are two ways to sum that over the leaves of a tree. Of shallow trees all answers are made beforehand:
//! a few splits have a few outcomes, and each set of outcomes is an entry of a table ([`tables`]; the idea is of
//! Yang 2021, "Fast TreeSHAP", arXiv:2109.09847, here for groups of leaves rather than single ones). Of deep
//! trees the values at the points are carried down to the leaves and their sums back up, which is linear in the
//! number of nodes ([`descent`]; Yu et al. 2022, "Linear TreeShap", arXiv:2209.08192, does so with other points).

mod block;
mod covers;
mod descent;
mod explainer;
mod lazy;
mod rule;
mod tables;
#[cfg(test)]
mod tests;

pub use explainer::{ExplainError, Explainer};
pub use lazy::{ExplainedRows, LazyExplainer};
