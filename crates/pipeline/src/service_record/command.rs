//! A record after a command changed the service, where nobody records it each minute.

use std::time::Duration;

use trainyard_base::service::Teller;
use trainyard_mlflow::Tracking;
use trainyard_mlflow::secrets::hide;

use super::recorder::{Recorder, run_id};
use crate::service::service;
use crate::{Project, Result};

/// How long a command waits for it: it is done with what it was asked for.
const LIMIT: Duration = Duration::from_secs(5);

/// Records how the service is after a release, or an attempt at one.
pub(crate) async fn record_change(project: &Project, tracking: &Tracking) {
    let seen = trainyard_deploy::supervisor(&service(project));
    // It does so by itself, and knows more.
    if seen.is_ok_and(|seen| seen.is_some_and(|seen| !seen.is_silent)) {
        return;
    }
    let recording = Box::pin(record(project, tracking));
    match tokio::time::timeout(LIMIT, recording).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            let error = hide(&error.message()).into_owned();
            tracing::debug!(error, "how the service is cannot be recorded now");
        }
        Err(_elapsed) => tracing::debug!("how the service is is not recorded in time"),
    }
}

async fn record(project: &Project, tracking: &Tracking) -> Result<()> {
    let mut recorder = Recorder::new(Teller::Command);
    let record = recorder.look(project).await?;
    recorder.tell(project, tracking, &record, None).await
}

/// Records that the service was stopped, where anything was ever recorded of it. Whoever stopped it waits some seconds
/// for it at most, and hears of no failure: pages say of what is silent that nobody knows.
pub async fn record_stop(project: &Project) {
    if !matches!(run_id(project), Ok(Some(_))) {
        return;
    }
    match project.tracking() {
        Ok(tracking) => record_change(project, &tracking).await,
        Err(error) => {
            let error = hide(&error.message()).into_owned();
            tracing::debug!(error, "that the service was stopped cannot be recorded");
        }
    }
}
