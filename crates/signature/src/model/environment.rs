//! The files that say in which Python a model folder can be loaded.

use std::path::Path;

use serde::Serialize;

use super::file;
use crate::{Error, Result};

/// Files that [`Environment::write`] writes.
pub(super) const CONDA_FILE: &str = "conda.yaml";
pub(super) const PYTHON_ENV_FILE: &str = "python_env.yaml";
const REQUIREMENTS_FILE: &str = "requirements.txt";

/// The Python and packages that a model needs when Python loads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Such as `3.11.7`.
    pub python_version: String,
    /// One requirement a line of `requirements.txt`, with its version: `onnx==1.23.2`.
    pub requirements: Vec<String>,
}

impl Environment {
    /// What `mlflow.pyfunc.load_model` needs for an ONNX model: versions that are tested together.
    pub fn onnx() -> Self {
        Self {
            python_version: "3.11.7".to_owned(),
            requirements: [
                "mlflow==3.17.2",
                "numpy==2.4.6",
                "onnx==1.23.2",
                "onnxruntime==1.32.0",
                "pandas==3.0.6",
            ]
            .map(str::to_owned)
            .to_vec(),
        }
    }

    /// Writes `conda.yaml`, `python_env.yaml` and `requirements.txt` into `folder`.
    pub fn write(&self, folder: &Path) -> Result<()> {
        file::write(&folder.join(CONDA_FILE), self.conda_yaml()?.as_bytes())?;
        file::write(&folder.join(PYTHON_ENV_FILE), self.python_env_yaml()?.as_bytes())?;
        file::write(&folder.join(REQUIREMENTS_FILE), self.requirements_text().as_bytes())
    }

    fn requirements_text(&self) -> String {
        self.requirements.join("\n")
    }

    fn python_env_yaml(&self) -> Result<String> {
        #[derive(Serialize)]
        struct PythonEnvFile<'a> {
            python: &'a str,
            build_dependencies: [&'a str; 3],
            dependencies: [&'a str; 1],
        }
        to_yaml(&PythonEnvFile {
            python: &self.python_version,
            build_dependencies: ["pip", "setuptools", "wheel"],
            dependencies: ["-r requirements.txt"],
        })
    }

    fn conda_yaml(&self) -> Result<String> {
        // Written by hand: its list mixes text and one mapping. Text is quoted, because the
        // requirements come from outside.
        let python = quoted(&format!("python={}", self.python_version))?;
        let mut text = format!("channels:\n- conda-forge\ndependencies:\n- {python}\n- pip\n");
        if !self.requirements.is_empty() {
            text.push_str("- pip:\n");
        }
        for requirement in &self.requirements {
            text.push_str("  - ");
            text.push_str(&quoted(requirement)?);
            text.push('\n');
        }
        text.push_str("name: mlflow-env\n");
        Ok(text)
    }
}

/// A YAML scalar in double quotes: JSON's escapes are YAML's.
fn quoted(value: &str) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::internal(format!("cannot quote {value:?}: {error}")))
}

/// YAML as PyYAML lays it out: lists not indented, no folded blocks.
pub(super) fn to_yaml<T: Serialize>(value: &T) -> Result<String> {
    let options = serde_saphyr::ser_options! {
        compact_list_indent: true,
        prefer_block_scalars: false,
    };
    serde_saphyr::to_string_with_options(value, options)
        .map_err(|error| Error::internal(format!("cannot write YAML: {error}")))
}
