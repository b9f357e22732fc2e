//! Documents of JSON and its binary cousin UBJSON, in the order of the file and with limits.
//!
//! Python writes NaN and infinities bare and XGBoost packs numbers into typed arrays; both are why this
//! is not left to a general JSON library.

mod json;
mod ubjson;
mod value;

pub(crate) use json::parse as parse_json;
pub(crate) use ubjson::parse as parse_ubjson;
pub(crate) use value::Document;
