//! Which columns explain that a loss is expected to be another than it was.
//!
//! A model of the loss says how large it is by the columns. A column explains as much as the expected loss changes
//! when its values, and no others, are again those of the reference. So a column that drifted a lot and does not
//! matter comes last, whatever its p-value.

use trainyard_base::random::FastRandom;

use crate::boosting::Boosted;

/// Rows that the loss is learned from and looked at for, at most.
const ROWS_MAX: usize = 20_000;
/// Names this use of the generator.
const SEED: u64 = 19;

/// By how much each column makes the expected loss larger than it was on the reference. `losses` are those of the
/// rows of the reference. All columns are numbers, NaN where one is missing; both sides have the same.
pub fn explained(reference: &[Vec<f64>], losses: &[f64], current: &[Vec<f64>]) -> Vec<f64> {
    let rows = current.first().map_or(0, Vec::len);
    if rows == 0 || losses.is_empty() || reference.len() != current.len() {
        return vec![0.0; current.len()];
    }
    let step = losses.len().div_ceil(ROWS_MAX);
    let thin = |column: &[f64]| column.iter().step_by(step).copied().collect::<Vec<f64>>();
    let learned: Vec<Vec<f64>> = reference.iter().map(|column| thin(column)).collect();
    let model = Boosted::fit(&learned, &thin(losses));
    let looked_at: Vec<usize> = (0..rows).step_by(rows.div_ceil(ROWS_MAX)).collect();
    let now: Vec<f64> =
        looked_at.iter().map(|&row| model.predict(|place| current[place][row])).collect();
    let of_column = |changed: usize| {
        let mut random = FastRandom::new(SEED, changed as u64);
        let mut sum = 0.0;
        for (&row, now) in looked_at.iter().zip(&now) {
            let as_before = reference[changed][random.below(losses.len())];
            let value =
                |place: usize| if place == changed { as_before } else { current[place][row] };
            sum += now - model.predict(value);
        }
        sum / looked_at.len() as f64
    };
    (0..current.len()).map(of_column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uniform(rows: usize, stream: u64, from: f64) -> Vec<f64> {
        let mut random = FastRandom::new(23, stream);
        (0..rows).map(|_| from + random.below(10_000) as f64 / 10_000.0).collect()
    }

    #[test]
    fn a_column_that_drifted_and_does_not_matter_explains_nothing() {
        let reference = [uniform(2_000, 1, 0.0), uniform(2_000, 2, 0.0)];
        let losses: Vec<f64> = reference[0].iter().map(|value| 3.0 * value).collect();
        // The first moves a little, the second as a whole.
        let current = [uniform(500, 3, 0.3), uniform(500, 4, 5.0)];
        let found = explained(&reference, &losses, &current);
        assert!(found[0] > 0.5 && found[1].abs() < 0.05, "{found:?}");
        assert_eq!(explained(&reference, &losses, &[]), Vec::<f64>::new());
    }
}
