//! `trainyard model`: what is done to model files.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use trainyard_pipeline::{FileFlavor, WrapOptions, wrap};

use crate::failure::Failure;
use crate::printer;

/// Make model folders of model files.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  trainyard model wrap model.ubj churn/ --sample data/train.csv --without churned"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a folder as MLflow writes it of a model file, with a signature from sample rows
    Wrap(WrapArguments),
}

#[derive(Debug, Args)]
struct WrapArguments {
    /// Model file: .skops, .pkl, .pickle, .joblib, .ubj, .json, .txt, .cbm or .onnx
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Folder to make
    #[arg(value_name = "OUT")]
    output: PathBuf,
    /// What wrote it [default: by its name]
    #[arg(long, value_enum)]
    flavor: Option<FileFlavor>,
    /// Table of rows as the model takes them, for its signature and its input example; the model must answer them
    #[arg(long, value_name = "TABLE")]
    sample: Option<String>,
    /// Columns of the sample that the model does not take, such as the target
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    without: Vec<String>,
    /// Method of an estimator that answers: predict, predict_proba, …
    #[arg(long, default_value = "predict", value_name = "METHOD")]
    predict_fn: String,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Action::Wrap(asked) = arguments.action;
    let options = WrapOptions {
        file: asked.file,
        flavor: asked.flavor,
        output: asked.output,
        sample: asked.sample,
        without: asked.without,
        predict_fn: asked.predict_fn,
    };
    let wrapped = wrap(&options)?;
    if asked.json {
        printer::json(&wrapped)?;
    } else {
        printer::line(&format!("folder     {}", wrapped.folder.display()));
        printer::line(&format!("columns    {}", wrapped.inputs.join(", ")));
        printer::line(&format!("answered   {} rows of the sample", wrapped.answered));
    }
    if let Some(reason) = &wrapped.needs_python {
        printer::warning(&format!("it runs in Python workers alone: {reason}"));
    }
    if wrapped.inputs.is_empty() {
        printer::note("without --sample the folder has no signature");
    }
    Ok(ExitCode::SUCCESS)
}
