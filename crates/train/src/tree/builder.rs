//! Grows one tree: the best split of every node, found by sorting (CART).
//!
//! The rules are scikit-learn's: features drawn without replacement until `max_features` were
//! looked at and one of them was not constant, cuts half-way between neighbouring values, a node
//! closed when it is pure, too small or too deep.

use trainyard_base::random::FastRandom;

use crate::matrix::Matrix;

use super::buckets::Buckets;
use super::criterion::Criterion;
use super::discrete::{Discrete, partition};
use super::node::{LEAF, Node, Tree};
use super::order::{sort_packed, sortable, value_of};

/// Values closer than this are one value, as in scikit-learn.
const FEATURE_THRESHOLD: f32 = 1e-7;

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
    let (width, sum_width) = (criterion.width(), criterion.sum_width());
    let values = discrete.iter().flatten().map(|discrete| discrete.values.len());
    let mut builder = Builder {
        matrix,
        discrete,
        criterion,
        limits,
        features: (0..matrix.columns()).collect(),
        constant: Vec::new(),
        is_constant: vec![false; matrix.columns()],
        buckets: Buckets::new(values, rows.len(), sum_width),
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
    buckets: Buckets,
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
        let rows = node.end - node.start;
        if let Some(discrete) = discrete.filter(|it| self.buckets.suit(it.values.len(), rows)) {
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
        let (values, rows) = (&discrete.values, &self.rows[node.start..node.end]);
        if !discrete.fill(&mut self.buckets, rows, &self.criterion) {
            return false;
        }
        let (samples, smallest) = (node.end - node.start, self.limits.min_samples_leaf.max(1));
        self.criterion.reset();
        let mut seen: Option<(f32, f32)> = None;
        let mut left = 0;
        self.buckets.drain(values.len(), samples, |place, count, sums| {
            let high = values[place];
            let (lowest, low) = seen.unwrap_or((high, high));
            let is_cut = high > low + FEATURE_THRESHOLD;
            if is_cut && left >= smallest && samples - left >= smallest {
                let quality = self.criterion.quality();
                if best.as_ref().is_none_or(|best| quality > best.quality) {
                    *best = Some(Split { feature, threshold: between(low, high), quality });
                }
            }
            seen = Some((lowest, high));
            left += count;
            self.criterion.move_left_all(sums);
        });
        seen.is_some_and(|(lowest, highest)| highest > lowest + FEATURE_THRESHOLD)
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
        let rows = &mut self.rows[node.start..node.end];
        let left = if let Some(Some(discrete)) = self.discrete.get(split.feature) {
            discrete.partition(rows, split.threshold)
        } else {
            let column = self.matrix.column(split.feature);
            partition(rows, |row| column[row as usize] <= split.threshold)
        };
        node.start + left
    }
}

/// Half-way between two values, never the upper one: `low <= threshold < high`.
pub(super) fn between(low: f32, high: f32) -> f32 {
    let middle = low / 2.0 + high / 2.0;
    if middle >= low && middle < high { middle } else { low }
}
