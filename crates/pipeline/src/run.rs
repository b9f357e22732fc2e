//! All steps in order.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use trainyard_data::ReadOptions;
use trainyard_mlflow::Tracking;
use trainyard_mlflow::entities::KeyValue;

use crate::deploy::{self, Deployed};
use crate::event::{Event, Step, Watcher};
use crate::monitor::{self, LogFilter};
use crate::notify::{Happened, notify};
use crate::promote::{PRODUCTION, demote, promote};
use crate::summary::{DriftSummary, ModelSummary, RequestsSummary, Summary};
use crate::train::train;
use crate::{Error, Project, Result, traffic};

/// What a run needs beside the project.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The binary that serves.
    pub program: PathBuf,
    /// Where the tracking server can be reached by HTTP, for training programs and the summary.
    pub tracking_url: Option<String>,
    /// Tags of the training run: why it was started.
    pub tags: Vec<(String, String)>,
}

/// Trains, gates, promotes, deploys, sends the project's requests, monitors; and tells those whom the
/// project names how that ended.
pub async fn run(
    project: &Project,
    tracking: &Tracking,
    options: RunOptions,
    watcher: Watcher<'_>,
) -> Result<Summary> {
    let outcome = steps(project, tracking, options, watcher).await;
    match &outcome {
        Ok(summary) => notify(project, &Happened::of(summary)).await,
        Err(error) => notify(project, Happened::of_failure(error).as_slice()).await,
    }
    outcome
}

async fn steps(
    project: &Project,
    tracking: &Tracking,
    options: RunOptions,
    watcher: Watcher<'_>,
) -> Result<Summary> {
    preflight(project).await?;
    let trained = train(project, tracking, options.tracking_url.as_deref(), watcher).await?;
    for (key, value) in options.tags {
        tracking.runs.set_tag(&trained.run_id, KeyValue::new(key, value)).await?;
    }
    let promoted = promote(project, tracking, Some(&trained.version), watcher).await?;
    let deployed = deploy::deploy(project, tracking, options.program, watcher).await;
    let deployed = match deployed {
        Ok(deployed) => deployed,
        Err(error) => {
            if let Err(stays) = demote(project, tracking, &promoted).await {
                tracing::error!(error = %stays, "{PRODUCTION} stays on a version that is not served");
            }
            return Err(error);
        }
    };
    let mut seconds = [
        (Step::Train, trained.took),
        (Step::Gate, promoted.gate_took),
        (Step::Promote, promoted.promote_took),
        (Step::Deploy, deployed.took),
    ]
    .map(|(step, took)| (step, took.as_secs_f64()))
    .into_iter()
    .collect::<std::collections::BTreeMap<_, _>>();

    let since = Utc::now();
    let (sent, took) = send_requests(project, &deployed, watcher).await?;
    seconds.insert(Step::Traffic, took.as_secs_f64());
    let started = Instant::now();
    let drift = monitor_deployment(project, tracking, &deployed, sent, since, watcher);
    let drift = drift.await?;
    seconds.insert(Step::Monitor, started.elapsed().as_secs_f64());

    Ok(Summary {
        run_id: trained.run_id,
        experiment: trained.experiment,
        model: ModelSummary {
            name: trained.name,
            version: trained.version,
            alias: PRODUCTION.to_owned(),
        },
        metrics: trained.metrics,
        gate: promoted.gate,
        url: deployed.url,
        tracking_url: options.tracking_url,
        requests: RequestsSummary { sent },
        drift,
        seconds,
    })
}

/// Finds what would stop the run after the alias has moved: requests that cannot be read, a port
/// that another program has.
async fn preflight(project: &Project) -> Result<()> {
    if let Some(source) = project.requests() {
        project.read(&source, &ReadOptions::default())?;
    }
    let address = project.config.deploy.listen;
    let is_up = trainyard_deploy::status(&deploy::service(project))
        .await
        .is_ok_and(|status| status.url.is_some());
    if is_up || address.port() == 0 {
        return Ok(());
    }
    match tokio::net::TcpListener::bind(address).await {
        Ok(_free) => Ok(()),
        Err(source) => Err(Error::Listen { address, source }),
    }
}

/// Sends the project's requests, if it has any.
async fn send_requests(
    project: &Project,
    deployed: &Deployed,
    watcher: Watcher<'_>,
) -> Result<(usize, Duration)> {
    let Some(source) = project.requests() else {
        let reason = "no requests in [monitor]".to_owned();
        watcher(Event::Skipped { step: Step::Traffic, reason });
        return Ok((0, Duration::ZERO));
    };
    let started = Instant::now();
    watcher(Event::Started(Step::Traffic));
    let sent = match project.read(&source, &ReadOptions::default()) {
        Ok(table) => traffic::send(&deployed.url, &table.batch, watcher).await,
        Err(error) => Err(error),
    };
    let took = started.elapsed();
    match sent {
        Ok(sent) => {
            let message = format!("{sent} requests answered");
            watcher(Event::Done { step: Step::Traffic, message, took });
            Ok((sent, took))
        }
        Err(error) => {
            watcher(Event::Failed { step: Step::Traffic, took });
            Err(error)
        }
    }
}

/// Compares what this run's requests looked like with the training data.
async fn monitor_deployment(
    project: &Project,
    tracking: &Tracking,
    deployed: &Deployed,
    sent: usize,
    since: DateTime<Utc>,
    watcher: Watcher<'_>,
) -> Result<Option<DriftSummary>> {
    let own_log = project.config.monitor.current.is_none();
    if own_log && sent == 0 {
        let reason = "nothing was predicted yet".to_owned();
        watcher(Event::Skipped { step: Step::Monitor, reason });
        return Ok(None);
    }
    let started = Instant::now();
    watcher(Event::Started(Step::Monitor));
    let filter = LogFilter { version: Some(deployed.version.clone()), since: Some(since) };
    let outcome = async {
        if own_log {
            monitor::wait_for_log(project, deployed, &filter, sent).await?;
        }
        let progress = |done: usize, total: usize| {
            let share = Some(done as f64 / total.max(1) as f64);
            let message = format!("{done} of {total} columns");
            watcher(Event::Progress { step: Step::Monitor, message, share });
        };
        let monitored = monitor::monitor_project(project, tracking, &filter, &progress).await?;
        monitor::report(project, tracking, &monitored, &deployed.version).await
    }
    .await;
    let took = started.elapsed();
    match outcome {
        Ok(summary) => {
            let message =
                format!("{} of {} columns drifted", summary.drifted_columns, summary.columns);
            watcher(Event::Done { step: Step::Monitor, message, took });
            Ok(Some(summary))
        }
        Err(error) => {
            watcher(Event::Failed { step: Step::Monitor, took });
            Err(error)
        }
    }
}
