//! Formulas that several formats share.

pub(crate) mod kernels;
