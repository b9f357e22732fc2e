//! A key and its value.

use serde::{Deserialize, Serialize};

/// A key and its value: params and tags of every kind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KeyValue {
    #[serde(default)]
    pub key: String,
    #[serde(default)]
    pub value: String,
}

impl KeyValue {
    /// `key = value`.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into() }
    }

    /// The value stored under `key`, if any.
    pub fn find<'a>(entries: &'a [Self], key: &str) -> Option<&'a str> {
        entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
    }
}

/// Param of a run or logged model.
pub type Param = KeyValue;
/// Tag of a run, experiment, dataset input, logged model, registered model or version.
pub type Tag = KeyValue;
