//! `trainyard init`: a project in a folder that may be somebody's repository already.
//!
//! What is there is looked at (`folder`, `remote`, `python`, `data`, `settings`), what is missing is written (`project_file`,
//! `workflow`, `over_ssh`, `dependabot`, `gitlab`, `ignore`), and nothing that is there is written over: files are made, and lines are
//! added to lists of files that other tools leave out.

mod data;
mod dependabot;
mod folder;
mod gitlab;
mod ignore;
mod jobs;
mod options;
mod over_ssh;
mod plan;
mod project_file;
mod python;
mod remote;
mod scaffold;
mod settings;
mod workflow;

pub use options::{Ci, DeployBy, InitOptions};
pub use scaffold::{Change, Guesses, Scaffold};
