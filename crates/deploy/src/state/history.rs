//! The history: how each release ended.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::file::{append_json, read_lines};
use super::folder::Folder;
use crate::error::Result;
use crate::release::Cause;
use crate::service::Service;

/// How a release ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It took over.
    Released,
    /// It got traffic, and was found bad: traffic went back; why.
    RolledBack(String),
    /// It did not; why.
    Failed(String),
    /// Its deployer was killed before requests went to it; the next change found that.
    Interrupted,
}

/// A finished release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// Id of the instance.
    pub id: String,
    /// When it finished, in milliseconds since 1970.
    pub at_ms: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// The instance that served before.
    pub from: Option<String>,
    /// What was found of it, in the order in which it was looked at.
    #[serde(default)]
    pub verdicts: Vec<String>,
    /// Whether it was a release or a rollback; who wanted it, with what, why.
    #[serde(flatten)]
    pub cause: Cause,
    /// What was released, for people.
    pub label: BTreeMap<String, String>,
}

/// Finished releases, oldest first.
pub fn history(service: &Service) -> Result<Vec<HistoryEntry>> {
    Folder::open(service)?.read_history()
}

impl Folder {
    /// Finished releases, oldest first.
    pub(crate) fn read_history(&self) -> Result<Vec<HistoryEntry>> {
        read_lines(&self.history())
    }

    pub(crate) fn write_history(&self, entry: &HistoryEntry) -> Result<()> {
        append_json(&self.history(), entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_of_before_is_read() {
        let line =
            r#"{"id":"r1","at_ms":5,"took_ms":2,"outcome":"released","from":null,"label":{}}"#;
        let entry: HistoryEntry = serde_json::from_str(line).unwrap();
        assert_eq!((entry.cause.clone(), entry.verdicts.len()), (Cause::default(), 0));
        let again = serde_json::to_value(&entry).unwrap();
        assert_eq!((&again["kind"], &again["actor"]), (&"release".into(), &"".into()));
        assert_eq!(serde_json::from_value::<HistoryEntry>(again).unwrap(), entry);
    }
}
