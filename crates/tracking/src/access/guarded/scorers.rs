//! Scorers, for those who may: each is a thing of its own in an experiment, and its versions are others.

use async_trait::async_trait;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use trainyard_mlflow::{Result, ScorerVersion, Scorers};

use super::guard::Guarded;
use crate::access::pattern::canonical;
use crate::access::permission::Action;
use crate::access::resource::{ANY, Kind};
use crate::access::rights::{on, within};
use crate::access::roles_sql;
use crate::access::schema::WORKSPACE;

/// What Python's `quote` leaves as it is.
const QUOTED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'.').remove(b'-').remove(b'~');

/// What grants name a scorer by, as upstream has it: names may hold a slash.
fn pattern(experiment_id: &str, name: &str) -> String {
    let experiment_id = canonical(Kind::Experiment, experiment_id);
    format!("{experiment_id}/{}", utf8_percent_encode(name, QUOTED))
}

impl Guarded {
    /// Requires that a scorer may be read.
    fn scorer(&self, experiment_id: &str, name: &str) -> Result<()> {
        let id = pattern(experiment_id, name);
        self.directory.require(&[
            on(Kind::Scorer, &id, Action::Read),
            within(Kind::ScorerVersion, Action::NotDenied, (Kind::Scorer, &id)),
        ])
    }

    /// Those that may be read.
    fn visible_scorers(&self, found: Vec<ScorerVersion>) -> Result<Vec<ScorerVersion>> {
        if self.sees_everything()? {
            return Ok(found);
        }
        let mut visible = Vec::new();
        for scorer in found {
            let id = pattern(&scorer.experiment_id, &scorer.name);
            let may_read = self.directory.permits(&[
                on(Kind::ScorerVersion, ANY, Action::NotDenied),
                on(Kind::Experiment, &scorer.experiment_id, Action::Read),
                on(Kind::Scorer, &id, Action::Read),
            ])?;
            if may_read {
                visible.push(scorer);
            }
        }
        Ok(visible)
    }
}

#[async_trait]
impl Scorers for Guarded {
    async fn register(
        &self,
        experiment_id: &str,
        name: &str,
        serialized: &str,
    ) -> Result<ScorerVersion> {
        let id = pattern(experiment_id, name);
        self.directory.require(&[
            on(Kind::Experiment, experiment_id, Action::Update),
            on(Kind::Scorer, &id, Action::NotDenied),
            on(Kind::ScorerVersion, ANY, Action::NotDenied),
        ])?;
        // Else nobody could be given it.
        Kind::Scorer.check_pattern(&id)?;
        let made = self.inner_scorers()?.register(experiment_id, name, serialized).await?;
        self.give_to_creator(Kind::Scorer, &pattern(&made.experiment_id, name)).await?;
        Ok(made)
    }

    async fn of_experiment(&self, experiment_id: &str) -> Result<Vec<ScorerVersion>> {
        self.experiment(experiment_id, Action::Read)?;
        self.visible_scorers(self.inner_scorers()?.of_experiment(experiment_id).await?)
    }

    async fn latest(&self, experiment_ids: Vec<String>) -> Result<Vec<ScorerVersion>> {
        self.visible_scorers(self.inner_scorers()?.latest(experiment_ids).await?)
    }

    async fn versions(&self, experiment_id: &str, name: &str) -> Result<Vec<ScorerVersion>> {
        self.scorer(experiment_id, name)?;
        self.inner_scorers()?.versions(experiment_id, name).await
    }

    async fn get(
        &self,
        experiment_id: &str,
        name: &str,
        version: Option<i64>,
    ) -> Result<ScorerVersion> {
        self.scorer(experiment_id, name)?;
        self.inner_scorers()?.get(experiment_id, name, version).await
    }

    async fn delete(&self, experiment_id: &str, name: &str, version: Option<i64>) -> Result<()> {
        let id = pattern(experiment_id, name);
        let addressed = if version.is_some() { Action::Read } else { Action::Delete };
        self.directory.require(&[
            on(Kind::Scorer, &id, addressed),
            within(Kind::ScorerVersion, Action::Delete, (Kind::Scorer, &id)),
        ])?;
        self.inner_scorers()?.delete(experiment_id, name, version).await?;
        if version.is_some() {
            return Ok(());
        }
        self.directory
            .change(move |connection| roles_sql::forget(connection, WORKSPACE, Kind::Scorer, &id))
            .await
    }
}
