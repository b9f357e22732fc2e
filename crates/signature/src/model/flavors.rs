//! The ways a model folder says it can be loaded.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap as _, Serializer};
use serde::{Deserialize, Serialize};

/// The `flavors` mapping of `MLmodel`: the flavors that are known here, typed, and the rest, by
/// name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Flavors {
    pub python_function: Option<PythonFunctionFlavor>,
    pub onnx: Option<OnnxFlavor>,
    pub sklearn: Option<SklearnFlavor>,
    pub xgboost: Option<XgboostFlavor>,
    pub lightgbm: Option<LightgbmFlavor>,
    pub catboost: Option<CatboostFlavor>,
    pub statsmodels: Option<StatsmodelsFlavor>,
    /// Flavors that are not known here (`pytorch`, `spark`, …), kept as they were read.
    pub other: BTreeMap<String, OtherFlavor>,
}

/// A flavor that is not known here: its entries as JSON.
pub type OtherFlavor = serde_json::Value;

impl Flavors {
    /// Names of all flavors, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.other.keys().map(String::as_str).collect();
        let known = [
            ("python_function", self.python_function.is_some()),
            ("onnx", self.onnx.is_some()),
            ("sklearn", self.sklearn.is_some()),
            ("xgboost", self.xgboost.is_some()),
            ("lightgbm", self.lightgbm.is_some()),
            ("catboost", self.catboost.is_some()),
            ("statsmodels", self.statsmodels.is_some()),
        ];
        names.extend(known.into_iter().filter_map(|(name, is_there)| is_there.then_some(name)));
        names.sort_unstable();
        names
    }
}

/// `python_function`: how `mlflow.pyfunc.load_model` loads the folder.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PythonFunctionFlavor {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloudpickle_version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Model file or folder, for the flavors that call it so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<PythonEnv>,
    /// Python module whose `_load_pyfunc` reads the model: `mlflow.onnx`, `mlflow.sklearn`, ….
    pub loader_module: String,
    /// Model file, as scikit-learn's flavor calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_path: Option<String>,
    /// Method that answers (`predict`, `predict_proba`, …), for scikit-learn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predict_fn: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python_model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python_version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streamable: Option<bool>,
}

/// Environment files of a `python_function` flavor, relative to the folder. Before MLflow 2 it was
/// the name of the conda file alone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PythonEnv {
    pub conda: Option<String>,
    pub virtualenv: Option<String>,
}

impl<'de> Deserialize<'de> for PythonEnv {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EnvVisitor;

        impl<'de> Visitor<'de> for EnvVisitor {
            type Value = PythonEnv;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a conda file or a mapping with conda and virtualenv")
            }

            fn visit_str<E: serde::de::Error>(self, conda: &str) -> Result<PythonEnv, E> {
                Ok(PythonEnv { conda: Some(conda.to_owned()), virtualenv: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PythonEnv, A::Error> {
                let mut env = PythonEnv::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "conda" => env.conda = map.next_value()?,
                        "virtualenv" => env.virtualenv = map.next_value()?,
                        _ => drop(map.next_value::<serde::de::IgnoredAny>()?),
                    }
                }
                Ok(env)
            }
        }

        deserializer.deserialize_any(EnvVisitor)
    }
}

/// `onnx`: an ONNX graph.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OnnxFlavor {
    pub code: Option<String>,
    /// The graph's file.
    pub data: String,
    #[serde(default)]
    pub onnx_session_options: Option<serde_json::Value>,
    #[serde(default)]
    pub onnx_version: Option<String>,
    #[serde(default)]
    pub providers: Vec<String>,
}

/// `sklearn`: a scikit-learn estimator.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SklearnFlavor {
    pub code: Option<String>,
    /// The estimator's file, whatever its format.
    pub pickled_model: String,
    /// `skops`, `cloudpickle` or `pickle`.
    #[serde(default)]
    pub serialization_format: Option<String>,
    #[serde(default)]
    pub sklearn_version: Option<String>,
    #[serde(default)]
    pub skops_trusted_types: Option<Vec<String>>,
}

/// `xgboost`: a booster or a model of XGBoost's scikit-learn interface.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct XgboostFlavor {
    pub code: Option<String>,
    pub data: String,
    /// `xgboost.core.Booster`, `xgboost.sklearn.XGBClassifier`, ….
    #[serde(default)]
    pub model_class: Option<String>,
    /// `ubj`, `json` or `xgb` (the old binary).
    #[serde(default)]
    pub model_format: Option<String>,
    #[serde(default)]
    pub xgb_version: Option<String>,
}

/// `lightgbm`: a booster (text dump) or a model of LightGBM's scikit-learn interface.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LightgbmFlavor {
    pub code: Option<String>,
    pub data: String,
    #[serde(default)]
    pub lgb_version: Option<String>,
    #[serde(default)]
    pub model_class: Option<String>,
    #[serde(default)]
    pub serialization_format: Option<String>,
    #[serde(default)]
    pub skops_trusted_types: Option<Vec<String>>,
}

/// `catboost`: a model of CatBoost's Python package.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CatboostFlavor {
    #[serde(default)]
    pub catboost_version: Option<String>,
    #[serde(default)]
    pub code: Option<String>,
    pub data: String,
    /// `CatBoost`, `CatBoostClassifier`, `CatBoostRegressor` or `CatBoostRanker`.
    #[serde(default)]
    pub model_type: Option<String>,
    /// `cbm`, `json` or a format that CatBoost only writes.
    #[serde(default)]
    pub save_format: Option<String>,
}

/// `statsmodels`: a file of results.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StatsmodelsFlavor {
    pub code: Option<String>,
    pub data: String,
    #[serde(default)]
    pub statsmodels_version: Option<String>,
}

impl<'de> Deserialize<'de> for Flavors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FlavorsVisitor;

        // By hand, because serde's `flatten` buffers values untyped and so turns text that looks
        // like a number into one.
        impl<'de> Visitor<'de> for FlavorsVisitor {
            type Value = Flavors;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping from flavors to their settings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Flavors, A::Error> {
                let mut flavors = Flavors::default();
                while let Some(name) = map.next_key::<String>()? {
                    match name.as_str() {
                        "python_function" => flavors.python_function = Some(map.next_value()?),
                        "onnx" => flavors.onnx = Some(map.next_value()?),
                        "sklearn" => flavors.sklearn = Some(map.next_value()?),
                        "xgboost" => flavors.xgboost = Some(map.next_value()?),
                        "lightgbm" => flavors.lightgbm = Some(map.next_value()?),
                        "catboost" => flavors.catboost = Some(map.next_value()?),
                        "statsmodels" => flavors.statsmodels = Some(map.next_value()?),
                        _ => drop(flavors.other.insert(name, map.next_value()?)),
                    }
                }
                Ok(flavors)
            }
        }

        deserializer.deserialize_map(FlavorsVisitor)
    }
}

impl Serialize for Flavors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for name in self.names() {
            match name {
                "python_function" => map.serialize_entry(name, &self.python_function)?,
                "onnx" => map.serialize_entry(name, &self.onnx)?,
                "sklearn" => map.serialize_entry(name, &self.sklearn)?,
                "xgboost" => map.serialize_entry(name, &self.xgboost)?,
                "lightgbm" => map.serialize_entry(name, &self.lightgbm)?,
                "catboost" => map.serialize_entry(name, &self.catboost)?,
                "statsmodels" => map.serialize_entry(name, &self.statsmodels)?,
                other => map.serialize_entry(other, &self.other.get(other))?,
            }
        }
        map.end()
    }
}
