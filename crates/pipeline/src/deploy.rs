//! The deploy step: an approved version comes up beside the one that serves, then serves instead of it; the
//! alias `Production` moves last.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use trainyard_base::words::TOKEN_FILE_VARIABLE;
use trainyard_base::words::tags::GATE;
use trainyard_deploy::{Cause, RuntimeKind};
use trainyard_mlflow::Tracking;

use crate::actor::cause_of;
use crate::approval;
use crate::baseline::serving;
use crate::behaviour::Behaviour;
use crate::candidate::Candidate;
use crate::event::{Event, Step, Watcher};
use crate::example_request::{can_be_tried, example_request};
use crate::labels::version_of;
use crate::promote::approve;
use crate::refusal::note_refusal;
use crate::releases::{FAILED, deliver};
use crate::review::ReleaseReview;
use crate::service::service;
use crate::service_record::record_change;
use crate::states::{State, tag};
use crate::{Error, Project, Result, owner, workload};

/// What is to be released.
#[derive(Debug, Clone, Default)]
pub struct DeployOptions {
    /// The binary that serves.
    pub program: PathBuf,
    /// The version; if none is named the one of `Staging` that is approved, else the one of `Production`.
    pub version: Option<String>,
    /// Why, for those who look at it later.
    pub reason: Option<String>,
    /// Who asked for it on a page; none where it is whoever runs this program.
    pub asked_by: Option<String>,
    /// Whether `Production` may be taken from the deployment of another project.
    pub take_production: bool,
}

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
    /// How the answers of both versions compared before the switch.
    pub behaviour: Option<Behaviour>,
    /// A request to try it with; none where it asks who asks, or the model has no such example.
    #[serde(skip)]
    pub example: Option<String>,
    #[serde(skip)]
    pub took: Duration,
}

/// Releases a version. One that is neither approved nor what serves goes through the gate first.
pub async fn deploy(
    project: &Project,
    tracking: &Tracking,
    options: DeployOptions,
    watcher: Watcher<'_>,
) -> Result<Deployed> {
    deliver(project, tracking).await;
    let candidate = match &options.version {
        Some(version) => Candidate::find(project, tracking, Some(version)).await?,
        None => Candidate::to_release(project, tracking).await?,
    };
    if !options.take_production {
        owner::check(project, tracking, Some(&candidate.version.version)).await?;
    }
    if options.version.is_none() {
        tell_what_is_not_released(project, tracking, &candidate, watcher).await;
    }
    let cause = cause_of(project, options.reason.as_deref(), options.asked_by.as_deref());
    let program = options.program;
    let judging =
        Box::pin(judge_and_release(project, tracking, &candidate, program, cause, watcher));
    let outcome = judging.await;
    if let Err(error) = &outcome
        && let Err(error) = note_refusal(project, tracking, &candidate.version, error).await
    {
        tracing::warn!(error = error.message(), "a refusal cannot be written down now");
    }
    outcome
}

/// Says what whoever names no version may not expect: that the one which serves is released anew, and that a newer one is
/// not.
async fn tell_what_is_not_released(
    project: &Project,
    tracking: &Tracking,
    candidate: &Candidate,
    watcher: Watcher<'_>,
) {
    let version = &candidate.version.version;
    let say = |line: String| watcher(Event::Output { line });
    if serving(project).await.is_ok_and(|serving| serving.as_ref() == Some(version)) {
        say(format!(
            "version {version} serves already; it is released once more, as the project is now"
        ));
    }
    // Whoever cannot be told of it is none the worse.
    let Ok(newest) = Candidate::find(project, tracking, None).await else { return };
    let number = |version: &str| version.parse::<u64>().unwrap_or_default();
    let newer = &newest.version;
    if number(&newer.version) <= number(version) {
        return;
    }
    let newer_number = &newer.version;
    let is_refused = State::of(newer) == Some(State::Refused) || tag(newer, GATE) == Some("failed");
    say(match State::of(newer) {
        _ if is_refused => {
            format!(
                "version {newer_number} is newer and the gate refused it: version {version} is released"
            )
        }
        Some(State::Approved) => return,
        _ => format!(
            "version {newer_number} is newer and not approved: `trainyard promote` judges it; version {version} is released"
        ),
    });
}

async fn judge_and_release(
    project: &Project,
    tracking: &Tracking,
    candidate: &Candidate,
    program: PathBuf,
    cause: Cause,
    watcher: Watcher<'_>,
) -> Result<Deployed> {
    let serving = serving(project).await?;
    if !State::is_good(&candidate.version, serving.as_deref()) {
        approve(project, tracking, candidate, &cause, watcher).await?;
    }
    deploy_candidate(project, tracking, candidate, program, cause, watcher).await
}

/// Releases a version that was judged and fetched already.
pub(crate) async fn deploy_candidate(
    project: &Project,
    tracking: &Tracking,
    candidate: &Candidate,
    program: PathBuf,
    cause: Cause,
    watcher: Watcher<'_>,
) -> Result<Deployed> {
    approval::check(project, tracking, &candidate.version, &cause).await?;
    // A release is long: its future is large, and lies on the heap so that its callers stay small.
    let releasing = Box::pin(release(project, tracking, candidate, program, cause, watcher));
    let done = |deployed: &Deployed| format!("version {} at {}", deployed.version, deployed.url);
    let released = Step::Deploy.watched(watcher, releasing, done).await;
    record_change(project, tracking).await;
    let (deployed, took) = released?;
    Ok(Deployed { took, ..deployed })
}

async fn release(
    project: &Project,
    tracking: &Tracking,
    candidate: &Candidate,
    program: PathBuf,
    cause: Cause,
    watcher: Watcher<'_>,
) -> Result<Deployed> {
    let version = &candidate.version;
    let example = candidate.input_example().await?;
    let shown = example.as_ref().filter(|_| can_be_tried(project)).and_then(example_request);
    let mut spec = workload::release_of(project, program, version, example)?;
    if spec.token().is_none() && std::env::var_os(TOKEN_FILE_VARIABLE).is_some() {
        // A model server by itself would ask for it.
        tracing::warn!(
            "{TOKEN_FILE_VARIABLE} is not passed on, so instances ask for no token: write \
             token_file under [serve]"
        );
    }
    if spec.token().is_none() && spec.workload.runtime() == RuntimeKind::Swarm {
        tracing::warn!(
            "whoever reaches a node may ask its instances, past the gateway: write token_file \
             under [serve], and close ports 20000 to 29999 of the nodes to others"
        );
    }
    spec.cause = cause;
    let review = ReleaseReview::new(project, tracking, watcher, Some(candidate));
    let progress = |event: trainyard_deploy::ReleaseEvent| {
        Step::Deploy.tell(watcher, event.to_string());
    };
    let released = trainyard_deploy::release(&service(project), &spec, &review, &progress).await;
    match released.map_err(Error::from) {
        Ok(released) => Ok(Deployed {
            behaviour: review.behaviour(),
            example: shown,
            ..deployed(project, released)
        }),
        Err(error) => {
            let message = error.message();
            let first = message.lines().next().unwrap_or_default();
            review.ended(&spec.cause, (None, &version.version), FAILED, first).await;
            Err(error)
        }
    }
}

/// What a release of the service did to the project's model.
pub(crate) fn deployed(project: &Project, released: trainyard_deploy::Released) -> Deployed {
    let version = version_of(&released.label).unwrap_or_default();
    Deployed {
        name: project.config.model.name.clone(),
        version: version.to_owned(),
        url: released.url,
        instance: released.instance,
        address: released.address,
        replaced: released.switched_from,
        behaviour: None,
        example: None,
        took: released.took,
    }
}

/// Brings a release to an end whose deployer was interrupted between its switch and its end; whether there was
/// one. Until then users are served by one of its two versions.
pub async fn settle(project: &Project, tracking: &Tracking, watcher: Watcher<'_>) -> Result<bool> {
    let review = ReleaseReview::of_the_past(project, tracking, watcher);
    let progress = |event: trainyard_deploy::ReleaseEvent| {
        Step::Deploy.tell(watcher, event.to_string());
    };
    Ok(Box::pin(trainyard_deploy::settle(&service(project), &review, &progress)).await?)
}
