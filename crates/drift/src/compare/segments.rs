//! Parts of a dataset, each compared with the same part of the reference: what cancels out in the whole shows
//! in a part.

use super::correction::adjust;
use crate::options::Correction;
use crate::verdict::{DatasetDrift, SegmentDrift};

impl DatasetDrift {
    /// Adds comparisons of parts, which were made without a correction. Twenty parts of ten columns are 200
    /// tests, of which ten drift by chance: the p-values of all are adjusted together, by the dataset's
    /// correction or else by Benjamini and Hochberg's.
    #[must_use]
    pub fn with_segments(mut self, mut segments: Vec<SegmentDrift>) -> Self {
        let correction = match self.correction {
            Correction::None => Correction::BenjaminiHochberg,
            chosen => chosen,
        };
        let columns = segments.iter_mut().flat_map(|segment| &mut segment.drift.columns);
        adjust(columns, correction);
        for segment in &mut segments {
            segment.drift.correction = correction;
            segment.drift.count();
        }
        self.segments = segments;
        self
    }

    /// Segments by how much they need attention: the worst verdict first, then the largest share of drift.
    pub fn segments_by_severity(&self) -> Vec<&SegmentDrift> {
        let mut segments: Vec<&SegmentDrift> = self.segments.iter().collect();
        segments.sort_by(|a, b| {
            let verdict = b.drift.verdict().cmp(&a.drift.verdict());
            verdict.then(b.drift.share.total_cmp(&a.drift.share))
        });
        segments
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Date32Array, Float64Array, RecordBatch};

    use super::*;
    use crate::{DatasetVerdict, Options, compare};

    fn segment(shift: f64) -> SegmentDrift {
        let table = |shift: f64| {
            let values = Float64Array::from_iter_values((0..200).map(|i| f64::from(i) + shift));
            RecordBatch::try_from_iter([("x", Arc::new(values) as ArrayRef)]).unwrap()
        };
        let drift = compare(&table(0.0), &table(shift), &Options::default());
        SegmentDrift { name: format!("shift = {shift}"), drift }
    }

    #[test]
    fn the_tests_of_all_parts_are_corrected_together() {
        // p = 0.033 a part: drift by itself, none of ten.
        let p = |drift: &DatasetDrift| drift.columns[0].verdict().unwrap().decisive_score();
        let alone = segment(28.0);
        assert!(alone.drift.dataset_drift && p(&alone.drift) > 0.005, "{}", p(&alone.drift));
        let whole = segment(0.0).drift;
        let parts = (0..10).map(|i| segment(if i == 3 { 28.0 } else { 0.0 })).collect();
        let drift = whole.clone().with_segments(parts);
        assert_eq!(drift.segments[3].drift.drifted, 0, "{}", p(&drift.segments[3].drift));
        // Values beyond the reference's range are worth a look all the same.
        assert_eq!(drift.verdict(), DatasetVerdict::Warning);
        let parts = (0..10).map(|i| segment(if i == 3 { 90.0 } else { 0.0 })).collect();
        let drift = whole.with_segments(parts);
        assert_eq!(drift.verdict(), DatasetVerdict::Drift);
        let worst = drift.segments_by_severity()[0];
        assert_eq!((worst.name.as_str(), worst.drift.drifted), ("shift = 90", 1));
        assert_eq!(worst.worst().unwrap().name, "x");
        assert!(drift.segments[0].worst().is_none());
    }

    #[test]
    fn times_are_not_the_worst_of_a_part() {
        let table = |shift: i32| {
            let days = Date32Array::from_iter_values((0..200).map(|day| day + shift));
            let values = Float64Array::from_iter_values((0..200).map(f64::from));
            let days = ("day", Arc::new(days) as ArrayRef);
            RecordBatch::try_from_iter([days, ("x", Arc::new(values) as ArrayRef)]).unwrap()
        };
        let drift = compare(&table(0), &table(500), &Options::default());
        assert!(drift.columns.iter().any(|column| !column.counted && column.drifted()));
        let part = SegmentDrift { name: "all".to_owned(), drift };
        assert!(part.worst().is_none(), "{:?}", part.worst());
    }

    #[test]
    fn a_part_that_is_gone_is_not_green() {
        let mut gone = segment(0.0);
        gone.drift.columns.clear();
        let drift = segment(0.0).drift.with_segments(vec![segment(0.0), gone]);
        assert_eq!(drift.segments[1].drift.verdict(), DatasetVerdict::Broken);
        assert_eq!(drift.verdict(), DatasetVerdict::Warning);
    }
}
