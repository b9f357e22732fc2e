//! The JSON Schema of `trainyard.toml`, for editors: what its reader reads, asked of the reader itself.

mod document;
mod wanted;

pub use document::schema;
