//! `KNeighbors*`: the nearest samples of training.
//!
//! Of samples equally far away scikit-learn keeps those that it meets first, and a k-d tree decides in
//! which order they are met. Data on a grid (iris is) has such ties, so the fitted tree is walked as
//! scikit-learn walks it.

use std::sync::Arc;

use super::data::{Classes, Matrix, Output, Table};
use super::estimator::{Estimator, Fields, arg_max, class_lists};
use super::nearest::{KdTree, Metric, Nearest};
use super::reader::{Boxed, Reader};
use crate::{Error, Result};

pub(super) const READERS: &[Reader] = &[Reader::new(
    "KNeighborsClassifier KNeighborsRegressor",
    |fields, _| load(fields),
)
.note(
    "euclidean, manhattan, chebyshev, minkowski; the order of ties is that of the fitted k-d tree",
)];

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says something of its own of the fitted search"
)]
struct Neighbours {
    samples: Matrix,
    /// Values, or the numbers of classes.
    targets: Matrix,
    /// One list for each output; empty for regression.
    classes: Vec<Arc<Classes>>,
    count: usize,
    by_distance: bool,
    metric: Metric,
    tree: Option<KdTree>,
    /// Whether ties are certain: in the order of a k-d tree, or of samples that are one block of the search
    /// without a tree.
    order_is_known: bool,
    /// Whether scikit-learn searches without a tree: Euclidean distances are then what is left of products.
    by_products: bool,
    /// Whether the target was a matrix.
    table: bool,
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

fn load(fields: Fields<'_>) -> Result<Boxed> {
    if fields.optional("metric_params").is_some() {
        return Err(fields.unsupported("metric_params"));
    }
    let by_distance = match fields.text("weights", "uniform") {
        "uniform" => false,
        "distance" => true,
        other => return Err(fields.unsupported(format!("weights {other:?}"))),
    };
    let is_classifier = fields.name() == "KNeighborsClassifier";
    let classes = if is_classifier { class_lists(fields)? } else { Vec::new() };
    let samples = fields.matrix("_fit_X")?;
    let targets = fields.array("_y")?;
    let values = fields.numbers("_y")?;
    let width = match targets.shape.as_slice() {
        [_, width] => *width,
        _ => 1,
    };
    if values.len() != samples.rows * width || (is_classifier && classes.len() != width) {
        return Err(fields.malformed(format!("_y of shape {:?}", targets.shape)));
    }
    // Training saw each class.
    for (output, classes) in classes.iter().enumerate() {
        let chosen = values.iter().skip(output).step_by(width.max(1));
        let last = chosen.fold(-1.0, |last: f64, &class| last.max(class));
        fields.check_length("classes_", classes.len(), (last + 1.0) as usize)?;
    }
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
    Ok(Box::new(Neighbours {
        count: fields.count("n_neighbors")?.min(samples.rows),
        targets: Matrix::new(samples.rows, width, values),
        table: targets.shape.len() > 1,
        metric,
        samples,
        classes,
        by_distance,
        order_is_known: tree.is_some() || one_block && exact,
        by_products: fitted.is_none(),
        tree,
    }))
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

impl Neighbours {
    /// Nearest samples of a row with their weights.
    fn nearest(&self, row: &[f64]) -> Result<Vec<(usize, f64)>> {
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
        let exact = found.iter().any(|(_, distance)| *distance == 0.0);
        for (_, weight) in &mut found {
            *weight = match (self.by_distance, exact) {
                (false, _) => 1.0,
                // Only samples at the very place count then.
                (true, true) => f64::from(u8::from(*weight == 0.0)),
                (true, false) => 1.0 / *weight,
            };
        }
        Ok(found)
    }

    /// Whether all samples that are as near as the last of the found ones have the same target, and weights
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
        let targets = |sample: usize| {
            let start = sample * self.targets.columns;
            self.targets.values.get(start..start + self.targets.columns).unwrap_or_default()
        };
        let same = |sample: usize| targets(sample) == targets(last);
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

    fn target(&self, sample: usize, output: usize) -> f64 {
        self.targets.values.get(sample * self.targets.columns + output).copied().unwrap_or(0.0)
    }

    /// Weights of the classes of one output among these neighbours.
    fn votes(&self, nearest: &[(usize, f64)], output: usize, votes: &mut [f64]) {
        for &(sample, weight) in nearest {
            if let Some(vote) = votes.get_mut(self.target(sample, output) as usize) {
                *vote += weight;
            }
        }
    }

    fn labels(&self, x: &Matrix) -> Result<Output> {
        let mut outputs: Vec<(Vec<usize>, Arc<Classes>)> =
            self.classes.iter().map(|classes| (Vec::new(), Arc::clone(classes))).collect();
        for row in x.each_row() {
            let nearest = self.nearest(row)?;
            for (output, (chosen, classes)) in outputs.iter_mut().enumerate() {
                let mut votes = vec![0.0; classes.len()];
                self.votes(&nearest, output, &mut votes);
                chosen.push(arg_max(&votes));
            }
        }
        Ok(match outputs.pop() {
            Some((chosen, classes)) if outputs.is_empty() && !self.table => {
                Output::Labels(chosen, classes)
            }
            last => {
                outputs.extend(last);
                Output::ManyLabels(outputs)
            }
        })
    }
}

impl Estimator for Neighbours {
    fn predict(&self, x: &Table) -> Result<Output> {
        let x = x.finite()?;
        x.check_width(self.samples.columns)?;
        if !self.classes.is_empty() {
            return self.labels(&x);
        }
        let mut result = Matrix::zeros(x.rows, self.targets.columns)?;
        for (row, answer) in x.each_row().zip(result.each_row_mut()) {
            let nearest = self.nearest(row)?;
            let total: f64 = nearest.iter().map(|(_, weight)| weight).sum();
            for (at, answer) in answer.iter_mut().enumerate() {
                let weighed =
                    nearest.iter().map(|&(sample, weight)| self.target(sample, at) * weight);
                *answer = weighed.sum::<f64>() / total;
            }
        }
        Ok(if self.table { Output::Table(result) } else { Output::Values(result.values) })
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        let [classes] = self.classes.as_slice() else {
            return Err(Error::Input(
                "a regressor or a model of several outputs has no table of probabilities".into(),
            ));
        };
        let x = x.finite()?;
        x.check_width(self.samples.columns)?;
        let mut result = Matrix::zeros(x.rows, classes.len())?;
        for (row, shares) in x.each_row().zip(result.each_row_mut()) {
            self.votes(&self.nearest(row)?, 0, shares);
            let total: f64 = shares.iter().sum();
            for share in shares.iter_mut() {
                *share /= total;
            }
        }
        Ok(result)
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        self.classes.first().filter(|_| self.has_proba())
    }

    fn has_proba(&self) -> bool {
        self.classes.len() == 1 && !self.table
    }

    fn size_bytes(&self) -> usize {
        size_of_val(self.samples.values.as_slice())
    }
}
