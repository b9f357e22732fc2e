//! What a comparison comes to as measures of a window.

use super::measure::{About, Measure, metric};
use super::result::WindowResult;
use crate::finding::Severity;
use crate::side::Side;
use crate::verdict::{ColumnDrift, DatasetDrift, DatasetVerdict, Role};

/// Sentences that are kept of a window: the page of the window has all.
const REMARKS_MAX: usize = 20;

impl WindowResult {
    /// Adds what a comparison with the reference found, of a part of the data if one is named.
    pub fn add_drift(&mut self, drift: &DatasetDrift, segment: Option<&str>) {
        let verdict = drift.verdict();
        let whole = [
            Measure::new(About::Data, metric::ROWS, drift.current_rows as f64),
            Measure::new(About::Drift, metric::VERDICT, f64::from(verdict as u8))
                .alarming(verdict >= DatasetVerdict::Drift),
            Measure::new(About::Drift, metric::DRIFT_SHARE, drift.share)
                .alarming(drift.dataset_drift),
            Measure::new(About::Data, metric::SERIOUS_FINDINGS, drift.serious_findings() as f64),
        ];
        let by_role = drift.by_role().into_iter().map(|(role, verdict)| {
            let name = match role {
                Role::Feature => metric::FEATURES_VERDICT,
                Role::Prediction => metric::PREDICTION_VERDICT,
                Role::Target => metric::TARGET_VERDICT,
            };
            Measure::new(About::Drift, name, f64::from(verdict as u8))
                .alarming(verdict >= DatasetVerdict::Drift)
        });
        let columns = drift.columns.iter().flat_map(of_column);
        let placed = whole.into_iter().chain(by_role).chain(columns).map(|measure| match segment {
            Some(segment) => measure.of_segment(segment),
            None => measure,
        });
        self.extend(placed);
        let serious = drift.all_findings().filter(|(_, one)| one.severity == Severity::Serious);
        let place = |column: Option<&str>| match (segment, column) {
            (None, None) => String::new(),
            (None, Some(column)) => format!("{column}: "),
            (Some(segment), None) => format!("{segment}: "),
            (Some(segment), Some(column)) => format!("{segment}, {column}: "),
        };
        let sentences = serious.map(|(column, one)| format!("{}{}", place(column), one.message));
        let left = REMARKS_MAX.saturating_sub(self.remarks.len());
        self.remarks.extend(sentences.take(left));
    }

    /// Adds what the comparison of a column with the window before found.
    pub fn add_change(&mut self, change: &ColumnDrift, segment: Option<&str>) {
        let Some(verdict) = change.verdict() else { return };
        let score = verdict.decisive_score();
        let measure = Measure::new(About::Change, metric::DRIFT_SCORE, score)
            .of_column(&change.name)
            .alarming(verdict.drifted);
        self.extend([match segment {
            Some(segment) => measure.of_segment(segment),
            None => measure,
        }]);
    }
}

/// Score, missing values and mean of a column.
fn of_column(column: &ColumnDrift) -> impl Iterator<Item = Measure> {
    let score = column.verdict().map(|verdict| {
        Measure::new(About::Drift, metric::DRIFT_SCORE, verdict.decisive_score())
            .of_column(&column.name)
            .alarming(verdict.drifted)
    });
    let pair = |of: &dyn Fn(&Side) -> Option<f64>| {
        let current = of(column.current.as_ref()?)?;
        Some((current, column.reference.as_ref().and_then(of)))
    };
    let missing = pair(&|side| Some(side.missing_share()));
    let mean = pair(&|side| Some(side.numbers.as_ref()?.mean));
    let data = [(metric::MISSING_SHARE, missing), (metric::MEAN, mean)];
    let data = data.into_iter().filter_map(|(name, pair)| {
        let (current, reference) = pair?;
        Some(Measure::new(About::Data, name, current).of_column(&column.name).beside(reference))
    });
    score.into_iter().chain(data.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, RecordBatch};

    use super::*;
    use crate::over_time::Window;
    use crate::{Options, compare};

    fn table(from: i32) -> RecordBatch {
        let values = Float64Array::from_iter_values((from..from + 100).map(f64::from));
        RecordBatch::try_from_iter([("x", Arc::new(values) as ArrayRef)]).unwrap()
    }

    #[test]
    fn a_comparison_is_measures_that_are_read_back() {
        let mut result = WindowResult::new(Window { begins: 0, ends: 10 }, 100);
        let drift = compare(&table(0), &table(90), &Options::default());
        result.add_drift(&drift, None);
        result.add_drift(&drift, Some("a = 1"));
        result.add_change(&drift.columns[0], None);
        assert_eq!(result.whole(About::Drift, metric::VERDICT).unwrap().value, 2.0);
        assert_eq!(result.whole(About::Drift, metric::VERDICT).unwrap().is_alarming, Some(true));
        let mean = result.of_column(About::Data, metric::MEAN, "x").unwrap();
        assert_eq!((mean.value, mean.reference), (139.5, Some(49.5)));
        assert!(result.of_column(About::Change, metric::DRIFT_SCORE, "x").is_some());
        let text = serde_json::to_string(&result).unwrap();
        assert_eq!(serde_json::from_str::<WindowResult>(&text).unwrap(), result);
    }

    #[test]
    fn what_is_no_number_is_no_measure() {
        let mut result = WindowResult::new(Window { begins: 0, ends: 10 }, 0);
        result.extend([Measure::new(About::Quality, "accuracy", f64::NAN)]);
        assert!(result.measures.is_empty());
    }
}
