//! Windows one after the other: a table for the terminal, metrics, a page, and the parts of it for other pages.

mod page;
mod parts;
mod prometheus;
mod summary;
mod terminal;
mod window;

pub use page::windows_page;
pub use parts::{WINDOWS_SHOWN_MAX, WindowParts};
pub use prometheus::windows_prometheus;
pub use terminal::windows_text;
pub use window::window_report;
