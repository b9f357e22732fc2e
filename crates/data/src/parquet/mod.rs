//! Parquet: files of ours and bodies of strangers.

mod body;
mod decode;
mod delta;
mod file;
mod footer;
mod groups;
mod head;
mod layout;
mod lists;
mod page;
mod pages;
mod table;
mod thrift;

pub use body::{BodyError, BodyLimits, read_parquet_body};
pub(crate) use file::ParquetFile;
pub(crate) use groups::{GroupedFile, Groups};
pub use head::{Head, HeadLimits, parquet_head};
pub(crate) use table::{read_bytes, read_file};
