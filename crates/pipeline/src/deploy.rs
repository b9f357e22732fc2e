//! The deploy step: the version labelled `Production`, beside the old one, then instead of it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;
use trainyard_base::words::PROBE_ID_VARIABLE;
use trainyard_deploy::{Outcome, Probe, ReleaseSpec, Service};
use trainyard_mlflow::resolve::{self, ResolvedModel};
use trainyard_mlflow::{Tracking, VersionId, entities::ModelVersion};
use trainyard_signature::model::InputExample;

use crate::event::{Event, Step, Watcher};
use crate::folder::input_example;
use crate::promote::PRODUCTION;
use crate::{Error, Project, Result, workload};

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
    let started = Instant::now();
    watcher(Event::Started(Step::Deploy));
    let outcome = release(project, tracking, program, watcher).await;
    let took = started.elapsed();
    match outcome {
        Ok(deployed) => {
            watcher(Event::Done {
                step: Step::Deploy,
                message: format!("version {} at {}", deployed.version, deployed.url),
                took,
            });
            Ok(Deployed { took, ..deployed })
        }
        Err(error) => {
            watcher(Event::Failed { step: Step::Deploy, took });
            Err(error)
        }
    }
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
    tracking: &Tracking,
    program: PathBuf,
    watcher: Watcher<'_>,
) -> Result<Deployed> {
    let name = &project.config.model.name;
    let (_, version) = in_production(tracking, name).await?;
    let example = input_example(project, tracking, &version).await?;
    let spec = release_spec(project, program, &version, example)?;
    let progress = |event: trainyard_deploy::ReleaseEvent| {
        watcher(Event::Progress { step: Step::Deploy, message: event.to_string(), share: None });
    };
    let released = trainyard_deploy::release(&service(project), &spec, &progress).await?;
    Ok(Deployed {
        name: name.clone(),
        version: version.version,
        url: released.url,
        instance: released.instance,
        address: released.address,
        replaced: released.switched_from,
        took: released.took,
    })
}

/// The version labelled `Production`.
pub(crate) async fn in_production(
    tracking: &Tracking,
    name: &str,
) -> Result<(ResolvedModel, ModelVersion)> {
    let missing = || Error::Missing {
        what: format!("no version of {name} has the alias {PRODUCTION}"),
        hint: "`trainyard promote` gives it to a version that passes the gate".to_owned(),
    };
    let resolved = match resolve::resolve_stage(tracking, name, PRODUCTION).await {
        Ok(resolved) => resolved,
        Err(error) if error.is_not_found() => return Err(missing()),
        Err(error) => return Err(error.into()),
    };
    let version = resolved.version.clone().ok_or_else(missing)?;
    Ok((resolved, version))
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
    spec.bake_limits.errors_percent = config.bake_errors_percent;
    spec.bake_limits.latency = config.bake_latency;
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
