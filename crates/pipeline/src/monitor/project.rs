//! What a project's deployment predicted, against what its model learned from.

use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use chrono::Utc;
use trainyard_base::words::log_columns::PREDICTION;
use trainyard_data::RowFilter;
use trainyard_deploy::Role;
use trainyard_drift::{Compat, Options};
use trainyard_mlflow::Tracking;
use trainyard_mlflow::entities::KeyValue;

use super::source::reference_of;
use super::{Data, LogFilter, Monitored, Reading, Settings, Sides, log, log_run};
use crate::deploy::{self, Deployed};
use crate::promote::PRODUCTION;
use crate::summary::DriftSummary;
use crate::{Error, Project, Result, traffic};

/// How long a served prediction may take until the log's readers see it.
const LOG_DEADLINE: Duration = Duration::from_secs(20);
const LOG_PAUSE: Duration = Duration::from_millis(100);

/// How long a model server may take from being asked for its log until readers see it.
const LOG_DELAY: Duration = Duration::from_secs(2);

/// Predictions are logged beside the answers, not before them: waits until the last is there.
pub(crate) async fn wait_for_log(
    project: &Project,
    deployed: &Deployed,
    filter: &LogFilter,
    rows: usize,
) -> Result<()> {
    let started = Instant::now();
    loop {
        // Each time: what was still queued at one flush is visible after the next.
        traffic::flush_log(deployed.address).await?;
        let seen =
            read_log(project, filter, &RowFilter::default())?.map_or(0, |table| table.num_rows());
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

/// What the deployment's servers logged, as far as the filters want it; none if that is nothing.
fn read_log(
    project: &Project,
    filter: &LogFilter,
    rows: &RowFilter,
) -> Result<Option<RecordBatch>> {
    log::read(&project.prediction_log(), &filter.over(rows))
}

/// What was predicted, with the last predictions of a deployment that is up: it is asked for them, and
/// where they are all that there is they are waited for.
async fn served_log(
    project: &Project,
    filter: &LogFilter,
    rows: &RowFilter,
) -> Result<Option<RecordBatch>> {
    let status = trainyard_deploy::status(&deploy::service(project)).await;
    let serving = status.ok().and_then(|status| {
        let all = status.instances.into_iter();
        all.filter(|one| one.role == Role::Current && one.running).find_map(|one| one.address)
    });
    let is_up = match serving {
        // One that cannot be asked has written its log all the same.
        Some(address) => traffic::flush_log(address).await.is_ok(),
        None => false,
    };
    let started = Instant::now();
    loop {
        let log = read_log(project, filter, rows)?;
        if log.is_some() || !is_up || started.elapsed() > LOG_DELAY {
            return Ok(log);
        }
        tokio::time::sleep(LOG_PAUSE).await;
    }
}

/// Compares the project's production data with its reference.
pub async fn monitor_project(
    project: &Project,
    tracking: &Tracking,
    filter: &LogFilter,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Monitored> {
    let settings = &project.config.monitor;
    let now = Utc::now();
    let memory = super::memory(settings.memory);
    let (resolved, version) = deploy::in_production(tracking, &project.config.model.name).await?;
    let model = format!("models:/{}@{PRODUCTION}", version.name);
    let options = options(project, settings);
    let reading = Reading {
        columns: settings.columns.clone(),
        memory: Some(memory),
        table_only: options.compat == Compat::Evidently || options.needs_rows(),
        rows: RowFilter::default(),
    };
    let (reference, reference_name) = if let Some(source) = &settings.reference {
        (project.open_reference(tracking, source, &reading).await?, source.clone())
    } else {
        let state = project.state_folder();
        let name = format!("{model} (version {})", version.version);
        (reference_of(tracking, &resolved, &model, &state, &reading).await?, name)
    };
    let (current, current_name) = if let Some(source) = &settings.current {
        (open_current(project, source, &reading, filter).await?, source.clone())
    } else {
        let rows = settings.rows(now);
        let log = served_log(project, filter, &rows).await?.ok_or_else(|| Error::Missing {
            what: format!("version {} has predicted nothing yet", version.version),
            hint: "send requests to the deployment, or give --current FILE".to_owned(),
        })?;
        (Data::from(log), "prediction log".to_owned())
    };
    let meta = super::meta(&version.name, &reference_name, &current_name, now);
    super::compare(Sides { reference, current, meta }, &options, memory, progress)
}

/// The data that the project names; of a prediction log, what the filter wants.
async fn open_current(
    project: &Project,
    source: &str,
    reading: &Reading,
    filter: &LogFilter,
) -> Result<Data> {
    let path = project.source(source);
    let rows = project.config.monitor.rows(Utc::now());
    let reading = Reading { rows, ..reading.clone() };
    let state = project.state_folder();
    let data = super::open(&path, &state, &reading).await?;
    if !log::is_prediction_log(data.names().into_iter()) {
        return Ok(data);
    }
    let reading = Reading { rows: filter.over(&reading.rows), ..reading };
    super::open(&path, &state, &reading).await
}

/// The version labelled `Production`.
pub async fn served_version(project: &Project, tracking: &Tracking) -> Result<String> {
    let (_, version) = deploy::in_production(tracking, &project.config.model.name).await?;
    Ok(version.version)
}

/// How a project's data are compared under these settings: its target and predictions are known.
pub fn options(project: &Project, settings: &Settings) -> Options {
    Options {
        target: project.config.train.target.clone(),
        prediction: Some(PREDICTION.to_owned()),
        ..settings.options()
    }
}

/// Writes the page and logs the comparison.
pub async fn report(
    project: &Project,
    tracking: &Tracking,
    monitored: &Monitored,
    version: &str,
) -> Result<DriftSummary> {
    let page = project.path(&project.config.monitor.report);
    super::write_page(&page, &monitored.page)?;
    let tags = vec![
        KeyValue::new("trainyard.model", &project.config.model.name),
        KeyValue::new("trainyard.model_version", version),
    ];
    let experiment = project.config.monitoring_experiment();
    let run_id = log_run(tracking, &experiment, monitored, tags, Utc::now()).await?;
    Ok(DriftSummary {
        drifted: monitored.drift.dataset_drift,
        drifted_columns: monitored.drift.drifted,
        columns: monitored.drift.tested,
        rows: usize::try_from(monitored.drift.current_rows).unwrap_or(usize::MAX),
        report: project.config.monitor.report.display().to_string(),
        run_id: Some(run_id),
    })
}
