//! Files in parts with fixed bounds: each is read by itself, in whichever process, and all together are the file.

mod file;
mod join;
mod text;

pub use file::{FilePart, PartedFile};
pub use join::{join_csv, join_parquet};
