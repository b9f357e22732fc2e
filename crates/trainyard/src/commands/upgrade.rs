//! `trainyard server upgrade`: the database of an older MLflow in its place.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use trainyard_mlflow::uri::without_credentials;
use trainyard_tracking::UpgradeEvent;

use super::backend_store::uri_in;
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
    /// File with that URI instead, which keeps a password out of process lists
    #[arg(
        long,
        env = "TRAINYARD_BACKEND_STORE_URI_FILE",
        conflicts_with = "uri",
        value_name = "FILE"
    )]
    backend_store_uri_file: Option<PathBuf>,
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
    let uri = match &arguments.backend_store_uri_file {
        Some(file) => uri_in(file)?,
        None => arguments.uri.clone(),
    };
    let upgraded = trainyard_tracking::upgrade(&uri, !arguments.no_backup, &mut tell)?;
    let (uri, version) = (without_credentials(&uri), upgraded.version);
    printer::line(&match upgraded.migrations {
        0 => format!("{uri} is up to date (schema version {version})"),
        migrations => {
            format!("{uri} is at schema version {version}, after {migrations} migrations")
        }
    });
    Ok(ExitCode::SUCCESS)
}
