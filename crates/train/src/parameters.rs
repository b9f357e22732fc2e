//! Hyper-parameters, by scikit-learn's names and with scikit-learn's defaults.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::{Error, Result};

/// Most trees of a forest: ten times what is ever useful, and a model of bearable size.
const TREES_MAX: usize = 10_000;
/// Most passes of a solver.
const ITERATIONS_MAX: usize = 1_000_000;

/// An algorithm with its hyper-parameters.
#[derive(Debug, Clone, PartialEq)]
pub enum Estimator {
    /// `RandomForestClassifier` or `RandomForestRegressor`.
    RandomForest(ForestParams),
    /// `LogisticRegression(solver="lbfgs")`.
    LogisticRegression(LogisticParams),
    /// `LinearRegression`.
    LinearRegression(LinearParams),
}

/// How a tree measures impurity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitCriterion {
    /// Gini impurity (classification, the default).
    Gini,
    /// Shannon entropy in bits (classification).
    Entropy,
    /// Mean squared error (regression, the default).
    SquaredError,
}

/// A number of things, or a share of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// So many.
    Count(usize),
    /// This share of all.
    Share(f64),
}

/// How many features a node looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxFeatures {
    /// The square root of their number (the default for classification).
    Sqrt,
    /// The binary logarithm of their number.
    Log2,
    /// A number or a share (all, the default for regression, is the share 1).
    Amount(Amount),
}

/// How classes are weighted against each other.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ClassWeight {
    /// All rows count the same.
    #[default]
    Equal,
    /// Rows of a class count inversely to its frequency in the training rows.
    Balanced,
    /// The same, by the frequency in the bootstrap sample of each tree.
    BalancedSubsample,
    /// A weight a class, 1 for those not named.
    ByClass(BTreeMap<String, f64>),
}

/// Parameters of a random forest.
#[derive(Debug, Clone, PartialEq)]
pub struct ForestParams {
    /// Number of trees.
    pub n_estimators: usize,
    /// Impurity; none for the task's default.
    pub criterion: Option<SplitCriterion>,
    /// Deepest a tree may grow; none for no limit.
    pub max_depth: Option<usize>,
    /// Fewest rows of a node that is split.
    pub min_samples_split: Amount,
    /// Fewest rows of a leaf.
    pub min_samples_leaf: Amount,
    /// Features a node looks at; none for the task's default.
    pub max_features: Option<MaxFeatures>,
    /// Least decrease of impurity, weighted by the node's share of the rows, that makes a split.
    pub min_impurity_decrease: f64,
    /// Whether each tree sees a sample drawn with replacement.
    pub bootstrap: bool,
    /// Size of that sample; none for as many as there are rows.
    pub max_samples: Option<Amount>,
    /// Class weights.
    pub class_weight: ClassWeight,
}

impl Default for ForestParams {
    fn default() -> Self {
        Self {
            n_estimators: 100,
            criterion: None,
            max_depth: None,
            min_samples_split: Amount::Count(2),
            min_samples_leaf: Amount::Count(1),
            max_features: None,
            min_impurity_decrease: 0.0,
            bootstrap: true,
            max_samples: None,
            class_weight: ClassWeight::Equal,
        }
    }
}

/// Parameters of a logistic regression.
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticParams {
    /// Inverse strength of the L2 penalty; infinite for none.
    pub c: f64,
    /// Largest component of the gradient at which the solver stops.
    pub tol: f64,
    /// Most steps of the solver.
    pub max_iter: usize,
    /// Whether an intercept is fitted (it is never penalised).
    pub fit_intercept: bool,
    /// Class weights.
    pub class_weight: ClassWeight,
    /// Whether features are brought to mean 0 and variance 1 first (not a parameter of
    /// scikit-learn's: there it is a step of a pipeline). Folded into the coefficients.
    pub standardize: bool,
}

impl Default for LogisticParams {
    fn default() -> Self {
        Self {
            c: 1.0,
            tol: 1e-4,
            max_iter: 100,
            fit_intercept: true,
            class_weight: ClassWeight::Equal,
            standardize: false,
        }
    }
}

/// Parameters of a linear regression.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearParams {
    /// Whether an intercept is fitted.
    pub fit_intercept: bool,
}

impl Default for LinearParams {
    fn default() -> Self {
        Self { fit_intercept: true }
    }
}

const FOREST_NAMES: [&str; 10] = [
    "n_estimators",
    "criterion",
    "max_depth",
    "min_samples_split",
    "min_samples_leaf",
    "max_features",
    "min_impurity_decrease",
    "bootstrap",
    "max_samples",
    "class_weight",
];
const LOGISTIC_NAMES: [&str; 6] =
    ["C", "tol", "max_iter", "fit_intercept", "class_weight", "standardize"];
const LINEAR_NAMES: [&str; 1] = ["fit_intercept"];

/// Reads and checks the parameters of an algorithm.
pub(crate) fn read(algorithm: Algorithm, given: &BTreeMap<String, Value>) -> Result<Estimator> {
    let known: &[&'static str] = match algorithm {
        Algorithm::RandomForest => &FOREST_NAMES,
        Algorithm::LogisticRegression => &LOGISTIC_NAMES,
        Algorithm::LinearRegression => &LINEAR_NAMES,
    };
    if let Some(name) = given.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(Error::UnknownParameter {
            algorithm,
            name: name.clone(),
            known: known.to_vec(),
        });
    }
    let reader = Reader { given };
    Ok(match algorithm {
        Algorithm::RandomForest => Estimator::RandomForest(forest(&reader)?),
        Algorithm::LogisticRegression => Estimator::LogisticRegression(logistic(&reader)?),
        Algorithm::LinearRegression => Estimator::LinearRegression(LinearParams {
            fit_intercept: reader.flag("fit_intercept", true)?,
        }),
    })
}

fn forest(reader: &Reader<'_>) -> Result<ForestParams> {
    let default = ForestParams::default();
    Ok(ForestParams {
        n_estimators: reader.whole("n_estimators", 1, TREES_MAX)?.unwrap_or(default.n_estimators),
        criterion: match reader.text("criterion", &["gini", "entropy", "squared_error"])? {
            Some("gini") => Some(SplitCriterion::Gini),
            Some("entropy") => Some(SplitCriterion::Entropy),
            Some(_) => Some(SplitCriterion::SquaredError),
            None => None,
        },
        max_depth: reader.whole("max_depth", 1, usize::MAX)?,
        min_samples_split: reader
            .amount("min_samples_split", 2)?
            .unwrap_or(default.min_samples_split),
        min_samples_leaf: reader.amount("min_samples_leaf", 1)?.unwrap_or(default.min_samples_leaf),
        max_features: reader.max_features()?,
        min_impurity_decrease: reader
            .number("min_impurity_decrease", |value| value >= 0.0, "at least 0")?
            .unwrap_or(0.0),
        bootstrap: reader.flag("bootstrap", default.bootstrap)?,
        max_samples: reader.amount("max_samples", 1)?,
        class_weight: reader.class_weight(true)?,
    })
}

fn logistic(reader: &Reader<'_>) -> Result<LogisticParams> {
    let default = LogisticParams::default();
    let positive = |value: f64| value > 0.0;
    Ok(LogisticParams {
        c: reader.number("C", positive, "above 0")?.unwrap_or(default.c),
        tol: reader.number("tol", positive, "above 0")?.unwrap_or(default.tol),
        max_iter: reader.whole("max_iter", 1, ITERATIONS_MAX)?.unwrap_or(default.max_iter),
        fit_intercept: reader.flag("fit_intercept", default.fit_intercept)?,
        class_weight: reader.class_weight(false)?,
        standardize: reader.flag("standardize", default.standardize)?,
    })
}

struct Reader<'a> {
    given: &'a BTreeMap<String, Value>,
}

impl Reader<'_> {
    /// The value given, unless it is null, which means the default as in Python.
    fn value(&self, name: &str) -> Option<&Value> {
        self.given.get(name).filter(|value| !value.is_null())
    }

    fn refuse(&self, name: &str, allowed: impl Into<String>) -> Error {
        Error::BadParameter {
            name: name.to_owned(),
            value: self.given.get(name).map_or_else(String::new, ToString::to_string),
            allowed: allowed.into(),
        }
    }

    fn whole(&self, name: &str, min: usize, max: usize) -> Result<Option<usize>> {
        let Some(value) = self.value(name) else { return Ok(None) };
        match value.as_u64().and_then(|value| usize::try_from(value).ok()) {
            Some(value) if value >= min && value <= max => Ok(Some(value)),
            _ if max == usize::MAX => {
                Err(self.refuse(name, format!("a whole number of at least {min}")))
            }
            _ => Err(self.refuse(name, format!("a whole number from {min} to {max}"))),
        }
    }

    fn number(
        &self,
        name: &str,
        accepts: impl Fn(f64) -> bool,
        allowed: &str,
    ) -> Result<Option<f64>> {
        let Some(value) = self.value(name) else { return Ok(None) };
        match value.as_f64() {
            Some(value) if accepts(value) => Ok(Some(value)),
            _ => Err(self.refuse(name, format!("a number {allowed}"))),
        }
    }

    fn flag(&self, name: &str, default: bool) -> Result<bool> {
        match self.value(name) {
            None => Ok(default),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(self.refuse(name, "true or false")),
        }
    }

    fn text(&self, name: &str, allowed: &[&'static str]) -> Result<Option<&'static str>> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let found = value.as_str().and_then(|text| allowed.iter().find(|name| **name == text));
        found.copied().map(Some).ok_or_else(|| self.refuse(name, allowed.join(" or ")))
    }

    /// A whole number of at least `min`, or a share above 0 and up to 1.
    fn amount(&self, name: &str, min: usize) -> Result<Option<Amount>> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let amount = match (value.as_u64(), value.as_f64()) {
            (Some(count), _) if count as usize >= min => Some(Amount::Count(count as usize)),
            (None, Some(share)) if share > 0.0 && share <= 1.0 => Some(Amount::Share(share)),
            _ => None,
        };
        amount.map(Some).ok_or_else(|| {
            self.refuse(name, format!("a whole number of at least {min}, or a share such as 0.1"))
        })
    }

    fn max_features(&self) -> Result<Option<MaxFeatures>> {
        let name = "max_features";
        match self.value(name).and_then(Value::as_str) {
            Some("sqrt") => Ok(Some(MaxFeatures::Sqrt)),
            Some("log2") => Ok(Some(MaxFeatures::Log2)),
            Some(_) => Err(self.refuse(name, "\"sqrt\", \"log2\", a whole number or a share")),
            None => Ok(self.amount(name, 1)?.map(MaxFeatures::Amount)),
        }
    }

    fn class_weight(&self, subsample: bool) -> Result<ClassWeight> {
        let name = "class_weight";
        let allowed = if subsample {
            "\"balanced\", \"balanced_subsample\" or a weight a class"
        } else {
            "\"balanced\" or a weight a class"
        };
        match self.value(name) {
            None => Ok(ClassWeight::Equal),
            Some(Value::String(text)) if text == "balanced" => Ok(ClassWeight::Balanced),
            Some(Value::String(text)) if subsample && text == "balanced_subsample" => {
                Ok(ClassWeight::BalancedSubsample)
            }
            Some(Value::Object(weights)) => {
                let weight = |value: &Value| value.as_f64().filter(|weight| *weight > 0.0);
                let weights: Option<BTreeMap<String, f64>> = weights
                    .iter()
                    .map(|(class, value)| Some((class.clone(), weight(value)?)))
                    .collect();
                weights
                    .map(ClassWeight::ByClass)
                    .ok_or_else(|| self.refuse(name, "weights above 0"))
            }
            Some(_) => Err(self.refuse(name, allowed)),
        }
    }
}

impl Amount {
    /// As a number of `total` things; shares are rounded up, as scikit-learn does.
    pub(crate) fn of(self, total: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Share(share) => (share * total as f64).ceil() as usize,
        }
    }

    fn text(self) -> String {
        match self {
            Self::Count(count) => count.to_string(),
            Self::Share(share) => python_float(share),
        }
    }
}

impl Estimator {
    /// Names and values as MLflow's autologging writes them: Python's spelling, defaults included.
    pub fn describe(&self, classification: bool) -> Vec<(&'static str, String)> {
        let none = || "None".to_owned();
        match self {
            Self::RandomForest(params) => vec![
                ("n_estimators", params.n_estimators.to_string()),
                ("criterion", params.criterion_for(classification).name().to_owned()),
                ("max_depth", params.max_depth.map_or_else(none, |depth| depth.to_string())),
                ("min_samples_split", params.min_samples_split.text()),
                ("min_samples_leaf", params.min_samples_leaf.text()),
                (
                    "max_features",
                    match params.max_features_for(classification) {
                        MaxFeatures::Sqrt => "sqrt".to_owned(),
                        MaxFeatures::Log2 => "log2".to_owned(),
                        MaxFeatures::Amount(amount) => amount.text(),
                    },
                ),
                ("min_impurity_decrease", python_float(params.min_impurity_decrease)),
                ("bootstrap", python_bool(params.bootstrap)),
                ("max_samples", params.max_samples.map_or_else(none, Amount::text)),
                ("class_weight", params.class_weight.text()),
            ],
            Self::LogisticRegression(params) => vec![
                ("C", python_float(params.c)),
                ("tol", python_float(params.tol)),
                ("max_iter", params.max_iter.to_string()),
                ("fit_intercept", python_bool(params.fit_intercept)),
                ("class_weight", params.class_weight.text()),
                ("standardize", python_bool(params.standardize)),
                ("solver", "lbfgs".to_owned()),
            ],
            Self::LinearRegression(params) => {
                vec![("fit_intercept", python_bool(params.fit_intercept))]
            }
        }
    }
}

impl ForestParams {
    pub(crate) fn criterion_for(&self, classification: bool) -> SplitCriterion {
        self.criterion.unwrap_or(if classification {
            SplitCriterion::Gini
        } else {
            SplitCriterion::SquaredError
        })
    }

    pub(crate) fn max_features_for(&self, classification: bool) -> MaxFeatures {
        self.max_features.unwrap_or(if classification {
            MaxFeatures::Sqrt
        } else {
            MaxFeatures::Amount(Amount::Share(1.0))
        })
    }
}

impl SplitCriterion {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gini => "gini",
            Self::Entropy => "entropy",
            Self::SquaredError => "squared_error",
        }
    }
}

impl ClassWeight {
    fn text(&self) -> String {
        match self {
            Self::Equal => "None".to_owned(),
            Self::Balanced => "balanced".to_owned(),
            Self::BalancedSubsample => "balanced_subsample".to_owned(),
            Self::ByClass(weights) => {
                serde_json::to_string(weights).unwrap_or_else(|_never| "{}".to_owned())
            }
        }
    }
}

fn python_bool(value: bool) -> String {
    if value { "True".to_owned() } else { "False".to_owned() }
}

/// A float as Python prints it (`1.0`, not `1`).
fn python_float(value: f64) -> String {
    format!("{value:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forest_of(json: &str) -> Result<ForestParams> {
        match read(Algorithm::RandomForest, &serde_json::from_str(json).unwrap())? {
            Estimator::RandomForest(params) => Ok(params),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn absurd_values_are_refused_with_what_is_allowed() {
        for (json, expected) in [
            (r#"{"n_estimators": 0}"#, "n_estimators = 0 is not possible: it must be a whole"),
            (r#"{"n_estimators": 100000000}"#, "from 1 to 10000"),
            (r#"{"n_estimators": "many"}"#, "n_estimators = \"many\""),
            (r#"{"max_depth": -1}"#, "at least 1"),
            (r#"{"max_features": "cube"}"#, "\"sqrt\""),
            (r#"{"min_samples_split": 1}"#, "at least 2"),
            (r#"{"min_samples_leaf": 1.5}"#, "a share"),
            (r#"{"bootstrap": 1}"#, "true or false"),
            (r#"{"class_weight": {"a": -1}}"#, "above 0"),
        ] {
            let message = forest_of(json).unwrap_err().to_string();
            assert!(message.contains(expected), "{json}: {message}");
        }
    }

    #[test]
    fn shares_and_counts_are_told_apart() {
        let params = forest_of(r#"{"min_samples_leaf": 0.1, "max_features": 3}"#).unwrap();
        assert_eq!(params.min_samples_leaf, Amount::Share(0.1));
        assert_eq!(params.min_samples_leaf.of(25), 3);
        assert_eq!(params.max_features, Some(MaxFeatures::Amount(Amount::Count(3))));
        assert_eq!(forest_of(r#"{"max_depth": null}"#).unwrap().max_depth, None);
    }

    #[test]
    fn described_as_python_prints_it() {
        let described = Estimator::RandomForest(ForestParams::default()).describe(false);
        assert!(described.contains(&("max_features", "1.0".to_owned())));
        assert!(described.contains(&("criterion", "squared_error".to_owned())));
        assert!(described.contains(&("bootstrap", "True".to_owned())));
    }
}
