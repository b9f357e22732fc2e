//! Input examples: a few rows that a model folder carries, and that serving tests itself with.

use std::path::Path;

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::file;
use super::mlmodel::MlModel;
use super::python_json;
use super::row_json::cell;
use crate::enforce::json;
use crate::{Error, Result};

const EXAMPLE_FILE: &str = "input_example.json";
const RECORDED_FILE: &str = "serving_output_example.json";
const SERVING_FILE: &str = "serving_input_example.json";
/// Largest example: it is a handful of rows, and a model server takes no larger request.
const BYTES_MAX: u64 = 16 << 20;
/// Largest recorded answer.
const RECORDED_BYTES_MAX: u64 = 16 << 20;
/// Most rows that [`InputExample::from_batch`] takes.
const ROWS_MAX: usize = 10_000;

/// `saved_input_example_info` of `MLmodel`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct InputExampleInfo {
    pub artifact_path: String,
    /// `split`, `records` or `values`, for a DataFrame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pandas_orient: Option<String>,
    /// `"true"` if the example has inference params beside the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serving_input_path: Option<String>,
    /// `dataframe`, `ndarray`, `json_object` or a kind of sparse matrix.
    #[serde(rename = "type")]
    pub kind: String,
}

/// An example as the body of a scoring request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputExample {
    /// JSON object with one of `dataframe_split`, `dataframe_records`, `inputs`, `instances`, and
    /// perhaps `params`: what `POST /invocations` takes.
    pub payload: String,
}

impl InputExample {
    /// The example of a model folder; none if it has none.
    pub fn read(folder: impl AsRef<Path>, model: &MlModel) -> Result<Option<Self>> {
        let folder = folder.as_ref();
        let Some(info) = &model.saved_input_example_info else { return Ok(None) };
        if let Some(serving) = &info.serving_input_path {
            let payload = file::read_text(folder, serving, BYTES_MAX)?;
            return Ok(Some(Self { payload }));
        }
        // Folders of MLflow before 2.16 hold only the data itself.
        let path = file::inside(folder, &info.artifact_path)?;
        let text = file::read_text(folder, &info.artifact_path, BYTES_MAX)?;
        let value =
            json::parse(&text).map_err(|error| file::bad(&path, format!("not JSON: {error}")))?;
        let (data, params) = match value {
            Value::Object(mut map) if info.params.is_some() => {
                (map.remove("inputs").unwrap_or_default(), map.remove("params"))
            }
            other => (other, None),
        };
        let mut payload = serde_json::Map::new();
        match (info.kind.as_str(), info.pandas_orient.as_deref()) {
            ("dataframe", Some("records")) => {
                drop(payload.insert("dataframe_records".into(), data));
            }
            ("dataframe", Some("values")) if data.is_array() => {
                drop(payload.insert("dataframe_split".into(), serde_json::json!({ "data": data })));
            }
            ("dataframe", _) => drop(payload.insert("dataframe_split".into(), data)),
            ("ndarray" | "json_object", _) => {
                // Some versions wrap an ndarray in `{"inputs": …}` already.
                let data = match data {
                    Value::Object(mut map) if map.len() == 1 && map.contains_key("inputs") => {
                        map.remove("inputs").unwrap_or_default()
                    }
                    other => other,
                };
                drop(payload.insert("inputs".into(), data));
            }
            (kind, _) => {
                return Err(file::bad(
                    &path,
                    format!("an input example of type {kind:?} cannot be sent to a model server"),
                ));
            }
        }
        if let Some(params) = params {
            payload.insert("params".into(), params);
        }
        Ok(Some(Self { payload: Value::Object(payload).to_string() }))
    }

    /// The recorded answer to the example, `serving_output_example.json`; none if the folder has none.
    /// MLflow does not write it; whoever logs a model may.
    pub fn recorded_answer(folder: impl AsRef<Path>) -> Result<Option<Value>> {
        let folder = folder.as_ref();
        if folder.join(RECORDED_FILE).symlink_metadata().is_err() {
            return Ok(None);
        }
        let text = file::read_text(folder, RECORDED_FILE, RECORDED_BYTES_MAX)?;
        let value = serde_json::from_str(&text)
            .map_err(|error| file::bad(&folder.join(RECORDED_FILE), error.to_string()))?;
        Ok(Some(value))
    }

    /// The example as JSON, which `payload` is not where Python wrote a missing value as `NaN`: those are
    /// null here. None if it is no JSON at all.
    pub fn to_json(&self) -> Option<Value> {
        json::parse(&self.payload).ok()
    }

    /// An example of the rows of `batch` (a few; at most 10,000), in the `dataframe_split` form.
    pub fn from_batch(batch: &RecordBatch) -> Result<Self> {
        Ok(Self {
            payload: python_json::to_string(&SplitPayload { dataframe_split: split(batch)? })?,
        })
    }

    /// Writes both files into `folder` and returns what `MLmodel` says of them.
    pub(super) fn write(&self, folder: &Path) -> Result<InputExampleInfo> {
        let value: Value = serde_json::from_str(&self.payload)
            .map_err(|error| Error::invalid(format!("the input example is not JSON: {error}")))?;
        let part = |key: &str| value.get(key).filter(|_| value.get("params").is_none());
        let (kind, pandas_orient, data) = match (part("dataframe_split"), part("inputs")) {
            (Some(split), _) => ("dataframe", Some("split".to_owned()), split),
            (None, Some(inputs)) => ("ndarray", None, inputs),
            (None, None) => {
                return Err(Error::invalid(
                    "an input example that is written has dataframe_split or inputs, and no params",
                ));
            }
        };
        file::write(&folder.join(EXAMPLE_FILE), python_json::to_string(data)?.as_bytes())?;
        let serving = serde_json::to_string_pretty(&value)
            .map_err(|error| Error::internal(format!("cannot write the input example: {error}")))?;
        file::write(&folder.join(SERVING_FILE), serving.as_bytes())?;
        Ok(InputExampleInfo {
            artifact_path: EXAMPLE_FILE.to_owned(),
            pandas_orient,
            params: None,
            serving_input_path: Some(SERVING_FILE.to_owned()),
            kind: kind.to_owned(),
        })
    }
}

#[derive(Serialize)]
struct SplitPayload {
    dataframe_split: Split,
}

#[derive(Serialize)]
struct Split {
    columns: Vec<String>,
    data: Vec<Vec<Value>>,
}

fn split(batch: &RecordBatch) -> Result<Split> {
    if batch.num_rows() == 0 || batch.num_rows() > ROWS_MAX {
        return Err(Error::invalid(format!(
            "an input example has 1 to {ROWS_MAX} rows, not {}",
            batch.num_rows()
        )));
    }
    let columns = batch.schema_ref().fields().iter().map(|field| field.name().clone()).collect();
    let row = |row| batch.columns().iter().map(|column| cell(column.as_ref(), row)).collect();
    let data = (0..batch.num_rows()).map(row).collect::<Result<_>>()?;
    Ok(Split { columns, data })
}
