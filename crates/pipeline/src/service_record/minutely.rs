//! A record each minute, and one soon after there is news.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use trainyard_base::service::{MINUTE_MS, ReleaseState, Teller};
use trainyard_deploy::Error as DeployError;
use trainyard_mlflow::Tracking;
use trainyard_mlflow::secrets::hide;

use super::news::News;
use super::recorder::Recorder;
use crate::service::service;
use crate::{Error, Project, Result};

/// Whoever records a service for as long as it is looked after.
#[derive(Debug)]
pub(crate) struct Minutely {
    recorder: Recorder,
    news: Arc<News>,
    /// Why it cannot be recorded, as it was told last.
    trouble: Option<String>,
}

impl Minutely {
    pub(crate) fn new(by: Teller, news: Arc<News>) -> Self {
        Self { recorder: Recorder::new(by), news, trouble: None }
    }

    /// Looks at the service and tells the store, which `open` opens; none where it cannot be had now. What went through
    /// is not lost meanwhile.
    pub(crate) async fn record(
        &mut self,
        project: &Project,
        open: impl Future<Output = Option<Tracking>>,
    ) {
        let recorded = self.try_to(project, open).await;
        let trouble = recorded.err().map(|error| hide(&error.message()).into_owned());
        if let Some(trouble) = trouble.as_ref().filter(|now| self.trouble.as_ref() != Some(*now)) {
            tracing::warn!(
                error = trouble,
                "how the service is cannot be recorded now; it serves all the same"
            );
        }
        self.trouble = trouble;
    }

    async fn try_to(
        &mut self,
        project: &Project,
        open: impl Future<Output = Option<Tracking>>,
    ) -> Result<()> {
        let mut record = match self.recorder.look(project).await {
            // Before the first release there is nothing to tell, and nothing that serves.
            Err(Error::Deploy(DeployError::NotDeployed { .. })) => return Ok(()),
            record => record?,
        };
        if let (Some(step), Some(release)) = (self.news.step(), &mut record.release)
            && release.state == ReleaseState::Doing
        {
            release.said = step;
        }
        match open.await {
            Some(tracking) => {
                self.recorder.tell(project, &tracking, &record, self.news.text()).await
            }
            // Whoever opens it tells why not.
            None => Ok(()),
        }
    }

    /// Waits for the next minute, or for news.
    pub(crate) async fn wait(&self) {
        tokio::select! {
            () = tokio::time::sleep(until_next_minute(Utc::now().timestamp_millis())) => {}
            () = self.news.settled() => {}
        }
    }
}

/// To the middle of the next minute at the latest, so that no minute is left out by a few milliseconds.
fn until_next_minute(now_ms: i64) -> Duration {
    let half = MINUTE_MS / 2;
    let left = MINUTE_MS - (now_ms - half).rem_euclid(MINUTE_MS);
    Duration::from_millis(left.unsigned_abs())
}

/// Records a service until the future is dropped, while no supervisor does.
pub(crate) async fn each_minute(project: &Project, tracking: &Tracking) {
    let mut minutely = Minutely::new(Teller::Watch, Arc::default());
    loop {
        let supervisor = trainyard_deploy::supervisor(&service(project));
        if supervisor.is_ok_and(|seen| seen.is_some()) {
            // It tells meanwhile: what is known here is not to take the place of that.
            minutely = Minutely::new(Teller::Watch, Arc::default());
        } else {
            let open = std::future::ready(Some(tracking.clone()));
            Box::pin(minutely.record(project, open)).await;
        }
        minutely.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn where_nothing_was_deployed_there_is_no_trouble() {
        let folder = tempfile::tempdir().unwrap();
        let text = "[model]\nname = \"Churn\"\n[train]\ndata = \"a.csv\"\ntarget = \"y\"\n";
        std::fs::write(folder.path().join(crate::FILE_NAME), text).unwrap();
        let project = Project::open(folder.path(), None).unwrap();
        let mut minutely = Minutely::new(Teller::Watch, Arc::default());
        Box::pin(minutely.record(&project, std::future::ready(None))).await;
        assert_eq!(minutely.trouble, None);
    }

    #[test]
    fn each_minute_has_a_record() {
        for (now, left) in [(0, 30_000), (29_999, 1), (30_000, 60_000), (59_999, 30_001)] {
            assert_eq!(until_next_minute(now), Duration::from_millis(left), "{now}");
        }
    }
}
