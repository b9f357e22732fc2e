//! What a job ends with, for people and, as JSON, for machines; and how far it is meanwhile.

use serde::{Deserialize, Serialize};

use super::record::ModelRecord;
use crate::summary::DriftSummary;

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Done {
    /// Of the files, those of parts that are committed.
    pub bytes: u64,
    pub bytes_total: u64,
    /// Rows that were scored now.
    pub rows: u64,
}

/// A model that scored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScoredModel {
    pub name: String,
    /// What was asked for meant this.
    pub uri: String,
    pub version: Option<String>,
}

impl From<&ModelRecord> for ScoredModel {
    fn from(record: &ModelRecord) -> Self {
        Self { name: record.name.clone(), uri: record.uri.clone(), version: record.version.clone() }
    }
}

/// What one of the jobs that share a table did, in this and in earlier attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct ShareDone {
    pub(super) rows: u64,
    pub(super) bad_rows: u64,
    pub(super) parts: u64,
}

impl ShareDone {
    /// Both together.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            bad_rows: self.bad_rows + other.bad_rows,
            parts: self.parts + other.parts,
        }
    }
}

/// Result of `trainyard predict`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PredictSummary {
    pub output: String,
    pub models: Vec<ScoredModel>,
    /// Files of the input.
    pub files: usize,
    /// Rows of the input that are this job's.
    pub rows: u64,
    /// Those of them that are not in the output.
    pub bad_rows: u64,
    pub parts: u64,
    /// Parts that an earlier attempt had committed.
    pub parts_found: u64,
    pub shard: String,
    /// Whether all of the table is scored, by all jobs that share it.
    pub is_complete: bool,
    pub run_id: Option<String>,
    /// How the input compares with what the first model learned from.
    pub drift: Option<DriftSummary>,
    /// Why it was not compared.
    pub drift_left_out: Option<String>,
    pub seconds: f64,
    /// Rows that were scored now, a second.
    pub rows_per_second: f64,
}
