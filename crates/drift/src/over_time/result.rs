//! One window's result: what is kept of a window once its rows have been looked at.
//!
//! It is a list of [`Measure`]s, whatever they are about: drift and change come from the comparison of columns, quality
//! and estimates from whoever knows labels and probabilities. Alerts, metric histories and pages read this list alone.

use serde::{Deserialize, Serialize};

use super::measure::{About, Measure, metric};
use super::window::Window;
use crate::verdict::DatasetVerdict;

/// One window's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowResult {
    /// Which window.
    pub window: Window,
    /// Rows of it.
    pub rows: u64,
    /// Rows of it that have a label; none where nobody asked for labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labelled: Option<u64>,
    /// Whether rows may still come: it had not ended when it was looked at. Nothing is alerted on it.
    #[serde(default)]
    pub is_open: bool,
    /// Whether some of it is gone, so that nobody knows what was in it as a whole: nothing is measured of it, nothing is
    /// alerted on it, and [`Self::remarks`] say why.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_partial: bool,
    /// What was measured, finite numbers alone.
    pub measures: Vec<Measure>,
    /// What is to be said beside numbers, a sentence each: serious findings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

impl WindowResult {
    /// A window of which nothing is measured yet.
    pub fn new(window: Window, rows: u64) -> Self {
        Self {
            window,
            rows,
            labelled: None,
            is_open: false,
            is_partial: false,
            measures: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// A window of which so many rows are known, and others are gone; why.
    pub fn partial(window: Window, rows: u64, why: String) -> Self {
        Self { is_partial: true, remarks: vec![why], ..Self::new(window, rows) }
    }

    /// Whether what it says is of all of its rows: it has ended, and nothing of it is gone.
    pub fn is_whole(&self) -> bool {
        !self.is_open && !self.is_partial
    }

    /// Adds measures; what is not a finite number is none.
    pub fn extend(&mut self, measures: impl IntoIterator<Item = Measure>) {
        self.measures.extend(measures.into_iter().filter(|measure| measure.value.is_finite()));
    }

    /// Says that something that was asked for is not known, and why: a window of which that is so is not stable.
    pub fn doubt(&mut self, why: String) {
        self.remarks.push(why);
        let warning = f64::from(DatasetVerdict::Warning as u8);
        let is_of_all = |one: &&mut Measure| one.segment.is_none() && one.version.is_none();
        for measure in self.measures.iter_mut().filter(is_of_all) {
            if measure.about == About::Drift && measure.metric == metric::VERDICT {
                measure.value = measure.value.max(warning);
            }
        }
    }

    /// Why its verdict is [`DatasetVerdict::Broken`], in the first sentence of those; none where it is another one.
    pub fn why_broken(&self) -> Option<&str> {
        let broken = f64::from(DatasetVerdict::Broken as u8);
        let verdict = self.whole(About::Drift, metric::VERDICT)?.value;
        self.remarks.first().map(String::as_str).filter(|_| verdict >= broken)
    }

    /// Puts what labels and estimates say in the place of what they said; whether it is something else.
    pub fn put_quality(&mut self, labelled: Option<u64>, measures: Vec<Measure>) -> bool {
        let is_of_data =
            |measure: &Measure| !matches!(measure.about, About::Quality | About::Estimate);
        let mut other = self.clone();
        other.labelled = labelled;
        other.measures.retain(is_of_data);
        other.extend(
            other
                .labelled_share()
                .map(|share| Measure::new(About::Quality, metric::LABELLED_SHARE, share)),
        );
        other.extend(measures);
        let is_other = other != *self;
        *self = other;
        is_other
    }

    /// The share of predictions that have a label; none where nobody asked for labels, or there are no predictions.
    pub fn labelled_share(&self) -> Option<f64> {
        let share = self.labelled? as f64 / self.rows as f64;
        share.is_finite().then_some(share)
    }

    /// The measure of this name of the whole table, all versions together.
    pub fn whole(&self, about: About, metric: &str) -> Option<&Measure> {
        self.measures.iter().find(|measure| {
            measure.about == about
                && measure.metric == metric
                && measure.segment.is_none()
                && measure.version.is_none()
                && measure.column.is_none()
        })
    }

    /// The measure of this name of a column, all segments and versions together.
    pub fn of_column(&self, about: About, metric: &str, column: &str) -> Option<&Measure> {
        self.measures.iter().find(|measure| {
            measure.about == about
                && measure.metric == metric
                && measure.segment.is_none()
                && measure.version.is_none()
                && measure.column.as_deref() == Some(column)
        })
    }
}
