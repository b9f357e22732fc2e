//! What a run says of the data it read.

use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use trainyard_mlflow::entities::{Dataset, DatasetInput, Tag};
use trainyard_mlflow::uri::without_credentials;
use trainyard_signature::model::infer_schema;

use crate::Result;
use crate::column::Column;

/// Longest schema that is logged, as upstream cuts it off (`mlflow.utils.validation`).
const SCHEMA_BYTES_MAX: usize = 65_535;

/// Where a table came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSource {
    /// Short name of the data set.
    pub name: String,
    /// MLflow's kind of source: `local`, `http`, `s3`, `code`.
    pub source_type: String,
    /// Path or URI.
    pub uri: String,
}

impl DataSource {
    /// A file, folder or pattern on this machine, or a URI.
    pub fn new(uri: &str) -> Self {
        let source_type = match uri.split_once("://") {
            Some(("http" | "https", _)) => "http",
            Some(("s3", _)) => "s3",
            _ => "local",
        };
        let stem = Path::new(uri).file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let name = stem.filter(|stem| !stem.is_empty() && stem != "-");
        Self {
            name: name.unwrap_or_else(|| "dataset".to_owned()),
            source_type: source_type.to_owned(),
            uri: uri.to_owned(),
        }
    }

    /// The folder that the data is in, if it is on this machine.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        if self.source_type != "local" {
            return None;
        }
        let path = std::path::absolute(&self.uri).ok()?;
        path.ancestors().skip(1).find(|folder| folder.is_dir()).map(Path::to_path_buf)
    }
}

/// Hash of the content: names and values of all columns, in order, whatever the file format.
/// 64 hexadecimal digits.
pub fn digest(table: &RecordBatch) -> Result<String> {
    let mut hash = Sha256::new();
    for (field, array) in table.schema_ref().fields().iter().zip(table.columns()) {
        hash.update((field.name().len() as u64).to_le_bytes());
        hash.update(field.name().as_bytes());
        Column::read_as_written(field.name(), array)?.hash_into(&mut hash);
    }
    Ok(hex::encode(hash.finalize()))
}

/// The part of a digest that MLflow shows: as long as its own.
pub(crate) fn short(digest: &str) -> String {
    digest.chars().take(8).collect()
}

/// The table as input of a run. `context` is `training` or `eval`.
pub fn input(
    source: &DataSource,
    name: &str,
    table: &RecordBatch,
    digest: &str,
    context: &str,
) -> Result<DatasetInput> {
    let elements = table.num_rows() * table.num_columns();
    let schema = infer_schema(table)?.to_json()?;
    let schema = format!("{{\"mlflow_colspec\": {schema}}}");
    Ok(DatasetInput {
        tags: vec![Tag::new("mlflow.data.context", context)],
        dataset: Dataset {
            name: name.to_owned(),
            digest: short(digest),
            source_type: source.source_type.clone(),
            source: json!({ "uri": without_credentials(&source.uri) }).to_string(),
            schema: (schema.len() <= SCHEMA_BYTES_MAX).then_some(schema),
            profile: Some(
                json!({ "num_rows": table.num_rows(), "num_elements": elements }).to_string(),
            ),
        },
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, Int64Array};

    use super::*;

    #[test]
    fn digest_is_of_the_content() {
        let table = |name: &str, column: ArrayRef| {
            digest(&RecordBatch::try_from_iter([(name, column)]).unwrap()).unwrap()
        };
        let floats = |values: Vec<Option<f64>>| Arc::new(Float64Array::from(values)) as ArrayRef;
        let base = table("x", floats(vec![Some(1.0), None]));
        assert_eq!(base, table("x", floats(vec![Some(1.0), Some(f64::NAN)])));
        assert_eq!(base, table("x", Arc::new(Int64Array::from(vec![Some(1), None]))));
        assert_ne!(base, table("y", floats(vec![Some(1.0), None])));
        assert_ne!(base, table("x", floats(vec![None, Some(1.0)])));
        assert_eq!(base.len(), 64);
    }

    #[test]
    fn sources_are_named_by_their_file() {
        let source = DataSource::new("data/train.csv");
        assert_eq!((source.name.as_str(), source.source_type.as_str()), ("train", "local"));
        assert_eq!(DataSource::new("https://example.com/a/iris.csv?x=1").source_type, "http");
        assert_eq!(DataSource::new("-").name, "dataset");
    }
}
