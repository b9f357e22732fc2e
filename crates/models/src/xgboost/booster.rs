//! The booster: trees or weights, and what their sums mean.

use super::categories;
use super::fields::{count, malformed, missing};
use super::legacy;
use super::objective::Objective;
use super::trees::{self, Kept, Shape};
use super::wrapper::Wrapper;
use crate::categories::TextCategories;
use crate::contributions::{Contributions, check_cells};
use crate::document::{Document, parse_json, parse_ubjson};
use crate::explanation::Explained;
use crate::fitted_names::FittedNames;
use crate::input::check_width;
use crate::labels::Labels;
use crate::tree::{ExplainedRows, Forest, LazyExplainer};
use crate::{Error, Result};

/// Outputs of one model: classes times targets.
const OUTPUTS_MAX: usize = 100_000;

/// Which rounds answer, where training stopped early.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Best {
    /// All: a plain booster is not asked for the best.
    All,
    /// Up to the best that a file of a class of scikit-learn names.
    OfFile,
    /// The same of a pickled class; before 1.4 it knew itself how many trees of each output those are.
    OfPickle(Option<usize>),
}

/// A booster.
#[derive(Debug)]
pub(crate) struct Booster {
    learner: Learner,
    base: Vec<f32>,
    objective: Objective,
    features: usize,
    /// Names of the features; none if training had none.
    names: FittedNames,
    outputs: usize,
    wrapper: Wrapper,
    /// Texts of the features that were categories of a data frame.
    categories: TextCategories,
    explainer: LazyExplainer<f32>,
}

#[derive(Debug)]
enum Learner {
    Trees(Forest<f32, f32>),
    /// (features + 1) x outputs; the last row is the bias.
    Linear(Vec<f32>),
}

impl Booster {
    /// Reads a model file or the buffer of a pickle.
    pub(crate) fn parse(bytes: &[u8], best: Best) -> Result<Self> {
        // JSON begins with a brace and a quote or space, UBJSON with a brace and a length; the first byte of the binary
        // format is of a number, and may be a brace as well.
        let json = matches!(bytes, [b'{', b'"' | b' ' | b'\n' | b'\r' | b'\t' | b'}', ..]);
        let document = if json {
            parse_json(std::str::from_utf8(bytes).map_err(malformed)?).map_err(malformed)?
        } else if bytes.first() == Some(&b'{') {
            let ubjson = parse_ubjson(bytes);
            ubjson.or_else(|reason| legacy::parse(bytes).map_err(|_| malformed(reason)))?
        } else {
            legacy::parse(bytes)?
        };
        Self::from_document(&document, best)
    }

    /// Reads what a file or buffer holds.
    pub(crate) fn from_document(document: &Document, best: Best) -> Result<Self> {
        // Pickles hold the model beside its configuration.
        let config = document.get("Config");
        let document = document.get("Model").unwrap_or(document);
        let version = version(document)?;
        let learner = document.get("learner").ok_or_else(|| missing("learner"))?;
        Self::read(learner, config, version, best)
    }

    fn read(
        learner: &Document,
        config: Option<&Document>,
        version: (usize, usize),
        best: Best,
    ) -> Result<Self> {
        let parameters =
            learner.get("learner_model_param").ok_or_else(|| missing("learner_model_param"))?;
        let said = |name: &str| count(parameters, name).map_err(malformed);
        let classes = said("num_class")?.max(1);
        // Before 1.6 there was one target.
        let targets = match parameters.get("num_target") {
            Some(_) => said("num_target")?.max(1),
            None => 1,
        };
        let objective = Objective::read(learner.get("objective"), classes, targets, version)?;
        let outputs = classes
            .checked_mul(targets)
            .filter(|&outputs| outputs <= OUTPUTS_MAX)
            .ok_or_else(|| malformed("too many outputs"))?;
        let base = parameters.get("base_score").ok_or_else(|| missing("base_score"))?;
        let base = base_scores(base, outputs, version)?;
        // Before 1.0 it was written as what the sums start from.
        let mut base = if version.0 == 0 { base } else { objective.margins(&base) };
        if base.iter().any(|x| x.is_nan()) {
            return Err(malformed("base_score is none of this objective"));
        }
        let features = said("num_feature")?;
        let names = FittedNames::new(texts(learner, "feature_names", features)?);
        texts(learner, "feature_types", features)?;
        let booster = learner.get("gradient_booster").ok_or_else(|| missing("gradient_booster"))?;
        let attributes = learner.get("attributes").filter(|_| !matches!(best, Best::All));
        let wrapper = Wrapper::read(attributes)?;
        let named = attributes.filter(|attributes| attributes.get("best_iteration").is_some());
        let kept = match (best, named) {
            // Before 1.4 a class went by what it kept of itself.
            (Best::OfFile, _) if version < (1, 4) => wrapper.trees.map(Kept::Trees),
            (Best::OfPickle(trees), _) if version < (1, 4) => trees.map(Kept::Trees),
            (_, Some(named)) => {
                Some(Kept::Rounds(count(named, "best_iteration").map_err(malformed)? + 1))
            }
            _ => None,
        };
        let parallel = config.and_then(parallel_trees);
        let shape = Shape { features, outputs, kept, parallel };
        let learner = match booster.get("name").and_then(Document::text) {
            Some("gblinear") => {
                let weights = booster
                    .get("model")
                    .and_then(|model| model.get("weights"))
                    .and_then(Document::numbers);
                let weights = weights.ok_or_else(|| missing("weights"))?;
                if weights.len() != features.saturating_add(1).saturating_mul(outputs) {
                    return Err(malformed(format!(
                        "{} weights for {features} features and {outputs} outputs",
                        weights.len()
                    )));
                }
                if weights.iter().any(|weight| !weight.is_finite()) {
                    return Err(malformed("a weight is no finite number"));
                }
                // Linear boosters start every output from the first score.
                base = vec![base.first().copied().unwrap_or(0.0); outputs];
                Learner::Linear(weights.into_iter().map(|x| x as f32).collect())
            }
            Some("dart") => {
                let inner = booster
                    .get("gbtree")
                    .and_then(|inner| inner.get("model"))
                    .ok_or_else(|| missing("gbtree"))?;
                let drop = booster
                    .get("weight_drop")
                    .and_then(Document::numbers)
                    .ok_or_else(|| missing("weight_drop"))?;
                Learner::Trees(trees::read(inner, Some(&drop), &shape)?)
            }
            Some("gbtree") => {
                let inner = booster.get("model").ok_or_else(|| missing("model"))?;
                // Since 3.3 trees that were dropped in training are no booster of their own.
                let drop = booster.get("weight_drop").or_else(|| inner.get("weight_drop"));
                let drop = drop.and_then(Document::numbers).filter(|drop| !drop.is_empty());
                Learner::Trees(trees::read(inner, drop.as_deref(), &shape)?)
            }
            other => {
                return Err(Error::Unsupported {
                    what: format!("XGBoost's booster {other:?}"),
                    hint: "gbtree, dart and gblinear are evaluated here; serve the model with Python workers".to_owned(),
                });
            }
        };
        let model = booster.get("gbtree").unwrap_or(booster).get("model");
        let categories = model.map(categories::read).unwrap_or_default();
        let explainer = LazyExplainer::default();
        let labels = wrapper.labels.as_ref().map(Labels::len);
        if labels.is_some_and(|labels| labels != classes.max(2)) {
            return Err(malformed(format!("{labels:?} labels of {classes} classes")));
        }
        Ok(Self {
            learner,
            base,
            objective,
            features,
            names,
            outputs,
            wrapper,
            categories,
            explainer,
        })
    }

    /// Names of the features; none if training had none.
    pub(crate) fn names(&self) -> &FittedNames {
        &self.names
    }

    /// What a class of scikit-learn wrote of itself.
    pub(super) fn wrapper(&self) -> &Wrapper {
        &self.wrapper
    }

    /// Texts of the features that were categories of a data frame.
    pub(crate) fn categories(&self) -> &TextCategories {
        &self.categories
    }

    /// Predictions of all rows and how many each row has.
    pub(crate) fn predict_rows(&self, rows: &[f32], width: usize) -> Result<(Vec<f32>, usize)> {
        let mut sums = self.sums(rows, width)?;
        self.objective.apply(&mut sums, self.outputs);
        if self.objective == Objective::SoftMax {
            let best = sums.chunks_exact(self.outputs).map(|row| largest(row) as f32);
            return Ok((best.collect(), 1));
        }
        Ok((sums, self.outputs))
    }

    /// The same, but probabilities where `multi:softmax` predicts the class.
    pub(crate) fn probabilities(&self, rows: &[f32], width: usize) -> Result<(Vec<f32>, usize)> {
        if self.objective != Objective::SoftMax {
            return self.predict_rows(rows, width);
        }
        let mut sums = self.sums(rows, width)?;
        Objective::SoftProb.apply(&mut sums, self.outputs);
        Ok((sums, self.outputs))
    }

    /// What the trees or weights add up to, before the objective makes predictions of it.
    fn sums(&self, rows: &[f32], width: usize) -> Result<Vec<f32>> {
        check_width(width, self.features)?;
        let mut sums: Vec<f32> =
            std::iter::repeat_n(&self.base, rows.len() / width.max(1)).flatten().copied().collect();
        match &self.learner {
            Learner::Trees(forest) => forest.add_to(rows, width, &mut sums),
            Learner::Linear(weights) => {
                let (weights, bias) = weights.split_at(width * self.outputs);
                for (row, sums) in
                    rows.chunks_exact(width.max(1)).zip(sums.chunks_exact_mut(self.outputs))
                {
                    sums.iter_mut().zip(bias).for_each(|(sum, bias)| *sum += bias);
                    for (&x, weights) in row
                        .iter()
                        .zip(weights.chunks_exact(self.outputs))
                        .filter(|(x, _)| !x.is_nan())
                    {
                        sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += x * weight);
                    }
                }
            }
        }
        Ok(sums)
    }

    /// What each column gives to what the trees or weights add up to. As predictions are sums in 32 bits and
    /// these are in 64, they agree to the former.
    pub(crate) fn explain(
        &self,
        rows: &[f32],
        background: Option<&[f32]>,
        width: usize,
    ) -> Result<Contributions> {
        check_width(width, self.features)?;
        let explained = match self.objective {
            Objective::Identity => Explained::Prediction,
            _ => Explained::Margin,
        };
        let base: Vec<f64> = self.base.iter().map(|&x| f64::from(x)).collect();
        match &self.learner {
            Learner::Trees(forest) => {
                check_cells(rows.len() / width.max(1), self.outputs, width)?;
                let rows = ExplainedRows { rows, background, width };
                let answer = self.explainer.explain(forest, rows);
                Ok(Contributions::of_forest(explained, width, answer, "XGBoost's trees")?.on(&base))
            }
            Learner::Linear(weights) => {
                let wide =
                    |values: &[f32]| values.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
                let (weights, bias) = weights.split_at(width * self.outputs);
                // A column's weights stand together here, an output's there.
                let of_output = |output: usize| weights.iter().skip(output).step_by(self.outputs);
                let by_output: Vec<f32> = (0..self.outputs).flat_map(of_output).copied().collect();
                let background = background.map(wide);
                let functions = (wide(&by_output), wide(bias));
                let linear = Contributions::linear(
                    explained,
                    (&functions.0, &functions.1),
                    width,
                    &wide(rows),
                    background.as_deref(),
                )?;
                Ok(linear.on(&base))
            }
        }
    }

    /// Whether it is known how probable its classes are.
    pub(crate) fn has_probabilities(&self) -> bool {
        matches!(self.objective, Objective::Logistic | Objective::SoftProb | Objective::SoftMax)
    }

    /// Whether each output is a label of its own, present or not.
    pub(crate) fn is_multilabel(&self) -> bool {
        self.objective == Objective::Logistic && self.outputs > 1
    }

    /// The class of each row, as `XGBClassifier` chooses it.
    pub(crate) fn classes(&self, predictions: &[f32], width: usize) -> Vec<usize> {
        if width == 1 {
            // `multi:softmax` has chosen already.
            let chosen = |x: f32| {
                if self.objective == Objective::SoftMax { x as usize } else { usize::from(x > 0.5) }
            };
            return predictions.iter().map(|&x| chosen(x)).collect();
        }
        predictions.chunks_exact(width).map(largest).collect()
    }

    pub(crate) fn size_bytes(&self) -> usize {
        match &self.learner {
            Learner::Trees(forest) => forest.size_bytes() + self.explainer.size_bytes(),
            Learner::Linear(weights) => size_of_val(weights.as_slice()),
        }
    }
}

/// Trees that a round grows for each output, as the configuration of a pickle says it.
fn parallel_trees(config: &Document) -> Option<usize> {
    let booster = config.get("learner")?.get("gradient_booster")?;
    let booster = booster.get("gbtree").unwrap_or(booster);
    let said = |group: &str| count(booster.get(group)?, "num_parallel_tree").ok();
    said("gbtree_train_param").or_else(|| said("gbtree_model_param"))
}

/// Place of the largest number, of equals the first.
fn largest(row: &[f32]) -> usize {
    let larger =
        |best: (usize, f32), (at, &x): (usize, &f32)| if x > best.1 { (at, x) } else { best };
    row.iter().enumerate().fold((0, f32::NEG_INFINITY), larger).0
}

/// One number (old), a number in brackets or one for each output.
fn base_scores(base: &Document, outputs: usize, version: (usize, usize)) -> Result<Vec<f32>> {
    let text = match base {
        Document::Text(text) => {
            text.trim().trim_start_matches('[').trim_end_matches(']').to_owned()
        }
        other => other.number().map(|x| x.to_string()).unwrap_or_default(),
    };
    let scores: Vec<f32> = text
        .split(',')
        .map(|score| score.trim().parse().map_err(|_| malformed(format!("base_score {text:?}"))))
        .collect::<Result<_>>()?;
    match scores.as_slice() {
        // Since 3.2 each output has its own.
        [one] if outputs == 1 || version < (3, 2) => Ok(vec![*one; outputs]),
        all if all.len() == outputs => Ok(scores),
        all => Err(malformed(format!("{} base scores for {outputs} outputs", all.len()))),
    }
}

/// Major and minor version of the XGBoost that wrote a file.
fn version(document: &Document) -> Result<(usize, usize)> {
    let numbers = document.get("version").and_then(Document::numbers);
    let numbers = numbers.ok_or_else(|| missing("version"))?;
    match numbers.as_slice() {
        &[major, minor, _] if major >= 0.0 && minor >= 0.0 => Ok((major as usize, minor as usize)),
        _ => Err(malformed(format!("version {numbers:?}"))),
    }
}

/// A list of one text a feature, or of none.
fn texts(learner: &Document, name: &str, features: usize) -> Result<Vec<String>> {
    let texts = learner.get(name).and_then(Document::list).unwrap_or_default();
    if !texts.is_empty() && texts.len() != features {
        return Err(malformed(format!("{name} holds {} for {features} features", texts.len())));
    }
    let texts: Option<Vec<String>> =
        texts.iter().map(|text| text.text().map(str::to_owned)).collect();
    texts.ok_or_else(|| malformed(format!("{name} holds something else than text")))
}
