//! What a candidate's signature changes for those who use production's.
//!
//! [`compare`] lists every difference with its [`Effect`]. Inputs are contravariant: a difference is no break
//! where every request that production's signature takes is taken by the candidate's, by the rules of
//! [`crate::enforce`] and not by names of types. Outputs are covariant: whoever reads production's answers
//! can read the candidate's. A property test holds the first to generated signatures and requests
//! (`tests/it/contract.rs`).

mod compare;
mod effect;
mod finding;
mod inputs;
mod outputs;
mod params;
mod positions;
mod tensors;
mod types;

pub use compare::{Contract, compare};
pub use effect::{Effect, Form};
pub use finding::{Finding, Part};
