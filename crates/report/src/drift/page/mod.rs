//! A drift result as one HTML page.

mod column;
mod document;

pub use document::page;
