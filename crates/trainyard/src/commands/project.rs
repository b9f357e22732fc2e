//! What the verbs that work on a project share: its folder, its tracking store.

use std::path::PathBuf;

use clap::Args;
use trainyard_mlflow::Tracking;
use trainyard_pipeline::Project;
use trainyard_tracking::Shared;

use crate::failure::Failure;

/// The project folder and where it tracks.
#[derive(Debug, Clone, Args)]
pub(crate) struct ProjectArguments {
    /// Project folder, with a trainyard.toml
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) tracking: TrackingArguments,
}

/// Where runs and models are kept.
#[derive(Debug, Clone, Args)]
pub(crate) struct TrackingArguments {
    /// Tracking server or database; before the project's own [default: mlflow.db in the project]
    #[arg(long, env = "MLFLOW_TRACKING_URI", hide_env_values = true, value_name = "URI")]
    pub(crate) tracking_uri: Option<String>,
}

impl ProjectArguments {
    /// Opens the project and its tracking store.
    pub(crate) fn open(&self) -> Result<(Project, Tracking), Failure> {
        let project = self.open_project()?;
        let tracking = project.tracking()?;
        Ok((project, tracking))
    }

    /// The project alone: what is done to a deployment needs no registry.
    pub(crate) fn open_project(&self) -> Result<Project, Failure> {
        Ok(Project::open(&self.folder, self.tracking.tracking_uri.as_deref())?)
    }

    /// The same for those who show the store to others.
    pub(crate) fn open_shared(&self) -> Result<(Project, Shared), Failure> {
        let project = self.open_project()?;
        let tracking = project.shared_tracking()?;
        Ok((project, tracking))
    }
}

/// The binary that serves and proxies: this one.
pub(crate) fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::runtime(format!("cannot find this program's own file: {error}")))
}
