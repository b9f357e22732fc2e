//! Errors of a regression by the size of what was predicted: a mean hides that large values are wrong.

/// Rows with predictions of about one size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decile {
    pub rows: usize,
    /// Means of what was said and what was true.
    pub said: f64,
    pub truth: f64,
    /// Mean absolute error.
    pub mae: f64,
}

/// Rows by their prediction, a tenth after the other; equal predictions stay together, so there may be fewer parts.
pub fn deciles(truth: &[f64], predicted: &[f64]) -> Vec<Decile> {
    const PARTS: usize = 10;
    let mut rows: Vec<(f64, f64)> = predicted.iter().copied().zip(truth.iter().copied()).collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut rest = rows.as_slice();
    let mut found = Vec::new();
    for part in 1..=PARTS {
        let taken = rows.len() - rest.len();
        let wanted = (rows.len() * part).div_ceil(PARTS).saturating_sub(taken);
        let Some(last) = wanted.checked_sub(1).and_then(|place| rest.get(place)) else { continue };
        let length = rest.partition_point(|row| row.0 <= last.0);
        let (of_part, others) = rest.split_at(length);
        rest = others;
        let count = length as f64;
        let mean = |value: fn(&(f64, f64)) -> f64| of_part.iter().map(value).sum::<f64>() / count;
        found.push(Decile {
            rows: length,
            said: mean(|row| row.0),
            truth: mean(|row| row.1),
            mae: mean(|row| (row.0 - row.1).abs()),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_a_tenth_and_equal_predictions_stay_together() {
        let predicted: Vec<f64> = (0..25).map(f64::from).collect();
        let truth: Vec<f64> = predicted.iter().map(|value| value + 1.0).collect();
        let found = deciles(&truth, &predicted);
        let rows: Vec<usize> = found.iter().map(|part| part.rows).collect();
        assert_eq!(rows, [3, 2, 3, 2, 3, 2, 3, 2, 3, 2]);
        assert!(found.iter().all(|part| part.mae == 1.0 && part.truth == part.said + 1.0));
        let found = deciles(&[1.0, 2.0, 3.0], &[5.0; 3]);
        assert_eq!((found.len(), found[0].rows, found[0].truth), (1, 3, 2.0));
        assert_eq!(deciles(&[], &[]), []);
    }
}
