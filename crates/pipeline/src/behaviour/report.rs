//! What was found: how many answers differ, by how much, on which rows most.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// Requests below which a share says nothing: one of five is 20 %, and may be chance.
const JUDGED_MIN: usize = 20;

/// Where the requests came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sample {
    /// The last ones of the prediction log.
    Log,
    /// The input example of the version that serves.
    Example,
}

/// What the size of a difference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// 0 for the same label, 1 for another.
    Label,
    /// Of predicted numbers, `|a - b| / max(|a|, |b|)`.
    Relative,
    /// The largest distance of two probabilities of a class.
    Probability,
}

/// How differences are spread over requests that both versions answered, by nearest rank.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    pub median: f64,
    pub p95: f64,
    pub max: f64,
}

/// Answers that were a class, of those to requests that both versions answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassShare {
    pub label: String,
    /// Share before, between 0 and 1.
    pub before: f64,
    /// Share after.
    pub after: f64,
}

/// Requests that were not answered with 2xx.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Errors {
    /// By the version that serves.
    pub before: usize,
    /// By the new one.
    pub after: usize,
    /// By the new one, though the other one answered: they count as changed.
    pub only_after: usize,
}

/// A request whose answer changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangedRow {
    /// Values by feature, as texts that are cut.
    pub input: BTreeMap<String, String>,
    /// The answer before, as a text that is cut.
    pub before: String,
    /// The answer after, or the error.
    pub after: String,
    /// How far they are apart; none where there was no answer.
    pub difference: Option<f64>,
}

/// The answers of two versions to the same requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Behaviour {
    /// Version that serves; none where nothing does.
    pub before: Option<String>,
    /// Version that is to.
    pub after: String,
    /// Why nothing was compared.
    pub skipped: Option<String>,
    pub source: Option<Sample>,
    /// Requests that both were asked.
    pub requests: usize,
    /// Of them, those that the version which serves answered.
    pub compared: usize,
    /// Of those, those that are answered in another way.
    pub changed: usize,
    /// The share of them that may be, as the project says.
    pub max_changed: Option<f64>,
    /// From which relative difference on a number is another answer.
    pub tolerance: f64,
    pub measure: Option<Measure>,
    pub difference: Option<Spread>,
    /// The most frequent classes, where answers are labels.
    pub classes: Vec<ClassShare>,
    pub errors: Errors,
    /// Those that changed most.
    pub rows: Vec<ChangedRow>,
    /// What in the signature breaks clients of the version that serves.
    pub contract: Vec<String>,
}

impl Behaviour {
    /// Nothing compared yet.
    pub(super) fn new(after: &str, max_changed: Option<f64>, tolerance: f64) -> Self {
        Self {
            before: None,
            after: after.to_owned(),
            skipped: None,
            source: None,
            requests: 0,
            compared: 0,
            changed: 0,
            max_changed,
            tolerance,
            measure: None,
            difference: None,
            classes: Vec::new(),
            errors: Errors::default(),
            rows: Vec::new(),
            contract: Vec::new(),
        }
    }

    /// Nothing will be compared; why.
    #[must_use]
    pub(super) fn without(mut self, reason: impl Into<String>) -> Self {
        self.skipped = Some(reason.into());
        self
    }

    /// Share of answers that changed; none without answers.
    pub fn changed_share(&self) -> Option<f64> {
        (self.compared > 0).then(|| self.changed as f64 / self.compared as f64)
    }

    /// Why the version is not to get traffic; none if nothing speaks against it.
    pub fn refusal(&self) -> Option<String> {
        let (share, max) = (self.changed_share()?, self.max_changed?);
        if self.compared < JUDGED_MIN || share <= max {
            return None;
        }
        let mut text = format!(
            "{} of {} answers change ({:.1} %), [gate.behaviour] max_changed lets {:.1} %",
            self.changed,
            self.compared,
            share * 100.0,
            max * 100.0
        );
        if self.errors.only_after > 0 {
            // Writing to a String cannot fail.
            let _infallible = write!(text, "; {} of them are errors now", self.errors.only_after);
        }
        if let Some(row) = self.rows.first() {
            let _infallible = write!(text, "; most of all {} → {}", row.before, row.after);
        }
        Some(text)
    }

    /// What the history keeps of it; none where there was nothing to look at.
    pub(crate) fn verdict(&self) -> Option<String> {
        let contract = self.contract.first().cloned();
        if self.skipped.is_some() {
            return contract;
        }
        let sentence = self.sentence();
        Some(contract.map_or_else(|| sentence.clone(), |broken| format!("{sentence}; {broken}")))
    }

    /// Whether the project has a rule that so few answers say nothing about.
    pub fn is_too_few(&self) -> bool {
        self.skipped.is_none() && self.max_changed.is_some() && self.compared < JUDGED_MIN
    }

    /// Numbers by name, as a run logs them.
    pub fn metrics(&self) -> BTreeMap<String, f64> {
        let mut metrics = BTreeMap::new();
        if self.skipped.is_some() {
            return metrics;
        }
        let mut put = |name: &str, value: f64| metrics.insert(format!("behaviour_{name}"), value);
        put("requests", self.requests as f64);
        put("compared", self.compared as f64);
        put("changed", self.changed as f64);
        put("errors_only_after", self.errors.only_after as f64);
        if let Some(share) = self.changed_share() {
            put("changed_share", share);
        }
        if let Some(spread) = self.difference {
            put("difference_median", spread.median);
            put("difference_p95", spread.p95);
            put("difference_max", spread.max);
        }
        metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_needs_answers_to_judge() {
        let mut found = Behaviour::new("2", Some(0.2), 0.05);
        assert_eq!((found.refusal(), found.is_too_few()), (None, true));
        (found.compared, found.changed) = (19, 19);
        assert_eq!((found.refusal(), found.is_too_few()), (None, true));
        (found.compared, found.changed) = (20, 4);
        assert_eq!((found.refusal(), found.is_too_few()), (None, false));
        found.changed = 5;
        found.errors.only_after = 2;
        assert_eq!(
            found.refusal().unwrap(),
            "5 of 20 answers change (25.0 %), [gate.behaviour] max_changed lets 20.0 %; 2 of them are \
             errors now"
        );
        assert_eq!(found.metrics()["behaviour_changed_share"], 0.25);
        found.max_changed = None;
        assert_eq!(found.refusal(), None);
        assert!(found.without("nothing served before").metrics().is_empty());
    }
}
