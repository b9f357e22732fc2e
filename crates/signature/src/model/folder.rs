//! A whole model folder at once: what training writes and Python's `mlflow` loads.

use std::path::Path;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use trainyard_base::words::MLFLOW_VERSION;

use super::environment::{CONDA_FILE, Environment, PYTHON_ENV_FILE};
use super::file;
use super::flavors::{Flavors, OnnxFlavor, PythonEnv, PythonFunctionFlavor};
use super::input_example::InputExample;
use super::mlmodel::MlModel;
use super::signature::Signature;
use crate::{Error, Result};

/// Everything that goes into a model folder. Start with [`ModelFolder::onnx`] or from the fields.
#[derive(Debug, Clone)]
pub struct ModelFolder {
    pub flavors: Flavors,
    /// Files of the flavors and whatever else belongs to the model: path in the folder, content.
    pub files: Vec<(String, Bytes)>,
    pub signature: Option<Signature>,
    pub input_example: Option<InputExample>,
    pub environment: Environment,
    /// What the user attached, shown and kept as it is.
    pub metadata: std::collections::BTreeMap<String, serde_json::Value>,
    pub run_id: Option<String>,
    /// `m-…`, when the folder is going to be a logged model.
    pub model_id: Option<String>,
    /// Artifact URI that the folder is going to be uploaded to.
    pub artifact_path: Option<String>,
    pub created: DateTime<Utc>,
}

impl ModelFolder {
    /// A folder with the flavors `onnx` and `python_function` around a graph.
    pub fn onnx(graph: impl Into<Bytes>, signature: Signature, created: DateTime<Utc>) -> Self {
        const FILE: &str = "model.onnx";
        let environment = Environment::onnx();
        let onnx_version = environment
            .requirements
            .iter()
            .find_map(|requirement| requirement.strip_prefix("onnx=="))
            .map(str::to_owned);
        let flavors = Flavors {
            onnx: Some(OnnxFlavor {
                data: FILE.to_owned(),
                onnx_version,
                providers: vec!["CPUExecutionProvider".to_owned()],
                ..OnnxFlavor::default()
            }),
            python_function: Some(PythonFunctionFlavor {
                data: Some(FILE.to_owned()),
                env: Some(PythonEnv {
                    conda: Some(CONDA_FILE.to_owned()),
                    virtualenv: Some(PYTHON_ENV_FILE.to_owned()),
                }),
                loader_module: "mlflow.onnx".to_owned(),
                python_version: Some(environment.python_version.clone()),
                ..PythonFunctionFlavor::default()
            }),
            ..Flavors::default()
        };
        Self {
            flavors,
            files: vec![(FILE.to_owned(), graph.into())],
            signature: Some(signature),
            input_example: None,
            environment,
            metadata: std::collections::BTreeMap::new(),
            run_id: None,
            model_id: None,
            artifact_path: None,
            created,
        }
    }

    /// Writes the folder (created if need be) and returns what its `MLmodel` says.
    pub fn write(&self, folder: impl AsRef<Path>) -> Result<MlModel> {
        let folder = folder.as_ref();
        std::fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
        for (name, content) in &self.files {
            let path = file::inside(folder, name)?;
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(|error| Error::io(parent, error))?;
            }
            file::write(&path, content)?;
        }
        self.environment.write(folder)?;
        let saved_input_example_info =
            self.input_example.as_ref().map(|example| example.write(folder)).transpose()?;
        let model = MlModel {
            artifact_path: self.artifact_path.clone(),
            flavors: self.flavors.clone(),
            is_signature_from_type_hint: false,
            metadata: (!self.metadata.is_empty()).then(|| self.metadata.clone()),
            mlflow_version: Some(MLFLOW_VERSION.to_owned()),
            model_id: self.model_id.clone(),
            model_size_bytes: Some(size(folder)?),
            model_uuid: Some(
                self.model_id.clone().unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string()),
            ),
            run_id: self.run_id.clone(),
            saved_input_example_info,
            signature: self.signature.clone(),
            type_hint_from_example: false,
            utc_time_created: Some(self.created.format("%Y-%m-%d %H:%M:%S%.6f").to_string()),
        };
        model.write(folder)?;
        Ok(model)
    }
}

/// Bytes of all files below `folder`.
fn size(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    let mut pending = vec![folder.to_path_buf()];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(&directory).map_err(|error| Error::io(&directory, error))? {
            let entry = entry.map_err(|error| Error::io(&directory, error))?;
            let metadata = entry.metadata().map_err(|error| Error::io(entry.path(), error))?;
            if metadata.is_dir() {
                pending.push(entry.path());
            } else {
                bytes += metadata.len();
            }
        }
    }
    Ok(bytes)
}
