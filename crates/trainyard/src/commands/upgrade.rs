//! `trainyard server upgrade`: the database of an older MLflow in its place.

use std::process::ExitCode;

use clap::Args;
use trainyard_mlflow::uri::without_credentials;
use trainyard_tracking::UpgradeEvent;

use crate::failure::Failure;
use crate::printer;

/// Upgrade the database of an older MLflow (from 2.0) in its place, after a backup.
///
/// What `mlflow db upgrade` of MLflow 3.17 does, without Python. An upgrade that was broken off goes on
/// when it is begun again. Stop the servers that write to the database first.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  trainyard server upgrade sqlite:///mlflow.db\n  pg_dump -Fc mlflow > mlflow.dump && trainyard server upgrade --no-backup postgresql://mlflow@db/mlflow"
)]
pub(crate) struct Arguments {
    /// Database of experiments, runs and models: sqlite:///… or postgresql://…
    #[arg(
        value_name = "URI",
        env = "MLFLOW_BACKEND_STORE_URI",
        default_value = "sqlite:///mlflow.db"
    )]
    uri: String,
    /// Do not copy an SQLite file beside itself first; for PostgreSQL, that there is a copy
    #[arg(long)]
    no_backup: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut tell = |event: UpgradeEvent<'_>| match event {
        UpgradeEvent::Copied { to } => printer::note(&format!("a copy is at {}", to.display())),
        UpgradeEvent::Migrates { number, of, title } => {
            printer::note(&format!("{number} of {of}: {title}"));
        }
    };
    let upgraded = trainyard_tracking::upgrade(&arguments.uri, !arguments.no_backup, &mut tell)?;
    let (uri, version) = (without_credentials(&arguments.uri), upgraded.version);
    printer::line(&match upgraded.migrations {
        0 => format!("{uri} is up to date (schema version {version})"),
        migrations => {
            format!("{uri} is at schema version {version}, after {migrations} migrations")
        }
    });
    Ok(ExitCode::SUCCESS)
}
