//! Estimators made of steps: pipelines, column transformers, unions.

use std::collections::HashSet;
use std::sync::Arc;

use super::data::{Classes, Matrix, Output, Table};
use super::estimator::{Estimator, Fields};
use super::matrix::single;
use super::reader::{Boxed, Names, Nested, Reader};
use crate::contributions::Contributions;
use crate::fitted_names::is_place;
use crate::input::check_width;
use crate::predictor::unexplained;
use crate::python::{Elements, Node, Value};
use crate::{Error, Result};

pub(super) const READERS: &[Reader] = &[
    Reader::new("Pipeline", pipeline).names(Names::Steps),
    Reader::new("ColumnTransformer", column_transformer).names(Names::Picked),
    Reader::new("FeatureUnion", feature_union).note("weights"),
];

/// The pipeline of imbalanced-learn, whose steps may also be samplers.
pub(super) const IMBALANCED_PIPELINE: &str = "imblearn.pipeline.Pipeline";

/// `Pipeline`
#[derive(Debug)]
struct Pipeline {
    steps: Vec<Boxed>,
    last: Boxed,
    /// What the steps are, the last one too.
    classes: Vec<String>,
}

fn pipeline(fields: Fields<'_>, nested: Nested) -> Result<Boxed> {
    let mut steps = Vec::new();
    let mut names = HashSet::new();
    let mut classes = Vec::new();
    let given = fields.items("steps")?;
    let last = given.len().saturating_sub(1);
    for (at, step) in given.into_iter().enumerate() {
        let parts = step.items().unwrap_or_default();
        let [name, step] = parts.as_slice() else {
            return Err(fields.malformed("a step is no pair"));
        };
        if name.text().is_some_and(|name| !names.insert(name)) {
            return Err(fields.malformed("two steps have one name"));
        }
        if at < last && is_sampler(*step) {
            continue;
        }
        steps.push(part(*step, nested)?);
        classes.push(Fields(*step).name().to_owned());
    }
    let last = steps.pop().ok_or_else(|| fields.malformed("no steps"))?;
    Ok(Box::new(Pipeline { steps, last, classes }))
}

/// Whether a step of imbalanced-learn chooses among the rows of training; it does nothing at prediction.
fn is_sampler(step: Value<'_>) -> bool {
    const MODULES: [&str; 3] =
        ["imblearn.over_sampling.", "imblearn.under_sampling.", "imblearn.combine."];
    let class = step.class().unwrap_or_default();
    MODULES.iter().any(|module| class.starts_with(module))
}

/// A step: an estimator, `passthrough` or `None`.
fn part(value: Value<'_>, nested: Nested) -> Result<Boxed> {
    if value.is_none() || value.text() == Some("passthrough") {
        return Ok(Box::new(Identity));
    }
    nested.load(value)
}

impl Pipeline {
    fn before(&self, x: &Table) -> Result<Table> {
        let mut x = x.clone();
        for step in &self.steps {
            x = step.transform(x)?;
        }
        Ok(x)
    }

    fn class(&self, at: usize) -> &str {
        self.classes.get(at).map_or("", String::as_str)
    }

    /// What the last step is given, and for each of its columns the one of `x` that it is made of.
    fn traced(&self, x: &Table) -> Result<(Table, Vec<usize>)> {
        let mut x = x.clone();
        let mut origins: Vec<usize> = (0..x.width()).collect();
        for (at, step) in self.steps.iter().enumerate() {
            let from = step.origins(&x).unwrap_or_else(|| Err(mixing(self.class(at))))?;
            origins = from.iter().filter_map(|&at| origins.get(at).copied()).collect();
            x = step.transform(x)?;
            check_width(x.width(), origins.len())?;
        }
        Ok((x, origins))
    }
}

/// The refusal to explain what is behind a step that makes columns of several.
fn mixing(class: &str) -> Error {
    unexplained(&format!("what is behind {class}, which makes columns of several"))
}

impl Estimator for Pipeline {
    fn fitted_names(&self) -> Option<Vec<String>> {
        self.steps.first().unwrap_or(&self.last).fitted_names()
    }

    fn predict(&self, x: &Table) -> Result<Output> {
        self.last.predict(&self.before(x)?)
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        self.last.predict_proba(&self.before(x)?)
    }

    fn predict_log_proba(&self, x: &Table) -> Result<Matrix> {
        self.last.predict_log_proba(&self.before(x)?)
    }

    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        self.last.decision_function(&self.before(x)?)
    }

    fn transform(&self, x: Table) -> Result<Table> {
        self.last.transform(self.before(&x)?)
    }

    fn explain(&self, x: &Table, background: Option<&Table>) -> Option<Result<Contributions>> {
        let explain = || -> Result<Contributions> {
            let (seen, origins) = self.traced(x)?;
            let background = background.map(|rows| self.before(rows)).transpose()?;
            let contributions = self
                .last
                .explain(&seen, background.as_ref())
                .unwrap_or_else(|| Err(unexplained(self.class(self.steps.len()))))?;
            contributions.by_origin(&origins, x.width())
        };
        Some(explain())
    }

    fn origins(&self, x: &Table) -> Option<Result<Vec<usize>>> {
        let origins = || -> Result<Vec<usize>> {
            let (seen, origins) = self.traced(x)?;
            let refused = || Err(mixing(self.class(self.steps.len())));
            let last = self.last.origins(&seen).unwrap_or_else(refused)?;
            Ok(last.iter().filter_map(|&at| origins.get(at).copied()).collect())
        };
        Some(origins())
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        self.last.classes()
    }

    fn has_proba(&self) -> bool {
        self.last.has_proba()
    }

    fn has_decision(&self) -> bool {
        self.last.has_decision()
    }

    fn parts(&self) -> Vec<&dyn Estimator> {
        self.steps.iter().chain([&self.last]).map(|step| &**step).collect()
    }
}

/// `passthrough`
#[derive(Debug)]
pub(super) struct Identity;

impl Estimator for Identity {
    fn transform(&self, x: Table) -> Result<Table> {
        Ok(x)
    }

    fn origins(&self, x: &Table) -> Option<Result<Vec<usize>>> {
        Some(Ok((0..x.width()).collect()))
    }

    fn takes_frame(&self) -> bool {
        true
    }
}

/// Columns, what happens to them, and what the answer is multiplied by.
#[derive(Debug)]
struct Part {
    columns: Vec<usize>,
    transformer: Boxed,
    /// What the transformer is.
    class: String,
    weight: f64,
}

/// `ColumnTransformer`
#[derive(Debug)]
struct Columns {
    parts: Vec<Part>,
    /// Names of the columns that training saw, where they had names.
    names: Option<Vec<String>>,
    width: usize,
    /// Whether the parts are joined to rows of mostly zeros; boosters take what is not there as missing.
    sparse: bool,
}

fn column_transformer(fields: Fields<'_>, nested: Nested) -> Result<Boxed> {
    let width = fields.count("n_features_in_").or_else(|_| fields.count("_n_features"))?;
    let names = fields.column_names();
    let places = fields.value("_transformer_to_input_indices")?;
    let weights = fields.optional("transformer_weights");
    let mut parts = Vec::new();
    for entry in fields.items("transformers_")? {
        let entry = entry.items().unwrap_or_default();
        let [name, transformer, chosen @ ..] = entry.as_slice() else {
            return Err(fields.malformed("a transformer is no triple"));
        };
        let columns =
            name.text().and_then(|name| places.get(name)).and_then(super::estimator::numbers);
        if let Some(columns) = &columns
            && let Some(chosen) = chosen.first().copied().and_then(chosen_count)
        {
            fields.check_length("_transformer_to_input_indices", columns.len(), chosen)?;
        }
        let columns: Vec<usize> =
            columns.unwrap_or_default().into_iter().map(|x| x as usize).collect();
        if columns.is_empty() || transformer.text() == Some("drop") {
            continue;
        }
        if let Some(column) = columns.iter().find(|&&column| column >= width) {
            return Err(fields.malformed(format!("column {column} of {width}")));
        }
        let weight = weight(fields, weights, *name)?;
        let class = Fields(*transformer).name().to_owned();
        parts.push(Part { columns, transformer: part(*transformer, nested)?, class, weight });
    }
    let sparse = fields.flag("sparse_output_", false);
    Ok(Box::new(Columns { parts, names, width, sparse }))
}

/// How many columns a part was given: a name, or a list of names, places or marks. Slices do not say it.
fn chosen_count(chosen: Value<'_>) -> Option<usize> {
    if chosen.text().is_some() {
        return Some(1);
    }
    if let Some(Elements::Bool(marks)) = chosen.array().map(|array| &array.elements) {
        return Some(marks.iter().filter(|mark| **mark).count());
    }
    let Some(items) = chosen.items() else {
        return chosen.array().map(|array| array.elements.len());
    };
    let mark = |item: &Value<'_>| match item.node() {
        Node::Bool(mark) => Some(*mark),
        _ => None,
    };
    let marks: Option<Vec<bool>> = items.iter().map(mark).collect();
    Some(marks.map_or(items.len(), |marks| marks.into_iter().filter(|mark| *mark).count()))
}

impl Estimator for Columns {
    fn transform(&self, x: Table) -> Result<Table> {
        let places = self.places(&x)?;
        let parts = self.parts.iter().map(|part| {
            let columns = self.columns_of(part, &places)?;
            let answer = part.transformer.transform(x.select(&columns)?)?;
            // Frames that hold only numbers become matrices, so that the join can be one.
            times(Table::beside(vec![answer], x.rows())?, part.weight)
        });
        match Table::beside(parts.collect::<Result<_>>()?, x.rows())? {
            Table::Sparse(sparse) if !self.sparse => {
                Ok(Table::Matrix(sparse.filled(0, sparse.rows())?))
            }
            joined => Ok(joined),
        }
    }

    fn origins(&self, x: &Table) -> Option<Result<Vec<usize>>> {
        let origins = || -> Result<Vec<usize>> {
            let places = self.places(x)?;
            let mut origins = Vec::new();
            for part in &self.parts {
                let columns = self.columns_of(part, &places)?;
                let given = part.transformer.origins(&x.select(&columns)?);
                let given = given.unwrap_or_else(|| Err(mixing(&part.class)))?;
                origins.extend(given.iter().filter_map(|&at| columns.get(at).copied()));
            }
            Ok(origins)
        };
        Some(origins())
    }

    fn takes_frame(&self) -> bool {
        true
    }

    fn parts(&self) -> Vec<&dyn Estimator> {
        self.parts.iter().map(|part| &*part.transformer).collect()
    }
}

impl Columns {
    /// Where the columns of a part are in the input.
    fn columns_of(&self, part: &Part, places: &[Option<usize>]) -> Result<Vec<usize>> {
        let columns = part.columns.iter().map(|&at| {
            places.get(at).copied().flatten().ok_or_else(|| {
                let name = self.names.as_ref().and_then(|names| names.get(at));
                Error::Input(format!("columns are missing: {:?}", name.map_or("", |n| n)))
            })
        });
        columns.collect()
    }

    /// Where the columns of training are in the input: by name if both have names, else by place.
    /// Columns that no part takes need not be there.
    fn places(&self, x: &Table) -> Result<Vec<Option<usize>>> {
        if let (Some(names), Table::Frame(frame)) = (&self.names, x) {
            let by_name: Vec<Option<usize>> = names
                .iter()
                .map(|name| frame.names.iter().position(|column| column == name))
                .collect();
            // What an estimator before this one made has places for names.
            let has_names = !frame.names.iter().any(|name| is_place(name));
            if has_names || by_name.iter().all(Option::is_some) {
                return Ok(by_name);
            }
        }
        x.check_width(self.width)?;
        Ok((0..self.width).map(Some).collect())
    }
}

/// The entry of `transformer_weights` for a part, which is 1 without one.
fn weight(fields: Fields<'_>, weights: Option<Value<'_>>, name: Value<'_>) -> Result<f64> {
    let weight = weights.zip(name.text()).and_then(|(weights, name)| weights.get(name));
    let weight = weight.filter(|weight| !weight.is_none()).map_or(Some(1.0), Value::float);
    weight.ok_or_else(|| fields.malformed("a weight is no number"))
}

fn times(table: Table, weight: f64) -> Result<Table> {
    if weight == 1.0 {
        return Ok(table);
    }
    if let Table::Sparse(mut sparse) = table {
        for row in 0..sparse.rows() {
            sparse.row_mut(row).for_each(|(_, value)| *value *= weight);
        }
        return Ok(Table::Sparse(sparse));
    }
    let mut matrix = table.matrix()?.into_owned();
    if matrix.is_single {
        // NumPy takes a number of Python's as one of 32 bits then.
        let weight = single(weight);
        matrix.values.iter_mut().for_each(|value| *value = single(*value * weight));
    } else {
        matrix.values.iter_mut().for_each(|value| *value *= weight);
    }
    Ok(Table::Matrix(matrix))
}

/// `FeatureUnion`: parts side by side, each perhaps times a weight.
#[derive(Debug)]
struct Union(Vec<(Boxed, f64)>);

fn feature_union(fields: Fields<'_>, nested: Nested) -> Result<Boxed> {
    let weights = fields.optional("transformer_weights");
    let mut parts = Vec::new();
    for entry in fields.items("transformer_list")? {
        let entry = entry.items().unwrap_or_default();
        let [name, transformer] = entry.as_slice() else {
            return Err(fields.malformed("a transformer is no pair"));
        };
        if transformer.text() == Some("drop") {
            continue;
        }
        parts.push((part(*transformer, nested)?, weight(fields, weights, *name)?));
    }
    Ok(Box::new(Union(parts)))
}

impl Estimator for Union {
    fn transform(&self, x: Table) -> Result<Table> {
        let parts = self.0.iter().map(|(part, weight)| {
            times(Table::beside(vec![part.transform(x.clone())?], x.rows())?, *weight)
        });
        Table::beside(parts.collect::<Result<_>>()?, x.rows())
    }

    fn origins(&self, x: &Table) -> Option<Result<Vec<usize>>> {
        let parts = self.0.iter().map(|(part, _)| {
            part.origins(x).unwrap_or_else(|| Err(mixing("a part of FeatureUnion")))
        });
        Some(parts.collect::<Result<Vec<_>>>().map(|parts| parts.concat()))
    }

    fn parts(&self) -> Vec<&dyn Estimator> {
        self.0.iter().map(|(part, _)| &**part).collect()
    }
}
