//! Searches for parameters and frozen estimators: the estimator that they hold answers.

use super::reader::{Names, Reader};

pub(super) const READERS: &[Reader] = &[
    Reader::new(
        "GridSearchCV RandomizedSearchCV HalvingGridSearchCV HalvingRandomSearchCV",
        |fields, nested| nested.load(fields.value("best_estimator_")?),
    )
    .names(Names::Inner(&["best_estimator_"])),
    Reader::new("FrozenEstimator", |fields, nested| nested.load(fields.value("estimator")?))
        .names(Names::Inner(&["estimator"])),
];
