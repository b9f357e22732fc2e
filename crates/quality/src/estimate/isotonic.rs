//! Isotonic regression: the rising function that is closest to what was true.
//!
//! The pool adjacent violators algorithm (R. E. Barlow et al., "Statistical Inference under Order Restrictions",
//! 1972), with scikit-learn's conventions: rows of one score are one point, between points the function is
//! straight, beyond them it stays as it is (`IsotonicRegression(out_of_bounds="clip")`).

/// Scores closer than this are one, as in scikit-learn (`numpy.finfo(float).resolution`).
const RESOLUTION: f64 = 1e-15;

/// A rising function of a score.
#[derive(Debug, Clone, PartialEq)]
pub struct Isotonic {
    /// Scores at which its slope changes, rising, and its values there.
    points: Vec<(f64, f64)>,
}

/// Neighbouring scores that have one value.
struct Block {
    first: f64,
    last: f64,
    value: f64,
    weight: f64,
}

impl Isotonic {
    /// Fits scores and whether each row is of the class.
    pub fn fit(scores: &[(f64, bool)]) -> Self {
        let mut order: Vec<&(f64, bool)> = scores.iter().collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut blocks: Vec<Block> = Vec::new();
        let mut rest = order.as_slice();
        while let Some(&&(first, _)) = rest.first() {
            let length = rest.partition_point(|(score, _)| score - first < RESOLUTION);
            let (same, others) = rest.split_at(length.max(1));
            rest = others;
            let weight = same.len() as f64;
            let value = same.iter().filter(|(_, is_class)| *is_class).count() as f64 / weight;
            push(&mut blocks, Block { first, last: first, value, weight });
        }
        let ends = |block: &Block| [(block.first, block.value), (block.last, block.value)];
        let mut points: Vec<(f64, f64)> = blocks.iter().flat_map(ends).collect();
        points.dedup();
        Self { points }
    }

    /// The value for a score; NaN if it was fitted to nothing.
    pub fn value(&self, score: f64) -> f64 {
        let (Some(&first), Some(&last)) = (self.points.first(), self.points.last()) else {
            return f64::NAN;
        };
        if score <= first.0 {
            return first.1;
        }
        if score >= last.0 {
            return last.1;
        }
        let above = self.points.partition_point(|point| point.0 < score);
        match (self.points.get(above.wrapping_sub(1)), self.points.get(above)) {
            (Some(low), Some(high)) => {
                (high.1 - low.1) / (high.0 - low.0) * (score - low.0) + low.1
            }
            _ => f64::NAN,
        }
    }
}

/// Adds a block, and pools it with those before it as long as they are not lower.
fn push(blocks: &mut Vec<Block>, mut block: Block) {
    while let Some(before) = blocks.pop_if(|before| before.value >= block.value) {
        let weight = before.weight + block.weight;
        block = Block {
            first: before.first,
            last: block.last,
            value: (before.value * before.weight + block.value * block.weight) / weight,
            weight,
        };
    }
    blocks.push(block);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `IsotonicRegression(out_of_bounds="clip").fit([0.1, 0.4, 0.35, 0.8, 0.4], [0, 0, 1, 1, 1])` and what it
    /// predicts.
    #[test]
    fn values_are_scikit_learns() {
        let rows = [(0.1, false), (0.4, false), (0.35, true), (0.8, true), (0.4, true)];
        let fitted = Isotonic::fit(&rows);
        let two_thirds = 2.0 / 3.0;
        for (score, expected) in [
            (0.0, 0.0),
            (0.1, 0.0),
            (0.225, two_thirds / 2.0),
            (0.35, two_thirds),
            (0.39, two_thirds),
            (0.4, two_thirds),
            (0.6, two_thirds + (1.0 - two_thirds) / 2.0),
            (0.9, 1.0),
        ] {
            let found = fitted.value(score);
            assert!((found - expected).abs() < 1e-12, "{score}: {found} {expected}");
        }
    }

    #[test]
    fn a_falling_truth_is_a_constant() {
        let fitted = Isotonic::fit(&[(0.1, true), (0.5, true), (0.9, false), (0.95, false)]);
        assert_eq!([0.0, 0.3, 1.0].map(|score| fitted.value(score)), [0.5; 3]);
    }
}
