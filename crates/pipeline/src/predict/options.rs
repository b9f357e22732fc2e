//! What a table is scored with, and what becomes of it.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use trainyard_mlflow::uri::ModelUri;
use trainyard_serve::PythonOptions;

use super::shard::Shard;

/// A format that tables are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TableFormat {
    Parquet,
    Csv,
}

impl TableFormat {
    /// How names of its files end, without the dot.
    pub(super) fn ending(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
        }
    }

    /// The format that a file of this name has.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        [Self::Parquet, Self::Csv]
            .into_iter()
            .find(|format| name.ends_with(&format!(".{}", format.ending())))
    }
}

impl fmt::Display for TableFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.ending())
    }
}

/// A model that was asked for, by a name of its own or by that which it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedModel {
    pub name: Option<String>,
    pub uri: ModelUri,
}

impl AskedModel {
    /// Whether it answers for a model that was served by this name: one without a name of its own does for any.
    pub fn answers_for(&self, model: &str) -> bool {
        self.name.as_deref().is_none_or(|name| name == model)
    }
}

/// A table to score.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, each a flag of the verb")]
pub struct PredictOptions {
    pub models: Vec<AskedModel>,
    /// CSV or Parquet file, folder, pattern or `s3://…`.
    pub input: String,
    /// A `.csv` or `.parquet` file, or a folder, also `s3://…`.
    pub output: String,
    /// Columns of the input that stand before the predictions.
    pub keep: Vec<String>,
    /// Whether classifiers give the probability of each class, too.
    pub probabilities: bool,
    /// Whether what each column gave to the answers stands beside them.
    pub explain: bool,
    /// How a folder is written; Parquet if none.
    pub format: Option<TableFormat>,
    /// Where rows that cannot be scored are told of; none to refuse a table with such.
    pub bad_rows: Option<PathBuf>,
    pub shard: Shard,
    /// Whether what another job wrote there is removed.
    pub overwrite: bool,
    /// Whether values are cast as MLflow's server does, even where that loses information.
    pub lenient: bool,
    /// Workers for models that only Python scores.
    pub python: Option<PythonOptions>,
    /// Whether the job is logged as a run, where there is tracking.
    pub log: bool,
    /// Whether the input is compared with what the model learned from.
    pub drift: bool,
}
