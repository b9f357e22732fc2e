//! What to train: the settings of a project file, checked.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use trainyard_base::Advise as _;

use crate::algorithm::Algorithm;
use crate::holdout::Holdout;
use crate::parameters::{self, Estimator};
use crate::{Error, Result};

/// What kind of value is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// From the algorithm and the target column: text, booleans and integers of at most
    /// [`AUTO_CLASSES_MAX`] different values are classes, everything else is a quantity.
    #[default]
    Auto,
    /// One of several classes.
    Classification,
    /// A quantity.
    Regression,
}

/// Most different whole numbers that [`Task::Auto`] takes for classes.
pub const AUTO_CLASSES_MAX: usize = 20;

/// What to do about missing feature values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingValues {
    /// Numbers become the median of the training rows, in the model itself, so that a request
    /// without the value gets the same treatment; a missing category is none of the known ones.
    #[default]
    Impute,
    /// Rows with a missing value are left out.
    Drop,
    /// A missing value is an error.
    Refuse,
}

/// Everything that decides how a model is trained and where it is logged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// How to train.
    pub algorithm: Algorithm,
    /// Column to predict.
    pub target: String,
    /// Columns to predict from; all but the target if none.
    pub features: Option<Vec<String>>,
    /// Columns to leave out.
    pub exclude: Vec<String>,
    /// Columns whose values are categories even though they look like numbers.
    pub categorical: Vec<String>,
    /// Classification or regression.
    pub task: Task,
    /// How rows are held out.
    pub holdout: Holdout,
    /// Column all of whose rows with one value are on one side of [`Holdout::Hash`].
    pub id: Option<String>,
    /// The class that `precision`, `recall`, `f1`, `average_precision` and `brier` are about; the second of two
    /// if none.
    pub positive: Option<String>,
    /// Share of the rows that is held out at random or by hash, between 0 and 1.
    pub test_size: f64,
    /// Seed of the random split and of the algorithm.
    pub seed: u32,
    /// Whether both parts of a random split get the same share of every class; yes for classification if none.
    pub stratify: Option<bool>,
    /// What to do about missing feature values.
    pub missing: MissingValues,
    /// Hyper-parameters by scikit-learn's names; what is not given has scikit-learn's default.
    pub params: BTreeMap<String, serde_json::Value>,
    /// Experiment the run is logged to; created if there is none.
    pub experiment: String,
    /// Name of the run; a random one if none.
    pub run_name: Option<String>,
    /// Registered model that gets a new version; none is registered if none.
    pub registered_model_name: Option<String>,
    /// Tags of the run.
    pub tags: BTreeMap<String, String>,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::default(),
            target: "target".to_owned(),
            features: None,
            exclude: Vec::new(),
            categorical: Vec::new(),
            task: Task::Auto,
            holdout: Holdout::default(),
            id: None,
            positive: None,
            test_size: 0.2,
            seed: 42,
            stratify: None,
            missing: MissingValues::default(),
            params: BTreeMap::new(),
            experiment: "Default".to_owned(),
            run_name: None,
            registered_model_name: None,
            tags: BTreeMap::new(),
        }
    }
}

impl TrainConfig {
    /// Checks what can be checked without data, so that a project file with a slip fails at once.
    pub fn validate(&self) -> Result<()> {
        self.estimator()?;
        if !(self.test_size > 0.0 && self.test_size < 1.0) {
            return Err(Error::BadParameter {
                name: "test_size".to_owned(),
                value: self.test_size.to_string(),
                allowed: "between 0 and 1, both excluded".to_owned(),
            });
        }
        if let (Some(id), false) = (&self.id, self.holdout == Holdout::Hash) {
            return Err(Error::BadParameter {
                name: "id".to_owned(),
                value: format!("{id:?}"),
                allowed: "left out, or used with holdout = \"hash\"".to_owned(),
            });
        }
        match (self.algorithm, self.task) {
            (Algorithm::LogisticRegression, Task::Regression) => {
                Err(Error::WrongTask { algorithm: self.algorithm, task: "regression" })
            }
            (Algorithm::LinearRegression, Task::Classification) => {
                Err(Error::WrongTask { algorithm: self.algorithm, task: "classification" })
            }
            _ => Ok(()),
        }
    }

    /// Columns that say on which side of the holdout a row is, and what each is configured as.
    pub(crate) fn side_columns(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let id = self.id.as_deref().map(|name| (name, "id"));
        id.into_iter().chain(self.holdout.column().map(|name| (name, "column of the holdout")))
    }

    /// Whether each part has the same share of every class.
    pub(crate) fn is_stratified(&self) -> bool {
        self.holdout == Holdout::Random && self.stratify.unwrap_or(true)
    }

    /// The algorithm with its hyper-parameters, checked.
    pub fn estimator(&self) -> Result<Estimator> {
        parameters::read(self.algorithm, &self.params)
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "random_forest" => Ok(Self::RandomForest),
            "logistic_regression" => Ok(Self::LogisticRegression),
            "linear_regression" => Ok(Self::LinearRegression),
            _ => Err(Error::UnknownAlgorithm { given: name.to_owned() }),
        }
    }
}

impl TryFrom<String> for Algorithm {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        name.parse().map_err(|error: Error| error.sentence())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> Result<TrainConfig, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn settings_have_defaults_and_unknown_ones_are_refused() {
        let read = config(r#"{"target": "species", "params": {"n_estimators": 10}}"#).unwrap();
        assert_eq!(read.algorithm, Algorithm::RandomForest);
        assert_eq!(read.test_size, 0.2);
        assert!(config(r#"{"targets": "species"}"#).is_err());
        let error = config(r#"{"algorithm": "random_forrest"}"#).unwrap_err().to_string();
        assert!(error.contains("linear_regression"), "{error}");
    }

    #[test]
    fn slips_are_found_without_data() {
        let refused = |json: &str| config(json).unwrap().validate().unwrap_err().to_string();
        assert!(refused(r#"{"test_size": 1.5}"#).starts_with("test_size = 1.5 is not possible"));
        assert!(refused(r#"{"params": {"n_trees": 5}}"#).contains("no parameter \"n_trees\""));
        let wrong = r#"{"algorithm": "linear_regression", "task": "classification"}"#;
        assert_eq!(refused(wrong), "linear_regression does not do classification");
    }
}
