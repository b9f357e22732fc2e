//! Support vector machines of libsvm: classifiers, regressors, one class.

use std::sync::Arc;

use super::data::{Classes, Matrix, Output, Table};
use super::estimator::{Estimator, Fields, arg_max, confidences_and_votes, labels_of_scores};
use super::reader::{Boxed, Reader};
use crate::numeric::kernels::{KernelFunction, couple_probabilities, one_against_one};
use crate::{Error, Result};

pub(super) const READERS: &[Reader] =
    &[Reader::new("SVC NuSVC SVR NuSVR OneClassSVM", |fields, _| load(fields))
        .note("linear, poly, rbf and sigmoid kernels")];

#[derive(Debug)]
struct Machine {
    kernel: KernelFunction,
    support: Matrix,
    coefficients: Vec<f64>,
    intercept: Vec<f64>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Regressor,
    OneClass,
    Classifier(Classifier),
}

#[derive(Debug)]
struct Classifier {
    classes: Arc<Classes>,
    vectors_per_class: Vec<usize>,
    prob_a: Vec<f64>,
    prob_b: Vec<f64>,
    one_vs_rest: bool,
    break_ties: bool,
}

fn load(fields: Fields<'_>) -> Result<Boxed> {
    let gamma = fields.float("_gamma")?;
    let (coef0, degree) = (fields.float("coef0")?, fields.float("degree")?);
    let kernel = match fields.text("kernel", "rbf") {
        "linear" => KernelFunction::Linear,
        "poly" => KernelFunction::Poly { gamma, coef0, degree },
        "rbf" => KernelFunction::Rbf { gamma },
        "sigmoid" => KernelFunction::Sigmoid { gamma, coef0 },
        other => return Err(fields.unsupported(format!("kernel {other:?}"))),
    };
    let kind = match fields.name() {
        "SVR" | "NuSVR" => Kind::Regressor,
        "OneClassSVM" => Kind::OneClass,
        _ => Kind::Classifier(Classifier {
            classes: fields.classes("classes_")?,
            vectors_per_class: fields
                .numbers("_n_support")?
                .into_iter()
                .map(|x| x as usize)
                .collect(),
            prob_a: fields.optional_numbers("_probA")?.unwrap_or_default(),
            prob_b: fields.optional_numbers("_probB")?.unwrap_or_default(),
            one_vs_rest: fields.text("decision_function_shape", "ovr") == "ovr",
            break_ties: fields.flag("break_ties", false),
        }),
    };
    let machine = Machine {
        kernel,
        support: fields.matrix("support_vectors_")?,
        coefficients: fields.matrix("_dual_coef_")?.values,
        intercept: fields.numbers("_intercept_")?,
        kind,
    };
    if let Kind::Classifier(Classifier { vectors_per_class, classes, .. }) = &machine.kind {
        let rows = vectors_per_class.len().saturating_sub(1);
        let count: usize = vectors_per_class.iter().sum();
        if count != machine.support.rows
            || machine.coefficients.len() != rows * count
            || vectors_per_class.len() != classes.len()
        {
            return Err(fields.malformed("support vectors and coefficients do not fit each other"));
        }
    }
    let functions = if let Kind::Classifier(classifier) = &machine.kind {
        let classes = classifier.classes.len();
        let pairs = classes * classes.saturating_sub(1) / 2;
        for fitted in [&classifier.prob_a, &classifier.prob_b] {
            // Without probabilities these are empty.
            if !fitted.is_empty() {
                fields.check_length("_probA and _probB", fitted.len(), pairs)?;
            }
        }
        pairs
    } else {
        fields.check_length("_dual_coef_", machine.coefficients.len(), machine.support.rows)?;
        1
    };
    fields.check_length("_intercept_", machine.intercept.len(), functions)?;
    Ok(Box::new(machine))
}

impl Machine {
    fn similar(&self, row: &[f64]) -> Vec<f64> {
        self.support.each_row().map(|vector| self.kernel.of(row, vector)).collect()
    }

    /// The one sum of regressors and one-class machines.
    fn sums(&self, x: &Matrix) -> Vec<f64> {
        let intercept = self.intercept.first().copied().unwrap_or(0.0);
        let sum = |row| {
            self.similar(row).iter().zip(&self.coefficients).map(|(k, c)| k * c).sum::<f64>()
                + intercept
        };
        x.each_row().map(sum).collect()
    }

    fn pairs(&self, classifier: &Classifier, row: &[f64]) -> (Vec<f64>, Vec<usize>) {
        one_against_one(
            &self.similar(row),
            &self.coefficients,
            &self.intercept,
            &classifier.vectors_per_class,
        )
    }
}

impl Estimator for Machine {
    fn predict(&self, x: &Table) -> Result<Output> {
        if let Kind::Classifier(Classifier { break_ties: true, classes, .. }) = &self.kind
            && classes.len() > 2
        {
            return Ok(Output::Labels(
                labels_of_scores(&self.decision_function(x)?, 0.0),
                Arc::clone(classes),
            ));
        }
        let x = x.finite()?;
        x.check_width(self.support.columns)?;
        Ok(match &self.kind {
            Kind::Regressor => Output::Values(self.sums(&x)),
            Kind::OneClass => Output::Integers(
                self.sums(&x).into_iter().map(|sum| if sum > 0.0 { 1 } else { -1 }).collect(),
            ),
            Kind::Classifier(classifier) => {
                let most = |row| {
                    let votes: Vec<f64> = self
                        .pairs(classifier, row)
                        .1
                        .into_iter()
                        .map(|votes| votes as f64)
                        .collect();
                    arg_max(&votes)
                };
                Output::Labels(x.each_row().map(most).collect(), Arc::clone(&classifier.classes))
            }
        })
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        let Kind::Classifier(classifier) = &self.kind else {
            return Err(Error::Input("the model has no predict_proba".into()));
        };
        if classifier.prob_a.is_empty() {
            return Err(Error::Input("the model was trained without probability=True".into()));
        }
        let x = x.finite()?;
        x.check_width(self.support.columns)?;
        let mut result = Matrix::zeros(x.rows, classifier.classes.len())?;
        for (row, answer) in x.each_row().zip(result.each_row_mut()) {
            let (values, _) = self.pairs(classifier, row);
            let parameters = classifier.prob_a.iter().zip(&classifier.prob_b);
            let pairwise: Vec<f64> = values
                .iter()
                .zip(parameters)
                .map(|(value, (a, b))| 1.0 / (1.0 + (value * a + b).exp()))
                .collect();
            answer.copy_from_slice(&couple_probabilities(&pairwise, classifier.classes.len()));
        }
        Ok(result)
    }

    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        let x = x.finite()?;
        x.check_width(self.support.columns)?;
        let Kind::Classifier(classifier) = &self.kind else {
            return Ok(Matrix::new(x.rows, 1, self.sums(&x)));
        };
        let classes = classifier.classes.len();
        if classes == 2 {
            // libsvm counts for the first class, scikit-learn for the second.
            return Ok(Matrix::new(
                x.rows,
                1,
                x.each_row()
                    .map(|row| -self.pairs(classifier, row).0.first().copied().unwrap_or(0.0))
                    .collect(),
            ));
        }
        if !classifier.one_vs_rest {
            let values: Vec<f64> =
                x.each_row().flat_map(|row| self.pairs(classifier, row).0).collect();
            return Ok(Matrix::new(x.rows, classes * (classes - 1) / 2, values));
        }
        let mut result = Matrix::zeros(x.rows, classes)?;
        for (row, answer) in x.each_row().zip(result.each_row_mut()) {
            let (values, _votes) = self.pairs(classifier, row);
            // Of a pair scikit-learn counts for the second class, libsvm for the first; of equal values the
            // first class is chosen.
            confidences_and_votes(
                values.iter().map(|&value| value <= 0.0),
                values.iter().map(|value| -value),
                answer,
            );
        }
        Ok(result)
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        match &self.kind {
            Kind::Classifier(classifier) => Some(&classifier.classes),
            _ => None,
        }
    }

    fn has_proba(&self) -> bool {
        matches!(&self.kind, Kind::Classifier(classifier) if !classifier.prob_a.is_empty())
    }

    fn has_decision(&self) -> bool {
        true
    }

    fn size_bytes(&self) -> usize {
        size_of_val(self.support.values.as_slice())
    }
}
