//! Silences: what is known, and nobody is to be told of until some time.

use serde::Deserialize;

use super::episode::Episode;

/// A silence. What it does not name is meant as any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Silence {
    /// Title of the rule.
    pub rule: Option<String>,
    /// The metric.
    pub metric: Option<String>,
    /// The column.
    pub column: Option<String>,
    /// The segment.
    pub segment: Option<String>,
    /// Until when, as in `2026-03-01` or `2026-03-01T12:00:00Z`; for ever if none.
    pub until: Option<String>,
    /// Why, for whoever reads the file.
    pub reason: Option<String>,
}

impl Silence {
    /// Whether it is about this episode, whatever the time.
    pub fn covers(&self, episode: &Episode) -> bool {
        let series = &episode.series;
        let same = |wanted: &Option<String>, is: Option<&String>| {
            wanted.as_ref().is_none_or(|wanted| Some(wanted) == is)
        };
        same(&self.rule, Some(&episode.rule))
            && same(&self.metric, Some(&series.metric))
            && same(&self.column, series.column.as_ref())
            && same(&self.segment, series.segment.as_ref())
    }
}
