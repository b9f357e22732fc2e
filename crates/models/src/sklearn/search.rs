//! Searches for parameters or rows, and frozen estimators: the estimator that they hold answers.

use super::reader::{Names, Reader};

pub(super) const READERS: &[Reader] = &[
    Reader::new(
        "GridSearchCV RandomizedSearchCV HalvingGridSearchCV HalvingRandomSearchCV",
        |fields, nested| nested.load(fields.value("best_estimator_")?),
    )
    .names(Names::Inner(&["best_estimator_"])),
    Reader::new("FrozenEstimator", |fields, nested| nested.load(fields.value("estimator")?))
        .names(Names::Inner(&["estimator"])),
    Reader::new("SelfTrainingClassifier", |fields, nested| {
        // Until 1.5 the attribute had its old name.
        nested.load(fields.value("estimator_").or_else(|_| fields.value("base_estimator_"))?)
    }),
    // Fitted again to the rows that agreed with it, which had lost the names of their columns.
    Reader::new("RANSACRegressor", |fields, nested| nested.load(fields.value("estimator_")?)),
];
