//! How sure a figure is.

pub mod bootstrap;
pub mod normal;
pub mod wilson;
