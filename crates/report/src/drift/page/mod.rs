//! A drift result as one HTML page.

mod bins;
mod column;
mod document;

pub use document::page;
