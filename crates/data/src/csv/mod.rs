//! CSV files.

mod blocks;
mod column;
mod damage;
mod delimiter;
mod header;
pub(crate) mod input;
mod pieces;
mod read;
pub(crate) mod segments;
mod split;
pub(crate) mod value;

pub(crate) use pieces::Pieces;
pub(crate) use read::read;
