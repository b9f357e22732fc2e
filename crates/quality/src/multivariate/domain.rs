//! A domain classifier: whether anything tells current rows from those of the reference, and which columns do.
//!
//! Boosted trees learn from four fifths of the rows from which side they come and judge the last fifth, five times.
//! Their area under the ROC curve on rows that they had not seen is 0.5 where both sides are alike, whatever the
//! columns look like, and near 1 where something has changed, be it only how columns go together. NannyML's
//! (`DomainClassifierCalculator`) is the same with LightGBM's classifier, and has no error of the area.

use trainyard_drift::{Scored, auc};

use crate::boosting::Boosted;
use crate::features::{Codes, Feature};
use crate::{Error, Result};

/// Parts of the rows of which each is judged by what the others taught.
const FOLDS: usize = 5;
/// Rows of a side at most: with these the error of the area is below 0.005.
const ROWS_MAX: usize = 10_000;
/// Rows of a side at least.
pub const ROWS_MIN: usize = 50;
/// Standard errors that what counts stays below the area: 95 of 100 random classifiers do not get so far.
const ERRORS_OFF: f64 = 1.645;
/// What counts of equal sides stays below this.
const THRESHOLD: f64 = 0.55;

/// How well both sides are told apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Domain {
    /// Area under the ROC curve on rows that were not learned from.
    pub area: f64,
    /// Its standard error.
    pub error: f64,
    /// Of each column, its share in what tells the sides apart.
    pub shares: Vec<f64>,
}

impl Domain {
    /// Learns and judges; none where a side has too few rows.
    pub fn new(reference: &[Feature], current: &[Feature]) -> Result<Option<Self>> {
        let codes = Codes::new(reference);
        let sides = [codes.numbers(reference)?, codes.numbers(current)?];
        if sides[0].len() != sides[1].len() {
            let (found, expected) = (sides[1].len(), sides[0].len());
            return Err(Error::OtherColumns { found, expected });
        }
        let rows = [0, 1].map(|side| rows_of(&sides[side]));
        if rows.iter().any(|rows| rows.len() < ROWS_MIN) {
            return Ok(None);
        }
        // Side and row of each; neighbours go to different folds, so that each has rows of all times.
        let all: Vec<(usize, usize)> = [0, 1]
            .into_iter()
            .flat_map(|side| rows[side].iter().map(move |&row| (side, row)))
            .collect();
        let columns = sides[0].len();
        let mut scored: Vec<Scored> = Vec::with_capacity(all.len());
        let mut shares = vec![0.0; columns];
        for fold in 0..FOLDS {
            let taught = || {
                let others = all.iter().enumerate().filter(move |(place, _)| place % FOLDS != fold);
                others.map(|(_, row)| *row)
            };
            let column = |place: usize| -> Vec<f64> {
                taught().map(|(side, row)| sides[side][place][row]).collect()
            };
            let learned: Vec<Vec<f64>> = (0..columns).map(column).collect();
            let target: Vec<f64> = taught().map(|(side, _)| side as f64).collect();
            let model = Boosted::fit(&learned, &target);
            for (sum, share) in shares.iter_mut().zip(model.importances()) {
                *sum += share / FOLDS as f64;
            }
            for &(side, row) in all.iter().skip(fold).step_by(FOLDS) {
                let score = model.predict(|place| sides[side][place][row]);
                let mut counts = [0, 0];
                counts[side] = 1;
                scored.push((score as f32, counts));
            }
        }
        Ok(auc(scored).map(|(area, error)| Self { area, error, shares }))
    }

    /// What counts: the area, less what chance may have added, and not below that of chance.
    pub fn score(&self) -> f64 {
        (self.area - ERRORS_OFF * self.error).max(0.5)
    }

    /// Whether the sides differ.
    pub fn is_told_apart(&self) -> bool {
        self.score() > THRESHOLD
    }
}

/// The rows of a side that are looked at.
fn rows_of(columns: &[Vec<f64>]) -> Vec<usize> {
    let rows = columns.first().map_or(0, Vec::len);
    (0..rows).step_by(rows.div_ceil(ROWS_MAX).max(1)).collect()
}

#[cfg(test)]
mod tests {
    use trainyard_base::random::FastRandom;

    use super::*;

    fn table(rows: usize, stream: u64, is_broken: bool) -> Vec<Feature> {
        let mut random = FastRandom::new(31, stream);
        let mut uniform = || random.below(10_000) as f64 / 10_000.0;
        let (mut a, mut b, mut c) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rows {
            let (common, other) = (uniform(), uniform());
            a.push(common);
            b.push(if is_broken { other } else { common });
            let label = if uniform() < 0.3 { "x" } else { "y" };
            c.push(Some(label.to_owned()));
        }
        vec![Feature::Numbers(a), Feature::Numbers(b), Feature::Labels(c)]
    }

    #[test]
    fn a_broken_joint_distribution_with_the_same_columns_is_found() {
        let found = Domain::new(&table(600, 1, false), &table(600, 2, true)).unwrap().unwrap();
        assert!(found.is_told_apart() && found.area > 0.8, "{found:?}");
        assert!(found.shares[2] < found.shares[0].min(found.shares[1]), "{found:?}");
    }

    #[test]
    fn equal_sides_are_not_told_apart() {
        for stream in 0..10 {
            let (one, other) = (table(300, 2 * stream, false), table(300, 2 * stream + 1, false));
            let found = Domain::new(&one, &other).unwrap().unwrap();
            assert!(!found.is_told_apart(), "{stream}: {found:?}");
        }
        assert_eq!(Domain::new(&table(600, 1, false), &table(10, 2, true)), Ok(None));
    }
}
