//! Selections of columns: by variance, by score, by another model.

use std::sync::Arc;

use super::data::{Classes, Matrix, Missing, Output, Table};
use super::estimator::{Estimator, Fields, no_method};
use super::reader::{Boxed, Nested, Reader};
use crate::Result;
use crate::contributions::Contributions;

pub(super) const READERS: &[Reader] = &[Reader::new(
    "VarianceThreshold SelectKBest SelectPercentile SelectFpr SelectFdr SelectFwe SelectFromModel \
         RFE RFECV SequentialFeatureSelector",
    selector,
)];

/// Columns that are kept, by number.
#[derive(Debug)]
struct Select {
    from: usize,
    columns: Vec<usize>,
    /// Whether numbers that are missing or infinite are refused.
    finite: bool,
    /// What `RFE` and `RFECV` fitted to the columns that they kept, and predict with.
    model: Option<Boxed>,
}

impl Select {
    fn kept(&self, x: &Table) -> Result<Table> {
        x.check_width(self.from)?;
        if self.finite {
            x.check_numbers(Missing::Refused)?;
        }
        let mut kept = x.select(&self.columns)?;
        // They are columns of the array of all, which is of 32 bits where all of them are.
        if let Table::Frame(frame) = &mut kept
            && !x.is_single()
        {
            frame.singles.fill(false);
        }
        Ok(kept)
    }

    fn model(&self) -> Result<&dyn Estimator> {
        self.model.as_deref().ok_or_else(|| no_method("predict"))
    }
}

impl Estimator for Select {
    fn predict(&self, x: &Table) -> Result<Output> {
        self.model()?.predict(&self.kept(x)?)
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        self.model()?.predict_proba(&self.kept(x)?)
    }

    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        self.model()?.decision_function(&self.kept(x)?)
    }

    fn transform(&self, x: Table) -> Result<Table> {
        self.kept(&x)
    }

    fn explain(&self, x: &Table, background: Option<&Table>) -> Option<Result<Contributions>> {
        let model = self.model.as_deref()?;
        let kept = match (self.kept(x), background.map(|rows| self.kept(rows)).transpose()) {
            (Ok(kept), Ok(background)) => model.explain(&kept, background.as_ref())?,
            (Err(error), _) | (_, Err(error)) => Err(error),
        };
        Some(kept.and_then(|kept| kept.by_origin(&self.columns, self.from)))
    }

    fn origins(&self, _x: &Table) -> Option<Result<Vec<usize>>> {
        Some(Ok(self.columns.clone()))
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        self.model.as_deref()?.classes()
    }

    fn has_proba(&self) -> bool {
        self.model.as_deref().is_some_and(Estimator::has_proba)
    }

    fn has_decision(&self) -> bool {
        self.model.as_deref().is_some_and(Estimator::has_decision)
    }

    fn parts(&self) -> Vec<&dyn Estimator> {
        self.model.as_deref().into_iter().collect()
    }
}

/// `VarianceThreshold`, `SelectKBest` and their like, as which columns they keep.
fn selector(fields: Fields<'_>, nested: Nested) -> Result<Boxed> {
    let keep: Vec<bool> = match fields.name() {
        "VarianceThreshold" => {
            let threshold = fields.float("threshold")?;
            fields.numbers("variances_")?.into_iter().map(|variance| variance > threshold).collect()
        }
        "SelectKBest" | "SelectPercentile" => {
            let scores: Vec<f64> = fields
                .numbers("scores_")?
                .into_iter()
                .map(|x| if x.is_nan() { f64::MIN } else { x })
                .collect();
            if fields.name() == "SelectKBest" {
                best(fields, &scores)?
            } else {
                percentile(fields, &scores)?
            }
        }
        "SelectFromModel" => super::importance::kept(fields)?,
        "RFE" | "RFECV" | "SequentialFeatureSelector" => {
            fields.numbers("support_")?.into_iter().map(|x| x != 0.0).collect()
        }
        _ => {
            let p_values = fields.numbers("pvalues_")?;
            let alpha = fields.float("alpha")?;
            match fields.name() {
                "SelectFpr" => p_values.iter().map(|&p| p < alpha).collect(),
                "SelectFwe" => {
                    p_values.iter().map(|&p| p < alpha / p_values.len() as f64).collect()
                }
                "SelectFdr" => {
                    let limit = discoveries(&p_values, alpha);
                    p_values.iter().map(|&p| limit.is_some_and(|limit| p <= limit)).collect()
                }
                _ => return Err(fields.unsupported("the rule")),
            }
        }
    };
    let columns = keep.iter().enumerate().filter(|(_, keep)| **keep).map(|(at, _)| at).collect();
    let model = match fields.name() {
        "RFE" | "RFECV" => Some(nested.load(fields.value("estimator_")?)?),
        _ => None,
    };
    Ok(Box::new(Select { from: keep.len(), columns, finite: is_finite(fields), model }))
}

/// Whether a selection takes finite numbers alone: those by scores do, those by a model as it does.
fn is_finite(fields: Fields<'_>) -> bool {
    /// Common models that take no missing numbers.
    const MODELS: &[&str] = &[
        "LinearRegression",
        "Ridge",
        "RidgeCV",
        "Lasso",
        "LassoCV",
        "ElasticNet",
        "ElasticNetCV",
        "LogisticRegression",
        "LogisticRegressionCV",
        "RidgeClassifier",
        "SGDClassifier",
        "SGDRegressor",
        "LinearSVC",
        "LinearSVR",
        "SVC",
        "SVR",
        "Perceptron",
        "GradientBoostingClassifier",
        "GradientBoostingRegressor",
    ];
    match fields.name() {
        "VarianceThreshold" => false,
        "SelectFromModel" | "RFE" | "RFECV" | "SequentialFeatureSelector" => {
            fields.optional("estimator").is_some_and(|model| MODELS.contains(&Fields(model).name()))
        }
        _ => true,
    }
}

/// The largest p value that is kept where so large a share of what is kept may be by chance (Benjamini, Hochberg 1995).
fn discoveries(p_values: &[f64], alpha: f64) -> Option<f64> {
    let mut sorted = p_values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let share = alpha / p_values.len() as f64;
    let kept = (1_u32..).zip(&sorted).filter(|&(place, &p)| p <= share * f64::from(place));
    kept.map(|(_, &p)| p).reduce(f64::max)
}

fn best(fields: Fields<'_>, scores: &[f64]) -> Result<Vec<bool>> {
    let k = match fields.value("k")?.text() {
        Some("all") => scores.len(),
        _ => fields.count("k")?,
    };
    // A stable ascending sort whose last k are kept, so of equals the later ones; the two zeros are equal.
    let mut order: Vec<usize> = (0..scores.len()).collect();
    let score = |at: usize| scores.get(at).copied().unwrap_or(f64::MIN) + 0.0;
    order.sort_by(|&a, &b| score(a).total_cmp(&score(b)));
    let mut keep = vec![false; scores.len()];
    for &at in order.iter().rev().take(k) {
        if let Some(keep) = keep.get_mut(at) {
            *keep = true;
        }
    }
    Ok(keep)
}

fn percentile(fields: Fields<'_>, scores: &[f64]) -> Result<Vec<bool>> {
    let percentile = fields.float("percentile")?;
    if percentile == 100.0 || percentile == 0.0 {
        return Ok(vec![percentile == 100.0; scores.len()]);
    }
    let mut sorted = scores.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (100.0 - percentile) / 100.0 * (sorted.len().max(1) - 1) as f64;
    let (low, high) = (sorted.get(place.floor() as usize), sorted.get(place.ceil() as usize));
    let (Some(low), Some(high)) = (low, high) else { return Err(fields.malformed("no scores")) };
    let threshold = low + (high - low) * place.fract();
    let mut keep: Vec<bool> = scores.iter().map(|&score| score > threshold).collect();
    let wanted = (scores.len() as f64 * percentile / 100.0) as usize;
    let mut open = wanted.saturating_sub(keep.iter().filter(|keep| **keep).count());
    for (keep, _) in keep.iter_mut().zip(scores).filter(|(_, score)| **score == threshold) {
        if open > 0 {
            *keep = true;
            open -= 1;
        }
    }
    Ok(keep)
}
