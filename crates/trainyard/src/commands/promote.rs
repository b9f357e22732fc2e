//! `trainyard promote`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use trainyard_pipeline::{Error, Happened, PRODUCTION, PromoteOptions, Promoted, STAGING, Verdict};

use super::project::ProjectArguments;
use super::summary::{check_folder, show_refusal, write_markdown};
use crate::failure::Failure;
use crate::printer::{self, Progress};

/// Approve a version that passes the gate (alias Staging); `deploy` releases it.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trainyard promote examples/iris --version 3\n  trainyard promote examples/iris --to Production"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    project: ProjectArguments,
    /// Version to promote; the newest by default
    #[arg(long, value_name = "N")]
    version: Option<String>,
    /// Let the version break clients of the one in production: the signature may change in ways that refuse
    /// what they send. Recorded on the version
    #[arg(long)]
    allow_break: bool,
    /// Alias that it gets; Production is for servers that follow it and that `deploy` does not run
    #[arg(long, value_name = "ALIAS", default_value = STAGING, value_parser = [STAGING, PRODUCTION])]
    to: String,
    /// Why, for the tags of the version
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// File that gets the verdict as Markdown, also when the gate refuses
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
}

/// What is printed as JSON where the gate refuses.
#[derive(Debug, Serialize)]
struct Refused<'a> {
    name: &'a str,
    /// As it was asked for; none where that was the newest.
    version: Option<&'a str>,
    /// Why, in a sentence.
    #[serde(rename = "refused")]
    reason: String,
    gate: &'a Verdict,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    check_folder(arguments.summary.as_deref())?;
    let (mut project, tracking) = arguments.project.open()?;
    project.config.gate.allow_break = arguments.allow_break;
    let progress = Progress::new();
    let watch = |event| progress.show(&event);
    let options = PromoteOptions {
        version: arguments.version.clone(),
        to_production: arguments.to == PRODUCTION,
        reason: arguments.reason.clone(),
        asked_by: None,
    };
    let outcome = trainyard_pipeline::promote(&project, &tracking, options, &watch).await;
    if let Some(path) = &arguments.summary {
        write_markdown(path, &outcome, Promoted::to_markdown)?;
    }
    let happened = match &outcome {
        Ok(promoted) if promoted.alias == PRODUCTION => {
            Some(Happened::Promoted { version: promoted.version.clone(), url: None })
        }
        // Users see nothing of it yet.
        Ok(_approved) => None,
        Err(error) => Happened::of_failure(error),
    };
    trainyard_pipeline::notify(&project, happened.as_slice()).await;
    if arguments.json
        && let Err(Error::Gate(verdict)) = &outcome
    {
        printer::json(&Refused {
            name: &project.config.model.name,
            version: arguments.version.as_deref(),
            reason: verdict.to_string(),
            gate: verdict,
        })?;
    }
    if !arguments.json {
        show_refusal(outcome.as_ref().err());
    }
    let promoted = outcome?;
    if arguments.json {
        printer::json(&promoted)?;
    } else {
        for line in promoted.gate.lines() {
            printer::line(&format!("gate       {line}"));
        }
        let Promoted { name, version, alias, replaced, .. } = &promoted;
        if alias == PRODUCTION {
            let before = match replaced {
                Some(version) => format!(", in place of version {version}"),
                None => String::new(),
            };
            printer::line(&format!("Production {name} version {version}{before}"));
        } else {
            let serves = match replaced {
                Some(version) => format!("; Production is version {version}"),
                None => String::new(),
            };
            printer::line(&format!("approved   {name} version {version} ({STAGING}){serves}"));
            printer::terminal_hint("`trainyard deploy` releases it");
        }
    }
    Ok(ExitCode::SUCCESS)
}
