//! Reading cases.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Deserialize;
use serde_json::Value;
use trainyard_drift::{Compat, Kind, Options};

/// One pair of files with what Evidently said about it.
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    pub(crate) options: CaseOptions,
    pub(crate) report: Value,
    pub(crate) columns: BTreeMap<String, Value>,
    pub(crate) all_stattests: BTreeMap<String, BTreeMap<String, Value>>,
}

/// Arguments of Evidently's preset.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct CaseOptions {
    columns: Option<Vec<String>>,
    method: Option<String>,
    num_method: Option<String>,
    cat_method: Option<String>,
    per_column_method: BTreeMap<String, String>,
    threshold: Option<f64>,
    num_threshold: Option<f64>,
    cat_threshold: Option<f64>,
    per_column_threshold: BTreeMap<String, f64>,
    drift_share: Option<f64>,
    data_definition: Option<BTreeMap<String, Vec<String>>>,
}

impl CaseOptions {
    /// `None` when a method has an unknown name.
    pub(crate) fn build(&self, compat: Compat) -> Option<Options> {
        let parse = |name: &Option<String>| match name {
            Some(name) => name.parse().map(Some),
            None => Ok(None),
        };
        let mut options = Options {
            columns: self.columns.clone(),
            method: parse(&self.method).ok()?,
            num_method: parse(&self.num_method).ok()?,
            cat_method: parse(&self.cat_method).ok()?,
            threshold: self.threshold,
            num_threshold: self.num_threshold,
            cat_threshold: self.cat_threshold,
            per_column_threshold: self.per_column_threshold.clone(),
            compat,
            // Some cases are smaller than what is judged by default.
            min_samples: Some(1),
            ..Options::default()
        };
        for (column, method) in &self.per_column_method {
            options.per_column_method.insert(column.clone(), method.parse().ok()?);
        }
        if let Some(share) = self.drift_share {
            options.drift_share = share;
        }
        if let Some(definition) = &self.data_definition {
            let mut columns = Vec::new();
            for (key, kind) in
                [("numerical_columns", Kind::Numerical), ("categorical_columns", Kind::Categorical)]
            {
                for column in definition.get(key).into_iter().flatten() {
                    options.kinds.insert(column.clone(), kind);
                    columns.push(column.clone());
                }
            }
            options.columns = Some(columns);
        }
        Some(options)
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

/// All cases by name.
pub(crate) fn cases() -> BTreeMap<String, Case> {
    let file = File::open(folder().join("expected.json"))
        .unwrap_or_else(|error| panic!("expected.json: {error}"));
    serde_json::from_reader(std::io::BufReader::new(file))
        .unwrap_or_else(|error| panic!("expected.json: {error}"))
}

/// Reference and current of a case.
pub(crate) fn tables(name: &str) -> (RecordBatch, RecordBatch) {
    (
        read(&folder().join(format!("{name}.reference.parquet"))),
        read(&folder().join(format!("{name}.current.parquet"))),
    )
}

/// Reads a Parquet file as one batch, with the metadata of its schema.
pub(crate) fn read(path: &Path) -> RecordBatch {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let (schema, rows) =
        (builder.schema().clone(), builder.metadata().file_metadata().num_rows() as usize);
    let mut reader = builder.with_batch_size(rows.max(1)).build().unwrap();
    if let Some(batch) = reader.next() {
        return RecordBatch::try_new(schema, batch.unwrap().columns().to_vec()).unwrap();
    }
    let empty: Vec<ArrayRef> = schema
        .fields()
        .iter()
        .map(|field| arrow_array::new_empty_array(field.data_type()))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(0));
    RecordBatch::try_new_with_options(schema, empty, &options).unwrap()
}

/// A score as the cases write it: numbers, or "NaN", "inf", "-inf".
pub(crate) fn number(value: &Value) -> f64 {
    match value {
        Value::String(text) => text.parse().unwrap_or_else(|_| panic!("not a number: {text}")),
        other => other.as_f64().unwrap_or_else(|| panic!("not a number: {other}")),
    }
}

/// Equal to 1e-9 relative; below 1e-14 both are rounding noise of sums of order one.
pub(crate) fn close(got: f64, want: f64, tolerance: f64) -> bool {
    got == want
        || (got.is_nan() && want.is_nan())
        || (got - want).abs() <= tolerance * want.abs() + 1e-14
}
