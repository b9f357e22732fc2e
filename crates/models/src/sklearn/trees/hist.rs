//! `HistGradientBoosting*`: thresholds in `f64`, categories, missing values.

use super::super::data::{Matrix, Table};
use super::super::estimator::{Estimator, Fields, numbers};
use super::super::reader::{Boxed, Nested, Reader};
use super::link::{Link, Linked, RawScores};
use super::raw::{build, feature_count};
use crate::Result;
use crate::contributions::{Contributions, check_cells};
use crate::explanation::Explained;
use crate::predictor::unexplained;
use crate::python::{Elements, Value};
use crate::tree::{
    CategorySet, ExplainedRows, Forest, LazyExplainer, NodeSpec, Split, Test, TreeSpec,
};

pub(in super::super) const READERS: &[Reader] =
    &[Reader::new("HistGradientBoostingClassifier HistGradientBoostingRegressor", hist_boosted)
        .note("categories, missing values")];

/// `HistGradientBoosting*`
#[derive(Debug)]
struct HistBoosted {
    forest: Forest<f64, f64>,
    features: usize,
    baseline: Vec<f64>,
    preprocessor: Option<Boxed>,
    explainer: LazyExplainer<f64>,
}

fn hist_boosted(fields: Fields<'_>, nested: Nested) -> Result<Boxed> {
    let classes = fields.classes_if_any()?;
    let link = match &classes {
        Some(classes) if classes.len() > 2 => Link::Softmax,
        Some(_) => Link::Logit,
        None if matches!(fields.text("loss", "squared_error"), "poisson" | "gamma") => Link::Exp,
        None => Link::Identity,
    };
    let baseline = fields.numbers("_baseline_prediction")?;
    let known = known_categories(fields)?;
    let mut specs = Vec::new();
    let iterations = fields.items("_predictors")?;
    let expected = match &classes {
        Some(classes) if classes.len() > 2 => classes.len(),
        _ => 1,
    };
    if baseline.len() != expected {
        return Err(
            fields.malformed(format!("{} baselines for {expected} outputs", baseline.len()))
        );
    }
    // A score is kept before the first and after each round, where training looked at them.
    for scores in ["train_score_", "validation_score_"] {
        let kept = fields.optional_numbers(scores)?.unwrap_or_default().len();
        if kept != 0 && kept != iterations.len() + 1 {
            return Err(
                fields.malformed(format!("{} rounds, {kept} in {scores}", iterations.len()))
            );
        }
    }
    // Only early stopping ends before the last round.
    if !fields.flag("do_early_stopping_", true) {
        fields.check_length("_predictors", iterations.len(), fields.count("max_iter")?)?;
    }
    for iteration in iterations {
        let trees = iteration.items().unwrap_or_default();
        if trees.len() != expected {
            return Err(fields.malformed(format!("{} trees in a round of {expected}", trees.len())));
        }
        for (target, predictor) in trees.into_iter().enumerate() {
            let mut spec = predictor_tree(fields, predictor, &known)?;
            spec.target = target as u32;
            specs.push(spec);
        }
    }
    let preprocessor =
        fields.optional("_preprocessor").map(|value| nested.load(value)).transpose()?;
    let features = feature_count(fields)?;
    // Encoded categories stand before the other columns; there are as many.
    let scores = HistBoosted {
        forest: build(fields, &specs, features, 1, baseline.len())?,
        features,
        baseline,
        preprocessor,
        explainer: LazyExplainer::default(),
    };
    Ok(Box::new(Linked { scores, link, classes, by_probability: true }))
}

/// The categories of each feature that were seen in training; none for numeric features.
fn known_categories(fields: Fields<'_>) -> Result<Vec<Option<Vec<u32>>>> {
    let Some(mapper) = fields.optional("_bin_mapper").map(Fields) else { return Ok(Vec::new()) };
    let categorical = mapper.optional_numbers("is_categorical_")?.unwrap_or_default();
    let thresholds = mapper.items("bin_thresholds_")?;
    Ok(thresholds
        .iter()
        .enumerate()
        .map(|(at, thresholds)| {
            let is_categorical = categorical.get(at).is_some_and(|&x| x != 0.0);
            let categories = is_categorical.then(|| numbers(*thresholds)).flatten()?;
            Some(
                CategorySet::from_categories(
                    categories
                        .into_iter()
                        .filter(|x| (0.0..65_536.0).contains(x))
                        .map(|x| x as u32),
                )
                .words,
            )
        })
        .collect())
}

fn predictor_tree(
    fields: Fields<'_>,
    predictor: Value<'_>,
    known: &[Option<Vec<u32>>],
) -> Result<TreeSpec<f64>> {
    let nodes = predictor.get("nodes").and_then(Value::array);
    let Some(Elements::Struct(columns)) = nodes.map(|array| &array.elements) else {
        return Err(fields.malformed("a predictor has no nodes"));
    };
    let column = |name: &str| {
        let elements =
            columns.iter().find(|(field, _)| field == name).map(|(_, elements)| elements);
        elements
            .and_then(Elements::to_f64)
            .ok_or_else(|| fields.malformed(format!("a predictor has no {name}")))
    };
    let (value, feature, threshold) = (
        column("value")?,
        column("feature_idx")?,
        column("num_threshold").or_else(|_| column("threshold"))?,
    );
    let (left, right, missing_left, is_leaf) =
        (column("left")?, column("right")?, column("missing_go_to_left")?, column("is_leaf")?);
    let (is_categorical, bitset) =
        (column("is_categorical").unwrap_or_default(), column("bitset_idx").unwrap_or_default());
    let bitsets = predictor
        .get("raw_left_cat_bitsets")
        .and_then(Value::array)
        .and_then(|array| array.elements.to_i64())
        .unwrap_or_default();
    let mut spec = TreeSpec { covers: column("count").unwrap_or_default(), ..TreeSpec::default() };
    for at in 0..value.len() {
        let get = |column: &[f64]| column.get(at).copied().unwrap_or(0.0);
        if get(&is_leaf) != 0.0 {
            spec.nodes.push(NodeSpec::Leaf(spec.values.len() as u32));
            spec.values.push(get(&value));
            continue;
        }
        let feature = get(&feature) as u32;
        let by_category = get(&is_categorical) > 0.0;
        let test = if by_category {
            // Eight words for each categorical split.
            let start = (get(&bitset) as usize).saturating_mul(8);
            let words: Vec<u32> = bitsets
                .get(start..start.saturating_add(8))
                .unwrap_or_default()
                .iter()
                .map(|&word| word as u32)
                .collect();
            let seen = known.get(feature as usize).cloned().flatten().unwrap_or_default();
            let known = (0..8)
                .map(|word| {
                    words.get(word).copied().unwrap_or(0) | seen.get(word).copied().unwrap_or(0)
                })
                .collect();
            Test::Member(CategorySet { words, known: Some(known) })
        } else {
            Test::AtMost(get(&threshold))
        };
        spec.nodes.push(NodeSpec::Split(Split {
            feature,
            test,
            left: get(&left) as u32,
            right: get(&right) as u32,
            missing_left: get(&missing_left) != 0.0,
            zero_is_missing: false,
        }));
    }
    Ok(spec)
}

impl RawScores for HistBoosted {
    fn raw(&self, x: &Table) -> Result<Matrix> {
        x.check_width(self.features)?;
        let prepared;
        let x = match &self.preprocessor {
            Some(preprocessor) => {
                prepared = preprocessor.transform(x.clone())?;
                &prepared
            }
            None => x,
        };
        let x = x.matrix()?;
        let mut raw = Matrix::zeros(x.rows, self.baseline.len())?;
        raw.each_row_mut().for_each(|row| row.copy_from_slice(&self.baseline));
        self.forest.add_to(&x.values, x.columns, &mut raw.values);
        Ok(raw)
    }

    fn explain(
        &self,
        x: &Table,
        background: Option<&Table>,
        explained: Explained,
    ) -> Result<Contributions> {
        x.check_width(self.features)?;
        let (seen, origins) = match &self.preprocessor {
            Some(preprocessor) => {
                let refused = || Err(unexplained("gradient boosting with such a preprocessor"));
                let origins = preprocessor.origins(x).unwrap_or_else(refused)?;
                (preprocessor.transform(x.clone())?, origins)
            }
            None => (x.clone(), (0..self.features).collect()),
        };
        let matrix = seen.matrix()?;
        check_cells(matrix.rows, self.baseline.len(), matrix.columns)?;
        let prepare = |rows: &Table| match &self.preprocessor {
            Some(preprocessor) => preprocessor.transform(rows.clone()),
            None => Ok(rows.clone()),
        };
        let background = background.map(prepare).transpose()?;
        let background = background.as_ref().map(Table::matrix).transpose()?;
        let of = ExplainedRows {
            rows: &matrix.values,
            background: background.as_ref().map(|rows| rows.values.as_slice()),
            width: matrix.columns,
        };
        let answer = self.explainer.explain(&self.forest, of);
        let sums = Contributions::of_forest(explained, of.width, answer, "scikit-learn's trees")?;
        sums.on(&self.baseline).by_origin(&origins, x.width())
    }

    fn parts(&self) -> Vec<&dyn Estimator> {
        self.preprocessor.as_deref().into_iter().collect()
    }

    fn size_bytes(&self) -> usize {
        self.forest.size_bytes() + self.explainer.size_bytes()
    }
}
