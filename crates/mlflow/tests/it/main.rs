//! What the crate promises, tried against the real `mlflow`.

mod infer;
mod model_files;
mod model_folder;
