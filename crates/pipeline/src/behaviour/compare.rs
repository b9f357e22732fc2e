//! The last requests, asked both instances of a release.

use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt as _;
use tokio::time::Instant;
use trainyard_deploy::ReleaseSpec;
use trainyard_mlflow::Tracking;
use trainyard_signature::model::Schema;

use super::ask::Side;
use super::last::last_predictions;
use super::report::{Behaviour, Sample};
use super::requests::{self, Request};
use super::tally::Tally;
use crate::candidate::Candidate;
use crate::event::{Event, Step, Watcher};
use crate::folder_files::{input_example, mlmodel};
use crate::monitor::LogFilter;
use crate::service::service;
use crate::{Project, Result, gate};

/// Requests under way at a time: one of the two instances is answering clients meanwhile.
const CONCURRENT: usize = 4;

/// Time for all requests; a release waits for them.
const TIME_MAX: Duration = Duration::from_mins(1);

/// How long registry and log may take to be looked at: a release goes on without them.
const LOOK_LIMIT: Duration = Duration::from_secs(30);

/// The same for two signatures, where often somebody waits for a rollback.
const SIGNATURES_LIMIT: Duration = Duration::from_secs(5);

/// Between two words on how far it is.
const TOLD_EVERY: usize = 100;

/// Compares the answers of the instance that serves (`blue`) and of the one that is to (`green`), which serves
/// the candidate. Where they cannot be compared the report says why; that is no error.
pub(crate) async fn compare(
    project: &Project,
    candidate: &Candidate,
    blue: Option<SocketAddr>,
    green: SocketAddr,
    watcher: Watcher<'_>,
) -> Result<Behaviour> {
    let rules = &project.config.gate.behaviour;
    let after = &candidate.version.version;
    let mut report = Behaviour::new(after, rules.max_changed, rules.tolerance);
    let Some(blue) = blue else { return Ok(report.without("nothing served before")) };
    let service = service(project);
    let spec = |address| trainyard_deploy::spec_at(&service, address);
    let (Some(was), Some(is)) = (spec(blue)?, spec(green)?) else {
        return Ok(report.without("it is not known what was released as the instances"));
    };
    let Some(before) = was.label.get("version") else {
        return Ok(report.without("it is not known which version serves"));
    };
    report.before = Some(before.clone());
    if before == after {
        return Ok(report.without("the same version serves"));
    }
    let broken = breaks(project, &candidate.tracking, before, after, watcher).await;
    report.contract = broken.into_iter().collect();
    if rules.sample == 0 {
        return Ok(report.without("[gate.behaviour] sample is 0"));
    }
    let (Some(blue), Some(green)) = (side(&was, blue), side(&is, green)) else {
        return Ok(
            report.without("an instance cannot be asked without a trace in its prediction log")
        );
    };
    let sampling = sample(project, &candidate.tracking, before, &blue);
    let (requests, source) = match tokio::time::timeout(LOOK_LIMIT, sampling).await {
        Ok(Ok(Some(found))) => found,
        Ok(Ok(None)) => {
            return Ok(report.without("there is neither a logged request nor an example"));
        }
        Ok(Err(error)) => return Ok(report.without(format!("no requests: {}", error.message()))),
        Err(_late) => return Ok(report.without("requests were not found in time")),
    };
    report.source = Some(source);
    let asked = Asked { blue: blue.side, green: green.side, watcher };
    let tally = Tally::new(report, rules.rows);
    let report = asked.all(requests, tally).await;
    for line in report.lines() {
        Step::Deploy.tell(watcher, line);
    }
    Ok(report)
}

/// What becomes of clients of a version (`before`) where one that served earlier serves again: its answers were
/// looked at when it came, its signature may be another one than they know now.
pub(crate) async fn going_back(
    project: &Project,
    tracking: &Tracking,
    before: &str,
    after: &str,
    watcher: Watcher<'_>,
) -> Behaviour {
    let rules = &project.config.gate.behaviour;
    let mut report = Behaviour::new(after, rules.max_changed, rules.tolerance);
    report.before = Some(before.to_owned());
    if before != after {
        let broken = breaks(project, tracking, before, after, watcher).await;
        report.contract = broken.into_iter().collect();
    }
    report.without("what served before serves again")
}

/// Tells, and returns, what in the signature of a version breaks clients of another one. Nothing is refused for
/// it here: the gate did that, and going back to an older version is often just this.
async fn breaks(
    project: &Project,
    tracking: &Tracking,
    before: &str,
    after: &str,
    watcher: Watcher<'_>,
) -> Option<String> {
    let comparing = gate::between(project, tracking, before, after);
    let listed = match tokio::time::timeout(SIGNATURES_LIMIT, comparing).await {
        Ok(Ok(contract)) => gate::listed(contract.breaks())?,
        Ok(Err(error)) => {
            let error = error.message();
            tracing::warn!(error, "signatures are not compared");
            return None;
        }
        Err(_late) => {
            tracing::warn!("signatures are not compared: the registry does not answer");
            return None;
        }
    };
    let text = format!("version {after} breaks clients of version {before}: {listed}");
    Step::Deploy.tell(watcher, text.as_str());
    Some(text)
}

/// An instance, and where it is.
struct Reached {
    side: Side,
    address: SocketAddr,
}

fn side(spec: &ReleaseSpec, address: SocketAddr) -> Option<Reached> {
    let id = Some(spec.copy_id()).filter(|id| !id.is_empty())?;
    let side = Side::new(address, id, spec.token()).ok()?;
    Some(Reached { side, address })
}

/// The requests, and where they are from; none if there is nothing to ask.
async fn sample(
    project: &Project,
    tracking: &Tracking,
    before: &str,
    blue: &Reached,
) -> Result<Option<(Vec<Request>, Sample)>> {
    let served = Candidate::find(project, tracking, Some(before)).await?;
    let mlmodel = mlmodel(&served).await?;
    let inputs = mlmodel.signature.as_ref().and_then(|signature| signature.inputs.as_ref());
    let logged = match logged(project, before, blue.address, inputs).await {
        Ok(logged) => logged,
        Err(error) => {
            let error = error.message();
            tracing::warn!(error, "the prediction log cannot be asked again");
            Vec::new()
        }
    };
    if !logged.is_empty() {
        return Ok(Some((logged, Sample::Log)));
    }
    let example = input_example(project, &served, &mlmodel).await?;
    let sample = project.config.gate.behaviour.sample;
    Ok(example.map(|example| (requests::of_example(&example, sample), Sample::Example)))
}

async fn logged(
    project: &Project,
    version: &str,
    blue: SocketAddr,
    inputs: Option<&Schema>,
) -> Result<Vec<Request>> {
    let model = Some(project.config.model.name.clone());
    let filter = LogFilter { model, version: Some(version.to_owned()), since: None };
    let tables =
        last_predictions(project, blue, &filter, project.config.gate.behaviour.sample).await?;
    requests::of_log(&tables, inputs)
}

/// Both instances, and whoever watches.
struct Asked<'a> {
    blue: Side,
    green: Side,
    watcher: Watcher<'a>,
}

impl Asked<'_> {
    /// Asks all requests, or as many as there is time for.
    async fn all(&self, requests: Vec<Request>, mut tally: Tally) -> Behaviour {
        let end = Instant::now() + TIME_MAX;
        let total = requests.len();
        let both = |request: Request| async move {
            let answers = tokio::join!(self.blue.ask(&request), self.green.ask(&request));
            (request, answers)
        };
        let mut answers = futures::stream::iter(requests).map(both).buffered(CONCURRENT);
        let mut done = 0;
        while let Ok(Some((request, (before, after)))) =
            tokio::time::timeout_at(end, answers.next()).await
        {
            tally.add(&request, &before, &after);
            done += 1;
            if done % TOLD_EVERY == 0 {
                let message = format!("{done} of {total} requests asked of both");
                let share = Some(done as f64 / total as f64);
                (self.watcher)(Event::Progress { step: Step::Deploy, message, share });
            }
        }
        tally.finish()
    }
}
