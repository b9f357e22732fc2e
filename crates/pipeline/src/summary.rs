//! What a pipeline run ends with, for people and, as JSON, for machines.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{Metrics, Step, Verdict};

/// Result of `trainyard run`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    pub run_id: String,
    pub experiment: String,
    pub model: ModelSummary,
    /// Metrics on the holdout.
    pub metrics: Metrics,
    pub gate: Verdict,
    /// Base URL of the gateway.
    pub url: String,
    /// Tracking pages, where a server shows them.
    pub tracking_url: Option<String>,
    pub requests: RequestsSummary,
    pub drift: Option<DriftSummary>,
    /// How long each step took, in seconds.
    pub seconds: BTreeMap<Step, f64>,
}

/// The version that now serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelSummary {
    pub name: String,
    pub version: String,
    pub alias: String,
}

/// Traffic that the run sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct RequestsSummary {
    pub sent: usize,
}

/// What monitoring found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DriftSummary {
    /// Whether the share of drifted columns reached the limit.
    pub drifted: bool,
    pub drifted_columns: usize,
    pub columns: usize,
    /// Rows of production data compared.
    pub rows: usize,
    /// The page.
    pub report: String,
    /// Run that the result was logged to.
    pub run_id: Option<String>,
}
