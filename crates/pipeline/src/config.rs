//! `trainyard.toml`: what a project trains, how it is judged, and where it runs.
//!
//! Unknown keys are refused, with the line they stand on, so that a typo never silently means
//! "use the default".

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use trainyard_base::{Advise as _, duration};
use trainyard_train::{Algorithm, Holdout, MissingValues, Task, TrainConfig};

use crate::deploy_config::Deploy;
use crate::gate::{Gate, Source};
use crate::monitor::Settings;
use crate::notify::Notify;
use crate::serve_config::Serve;
use crate::watch_config::Watch;
use crate::{Error, Result, toml_error};

/// Name of the file in a project's folder.
pub const FILE_NAME: &str = "trainyard.toml";

/// A project file is written by hand: larger than this, it is something else.
const BYTES_MAX: u64 = 1 << 20;

/// All of `trainyard.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub model: Model,
    #[serde(default)]
    pub tracking: Tracking,
    pub train: Train,
    #[serde(default)]
    pub gate: Gate,
    #[serde(default)]
    pub deploy: Deploy,
    #[serde(default)]
    pub serve: Serve,
    #[serde(default)]
    pub monitor: Settings,
    #[serde(default)]
    pub watch: Watch,
    #[serde(default)]
    pub notify: Notify,
}

/// `[model]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Registered model that versions are added to.
    pub name: String,
}

/// `[tracking]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tracking {
    /// `http(s)://…`, or `sqlite:///…` relative to the project. `MLFLOW_TRACKING_URI` goes first.
    pub uri: Option<String>,
    /// Experiment of training runs; `/<model>_staging` if none.
    pub experiment: Option<String>,
}

/// `[train]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// A program that speaks MLflow, instead of a built-in algorithm.
    pub command: Option<String>,
    /// CSV or Parquet file, folder or glob, relative to the project.
    pub data: Option<String>,
    pub target: Option<String>,
    pub algorithm: Option<Algorithm>,
    /// Columns to learn from; all but the target if none.
    pub features: Option<Vec<String>>,
    /// Columns to leave out.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Columns of numbers that are names of something.
    #[serde(default)]
    pub categorical: Vec<String>,
    #[serde(default)]
    pub task: Task,
    /// How rows are held out. By hash unless told otherwise: rows that were held out once stay so.
    #[serde(default = "Train::default_holdout")]
    pub holdout: Holdout,
    /// Column all of whose rows with one value are on one side.
    pub id: Option<String>,
    /// The class that metrics of one class are about; the second of two if none.
    pub positive: Option<String>,
    #[serde(default = "Train::default_test_size")]
    pub test_size: f64,
    #[serde(default = "Train::default_seed")]
    pub seed: u32,
    /// Whether both parts of a random split get the same share of every class; yes for classification if none.
    pub stratify: Option<bool>,
    #[serde(default)]
    pub missing: MissingValues,
    /// Whether rows that `/feedback` labelled are learned from as well.
    #[serde(default)]
    pub feedback: bool,
    /// Hyper-parameters by scikit-learn's names.
    #[serde(default)]
    pub params: BTreeMap<String, serde_json::Value>,
}

impl Train {
    fn default_holdout() -> Holdout {
        Holdout::Hash
    }

    fn default_test_size() -> f64 {
        0.2
    }

    fn default_seed() -> u32 {
        42
    }
}

impl Config {
    /// Reads and checks `trainyard.toml` of a project folder.
    pub fn read(project: &Path) -> Result<Self> {
        let path = project.join(FILE_NAME);
        let size = std::fs::metadata(&path)
            .map_err(|source| Error::NoProject { path: path.clone(), source })?
            .len();
        if size > BYTES_MAX {
            return Err(Error::config(&path, format!("{size} bytes: a project file is small")));
        }
        let text = std::fs::read_to_string(&path)
            .map_err(|source| Error::NoProject { path: path.clone(), source })?;
        Self::parse(&text).map_err(|reason| Error::config(&path, reason))
    }

    /// Parses and checks the text of a `trainyard.toml`; the error names line and key.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut config: Self =
            toml::from_str(text).map_err(|error| toml_error::describe(text, &error))?;
        config.check()?;
        // Predictions that are not on this machine are monitored where they are.
        if config.monitor.current.is_none() {
            config.monitor.current.clone_from(&config.deploy.predictions);
        }
        Ok(config)
    }

    /// Rules that span keys.
    fn check(&self) -> Result<(), String> {
        if self.model.name.trim().is_empty() || self.model.name.contains(['/', ':']) {
            return Err(format!(
                "model.name = {:?}: must not be empty nor contain / or :",
                self.model.name
            ));
        }
        let train = &self.train;
        if train.command.is_none() {
            for (key, value) in [("data", &train.data), ("target", &train.target)] {
                if value.is_none() {
                    return Err(format!("[train] needs `{key}` (or a `command` that trains)"));
                }
            }
        } else if train.algorithm.is_some() {
            return Err("[train] has both `command` and `algorithm`; keep one".to_owned());
        }
        if train.feedback && (train.data.is_none() || train.target.is_none()) {
            return Err("[train] feedback needs `data`, which labelled rows are added to, and \
                 `target`, which they say the truth of"
                .to_owned());
        }
        if train.feedback && self.deploy.predictions.is_some() {
            return Err("[train] feedback reads the prediction log of this machine, and \
                 deploy.predictions has it written elsewhere; keep one"
                .to_owned());
        }
        if self.has_training_data() {
            let checked = self.train_config().validate();
            checked.map_err(|error| format!("[train] {}", error.sentence()))?;
        }
        self.gate.check(self.knows_its_metrics())?;
        self.deploy.check()?;
        self.serve.check(&self.model.name)?;
        self.check_log()?;
        self.watch.check()?;
        self.notify.check()?;
        self.monitor.check()
    }

    /// What is monitored must still be there.
    fn check_log(&self) -> Result<(), String> {
        let since = self.monitor.since.as_deref();
        let window = since.and_then(|since| duration::parse(since).ok());
        match (self.serve.log.keep, window) {
            (Some(keep), Some(window)) if keep < window => Err(format!(
                "serve.log.keep is shorter than monitor.since = {:?}: what is to be compared \
                 would be gone",
                since.unwrap_or_default()
            )),
            _ => Ok(()),
        }
    }

    /// Whether there are data to hold rows out of: a built-in algorithm has them, a command may.
    pub(crate) fn has_training_data(&self) -> bool {
        self.train.data.is_some() && self.train.target.is_some()
    }

    /// Whether it is known beforehand which metrics a version has.
    pub(crate) fn knows_its_metrics(&self) -> bool {
        self.train.command.is_none()
            || (self.has_training_data() && self.gate.metrics == Source::Holdout)
    }

    /// What the built-in algorithms are told, and how rows are held out. Paths are as they are written:
    /// [`crate::Project::train_config`] has them from the project.
    pub fn train_config(&self) -> TrainConfig {
        let train = &self.train;
        // A command's hyper-parameters are its own affair.
        let params =
            if train.command.is_none() { train.params.clone() } else { BTreeMap::default() };
        TrainConfig {
            algorithm: train.algorithm.unwrap_or_default(),
            target: train.target.clone().unwrap_or_default(),
            features: train.features.clone(),
            exclude: train.exclude.clone(),
            categorical: train.categorical.clone(),
            task: train.task,
            holdout: train.holdout.clone(),
            id: train.id.clone(),
            positive: train.positive.clone(),
            test_size: train.test_size,
            seed: train.seed,
            stratify: train.stratify,
            missing: train.missing,
            params,
            experiment: self.experiment(),
            run_name: None,
            registered_model_name: Some(self.model.name.clone()),
            tags: BTreeMap::new(),
        }
    }

    /// Experiment that training logs to.
    pub fn experiment(&self) -> String {
        self.tracking
            .experiment
            .clone()
            .unwrap_or_else(|| format!("/{}_staging", self.model.name.to_lowercase()))
    }

    /// Experiment that monitoring logs to, beside the one of training.
    pub fn monitoring_experiment(&self) -> String {
        trainyard_base::words::monitoring_experiment(&self.experiment())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str = "[model]\nname = \"Iris\"\n[train]\ndata = \"a.csv\"\ntarget = \"y\"\n";

    fn refusal(extra: &str) -> String {
        Config::parse(&format!("{SMALLEST}{extra}")).unwrap_err()
    }

    #[test]
    fn defaults_are_filled_in() {
        let config = Config::parse(SMALLEST).unwrap();
        assert_eq!(config.experiment(), "/iris_staging");
        assert_eq!(config.train.seed, 42);
        assert_eq!(config.deploy.listen.port(), 8080);
        assert_eq!(config.monitor.options().drift_share, 0.5);
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let message = refusal("algoritm = \"random_forest\"\n");
        assert!(message.contains("line 6"), "{message}");
        assert!(message.contains("algoritm") && message.contains("algorithm"), "{message}");
    }

    #[test]
    fn rules_that_span_keys() {
        for (extra, expected) in [
            ("test_size = 1.5\n", "test_size"),
            ("holdout = \"hashed\"\n", "newest = 0.2"),
            ("holdout = \"random\"\nid = \"customer\"\n", "holdout = \"hash\""),
            ("[gate]\napprovals = 21\n", "up to 20"),
            ("[gate]\nundecided = \"maybe\"\n", "`pass` or `refuse`"),
            ("[gate]\nmetrics = \"mine\"\n", "`holdout` or `logged`"),
            ("[gate.not_worse_than_production]\naccuracy = -0.1\n", "0 or more"),
            ("command = \"x\"\nalgorithm = \"random_forest\"\n", "keep one"),
            ("[gate.thresholds]\naccuracy = {}\n", "min"),
            ("[gate.thresholds]\nrmse = { min = 2, max = 1 }\n", "above"),
            ("[gate.thresholds]\nrmse = { max = nan }\n", "nan"),
            ("[deploy]\ndeadline = \"soon\"\n", "duration"),
            ("[monitor]\ndrift_share = 3.0\n", "share"),
            ("[deploy]\nruntime = \"docker\"\n", "needs `image`"),
            ("[deploy]\nmemory = \"1g\"\n", "runtime = \"docker\""),
            ("[deploy]\nruntime = \"docker\"\nimage = \"a\"\nmemory = \"lots\"\n", "512MiB"),
            ("[deploy]\nruntime = \"docker\"\nimage = \"a\"\ncpus = 0.0\n", "cpus"),
            ("[watch]\nevery = \"1h\"\ncron = \"0 3 * * *\"\n", "keep one"),
            ("[watch]\ncron = \"0 25 * * *\"\n", "hour"),
            ("[notify]\non = [\"everything\"]\n", "unknown variant"),
            ("[serve.log]\nkeep = \"1d\"\n[monitor]\nsince = \"7d\"\n", "monitor.since"),
            ("[notify]\nwebhook_secret_env = \"S\"\n", "webhook_url_env"),
            ("[notify]\nlink = \"https://me:secret@h\"\n", "notify.link"),
            ("[notify.email]\nserver = \"h\"\nfrom = \"me\"\nto = []\n", "[notify.email] from"),
            ("[[notify.alertmanager]]\nurl = \"h\"\n", "[[notify.alertmanager]] url"),
        ] {
            let message = refusal(extra);
            assert!(message.contains(expected), "{extra}: {message}");
        }
    }

    #[test]
    fn a_training_command_needs_no_data() {
        let text = "[model]\nname = \"Iris\"\n[train]\ncommand = \"python src/train.py\"\n";
        assert!(Config::parse(text).is_ok());
        assert!(Config::parse("[model]\nname = \"Iris\"\n[train]\n").is_err());
        let error = Config::parse(&format!("{text}feedback = true\n")).unwrap_err();
        assert!(error.contains("feedback needs `data`"), "{error}");
    }

    #[test]
    fn rows_are_held_out_by_what_they_are_unless_told_otherwise() {
        assert_eq!(Config::parse(SMALLEST).unwrap().train_config().holdout, Holdout::Hash);
        let date = "holdout = { column = \"date\", after = 2026-09-01 }\n";
        let config = Config::parse(&format!("{SMALLEST}{date}")).unwrap();
        let (column, after) = ("date".to_owned(), "2026-09-01".to_owned());
        assert_eq!(config.train.holdout, Holdout::After { column, after });
    }

    #[test]
    fn metrics_of_a_program_are_known_where_trainyard_finds_them() {
        let parse = |train: &str, gate: &str| {
            Config::parse(&format!(
                "[model]\nname = \"Iris\"\n[train]\ncommand = \"x\"\n{train}[gate]\n{gate}\
                 [gate.thresholds]\nprofit = {{ min = 1 }}\n"
            ))
        };
        let data = "data = \"a.csv\"\ntarget = \"y\"\n";
        assert!(parse(data, "").unwrap_err().contains("\"profit\""));
        assert!(parse(data, "metrics = \"logged\"\n").is_ok());
        assert!(parse("", "").is_ok());
    }
}
