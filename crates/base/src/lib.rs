//! The ground floor: small things that every room needs, with few dependencies and no network.
//!
//! - [`advice`]: what to do about an error, and whose fault it is;
//! - [`memory`]: what this process may still take, by the machine and by its control groups;
//! - [`budget`]: bytes that all requests together may hold.

pub mod advice;
pub mod budget;
pub mod memory;

pub use advice::{Advice, Advise, Fault};
pub use budget::{Budget, Full, Share};
