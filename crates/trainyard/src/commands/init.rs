//! `trainyard init`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;
use crate::printer;

/// Write a working project: trainyard.toml, data/, Dockerfile and a GitHub Actions workflow.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  trainyard init churn && cp customers.csv churn/data/train.csv")]
pub(crate) struct Arguments {
    /// Folder of the project; made if it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    project: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let written = trainyard_pipeline::init(&arguments.project)?;
    for path in written {
        printer::line(&path.display().to_string());
    }
    printer::hint(&format!(
        "put training data into {}, then: trainyard run {}",
        arguments.project.join("data/train.csv").display(),
        arguments.project.display()
    ));
    Ok(ExitCode::SUCCESS)
}
