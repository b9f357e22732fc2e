//! Whether scores are probabilities, and what makes probabilities of them.
//!
//! As in NannyML 0.13.1 (`nannyml/calibration.py`): scores are calibrated where that makes the expected calibration
//! error smaller on rows that the calibration had not seen, in ten draws of scikit-learn's
//! `StratifiedShuffleSplit(test_size=0.1, random_state=42)`.

use trainyard_base::random::NumpyRandom;
use trainyard_base::stratified;

use super::isotonic::Isotonic;
use crate::metrics::ranked::Ranked;
use crate::{Error, Result};

/// Draws that are looked at.
const DRAWS: usize = 10;
/// Share of the rows that a draw leaves for the test.
const TEST_SHARE: f64 = 0.1;
const SEED: u32 = 42;
/// Bins of the calibration error, with equal numbers of rows.
const BINS: usize = 10;
/// From this area on scores tell all there is to tell.
const AREA_MAX: f64 = 0.999;
/// With fewer rows a tenth of them has no row of each kind.
const ROWS_MIN: usize = 11;

/// What makes probabilities of scores.
#[derive(Debug, Clone, PartialEq)]
pub enum Calibration {
    /// They are probabilities as they are.
    Unneeded,
    /// By a rising function.
    Isotonic(Isotonic),
}

impl Calibration {
    /// Of scores and whether each row is of the class.
    pub fn fit(scores: &[(f64, bool)]) -> Result<Self> {
        Ok(if is_needed(scores)? { Self::Isotonic(Isotonic::fit(scores)) } else { Self::Unneeded })
    }

    /// The probability for a score.
    pub fn probability(&self, score: f64) -> f64 {
        match self {
            Self::Unneeded => score,
            Self::Isotonic(function) => function.value(score),
        }
    }

    /// Whether scores are changed.
    pub fn is_needed(&self) -> bool {
        matches!(self, Self::Isotonic(_))
    }
}

fn is_needed(scores: &[(f64, bool)]) -> Result<bool> {
    let rows = scores.len();
    let of_kind =
        |kind: bool| (0..rows).filter(|&row| scores[row].1 == kind).collect::<Vec<usize>>();
    let members = [of_kind(false), of_kind(true)];
    let fewest = members.iter().map(Vec::len).min().unwrap_or(0);
    if fewest == 0 || Ranked::new(scores).roc_auc(&vec![1; rows]) > AREA_MAX {
        return Ok(false);
    }
    if fewest < 2 || rows < ROWS_MIN {
        return Err(Error::TooFewRows { rows, least: ROWS_MIN });
    }
    let test_rows = (TEST_SHARE * rows as f64).ceil() as usize;
    let mut random = NumpyRandom::new(SEED);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for _ in 0..DRAWS {
        let (train, test) = stratified::draw(&members, rows - test_rows, test_rows, &mut random);
        let train: Vec<(f64, bool)> = train.iter().map(|&row| scores[row]).collect();
        let function = Isotonic::fit(&train);
        for row in test {
            let (score, is_class) = scores[row];
            before.push((score, is_class));
            after.push((function.value(score), is_class));
        }
    }
    Ok(calibration_error(before) > calibration_error(after))
}

/// How far the mean probability of a bin is from the share of rows of the class in it, the mean over the bins.
fn calibration_error(mut rows: Vec<(f64, bool)>) -> f64 {
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all = rows.len() as f64;
    let error = |bin: &[(f64, bool)]| {
        let width = bin.len() as f64;
        let said = bin.iter().map(|(score, _)| score).sum::<f64>() / width;
        let true_share = bin.iter().filter(|(_, is_class)| *is_class).count() as f64 / width;
        width / all * (said - true_share).abs()
    };
    // The rows are ten times those of a draw: bins are of one width.
    rows.chunks(rows.len().div_ceil(BINS).max(1)).map(error).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_of_one_kind_and_perfect_ones_stay() {
        let one: Vec<(f64, bool)> = (0..50).map(|row| (f64::from(row) / 50.0, true)).collect();
        assert_eq!(Calibration::fit(&one), Ok(Calibration::Unneeded));
        let perfect: Vec<(f64, bool)> =
            (0..50).map(|row| (f64::from(row) / 50.0, row >= 25)).collect();
        assert_eq!(Calibration::fit(&perfect), Ok(Calibration::Unneeded));
    }

    #[test]
    fn too_few_rows_say_so() {
        let rows = [(0.1, false), (0.9, true), (0.2, true), (0.3, false)];
        assert_eq!(Calibration::fit(&rows), Err(Error::TooFewRows { rows: 4, least: ROWS_MIN }));
    }
}
