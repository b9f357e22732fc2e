//! Experiments, for those who may.

use async_trait::async_trait;
use trainyard_base::words::model_told_of_by;
use trainyard_mlflow::entities::{DatasetSummary, Experiment, Tag};
use trainyard_mlflow::{Error, ErrorCode, Experiments, Page, Result, SearchExperiments};

use super::guard::Guarded;
use super::listing::{Asked, visible};
use crate::access::permission::{Action, Permission};
use crate::access::resource::{ANY, Kind};
use crate::access::rights::{denied, on, within};
use crate::access::roles_sql::{NewGrant, forget_experiment, grant_to_creator};
use crate::access::schema::WORKSPACE;

/// Page of a search that does not say, and the largest.
const PAGE: (i64, i64) = (1000, 50_000);
/// What goes with an experiment.
const INSIDE: [Kind; 7] = [
    Kind::Run,
    Kind::Trace,
    Kind::LoggedModel,
    Kind::Assessment,
    Kind::ReviewQueue,
    Kind::Scorer,
    Kind::ScorerVersion,
];

impl Guarded {
    /// Gives who makes a thing everything on it.
    pub(super) async fn give_to_creator(&self, kind: Kind, id: &str) -> Result<()> {
        let (user_id, name) = self
            .directory
            .rights(|rights| (rights.user.row.id, rights.user.row.username.clone()))?;
        let grant = NewGrant { kind, pattern: id.to_owned(), permission: Permission::Manage };
        self.directory
            .change_own_role(&name, move |connection| {
                grant_to_creator(connection, user_id, WORKSPACE, &grant)
            })
            .await
    }

    /// The same of a new experiment. Its number may be that of one which another program removed: what anybody had on
    /// that goes first.
    async fn give_new_experiment(&self, id: &str) -> Result<()> {
        if self.directory.index().names_experiment(id) {
            let old = id.to_owned();
            self.directory.change(move |connection| forget_experiment(connection, &old)).await?;
        }
        self.give_to_creator(Kind::Experiment, id).await
    }

    /// Who makes an experiment owns it, and pages of a model show what those of its services and releases say: they are for
    /// those who may change the model. One that is not there yet has none.
    async fn may_be_named(&self, name: &str) -> Result<()> {
        let Some(model) = model_told_of_by(name) else { return Ok(()) };
        match self.model_there(model, Action::Update).await {
            Err(refused) if refused.code() == ErrorCode::PermissionDenied => Err(Error::api(
                ErrorCode::PermissionDenied,
                format!(
                    "Permission denied: the experiment '{name}' tells of the registered model '{model}' and is for \
                     those who may change that; ask an administrator for EDIT on the model"
                ),
            )),
            other => other.map(|_family| ()),
        }
    }

    fn may_delete_experiment(&self, id: &str) -> Result<()> {
        self.experiment(id, Action::Delete)?;
        let inside = INSIDE.map(|kind| within(kind, Action::Delete, (Kind::Experiment, id)));
        self.directory.require(&inside)
    }

    /// Whether an experiment's things of a kind may be read.
    pub(super) fn is_open(&self, experiment_id: &str, kind: Kind) -> Result<bool> {
        self.directory.permits(&[
            on(Kind::Experiment, experiment_id, Action::Read),
            on(kind, ANY, Action::NotDenied),
        ])
    }
}

#[async_trait]
impl Experiments for Guarded {
    async fn health(&self) -> Result<()> {
        self.inner.experiments.health().await
    }

    async fn create(
        &self,
        name: &str,
        artifact_location: Option<&str>,
        tags: &[Tag],
    ) -> Result<String> {
        if !self.directory.rights(|rights| rights.may_make(Kind::Experiment, ANY))? {
            return Err(denied());
        }
        self.may_be_named(name).await?;
        if let Some(location) = artifact_location {
            self.may_keep_files_in(location).await?;
        }
        let id = self.inner.experiments.create(name, artifact_location, tags).await?;
        self.give_new_experiment(&id).await?;
        Ok(id)
    }

    async fn get(&self, experiment_id: &str) -> Result<Experiment> {
        self.experiment(experiment_id, Action::Read)?;
        self.inner.experiments.get(experiment_id).await
    }

    async fn get_by_name(&self, name: &str) -> Result<Experiment> {
        let experiment = self.inner.experiments.get_by_name(name).await?;
        self.experiment(&experiment.experiment_id, Action::Read)?;
        Ok(experiment)
    }

    async fn search(&self, search: SearchExperiments) -> Result<Page<Experiment>> {
        if self.sees_everything()? {
            return self.inner.experiments.search(search).await;
        }
        let (default, largest) = PAGE;
        let asked = Asked {
            page_token: search.page_token.as_deref(),
            max_results: search.max_results,
            default,
            largest,
        };
        let next = |max_results, page_token| {
            let page = SearchExperiments { max_results, page_token, ..search.clone() };
            self.inner.experiments.search(page)
        };
        visible(&asked, next, |experiment: &Experiment| {
            self.directory.permits(&[on(Kind::Experiment, &experiment.experiment_id, Action::Read)])
        })
        .await
    }

    async fn rename(&self, experiment_id: &str, new_name: &str) -> Result<()> {
        self.experiment(experiment_id, Action::Update)?;
        self.may_be_named(new_name).await?;
        self.inner.experiments.rename(experiment_id, new_name).await
    }

    async fn delete(&self, experiment_id: &str) -> Result<()> {
        self.may_delete_experiment(experiment_id)?;
        self.inner.experiments.delete(experiment_id).await
    }

    async fn restore(&self, experiment_id: &str) -> Result<()> {
        self.may_delete_experiment(experiment_id)?;
        self.inner.experiments.restore(experiment_id).await
    }

    async fn set_tag(&self, experiment_id: &str, tag: Tag) -> Result<()> {
        self.experiment(experiment_id, Action::Update)?;
        self.inner.experiments.set_tag(experiment_id, tag).await
    }

    async fn delete_tag(&self, experiment_id: &str, key: &str) -> Result<()> {
        self.experiment(experiment_id, Action::Update)?;
        self.inner.experiments.delete_tag(experiment_id, key).await
    }

    async fn search_datasets(&self, experiment_ids: &[String]) -> Result<Vec<DatasetSummary>> {
        for id in experiment_ids {
            self.experiment(id, Action::Read)?;
        }
        self.inner.experiments.search_datasets(experiment_ids).await
    }
}
