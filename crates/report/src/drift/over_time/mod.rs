//! Windows one after the other: a table for the terminal, metrics, and a page.

mod page;
mod prometheus;
mod summary;
mod terminal;

pub use page::windows_page;
pub use prometheus::windows_prometheus;
pub use terminal::windows_text;
