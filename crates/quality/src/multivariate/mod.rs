//! Whether columns still go together as they did: what no column shows by itself.

pub mod domain;
mod eigen;
pub mod reconstruction;

pub use domain::Domain;
pub use reconstruction::{Reconstruction, ReconstructionError};
