//! What is told of a service: what the service says of itself, and what the registry says of it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use trainyard_base::service::ReleaseAnswer;
use trainyard_deploy::{Role, ServiceStatus, State, is_reload_due};
use trainyard_pipeline::monitor::{LastVerdict, last_verdict};
use trainyard_pipeline::{Difference, FILE_NAME, Project, TakenWish, last_asked_release, service};

use super::status_words::much_refused;

/// How long the registry may take: what serves is told without it.
const REGISTRY_LIMIT: Duration = Duration::from_secs(3);

/// What is known of a service.
#[derive(Debug, Serialize)]
pub(super) struct Told<'a> {
    pub(super) state: State,
    /// Why clients are not served as they should be.
    pub(super) outage: Option<String>,
    /// What is dangerous as it is.
    pub(super) warnings: Vec<String>,
    #[serde(flatten)]
    pub(super) status: &'a ServiceStatus,
    #[serde(flatten)]
    pub(super) registry: &'a Registry,
    /// What was asked on the service's page last, and taken.
    pub(super) asked: Option<TakenWish>,
    /// The release that was asked for on a page last, and taken.
    pub(super) asked_release: Option<ReleaseAnswer>,
    #[serde(skip)]
    pub(super) now_ms: u64,
}

impl<'a> Told<'a> {
    pub(super) fn of(project: &Project, status: &'a ServiceStatus, registry: &'a Registry) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let of_door = service(project).warning();
        let of_certificate = status.certificate.as_ref().and_then(|seen| seen.warning(now_ms));
        Self {
            state: status.state(),
            outage: status.outage(),
            warnings: of_door
                .into_iter()
                .chain(of_certificate)
                .chain(refusing(status))
                .chain(newer_file(project))
                .collect(),
            status,
            registry,
            // The service is as it is, whoever asked.
            asked: TakenWish::last(project).ok().flatten(),
            asked_release: last_asked_release(project).ok().flatten(),
            now_ms,
        }
    }
}

/// That much of what is asked does not fit the model.
fn refusing(status: &ServiceStatus) -> Option<String> {
    let share = much_refused(&status.gateway.as_ref()?.lately)?;
    Some(format!(
        "{:.1} % of the requests are refused, as their content does not fit the model: clients ask for something else \
         than this version takes, or it is the wrong version; each answer says what is wrong",
        share * 100.0
    ))
}

/// That the project's file says something else of the gateway than it was told: it does not read that by itself.
fn newer_file(project: &Project) -> Option<String> {
    is_reload_due(&service(project)).then(|| {
        format!(
            "[deploy] in {FILE_NAME} is not what the gateway was told: `trainyard deploy reload` has it take that up"
        )
    })
}

/// What the registry says of it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Registry {
    /// Where alias and traffic differ.
    pub(super) difference: Option<Difference>,
    /// The last look at production data.
    pub(super) drift: Option<LastVerdict>,
    /// Why that is not known.
    #[serde(rename = "registry_error")]
    pub(super) error: Option<String>,
}

impl Registry {
    /// What the registry says of what should serve; where that is nothing, it is not asked.
    pub(super) async fn of(project: &Project, status: &ServiceStatus) -> Self {
        if status.instances.iter().any(|instance| instance.role == Role::Current) {
            // Its future is large.
            Box::pin(Self::ask(project)).await
        } else {
            Self::default()
        }
    }

    async fn ask(project: &Project) -> Self {
        let asking = async {
            let tracking = project.tracking()?;
            let difference = trainyard_pipeline::difference(project, &tracking).await?;
            let drift = last_verdict(project, &tracking).await?;
            Ok::<_, trainyard_pipeline::Error>((difference, drift))
        };
        let failed = |error| Self { error: Some(error), ..Self::default() };
        match tokio::time::timeout(REGISTRY_LIMIT, asking).await {
            Ok(Ok((difference, drift))) => Self { difference, drift, error: None },
            Ok(Err(error)) => failed(error.message()),
            Err(_elapsed) => failed(format!("no answer within {} s", REGISTRY_LIMIT.as_secs())),
        }
    }

    /// Whether it is known that `Production` names what serves.
    pub(super) fn agrees(&self) -> bool {
        self.difference.is_none() && self.error.is_none()
    }
}
