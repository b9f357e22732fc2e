//! A value of a document, whatever format it was written in.

/// Depth to which values nest. Schemas of skops take two for each Python container.
pub(super) const DEPTH_MAX: usize = 300;

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
