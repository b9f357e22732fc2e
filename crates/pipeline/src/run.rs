//! All steps in order.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use chrono::{DateTime, Utc};
use trainyard_data::ReadOptions;
use trainyard_drift::Options;
use trainyard_mlflow::Tracking;
use trainyard_mlflow::entities::KeyValue;

use crate::deploy::{self, Deployed};
use crate::event::{Event, Step, Watcher};
use crate::monitor::{self, LogFilter, Monitored, Sides};
use crate::notify::{Happened, notify};
use crate::promote::PRODUCTION;
use crate::promote::promote;
use crate::summary::{DriftSummary, ModelSummary, RequestsSummary, Summary};
use crate::train::train;
use crate::{Error, Project, Result, traffic};

/// How long a served prediction may take until the log's readers see it.
const LOG_DEADLINE: Duration = Duration::from_secs(20);
const LOG_PAUSE: Duration = Duration::from_millis(100);

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
    tracking: &Arc<dyn Tracking>,
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
    tracking: &Arc<dyn Tracking>,
    options: RunOptions,
    watcher: Watcher<'_>,
) -> Result<Summary> {
    preflight(project).await?;
    let trained =
        train(project, tracking.as_ref(), options.tracking_url.as_deref(), watcher).await?;
    for (key, value) in options.tags {
        tracking.set_tag(&trained.run_id, KeyValue::new(key, value)).await?;
    }
    let promoted = promote(project, tracking, Some(&trained.version), watcher).await?;
    let deployed = deploy::deploy(project, tracking.as_ref(), options.program, watcher).await?;
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
    let drift = monitor_deployment(project, tracking.as_ref(), &deployed, sent, since, watcher);
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
    tracking: &dyn Tracking,
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
            wait_for_log(project, deployed, &filter, sent).await?;
        }
        let monitored = monitor_project(project, tracking, &filter, |_| {}).await?;
        report(project, tracking, &monitored, &deployed.version).await
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

/// Predictions are logged beside the answers, not before them: waits until the last is there.
async fn wait_for_log(
    project: &Project,
    deployed: &Deployed,
    filter: &LogFilter,
    rows: usize,
) -> Result<()> {
    let started = Instant::now();
    loop {
        // Each time: what was still queued at one flush is visible after the next.
        traffic::flush_log(&deployed.url).await?;
        let seen = read_log(project, filter)?.map_or(0, |table| table.num_rows());
        if seen >= rows {
            return Ok(());
        }
        if started.elapsed() > LOG_DEADLINE {
            return Err(Error::Missing {
                what: format!(
                    "{rows} requests were answered, but {seen} are in the prediction log"
                ),
                hint: "`trainyard deploy logs` says what the server could not write".to_owned(),
            });
        }
        tokio::time::sleep(LOG_PAUSE).await;
    }
}

/// What the deployment's servers logged, as far as the filter wants it; none if that is nothing.
///
/// Segments are read one by one: those of other versions may have other columns.
fn read_log(project: &Project, filter: &LogFilter) -> Result<Option<RecordBatch>> {
    let folder = project.prediction_log();
    if !folder.is_dir() {
        return Ok(None);
    }
    let files = match trainyard_data::files(&folder.to_string_lossy()) {
        Ok(files) => files,
        // The first segment is not there yet.
        Err(trainyard_data::Error::NoFiles { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut parts = Vec::new();
    for file in files {
        let options = ReadOptions { allow_no_rows: true, ..ReadOptions::default() };
        let segment = trainyard_data::read(&file.to_string_lossy(), &options)?;
        let segment = monitor::filter_log(&segment, filter)?;
        if segment.num_rows() > 0 {
            parts.push(segment);
        }
    }
    let Some(first) = parts.first() else { return Ok(None) };
    let schema = first.schema();
    concat_batches(&schema, &parts).map(Some).map_err(monitor::log_error)
}

/// Compares the project's production data with its reference; `adjust` may change how.
pub async fn monitor_project(
    project: &Project,
    tracking: &dyn Tracking,
    filter: &LogFilter,
    adjust: impl FnOnce(&mut Options),
) -> Result<Monitored> {
    let config = &project.config.monitor;
    let (resolved, version) = deploy::in_production(tracking, &project.config.model.name).await?;
    let model = format!("models:/{}@{PRODUCTION}", version.name);
    let (reference, reference_name) = if let Some(source) = &config.reference {
        (project.read_reference(tracking, source).await?, source.clone())
    } else {
        let state = project.state_folder();
        let name = format!("{model} (version {})", version.version);
        (monitor::reference_of(tracking, &resolved, &model, &state).await?, name)
    };
    let (current, current_name) = if let Some(source) = &config.current {
        let table = project.read(source, &ReadOptions::default())?.batch;
        (monitor::filter_log(&table, filter)?, source.clone())
    } else {
        let log = read_log(project, filter)?.ok_or_else(|| Error::Missing {
            what: format!("version {} has predicted nothing yet", version.version),
            hint: "send requests to the deployment, or give --current FILE".to_owned(),
        })?;
        (log, "prediction log".to_owned())
    };
    let meta = monitor::meta(&version.name, &reference_name, &current_name, Utc::now());
    let mut options = drift_options(project);
    adjust(&mut options);
    Ok(monitor::compare(Sides { reference, current, meta }, &options))
}

/// The version labelled `Production`.
pub async fn served_version(project: &Project, tracking: &dyn Tracking) -> Result<String> {
    let (_, version) = deploy::in_production(tracking, &project.config.model.name).await?;
    Ok(version.version)
}

fn drift_options(project: &Project) -> Options {
    Options {
        columns: project.config.monitor.columns.clone(),
        drift_share: project.config.monitor.drift_share,
        target: project.config.train.target.clone(),
        prediction: Some("prediction".to_owned()),
        ..Options::default()
    }
}

/// Writes the page and logs the comparison.
pub async fn report(
    project: &Project,
    tracking: &dyn Tracking,
    monitored: &Monitored,
    version: &str,
) -> Result<DriftSummary> {
    let page = project.path(&project.config.monitor.report);
    monitor::write_page(&page, &monitored.page)?;
    let tags = vec![
        KeyValue::new("trainyard.model", &project.config.model.name),
        KeyValue::new("trainyard.model_version", version),
    ];
    let experiment = project.config.monitoring_experiment();
    let run_id = monitor::log(tracking, &experiment, monitored, tags, Utc::now()).await?;
    Ok(DriftSummary {
        drifted: monitored.drift.dataset_drift,
        drifted_columns: monitored.drift.drifted,
        columns: monitored.drift.tested,
        rows: usize::try_from(monitored.drift.current_rows).unwrap_or(usize::MAX),
        report: project.config.monitor.report.display().to_string(),
        run_id: Some(run_id),
    })
}
