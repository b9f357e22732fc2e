//! All steps in order.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use trainyard_data::ReadOptions;
use trainyard_mlflow::Tracking;

use crate::actor::cause;
use crate::alias::PRODUCTION;
use crate::candidate::Candidate;
use crate::deploy::{Deployed, deploy_candidate};
use crate::event::{Event, Step, Watcher};
use crate::example_request::{can_be_tried, example_request};
use crate::monitor::{LogFilter, MonitorJob, wait_for_log};
use crate::notify::{Happened, notify};
use crate::promote::approve;
use crate::service::{service, token_at};
use crate::summary::{DriftSummary, ModelSummary, RequestsSummary, Summary};
use crate::train::{TrainOptions, train};
use crate::{Error, Project, Result, owner, traffic};

/// What a run needs beside the project.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The binary that serves.
    pub program: PathBuf,
    /// Where the tracking server can be reached by HTTP, for training programs and the summary.
    pub tracking_url: Option<String>,
    /// Trains only where data or settings are not those of the last training.
    pub only_if_new: bool,
    /// The run of the look at production data that it follows from.
    pub look: Option<String>,
    /// Whether `Production` may be taken from the deployment of another project.
    pub take_production: bool,
}

/// Trains, gates, promotes, deploys, sends the project's requests, monitors; and tells those whom the
/// project names how that ended. Where nothing is trained, because there is nothing new to learn from, the
/// version that was trained last goes the rest of the way.
pub async fn run(
    project: &Project,
    tracking: &Tracking,
    options: RunOptions,
    watcher: Watcher<'_>,
) -> Result<Summary> {
    // What is told of a failure depends on the step in which it was.
    let failed = Mutex::new(None);
    let noting = |event: Event| {
        if let Event::Failed { step, .. } = &event {
            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(*step);
        }
        watcher(event);
    };
    let outcome = Box::pin(steps(project, tracking, options, &noting)).await;
    let step = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    match &outcome {
        Ok(summary) => notify(project, &Happened::of(summary)).await,
        Err(error) => notify(project, &[Happened::of_failed_step(step, error)]).await,
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
    if !options.take_production {
        owner::check(project, tracking, None).await?;
    }
    let learning = TrainOptions {
        tracking_url: options.tracking_url.clone(),
        only_if_new: options.only_if_new,
        look: options.look,
    };
    let trained = train(project, tracking, &learning, watcher).await?;
    let candidate = Candidate::find(project, tracking, Some(&trained.version)).await?;
    let cause = cause(project, None);
    let approved = approve(project, tracking, &candidate, &cause, watcher).await?;
    let deploying =
        deploy_candidate(project, tracking, &candidate, options.program, cause, watcher);
    let deployed = deploying.await?;
    let example = example(project, &candidate).await;
    drop(candidate);
    let mut seconds = [
        (Step::Train, trained.took),
        (Step::Gate, approved.gate_took),
        (Step::Promote, approved.promote_took),
        (Step::Deploy, deployed.took),
    ]
    .map(|(step, took)| (step, took.as_secs_f64()))
    .into_iter()
    .collect::<BTreeMap<_, _>>();

    let since = Utc::now();
    let (sent, took) = send_requests(project, &deployed, watcher).await?;
    seconds.insert(Step::Traffic, took.as_secs_f64());
    let monitoring = monitor_deployment(project, tracking, &deployed, sent, since, watcher);
    // Its future is large, and lies on the heap so that this one stays small.
    let (drift, took) = Box::pin(monitoring).await?;
    seconds.insert(Step::Monitor, took.as_secs_f64());

    Ok(Summary {
        run_id: trained.run_id,
        experiment: trained.experiment,
        model: ModelSummary {
            name: trained.name,
            version: trained.version,
            alias: PRODUCTION.to_owned(),
        },
        is_new: trained.is_new,
        metrics: trained.metrics,
        gate: approved.gate,
        behaviour: deployed.behaviour,
        url: deployed.url,
        tracking_url: options.tracking_url,
        requests: RequestsSummary { sent },
        drift,
        example,
        seconds,
    })
}

/// A request to try what was deployed with. None where it asks for a token or a certificate, as the request has neither.
async fn example(project: &Project, candidate: &Candidate) -> Option<String> {
    if !can_be_tried(project) {
        return None;
    }
    // The release has read it; whoever cannot any more does without.
    let example = Box::pin(candidate.input_example()).await.ok().flatten()?;
    example_request(&example)
}

/// Finds what would stop the run after it has trained: requests that cannot be read, a port
/// that another program has.
async fn preflight(project: &Project) -> Result<()> {
    if let Some(source) = project.requests() {
        project.read(&source, &ReadOptions::default())?;
    }
    let address = project.config.deploy.listen;
    let is_up =
        trainyard_deploy::status(&service(project)).await.is_ok_and(|status| status.url.is_some());
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
    let sending = async {
        let table = project.read(&source, &ReadOptions::default())?;
        let token = token_at(project, deployed.address);
        // A gateway that asks who one is, or shows a certificate that is for other names, is gone past.
        let gateway = service(project).gateway;
        if gateway.asks() || gateway.is_encrypted() {
            let url = format!("http://{}", deployed.address);
            return traffic::send(&url, token.as_ref(), &table.batch, watcher).await;
        }
        traffic::send(&deployed.url, token.as_ref(), &table.batch, watcher).await
    };
    let done = |sent: &usize| format!("{sent} requests answered");
    Step::Traffic.watched(watcher, sending, done).await
}

/// Compares what this run's requests looked like with the training data.
async fn monitor_deployment(
    project: &Project,
    tracking: &Tracking,
    deployed: &Deployed,
    sent: usize,
    since: DateTime<Utc>,
    watcher: Watcher<'_>,
) -> Result<(Option<DriftSummary>, Duration)> {
    let own_log = project.config.monitor.current.is_none();
    if own_log && sent == 0 {
        let reason = "nothing was predicted yet".to_owned();
        watcher(Event::Skipped { step: Step::Monitor, reason });
        return Ok((None, Duration::ZERO));
    }
    // Its future is large.
    let monitoring = Box::pin(async {
        if own_log {
            let (model, version) = (deployed.name.clone(), deployed.version.clone());
            let (model, version) = (Some(model), Some(version));
            let filter = LogFilter { model, version, since: Some(since) };
            wait_for_log(project, deployed, &filter, sent).await?;
        }
        let progress = |done: usize, total: usize| {
            let share = Some(done as f64 / total.max(1) as f64);
            let message = format!("{done} of {total} columns");
            watcher(Event::Progress { step: Step::Monitor, message, share });
        };
        let job = MonitorJob::of_project(project, tracking);
        let monitored = job.compare(Some(since), &progress).await?;
        job.report(&monitored).await
    });
    let done = DriftSummary::sentence;
    let (drift, took) = Step::Monitor.watched(watcher, monitoring, done).await?;
    Ok((Some(drift), took))
}
