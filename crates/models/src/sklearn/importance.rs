//! How much a model makes of each column, for `SelectFromModel`.

use super::data::Matrix;
use super::estimator::Fields;
use super::trees::raw::RawTree;
use crate::Result;
use crate::python::Value;

/// Columns that `SelectFromModel` keeps.
pub(super) fn kept(fields: Fields<'_>) -> Result<Vec<bool>> {
    let model = Fields(fields.value("estimator_").or_else(|_| fields.value("estimator"))?);
    if fields.text("importance_getter", "auto") != "auto" {
        return Err(fields.unsupported("importance_getter"));
    }
    let scores = importances(model, fields.float("norm_order").unwrap_or(1.0))?;
    let threshold = threshold(fields, model, &scores)?;
    let mut keep = vec![true; scores.len()];
    if fields.optional("max_features").is_some() {
        let count = fields.count("max_features_").or_else(|_| fields.count("max_features"))?;
        let mut order: Vec<usize> = (0..scores.len()).collect();
        let score = |at: usize| scores.get(at).copied().unwrap_or(f64::NAN);
        order.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
        for &at in order.iter().skip(count) {
            if let Some(keep) = keep.get_mut(at) {
                *keep = false;
            }
        }
    }
    keep.iter_mut()
        .zip(&scores)
        .filter(|(_, score)| **score < threshold)
        .for_each(|(keep, _)| *keep = false);
    Ok(keep)
}

fn threshold(fields: Fields<'_>, model: Fields<'_>, scores: &[f64]) -> Result<f64> {
    let reference = |name: &str| match name.trim() {
        "mean" => Ok(scores.iter().sum::<f64>() / scores.len() as f64),
        "median" => Ok(median(scores)),
        other => Err(fields.unsupported(format!("threshold {other:?}"))),
    };
    match fields.optional("threshold") {
        None if is_sparse_by_design(model) => Ok(1e-5),
        None => reference("mean"),
        Some(value) => match value.text() {
            None => fields.float("threshold"),
            Some(text) => match text.split_once('*') {
                None => reference(text),
                Some((scale, name)) => {
                    let scale: f64 = scale
                        .trim()
                        .parse()
                        .map_err(|_| fields.malformed(format!("threshold {text:?}")))?;
                    Ok(scale * reference(name)?)
                }
            },
        },
    }
}

fn median(scores: &[f64]) -> f64 {
    let mut sorted = scores.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN);
    if sorted.len() % 2 == 1 {
        return upper;
    }
    f64::midpoint(
        sorted.get((sorted.len() / 2).wrapping_sub(1)).copied().unwrap_or(f64::NAN),
        upper,
    )
}

/// Whether the model drives coefficients to zero, so that what is not zero is kept.
fn is_sparse_by_design(model: Fields<'_>) -> bool {
    let is_one = |name: &str| model.float(name).is_ok_and(|ratio| (ratio - 1.0).abs() < 1e-5);
    match model.name() {
        "ElasticNet" | "LogisticRegression" if is_one("l1_ratio") => true,
        "ElasticNetCV" | "LogisticRegressionCV" if is_one("l1_ratio_") => true,
        name => name.contains("Lasso") || model.text("penalty", "") == "l1",
    }
}

/// Absolute coefficients (a norm over several outputs), or the importances of trees.
fn importances(model: Fields<'_>, order: f64) -> Result<Vec<f64>> {
    if model.optional("coef_").is_some() {
        let coefficients = model.matrix("coef_")?;
        let norm = |column: Vec<f64>| {
            if order.is_infinite() {
                column.iter().fold(0.0, |max: f64, x| max.max(x.abs()))
            } else if order == 1.0 {
                column.iter().map(|x| x.abs()).sum()
            } else {
                column.iter().map(|x| x.abs().powf(order)).sum::<f64>().powf(1.0 / order)
            }
        };
        return Ok((0..coefficients.columns).map(|at| norm(coefficients.column(at))).collect());
    }
    match model.name() {
        "DecisionTreeClassifier"
        | "DecisionTreeRegressor"
        | "ExtraTreeClassifier"
        | "ExtraTreeRegressor" => of_tree(model, true),
        "RandomForestClassifier"
        | "RandomForestRegressor"
        | "ExtraTreesClassifier"
        | "ExtraTreesRegressor" => of_trees(model, true),
        "GradientBoostingClassifier" | "GradientBoostingRegressor" => of_trees(model, false),
        "AdaBoostClassifier" | "AdaBoostRegressor" => {
            let weights = model.numbers("estimator_weights_")?;
            let members = model.items("estimators_")?;
            let total: f64 = weights.iter().sum();
            let mut sums = Vec::new();
            for (member, weight) in members.into_iter().zip(weights) {
                let of_member = importances(Fields(member), order)?;
                sums.resize(of_member.len(), 0.0);
                sums.iter_mut().zip(of_member).for_each(|(sum, x)| *sum += weight * x);
            }
            Ok(sums.into_iter().map(|sum| sum / total).collect())
        }
        _ => Err(model.unsupported("importances")),
    }
}

/// The mean over the trees that split at all, divided by its sum.
fn of_trees(model: Fields<'_>, normalized: bool) -> Result<Vec<f64>> {
    let members = model.items("estimators_")?;
    let flat: Vec<Value<'_>> =
        members.iter().flat_map(|member| member.items().unwrap_or_else(|| vec![*member])).collect();
    let width = model.count("n_features_in_").or_else(|_| model.count("n_features_"))?;
    let mut sums = Matrix::zeros(1, width)?.values;
    let mut count = 0.0;
    for member in flat {
        let member = Fields(member);
        if RawTree::read(member)?.left.len() > 1 {
            count += 1.0;
            sums.iter_mut().zip(of_tree(member, normalized)?).for_each(|(sum, x)| *sum += x);
        }
    }
    if count == 0.0 {
        return Ok(sums);
    }
    for sum in &mut sums {
        *sum /= count;
    }
    let total: f64 = sums.iter().sum();
    Ok(sums.into_iter().map(|sum| sum / total).collect())
}

/// By column: how much its splits lowered the impurity, weighted by the samples that met them.
fn of_tree(model: Fields<'_>, normalized: bool) -> Result<Vec<f64>> {
    let raw = RawTree::read(model)?;
    let width = model.count("n_features_in_").or_else(|_| model.count("n_features_"))?;
    let mut sums = Matrix::zeros(1, width)?.values;
    let at = |values: &[f64], node: usize| values.get(node).copied().unwrap_or(0.0);
    let weighed = |node: usize| at(&raw.weights, node) * at(&raw.impurities, node);
    for (node, ((&left, &right), &feature)) in
        raw.left.iter().zip(&raw.right).zip(&raw.features).enumerate()
    {
        if left < 0 {
            continue;
        }
        let slot = usize::try_from(feature).ok().and_then(|feature| sums.get_mut(feature));
        if let Some(sum) = slot {
            *sum += weighed(node) - weighed(left as usize) - weighed(right.max(0) as usize);
        }
    }
    let root = at(&raw.weights, 0);
    for sum in &mut sums {
        *sum /= root;
    }
    let total: f64 = sums.iter().sum();
    if normalized && total > 0.0 {
        for sum in &mut sums {
            *sum /= total;
        }
    }
    Ok(sums)
}
