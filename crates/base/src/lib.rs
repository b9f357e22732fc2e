//! The ground floor: small things that every room needs, with few dependencies and no network.
//!
//! - [`memory`]: what this process may still take, by the machine and by its control groups;
//! - [`budget`]: bytes that all requests together may hold;
//! - [`pandas`]: what pandas takes for missing.

pub mod budget;
pub mod memory;
pub mod pandas;

pub use budget::{Budget, Full, Share};
