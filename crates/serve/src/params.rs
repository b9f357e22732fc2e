//! Inference params that only Python's libraries can pass on.
//!
//! MLflow's XGBoost and LightGBM flavors hand the params of a request to the library's `predict`;
//! its scikit-learn and ONNX flavors ignore them, and so does this server. What would change a
//! prediction and is not passed on here must not be ignored in silence: such a model needs Python.

use trainyard_models::{Error, Result};
use trainyard_signature::model::MlModel;

/// Params of `xgboost.Booster.predict` and `XGBModel.predict` that change what is predicted.
const XGBOOST: [&str; 9] = [
    "approx_contribs",
    "base_margin",
    "iteration_range",
    "output_margin",
    "pred_contribs",
    "pred_interactions",
    "pred_leaf",
    "strict_shape",
    "training",
];

/// Params of `lightgbm.Booster.predict` and `LGBMModel.predict` that change what is predicted.
const LIGHTGBM: [&str; 5] =
    ["num_iteration", "pred_contrib", "pred_leaf", "raw_score", "start_iteration"];

/// Refuses a model whose signature declares params that are not passed on here.
pub(crate) fn check(mlmodel: &MlModel) -> Result<()> {
    let flavors = &mlmodel.flavors;
    let taken: &[&str] = if flavors.xgboost.is_some() {
        &XGBOOST
    } else if flavors.lightgbm.is_some() {
        &LIGHTGBM
    } else {
        &[]
    };
    let declared = mlmodel.signature.as_ref().and_then(|signature| signature.params.as_deref());
    let names: Vec<&str> = declared
        .unwrap_or_default()
        .iter()
        .map(|param| param.name.as_str())
        .filter(|name| taken.contains(name))
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Error::Unsupported {
        what: format!("the inference param {}", names.join(", ")),
        hint: "log the model without it, or serve it with Python workers".to_owned(),
    })
}
