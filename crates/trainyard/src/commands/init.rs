//! `trainyard init`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use trainyard_pipeline::{Ci, DeployBy, InitOptions, InstallFrom, Provenance, Scaffold};

use super::init_questions::answered;
use crate::failure::Failure;
use crate::printer;

/// Make a folder a project: add what it lacks of trainyard.toml, image and workflows. Nothing that is there is
/// written over.
///
/// The folder is looked at: its table says what is learnt and by which gate a model is judged, a script that trains
/// with MLflow becomes `train.command`, lists of packages become steps of the workflows. On a terminal, and without any
/// flag, what was guessed is asked.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mkdir -p churn/data && cp customers.csv churn/data/train.csv && trainyard init churn\n  trainyard init . --dry-run\n  trainyard init . --data data/customers.csv --target churned"
)]
pub(crate) struct Arguments {
    /// Folder of the project; made if it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// Registered model that versions are added to [default: as the script registers it, else the folder's name]
    #[arg(long)]
    name: Option<String>,
    /// Column to predict [default: one that is called so, else the last]
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    /// Table to train on, as seen from the project: CSV or Parquet, a file, a folder, a pattern or s3://…
    #[arg(long, value_name = "PATH|URI")]
    data: Option<String>,
    /// Command line that trains, in the place of a built-in algorithm; a script of Python that it names and that is
    /// not there is written
    #[arg(long, value_name = "COMMAND")]
    train_command: Option<String>,
    /// Where the workflows take trainyard from: the URL of a binary or a wheel with its digest
    /// (URL#sha256=HEX), an image (NAME@sha256:HEX), a git repository (URL#COMMIT), or a path on the
    /// runner [default: the release that this binary is of, else the repository's variable
    /// TRAINYARD_SOURCE]
    #[arg(long, value_name = "URL|IMAGE|WHEEL|PATH")]
    install_from: Option<InstallFrom>,
    /// Where the repository's jobs run [default: by what it has]
    #[arg(long, value_enum)]
    ci: Option<Ci>,
    /// How jobs reach the host that serves
    #[arg(long, value_enum, default_value = "runner")]
    deploy_by: DeployBy,
    /// Show what would be done, and write nothing
    #[arg(long)]
    dry_run: bool,
}

impl Arguments {
    /// Whether nothing is said but the folder.
    fn is_plain(&self) -> bool {
        let said = [&self.name, &self.target, &self.data, &self.train_command];
        let is_of_jobs = self.install_from.is_some() || self.ci.is_some();
        let is_by_ssh = self.deploy_by != DeployBy::default();
        !(said.into_iter().any(Option::is_some) || is_of_jobs || is_by_ssh || self.dry_run)
    }
}

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let asks = arguments.is_plain() && printer::can_ask();
    let install_from = match arguments.install_from {
        Some(given) => Some(given),
        None => Provenance::of_this_binary().map(|release| release.install_from()).transpose()?,
    };
    let has_source = install_from.is_some();
    let mut options = InitOptions {
        name: arguments.name,
        target: arguments.target,
        data: arguments.data,
        train_command: arguments.train_command,
        install_from,
        ci: arguments.ci,
        deploy_by: arguments.deploy_by,
    };
    if asks {
        options = answered(&arguments.project, options)?;
    }
    let plan = Scaffold::plan(&arguments.project, &options)?;
    for text in &plan.found {
        printer::note(&format!("found: {text}"));
    }
    if !arguments.dry_run {
        plan.write()?;
    }
    for change in &plan.changes {
        if change.is_addition {
            printer::note(&format!("lines are added to {}", change.path.display()));
        }
        printer::line(&change.path.display().to_string());
    }
    for path in &plan.kept {
        printer::note(&format!("stays as it is: {}", path.display()));
    }
    for text in &plan.missing {
        printer::warning(text);
    }
    if arguments.dry_run {
        printer::hint("nothing was written; without --dry-run these files are");
        return Ok(ExitCode::SUCCESS);
    }
    let then = if plan.missing.is_empty() { "now" } else { "then" };
    printer::hint(&format!("{then}: trainyard run {} --keep", arguments.project.display()));
    if !has_source
        && plan.changes.iter().any(|change| change.path.ends_with("install-trainyard.sh"))
    {
        printer::hint(
            "the workflows take trainyard from the repository's variable TRAINYARD_SOURCE; set it, or \
             use --install-from",
        );
    }
    Ok(ExitCode::SUCCESS)
}
