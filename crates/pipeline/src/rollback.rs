//! Taking back: the version that served before serves again, with the runtime, image, limits and flags that it
//! had, and `Production` names it again.

use trainyard_base::{Advise as _, Fault};
use trainyard_deploy::{Cause, Kind, ReleaseSpec, Rollback};
use trainyard_mlflow::Tracking;

use crate::actor::cause_of;
use crate::deploy::{Deployed, deployed};
use crate::event::{Step, Watcher};
use crate::labels::{VERSION_LABEL, version_of};
use crate::releases::{FAILED, RELEASED};
use crate::review::ReleaseReview;
use crate::service::service;
use crate::service_record::record_change;
use crate::{Error, Project, Result, workload};

/// What is to serve again.
#[derive(Debug, Clone, Default)]
pub struct RollbackOptions {
    /// The version; if none is named the one that served before and was not rolled back itself.
    pub to: Option<String>,
    /// Why, for those who look at it later.
    pub reason: Option<String>,
    /// Who asked for it on a page; none where it is whoever runs this program.
    pub asked_by: Option<String>,
}

/// Brings back what served before: at once while it is warm, else as a release of its own.
pub async fn rollback(
    project: &Project,
    tracking: &Tracking,
    options: RollbackOptions,
    watcher: Watcher<'_>,
) -> Result<Deployed> {
    let rolling = Box::pin(roll(project, tracking, options, watcher));
    let done = |deployed: &Deployed| format!("version {} at {}", deployed.version, deployed.url);
    let rolled = Step::Deploy.watched(watcher, rolling, done).await;
    record_change(project, tracking).await;
    let (deployed, took) = rolled?;
    Ok(Deployed { took, ..deployed })
}

async fn roll(
    project: &Project,
    tracking: &Tracking,
    options: RollbackOptions,
    watcher: Watcher<'_>,
) -> Result<Deployed> {
    let service = service(project);
    let to = options.to.iter().map(|to| (VERSION_LABEL.to_owned(), to.clone())).collect();
    let cause = cause_of(project, options.reason.as_deref(), options.asked_by.as_deref());
    let amend = |spec: &mut ReleaseSpec| workload::renew(project, spec);
    let order = Rollback { to, cause, amend: &amend };
    let review = ReleaseReview::new(project, tracking, watcher, None);
    let progress = |event: trainyard_deploy::ReleaseEvent| {
        Step::Deploy.tell(watcher, event.to_string());
    };
    let outcome = trainyard_deploy::rollback(&service, &order, &review, &progress).await;
    let cause = Cause { kind: Kind::Rollback, ..order.cause.clone() };
    match outcome.map_err(Error::from) {
        Ok(released) => {
            let history = trainyard_deploy::history(&service).unwrap_or_default();
            let before = released.switched_from.as_ref();
            let before = history.iter().find(|entry| Some(&entry.id) == before);
            let from = before.and_then(|entry| version_of(&entry.label));
            let to = version_of(&released.label).unwrap_or_default();
            review.ended(&cause, (from, to), RELEASED, "traffic went back at once").await;
            Ok(Deployed { behaviour: review.behaviour(), ..deployed(project, released) })
        }
        Err(error) => {
            // What was never begun is no event.
            if error.fault() != Fault::Input {
                let message = error.message();
                let first = message.lines().next().unwrap_or_default();
                let to = options.to.as_deref().unwrap_or("the version before");
                review.ended(&cause, (None, to), FAILED, first).await;
            }
            Err(error)
        }
    }
}
