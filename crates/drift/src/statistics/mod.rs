//! The statistics themselves: numbers in, a score out.
//!
//! Each function states the formula it follows. Scores agree with Evidently 0.7 and SciPy 1.17 to
//! 1e-9 unless its documentation says otherwise.

pub(crate) mod binned;
pub(crate) mod chance;
pub(crate) mod counts;
pub(crate) mod distance;
pub(crate) mod kolmogorov;
pub(crate) mod ks;
pub(crate) mod moments;
pub(crate) mod permutation;
pub(crate) mod ranks;
#[cfg(test)]
mod scipy_grid;
pub(crate) mod special;
