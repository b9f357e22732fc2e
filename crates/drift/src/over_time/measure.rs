//! One number about a window: what it measures, of which part of the data, and how sure it is.

use serde::{Deserialize, Serialize};

/// What a measure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// The data themselves: rows, missing values, means.
    Data,
    /// The window against the reference.
    Drift,
    /// The window against the one before it.
    Change,
    /// How good predictions were, by labels that came.
    Quality,
    /// How good they probably are, without labels.
    Estimate,
}

impl About {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Drift => "drift",
            Self::Change => "change",
            Self::Quality => "quality",
            Self::Estimate => "estimate",
        }
    }
}

/// Names of the metrics that every window has; those of quality are scikit-learn's (`accuracy`, `roc_auc`, …), those
/// of estimates the same.
pub mod metric {
    /// Rows of the window.
    pub const ROWS: &str = "rows";
    /// 0 stable, 1 warning, 2 drift, 3 broken.
    pub const VERDICT: &str = "verdict";
    /// The same of features, of predictions and of the target by themselves, where these are known.
    pub const FEATURES_VERDICT: &str = "features_verdict";
    pub const PREDICTION_VERDICT: &str = "prediction_verdict";
    pub const TARGET_VERDICT: &str = "target_verdict";
    /// Drifted among tested columns.
    pub const DRIFT_SHARE: &str = "drift_share";
    /// Serious findings on schema and quality of the data.
    pub const SERIOUS_FINDINGS: &str = "serious_findings";
    /// P-value or distance of a column.
    pub const DRIFT_SCORE: &str = "drift_score";
    /// Share of missing values of a column.
    pub const MISSING_SHARE: &str = "missing_share";
    /// Mean of a numerical column.
    pub const MEAN: &str = "mean";
    /// Share of predictions that have a label.
    pub const LABELLED_SHARE: &str = "labelled_share";
    /// 1 where a metric that somebody defined is not known, else 0; its column is the metric's name.
    pub const UNKNOWN: &str = "unknown";
}

/// One number about a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// What it is about.
    pub about: About,
    /// Its name, one of [`metric`] or that of a metric of quality.
    pub metric: String,
    /// The part of the data, as [`crate::SegmentDrift::name`] has it; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    /// The version whose predictions it is of; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The column; none for the whole table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The number; finite.
    pub value: f64,
    /// Where it lies with 95 % confidence; none where nobody can say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// The same of the reference (for quality, of the training's holdout).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<f64>,
    /// Rows that it rests on, where these are not all of the window: rows with a label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<u64>,
    /// Whether the number by itself is a reason to look; none where it says nothing of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_alarming: Option<bool>,
}

impl Measure {
    /// A number about the whole table.
    pub fn new(about: About, metric: &str, value: f64) -> Self {
        Self {
            about,
            metric: metric.to_owned(),
            segment: None,
            version: None,
            column: None,
            value,
            interval: None,
            reference: None,
            samples: None,
            is_alarming: None,
        }
    }

    /// Whether a metric that somebody defined is not known, which is a reason to look.
    pub fn unknown(about: About, name: &str, is_unknown: bool) -> Self {
        let value = f64::from(u8::from(is_unknown));
        Self::new(about, metric::UNKNOWN, value).of_column(name).alarming(is_unknown)
    }

    /// The same of one column.
    #[must_use]
    pub fn of_column(self, column: &str) -> Self {
        Self { column: Some(column.to_owned()), ..self }
    }

    /// The same of a part of the data.
    #[must_use]
    pub fn of_segment(self, segment: &str) -> Self {
        Self { segment: Some(segment.to_owned()), ..self }
    }

    /// With what the reference has.
    #[must_use]
    pub fn beside(self, reference: Option<f64>) -> Self {
        Self { reference: reference.filter(|value| value.is_finite()), ..self }
    }

    /// With whether it is a reason to look.
    #[must_use]
    pub fn alarming(self, is_alarming: bool) -> Self {
        Self { is_alarming: Some(is_alarming), ..self }
    }
}
