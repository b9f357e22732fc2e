//! What an instance is labelled with: the version that it serves.

use std::collections::BTreeMap;

pub(crate) const MODEL_LABEL: &str = "model";
pub(crate) const VERSION_LABEL: &str = "version";

/// The version that an instance with these labels serves.
pub(crate) fn version_of(label: &BTreeMap<String, String>) -> Option<&str> {
    label.get(VERSION_LABEL).map(String::as_str)
}
