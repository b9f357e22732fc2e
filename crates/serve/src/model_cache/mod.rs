//! The last good model on this disk: kept when it serves, started from when its registry cannot be reached.

mod cache;
mod copy;
mod entry;
#[cfg(test)]
mod tests;

pub use cache::ModelCache;
