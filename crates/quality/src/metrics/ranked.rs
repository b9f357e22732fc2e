//! Rows ordered by a score once, and the areas that follow from the order, however rows are weighted.

/// Rows from the highest score down.
#[derive(Debug, Clone)]
pub struct Ranked {
    /// Row and whether it is of the class; rows of one score are neighbours.
    rows: Vec<(u32, bool)>,
    /// Where each run of equal scores ends.
    ends: Vec<usize>,
}

impl Ranked {
    /// From scores and whether each row is of the class.
    pub fn new(scores: &[(f64, bool)]) -> Self {
        let mut order: Vec<u32> = (0..scores.len() as u32).collect();
        order.sort_by(|a, b| scores[*b as usize].0.total_cmp(&scores[*a as usize].0));
        let score = |position: usize| order.get(position).map(|row| scores[*row as usize].0);
        let ends = (1..=order.len()).filter(|&end| score(end - 1) != score(end)).collect();
        Self { rows: order.iter().map(|&row| (row, scores[row as usize].1)).collect(), ends }
    }

    /// Weights of (others, rows of the class) in each run of equal scores.
    fn runs<'a>(&'a self, weights: &'a [u32]) -> impl Iterator<Item = (f64, f64)> + 'a {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let run = &self.rows[start..end];
            start = end;
            run.iter().fold((0.0, 0.0), |(others, class), &(row, is_class)| {
                let weight = f64::from(weights[row as usize]);
                if is_class { (others, class + weight) } else { (others + weight, class) }
            })
        })
    }

    fn totals(&self, weights: &[u32]) -> (f64, f64) {
        self.runs(weights).fold((0.0, 0.0), |(o, c), (others, class)| (o + others, c + class))
    }

    /// Area under the ROC curve: the chance that a row of the class has a higher score than another, ties
    /// counted half. NaN without both kinds.
    pub fn roc_auc(&self, weights: &[u32]) -> f64 {
        let (others, class) = self.totals(weights);
        let (mut above, mut area) = (0.0, 0.0);
        for (run_others, run_class) in self.runs(weights) {
            area += run_others * (above + run_class / 2.0);
            above += run_class;
        }
        area / (others * class)
    }

    /// Average precision as scikit-learn sums it: precision at each score, weighted by the recall gained
    /// there. NaN without a row of the class.
    pub fn average_precision(&self, weights: &[u32]) -> f64 {
        let (_, class) = self.totals(weights);
        let (mut others_above, mut class_above, mut sum) = (0.0, 0.0, 0.0);
        for (run_others, run_class) in self.runs(weights) {
            others_above += run_others;
            class_above += run_class;
            if run_class > 0.0 {
                sum += run_class * class_above / (class_above + others_above);
            }
        }
        sum / class
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_count_ties_half_and_weights_as_rows() {
        let ranked = Ranked::new(&[(0.5, true), (0.5, false), (0.9, true), (0.1, false)]);
        assert_eq!(ranked.roc_auc(&[1; 4]), 0.875);
        assert_eq!(ranked.roc_auc(&[0, 1, 1, 1]), 1.0);
        // A weight of three is three rows.
        let thrice =
            [(0.5, true), (0.5, true), (0.5, true), (0.5, false), (0.9, true), (0.1, false)];
        let thrice = Ranked::new(&thrice);
        assert_eq!(ranked.roc_auc(&[3, 1, 1, 1]), thrice.roc_auc(&[1; 6]));
        assert_eq!(ranked.average_precision(&[3, 1, 1, 1]), thrice.average_precision(&[1; 6]));
        assert!(ranked.roc_auc(&[0, 1, 0, 1]).is_nan());
    }

    /// `sklearn.metrics.average_precision_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])`, from its documentation.
    #[test]
    fn average_precision_is_scikit_learns() {
        let ranked = Ranked::new(&[(0.1, false), (0.4, false), (0.35, true), (0.8, true)]);
        assert!((ranked.average_precision(&[1; 4]) - 0.8333333333333333).abs() < 1e-15);
    }
}
