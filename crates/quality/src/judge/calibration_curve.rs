//! How often what a model calls probable is true.

/// Bins of equal width, as scikit-learn's example has.
const BINS: usize = 10;

/// Rows whose probability is in one bin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibrationPoint {
    /// The mean of what was said.
    pub said: f64,
    /// The share of rows of the class.
    pub true_share: f64,
    pub rows: usize,
}

/// Ten bins between 0 and 1, those with rows (`sklearn.calibration.calibration_curve`, `strategy="uniform"`).
pub fn calibration_curve(scores: &[(f64, bool)]) -> Vec<CalibrationPoint> {
    let mut bins = [(0.0, 0_usize, 0_usize); BINS];
    let step = 1.0 / BINS as f64;
    for &(score, is_class) in scores {
        let bin = (1..BINS).filter(|&edge| edge as f64 * step < score).count();
        let (said, of_class, rows) = &mut bins[bin];
        *said += score;
        *of_class += usize::from(is_class);
        *rows += 1;
    }
    let point = |(said, of_class, rows): (f64, usize, usize)| CalibrationPoint {
        said: said / rows as f64,
        true_share: of_class as f64 / rows as f64,
        rows,
    };
    bins.into_iter().filter(|bin| bin.2 > 0).map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `calibration_curve([0, 0, 0, 0, 1, 1, 1, 1, 1], [0.1, 0.2, 0.3, 0.4, 0.65, 0.7, 0.8, 0.9, 1.0], n_bins=10)`.
    #[test]
    fn bins_are_scikit_learns() {
        let said = [0.1, 0.2, 0.3, 0.4, 0.65, 0.7, 0.8, 0.9, 1.0];
        let rows: Vec<(f64, bool)> = said.iter().map(|score| (*score, *score > 0.5)).collect();
        let found = calibration_curve(&rows);
        let said: Vec<f64> = found.iter().map(|point| point.said).collect();
        let shares: Vec<f64> = found.iter().map(|point| point.true_share).collect();
        assert_eq!(said, [0.1, 0.2, 0.3, 0.4, 0.675, 0.8, 0.9, 1.0]);
        assert_eq!(shares, [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
    }
}
