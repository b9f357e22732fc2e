//! `trainyard init`: a project in a folder that may be somebody's repository already.
//!
//! What is there is looked at (`folder`, `remote`, `python`, `data`), what is missing is written (`project_file`, `workflow`,
//! `over_ssh`, `dependabot`, `gitlab`, `ignore`), and nothing that is there is written over: files are made, and lines are
//! added to lists of files that other tools leave out.

mod data;
mod dependabot;
mod folder;
mod gitlab;
mod ignore;
mod over_ssh;
mod plan;
mod project_file;
mod python;
mod remote;
mod workflow;

pub use plan::{Change, Ci, DeployBy, Guesses, InitOptions, Scaffold};
