//! A drift result as a page, a table for the terminal, Markdown, JSON, and metrics.

mod detail;
mod evidently;
mod json;
mod markdown;
mod page;
mod prometheus;
mod text;
mod words;

pub use evidently::evidently_json;
pub use json::{SCHEMA_VERSION, json};
pub use markdown::markdown;
pub use page::page;
pub use prometheus::prometheus;
pub use text::{coloured_text, text};

/// What a result does not know about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Meta {
    /// Heading; "Data drift" when empty.
    pub title: String,
    /// What the reference is: a path or a model's URI.
    pub reference: String,
    /// What current is.
    pub current: String,
    /// When the comparison was made, as it shall be shown. Empty: not shown.
    pub time: String,
}

impl Meta {
    pub(crate) fn title(&self) -> &str {
        if self.title.is_empty() { "Data drift" } else { &self.title }
    }
}
