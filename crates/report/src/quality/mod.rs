//! Whether a model is still good, as a page, JSON and text.

mod json;
mod page;
mod result;
mod text;

pub use json::{SCHEMA_VERSION, json};
pub use page::page;
pub use result::{Change, ColumnChange, Expected, Labels, Part, QualityReport, Stand};
pub use text::text;
