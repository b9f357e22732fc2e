//! A model file as people have them, made a folder as MLflow writes it: with a signature from sample rows, which the
//! model has answered, so that what is served next is known to work.

use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use chrono::Utc;
use clap::ValueEnum;
use serde::Serialize;
use trainyard_base::Advise as _;
use trainyard_data::ReadOptions;
use trainyard_models::{Error as ModelError, LoadedModel, catboost_class};
use trainyard_serve::logged;
use trainyard_signature::enforce::{Casting, Enforcer, Limits};
use trainyard_signature::model::{
    CatboostFlavor, Environment, Flavors, InputExample, LightgbmFlavor, ModelFolder, OnnxFlavor,
    PythonFunctionFlavor, Signature, SklearnFlavor, StatsmodelsFlavor, XgboostFlavor, infer_schema,
};

use crate::{Error, Result};

/// Bytes of a model file, as of those in folders.
const FILE_BYTES_MAX: u64 = 2 << 30;

/// Rows of the sample that are looked at, and that become the input example.
const SAMPLE_ROWS_MAX: usize = 100_000;
const EXAMPLE_ROWS: usize = 5;

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileFlavor {
    /// An estimator of scikit-learn or in its style: .skops, .pkl, .joblib
    Sklearn,
    /// A booster of XGBoost: .ubj, .json
    Xgboost,
    /// A booster of LightGBM: .txt
    Lightgbm,
    /// A booster of CatBoost: .cbm, or JSON
    Catboost,
    /// A graph: .onnx
    Onnx,
    /// Results of statsmodels, as their `save` writes them: .pkl, .pickle
    Statsmodels,
}

/// A file to make a folder of.
#[derive(Debug, Clone)]
pub struct WrapOptions {
    pub file: PathBuf,
    /// Told by the file's name if none.
    pub flavor: Option<FileFlavor>,
    pub output: PathBuf,
    /// A table of rows as the model takes them.
    pub sample: Option<String>,
    /// Columns of the sample that the model does not take.
    pub without: Vec<String>,
    /// The method of an estimator that answers.
    pub predict_fn: String,
}

/// A folder that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wrapped {
    pub folder: PathBuf,
    pub flavor: FileFlavor,
    /// Names of the columns of its signature.
    pub inputs: Vec<String>,
    /// Rows of the sample that it answered.
    pub answered: usize,
    /// Why only Python runs it, if it is so.
    pub needs_python: Option<String>,
}

/// Makes the folder.
///
/// # Errors
///
/// If the file is damaged, the folder is there, or the model does not answer the sample.
pub fn wrap(options: &WrapOptions) -> Result<Wrapped> {
    let flavor = options.flavor.or_else(|| by_name(&options.file));
    let flavor = flavor.ok_or_else(|| {
        let what = format!("the name of {} does not say how it is read", options.file.display());
        Error::predict(
            what,
            "say it: --flavor sklearn, xgboost, lightgbm, catboost, onnx or statsmodels",
        )
    })?;
    let name = options.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let content = read(&options.file)?;
    let flavor = match options.flavor {
        None if flavor == FileFlavor::Sklearn && is_results(&content) => FileFlavor::Statsmodels,
        _ => flavor,
    };
    let output = &options.output;
    let is_taken = std::fs::read_dir(output).is_ok_and(|mut entries| entries.next().is_some());
    if is_taken || output.is_file() {
        let what = format!("{} is there already", output.display());
        return Err(Error::predict(what, "choose another folder"));
    }
    let parent = match output.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let failed = |source| Error::io(&parent, source);
    std::fs::create_dir_all(&parent).map_err(failed)?;
    let made = tempfile::Builder::new().prefix(".wrap.").tempdir_in(&parent).map_err(failed)?;
    let path = made.path().join("model");
    let catboost_class = match flavor {
        // What is not read here is told below, of the whole folder.
        FileFlavor::Catboost => catboost_class(&content).ok(),
        _ => None,
    };
    let mut folder = folder(flavor, &name, content, &options.predict_fn);
    if let Some(catboost) = &mut folder.flavors.catboost {
        catboost.model_type = catboost_class.map(str::to_owned);
    }
    folder.write(&path)?;
    let (loaded, needs_python) = match trainyard_models::load(&path) {
        Ok(loaded) => (Some(loaded), None),
        Err(error @ ModelError::Unsupported { .. }) => (None, Some(error.sentence())),
        Err(error) => return Err(error.into()),
    };
    let mut wrapped =
        Wrapped { folder: output.clone(), flavor, inputs: Vec::new(), answered: 0, needs_python };
    if let Some(sample) = &options.sample {
        let rows = sample_rows(sample, &options.without)?;
        wrapped.inputs =
            rows.schema_ref().fields().iter().map(|field| field.name().clone()).collect();
        wrapped.answered = if loaded.is_some() { rows.num_rows() } else { 0 };
        sign(&mut folder, &rows, loaded.as_ref())?;
        folder.write(&path)?;
    }
    std::fs::rename(&path, output).map_err(|source| Error::io(output, source))?;
    Ok(wrapped)
}

fn by_name(file: &Path) -> Option<FileFlavor> {
    let ending = file.extension()?.to_string_lossy().to_lowercase();
    Some(match ending.as_str() {
        "skops" | "pkl" | "pickle" | "joblib" => FileFlavor::Sklearn,
        "ubj" | "json" | "xgb" | "bst" => FileFlavor::Xgboost,
        "txt" => FileFlavor::Lightgbm,
        "cbm" => FileFlavor::Catboost,
        "onnx" => FileFlavor::Onnx,
        "statsmodels" => FileFlavor::Statsmodels,
        _ => return None,
    })
}

fn read(file: &Path) -> Result<Vec<u8>> {
    if !file.exists() {
        let what = format!("no such file: {}", file.display());
        return Err(Error::predict(what, "check the path of the model file"));
    }
    let failed = |source| Error::io(file, source);
    let bytes = std::fs::metadata(file).map_err(failed)?.len();
    if bytes > FILE_BYTES_MAX {
        let what = format!("{} has {bytes} bytes", file.display());
        return Err(Error::predict(what, format!("a model has {FILE_BYTES_MAX} at most")));
    }
    std::fs::read(file).map_err(failed)
}

/// Whether a pickle is one of statsmodels' results: their class stands first.
fn is_results(content: &[u8]) -> bool {
    let package = b"statsmodels.";
    content.windows(package.len()).take(64).any(|window| window == package)
}

/// The folder around a file, without a signature yet.
fn folder(flavor: FileFlavor, name: &str, content: Vec<u8>, predict_fn: &str) -> ModelFolder {
    let python_version = Environment::onnx().python_version;
    let mut python = PythonFunctionFlavor {
        data: Some(name.to_owned()),
        python_version: Some(python_version.clone()),
        ..PythonFunctionFlavor::default()
    };
    let mut flavors = Flavors::default();
    let (module, package) = match flavor {
        FileFlavor::Sklearn => {
            let is_skops = content.starts_with(b"PK\x03\x04");
            let format = if is_skops { "skops" } else { "pickle" };
            flavors.sklearn = Some(SklearnFlavor {
                pickled_model: name.to_owned(),
                serialization_format: Some(format.to_owned()),
                ..SklearnFlavor::default()
            });
            (python.data, python.model_path) = (None, Some(name.to_owned()));
            python.predict_fn = Some(predict_fn.to_owned());
            ("mlflow.sklearn", "scikit-learn")
        }
        FileFlavor::Xgboost => {
            let format = match content.as_slice() {
                [b'{', b'"', ..] => "json",
                [b'{', ..] => "ubj",
                _ => "xgb",
            };
            flavors.xgboost = Some(XgboostFlavor {
                data: name.to_owned(),
                model_class: Some("xgboost.core.Booster".to_owned()),
                model_format: Some(format.to_owned()),
                ..XgboostFlavor::default()
            });
            ("mlflow.xgboost", "xgboost")
        }
        FileFlavor::Lightgbm => {
            flavors.lightgbm = Some(LightgbmFlavor {
                data: name.to_owned(),
                model_class: Some("lightgbm.basic.Booster".to_owned()),
                ..LightgbmFlavor::default()
            });
            ("mlflow.lightgbm", "lightgbm")
        }
        FileFlavor::Catboost => {
            let format = if content.starts_with(b"{") { "json" } else { "cbm" };
            flavors.catboost = Some(CatboostFlavor {
                data: name.to_owned(),
                save_format: Some(format.to_owned()),
                ..CatboostFlavor::default()
            });
            ("mlflow.catboost", "catboost")
        }
        FileFlavor::Onnx => {
            flavors.onnx = Some(OnnxFlavor {
                data: name.to_owned(),
                providers: vec!["CPUExecutionProvider".to_owned()],
                ..OnnxFlavor::default()
            });
            ("mlflow.onnx", "onnxruntime")
        }
        FileFlavor::Statsmodels => {
            flavors.statsmodels =
                Some(StatsmodelsFlavor { data: name.to_owned(), ..StatsmodelsFlavor::default() });
            ("mlflow.statsmodels", "statsmodels")
        }
    };
    module.clone_into(&mut python.loader_module);
    flavors.python_function = Some(python);
    ModelFolder {
        flavors,
        files: vec![(name.to_owned(), content.into())],
        signature: None,
        input_example: None,
        environment: Environment {
            python_version,
            // Nothing says with which versions it was written.
            requirements: vec!["mlflow".to_owned(), package.to_owned()],
        },
        metadata: std::collections::BTreeMap::new(),
        run_id: None,
        model_id: None,
        artifact_path: None,
        created: Utc::now(),
    }
}

/// Rows as the model takes them.
fn sample_rows(sample: &str, without: &[String]) -> Result<RecordBatch> {
    let table = trainyard_data::read(sample, &ReadOptions::default())?;
    let lacking = without.iter().find(|name| table.column_by_name(name).is_none());
    if let Some(name) = lacking {
        let what = format!("{sample} has no column {name:?} to leave out");
        return Err(Error::predict(what, "check the spelling in --without"));
    }
    let fields = table.schema_ref().fields().iter().enumerate();
    let own: Vec<usize> =
        fields.filter(|(_, field)| !without.contains(field.name())).map(|(at, _)| at).collect();
    let rows =
        table.project(&own).map_err(|error| Error::predict(error.to_string(), "this is a bug"))?;
    Ok(rows.slice(0, rows.num_rows().min(SAMPLE_ROWS_MAX)))
}

/// Gives the folder its signature and its example, once the model has answered the rows.
fn sign(folder: &mut ModelFolder, rows: &RecordBatch, model: Option<&LoadedModel>) -> Result<()> {
    let refused = |error: &dyn std::fmt::Display| {
        let hint = "the sample must have the columns that the model was fitted to; --without leaves others out";
        Error::predict(format!("the model does not answer the sample: {error}"), hint)
    };
    let inputs = infer_schema(rows)?;
    let mut signature = Signature { inputs: Some(inputs), outputs: None, params: None };
    let limits = Limits { rows_max: usize::MAX, ..Limits::default() };
    let enforcer = Enforcer::new(Some(&signature), Casting::Lossless, limits);
    let taken = enforcer.table(rows).map_err(|rejection| refused(&rejection))?.batch;
    if let Some(model) = model {
        let answer = model.predictor.predict(&taken).map_err(|error| refused(&error))?;
        // Several values a row are no column, and a signature may do without.
        let label = logged(&answer).ok().map(|(label, _)| label);
        let outputs =
            label.and_then(|label| RecordBatch::try_from_iter([("prediction", label)]).ok());
        signature.outputs = outputs.and_then(|outputs| infer_schema(&outputs).ok());
    }
    let example = taken.slice(0, taken.num_rows().min(EXAMPLE_ROWS));
    folder.input_example = Some(InputExample::from_batch(&example)?);
    folder.signature = Some(signature);
    Ok(())
}

#[cfg(test)]
mod tests {
    use trainyard_signature::model::MlModel;

    use super::*;

    fn models() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/models")
    }

    fn options(file: &str, output: &Path) -> WrapOptions {
        WrapOptions {
            file: models().join(file),
            flavor: None,
            output: output.to_owned(),
            sample: None,
            without: Vec::new(),
            predict_fn: "predict".to_owned(),
        }
    }

    #[test]
    fn a_file_becomes_a_folder_that_answers() {
        let place = tempfile::tempdir().unwrap();
        let sample = place.path().join("sample.csv");
        let header = "sepal length (cm),sepal width (cm),petal length (cm),petal width (cm),y";
        std::fs::write(&sample, format!("{header}\n5.1,3.5,1.4,0.2,0\n6.3,2.9,5.6,1.8,2\n"))
            .unwrap();
        let out = place.path().join("a/model");
        let asked = WrapOptions {
            sample: Some(sample.to_string_lossy().into_owned()),
            without: vec!["y".to_owned()],
            ..options("sk_logreg/model.skops", &out)
        };
        let wrapped = wrap(&asked).unwrap();
        assert_eq!((wrapped.answered, wrapped.inputs.len()), (2, 4));
        let mlmodel = MlModel::read(&out).unwrap();
        let inputs = mlmodel.signature.unwrap().inputs.unwrap();
        assert_eq!(inputs.columns().unwrap().len(), 4);
        assert!(InputExample::read(&out, &MlModel::read(&out).unwrap()).unwrap().is_some());
        assert!(trainyard_models::load(&out).is_ok());
        assert!(wrap(&asked).unwrap_err().to_string().contains("is there already"));

        // The target among the inputs is one column too many.
        let wrong = WrapOptions { without: Vec::new(), output: place.path().join("b"), ..asked };
        let error = wrap(&wrong).unwrap_err().to_string();
        assert!(error.contains("does not answer the sample"), "{error}");
        assert!(!place.path().join("b").exists());
        let left = std::fs::read_dir(place.path()).unwrap().count();
        assert_eq!(left, 2, "the sample and the first folder");
    }

    /// MLflow's flavor wants the class, which the file does not say but by its loss.
    #[test]
    fn a_file_of_catboost_becomes_a_folder_of_its_class() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("model.cbm");
        std::fs::copy(models().join("cb_classifier/model.cb"), &file).unwrap();
        let sample = place.path().join("sample.csv");
        let rows = "age,city,rooms,income,kind\n41.5,Ulm,3,0.5,old\n,Bonn,2,1.5,new\n";
        std::fs::write(&sample, rows).unwrap();
        let out = place.path().join("model");
        let sample = Some(sample.to_string_lossy().into_owned());
        let wrapped = wrap(&WrapOptions { file, sample, ..options("", &out) }).unwrap();
        assert_eq!((wrapped.flavor, wrapped.answered), (FileFlavor::Catboost, 2));
        let flavor = MlModel::read(&out).unwrap().flavors.catboost.unwrap();
        assert_eq!(flavor.model_type.as_deref(), Some("CatBoostClassifier"));
        assert_eq!(flavor.save_format.as_deref(), Some("cbm"));

        // No Python reads an empty file either.
        let file = place.path().join("empty.cbm");
        std::fs::write(&file, "").unwrap();
        let out = place.path().join("none");
        let refused = wrap(&WrapOptions { file, ..options("", &out) }).unwrap_err();
        assert!(format!("{refused:?}").contains("it is empty"), "{refused:?}");
        assert!(!out.exists());
    }

    /// A pickle says by its first class whether it is an estimator.
    #[test]
    fn a_file_of_results_is_told_from_an_estimator() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("left.pickle");
        std::fs::copy(models().join("sm_logit/model.statsmodels"), &file).unwrap();
        let sample = place.path().join("sample.csv");
        std::fs::write(&sample, "income,town,age\n2500.5,York,31\n1200,Leeds,60\n").unwrap();
        let out = place.path().join("model");
        let asked = WrapOptions {
            file,
            sample: Some(sample.to_string_lossy().into_owned()),
            ..options("", &out)
        };
        let wrapped = wrap(&asked).unwrap();
        assert_eq!((wrapped.flavor, wrapped.answered), (FileFlavor::Statsmodels, 2));
        assert!(MlModel::read(&out).unwrap().flavors.statsmodels.is_some());
    }

    /// A description of an array of joblib, and then a class of somebody's own.
    const JOBLIB_OF_A_CLASS: &[u8] =
        b"\x80\x04cjoblib.numpy_pickle\nNumpyArrayWrapper\ncmine\nModel\n.";

    #[test]
    fn what_nobody_can_read_is_said() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("model.joblib");
        std::fs::write(&file, &JOBLIB_OF_A_CLASS[..30]).unwrap();
        let asked = WrapOptions { file: file.clone(), ..options("", &place.path().join("m")) };
        assert!(wrap(&asked).unwrap_err().to_string().contains("a line without end"));
        // Python's workers would not read what is not read here.
        std::fs::write(&file, JOBLIB_OF_A_CLASS).unwrap();
        let error = wrap(&asked).unwrap_err();
        assert!(error.sentence().contains("Python workers read no file of joblib"), "{error}");
        let asked = WrapOptions { file: file.with_extension("bin"), ..asked };
        assert!(wrap(&asked).unwrap_err().to_string().contains("does not say how"));
    }
}
