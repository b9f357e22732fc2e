//! Artifact files: `mlflow-artifacts:` URIs below one destination, and local paths as they are.
//!
//! Everything goes through `object_store`, so another kind of destination is a URL scheme in
//! [`trainyard_storage`] and nothing else. Files stream in both directions, a part at a time; a file is
//! replaced in one step and is on the disk when the call returns.
//!
//! Every call goes through [`ArtifactStorage::place`], which asks [`reach`] where it may go.

mod allowed_roots;
mod bounds;
mod error;
mod listing;
mod location;
mod memory;
mod path;
mod presigned;
mod real_path;
mod storage;
#[cfg(test)]
mod tests;
mod transfer;

pub use path::ArtifactPath;
pub(crate) use path::percent_decoded;
pub(crate) use real_path::real_path;
pub use storage::{ArtifactStorage, DESTINATION};
pub(crate) use trainyard_storage::scheme;
