//! What whoever starts a project says of it.

use crate::install_from::InstallFrom;

/// Where a repository's jobs run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Ci {
    /// Workflows of GitHub Actions.
    Github,
    /// Jobs of GitLab.
    Gitlab,
    /// Nowhere.
    None,
}

/// How jobs reach the host that serves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum DeployBy {
    /// A runner of the CI is on it.
    #[default]
    Runner,
    /// By SSH, from the CI's own runners.
    Ssh,
}

/// What the user says of a new project; the rest is looked up in its folder.
#[derive(Debug, Clone, Default)]
pub struct InitOptions {
    /// Registered model.
    pub name: Option<String>,
    /// Column to predict.
    pub target: Option<String>,
    /// Table to train on: a file, folder or pattern of the project, or a URI.
    pub data: Option<String>,
    /// Command line that trains, in the place of a built-in algorithm.
    pub train_command: Option<String>,
    /// Where the workflows take `trainyard` from; a variable of the repository if none.
    pub install_from: Option<InstallFrom>,
    /// Where jobs run; told by what the repository has if none.
    pub ci: Option<Ci>,
    /// How jobs reach the host that serves.
    pub deploy_by: DeployBy,
}
