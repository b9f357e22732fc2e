//! CSV files.

mod blocks;
mod column;
mod damage;
mod dialect;
pub(crate) mod header;
pub(crate) mod input;
pub(crate) mod lines;
mod nulls;
mod pieces;
mod read;
pub(crate) mod segments;
mod split;
pub(crate) mod value;

pub(crate) use dialect::Dialect;
pub(crate) use pieces::Pieces;
pub(crate) use read::{read, read_as};
