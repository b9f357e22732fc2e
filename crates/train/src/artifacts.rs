//! The files that a run keeps beside its model: charts, report, reference data.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::Float64Type;
use arrow_cast::cast;
use arrow_schema::{DataType, Field, Schema};
use rayon::prelude::*;
use serde_json::json;
use trainyard_chart as chart;
use trainyard_drift::{Options, Profile};
use trainyard_models::LoadedModel;
use trainyard_quality::metrics::Confusion;
use trainyard_quality::metrics::ranking::Curve;

use crate::column::Column;
use crate::config::Task;
use crate::metrics::Predictions;
use crate::model::{Fitted, FittedModel};
use crate::{Error, Result, judge};

/// Name of a file below the run's artifacts, and its content.
pub(crate) type File = (String, Vec<u8>);

/// Charts and report of the predictions for the holdout.
pub(crate) fn evaluation(
    model: &FittedModel,
    holdout: &RecordBatch,
    predictions: &Predictions,
) -> Result<Vec<File>> {
    let truth = holdout.columns().last().ok_or(Error::EmptyTable)?;
    let mut files = match model.task() {
        Task::Regression => {
            let doubles = |array| {
                let array = cast(array, &DataType::Float64)?;
                Ok::<_, Error>(array.as_primitive::<Float64Type>().values().to_vec())
            };
            let pairs: Vec<(f64, f64)> =
                doubles(truth)?.into_iter().zip(doubles(&predictions.values)?).collect();
            vec![("residuals.svg".to_owned(), chart::residuals::scatter(&pairs).0.into_bytes())]
        }
        Task::Classification | Task::Auto => {
            let texts = |array| {
                let column = Column::read("class", array)?;
                Ok::<_, Error>((0..column.len()).map(|row| column.text(row)).collect::<Vec<_>>())
            };
            classification(&texts(truth)?, &texts(&predictions.values)?, predictions)?
        }
    };
    files.extend(importance(model)?);
    Ok(files)
}

fn classification(
    truth: &[String],
    predicted: &[String],
    predictions: &Predictions,
) -> Result<Vec<File>> {
    let confusion = Confusion::new(truth, predicted);
    let matrix = json!({
        "labels": confusion.labels,
        "rows": "true class",
        "columns": "predicted class",
        "counts": confusion.counts,
    });
    let note = format!("{} holdout rows, accuracy {:.3}", confusion.rows(), confusion.accuracy());
    let drawing = chart::confusion::matrix(&confusion.labels, &confusion.counts, &note);
    let mut files = vec![
        ("confusion_matrix.svg".to_owned(), drawing.0.into_bytes()),
        ("confusion_matrix.json".to_owned(), pretty(&matrix)?),
        ("classification_report.txt".to_owned(), confusion.report().into_bytes()),
    ];
    if let Some(probabilities) = &predictions.probabilities {
        let width = probabilities.classes.len();
        // Of two classes the second says it all.
        let first = usize::from(width == 2);
        let lines: Vec<chart::roc::Line> = (first..width)
            .filter_map(|class| {
                let name = &probabilities.classes[class];
                let scores = truth
                    .iter()
                    .zip(probabilities.values.chunks(width))
                    .map(|(truth, row)| (row[class], truth == name));
                let curve = Curve::new(scores.collect());
                let area = curve.area();
                area.is_finite().then(|| chart::roc::Line {
                    name: format!("{name} (area {area:.3})"),
                    points: curve.rates(),
                })
            })
            .collect();
        if !lines.is_empty() {
            files.push(("roc_curve.svg".to_owned(), chart::roc::curves(&lines).0.into_bytes()));
        }
    }
    Ok(files)
}

fn importance(model: &FittedModel) -> Result<Vec<File>> {
    let importances = model.importances();
    let (kind, title) = match &model.fitted {
        Fitted::Forest(_) => ("impurity", "Feature importance (decrease of impurity)"),
        Fitted::Linear(linear) if linear.coefficients.len() > 2 => {
            ("mean_absolute_coefficient", "Coefficients (mean size over the classes)")
        }
        Fitted::Linear(_) => ("coefficient", "Coefficients"),
    };
    let features: Vec<_> = importances
        .iter()
        .map(|(name, weight)| json!({ "feature": name, "importance": weight }))
        .collect();
    let all = json!({ "kind": kind, "features": features });
    Ok(vec![
        (
            "feature_importance.svg".to_owned(),
            chart::importance::bars(&importances, title).0.into_bytes(),
        ),
        ("feature_importance.json".to_owned(), pretty(&all)?),
    ])
}

/// Holdout rows whose predictions are explained: enough for a mean, and seconds even for deep forests.
const EXPLAINED_ROWS: usize = 200;

/// Rows that are explained at once, by one thread.
const ROWS_AT_ONCE: usize = 10;

/// How much each column gives to predictions: the mean size of its contributions (SHAP values) over holdout rows.
pub(crate) fn contributions(model: &LoadedModel, holdout: &RecordBatch) -> Result<Vec<File>> {
    let rows = holdout.num_rows().min(EXPLAINED_ROWS);
    let input = judge::input_of(model, &holdout.slice(0, rows))?;
    let parts: Vec<usize> = (0..rows).step_by(ROWS_AT_ONCE).collect();
    let explained = parts.par_iter().map(|&first| -> Result<_, trainyard_models::Error> {
        let part = input.slice(first, ROWS_AT_ONCE.min(rows - first));
        let part = model.predictor.explain(&part, None)?;
        // No more than that is kept: all contributions of many columns to many classes are gigabytes.
        let sizes = part.mean_sizes();
        Ok((part.columns, part.explained, part.rows, sizes))
    });
    let parts = match explained.collect::<Result<Vec<_>, trainyard_models::Error>>() {
        Ok(parts) => parts,
        // What cannot be explained, or is too wide for it, has no such file. The model is no worse for that.
        Err(trainyard_models::Error::Unsupported { .. } | trainyard_models::Error::Input(_)) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error.into()),
    };
    let Some((columns, explained, ..)) = parts.first() else { return Ok(Vec::new()) };
    let mut sizes: Vec<(String, f64)> = columns.iter().map(|name| (name.clone(), 0.0)).collect();
    for (_, _, count, part) in &parts {
        for ((_, sum), size) in sizes.iter_mut().zip(part) {
            *sum += size * *count as f64 / rows as f64;
        }
    }
    sizes.sort_by(|a, b| b.1.total_cmp(&a.1));
    let features: Vec<_> =
        sizes.iter().map(|(name, size)| json!({ "feature": name, "importance": size })).collect();
    let all = json!({
        "kind": "mean_absolute_contribution",
        "explains": explained.name(),
        "rows": rows,
        "features": features,
    });
    let title = format!("Contributions to the {} (mean size)", explained.name());
    Ok(vec![
        (
            "feature_contributions.svg".to_owned(),
            chart::importance::bars(&sizes, &title).0.into_bytes(),
        ),
        ("feature_contributions.json".to_owned(), pretty(&all)?),
    ])
}

/// The training rows with what the model says of them: what production is compared with.
pub(crate) fn reference(train: &RecordBatch, predictions: &Predictions) -> Result<Vec<File>> {
    let mut name = "prediction".to_owned();
    while train.column_by_name(&name).is_some() {
        name.push('_');
    }
    let schema = train.schema_ref();
    let field = Field::new(name, predictions.values.data_type().clone(), false);
    let fields: Vec<_> =
        schema.fields().iter().cloned().chain(std::iter::once(Arc::new(field))).collect();
    let mut columns = train.columns().to_vec();
    columns.push(Arc::clone(&predictions.values));
    let table = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;

    let folder = tempfile::tempdir().map_err(|error| Error::io(&std::env::temp_dir(), error))?;
    let mut files = Vec::new();
    for (name, is_parquet) in [("train_reference.parquet", true), ("train_reference.csv", false)] {
        let path = folder.path().join(name);
        if is_parquet {
            trainyard_data::write_parquet(&path, &table)?;
        } else {
            trainyard_data::write_csv(&path, &table)?;
        }
        let bytes = std::fs::read(&path).map_err(|error| Error::io(&path, error))?;
        files.push((name.to_owned(), bytes));
    }
    // With how each column is compared decided now, so that days compare.
    let profile = Profile::new(&table).pin(&Options::default());
    let mut bytes = Vec::new();
    profile.write(&mut bytes).map_err(|error| Error::Internal(error.to_string()))?;
    files.push(("train_reference.profile".to_owned(), bytes));
    Ok(files)
}

fn pretty(value: &serde_json::Value) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(value).map_err(|error| Error::Internal(error.to_string()))
}
