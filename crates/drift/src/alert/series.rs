//! The measures of one name over all windows.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::over_time::{About, Measure, Window, WindowResult};

/// What a series of measures is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Series {
    /// What it is about.
    pub about: About,
    /// The metric.
    pub metric: String,
    /// The segment; none for all data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    /// The version; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The column; none for the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
}

impl From<&Measure> for Series {
    fn from(measure: &Measure) -> Self {
        Self {
            about: measure.about,
            metric: measure.metric.clone(),
            segment: measure.segment.clone(),
            version: measure.version.clone(),
            column: measure.column.clone(),
        }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { about, metric, segment, version, column } = self;
        match about {
            About::Estimate => write!(f, "estimated {metric}")?,
            About::Change => write!(f, "{metric} against the window before")?,
            About::Data | About::Drift | About::Quality => f.write_str(metric)?,
        }
        if let Some(column) = column {
            write!(f, " of {column}")?;
        }
        if let Some(segment) = segment {
            write!(f, " where {segment}")?;
        }
        if let Some(version) = version {
            write!(f, " of version {version}")?;
        }
        Ok(())
    }
}

/// A measure in its window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) window: Window,
    pub(super) value: f64,
    pub(super) reference: Option<f64>,
    /// None where nobody can say, as of labels that are too few.
    pub(super) is_alarming: Option<bool>,
    /// Rows that it rests on.
    pub(super) rows: u64,
}

/// The series of a history, each in the order of its windows; those that are open or partial are left out.
pub(super) fn series(history: &[WindowResult]) -> BTreeMap<Series, Vec<Point>> {
    let mut closed: Vec<&WindowResult> = history.iter().filter(|one| one.is_whole()).collect();
    closed.sort_by_key(|one| one.window);
    let mut all: BTreeMap<Series, Vec<Point>> = BTreeMap::new();
    for result in closed {
        for measure in &result.measures {
            let point = Point {
                window: result.window,
                value: measure.value,
                reference: measure.reference,
                is_alarming: measure.is_alarming,
                rows: measure.samples.unwrap_or(result.rows),
            };
            all.entry(Series::from(measure)).or_default().push(point);
        }
    }
    all
}
