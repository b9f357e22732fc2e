//! Deep trees, and rows that are compared with a background: down to the leaves and back up.
//!
//! On the way down each node has the product of its path's factors at the points of the rule, and on the way up
//! the sum of its leaves' values times their products. What a split's feature gets is that sum with the factor of
//! the feature taken out. A feature that is asked again below gets the difference to what it got with the splits
//! above alone: these leaves are in the sum of the upper split too.

use super::block::{Branch, Gains};
use super::rule::Rule;
use crate::tree::forest::{Forest, TreeHead};
use crate::tree::scalar::Scalar;

/// A node as every row meets it, looked up once for all rows that go through the tree.
#[derive(Clone, Copy)]
struct Met {
    node: u32,
    /// Of a split: the feature that it looks at, where its children are among those that are met, left and right, and
    /// which share of the training rows went to each.
    split: Option<(usize, [usize; 2], [f64; 2])>,
}

/// One row on its way through the trees of a forest.
pub(super) struct Descent<'a, X: Scalar, V: Scalar> {
    forest: &'a Forest<X, V>,
    /// By feature, whether the row agrees with its splits on the path (1 or 0), and the share of the training
    /// rows that do, or whether the background row does. Both are 1 where the path asks nothing of it.
    agrees: Vec<f64>,
    shares: Vec<f64>,
    /// By level, the product of the path at the points.
    products: Vec<f64>,
    /// By level, for each value of a leaf the sum over the leaves at the points.
    sums: Vec<f64>,
    /// The tree, its root first.
    met: Vec<Met>,
}

/// What a row goes down a tree with.
#[derive(Clone, Copy)]
pub(super) struct Trip<'a, X> {
    pub(super) tree: TreeHead,
    pub(super) rule: &'a Rule,
    pub(super) row: &'a [X],
    /// A row of the background; without one the training rows stand for what is not known.
    pub(super) background: Option<&'a [X]>,
    /// What everything is multiplied by.
    pub(super) weight: f64,
    /// Number of the row in its block.
    pub(super) number: usize,
}

impl<'a, X: Scalar, V: Scalar> Descent<'a, X, V> {
    pub(super) fn new(forest: &'a Forest<X, V>) -> Self {
        Self {
            forest,
            agrees: vec![1.0; forest.features],
            shares: vec![1.0; forest.features],
            products: Vec::new(),
            sums: Vec::new(),
            met: Vec::new(),
        }
    }

    /// Looks at a tree, before rows go through it.
    pub(super) fn meet(&mut self, tree: TreeHead) {
        self.met.clear();
        self.meet_below(tree.root);
    }

    /// Where a node is among those that are met.
    fn meet_below(&mut self, node: u32) -> usize {
        let at = self.met.len();
        self.met.push(Met { node, split: None });
        if let Some(Branch { feature, left }) = self.forest.branch(node) {
            let children = [left, left + 1];
            let shares = children.map(|child| self.forest.share(node, child));
            let children = children.map(|child| self.meet_below(child));
            self.met[at].split = Some((feature, children, shares));
        }
        at
    }

    /// Adds what the features of the row get from the tree of the trip, which was met last.
    pub(super) fn add(&mut self, trip: &Trip<'_, X>, gains: &mut Gains) {
        let points = trip.rule.points.len();
        let levels = trip.tree.depth as usize + 1;
        let width = self.forest.leaf_width();
        self.products.resize(levels * points, 0.0);
        self.sums.resize(levels * points * width, 0.0);
        if let Some(products) = self.products.get_mut(..points) {
            products.fill(trip.weight);
        }
        self.visit(trip, 0, 0, gains);
    }

    /// Leaves in `sums` of the level what the leaves below the node at this place add up to.
    fn visit(&mut self, trip: &Trip<'_, X>, at: usize, level: usize, gains: &mut Gains) {
        let Trip { rule, row, .. } = *trip;
        let points = rule.points.len();
        let cells = points * self.forest.leaf_width();
        let Met { node, split } = self.met[at];
        let Some((feature, children, shares)) = split else {
            let products = &self.products[level * points..][..points];
            let sums = self.sums[level * cells..][..cells].chunks_exact_mut(points);
            for (sums, value) in sums.zip(self.forest.leaf_values(node as usize)) {
                let value = value.to_f64();
                sums.iter_mut().zip(products).for_each(|(sum, product)| *sum = value * product);
            }
            return;
        };
        self.sums[level * cells..][..cells].fill(0.0);
        let above = Factor { agrees: self.agrees[feature], share: self.shares[feature] };
        let row_left = self.forest.goes_left(node, row);
        let background_left = trip.background.map(|row| self.forest.goes_left(node, row));
        for ((child, share), is_left) in children.into_iter().zip(shares).zip([true, false]) {
            let share = background_left.map_or(share, |left| f64::from(u8::from(left == is_left)));
            let agrees = if row_left == is_left { above.agrees } else { 0.0 };
            let factor = Factor { agrees, share: above.share * share };
            // Neither the row nor what stands for it ever gets there.
            if factor.agrees == 0.0 && factor.share == 0.0 {
                continue;
            }
            let (before, after) = self.products.split_at_mut((level + 1) * points);
            factor.times(above, rule, &before[level * points..], &mut after[..points]);
            (self.agrees[feature], self.shares[feature]) = (factor.agrees, factor.share);
            self.visit(trip, child, level + 1, gains);
            let (sums, below) = self.sums.split_at_mut((level + 1) * cells);
            let sums = sums[level * cells..].chunks_exact_mut(points);
            let every = sums.zip(below[..cells].chunks_exact(points)).enumerate();
            for (output, (sums, below)) in every {
                let gain = factor.gain(rule, below) - above.gain(rule, below);
                let column = gains.column(trip.tree.target as usize + output, feature);
                if let Some(sum) = column.get_mut(trip.number) {
                    *sum += gain;
                }
                sums.iter_mut().zip(below).for_each(|(sum, below)| *sum += below);
            }
        }
        (self.agrees[feature], self.shares[feature]) = (above.agrees, above.share);
    }
}

/// The factor `agrees t + share (1 - t)` of a feature.
#[derive(Debug, Clone, Copy)]
struct Factor {
    agrees: f64,
    share: f64,
}

impl Factor {
    /// The factor of a feature that is not asked for, which is 1 everywhere.
    fn is_one(self) -> bool {
        self.agrees == 1.0 && self.share == 1.0
    }

    /// Products with this factor of those with the one `above` of the same feature.
    fn times(self, above: Self, rule: &Rule, from: &[f64], to: &mut [f64]) {
        let points = rule.points.iter().zip(&rule.rests);
        let every = to.iter_mut().zip(from).zip(points);
        if above.is_one() {
            every.for_each(|((to, from), (t, rest))| *to = from * self.at(*t, *rest));
        } else {
            every.for_each(|((to, from), (t, rest))| {
                *to = from * self.at(*t, *rest) / above.at(*t, *rest);
            });
        }
    }

    fn at(self, t: f64, rest: f64) -> f64 {
        self.agrees * t + self.share * rest
    }

    /// What the feature gets of sums that have this factor; nothing where it is not asked for.
    fn gain(self, rule: &Rule, sums: &[f64]) -> f64 {
        if self.is_one() {
            return 0.0;
        }
        if self.agrees == 0.0 {
            // The share is a factor above and below the line.
            let terms = rule.weights_by_rest.iter().zip(sums);
            return -terms.map(|(weight, sum)| weight * sum).sum::<f64>();
        }
        let points = rule.points.iter().zip(&rule.rests).zip(&rule.weights);
        let terms =
            points.zip(sums).map(|(((t, rest), weight), sum)| weight * sum / self.at(*t, *rest));
        (self.agrees - self.share) * terms.sum::<f64>()
    }
}
