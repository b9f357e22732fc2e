//! The search for the samples of training that are nearest to a row, as a fitted estimator of scikit-learn does it.
//!
//! Of samples equally far away scikit-learn keeps those that it meets first, and a k-d tree decides in
//! which order they are met. Data on a grid (iris is) has such ties, so the fitted tree is walked as
//! scikit-learn walks it.

use super::data::Matrix;
use super::estimator::Fields;
use super::nearest::{KdTree, Metric, Nearest};
use crate::{Error, Result};

/// A fitted search.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) samples: Matrix,
    /// What an answer is made of, a row a sample: which of equally near samples with the same is taken does not matter.
    pub(super) told: Matrix,
    count: usize,
    /// Whether samples count by how near they are.
    by_distance: bool,
    metric: Metric,
    tree: Option<KdTree>,
    /// Whether ties are certain: in the order of a k-d tree, or of samples that are one block of the search
    /// without a tree.
    order_is_known: bool,
    /// Whether scikit-learn searches without a tree: Euclidean distances are then what is left of products.
    by_products: bool,
}

fn metric(fields: Fields<'_>) -> Result<Metric> {
    let named = fields.text("effective_metric_", fields.text("metric", "minkowski"));
    let power = fields
        .optional("effective_metric_params_")
        .and_then(|parameters| parameters.get("p"))
        .and_then(crate::python::Value::float)
        .or_else(|| fields.float("p").ok());
    Ok(match named {
        "manhattan" | "cityblock" | "l1" => Metric::Manhattan,
        "euclidean" | "l2" => Metric::Euclidean,
        "chebyshev" | "infinity" => Metric::Chebyshev,
        "cosine" => Metric::Cosine,
        "canberra" => Metric::Canberra,
        "minkowski" => match power.unwrap_or(2.0) {
            1.0 => Metric::Manhattan,
            2.0 => Metric::Euclidean,
            p if p.is_infinite() => Metric::Chebyshev,
            p => Metric::Minkowski(p),
        },
        other => return Err(fields.unsupported(format!("metric {other:?}"))),
    })
}

/// Samples that scikit-learn's search without a tree looks at together. Blocks go to the threads of the
/// machine, whose number then decides ties.
const BLOCK_ROWS: usize = 256;

/// Rounding of a distance, relative to the squares that it is the difference of.
const BLUR: f64 = 16.0 * f64::EPSILON;

/// The class of a tree, which pickles name as the argument of a function that makes it.
fn tree_class(tree: crate::python::Value<'_>) -> Option<&str> {
    let made = tree.arguments().first().and_then(|class| class.global());
    made.or(tree.class())?.rsplit('.').next()
}

impl Search {
    /// Reads the search for so many samples; `told` has a row for each.
    pub(super) fn read(
        fields: Fields<'_>,
        count: usize,
        told: Matrix,
        by_distance: bool,
    ) -> Result<Self> {
        if fields.optional("metric_params").is_some() {
            return Err(fields.unsupported("metric_params"));
        }
        let samples = fields.matrix("_fit_X")?;
        fields.check_length("_fit_X", samples.rows, told.rows)?;
        let fitted = fields.optional("_tree");
        let tree = match fitted {
            // A tree that is not as known leaves ties open.
            Some(tree) if tree_class(tree) == Some("KDTree") => KdTree::read(tree, &samples),
            _ => None,
        };
        let whole = samples.values.iter().all(|x| x.fract() == 0.0);
        let one_block = fitted.is_none() && whole && samples.rows <= BLOCK_ROWS;
        let metric = metric(fields)?;
        // Whole numbers are subtracted and added without rounding.
        let exact = matches!(metric, Metric::Manhattan | Metric::Euclidean | Metric::Chebyshev);
        Ok(Self {
            count: count.min(samples.rows),
            told,
            by_distance,
            metric,
            samples,
            order_is_known: tree.is_some() || one_block && exact,
            by_products: fitted.is_none(),
            tree,
        })
    }

    /// The nearest samples of a row with their distances, nearest first.
    pub(super) fn nearest(&self, row: &[f64]) -> Result<Vec<(usize, f64)>> {
        let mut nearest = Nearest::new(self.count);
        let mut distances = Vec::new();
        if let Some(tree) = &self.tree {
            tree.visit(row, self.metric, &self.samples, &mut nearest);
        } else {
            let every = self.samples.each_row();
            distances.extend(every.map(|sample| self.metric.reduced(row, sample)));
            for (at, &distance) in distances.iter().enumerate() {
                nearest.offer(distance, at);
            }
        }
        let mut found = nearest.sorted();
        if !self.order_is_known && !self.is_certain(row, &found, &distances) {
            return Err(Error::Input(
                "samples of training are equally near, and which of them scikit-learn takes depends on the \
                 machine; serve the model with Python workers"
                    .to_owned(),
            ));
        }
        for (_, distance) in &mut found {
            *distance = self.metric.distance(*distance);
        }
        Ok(found)
    }

    /// Whether all samples that are as near as the last of the found ones tell the same, and weights
    /// by distance are more than rounding.
    fn is_certain(&self, row: &[f64], found: &[(usize, f64)], distances: &[f64]) -> bool {
        /// Nine digits of a weight must be right; the blur is generous by one.
        const DIGITS: f64 = 1e-8;
        let Some(&(last, border)) = found.last() else { return true };
        let length = |values: &[f64]| values.iter().map(|x| x * x).sum::<f64>();
        let of_row = length(row);
        // How far a distance may be off; where numbers cancel, by the size of those.
        let blur = |sample: usize, distance: f64| match self.metric {
            Metric::Cosine => BLUR,
            Metric::Euclidean if self.by_products => {
                let start = sample * self.samples.columns;
                let values = self.samples.values.get(start..start + self.samples.columns);
                BLUR * (of_row + length(values.unwrap_or_default()))
            }
            _ => BLUR * distance,
        };
        let cancels = match self.metric {
            Metric::Cosine => true,
            Metric::Euclidean => self.by_products,
            _ => false,
        };
        let same = |sample: usize| self.told(sample) == self.told(last);
        // If all samples are neighbours there is nothing to choose.
        let border_is_certain = found.len() == self.samples.rows
            || distances.iter().enumerate().all(|(sample, &distance)| {
                let blur = blur(sample, distance) + blur(last, border);
                (distance - border).abs() > blur || same(sample)
            });
        let weights_are_certain = !self.by_distance
            || !cancels
            || found.iter().all(|(sample, _)| same(*sample))
            || found.iter().all(|&(sample, distance)| blur(sample, distance) < distance * DIGITS);
        border_is_certain && weights_are_certain
    }

    /// What a sample tells.
    pub(super) fn told(&self, sample: usize) -> &[f64] {
        let start = sample * self.told.columns;
        self.told.values.get(start..start + self.told.columns).unwrap_or_default()
    }

    pub(super) fn size_bytes(&self) -> usize {
        size_of_val(self.samples.values.as_slice())
    }
}
