//! `trainyard server backup` and `restore`: a server's data in one folder, and back.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use trainyard_tracking::access::AccessConfig;
use trainyard_tracking::backup::{self, Made, Places};

use super::backend_store::BackendStore;
use crate::failure::Failure;
use crate::printer;

/// A backup, and what it is of.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Folder of the backup
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    store: BackendStore,
    /// Database of registered models and versions, if it is another one
    #[arg(long, env = "MLFLOW_REGISTRY_STORE_URI", value_name = "URI")]
    registry_store_uri: Option<String>,
    /// With `basic-auth`, as the server is started: also users, roles and tokens, where its settings say
    #[arg(long, value_name = "NAME", value_parser = ["basic-auth"])]
    app_name: Option<String>,
    /// Folder of artifacts
    #[arg(
        long,
        env = "MLFLOW_ARTIFACTS_DESTINATION",
        default_value = "./mlartifacts",
        value_name = "URI"
    )]
    artifacts_destination: String,
    /// Leave artifacts out
    #[arg(long)]
    no_artifacts: bool,
}

/// What a database in a file of this folder begins with.
const SQLITE: &str = "sqlite:///";

fn is_file(path: &str) -> bool {
    std::path::Path::new(path).is_file()
}

impl Arguments {
    fn places(&self) -> Result<Places, Failure> {
        Ok(Places {
            backend_store_uri: self.store.uri()?,
            registry_store_uri: self.registry_store_uri.clone(),
            users_uri: self.users_uri()?,
            artifacts: (!self.no_artifacts).then(|| self.artifacts_destination.clone()),
        })
    }

    fn users_uri(&self) -> Result<Option<String>, Failure> {
        Ok(match &self.app_name {
            Some(_basic_auth) => Some(AccessConfig::from_env()?.database_uri),
            None => None,
        })
    }

    fn tell(&self, done: &str, made: Made) -> ExitCode {
        let Made { files, bytes } = made;
        printer::line(&format!("{done} {}: {files} files, {bytes} bytes", self.folder.display()));
        ExitCode::SUCCESS
    }
}

pub(crate) fn make(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let made = backup::make(&arguments.places()?, &arguments.folder)?;
    // Whoever is locked out after a restore finds out too late.
    let usual = AccessConfig::default().database_uri;
    if arguments.app_name.is_none() && usual.strip_prefix(SQLITE).is_some_and(is_file) {
        printer::warning(&format!(
            "users, roles and tokens ({usual}) are not in it; --app-name basic-auth copies them, too"
        ));
    }
    Ok(arguments.tell("copied to", made))
}

pub(crate) fn restore(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let made = backup::restore(&arguments.places()?, &arguments.folder)?;
    Ok(arguments.tell("restored from", made))
}
