//! Documents of JSON and its binary cousin UBJSON, in the order of the file and with limits.
//!
//! Python writes NaN and infinities bare and XGBoost packs numbers into typed arrays; both are why this
//! is not left to a general JSON library.

mod json;
mod ubjson;

pub(crate) use json::parse as parse_json;
pub(crate) use ubjson::parse as parse_ubjson;

/// Depth to which values nest. Schemas of skops take two for each Python container.
const MAX_DEPTH: usize = 300;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Document {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Document>),
    /// A list of numbers of one type.
    Numbers(Vec<f64>),
    Map(Vec<(String, Document)>),
}

impl Document {
    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => {
                entries.iter().find(|(name, _)| name == key).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn map(&self) -> Option<&[(String, Self)]> {
        match self {
            Self::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// A number, also one written as text, as XGBoost writes its parameters.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            Self::Bool(value) => Some(f64::from(u8::from(*value))),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// Items of a list.
    pub(crate) fn length(&self) -> Option<usize> {
        match self {
            Self::Numbers(values) => Some(values.len()),
            Self::List(items) => Some(items.len()),
            _ => None,
        }
    }

    /// Numbers of a list.
    pub(crate) fn numbers(&self) -> Option<Vec<f64>> {
        match self {
            Self::Numbers(values) => Some(values.clone()),
            Self::List(items) => items.iter().map(Self::number).collect(),
            _ => None,
        }
    }
}
