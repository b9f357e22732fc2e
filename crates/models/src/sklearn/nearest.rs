//! The search for the nearest samples: scikit-learn's k-d tree and heap.

use super::data::Matrix;
use super::estimator::numbers;
use crate::python::{Elements, Value};

/// How far apart two rows are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Metric {
    Manhattan,
    Euclidean,
    Chebyshev,
    Minkowski(f64),
    Cosine,
    Canberra,
}

impl Metric {
    /// A distance that orders as the real one does and is cheaper: without its root.
    pub(super) fn reduced(self, a: &[f64], b: &[f64]) -> f64 {
        let pairs = || a.iter().zip(b).map(|(&a, &b)| (a, b));
        match self {
            Self::Cosine => 1.0 - cosine(a, b),
            Self::Canberra => {
                // Two zeros are equal, whatever their ratio.
                let shares = pairs().map(|(a, b)| ((a - b).abs(), a.abs() + b.abs()));
                shares.filter(|(_, whole)| *whole > 0.0).map(|(part, whole)| part / whole).sum()
            }
            _ => self.of_differences(pairs().map(|(a, b)| (a - b).abs())),
        }
    }

    fn of_differences(self, differences: impl Iterator<Item = f64>) -> f64 {
        match self {
            Self::Manhattan => differences.sum(),
            Self::Euclidean => differences.map(|d| d * d).sum(),
            Self::Chebyshev => differences.fold(0.0, f64::max),
            Self::Minkowski(p) => differences.map(|d| d.powf(p)).sum(),
            // No k-d tree has these, and nothing is known of a box.
            Self::Cosine | Self::Canberra => 0.0,
        }
    }

    /// The real distance of a reduced one.
    pub(super) fn distance(self, reduced: f64) -> f64 {
        match self {
            Self::Euclidean => reduced.sqrt(),
            Self::Minkowski(p) => reduced.powf(1.0 / p),
            _ => reduced,
        }
    }
}

/// Rows of length one are multiplied, as scikit-learn does; a row of zeros has no direction.
fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let length = |x: &[f64]| {
        let length = x.iter().map(|x| x * x).sum::<f64>().sqrt();
        if length == 0.0 { 1.0 } else { length }
    };
    let (of_a, of_b) = (length(a), length(b));
    a.iter().zip(b).map(|(a, b)| (a / of_a) * (b / of_b)).sum::<f64>().clamp(-1.0, 1.0)
}

/// The nearest samples so far: a heap with the farthest on top, which only a nearer one replaces.
#[derive(Debug)]
pub(super) struct Nearest(Vec<(f64, usize)>);

impl Nearest {
    pub(super) fn new(count: usize) -> Self {
        Self(vec![(f64::INFINITY, 0); count])
    }

    fn farthest(&self) -> f64 {
        self.0.first().map_or(f64::NEG_INFINITY, |top| top.0)
    }

    pub(super) fn offer(&mut self, distance: f64, sample: usize) {
        if distance >= self.farthest() || distance.is_nan() {
            return;
        }
        let heap = &mut self.0;
        let far =
            |heap: &[(f64, usize)], at: usize| heap.get(at).map_or(f64::NEG_INFINITY, |x| x.0);
        let mut at = 0;
        loop {
            let left = 2 * at + 1;
            // Of two children equally far the left one rises.
            let child = if far(heap, left) >= far(heap, left + 1) { left } else { left + 1 };
            if child >= heap.len() || distance >= far(heap, child) {
                break;
            }
            heap.swap(at, child);
            at = child;
        }
        if let Some(slot) = heap.get_mut(at) {
            *slot = (distance, sample);
        }
    }

    /// Samples with their distances, nearest first.
    pub(super) fn sorted(self) -> Vec<(usize, f64)> {
        let mut found = self.0;
        found.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        found.into_iter().map(|(distance, sample)| (sample, distance)).collect()
    }
}

/// A fitted k-d tree: samples by leaf, and the box around each node. Node `i` has the children `2i + 1`
/// and `2i + 2`.
#[derive(Debug)]
pub(super) struct KdTree {
    order: Vec<usize>,
    nodes: Vec<KdNode>,
    /// Lower bounds of all nodes, then upper ones.
    bounds: Vec<f64>,
    width: usize,
}

#[derive(Debug)]
struct KdNode {
    start: usize,
    end: usize,
    is_leaf: bool,
}

impl KdTree {
    /// Takes the state of the tree apart; `None` if it is not as known, and then all samples are visited.
    pub(super) fn read(tree: Value<'_>, samples: &Matrix) -> Option<Self> {
        let state = tree.state()?.items()?;
        let [_data, order, nodes, bounds, ..] = state.as_slice() else { return None };
        let order: Vec<usize> =
            numbers(*order)?.into_iter().map(|sample| sample as usize).collect();
        let Elements::Struct(columns) = &nodes.array()?.elements else { return None };
        let column = |name: &str| {
            columns.iter().find(|(field, _)| field == name).and_then(|(_, values)| values.to_i64())
        };
        let (starts, ends, leaves) = (column("idx_start")?, column("idx_end")?, column("is_leaf")?);
        let nodes: Vec<KdNode> = starts
            .iter()
            .zip(&ends)
            .zip(&leaves)
            .map(|((&start, &end), &leaf)| KdNode {
                start: start.max(0) as usize,
                end: end.max(0) as usize,
                is_leaf: leaf != 0,
            })
            .collect();
        let bounds = numbers(*bounds)?;
        let fits = order.len() == samples.rows
            && order.iter().all(|&sample| sample < samples.rows)
            && bounds.len() == nodes.len().checked_mul(2 * samples.columns)?;
        fits.then_some(Self { order, nodes, bounds, width: samples.columns })
    }

    /// Offers all samples that can be among the nearest.
    pub(super) fn visit(
        &self,
        row: &[f64],
        metric: Metric,
        samples: &Matrix,
        nearest: &mut Nearest,
    ) {
        self.visit_node(0, self.lower_bound(0, row, metric), row, metric, samples, nearest);
    }

    fn visit_node(
        &self,
        at: usize,
        bound: f64,
        row: &[f64],
        metric: Metric,
        samples: &Matrix,
        nearest: &mut Nearest,
    ) {
        let Some(node) = self.nodes.get(at) else { return };
        if bound > nearest.farthest() {
            return;
        }
        if node.is_leaf {
            for &sample in self.order.get(node.start..node.end).unwrap_or_default() {
                let values = samples.values.get(sample * self.width..(sample + 1) * self.width);
                nearest.offer(metric.reduced(row, values.unwrap_or_default()), sample);
            }
            return;
        }
        let [left, right] =
            [2 * at + 1, 2 * at + 2].map(|child| (child, self.lower_bound(child, row, metric)));
        // Children are numbered beyond their parent, so this ends after as many steps as the tree has levels.
        let (first, second) = if left.1 <= right.1 { (left, right) } else { (right, left) };
        self.visit_node(first.0, first.1, row, metric, samples, nearest);
        self.visit_node(second.0, second.1, row, metric, samples, nearest);
    }

    /// No sample of the node is nearer than this.
    fn lower_bound(&self, at: usize, row: &[f64], metric: Metric) -> f64 {
        let bounds = |half: usize| {
            let start = (half * self.nodes.len() + at) * self.width;
            self.bounds.get(start..start + self.width).unwrap_or_default()
        };
        metric.of_differences(
            row.iter()
                .zip(bounds(0).iter().zip(bounds(1)))
                .map(|(x, (low, high))| (low - x).max(x - high).max(0.0)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Nearest;

    #[test]
    fn of_equals_the_first_ones_stay() {
        let mut nearest = Nearest::new(2);
        for (at, distance) in [3.0, 1.0, 3.0, 1.0, 1.0].into_iter().enumerate() {
            nearest.offer(distance, at);
        }
        assert_eq!(nearest.sorted(), [(1, 1.0), (3, 1.0)]);
    }
}
