//! A drift result as a page, a table for the terminal, Markdown, JSON, and metrics.

mod change;
mod evidently;
mod grouped;
mod json;
mod markdown;
mod meta;
mod over_time;
mod page;
mod prometheus;
mod sentences;
mod state;
mod terminal;
mod wrapped;

pub use evidently::evidently_json;
pub use json::{SCHEMA_VERSION, json};
pub use markdown::markdown;
pub use meta::Meta;
pub use over_time::{
    WINDOWS_SHOWN_MAX, WindowParts, window_report, windows_page, windows_prometheus, windows_text,
};
pub use page::page;
pub use prometheus::prometheus;
pub(crate) use state::sign;
pub use terminal::{coloured_text, text};
pub(crate) use wrapped::plain;
