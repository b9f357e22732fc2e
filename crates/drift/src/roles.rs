//! Features, predictions and the target, each judged by itself: other inputs are not other answers, and neither is another truth.

use crate::verdict::{ColumnDrift, DatasetDrift, DatasetVerdict, Role};

impl Role {
    /// Every role, in the order in which they are told.
    pub const ALL: [Self; 3] = [Self::Feature, Self::Prediction, Self::Target];
}

impl DatasetDrift {
    /// The verdict on the columns of each role by themselves; none where all are features, of which the whole is.
    pub fn by_role(&self) -> Vec<(Role, DatasetVerdict)> {
        if self.columns.iter().all(|column| column.role == Role::Feature) {
            return Vec::new();
        }
        let of = |role| {
            let of_role = |column: &&ColumnDrift| column.role == role;
            let columns: Vec<&ColumnDrift> = self.columns.iter().filter(of_role).collect();
            (!columns.is_empty()).then(|| (role, self.judged_alone(columns).verdict()))
        };
        Role::ALL.into_iter().filter_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, RecordBatch};

    use super::*;
    use crate::{Options, compare};

    #[test]
    fn a_prediction_that_drifts_alone_is_told_apart() {
        let table = |shift: f64| {
            let moved = |by: f64| -> ArrayRef {
                Arc::new(Float64Array::from_iter_values((0..300).map(|row| f64::from(row) + by)))
            };
            let columns =
                [("x", moved(0.0)), ("y", moved(0.0)), ("z", moved(0.0)), ("said", moved(shift))];
            RecordBatch::try_from_iter(columns).unwrap()
        };
        let options = Options { prediction: Some("said".to_owned()), ..Options::default() };
        let drift = compare(&table(0.0), &table(250.0), &options);
        assert_eq!(drift.verdict(), DatasetVerdict::Warning, "one column of four");
        let told =
            [(Role::Feature, DatasetVerdict::Stable), (Role::Prediction, DatasetVerdict::Drift)];
        assert_eq!(drift.by_role(), told);
        // A role of which nobody knows is not well.
        let gone = table(0.0).project(&[0, 1, 2]).unwrap();
        let drift = compare(&table(0.0), &gone, &options);
        assert_eq!(drift.by_role()[1], (Role::Prediction, DatasetVerdict::Broken));
        assert!(compare(&table(0.0), &table(0.0), &Options::default()).by_role().is_empty());
    }
}
