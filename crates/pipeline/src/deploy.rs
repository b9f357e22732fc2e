//! The deploy step: the version labelled `Production`, beside the old one, then instead of it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use trainyard_base::words::PROBE_ID_VARIABLE;
use trainyard_deploy::{Outcome, Probe, ReleaseSpec, Service};
use trainyard_mlflow::{Tracking, VersionId, entities::ModelVersion};
use trainyard_signature::model::InputExample;

use crate::alias::{PRODUCTION, in_production};
use crate::candidate::Candidate;
use crate::event::{Step, Watcher};
use crate::{Error, FILE_NAME, Project, Result, workload};

/// What a release did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Deployed {
    pub name: String,
    pub version: String,
    /// Base URL of the gateway.
    pub url: String,
    /// Instance that took over.
    pub instance: String,
    /// Where it answers itself, operators' paths too, which the gateway does not pass on for anybody.
    #[serde(skip)]
    pub address: SocketAddr,
    /// Instance that served before.
    pub replaced: Option<String>,
    #[serde(skip)]
    pub took: Duration,
}

/// The project's deployment.
pub fn service(project: &Project) -> Service {
    // Registered models may have any name; a folder may not.
    let name: String = project
        .config
        .model
        .name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect();
    let name = format!("m{}", name.get(..name.len().min(60)).unwrap_or_default());
    let config = &project.config.deploy;
    let mut service = Service::new(name, project.state_folder().join("deploy"), config.listen);
    service.access_log = config.access_log;
    service.metrics_listen = config.metrics_listen;
    service.operator_listen = config.operator_listen;
    service.exposed.clone_from(&config.expose);
    service.response_timeout = config.response_timeout;
    service.max_connections = config.max_connections;
    service.max_per_address = config.max_per_address;
    service
}

/// Releases the version labelled `Production`. `program` is the binary that serves.
pub async fn deploy(
    project: &Project,
    tracking: &Tracking,
    program: PathBuf,
    watcher: Watcher<'_>,
) -> Result<Deployed> {
    let candidate = Candidate::in_production(project, tracking).await?;
    deploy_candidate(project, &candidate, program, watcher).await
}

/// Releases a version that was fetched already; it must be the one labelled `Production`, which is what
/// the instance looks up.
pub(crate) async fn deploy_candidate(
    project: &Project,
    candidate: &Candidate,
    program: PathBuf,
    watcher: Watcher<'_>,
) -> Result<Deployed> {
    // A release is long: its future is large, and lies on the heap so that its callers stay small.
    let releasing = Box::pin(release(project, candidate, program, watcher));
    let done = |deployed: &Deployed| format!("version {} at {}", deployed.version, deployed.url);
    let (deployed, took) = Step::Deploy.watched(watcher, releasing, done).await?;
    Ok(Deployed { took, ..deployed })
}

/// Moves `Production` back to the version that was released before the current one, and releases
/// it: the alias says what is served, so going back means moving it.
pub async fn rollback(
    project: &Project,
    tracking: &Tracking,
    program: PathBuf,
    watcher: Watcher<'_>,
) -> Result<Deployed> {
    let name = &project.config.model.name;
    let (_, current) = in_production(tracking, name).await?;
    let history = trainyard_deploy::history(&service(project))?;
    let previous = history
        .iter()
        .rev()
        .filter(|entry| entry.outcome == Outcome::Released)
        .filter_map(|entry| entry.label.get("version"))
        .find(|version| **version != current.version)
        .ok_or_else(|| Error::Missing {
            what: format!("{name} has no earlier release than version {}", current.version),
            hint: "`trainyard promote --version N` labels any version".to_owned(),
        })?;
    tracking.registered_models.set_alias(VersionId { name, version: previous }, PRODUCTION).await?;
    deploy(project, tracking, program, watcher).await
}

async fn release(
    project: &Project,
    candidate: &Candidate,
    program: PathBuf,
    watcher: Watcher<'_>,
) -> Result<Deployed> {
    let version = &candidate.version;
    let spec = release_spec(project, program, version, candidate.input_example().await?)?;
    let progress = |event: trainyard_deploy::ReleaseEvent| {
        Step::Deploy.tell(watcher, event.to_string());
    };
    let released = trainyard_deploy::release(&service(project), &spec, &progress).await?;
    Ok(Deployed {
        name: version.name.clone(),
        version: version.version.clone(),
        url: released.url,
        instance: released.instance,
        address: released.address,
        replaced: released.switched_from,
        took: released.took,
    })
}

fn release_spec(
    project: &Project,
    program: PathBuf,
    version: &ModelVersion,
    example: Option<InputExample>,
) -> Result<ReleaseSpec> {
    let config = &project.config.deploy;
    let mut spec = workload::release(project, program)?;
    let log = project.prediction_log().display().to_string();
    let told = [
        ("MLFLOW_TRACKING_URI", project.tracking_uri.clone()),
        ("MODEL_NAME", version.name.clone()),
        ("MODEL_STAGE", PRODUCTION.to_owned()),
        ("TRAINYARD_PREDICTION_LOG", log),
    ];
    spec.env.extend(told.map(|(name, value)| (name.to_owned(), value)));
    // By this the instance knows what it is asked for the release alone, and does not log that. It is new
    // with every release, so that nobody else can keep requests out of the log.
    let probe_id = format!("probe-{}", uuid::Uuid::new_v4().simple());
    spec.env.push((PROBE_ID_VARIABLE.to_owned(), probe_id.clone()));
    spec.port_env = None;
    spec.deadline = config.deadline;
    spec.drain_limit = config.drain;
    spec.bake = config.bake;
    let wrong = |reason: String| Error::config(&project.folder.join(FILE_NAME), reason);
    config.judge(&mut spec).map_err(wrong)?;
    spec.successes_in_row = config.successes;
    spec.prediction = example.map(|example| Probe {
        request_id: probe_id,
        ..Probe::post_json("/invocations", example.payload)
    });
    spec.label = [("model", &version.name), ("version", &version.version)]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .collect();
    Ok(spec)
}
