//! Files below an artifact root, wherever it is.

mod files;
mod local;
mod presigned;
mod stream;
mod tree;

pub use files::{ArtifactFile, Artifacts};
pub use local::LocalArtifacts;
pub use presigned::{DirectFile, PARTS_MAX, SignedRequest};
pub use stream::{ByteRange, ByteStream, once};
pub use tree::{download_tree, upload_tree};
