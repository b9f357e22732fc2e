//! Random forests: trees on bootstrap samples, grown in parallel, the same for any number of threads.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use trainyard_base::random::FastRandom;

use crate::matrix::Matrix;
use crate::parameters::{Amount, ForestParams, MaxFeatures, SplitCriterion};
use crate::tree::Tree;
use crate::tree::builder::{Limits, grow};
use crate::tree::criterion::{Classes, SquaredError};
use crate::tree::discrete::Discrete;
use crate::{Error, Result};

/// What a forest learns: classes by number, or quantities.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Targets<'a> {
    /// One label below `classes` a row. `weights`: one a class.
    Classes { labels: &'a [u32], weights: &'a [f64], balanced_subsample: bool },
    /// One value a row.
    Quantities(&'a [f64]),
}

/// A fitted forest.
#[derive(Debug, Clone, PartialEq)]
pub struct Forest {
    /// The trees, in order.
    pub trees: Vec<Tree>,
    /// For each tree, `width` values a node that are summed over the trees: a class probability,
    /// or the node's mean (then the sum is divided by the number of trees).
    pub leaf_values: Vec<Vec<f32>>,
    /// Values a node: the number of classes, or 1.
    pub width: usize,
    /// Whether the values are class probabilities.
    pub classification: bool,
}

/// Units that all trees together distribute over the classes of a row. A sum of whole multiples of
/// 2^-23 up to 1 is exact in 32-bit floats, so every program that adds the leaves up gets the same
/// bits, whatever order or number of threads it uses, and they add up to exactly 1.
const PROBABILITY_UNITS: usize = 1 << 23;

/// Fits a forest; `tick(done)` is called after each tree and stops the training if it says false.
pub(crate) fn fit(
    matrix: &Matrix,
    targets: Targets<'_>,
    params: &ForestParams,
    seed: u32,
    tick: &(dyn Fn(usize) -> bool + Sync),
) -> Result<Forest> {
    let classification = matches!(targets, Targets::Classes { .. });
    let limits = limits(matrix, params, classification);
    let discrete = Discrete::of(matrix);
    let done = AtomicUsize::new(0);
    let trees: Vec<Tree> = (0..params.n_estimators)
        .into_par_iter()
        .map(|index| {
            let mut random = FastRandom::new(u64::from(seed), index as u64);
            let tree = fit_tree((matrix, &discrete), targets, params, limits, &mut random);
            if tick(done.fetch_add(1, Ordering::Relaxed) + 1) {
                Ok(tree)
            } else {
                Err(Error::Cancelled)
            }
        })
        .collect::<Result<_>>()?;
    Ok(Forest::new(trees, classification))
}

fn limits(matrix: &Matrix, params: &ForestParams, classification: bool) -> Limits {
    let features = matrix.columns();
    let max_features = match params.max_features_for(classification) {
        MaxFeatures::Sqrt => (features as f64).sqrt() as usize,
        MaxFeatures::Log2 => (features as f64).log2() as usize,
        MaxFeatures::Amount(Amount::Count(count)) => count,
        MaxFeatures::Amount(Amount::Share(share)) => (share * features as f64) as usize,
    };
    Limits {
        max_depth: params.max_depth.unwrap_or(usize::MAX),
        min_samples_split: params.min_samples_split.of(matrix.rows()).max(2),
        min_samples_leaf: params.min_samples_leaf.of(matrix.rows()).max(1),
        max_features: max_features.clamp(1, features.max(1)),
        min_impurity_decrease: params.min_impurity_decrease,
    }
}

fn fit_tree(
    (matrix, discrete): (&Matrix, &[Option<Discrete>]),
    targets: Targets<'_>,
    params: &ForestParams,
    limits: Limits,
    random: &mut FastRandom,
) -> Tree {
    let counts = draw(matrix.rows(), params, random);
    let weights = row_weights(&counts, targets);
    // Rows that were not drawn are not scanned at all.
    let rows: Vec<u32> =
        (0..matrix.rows() as u32).filter(|&row| weights[row as usize] > 0.0).collect();
    match (targets, params.criterion_for(matches!(targets, Targets::Classes { .. }))) {
        (Targets::Classes { labels, weights: classes, .. }, SplitCriterion::Entropy) => {
            let criterion = Classes::<true>::new(labels, &weights, classes.len());
            grow(matrix, discrete, rows, criterion, limits, random)
        }
        (Targets::Classes { labels, weights: classes, .. }, _) => {
            let criterion = Classes::<false>::new(labels, &weights, classes.len());
            grow(matrix, discrete, rows, criterion, limits, random)
        }
        (Targets::Quantities(values), _) => {
            grow(matrix, discrete, rows, SquaredError::new(values, &weights), limits, random)
        }
    }
}

/// How often each row is in the sample of a tree.
fn draw(rows: usize, params: &ForestParams, random: &mut FastRandom) -> Vec<u32> {
    if !params.bootstrap {
        return vec![1; rows];
    }
    let size = match params.max_samples {
        None => rows,
        Some(Amount::Count(count)) => count,
        Some(Amount::Share(share)) => ((share * rows as f64).round() as usize).max(1),
    };
    let mut counts = vec![0; rows];
    for _ in 0..size {
        counts[random.below(rows)] += 1;
    }
    counts
}

fn row_weights(counts: &[u32], targets: Targets<'_>) -> Vec<f64> {
    let Targets::Classes { labels, weights, balanced_subsample } = targets else {
        return counts.iter().map(|&count| f64::from(count)).collect();
    };
    let class_weights = if balanced_subsample {
        balanced(labels.iter().zip(counts).map(|(&label, &count)| (label, count)), weights.len())
    } else {
        weights.to_vec()
    };
    let weight = |(&count, &label): (&u32, &u32)| f64::from(count) * class_weights[label as usize];
    counts.iter().zip(labels).map(weight).collect()
}

/// scikit-learn's balanced class weights: `rows / (classes * rows of the class)`.
pub(crate) fn balanced(rows: impl Iterator<Item = (u32, u32)>, classes: usize) -> Vec<f64> {
    let mut counts = vec![0.0; classes];
    for (label, count) in rows {
        counts[label as usize] += f64::from(count);
    }
    let present = counts.iter().filter(|&&count| count > 0.0).count() as f64;
    let total: f64 = counts.iter().sum();
    counts.iter().map(|&count| if count > 0.0 { total / (present * count) } else { 1.0 }).collect()
}

impl Forest {
    fn new(trees: Vec<Tree>, classification: bool) -> Self {
        let width = trees.first().map_or(1, |tree| tree.width);
        let count = trees.len();
        let leaf_values = trees
            .iter()
            .enumerate()
            .map(|(index, tree)| {
                if !classification {
                    return tree.values.iter().map(|&value| value as f32).collect();
                }
                let upto = |trees: usize| trees * PROBABILITY_UNITS / count;
                let units = upto(index + 1) - upto(index);
                tree.values
                    .chunks(width)
                    .flat_map(|shares| apportion(shares, units))
                    .map(|units| units as f32 / PROBABILITY_UNITS as f32)
                    .collect()
            })
            .collect();
        Self { trees, leaf_values, width, classification }
    }

    /// Class probabilities (`width` a row, row-major) or predicted values (one a row).
    pub fn predict(&self, matrix: &Matrix) -> Vec<f32> {
        let mut sums = vec![0.0_f32; matrix.rows() * self.width];
        sums.par_chunks_mut(self.width).enumerate().for_each(|(row, sums)| {
            for (tree, values) in self.trees.iter().zip(&self.leaf_values) {
                let leaf = tree.leaf(|feature| matrix.at(row, feature));
                for (sum, value) in sums.iter_mut().zip(&values[leaf * self.width..]) {
                    *sum += value;
                }
            }
        });
        if !self.classification {
            let count = self.trees.len() as f32;
            for sum in &mut sums {
                *sum /= count;
            }
        }
        sums
    }

    /// Mean decrease of impurity a feature, normalised to a sum of 1 (scikit-learn's
    /// `feature_importances_`).
    pub fn importances(&self, features: usize) -> Vec<f64> {
        let mut total = vec![0.0; features];
        for tree in self.trees.iter().filter(|tree| tree.nodes.len() > 1) {
            for (sum, importance) in total.iter_mut().zip(tree.importances(features)) {
                *sum += importance;
            }
        }
        let sum: f64 = total.iter().sum();
        if sum > 0.0 {
            for importance in &mut total {
                *importance /= sum;
            }
        }
        total
    }
}

/// Distributes whole units by shares, the largest remainders rounded up, so that all are given out.
fn apportion(shares: &[f64], units: usize) -> Vec<usize> {
    let exact: Vec<f64> = shares.iter().map(|share| share * units as f64).collect();
    let mut parts: Vec<usize> = exact.iter().map(|exact| exact.floor() as usize).collect();
    let given: usize = parts.iter().sum();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by(|&a, &b| (exact[b] - exact[b].floor()).total_cmp(&(exact[a] - exact[a].floor())));
    for &class in order.iter().take(units.saturating_sub(given)) {
        parts[class] += 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_blobs() -> (Matrix, Vec<u32>) {
        let mut random = FastRandom::new(11, 0);
        let labels: Vec<u32> = (0..400).map(|row| row % 2).collect();
        let mut matrix = Matrix::new(labels.len());
        for _ in 0..3 {
            let noise: Vec<f32> = labels
                .iter()
                .map(|&label| random.below(1_000) as f32 / 500.0 + label as f32)
                .collect();
            matrix.push_column(noise);
        }
        (matrix, labels)
    }

    fn classes(labels: &[u32]) -> Targets<'_> {
        Targets::Classes { labels, weights: &[1.0, 1.0], balanced_subsample: false }
    }

    #[test]
    fn same_forest_for_any_number_of_threads() {
        let (matrix, labels) = two_blobs();
        let params = ForestParams { n_estimators: 20, ..ForestParams::default() };
        let fit_with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fit(&matrix, classes(&labels), &params, 5, &|_| true).unwrap())
        };
        let one = fit_with(1);
        assert_eq!(one, fit_with(4));
        let other = fit(&matrix, classes(&labels), &params, 6, &|_| true).unwrap();
        assert_ne!(one, other, "the seed must matter");
    }

    #[test]
    fn probabilities_add_up_to_exactly_one_in_any_order() {
        let (matrix, labels) = two_blobs();
        let params =
            ForestParams { n_estimators: 33, max_depth: Some(2), ..ForestParams::default() };
        let forest = fit(&matrix, classes(&labels), &params, 1, &|_| true).unwrap();
        let forward = forest.predict(&matrix);
        let mut reversed = forest.clone();
        reversed.trees.reverse();
        reversed.leaf_values.reverse();
        assert_eq!(forward, reversed.predict(&matrix));
        assert!(forward.chunks(2).all(|row| row[0] + row[1] == 1.0));
        assert!(forward.iter().any(|&probability| probability > 0.0 && probability < 1.0));
    }

    #[test]
    fn cancelled_between_trees() {
        let (matrix, labels) = two_blobs();
        let result = fit(&matrix, classes(&labels), &ForestParams::default(), 1, &|done| done < 3);
        assert!(matches!(result, Err(Error::Cancelled)));
    }

    #[test]
    fn units_are_all_given_out() {
        assert_eq!(apportion(&[0.5, 0.5], 7), [4, 3]);
        assert_eq!(apportion(&[1.0 / 3.0, 2.0 / 3.0], 10), [3, 7]);
        assert_eq!(apportion(&[0.0, 1.0], 10), [0, 10]);
    }

    #[test]
    fn balanced_weights_are_inverse_frequencies() {
        let rows = [0, 0, 0, 1].into_iter().map(|label| (label, 1));
        assert_eq!(balanced(rows, 2), [4.0 / 6.0, 2.0]);
    }
}
