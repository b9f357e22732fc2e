//! Answers, pair by pair, into a report.

use std::collections::BTreeMap;

use serde_json::Value;

use super::answer::{self, Difference};
use super::ask::Answer;
use super::report::{Behaviour, ChangedRow, ClassShare, Measure, Spread};
use super::requests::Request;

/// Classes that a report lists.
const CLASSES_MAX: usize = 20;
/// Classes that are counted: labels without end are no classes.
const CLASSES_COUNTED_MAX: usize = 1_000;
/// Features of a row that are shown,
const FEATURES_MAX: usize = 12;
/// and characters of a value or an answer.
const SHOWN_MAX: usize = 60;

/// What was seen so far.
pub(super) struct Tally {
    report: Behaviour,
    rows_max: usize,
    sizes: Vec<f64>,
    measure: Option<Measure>,
    /// How often each label was the answer of either version.
    labels: BTreeMap<String, [usize; 2]>,
    /// Rows that changed: errors first, then by the size of the difference.
    rows: Vec<ChangedRow>,
}

impl Tally {
    /// A tally of a report that knows its versions and rules.
    pub(super) fn new(report: Behaviour, rows_max: usize) -> Self {
        Self {
            report,
            rows_max,
            sizes: Vec::new(),
            measure: None,
            labels: BTreeMap::new(),
            rows: Vec::new(),
        }
    }

    /// One request and both answers.
    pub(super) fn add(&mut self, request: &Request, before: &Answer, after: &Answer) {
        let report = &mut self.report;
        report.requests += 1;
        report.errors.before += usize::from(before.said().is_none());
        report.errors.after += usize::from(after.said().is_none());
        let Some(was) = before.said() else { return };
        report.compared += 1;
        let Some(is) = after.said() else {
            report.changed += 1;
            report.errors.only_after += 1;
            return self.keep(request, was, after, None);
        };
        let Difference { is_changed, measure, size } =
            answer::compare(was, is, self.report.tolerance);
        self.report.changed += usize::from(is_changed);
        self.measure = self.measure.max(Some(measure));
        self.sizes.push(size);
        for (side, said) in [was, is].into_iter().enumerate() {
            let Some(label) = answer::label(said) else { continue };
            if self.labels.len() < CLASSES_COUNTED_MAX || self.labels.contains_key(&label) {
                self.labels.entry(label).or_default()[side] += 1;
            }
        }
        if is_changed {
            self.keep(request, was, after, Some(size));
        }
    }

    /// Keeps a row if it is among those that changed most. An error is no difference: it is more than any.
    fn keep(&mut self, request: &Request, before: &Value, after: &Answer, difference: Option<f64>) {
        let size = |difference: Option<f64>| difference.unwrap_or(f64::INFINITY);
        let is_before = |row: &ChangedRow| size(row.difference) >= size(difference);
        let at = self.rows.partition_point(is_before);
        if at >= self.rows_max {
            return;
        }
        let features = request.features.iter().take(FEATURES_MAX);
        let row = ChangedRow {
            input: features.map(|(name, value)| (cut(name), cut(&shown(value)))).collect(),
            before: cut(&shown(predictions(before))),
            after: match after {
                Answer::Said(said) => cut(&shown(predictions(said))),
                Answer::Error(error) => error.clone(),
            },
            difference,
        };
        self.rows.insert(at, row);
        self.rows.truncate(self.rows_max);
    }

    /// The report of all of it.
    pub(super) fn finish(mut self) -> Behaviour {
        let mut report = self.report;
        report.measure = self.measure;
        self.sizes.sort_by(f64::total_cmp);
        let rank = |share: f64| {
            let rank = (share * self.sizes.len() as f64).ceil() as usize;
            self.sizes.get(rank.saturating_sub(1)).copied()
        };
        report.difference = match (rank(0.5), rank(0.95), rank(1.0)) {
            (Some(median), Some(p95), Some(max)) => Some(Spread { median, p95, max }),
            _ => None,
        };
        report.classes = classes(self.labels, self.sizes.len());
        report.rows = self.rows;
        report
    }
}

/// The most frequent labels, with their share of `answers`.
fn classes(labels: BTreeMap<String, [usize; 2]>, answers: usize) -> Vec<ClassShare> {
    let mut all: Vec<_> = labels.into_iter().collect();
    all.sort_by_key(|(_, [before, after])| std::cmp::Reverse(before + after));
    let share = |count: usize| count as f64 / answers.max(1) as f64;
    let class = |(label, [before, after]): (String, [usize; 2])| ClassShare {
        label: cut(&label),
        before: share(before),
        after: share(after),
    };
    all.into_iter().take(CLASSES_MAX).map(class).collect()
}

fn predictions(answer: &Value) -> &Value {
    match answer.get("predictions").unwrap_or(answer) {
        Value::Array(items) if items.len() == 1 => &items[0],
        other => other,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tally(pairs: &[(Answer, Answer)]) -> Behaviour {
        let mut tally = Tally::new(Behaviour::new("2", Some(0.5), 0.05), 2);
        for (number, (before, after)) in pairs.iter().enumerate() {
            let features =
                vec![("x".to_owned(), json!(number)), ("text".to_owned(), json!("é".repeat(80)))];
            let request = Request { path: "/predict", body: String::new(), features };
            tally.add(&request, before, after);
        }
        tally.finish()
    }

    fn said(label: &str, probability: f64) -> Answer {
        Answer::Said(json!({ "predictions": [label], "probabilities": [[probability]] }))
    }

    #[test]
    fn changes_are_counted_ranked_and_shown() {
        let error = || Answer::Error("400: no".to_owned());
        let report = tally(&[
            (said("a", 0.9), said("a", 0.8)),
            (said("a", 0.9), said("b", 0.4)),
            (said("a", 0.9), said("b", 0.1)),
            (said("b", 0.2), error()),
            (error(), said("a", 0.9)),
            (error(), error()),
        ]);
        assert_eq!((report.requests, report.compared, report.changed), (6, 4, 3));
        assert_eq!(
            (report.errors.before, report.errors.after, report.errors.only_after),
            (2, 2, 1)
        );
        assert_eq!(report.measure, Some(Measure::Probability));
        let spread = report.difference.unwrap();
        assert!(
            (spread.median - 0.5).abs() < 1e-9 && (spread.max - 0.8).abs() < 1e-9,
            "{spread:?}"
        );
        let shares: Vec<_> = report
            .classes
            .iter()
            .map(|class| (class.label.as_str(), class.before, class.after))
            .collect();
        assert_eq!(shares, [("a", 1.0, 1.0 / 3.0), ("b", 0.0, 2.0 / 3.0)]);
        // The error first, then the largest change.
        assert_eq!(report.rows.len(), 2);
        assert_eq!(
            (report.rows[0].input["x"].as_str(), report.rows[0].after.as_str()),
            ("3", "400: no")
        );
        assert_eq!((report.rows[1].input["x"].as_str(), report.rows[1].after.as_str()), ("2", "b"));
        assert_eq!(report.rows[1].input["text"].chars().count(), SHOWN_MAX + 1);
    }

    #[test]
    fn nothing_asked_is_nothing_found() {
        let report = tally(&[]);
        assert_eq!((report.difference, report.measure, report.changed_share()), (None, None, None));
    }
}
