//! A rule: which measures it is about, what is beyond, and for how long it must last.

use std::time::Duration;

use serde::Deserialize;
use trainyard_base::duration;

use super::series::Series;
use crate::over_time::{About, metric};

/// What stands for every segment, or every version.
const EACH: &str = "*";

/// Windows that a range is learned from, unless the rule says otherwise: four weeks of days, and eight of the same
/// weekday.
const HISTORY: usize = 28;
const HISTORY_BY_WEEKDAY: usize = 8;

/// Longest history: a range of years is none of today.
const HISTORY_MAX: usize = 1000;

/// Values of a list: whoever wants more means a range.
const VALUES_MAX: usize = 100;

/// Deviations of the number of rows that the usual rules take for chance, and the share of rows that must be gone or
/// new besides: a service grows by less from one week to the next.
const ROWS_DEVIATIONS: f64 = 5.0;
const ROWS_CHANGE_SHARE: f64 = 0.3;

/// One rule. Without a bound, what a measure says of itself counts ([`crate::Measure::is_alarming`]).
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertRule {
    /// What it is called in messages; its metric if none.
    pub name: Option<String>,
    /// The metric; any if none.
    pub metric: Option<String>,
    /// What the metric is about; anything if none.
    pub about: Option<About>,
    /// The column; every one if none.
    pub column: Option<String>,
    /// The segment, `*` for each by itself; all data together if none.
    pub segment: Option<String>,
    /// The version, `*` for each by itself; all together if none.
    pub version: Option<String>,
    /// Values above it are beyond.
    pub above: Option<f64>,
    /// Values below it are beyond.
    pub below: Option<f64>,
    /// Values other than these are beyond.
    pub other_than: Option<Vec<f64>>,
    /// Values that are one of these are beyond.
    pub one_of: Option<Vec<f64>>,
    /// So much more than the reference is beyond.
    pub above_reference: Option<f64>,
    /// So much less than the reference is beyond.
    pub below_reference: Option<f64>,
    /// So much more, as a share of the reference.
    pub above_reference_share: Option<f64>,
    /// So much less, as a share of the reference.
    pub below_reference_share: Option<f64>,
    /// So many standard deviations (1.4826 times the median absolute deviation) from the median of the windows before
    /// are beyond.
    pub deviations: Option<f64>,
    /// Windows before that the median is of.
    pub history: Option<usize>,
    /// Whether only windows at the same time of the week are like this one.
    pub by_weekday: bool,
    /// The least distance from the median that is beyond.
    pub min_change: f64,
    /// The same as a share of the median.
    pub min_change_share: f64,
    /// How long it must last: as long as one window if none.
    #[serde(rename = "for", deserialize_with = "duration::deserialize_some")]
    pub lasting: Option<Duration>,
    /// Windows one after the other that it must last; one if none.
    pub windows: Option<usize>,
    /// Rows (with a label, for quality) that a window must have to be judged.
    pub min_rows: u64,
}

impl AlertRule {
    /// The rules that count where none are written: the verdict, the number of rows as the weekday has it, and what
    /// metrics of quality and estimates say of themselves.
    pub fn usual() -> Vec<Self> {
        let alarming = |name: &str, about| Self {
            name: Some(name.to_owned()),
            about: Some(about),
            ..Self::default()
        };
        vec![
            Self { metric: Some(metric::VERDICT.to_owned()), ..alarming("verdict", About::Drift) },
            Self {
                metric: Some(metric::ROWS.to_owned()),
                deviations: Some(ROWS_DEVIATIONS),
                by_weekday: true,
                min_change_share: ROWS_CHANGE_SHARE,
                ..alarming("rows", About::Data)
            },
            alarming("quality", About::Quality),
            alarming("estimate", About::Estimate),
        ]
    }

    /// The rule that counts where a project defines metrics, unless one is written about the same: whoever wants to know a
    /// number wants to know that nobody knows it.
    pub fn unknown() -> Self {
        let metric = metric::UNKNOWN.to_owned();
        Self { name: Some(metric.clone()), metric: Some(metric), ..Self::default() }
    }

    /// Whether it is about how far a measure is from the reference's, which is then to be known.
    pub fn needs_reference(&self) -> bool {
        let bounds = [
            self.above_reference,
            self.below_reference,
            self.above_reference_share,
            self.below_reference_share,
        ];
        bounds.iter().any(Option::is_some)
    }

    /// What it is called.
    pub fn title(&self) -> &str {
        self.name.as_deref().or(self.metric.as_deref()).unwrap_or("alarming")
    }

    /// Whether it says itself what is beyond.
    pub(super) fn has_bound(&self) -> bool {
        let has_values = self.lists().iter().any(|(_, values)| values.is_some());
        has_values || self.bounds().iter().any(|(_, bound)| bound.is_some())
    }

    /// Whether a value is beyond by itself, wherever it lies.
    pub(super) fn refuses(&self, value: f64) -> bool {
        self.other_than.as_ref().is_some_and(|values| !values.contains(&value))
            || self.one_of.as_ref().is_some_and(|values| values.contains(&value))
    }

    /// Windows that a range is learned from.
    pub(super) fn history(&self) -> usize {
        let usual = if self.by_weekday { HISTORY_BY_WEEKDAY } else { HISTORY };
        self.history.unwrap_or(usual)
    }

    /// Whether it is about this series.
    pub(super) fn is_about(&self, series: &Series) -> bool {
        let part = |wanted: &Option<String>, is: &Option<String>| match wanted.as_deref() {
            Some(EACH) => is.is_some(),
            wanted => wanted == is.as_deref(),
        };
        self.metric.as_ref().is_none_or(|metric| *metric == series.metric)
            && self.about.is_none_or(|about| about == series.about)
            && self.column.as_ref().is_none_or(|name| Some(name) == series.column.as_ref())
            && part(&self.segment, &series.segment)
            && part(&self.version, &series.version)
    }

    /// Whether it is called like another rule and about some of the same series: nobody could tell which of them was told.
    pub fn is_taken_for(&self, other: &Self) -> bool {
        let may_meet = |one: Option<&String>, other: Option<&String>| {
            one.zip(other).is_none_or(|(one, other)| one == other)
        };
        let meets = |one: Option<&String>, other: Option<&String>| match (one, other) {
            (Some(one), Some(other)) => one == other || one == EACH || other == EACH,
            (one, other) => one.is_none() && other.is_none(),
        };
        self.title() == other.title()
            && self.about.zip(other.about).is_none_or(|(one, other)| one == other)
            && may_meet(self.metric.as_ref(), other.metric.as_ref())
            && may_meet(self.column.as_ref(), other.column.as_ref())
            && meets(self.segment.as_ref(), other.segment.as_ref())
            && meets(self.version.as_ref(), other.version.as_ref())
    }

    fn lists(&self) -> [(&'static str, Option<&Vec<f64>>); 2] {
        [("other_than", self.other_than.as_ref()), ("one_of", self.one_of.as_ref())]
    }

    fn bounds(&self) -> [(&'static str, Option<f64>); 7] {
        [
            ("above", self.above),
            ("below", self.below),
            ("above_reference", self.above_reference),
            ("below_reference", self.below_reference),
            ("above_reference_share", self.above_reference_share),
            ("below_reference_share", self.below_reference_share),
            ("deviations", self.deviations),
        ]
    }

    /// What is wrong with it, by key and value.
    pub fn check(&self) -> Result<(), String> {
        let title = self.title();
        for (at, (key, bound)) in self.bounds().into_iter().enumerate() {
            let Some(bound) = bound else { continue };
            // Those after the first two are distances.
            if !bound.is_finite() || (at >= 2 && bound < 0.0) {
                return Err(format!(
                    "the alert {title:?} has {key} = {bound}: a finite number, and 0 or more of a distance"
                ));
            }
        }
        for (key, values) in self.lists() {
            let Some(values) = values else { continue };
            let is_fine = (1..=VALUES_MAX).contains(&values.len());
            if !is_fine || !values.iter().all(|value| value.is_finite()) {
                return Err(format!(
                    "the alert {title:?} has {key} = {values:?}: 1 to {VALUES_MAX} finite numbers"
                ));
            }
        }
        for (key, change) in
            [("min_change", self.min_change), ("min_change_share", self.min_change_share)]
        {
            if !change.is_finite() || change < 0.0 {
                return Err(format!("the alert {title:?} has {key} = {change}: 0 or more"));
            }
        }
        if self.metric.is_none() && self.has_bound() {
            return Err(format!(
                "the alert {title:?} has a bound and no `metric` that it is about"
            ));
        }
        if !(1..=HISTORY_MAX).contains(&self.history()) {
            return Err(format!(
                "the alert {title:?} has history = {}: 1 to {HISTORY_MAX} windows",
                self.history()
            ));
        }
        if self.windows == Some(0) {
            return Err(format!("the alert {title:?} has windows = 0: 1 or more"));
        }
        let learns = self.deviations.is_some();
        if !learns && (self.by_weekday || self.history.is_some()) {
            return Err(format!(
                "the alert {title:?} has `by_weekday` or `history` without `deviations`"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_rules_are_right_and_wrong_ones_are_named() {
        for rule in AlertRule::usual() {
            assert_eq!(rule.check(), Ok(()), "{rule:?}");
        }
        let metric = Some("accuracy".to_owned());
        let wrong = |rule: AlertRule| rule.check().unwrap_err();
        let error = wrong(AlertRule { above: Some(1.0), ..AlertRule::default() });
        assert!(error.contains("no `metric`"), "{error}");
        let error = wrong(AlertRule {
            metric: metric.clone(),
            below_reference: Some(-0.1),
            ..AlertRule::default()
        });
        assert!(error.contains("\"accuracy\" has below_reference = -0.1"), "{error}");
        let other_than = Some(Vec::new());
        let error = wrong(AlertRule { metric: metric.clone(), other_than, ..AlertRule::default() });
        assert!(error.contains("other_than = []"), "{error}");
        let error = wrong(AlertRule { one_of: Some(vec![1.0]), ..AlertRule::default() });
        assert!(error.contains("no `metric`"), "{error}");
        let error = wrong(AlertRule { metric, by_weekday: true, ..AlertRule::default() });
        assert!(error.contains("without `deviations`"), "{error}");
    }

    #[test]
    fn rules_of_one_name_about_the_same_are_told_from_each_other_by_names() {
        let rule = |column: Option<&str>, segment: Option<&str>| AlertRule {
            metric: Some("drift_score".to_owned()),
            column: column.map(str::to_owned),
            segment: segment.map(str::to_owned),
            ..AlertRule::default()
        };
        assert!(rule(None, None).is_taken_for(&rule(Some("a"), None)));
        assert!(rule(Some("a"), Some("*")).is_taken_for(&rule(Some("a"), Some("x = 1"))));
        assert!(!rule(Some("a"), None).is_taken_for(&rule(Some("b"), None)));
        assert!(!rule(Some("a"), None).is_taken_for(&rule(Some("a"), Some("*"))));
        let named = AlertRule { name: Some("severe".to_owned()), ..rule(None, None) };
        assert!(!named.is_taken_for(&rule(None, None)));
        let usual = AlertRule::usual();
        for (at, rule) in usual.iter().enumerate() {
            assert!(!usual[..at].iter().any(|other| rule.is_taken_for(other)), "{rule:?}");
        }
    }

    #[test]
    fn segments_are_meant_by_name_or_each() {
        let series = |segment: Option<&str>| Series {
            about: About::Drift,
            metric: "verdict".to_owned(),
            segment: segment.map(str::to_owned),
            version: None,
            column: None,
        };
        let rule = |segment: Option<&str>| AlertRule {
            segment: segment.map(str::to_owned),
            ..AlertRule::default()
        };
        let about =
            |rule: AlertRule| [None, Some("a"), Some("b")].map(|s| rule.is_about(&series(s)));
        assert_eq!(about(rule(None)), [true, false, false]);
        assert_eq!(about(rule(Some("*"))), [false, true, true]);
        assert_eq!(about(rule(Some("b"))), [false, false, true]);
    }
}
