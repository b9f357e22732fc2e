//! A model folder as MLflow lays it out: `MLmodel`, signature, input example, environment files.
//!
//! - [`MlModel`] is the `MLmodel` file, [`Flavors`] the ways it says the model can be loaded;
//! - [`Signature`] says what goes in and out; [`infer_signature`] makes one from data;
//! - [`InputExample`] and [`Environment`] are the files beside it;
//! - [`ModelFolder`] writes a whole folder that Python's `mlflow` loads;
//! - [`open_file`] and [`read_file`] read a file of a folder that others made.

mod environment;
mod file;
mod flavors;
mod folder;
mod infer;
mod input_example;
mod mlmodel;
mod python_json;
mod row_json;
mod signature;
mod signature_json;
mod signature_texts;

pub use environment::Environment;
pub use file::{open_file, read_file};
pub use flavors::{
    CatboostFlavor, Flavors, LightgbmFlavor, OnnxFlavor, OtherFlavor, PythonEnv,
    PythonFunctionFlavor, SklearnFlavor, StatsmodelsFlavor, XgboostFlavor,
};
pub use folder::ModelFolder;
pub use infer::{infer_schema, infer_signature};
pub use input_example::InputExample;
pub use mlmodel::{InputExampleInfo, MLMODEL_FILE, MlModel};
pub use signature::{ColSpec, DataType, JSON_TEXT, ParamSpec, Schema, Signature, TensorSpec};
