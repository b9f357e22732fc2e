//! Grows one tree: the best split of every node, found by sorting (CART).
//!
//! The rules are scikit-learn's: features drawn without replacement until `max_features` were
//! looked at and one of them was not constant, cuts half-way between neighbouring values, a node
//! closed when it is pure, too small or too deep.

use trainyard_base::random::FastRandom;

use crate::matrix::Matrix;

use super::criterion::Criterion;
use super::discrete::Discrete;
use super::node::{LEAF, Node, Tree};
use super::order::{sort_packed, sortable, value_of};

/// Values closer than this are one value, as in scikit-learn.
const FEATURE_THRESHOLD: f32 = 1e-7;

/// Sums by value that are made of a node, for each of its rows: of more most would be empty, and sorting is faster.
const NUMBERS_A_ROW: usize = 4;

/// When to stop, with the meaning of scikit-learn's parameters of the same names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limits {
    pub(crate) max_depth: usize,
    pub(crate) min_samples_split: usize,
    pub(crate) min_samples_leaf: usize,
    pub(crate) max_features: usize,
    pub(crate) min_impurity_decrease: f64,
}

/// A node whose rows are `rows[start..end]` and that hangs below `parent`.
struct Pending {
    start: usize,
    end: usize,
    depth: usize,
    parent: Option<(u32, Side)>,
    /// How many of the features that are known to be constant are so here.
    constant: usize,
}

#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

struct Split {
    feature: usize,
    threshold: f32,
    quality: f64,
}

/// Grows a tree on the rows of `matrix` listed in `rows` (each once, with a positive weight). `discrete` says of each
/// feature which few values it has, if these are few.
pub(crate) fn grow<C: Criterion>(
    matrix: &Matrix,
    discrete: &[Option<Discrete>],
    rows: Vec<u32>,
    criterion: C,
    limits: Limits,
    random: &mut FastRandom,
) -> Tree {
    let width = criterion.width();
    let mut builder = Builder {
        matrix,
        discrete,
        criterion,
        limits,
        features: (0..matrix.columns()).collect(),
        constant: Vec::new(),
        is_constant: vec![false; matrix.columns()],
        buckets: Vec::new(),
        counts: Vec::new(),
        sorted: Vec::with_capacity(rows.len()),
        scratch: Vec::new(),
        rows,
        total_weight: 0.0,
        tree: Tree { nodes: Vec::new(), values: Vec::new(), width },
    };
    builder.grow(random);
    builder.tree
}

struct Builder<'a, C> {
    matrix: &'a Matrix,
    discrete: &'a [Option<Discrete>],
    criterion: C,
    limits: Limits,
    /// All features, in the order in which the last nodes drew them.
    features: Vec<usize>,
    /// Those that are constant in the node or were in one above it, which nobody looks at again.
    constant: Vec<usize>,
    is_constant: Vec<bool>,
    /// By value of a feature: what the criterion sums of its rows, and how many there are.
    buckets: Vec<f64>,
    counts: Vec<u32>,
    /// The node's rows as (value as a sortable integer, row), packed so that one integer sort
    /// orders them.
    sorted: Vec<u64>,
    scratch: Vec<u64>,
    rows: Vec<u32>,
    total_weight: f64,
    tree: Tree,
}

impl<C: Criterion> Builder<'_, C> {
    fn grow(&mut self, random: &mut FastRandom) {
        let whole = Pending { start: 0, end: self.rows.len(), depth: 0, parent: None, constant: 0 };
        let mut pending = vec![whole];
        while let Some(node) = pending.pop() {
            // What was found in the other part of a node above is not so here.
            for feature in self.constant.drain(node.constant..) {
                self.is_constant[feature] = false;
            }
            let index = self.tree.nodes.len() as u32;
            self.criterion.start(&self.rows[node.start..node.end]);
            if index == 0 {
                self.total_weight = self.criterion.weight();
            }
            match node.parent {
                Some((parent, Side::Left)) => self.tree.nodes[parent as usize].left = index,
                Some((parent, Side::Right)) => self.tree.nodes[parent as usize].right = index,
                None => {}
            }
            let split = self.split(&node, random);
            self.tree.nodes.push(Node {
                feature: split.as_ref().map_or(0, |split| split.feature as u32),
                threshold: split.as_ref().map_or(0.0, |split| split.threshold),
                left: LEAF,
                right: LEAF,
                impurity: self.criterion.impurity(),
                weight: self.criterion.weight(),
            });
            self.criterion.write_values(&mut self.tree.values);
            if let Some(split) = split {
                let middle = self.partition(&node, &split);
                let (depth, constant) = (node.depth + 1, self.constant.len());
                let below = |start, end, side| Pending {
                    start,
                    end,
                    depth,
                    parent: Some((index, side)),
                    constant,
                };
                pending.push(below(middle, node.end, Side::Right));
                pending.push(below(node.start, middle, Side::Left));
            }
        }
    }

    /// The best split of a node, or none if the node is a leaf.
    fn split(&mut self, node: &Pending, random: &mut FastRandom) -> Option<Split> {
        let samples = node.end - node.start;
        if node.depth >= self.limits.max_depth
            || samples < self.limits.min_samples_split
            || samples < 2 * self.limits.min_samples_leaf
            || self.criterion.impurity() <= f64::EPSILON
        {
            return None;
        }
        let mut best: Option<Split> = None;
        let (mut visited, mut constant) = (0, 0);
        let count = self.features.len();
        while visited < count && (visited < self.limits.max_features || visited == constant) {
            let drawn = visited + random.below(count - visited);
            self.features.swap(visited, drawn);
            let feature = self.features[visited];
            visited += 1;
            if self.is_constant[feature] || !self.look_at(feature, node, &mut best) {
                constant += 1;
                if !self.is_constant[feature] {
                    self.is_constant[feature] = true;
                    self.constant.push(feature);
                }
            }
        }
        best.filter(|split| self.decreases_impurity(node, split))
    }

    /// Tries every cut of a feature and keeps the best; false if the feature is constant here.
    fn look_at(&mut self, feature: usize, node: &Pending, best: &mut Option<Split>) -> bool {
        let discrete = self.discrete.get(feature).and_then(Option::as_ref);
        let numbers_max =
            NUMBERS_A_ROW * (node.end - node.start) / self.criterion.sum_width().max(1);
        if let Some(discrete) = discrete.filter(|it| it.values.len() <= numbers_max) {
            return self.scan_values(feature, discrete, node, best);
        }
        let varies = self.sort_by(feature, node);
        if varies {
            self.scan(feature, best);
        }
        varies
    }

    /// The same where values are few: rows are added up by value, and nothing is sorted.
    fn scan_values(
        &mut self,
        feature: usize,
        discrete: &Discrete,
        node: &Pending,
        best: &mut Option<Split>,
    ) -> bool {
        let (values, width) = (&discrete.values, self.criterion.sum_width());
        self.buckets.clear();
        self.buckets.resize(values.len() * width, 0.0);
        self.counts.clear();
        self.counts.resize(values.len(), 0);
        for (at, &row) in self.rows[node.start..node.end].iter().enumerate() {
            let place = discrete.place(row);
            self.counts[place] += 1;
            self.criterion.add_to(&mut self.buckets[place * width..][..width], at);
        }
        let mut present = (0..values.len()).filter(|&place| self.counts[place] > 0);
        let (Some(first), Some(last)) = (present.next(), present.next_back()) else { return false };
        if values[last] <= values[first] + FEATURE_THRESHOLD {
            return false;
        }
        let (samples, smallest) = (node.end - node.start, self.limits.min_samples_leaf.max(1));
        self.criterion.reset();
        let (mut below, mut left) = (first, 0);
        for place in first + 1..=last {
            if self.counts[place] == 0 {
                continue;
            }
            self.criterion.move_left_all(&self.buckets[below * width..][..width]);
            left += self.counts[below] as usize;
            let (low, high) = (values[below], values[place]);
            below = place;
            if high <= low + FEATURE_THRESHOLD || left < smallest || samples - left < smallest {
                continue;
            }
            let quality = self.criterion.quality();
            if best.as_ref().is_none_or(|best| quality > best.quality) {
                *best = Some(Split { feature, threshold: between(low, high), quality });
            }
        }
        true
    }

    /// Fills `sorted` with the node's rows by value; false if the feature is constant there.
    fn sort_by(&mut self, feature: usize, node: &Pending) -> bool {
        let column = self.matrix.column(feature);
        self.sorted.clear();
        let (mut lowest, mut highest) = (f32::INFINITY, f32::NEG_INFINITY);
        for &row in &self.rows[node.start..node.end] {
            let value = column[row as usize];
            lowest = lowest.min(value);
            highest = highest.max(value);
            self.sorted.push(u64::from(sortable(value)) << 32 | u64::from(row));
        }
        if highest <= lowest + FEATURE_THRESHOLD {
            return false;
        }
        sort_packed(&mut self.sorted, &mut self.scratch);
        true
    }

    /// Tries every cut of the sorted rows and keeps the best.
    fn scan(&mut self, feature: usize, best: &mut Option<Split>) {
        let samples = self.sorted.len();
        let smallest = self.limits.min_samples_leaf.max(1);
        self.criterion.reset();
        for position in 1..samples {
            let previous = self.sorted[position - 1];
            self.criterion.move_left(previous as u32);
            let (low, high) = (value_of(previous), value_of(self.sorted[position]));
            if high <= low + FEATURE_THRESHOLD
                || position < smallest
                || samples - position < smallest
            {
                continue;
            }
            let quality = self.criterion.quality();
            if best.as_ref().is_none_or(|best| quality > best.quality) {
                *best = Some(Split { feature, threshold: between(low, high), quality });
            }
        }
    }

    /// scikit-learn's `min_impurity_decrease`, which also refuses cuts that gain nothing.
    fn decreases_impurity(&mut self, node: &Pending, split: &Split) -> bool {
        if self.limits.min_impurity_decrease <= 0.0 {
            return true;
        }
        let column = self.matrix.column(split.feature);
        self.criterion.reset();
        for index in node.start..node.end {
            let row = self.rows[index];
            if column[row as usize] <= split.threshold {
                self.criterion.move_left(row);
            }
        }
        let weight = self.criterion.weight();
        let left = self.criterion.weight_left();
        let (impurity_left, impurity_right) = self.criterion.impurity_of_parts();
        let decrease = weight / self.total_weight
            * (self.criterion.impurity()
                - left / weight * impurity_left
                - (weight - left) / weight * impurity_right);
        decrease + f64::EPSILON >= self.limits.min_impurity_decrease
    }

    /// Reorders the node's rows so that those that go left come first; returns where right begins.
    fn partition(&mut self, node: &Pending, split: &Split) -> usize {
        let column = self.matrix.column(split.feature);
        let (mut front, mut back) = (node.start, node.end);
        while front < back {
            if column[self.rows[front] as usize] <= split.threshold {
                front += 1;
            } else {
                back -= 1;
                self.rows.swap(front, back);
            }
        }
        front
    }
}

/// Half-way between two values, never the upper one: `low <= threshold < high`.
fn between(low: f32, high: f32) -> f32 {
    let middle = low / 2.0 + high / 2.0;
    if middle >= low && middle < high { middle } else { low }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::criterion::{Classes, SquaredError};

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
}
