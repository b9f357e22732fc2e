//! `trainyard init`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use trainyard_pipeline::{InstallFrom, Provenance};

use crate::failure::Failure;
use crate::printer;

/// Write a working project: trainyard.toml, data/, Dockerfile and a GitHub Actions workflow.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  trainyard init churn && cp customers.csv churn/data/train.csv")]
pub(crate) struct Arguments {
    /// Folder of the project; made if it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// Where the workflows take trainyard from: the URL of a binary or a wheel with its digest
    /// (URL#sha256=HEX), an image (NAME@sha256:HEX), a git repository (URL#COMMIT), or a path on the
    /// runner [default: the release that this binary is of, else the repository's variable
    /// TRAINYARD_SOURCE]
    #[arg(long, value_name = "URL|IMAGE|WHEEL|PATH")]
    install_from: Option<InstallFrom>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let install_from = match &arguments.install_from {
        Some(given) => Some(given.clone()),
        None => Provenance::of_this_binary().map(|release| release.install_from()).transpose()?,
    };
    let written = trainyard_pipeline::init(&arguments.project, install_from.as_ref())?;
    for path in written {
        printer::line(&path.display().to_string());
    }
    printer::hint(&format!(
        "put training data into {}, then: trainyard run {}",
        arguments.project.join("data/train.csv").display(),
        arguments.project.display()
    ));
    if install_from.is_none() {
        printer::hint(
            "the workflows take trainyard from the repository's variable TRAINYARD_SOURCE; set it, or \
             use --install-from",
        );
    }
    Ok(ExitCode::SUCCESS)
}
