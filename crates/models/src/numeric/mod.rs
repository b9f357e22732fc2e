//! Formulas that several formats share.

pub(crate) mod distribution;
pub(crate) mod functions;
pub(crate) mod interpolation;
pub(crate) mod kernels;
pub(crate) mod sum;
