//! `LinearClassifier`, `LinearRegressor`, `SVMClassifier` and `SVMRegressor`.

use super::linear_algebra::products;
use super::scores::{Labels, PostTransform, arg_max, logistic};
use crate::contributions::Contributions;
use crate::explanation::Explained;
use crate::input::check_width;
use crate::numeric::kernels::{KernelFunction, couple_probabilities};
use crate::onnx::attributes::Attributes;
use crate::onnx::kernel::{Inputs, Kernel, Value, one};
use crate::onnx::tensor::{Data, Outcome, Tensor};
use crate::{Error, Result};

/// Coefficients and intercepts of one or more linear functions.
#[derive(Debug)]
struct Linear {
    /// features x targets
    coefficients: Vec<f32>,
    intercepts: Vec<f32>,
    targets: usize,
    features: usize,
}

impl Linear {
    /// The file has targets x features.
    fn new(by_target: &[f32], intercepts: &[f32], targets: usize) -> Outcome<Self> {
        let features = by_target.len() / targets.max(1);
        if targets == 0 || features == 0 || features * targets != by_target.len() {
            return Err(format!("{} coefficients of {targets} targets", by_target.len()));
        }
        if !intercepts.is_empty() && intercepts.len() != targets {
            return Err(format!("{} intercepts of {targets} targets", intercepts.len()));
        }
        let coefficients = (0..features)
            .flat_map(|f| (0..targets).map(move |t| t * features + f))
            .filter_map(|at| by_target.get(at).copied())
            .collect();
        Ok(Self { coefficients, intercepts: intercepts.to_vec(), targets, features })
    }

    fn scores(&self, input: &Tensor) -> Outcome<Vec<f32>> {
        let (rows, width) = input.rows_and_columns()?;
        if width != self.features {
            return Err(format!("{width} columns where the model has {}", self.features));
        }
        let mut scores =
            products(&input.data.to_f32()?, &self.coefficients, rows.max(1), width, self.targets);
        for row in scores.chunks_exact_mut(self.targets) {
            for (score, intercept) in row.iter_mut().zip(&self.intercepts) {
                *score += intercept;
            }
        }
        Ok(scores)
    }

    fn explain(&self, inputs: &Inputs<'_>, explained: Explained) -> Result<Contributions> {
        let input = inputs.tensor(0).map_err(Error::Input)?;
        let (_, width) = input.rows_and_columns().map_err(Error::Input)?;
        check_width(width, self.features)?;
        let values = input.data.to_f64().map_err(Error::Input)?;
        if values.iter().any(|x| x.is_nan()) {
            // The score of such a row is no number, and contributions would add up to one.
            let what = "a value is missing, which a linear function does not take";
            return Err(Error::Input(what.to_owned()));
        }
        let of_target = |target| self.coefficients.iter().skip(target).step_by(self.targets);
        let weights = (0..self.targets).flat_map(of_target).map(|&x| f64::from(x));
        let weights: Vec<f64> = weights.collect();
        let bias: Vec<f64> = self.intercepts.iter().map(|&x| f64::from(x)).collect();
        Contributions::linear(explained, (&weights, &bias), width, &values, None)
    }
}

#[derive(Debug)]
pub(crate) struct LinearRegressor {
    linear: Linear,
    post: PostTransform,
}

pub(crate) fn linear_regressor(attributes: Attributes<'_>) -> Outcome<Box<dyn Kernel>> {
    let targets = usize::try_from(attributes.int("targets", 1)).map_err(|_| "negative targets")?;
    Ok(Box::new(LinearRegressor {
        linear: Linear::new(
            attributes.floats("coefficients"),
            attributes.floats("intercepts"),
            targets,
        )?,
        post: PostTransform::read(attributes)?,
    }))
}

impl Kernel for LinearRegressor {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let mut scores = self.linear.scores(inputs.tensor(0)?)?;
        let targets = self.linear.targets;
        // ONNX Runtime leaves a single target as it is, but for PROBIT.
        if targets > 1 || self.post == PostTransform::Probit {
            scores.chunks_exact_mut(targets).for_each(|row| self.post.apply(row));
        }
        one(Tensor::new(vec![scores.len() / targets, targets], Data::F32(scores))?)
    }

    fn explain(&self, inputs: &Inputs<'_>) -> Option<Result<Contributions>> {
        let explained = match self.post {
            PostTransform::None => Explained::Prediction,
            _ => Explained::Margin,
        };
        Some(self.linear.explain(inputs, explained))
    }

    fn size_bytes(&self) -> usize {
        size_of_val(self.linear.coefficients.as_slice())
    }
}

#[derive(Debug)]
pub(crate) struct LinearClassifier {
    linear: Linear,
    labels: Labels,
    post: PostTransform,
}

pub(crate) fn linear_classifier(attributes: Attributes<'_>) -> Outcome<Box<dyn Kernel>> {
    let labels = Labels::read(attributes)?;
    let intercepts = attributes.floats("intercepts");
    // One function for two classes, or one for each class: the number of intercepts tells.
    let targets = if intercepts.is_empty() { labels.len() } else { intercepts.len() };
    if targets != labels.len() && !(targets == 1 && labels.len() == 2) {
        return Err(format!("{targets} scores for {} classes", labels.len()));
    }
    Ok(Box::new(LinearClassifier {
        linear: Linear::new(attributes.floats("coefficients"), intercepts, targets)?,
        labels,
        post: PostTransform::read(attributes)?,
    }))
}

impl Kernel for LinearClassifier {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let mut scores = self.linear.scores(inputs.tensor(0)?)?;
        let targets = self.linear.targets;
        if targets == 1 && self.labels.len() == 2 {
            let chosen: Vec<usize> = scores.iter().map(|&score| usize::from(score > 0.0)).collect();
            let both = scores
                .iter()
                .flat_map(|&score| match self.post {
                    PostTransform::Logistic => [logistic(-score), logistic(score)],
                    _ => [1.0 - score, score],
                })
                .collect();
            return self.labels.answer(&chosen, 2, both);
        }
        let chosen: Vec<usize> = scores.chunks_exact(targets).map(arg_max).collect();
        scores.chunks_exact_mut(targets).for_each(|row| self.post.apply(row));
        self.labels.answer(&chosen, targets, scores)
    }

    fn explain(&self, inputs: &Inputs<'_>) -> Option<Result<Contributions>> {
        Some(self.linear.explain(inputs, Explained::Margin))
    }

    fn classes(&self) -> Vec<String> {
        self.labels.names()
    }

    fn size_bytes(&self) -> usize {
        size_of_val(self.linear.coefficients.as_slice())
    }
}

/// `kernel_type` and `kernel_params` (gamma, coef0, degree).
fn kernel(attributes: Attributes<'_>) -> Outcome<KernelFunction> {
    let parameter =
        |at: usize| f64::from(attributes.floats("kernel_params").get(at).copied().unwrap_or(0.0));
    let (gamma, coef0, degree) = (parameter(0), parameter(1), parameter(2));
    Ok(match attributes.string("kernel_type", "LINEAR")?.as_str() {
        "LINEAR" => KernelFunction::Linear,
        "POLY" => KernelFunction::Poly { gamma, coef0, degree },
        "RBF" => KernelFunction::Rbf { gamma },
        "SIGMOID" => KernelFunction::Sigmoid { gamma, coef0 },
        other => return Err(format!("kernel_type {other:?}")),
    })
}

fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| f64::from(x)).collect()
}

#[derive(Debug)]
pub(crate) struct SvmRegressor {
    kernel: KernelFunction,
    support: Vec<f64>,
    coefficients: Vec<f64>,
    rho: f64,
    features: usize,
    one_class: bool,
    post: PostTransform,
}

pub(crate) fn svm_regressor(attributes: Attributes<'_>) -> Outcome<Box<dyn Kernel>> {
    let coefficients = widen(attributes.floats("coefficients"));
    let support = widen(attributes.floats("support_vectors"));
    let count =
        usize::try_from(attributes.int("n_supports", 0)).map_err(|_| "negative n_supports")?;
    let (support, coefficients, features) = if count > 0 {
        if coefficients.len() != count || !support.len().is_multiple_of(count) {
            return Err(format!("{} coefficients of {count} support vectors", coefficients.len()));
        }
        let features = support.len() / count;
        (support, coefficients, features)
    } else {
        // No support vectors: the coefficients are the one vector of a linear function.
        let features = coefficients.len();
        (coefficients, vec![1.0], features)
    };
    Ok(Box::new(SvmRegressor {
        kernel: if count > 0 { kernel(attributes)? } else { KernelFunction::Linear },
        support,
        coefficients,
        rho: f64::from(attributes.floats("rho").first().copied().unwrap_or(0.0)),
        features: if features == 0 { return Err("no support vectors".into()) } else { features },
        one_class: attributes.int("one_class", 0) != 0,
        post: PostTransform::read(attributes)?,
    }))
}

impl Kernel for SvmRegressor {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let (rows, width) = input.rows_and_columns()?;
        if width != self.features {
            return Err(format!("{width} columns where the model has {}", self.features));
        }
        let values = input.data.to_f64()?;
        let scores = values.chunks_exact(width).map(|row| {
            let sum = self
                .support
                .chunks_exact(width)
                .zip(&self.coefficients)
                .map(|(vector, c)| c * self.kernel.of(row, vector))
                .sum::<f64>()
                + self.rho;
            let mut score = [sum as f32];
            if self.one_class {
                return if score[0] > 0.0 { 1.0 } else { -1.0 };
            }
            self.post.apply(&mut score);
            score[0]
        });
        one(Tensor::new(vec![rows, 1], Data::F32(scores.collect()))?)
    }

    fn size_bytes(&self) -> usize {
        size_of_val(self.support.as_slice())
    }
}

/// A one-against-one classifier; with `prob_a` it answers coupled probabilities, else decision values.
#[derive(Debug)]
pub(crate) struct SvmClassifier {
    kernel: KernelFunction,
    support: Vec<f64>,
    vectors_per_class: Vec<usize>,
    /// (classes - 1) x support vectors, as libsvm keeps them.
    coefficients: Vec<f64>,
    rho: Vec<f64>,
    prob_a: Vec<f64>,
    prob_b: Vec<f64>,
    labels: Labels,
    features: usize,
    post: PostTransform,
}

pub(crate) fn svm_classifier(attributes: Attributes<'_>) -> Outcome<Box<dyn Kernel>> {
    let vectors_per_class = attributes
        .ints("vectors_per_class")
        .iter()
        .map(|&count| usize::try_from(count).map_err(|_| format!("{count} vectors of a class")))
        .collect::<Outcome<Vec<_>>>()?;
    let labels = Labels::read(attributes)?;
    let classes = vectors_per_class.len();
    if classes < 2 {
        return Err("without support vectors it is not evaluated".into());
    }
    let count = vectors_per_class.iter().copied().fold(0_usize, usize::saturating_add);
    let support = widen(attributes.floats("support_vectors"));
    let features = support.len().checked_div(count).unwrap_or(0);
    let rho = widen(attributes.floats("rho"));
    let coefficients = widen(attributes.floats("coefficients"));
    let pairs = classes * (classes - 1) / 2;
    let (prob_a, prob_b) = (widen(attributes.floats("prob_a")), widen(attributes.floats("prob_b")));
    let complete = features > 0
        && features * count == support.len()
        && coefficients.len() == (classes - 1) * count
        && rho.len() == pairs
        && labels.len() == classes
        && prob_a.len() == prob_b.len()
        && (prob_a.is_empty() || prob_a.len() == pairs);
    if !complete {
        return Err("support vectors, coefficients, rho and labels do not fit each other".into());
    }
    Ok(Box::new(SvmClassifier {
        kernel: kernel(attributes)?,
        support,
        vectors_per_class,
        coefficients,
        rho,
        prob_a,
        prob_b,
        labels,
        features,
        post: PostTransform::read(attributes)?,
    }))
}

impl Kernel for SvmClassifier {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let (_, width) = input.rows_and_columns()?;
        if width != self.features {
            return Err(format!("{width} columns where the model has {}", self.features));
        }
        let classes = self.vectors_per_class.len();
        let mut chosen = Vec::new();
        let mut all = Vec::new();
        let mut columns = classes;
        for row in input.data.to_f64()?.chunks_exact(width) {
            let (decisions, votes) = self.decisions(row);
            let most = votes.iter().copied().max().unwrap_or(0);
            let mut label = votes.iter().position(|&count| count == most).unwrap_or(0);
            let mut scores: Vec<f32> = if self.prob_a.is_empty() {
                decisions.iter().map(|&x| x as f32).collect()
            } else {
                let pairwise: Vec<f64> = decisions
                    .iter()
                    .zip(self.prob_a.iter().zip(&self.prob_b))
                    .map(|(score, (a, b))| 1.0 / (1.0 + (score * a + b).exp()))
                    .collect();
                couple_probabilities(&pairwise, classes).into_iter().map(|x| x as f32).collect()
            };
            if self.prob_a.is_empty()
                && let [score] = scores.as_slice()
            {
                let score = *score;
                label = usize::from(score <= 0.0);
                scores = vec![-score, score];
            }
            self.post.apply(&mut scores);
            columns = scores.len();
            chosen.push(label);
            all.extend(scores);
        }
        self.labels.answer(&chosen, columns, all)
    }

    fn size_bytes(&self) -> usize {
        size_of_val(self.support.as_slice()) + size_of_val(self.coefficients.as_slice())
    }
}

impl SvmClassifier {
    /// The value of each pair of classes in libsvm's order, and how many pairs each class won.
    fn decisions(&self, row: &[f64]) -> (Vec<f64>, Vec<usize>) {
        let similar: Vec<f64> = self
            .support
            .chunks_exact(self.features)
            .map(|vector| self.kernel.of(row, vector))
            .collect();
        crate::numeric::kernels::one_against_one(
            &similar,
            &self.coefficients,
            &self.rho,
            &self.vectors_per_class,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contributions_add_up_to_the_score_or_are_refused() {
        let linear = Linear::new(&[1.0, -2.0], &[0.5], 1).unwrap();
        let explained = |x: f32| {
            let rows = Tensor::new(vec![1, 2], Data::F32(vec![3.0, x])).unwrap();
            linear.explain(&Inputs(vec![Some(&Value::Tensor(rows))]), Explained::Prediction)
        };
        let given = explained(1.0).unwrap();
        assert_eq!((given.base, given.values), (vec![0.5], vec![3.0, -2.0]));
        assert!(matches!(explained(f32::NAN), Err(Error::Input(_))));
    }
}
