//! Whether `Production` names what is served, and what follows where it does not.
//!
//! A release moves both. Where somebody moves the alias by hand (a Python client, MLflow's pages), that is the
//! wish to release that version: it goes through the same checks as any other. If they refuse it, traffic stays
//! where it is and the difference is shown until it is gone: by `deploy status`, and as tags of the version.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use trainyard_deploy::Serving;
use trainyard_mlflow::Tracking;

use crate::alias::production;
use crate::deploy::{DeployOptions, deploy, settle};
use crate::event::Watcher;
use crate::labels::version_of;
use crate::notify::{Happened, notify};
use crate::refusal::{is_verdict, refusal};
use crate::releases::deliver;
use crate::service::service;
use crate::{Project, Result};

/// How often the alias is looked at while nothing else is to be done: soon enough for whoever moved it, seldom
/// enough for a registry.
pub(crate) const LOOK: Duration = Duration::from_secs(30);

/// The alias names another version than the one that serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The version that `Production` names; none if it names none.
    pub production: Option<String>,
    /// The version that serves.
    pub serving: String,
    /// Why the version that it names does not serve, if it was tried.
    pub refused: Option<String>,
}

impl Difference {
    /// In a sentence.
    pub fn sentence(&self) -> String {
        let Some(production) = &self.production else {
            return format!("Production names no version; version {} serves", self.serving);
        };
        let why = match &self.refused {
            Some(refused) => format!("; it was refused: {refused}"),
            None => String::new(),
        };
        format!("Production names version {production}, and version {} serves{why}", self.serving)
    }
}

/// Whether alias and traffic differ; none where they agree, or where nothing is deployed.
pub async fn difference(project: &Project, tracking: &Tracking) -> Result<Option<Difference>> {
    let Some(serving) = trainyard_deploy::serving(&service(project)).await? else {
        return Ok(None);
    };
    let Some(serves) = version_of(&serving.label) else { return Ok(None) };
    let named = production(tracking, &project.config.model.name).await?;
    if named.as_ref().is_some_and(|named| named.version == serves) {
        return Ok(None);
    }
    let refused = named.as_ref().and_then(|named| refusal(named, serves));
    Ok(Some(Difference {
        refused,
        production: named.map(|named| named.version),
        serving: serves.to_owned(),
    }))
}

/// Waits, and meanwhile releases what somebody labels `Production` and settles what was broken off.
pub(crate) async fn follow_for(
    project: &Project,
    tracking: &Tracking,
    program: &Path,
    watcher: Watcher<'_>,
    time: Duration,
) {
    let start = Instant::now();
    loop {
        let left = time.saturating_sub(start.elapsed());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(LOOK)).await;
        let following = Box::pin(follow(project, tracking, program, watcher));
        if let Err(error) = following.await {
            tracing::warn!(error = error.message(), "the alias cannot be followed now");
        }
    }
}

/// One look at the alias, and what follows from it.
pub(crate) async fn follow(
    project: &Project,
    tracking: &Tracking,
    program: &Path,
    watcher: Watcher<'_>,
) -> Result<()> {
    deliver(project, tracking).await;
    settle(project, tracking, watcher).await?;
    trainyard_deploy::tidy(&service(project), &|_event| {}).await?;
    let serving = trainyard_deploy::serving(&service(project)).await?;
    if serving.is_none_or(|Serving { is_changing, .. }| is_changing) {
        return Ok(());
    }
    let Some(difference) = difference(project, tracking).await? else { return Ok(()) };
    let (Some(version), None) = (difference.production, difference.refused) else {
        return Ok(());
    };
    let options = DeployOptions {
        program: program.to_owned(),
        version: Some(version.clone()),
        reason: Some("the alias Production was moved to it".to_owned()),
        ..DeployOptions::default()
    };
    let error = match deploy(project, tracking, options, watcher).await {
        Ok(deployed) => {
            let happened = Happened::Promoted { version, url: Some(deployed.url) };
            notify(project, &[happened]).await;
            return Ok(());
        }
        Err(error) => error,
    };
    if is_verdict(&error) {
        notify(project, Happened::of_failure(&error).as_slice()).await;
    }
    Err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_said_in_a_sentence() {
        let mut difference = Difference {
            production: Some("5".to_owned()),
            serving: "3".to_owned(),
            refused: Some("too bad".to_owned()),
        };
        let sentence = "Production names version 5, and version 3 serves; it was refused: too bad";
        assert_eq!(difference.sentence(), sentence);
        difference.production = None;
        assert_eq!(difference.sentence(), "Production names no version; version 3 serves");
    }
}
