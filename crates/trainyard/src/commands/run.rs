//! `trainyard run`: train, gate, promote, deploy, send requests, monitor.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use trainyard_mlflow::Tracking;
use trainyard_pipeline::monitor::FailOn;
use trainyard_pipeline::{
    Behaviour, DeployOptions, Happened, Project, RunOptions, Summary, Watcher,
};
use trainyard_tracking::Shared;

use super::project::{ProjectArguments, program};
use super::shutdown_signal;
use super::summary::{check_folder, show_refusal, write_markdown};
use super::tracking_pages::TrackingPages;
use crate::exit::DRIFT;
use crate::failure::Failure;
use crate::printer::{self, Progress};

/// Do it all: train, gate, promote, deploy, send the project's requests, monitor.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trainyard run examples/iris --keep\n  trainyard run examples/iris --watch"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Arguments {
    #[command(flatten)]
    project: ProjectArguments,
    /// Keep the deployment and the tracking pages up until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// Print the summary as one line of JSON
    #[arg(long)]
    json: bool,
    /// End with exit code 4 on this verdict of the monitor; may be repeated
    #[arg(long, value_name = "VERDICT")]
    fail_on: Vec<FailOn>,
    /// The same as --fail-on drift
    #[arg(long)]
    fail_on_drift: bool,
    /// File that gets the result as Markdown, also when the run fails
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    /// Train also where data and settings are those of the last training
    #[arg(long)]
    force: bool,
    /// Take the alias Production even from the running deployment of another project
    #[arg(long)]
    take_production: bool,
    /// Stay up, look for drift at the times of [watch], and train anew when there is some; if a version is in
    /// production already, it is brought up and nothing is trained before the first look (but see --force). What
    /// serves goes on when this ends
    #[arg(long, conflicts_with_all = ["fail_on", "fail_on_drift", "json"])]
    watch: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    check_folder(arguments.summary.as_deref())?;
    let (project, Shared { own: tracking, lent, changes, .. }) = arguments.project.open_shared()?;
    let was_deployed = is_deployed(&project).await;
    // A restart of whoever watches is none of production.
    let stays = was_deployed || arguments.watch;
    let needs_pages = arguments.keep || arguments.watch || project.config.train.command.is_some();
    let (pages, tracking_url) = TrackingPages::beside(&project, lent, changes, needs_pages).await?;
    let progress = Progress::new();
    let only_if_new = !arguments.force;
    let options = RunOptions {
        program: program()?,
        tracking_url,
        only_if_new,
        look: None,
        take_production: arguments.take_production,
    };
    let watch = |event| progress.show(&event);
    let resumed = if arguments.watch && !arguments.force {
        trainyard_pipeline::version_in_production(&project, &tracking).await?
    } else {
        None
    };
    let running = async {
        let Some(version) = &resumed else {
            return trainyard_pipeline::run(&project, &tracking, options.clone(), &watch)
                .await
                .map(Some);
        };
        if !was_deployed {
            bring_up(&project, &tracking, &options, version, &watch).await?;
        }
        Ok(None)
    };
    // One listener for all of it: a signal between two steps must not be lost.
    let mut shutdown = std::pin::pin!(shutdown_signal());
    let outcome = tokio::select! {
        biased;
        () = &mut shutdown => {
            // Else what this run brought up is about to end, and its release with it.
            if stays {
                settle(&project, &tracking).await;
            }
            Err(Failure::runtime("interrupted").hint(
                "Production is what it was, or the new version if its release was over; \
                 run again to go on",
            ))
        }
        outcome = running => {
            if let Some(path) = arguments.summary.as_ref().filter(|_| resumed.is_none()) {
                let page = |summary: &Option<Summary>| {
                    summary.as_ref().map(Summary::to_markdown).unwrap_or_default()
                };
                write_markdown(path, &outcome, page)?;
            }
            if !arguments.json {
                show_refusal(outcome.as_ref().err());
            }
            outcome.map_err(Failure::from)
        }
    };
    let outcome = match outcome {
        Ok(summary) => {
            match &summary {
                Some(summary) => show(summary, &arguments, stays || arguments.keep)?,
                None => printer::hint("the version in production serves; --force trains first"),
            }
            if arguments.watch {
                let watching =
                    super::watch::until_stopped(&project, &tracking, &options, &watch, shutdown);
                watching.await?;
            } else if arguments.keep {
                say_what_stays(summary.as_ref(), was_deployed);
                shutdown.await;
            } else if !was_deployed {
                printer::terminal_hint("--keep keeps the deployment and the tracking pages up");
            } else {
                printer::terminal_hint(
                    "the deployment was up before this run and stays up; `trainyard deploy stop` ends it",
                );
            }
            Ok(summary
                .map_or(ExitCode::SUCCESS, |summary| exit_code(&summary, &project, &arguments)))
        }
        Err(failure) => Err(failure),
    };
    // What this run brought up goes down with it, unless it is to stay. What serves nobody is nothing to keep.
    if !stays || (!was_deployed && !serves(&project).await) {
        let stopped =
            trainyard_deploy::stop(&trainyard_pipeline::service(&project), &|_event| {}).await;
        match stopped {
            Ok(()) => trainyard_pipeline::record_stop(&project).await,
            Err(error) if outcome.is_ok() => return Err(error.into()),
            Err(_second) => {}
        }
    }
    if let Some(pages) = pages {
        pages.stop().await;
    }
    outcome
}

/// Traffic goes back to what served before, if the release that was interrupted had moved it already.
async fn settle(project: &Project, tracking: &Tracking) {
    if let Err(error) = trainyard_pipeline::settle(project, tracking, &|_event| {}).await {
        tracing::warn!(error = error.message(), "the interrupted release is not settled");
    }
}

/// Brings the version in production up: what `--watch` begins with where there is one. A restart of it trains
/// nothing, or trainings would be as often as restarts.
async fn bring_up(
    project: &Project,
    tracking: &Tracking,
    options: &RunOptions,
    version: &str,
    watcher: Watcher<'_>,
) -> Result<(), trainyard_pipeline::Error> {
    let options = DeployOptions {
        program: options.program.clone(),
        version: Some(version.to_owned()),
        reason: Some("`run --watch` brings production up".to_owned()),
        take_production: options.take_production,
        asked_by: None,
    };
    let deployed = trainyard_pipeline::deploy(project, tracking, options, watcher).await;
    if let Err(error) = &deployed {
        let happened = Happened::of_failure(error);
        trainyard_pipeline::notify(project, happened.as_slice()).await;
    }
    deployed.map(drop)
}

/// Whether requests go to a version of the project, which is not asked.
async fn serves(project: &Project) -> bool {
    let serving = trainyard_deploy::serving(&trainyard_pipeline::service(project)).await;
    // What cannot be told is left as it is.
    !matches!(serving, Ok(None))
}

/// Whether a deployment of the project is up already.
async fn is_deployed(project: &Project) -> bool {
    let status = trainyard_deploy::status(&trainyard_pipeline::service(project)).await;
    status.is_ok_and(|status| status.url.is_some())
}

fn exit_code(summary: &Summary, project: &Project, arguments: &Arguments) -> ExitCode {
    let Some(drift) = &summary.drift else { return ExitCode::SUCCESS };
    let settings = &project.config.monitor;
    let fails_on = settings.fails_on(&arguments.fail_on, arguments.fail_on_drift);
    let fails = |choice: &FailOn| choice.holds(drift.verdict, drift.serious_findings);
    if fails_on.iter().any(fails) { ExitCode::from(DRIFT) } else { ExitCode::SUCCESS }
}

/// What `--keep` keeps up, and how it is tried.
fn say_what_stays(summary: Option<&Summary>, was_deployed: bool) {
    printer::hint(if was_deployed {
        "the tracking pages stay up until Ctrl-C; the deployment was up before and stays"
    } else {
        "the deployment and the tracking pages stay up until Ctrl-C"
    });
    if let Some(summary) = summary
        && let Some(body) = &summary.example
    {
        printer::hint(&format!("in another terminal: {}", asked_by_curl(body, &summary.url)));
    }
}

/// The command line that sends a prediction request with this body.
pub(super) fn asked_by_curl(body: &str, url: &str) -> String {
    let quoted = body.replace('\'', r"'\''");
    format!("curl -d '{quoted}' -H 'content-type: application/json' {url}/predict")
}

/// What was done; what is about to be stopped again is not said to serve.
fn show(summary: &Summary, arguments: &Arguments, stays: bool) -> Result<(), Failure> {
    if arguments.json {
        return printer::json(summary);
    }
    let metrics: Vec<String> =
        summary.metrics.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
    printer::line(&format!("run        {} in {}", summary.run_id, summary.experiment));
    printer::line(&format!("metrics    {}", metrics.join(", ")));
    let how = if summary.is_new { "" } else { ", nothing new to learn from" };
    printer::line(&format!(
        "model      {} version {} ({}{how})",
        summary.model.name, summary.model.version, summary.model.alias
    ));
    printer::line(&if stays {
        format!("serving    {}/predict", summary.url)
    } else {
        format!("served     {}/predict, stopped again: --keep leaves it up", summary.url)
    });
    for line in summary.behaviour.iter().flat_map(Behaviour::told) {
        printer::line(&format!("behaviour  {line}"));
    }
    if let Some(url) = &summary.tracking_url {
        printer::line(&format!("tracking   {url}"));
    }
    if let Some(drift) = &summary.drift {
        printer::line(&format!(
            "drift      {}: {}",
            drift.sentence(),
            arguments.project.folder.join(&drift.report).display()
        ));
    }
    let took: Vec<String> = summary
        .seconds
        .iter()
        .map(|(step, seconds)| {
            let took = printer::took(std::time::Duration::from_secs_f64(*seconds));
            format!("{} {took}", step.title())
        })
        .collect();
    printer::line(&format!("took       {}", took.join(", ")));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_with_an_apostrophe_is_one_word_of_the_shell() {
        let line = asked_by_curl(r#"[{"who":"O'Neil"}]"#, "http://127.0.0.1:8080");
        let body = r#"'[{"who":"O'\''Neil"}]'"#;
        let told = "-H 'content-type: application/json' http://127.0.0.1:8080/predict";
        assert_eq!(line, format!("curl -d {body} {told}"));
    }
}
