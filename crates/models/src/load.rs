//! From a model folder to something that predicts.

use std::path::Path;

use trainyard_signature::model::{
    CatboostFlavor, DataType, Flavors, LightgbmFlavor, MlModel, Schema, read_file,
};

use crate::catboost::{self, CatboostModel};
use crate::lightgbm::LightgbmModel;
use crate::onnx::OnnxModel;
use crate::sklearn::{SklearnModel, read_object};
use crate::statsmodels::StatsmodelsModel;
use crate::unservable::unservable;
use crate::xgboost::XgboostModel;
use crate::{Error, Predictor, Result};

/// Bytes of one model file. The largest forests people serve are a few gigabytes in memory.
const FILE_BYTES_MAX: u64 = 2 << 30;

/// A model folder in memory.
#[derive(Debug)]
pub struct LoadedModel {
    /// What the folder says of itself: signature, flavors, origin.
    pub mlmodel: MlModel,
    /// Predicts.
    pub predictor: Box<dyn Predictor>,
}

/// Reads a model folder. A flavor, estimator or operator that is not known here is refused by name.
pub fn load(folder: &Path) -> Result<LoadedModel> {
    let mlmodel = MlModel::read(folder)?;
    let predictor = predictor(folder, &mlmodel.flavors)?;
    if !predictor.takes_text() {
        check_numbers(&mlmodel)?;
    }
    Ok(LoadedModel { mlmodel, predictor })
}

/// Reads a model folder of a classifier, which answers how probable each class is instead of the likeliest. A graph of ONNX
/// is not asked for it: it is among its answers ([`Predictor::answers_probabilities`]) or nowhere.
///
/// # Errors
///
/// [`Error::Unsupported`] if it is not known here how to ask it for that.
pub fn load_probabilities(folder: &Path) -> Result<LoadedModel> {
    let mlmodel = MlModel::read(folder)?;
    let flavors = &mlmodel.flavors;
    let predictor: Box<dyn Predictor> = match (
        &flavors.sklearn,
        &flavors.xgboost,
        &flavors.lightgbm,
        &flavors.catboost,
    ) {
        (Some(sklearn), ..) => object(folder, &sklearn.pickled_model, "predict_proba")?,
        (None, Some(xgboost), ..) => {
            let class = xgboost.model_class.as_deref().unwrap_or_default();
            Box::new(XgboostModel::probabilities(&read(folder, &xgboost.data)?, class)?)
        }
        (None, None, Some(lightgbm), _) if has_class(lightgbm) => {
            object(folder, &lightgbm.data, "predict_proba")?
        }
        (None, None, None, Some(catboost)) => {
            let class = catboost.model_type.as_deref();
            Box::new(CatboostModel::probabilities(&catboost_file(folder, catboost)?, class)?)
        }
        _ => {
            return Err(Error::Unsupported {
                what: format!("the probability of a model of flavors {}", flavors.names().join(", ")),
                hint: "classifiers of scikit-learn, XGBoost, LightGBM and CatBoost are asked for it; a graph of ONNX has an output for it, with \"probability\" or \"probabilities\" in its name, or knows none".to_owned(),
            });
        }
    };
    Ok(LoadedModel { mlmodel, predictor })
}

/// Whether it was logged as an object of a class in scikit-learn's style, and not as a plain booster.
fn has_class(lightgbm: &LightgbmFlavor) -> bool {
    lightgbm.model_class.as_deref().is_some_and(|class| !class.ends_with(".Booster"))
}

/// Refuses a signature that promises text to a model of numbers: each request would be refused.
fn check_numbers(mlmodel: &MlModel) -> Result<()> {
    let inputs = mlmodel.signature.as_ref().and_then(|signature| signature.inputs.as_ref());
    let columns = inputs.and_then(Schema::columns).unwrap_or_default();
    let text =
        columns.iter().find(|column| column.required && column.data_type == DataType::String);
    text.map_or(Ok(()), |text| {
        Err(Error::Unsupported {
            what: format!(
                "the text of column {:?} for an estimator that takes numbers",
                text.name.as_deref().unwrap_or_default()
            ),
            hint: "encode it in the model's own pipeline, or log it with a signature of numbers if the text \
                   is numbers"
                .to_owned(),
        })
    })
}

/// What a model file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// An estimator of scikit-learn or in its style, in skops or a pickle.
    Estimator,
    /// A booster of XGBoost, in UBJSON or JSON.
    Xgboost,
    /// A booster of LightGBM, as text.
    Lightgbm,
    /// A booster of CatBoost, binary or as JSON.
    Catboost,
    /// An ONNX graph.
    Onnx,
    /// A results file of statsmodels.
    Statsmodels,
}

/// Reads a model file in memory, without the folder around it; it answers as `predict` does.
pub fn load_bytes(bytes: &[u8], format: Format) -> Result<Box<dyn Predictor>> {
    Ok(match format {
        Format::Estimator => {
            let (heap, root) = read_object(bytes, "model")?;
            Box::new(SklearnModel::new(heap.value(root), "predict")?)
        }
        Format::Xgboost => Box::new(XgboostModel::new(bytes, "")?),
        Format::Lightgbm => Box::new(LightgbmModel::new(bytes)?),
        Format::Catboost => Box::new(CatboostModel::new(bytes, None)?),
        Format::Onnx => Box::new(OnnxModel::parse(bytes, "model")?),
        Format::Statsmodels => Box::new(StatsmodelsModel::read(bytes, "model")?),
    })
}

fn predictor(folder: &Path, flavors: &Flavors) -> Result<Box<dyn Predictor>> {
    if let Some(onnx) = &flavors.onnx {
        return Ok(Box::new(OnnxModel::parse(&read(folder, &onnx.data)?, &onnx.data)?));
    }
    let predict_fn = flavors
        .python_function
        .as_ref()
        .and_then(|flavor| flavor.predict_fn.as_deref())
        .unwrap_or("predict");
    if let Some(sklearn) = &flavors.sklearn {
        return object(folder, &sklearn.pickled_model, predict_fn);
    }
    if let Some(xgboost) = &flavors.xgboost {
        let model_class = xgboost.model_class.as_deref().unwrap_or_default();
        return Ok(Box::new(XgboostModel::new(&read(folder, &xgboost.data)?, model_class)?));
    }
    if let Some(lightgbm) = &flavors.lightgbm {
        // A plain booster is kept as text, LightGBM's scikit-learn classes as objects.
        if !has_class(lightgbm) {
            return Ok(Box::new(LightgbmModel::new(&read(folder, &lightgbm.data)?)?));
        }
        return object(folder, &lightgbm.data, predict_fn);
    }
    if let Some(catboost) = &flavors.catboost {
        let bytes = catboost_file(folder, catboost)?;
        return Ok(Box::new(CatboostModel::new(&bytes, catboost.model_type.as_deref())?));
    }
    if let Some(statsmodels) = &flavors.statsmodels {
        let file = &statsmodels.data;
        return Ok(Box::new(StatsmodelsModel::read(&read(folder, file)?, file)?));
    }
    let what = format!("a model of flavors {}", flavors.names().join(", "));
    if flavors.python_function.is_none() {
        let hint = "log it as a model of scikit-learn, XGBoost, LightGBM, CatBoost, statsmodels or ONNX, which run here, or with the \
                    flavor python_function, which Python workers run";
        return Err(Error::Unservable { what, hint: hint.to_owned() });
    }
    Err(Error::Unsupported {
        what,
        hint: "models of any Python code run in Python workers; scikit-learn, XGBoost, LightGBM, CatBoost, statsmodels and ONNX models run here"
            .to_owned(),
    })
}

/// The class of CatBoost's Python package that a file of it is of, by its loss: `CatBoostClassifier` or
/// `CatBoostRegressor`. Folders say it, files do not.
///
/// # Errors
///
/// If the file is damaged, or not evaluated here.
pub fn catboost_class(bytes: &[u8]) -> Result<&'static str> {
    catboost::class_of(bytes)
}

/// The file of a folder, in a format that is read here.
fn catboost_file(folder: &Path, flavor: &CatboostFlavor) -> Result<Vec<u8>> {
    match flavor.save_format.as_deref() {
        None | Some("cbm" | "json") => read(folder, &flavor.data),
        Some(other) => Err(Error::Unsupported {
            what: format!("CatBoost's format {other:?}"),
            hint: "log the model as cbm, which is the default of mlflow.catboost".to_owned(),
        }),
    }
}

/// An estimator of scikit-learn or of a class in its style, from skops or a pickle.
fn object(folder: &Path, file: &str, predict_fn: &str) -> Result<Box<dyn Predictor>> {
    let bytes = read(folder, file)?;
    let model = read_object(&bytes, file)
        .and_then(|(heap, root)| SklearnModel::new(heap.value(root), predict_fn));
    Ok(Box::new(model.map_err(|error| unservable(error, &bytes))?))
}

/// Reads a file of the folder, which must lie within it and within [`FILE_BYTES_MAX`].
fn read(folder: &Path, name: &str) -> Result<Vec<u8>> {
    let bytes = read_file(folder, name, FILE_BYTES_MAX)?;
    bytes.ok_or_else(|| Error::Malformed {
        file: name.to_owned(),
        reason: "the model folder has no such file".to_owned(),
    })
}
