//! Files of runs and models.

use serde::{Deserialize, Serialize};

use super::number;

/// A file or directory below an artifact root.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FileInfo {
    /// Path relative to the root that was listed, with `/`.
    #[serde(default)]
    pub path: String,
    #[serde(default)]
    pub is_dir: bool,
    /// Bytes; none for directories.
    #[serde(
        default,
        deserialize_with = "number::int64::option::deserialize",
        skip_serializing_if = "Option::is_none"
    )]
    pub file_size: Option<i64>,
}
