//! Trees as they grow.

use trainyard_base::random::FastRandom;

use super::Tree;
use super::builder::{Limits, between, grow};
use super::criterion::{Classes, SquaredError};
use super::discrete::Discrete;
use crate::matrix::Matrix;

const WHOLE: Limits = Limits {
    max_depth: usize::MAX,
    min_samples_split: 2,
    min_samples_leaf: 1,
    max_features: usize::MAX,
    min_impurity_decrease: 0.0,
};

fn matrix(columns: &[&[f32]]) -> Matrix {
    let mut matrix = Matrix::new(columns[0].len());
    for column in columns {
        matrix.push_column(column.iter().copied());
    }
    matrix
}

fn classes(matrix: &Matrix, labels: &[u32], limits: Limits) -> Tree {
    let weights = vec![1.0; labels.len()];
    let criterion = Classes::<false>::new(labels, &weights, 2);
    let rows = (0..labels.len() as u32).collect();
    grow(matrix, &[], rows, criterion, limits, &mut FastRandom::new(1, 0))
}

#[test]
fn one_cut_separates_two_classes() {
    let x = matrix(&[&[1.0, 2.0, 10.0, 11.0]]);
    let tree = classes(&x, &[0, 0, 1, 1], WHOLE);
    assert_eq!(tree.nodes.len(), 3);
    assert_eq!(tree.nodes[0].threshold, 6.0);
    assert_eq!(tree.nodes[0].impurity, 0.5);
    assert_eq!(tree.values_of(tree.leaf(|_| 6.0)), [1.0, 0.0]);
    assert_eq!(tree.values_of(tree.leaf(|_| 6.1)), [0.0, 1.0]);
    assert_eq!(tree.importances(1), [1.0]);
}

#[test]
fn constant_features_make_a_leaf() {
    let x = matrix(&[&[3.0, 3.0, 3.0]]);
    let tree = classes(&x, &[0, 1, 1], WHOLE);
    assert_eq!(tree.nodes.len(), 1);
    assert_eq!(tree.importances(1), [0.0]);
}

#[test]
fn limits_are_kept() {
    let x = matrix(&[&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]]);
    let labels = [0, 1, 0, 1, 0, 1, 0, 1];
    assert_eq!(classes(&x, &labels, WHOLE).nodes.len(), 15);
    assert_eq!(classes(&x, &labels, Limits { max_depth: 2, ..WHOLE }).depth(), 2);
    let leaves = |limits| {
        let tree = classes(&x, &labels, limits);
        tree.nodes.iter().filter(|node| node.is_leaf()).map(|node| node.weight).collect()
    };
    let at_least_three: Vec<f64> = leaves(Limits { min_samples_leaf: 3, ..WHOLE });
    assert!(at_least_three.iter().all(|&weight| weight >= 3.0), "{at_least_three:?}");
    let unsplit: Vec<f64> = leaves(Limits { min_samples_split: 9, ..WHOLE });
    assert_eq!(unsplit, [8.0]);
    let strict: Vec<f64> = leaves(Limits { min_impurity_decrease: 0.4, ..WHOLE });
    assert_eq!(strict, [8.0]);
}

#[test]
fn regression_leaves_are_means() {
    let x = matrix(&[&[1.0, 2.0, 3.0, 4.0]]);
    let targets = [1e9, 1e9 + 2.0, 5e9, 5e9 + 4.0];
    let weights = [1.0; 4];
    let criterion = SquaredError::new(&targets, &weights);
    let limits = Limits { max_depth: 1, ..WHOLE };
    let tree = grow(&x, &[], vec![0, 1, 2, 3], criterion, limits, &mut FastRandom::new(1, 0));
    assert_eq!(tree.nodes[0].threshold, 2.5);
    assert_eq!(tree.values_of(1), [1e9 + 1.0]);
    assert_eq!(tree.values_of(2), [5e9 + 2.0]);
}

#[test]
fn thresholds_fall_between_neighbours() {
    let one = 1.0_f32;
    let next = f32::from_bits(one.to_bits() + 1);
    assert_eq!(between(one, next), one);
    assert_eq!(between(-2.0, 4.0), 1.0);
    assert_eq!(between(f32::MAX, f32::INFINITY), f32::MAX);
}

#[test]
fn values_that_are_few_are_cut_as_sorted_ones_are() {
    let mut random = FastRandom::new(5, 0);
    let rows = 3_000;
    let mut columns: Vec<Vec<f32>> = Vec::new();
    for count in [2, 3, 40, 2_500, 1_000_000] {
        columns.push((0..rows).map(|_| (random.below(count) as f32 - 1.0) * 0.5).collect());
    }
    // One that is constant where another one is zero, and two values that are one.
    columns.push(columns[0].iter().zip(&columns[2]).map(|(a, b)| a * b - 0.0).collect());
    columns.push((0..rows).map(|row| if row % 2 == 0 { 0.0 } else { 5e-8 }).collect());
    let slices: Vec<&[f32]> = columns.iter().map(Vec::as_slice).collect();
    let x = matrix(&slices);
    let labels: Vec<u32> =
        (0..rows).map(|row| u32::from(columns[2][row] + columns[4][row] % 7.0 > 9.0)).collect();
    // Sums of whole numbers have all digits in any order.
    let weights: Vec<f64> = (0..rows).map(|row| (1 + row % 3) as f64).collect();
    let half = |row: usize| f64::from(labels[row]) + 3.0 * f64::from(columns[1][row]);
    let targets: Vec<f64> =
        (0..rows / 2).map(half).chain((0..rows / 2).map(|row| -half(row))).collect();
    let discrete = Discrete::of(&x);
    let known: Vec<bool> = discrete.iter().map(Option::is_some).collect();
    assert_eq!(known, [true, true, true, true, true, true, true]);
    for min_samples_leaf in [1, 7] {
        for max_features in [1, 3, usize::MAX] {
            let limits = Limits { min_samples_leaf, max_features, ..WHOLE };
            let all = || (0..rows as u32).collect::<Vec<u32>>();
            let of_classes = |discrete: &[Option<Discrete>]| {
                let criterion = Classes::<false>::new(&labels, &weights, 2);
                grow(&x, discrete, all(), criterion, limits, &mut FastRandom::new(9, 0))
            };
            let of_targets = |discrete: &[Option<Discrete>]| {
                let criterion = SquaredError::new(&targets, &weights);
                grow(&x, discrete, all(), criterion, limits, &mut FastRandom::new(9, 0))
            };
            for tree in [&of_classes as &dyn Fn(&[Option<Discrete>]) -> Tree, &of_targets] {
                let tree_of_few = tree(&discrete);
                assert!(tree_of_few.nodes.len() > 20);
                assert_eq!(tree_of_few, tree(&[]));
            }
        }
    }
}
