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
    /// The version.
    pub version: Option<String>,
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
            && same(&self.version, series.version.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Range, Series};
    use super::*;
    use crate::over_time::{About, Window};

    #[test]
    fn what_is_named_is_silenced_and_nothing_else() {
        let window = Window { begins: 0, ends: 10 };
        let episode = |version: Option<&str>| Episode {
            rule: "served".to_owned(),
            series: Series {
                about: About::Quality,
                metric: "accuracy".to_owned(),
                segment: None,
                version: version.map(str::to_owned),
                column: None,
            },
            began: window,
            fired: window,
            ended: None,
            value: 0.5,
            range: Range::default(),
        };
        let version = Silence { version: Some("1".to_owned()), ..Silence::default() };
        let covered = [None, Some("1"), Some("2")].map(|one| version.covers(&episode(one)));
        assert_eq!(covered, [false, true, false]);
        let column = Silence { column: Some("x".to_owned()), ..Silence::default() };
        assert!(!column.covers(&episode(None)) && Silence::default().covers(&episode(None)));
    }
}
