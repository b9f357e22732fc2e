//! Small estimators: dummies, naive Bayes, nearest neighbours, clusters, projections, neural networks.

use std::sync::Arc;

use super::data::{Classes, Matrix, Output, Table};
use super::estimator::{Estimator, Fields, arg_max, both, expit, labels_of_scores, softmax};
use crate::{Error, Result};

/// `DummyClassifier` and `DummyRegressor`, as far as they do not draw at random.
#[derive(Debug)]
struct Dummy {
    values: Vec<f64>,
    classes: Option<Arc<Classes>>,
}

pub(super) fn dummy(fields: Fields<'_>) -> Result<Box<dyn Estimator>> {
    if fields.name() == "DummyRegressor" {
        return Ok(Box::new(Dummy { values: fields.numbers("constant_")?, classes: None }));
    }
    match fields.text("strategy", "prior") {
        "prior" => Ok(Box::new(Dummy {
            values: fields.numbers("class_prior_")?,
            classes: Some(fields.classes("classes_")?),
        })),
        "most_frequent" => {
            let prior = fields.numbers("class_prior_")?;
            let most = arg_max(&prior);
            let values = (0..prior.len()).map(|at| f64::from(u8::from(at == most))).collect();
            Ok(Box::new(Dummy { values, classes: Some(fields.classes("classes_")?) }))
        }
        other => Err(fields.unsupported(format!("strategy {other:?}"))),
    }
}

impl Estimator for Dummy {
    fn predict(&self, x: &Table) -> Result<Output> {
        Ok(match &self.classes {
            Some(classes) => {
                Output::Labels(vec![arg_max(&self.values); x.rows()], Arc::clone(classes))
            }
            None => Output::Values(self.values.iter().copied().cycle().take(x.rows()).collect()),
        })
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        let mut result = Matrix::zeros(x.rows(), self.values.len())?;
        result.each_row_mut().for_each(|row| row.copy_from_slice(&self.values));
        Ok(result)
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        self.classes.as_ref()
    }

    fn has_proba(&self) -> bool {
        self.classes.is_some()
    }
}

/// Naive Bayes: the joint log likelihood of each class.
#[derive(Debug)]
enum Bayes {
    Gaussian {
        means: Matrix,
        variances: Matrix,
    },
    /// `x w + b`
    Linear {
        weights: Matrix,
        binarize: Option<f64>,
    },
}

#[derive(Debug)]
struct NaiveBayes {
    bayes: Bayes,
    prior: Vec<f64>,
    classes: Arc<Classes>,
}

pub(super) fn naive_bayes(fields: Fields<'_>) -> Result<Box<dyn Estimator>> {
    let classes = fields.classes("classes_")?;
    let model = match fields.name() {
        "GaussianNB" => NaiveBayes {
            bayes: Bayes::Gaussian {
                means: fields.matrix("theta_")?,
                variances: fields.matrix("var_").or_else(|_| fields.matrix("sigma_"))?,
            },
            prior: fields.numbers("class_prior_")?.into_iter().map(f64::ln).collect(),
            classes,
        },
        "BernoulliNB" => {
            // Ones count with log p, zeros with log (1 - p): the same as x (log p - log q) + sum log q.
            let mut weights = fields.matrix("feature_log_prob_")?;
            let mut prior = fields.numbers("class_log_prior_")?;
            for (row, prior) in weights.each_row_mut().zip(&mut prior) {
                let mut zeros = 0.0;
                for weight in row {
                    let zero = (1.0 - weight.exp()).ln();
                    zeros += zero;
                    *weight -= zero;
                }
                *prior += zeros;
            }
            let binarize = fields.optional("binarize").and_then(crate::python::Value::float);
            NaiveBayes { bayes: Bayes::Linear { weights, binarize }, prior, classes }
        }
        "ComplementNB" => {
            let prior = if classes.len() == 1 {
                fields.numbers("class_log_prior_")?
            } else {
                vec![0.0; classes.len()]
            };
            NaiveBayes {
                bayes: Bayes::Linear {
                    weights: fields.matrix("feature_log_prob_")?,
                    binarize: None,
                },
                prior,
                classes,
            }
        }
        _ => NaiveBayes {
            bayes: Bayes::Linear { weights: fields.matrix("feature_log_prob_")?, binarize: None },
            prior: fields.numbers("class_log_prior_")?,
            classes,
        },
    };
    Ok(Box::new(model))
}

impl NaiveBayes {
    fn likelihood(&self, x: &Table) -> Result<Matrix> {
        let x = x.matrix()?;
        match &self.bayes {
            Bayes::Linear { weights, binarize: None } => x.times_transposed(weights, &self.prior),
            Bayes::Linear { weights, binarize: Some(threshold) } => {
                let ones = x.values.iter().map(|&x| f64::from(u8::from(x > *threshold))).collect();
                Matrix::new(x.rows, x.columns, ones).times_transposed(weights, &self.prior)
            }
            Bayes::Gaussian { means, variances } => {
                x.check_width(means.columns)?;
                let mut result = Matrix::zeros(x.rows, means.rows)?;
                for (row, sums) in x.each_row().zip(result.each_row_mut()) {
                    for ((sum, prior), (mean, variance)) in sums
                        .iter_mut()
                        .zip(&self.prior)
                        .zip(means.each_row().zip(variances.each_row()))
                    {
                        let spread: f64 =
                            variance.iter().map(|v| (2.0 * std::f64::consts::PI * v).ln()).sum();
                        let distance: f64 = row
                            .iter()
                            .zip(mean)
                            .zip(variance)
                            .map(|((x, m), v)| (x - m) * (x - m) / v)
                            .sum();
                        *sum = prior + (-0.5 * spread - 0.5 * distance);
                    }
                }
                Ok(result)
            }
        }
    }
}

impl Estimator for NaiveBayes {
    fn predict(&self, x: &Table) -> Result<Output> {
        Ok(Output::Labels(
            self.likelihood(x)?.each_row().map(arg_max).collect(),
            Arc::clone(&self.classes),
        ))
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        let mut likelihood = self.likelihood(x)?;
        softmax(&mut likelihood);
        Ok(likelihood)
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        Some(&self.classes)
    }

    fn has_proba(&self) -> bool {
        true
    }
}

/// `MLP*`
#[derive(Debug)]
struct Network {
    /// Weights (outputs x inputs) and biases of each layer.
    layers: Vec<(Matrix, Vec<f64>)>,
    hidden: Activation,
    last: Activation,
    classes: Option<Arc<Classes>>,
    outputs: usize,
}

#[derive(Debug, Clone, Copy)]
enum Activation {
    Identity,
    Logistic,
    Tanh,
    Relu,
    Softmax,
}

impl Activation {
    fn read(fields: Fields<'_>, name: &str) -> Result<Self> {
        Ok(match fields.text(name, "") {
            "identity" => Self::Identity,
            "logistic" => Self::Logistic,
            "tanh" => Self::Tanh,
            "relu" => Self::Relu,
            "softmax" => Self::Softmax,
            other => return Err(fields.unsupported(format!("{name} {other:?}"))),
        })
    }

    fn apply(self, x: &mut Matrix) {
        let each: fn(f64) -> f64 = match self {
            Self::Identity => return,
            Self::Softmax => return softmax(x),
            Self::Logistic => expit,
            Self::Tanh => f64::tanh,
            Self::Relu => |x| if x < 0.0 { 0.0 } else { x },
        };
        x.values.iter_mut().for_each(|x| *x = each(*x));
    }
}

pub(super) fn network(fields: Fields<'_>) -> Result<Box<dyn Estimator>> {
    let classes =
        if fields.name() == "MLPClassifier" { Some(fields.classes("classes_")?) } else { None };
    let mut layers = Vec::new();
    for (weights, biases) in fields.items("coefs_")?.into_iter().zip(fields.items("intercepts_")?) {
        let weights = super::estimator::matrix(weights)
            .ok_or_else(|| fields.malformed("coefs_ hold no matrices"))?;
        let turned = (0..weights.columns).flat_map(|at| weights.column(at)).collect();
        let biases = super::estimator::numbers(biases)
            .ok_or_else(|| fields.malformed("intercepts_ hold no numbers"))?;
        layers.push((Matrix::new(weights.columns, weights.rows, turned), biases));
    }
    let outputs = layers.last().map_or(0, |(weights, _)| weights.rows);
    if classes
        .as_ref()
        .is_some_and(|classes| outputs != classes.len() && !(outputs == 1 && classes.len() == 2))
    {
        return Err(fields.unsupported("several labels at once"));
    }
    Ok(Box::new(Network {
        layers,
        hidden: Activation::read(fields, "activation")?,
        last: Activation::read(fields, "out_activation_")?,
        classes,
        outputs,
    }))
}

impl Network {
    fn forward(&self, x: &Table) -> Result<Matrix> {
        let mut x = x.matrix()?.into_owned();
        for (number, (weights, biases)) in self.layers.iter().enumerate() {
            x = x.times_transposed(weights, biases)?;
            if number + 1 == self.layers.len() { self.last } else { self.hidden }.apply(&mut x);
        }
        Ok(x)
    }
}

impl Estimator for Network {
    fn predict(&self, x: &Table) -> Result<Output> {
        let answers = self.forward(x)?;
        Ok(match &self.classes {
            Some(classes) => Output::Labels(labels_of_scores(&answers, 0.5), Arc::clone(classes)),
            None if self.outputs == 1 => Output::Values(answers.values),
            None => Output::Table(answers),
        })
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        let answers = self.forward(x)?;
        Ok(if answers.columns == 1 {
            both(answers.values.iter().copied(), answers.rows)
        } else {
            answers
        })
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        self.classes.as_ref()
    }

    fn has_proba(&self) -> bool {
        self.classes.is_some()
    }

    fn size_bytes(&self) -> usize {
        self.layers.iter().map(|(weights, _)| size_of_val(weights.values.as_slice())).sum()
    }
}

/// `PCA`, `TruncatedSVD`: a projection.
#[derive(Debug)]
struct Projection {
    mean: Option<Vec<f64>>,
    components: Matrix,
    divide: Option<Vec<f64>>,
}

pub(super) fn projection(fields: Fields<'_>) -> Result<Box<dyn Estimator>> {
    let whiten = fields.flag("whiten", false);
    Ok(Box::new(Projection {
        mean: fields.optional_numbers("mean_")?,
        components: fields.matrix("components_")?,
        divide: if whiten {
            // Directions without variance are kept from growing without bound, as scikit-learn does.
            Some(
                fields
                    .numbers("explained_variance_")?
                    .into_iter()
                    .map(|x| x.sqrt().max(f64::EPSILON))
                    .collect(),
            )
        } else {
            None
        },
    }))
}

impl Estimator for Projection {
    fn transform(&self, x: Table) -> Result<Table> {
        let mut x = x.matrix()?.into_owned();
        if let Some(mean) = &self.mean {
            x.check_width(mean.len())?;
            x.each_row_mut()
                .for_each(|row| row.iter_mut().zip(mean).for_each(|(x, mean)| *x -= mean));
        }
        let mut result = x.times_transposed(&self.components, &[])?;
        if let Some(divide) = &self.divide {
            result
                .each_row_mut()
                .for_each(|row| row.iter_mut().zip(divide).for_each(|(x, by)| *x /= by));
        }
        Ok(Table::Matrix(result))
    }
}

/// `KMeans`: the nearest centre.
#[derive(Debug)]
struct Centres(Matrix);

pub(super) fn centres(fields: Fields<'_>) -> Result<Box<dyn Estimator>> {
    Ok(Box::new(Centres(fields.matrix("cluster_centers_")?)))
}

impl Estimator for Centres {
    fn predict(&self, x: &Table) -> Result<Output> {
        let Table::Matrix(distances) = self.transform(x.clone())? else {
            return Ok(Output::Integers(Vec::new()));
        };
        let nearest = |row: &[f64]| arg_max(&row.iter().map(|x| -x).collect::<Vec<_>>()) as i64;
        Ok(Output::Integers(distances.each_row().map(nearest).collect()))
    }

    fn transform(&self, x: Table) -> Result<Table> {
        let x = x.matrix()?;
        x.check_width(self.0.columns)?;
        let mut result = Matrix::zeros(x.rows, self.0.rows)?;
        for (row, distances) in x.each_row().zip(result.each_row_mut()) {
            for (distance, centre) in distances.iter_mut().zip(self.0.each_row()) {
                *distance =
                    row.iter().zip(centre).map(|(x, c)| (x - c) * (x - c)).sum::<f64>().sqrt();
            }
        }
        Ok(Table::Matrix(result))
    }
}

/// `KNeighbors*`, by looking at every sample.
#[derive(Debug)]
struct Neighbours {
    samples: Matrix,
    targets: Matrix,
    classes: Option<Arc<Classes>>,
    count: usize,
    by_distance: bool,
    metric: Metric,
    /// Whether the target was a matrix.
    table: bool,
}

#[derive(Debug, Clone, Copy)]
enum Metric {
    Manhattan,
    Euclidean,
    Chebyshev,
    Minkowski(f64),
}

impl Metric {
    fn distance(self, a: &[f64], b: &[f64]) -> f64 {
        let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs());
        match self {
            Self::Manhattan => differences.sum(),
            Self::Euclidean => differences.map(|d| d * d).sum::<f64>().sqrt(),
            Self::Chebyshev => differences.fold(0.0, f64::max),
            Self::Minkowski(p) => differences.map(|d| d.powf(p)).sum::<f64>().powf(1.0 / p),
        }
    }
}

pub(super) fn neighbours(fields: Fields<'_>) -> Result<Box<dyn Estimator>> {
    let metric = match fields.text("metric", "minkowski") {
        "manhattan" | "cityblock" | "l1" => Metric::Manhattan,
        "euclidean" | "l2" => Metric::Euclidean,
        "chebyshev" => Metric::Chebyshev,
        "minkowski" => match fields.float("p").unwrap_or(2.0) {
            1.0 => Metric::Manhattan,
            2.0 => Metric::Euclidean,
            p => Metric::Minkowski(p),
        },
        other => return Err(fields.unsupported(format!("metric {other:?}"))),
    };
    let by_distance = match fields.text("weights", "uniform") {
        "uniform" => false,
        "distance" => true,
        other => return Err(fields.unsupported(format!("weights {other:?}"))),
    };
    let classes = if fields.name() == "KNeighborsClassifier" {
        Some(fields.classes("classes_")?)
    } else {
        None
    };
    let samples = fields.matrix("_fit_X")?;
    let targets = fields.array("_y")?;
    let values = fields.numbers("_y")?;
    let width = match targets.shape.as_slice() {
        [_, width] => *width,
        _ => 1,
    };
    if values.len() != samples.rows * width || (classes.is_some() && width != 1) {
        return Err(fields.unsupported("several outputs"));
    }
    let count = fields.count("n_neighbors")?.min(samples.rows);
    Ok(Box::new(Neighbours {
        targets: Matrix::new(samples.rows, width, values),
        table: targets.shape.len() > 1,
        samples,
        classes,
        count,
        by_distance,
        metric,
    }))
}

impl Neighbours {
    /// Nearest samples of a row with their weights.
    fn nearest(&self, row: &[f64]) -> Vec<(usize, f64)> {
        let mut distances: Vec<(usize, f64)> = self
            .samples
            .each_row()
            .map(|sample| self.metric.distance(row, sample))
            .enumerate()
            .collect();
        let order = |a: &(usize, f64), b: &(usize, f64)| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0));
        if self.count < distances.len() && self.count > 0 {
            distances.select_nth_unstable_by(self.count - 1, order);
            distances.truncate(self.count);
        }
        distances.sort_by(order);
        let exact = distances.iter().any(|(_, distance)| *distance == 0.0);
        for (_, weight) in &mut distances {
            *weight = match (self.by_distance, exact) {
                (false, _) => 1.0,
                // Only samples at the very place count then.
                (true, true) => f64::from(u8::from(*weight == 0.0)),
                (true, false) => 1.0 / *weight,
            };
        }
        distances
    }
}

impl Estimator for Neighbours {
    fn predict(&self, x: &Table) -> Result<Output> {
        if let Some(classes) = &self.classes {
            let shares = self.predict_proba(x)?;
            return Ok(Output::Labels(
                shares.each_row().map(arg_max).collect(),
                Arc::clone(classes),
            ));
        }
        let x = x.matrix()?;
        x.check_width(self.samples.columns)?;
        let mut result = Matrix::zeros(x.rows, self.targets.columns)?;
        for (row, answer) in x.each_row().zip(result.each_row_mut()) {
            let nearest = self.nearest(row);
            let total: f64 = nearest.iter().map(|(_, weight)| weight).sum();
            for (at, answer) in answer.iter_mut().enumerate() {
                let target = |sample: usize| {
                    self.targets
                        .values
                        .get(sample * self.targets.columns + at)
                        .copied()
                        .unwrap_or(0.0)
                };
                *answer =
                    nearest.iter().map(|&(sample, weight)| target(sample) * weight).sum::<f64>()
                        / total;
            }
        }
        Ok(if self.table { Output::Table(result) } else { Output::Values(result.values) })
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        let classes = self
            .classes
            .as_ref()
            .ok_or_else(|| Error::Input("a regressor has no predict_proba".into()))?;
        let x = x.matrix()?;
        x.check_width(self.samples.columns)?;
        let mut result = Matrix::zeros(x.rows, classes.len())?;
        for (row, shares) in x.each_row().zip(result.each_row_mut()) {
            for (sample, weight) in self.nearest(row) {
                let class = self.targets.values.get(sample).map_or(0, |&class| class as usize);
                if let Some(share) = shares.get_mut(class) {
                    *share += weight;
                }
            }
            let total: f64 = shares.iter().sum();
            for share in shares.iter_mut() {
                *share /= total;
            }
        }
        Ok(result)
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        self.classes.as_ref()
    }

    fn has_proba(&self) -> bool {
        self.classes.is_some()
    }

    fn size_bytes(&self) -> usize {
        size_of_val(self.samples.values.as_slice())
    }
}
