//! `trainyard token`: who may use a deployment's gateway. Secrets are shown once and kept by nobody but those who got
//! them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use trainyard_deploy::tokens::{self, Entry, Scope};

use super::project::ProjectArguments;
use crate::failure::Failure;
use crate::printer;

/// Make, list and revoke the tokens that a deployment's gateway asks for.
#[derive(Debug, Args)]
#[command(
    after_help = "The file is that of deploy.tokens_file in the project. The gateway reads it again when it changes.\n\nExample:\n  trainyard token new shop --rate 100/s --expires 2027-01-01"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a token, print it, and keep its digest
    New(NewArguments),
    /// Show all tokens, without their secrets
    List(FileArguments),
    /// Take a token away
    Revoke(RevokeArguments),
}

/// Which file.
#[derive(Debug, Args)]
struct FileArguments {
    #[command(flatten)]
    project: ProjectArguments,
    /// File of tokens, instead of the project's
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct NewArguments {
    /// Its name, for access log and metrics
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    file: FileArguments,
    /// predict, or operate: reload, feedback, metrics too
    #[arg(long, default_value = "predict",
        value_parser = PossibleValuesParser::new(Scope::ALL.map(Scope::name)))]
    scope: String,
    /// How often it may be used: 100/s, 10/m, 1000/h
    #[arg(long, value_name = "RATE")]
    rate: Option<String>,
    /// The first day, UTC, on which it is worth nothing: 2027-01-01
    #[arg(long, value_name = "DAY")]
    expires: Option<String>,
}

#[derive(Debug, Args)]
struct RevokeArguments {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    file: FileArguments,
}

impl FileArguments {
    fn path(&self) -> Result<PathBuf, Failure> {
        if let Some(file) = &self.file {
            return Ok(file.clone());
        }
        let project = self.project.open_project()?;
        trainyard_pipeline::service(&project).gateway.tokens_file.ok_or_else(|| {
            Failure::input("the project names no file of tokens")
                .hint("set tokens_file = \"tokens\" under [deploy], or give --file")
        })
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    match &arguments.action {
        Action::New(new) => make(new)?,
        Action::List(file) => list(&file.path()?)?,
        Action::Revoke(revoke) => {
            tokens::revoke(&revoke.file.path()?, &revoke.name)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn make(new: &NewArguments) -> Result<(), Failure> {
    let path = new.file.path()?;
    let secret = tokens::new_secret();
    let mut entry = Entry::new(&new.name, &secret).map_err(Failure::input)?;
    let told = [("rate", &new.rate), ("expires", &new.expires)];
    let told = told.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?)));
    for (key, value) in told.chain([("scope", new.scope.as_str())]) {
        entry.set(key, value).map_err(Failure::input)?;
    }
    tokens::add(&path, &entry)?;
    printer::line(&secret);
    printer::hint(
        "this is the only time that it is shown; send it as Authorization: Bearer <token>",
    );
    Ok(())
}

fn list(path: &Path) -> Result<(), Failure> {
    for entry in tokens::read(path)? {
        let rate = entry.rate.map_or_else(String::new, |rate| format!(" {rate}"));
        let end = entry.expires.map_or_else(String::new, |day| format!(" expires {day}"));
        printer::line(&format!("{:<20} {}{rate}{end}", entry.name, entry.scope.name()));
    }
    Ok(())
}
