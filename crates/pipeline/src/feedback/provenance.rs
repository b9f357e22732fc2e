//! Where the rows come from that feedback adds to the training data, as tags say it.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat};
use trainyard_mlflow::entities::Tag;

/// Longest list of versions in a tag.
const VERSIONS_MAX: usize = 50;

/// Where labelled rows come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Provenance {
    pub(crate) rows: usize,
    /// Requests that they were part of.
    pub(crate) requests: usize,
    /// Versions that answered them.
    pub(crate) versions: BTreeSet<String>,
    /// When the first and the last of the requests came, in milliseconds since the Unix epoch.
    pub(crate) window_ms: (i64, i64),
    /// Rows with a label that were left out: columns that the model learns from are not in the log, or a value
    /// does not fit the training data's type.
    pub(crate) left_out: usize,
    /// SHA-256 of the rows, in the columns of the training data.
    pub(crate) digest: String,
}

impl Provenance {
    /// Tags of the training run and of the version.
    pub(crate) fn tags(&self) -> Vec<Tag> {
        let time = |ms: i64| {
            let time = DateTime::from_timestamp_millis(ms).unwrap_or_default();
            time.to_rfc3339_opts(SecondsFormat::Millis, true)
        };
        let versions: Vec<&str> =
            self.versions.iter().take(VERSIONS_MAX).map(String::as_str).collect();
        vec![
            Tag::new("trainyard.feedback.rows", self.rows.to_string()),
            Tag::new("trainyard.feedback.requests", self.requests.to_string()),
            Tag::new("trainyard.feedback.versions", versions.join(", ")),
            Tag::new("trainyard.feedback.from", time(self.window_ms.0)),
            Tag::new("trainyard.feedback.to", time(self.window_ms.1)),
            Tag::new("trainyard.feedback.left_out", self.left_out.to_string()),
            Tag::new("trainyard.feedback.digest", &self.digest),
        ]
    }
}
