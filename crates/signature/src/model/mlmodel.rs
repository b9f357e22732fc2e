//! The `MLmodel` file.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::environment::to_yaml;
use super::file;
use super::flavors::Flavors;
use super::signature::Signature;
use super::signature_texts;
use crate::Result;

/// Name of the file in the model folder.
pub const MLMODEL_FILE: &str = "MLmodel";

/// Largest `MLmodel`: a signature of 100,000 columns is below 10 MB.
const BYTES_MAX: u64 = 64 << 20;
/// Deepest mapping; MLflow's own files are 4 deep.
const DEPTH_MAX: usize = 64;
/// Most YAML nodes; MLflow's own files have a hundred (a signature is one node).
const NODES_MAX: usize = 250_000;

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

/// What the `MLmodel` file says of a model folder. Fields are MLflow's own; keys stand in the order in which
/// PyYAML sorts them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MlModel {
    /// Artifact URI that the model was logged to; none in a folder that was only saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_path: Option<String>,
    pub flavors: Flavors,
    pub is_signature_from_type_hint: bool,
    /// What the user attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, serde_json::Value>>,
    /// MLflow that wrote it, or the one it was written for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mlflow_version: Option<String>,
    /// `m-…` of the logged model.
    pub model_id: Option<String>,
    /// Bytes of all files but `MLmodel` itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_size_bytes: Option<u64>,
    pub model_uuid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saved_input_example_info: Option<InputExampleInfo>,
    #[serde(skip_serializing_if = "Option::is_none", with = "signature_texts")]
    pub signature: Option<Signature>,
    pub type_hint_from_example: bool,
    /// `YYYY-mm-dd HH:MM:SS.ffffff`, UTC.
    pub utc_time_created: Option<String>,
}

impl MlModel {
    /// Reads `MLmodel` of a model folder.
    pub fn read(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let text = file::read_text(folder, MLMODEL_FILE, BYTES_MAX)?;
        Self::parse(&text, &folder.join(MLMODEL_FILE))
    }

    /// Reads the text of an `MLmodel` file; errors name `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! { max_depth: DEPTH_MAX, max_nodes: NODES_MAX },
            leading_zero_numbers_as_strings: true,
            underscored_numbers_as_strings: true,
        };
        // Without the line: the message is shown to whoever asks for `/health`.
        serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| file::bad(path, error.without_snippet().to_string()))
    }

    /// Writes `MLmodel` into a model folder, whole or not at all.
    pub fn write(&self, folder: impl AsRef<Path>) -> Result<()> {
        file::write(&folder.as_ref().join(MLMODEL_FILE), self.to_yaml()?.as_bytes())
    }

    /// The text of the file.
    pub fn to_yaml(&self) -> Result<String> {
        to_yaml(self)
    }
}
