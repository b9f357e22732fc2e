//! The operators, a file for each kind; [`operators`] finds them by name.

mod elementwise;
mod features;
mod linear;
mod linear_algebra;
mod normalization;
pub(super) mod operators;
mod reduce;
mod scores;
mod shaping;
mod trees;
