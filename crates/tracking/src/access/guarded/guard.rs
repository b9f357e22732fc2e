//! What all resources need for their checks: the store, the rights, and in which experiment things are.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use trainyard_mlflow::entities::{RegisteredModel, Tag};
use trainyard_mlflow::{Error, EvaluationDatasets, Result, Scorers, Traces, Tracing, Tracking};

use crate::access::directory::Directory;
use crate::access::permission::Action;
use crate::access::resource::{ANY, Kind};
use crate::access::rights::{denied, on, within};

/// Runs and logged models whose experiment is remembered; it never changes. Some 100 bytes each.
const REMEMBERED_MAX: usize = 100_000;
/// Tag of registered models that are prompts.
const PROMPT: &str = "mlflow.prompt.is_prompt";

/// A store, and who may do what in it.
pub(super) struct Guarded {
    pub(super) inner: Tracking,
    pub(super) directory: Arc<Directory>,
    experiments_of_runs: Mutex<HashMap<String, String>>,
    experiments_of_models: Mutex<HashMap<String, String>>,
}

/// The same store for senders of requests.
pub(crate) fn guarded(inner: Tracking, directory: Arc<Directory>) -> Tracking {
    let has_tracing = inner.tracing.is_some();
    let guarded = Arc::new(Guarded {
        inner,
        directory,
        experiments_of_runs: Mutex::default(),
        experiments_of_models: Mutex::default(),
    });
    let tracking = Tracking::new(Arc::clone(&guarded), Arc::clone(&guarded) as _);
    if has_tracing { tracking.with_tracing(guarded) } else { tracking }
}

fn known(list: &Mutex<HashMap<String, String>>) -> MutexGuard<'_, HashMap<String, String>> {
    // The list is whole between any two operations, so a panic elsewhere is no harm.
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

fn remember(list: &Mutex<HashMap<String, String>>, id: &str, experiment_id: &str) {
    let mut known = known(list);
    if known.len() >= REMEMBERED_MAX {
        known.clear();
    }
    known.insert(id.to_owned(), experiment_id.to_owned());
}

/// A thing that is not there is refused like one that is not theirs: nobody learns which ids there are. Not for
/// those from whom nothing is kept.
pub(super) fn hidden(error: Error) -> Error {
    if error.is_not_found() { denied() } else { error }
}

/// A registered model's kind, and that of its versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Family {
    pub(super) model: Kind,
    pub(super) version: Kind,
}

impl Family {
    pub(super) fn of_tags(tags: &[Tag]) -> Self {
        let is_prompt = tags
            .iter()
            .rfind(|tag| tag.key == PROMPT)
            .is_some_and(|tag| tag.value.eq_ignore_ascii_case("true"));
        Self::of_prompt(is_prompt)
    }

    /// What a model is once it has a tag, or has one no longer (`value` is none): most tags say nothing of it.
    pub(super) fn with_tag(self, key: &str, value: Option<&str>) -> Self {
        if key != PROMPT {
            return self;
        }
        Self::of_prompt(value.is_some_and(|value| value.eq_ignore_ascii_case("true")))
    }

    /// That of a prompt, or of any other model.
    pub(super) fn of_prompt(is_prompt: bool) -> Self {
        if is_prompt {
            Self { model: Kind::Prompt, version: Kind::PromptVersion }
        } else {
            Self { model: Kind::RegisteredModel, version: Kind::RegisteredModelVersion }
        }
    }

    pub(super) fn of(model: &RegisteredModel) -> Self {
        Self::of_tags(&model.tags)
    }
}

impl Guarded {
    fn tracing(&self) -> Result<&Tracing> {
        self.inner.tracing.as_ref().ok_or_else(|| Error::internal("this server keeps no traces"))
    }

    /// The store's traces.
    pub(super) fn inner_traces(&self) -> Result<&dyn Traces> {
        Ok(&*self.tracing()?.traces)
    }

    /// The store's datasets.
    pub(super) fn inner_datasets(&self) -> Result<&dyn EvaluationDatasets> {
        Ok(&*self.tracing()?.evaluation_datasets)
    }

    /// The store's scorers.
    pub(super) fn inner_scorers(&self) -> Result<&dyn Scorers> {
        Ok(&*self.tracing()?.scorers)
    }

    /// Whether nothing is kept from the sender, and nothing need be looked up.
    pub(super) fn sees_everything(&self) -> Result<bool> {
        self.directory.hides_nothing()
    }

    /// Requires something of an experiment.
    pub(super) fn experiment(&self, id: &str, action: Action) -> Result<()> {
        self.directory.require(&[on(Kind::Experiment, id, action)])
    }

    /// Requires that something of a kind may be made in an experiment.
    pub(super) fn make_in(&self, experiment_id: &str, kind: Kind) -> Result<()> {
        self.directory.require(&[
            on(Kind::Experiment, experiment_id, Action::Update),
            on(kind, ANY, Action::NotDenied),
        ])
    }

    /// Requires something of the things of a kind in an experiment.
    pub(super) fn inside(&self, experiment_id: &str, kind: Kind, action: Action) -> Result<()> {
        self.directory.require(&[
            on(Kind::Experiment, experiment_id, Action::Read),
            within(kind, action, (Kind::Experiment, experiment_id)),
        ])
    }

    /// Requires something of a run.
    pub(super) async fn run(&self, run_id: &str, action: Action) -> Result<()> {
        if self.sees_everything()? {
            return self.inside(ANY, Kind::Run, action);
        }
        let found = known(&self.experiments_of_runs).get(run_id).cloned();
        let experiment_id = if let Some(experiment_id) = found {
            experiment_id
        } else {
            let run = self.inner.runs.get(run_id).await.map_err(hidden)?;
            remember(&self.experiments_of_runs, run_id, &run.info.experiment_id);
            run.info.experiment_id
        };
        self.inside(&experiment_id, Kind::Run, action)
    }

    /// Requires something of a logged model.
    pub(super) async fn logged_model(&self, model_id: &str, action: Action) -> Result<()> {
        if self.sees_everything()? {
            return self.inside(ANY, Kind::LoggedModel, action);
        }
        let found = known(&self.experiments_of_models).get(model_id).cloned();
        let experiment_id = if let Some(experiment_id) = found {
            experiment_id
        } else {
            let model = self.inner.logged_models.get_or_deleted(model_id).await.map_err(hidden)?;
            remember(&self.experiments_of_models, model_id, &model.info.experiment_id);
            model.info.experiment_id
        };
        self.inside(&experiment_id, Kind::LoggedModel, action)
    }

    /// Requires something of logged models that are named beside a run.
    pub(super) async fn logged_models<'a>(
        &self,
        model_ids: impl Iterator<Item = &'a str> + Send,
        action: Action,
    ) -> Result<()> {
        let mut asked = BTreeSet::new();
        for model_id in model_ids {
            if !model_id.is_empty() && asked.insert(model_id) {
                self.logged_model(model_id, action).await?;
            }
        }
        Ok(())
    }

    /// What a registered model is. Upstream says so if there is none.
    pub(super) async fn family(&self, name: &str) -> Result<Family> {
        Ok(Family::of(&self.inner.registered_models.get(name).await?))
    }

    /// Requires something of a registered model. That there is none of the name is told to those who might have
    /// done it to one.
    pub(super) async fn model(&self, name: &str, action: Action) -> Result<Family> {
        if self.sees_everything()? {
            return self.any_model(name, action);
        }
        match self.family(name).await {
            Ok(family) => {
                self.directory.require(&[on(family.model, name, action)])?;
                Ok(family)
            }
            Err(error) => Err(self.missing_model(name, action, error)),
        }
    }

    /// The same where a missing one is refused: of what is about to be removed, or to get a version.
    pub(super) async fn model_there(&self, name: &str, action: Action) -> Result<Family> {
        let found = self.model(name, action).await;
        // Those from whom nothing is kept were not looked up, and hear it from the store.
        found.map_err(hidden)
    }

    /// The same for senders from whom nothing is kept: what the model is decides nothing.
    fn any_model(&self, name: &str, action: Action) -> Result<Family> {
        self.directory.require(&[on(Kind::RegisteredModel, name, action)])?;
        Ok(Family::of_tags(&[]))
    }

    /// What is told of a model that could not be looked at.
    pub(super) fn missing_model(&self, name: &str, action: Action, error: Error) -> Error {
        if !error.is_not_found() {
            return error;
        }
        match self.directory.require(&[on(Kind::RegisteredModel, name, action)]) {
            Ok(()) => error,
            Err(refused) => refused,
        }
    }

    /// Requires something of the versions of a registered model. One that is not there is refused.
    pub(super) async fn versions(&self, name: &str, action: Action) -> Result<Family> {
        if self.sees_everything()? {
            return self.any_model(name, action);
        }
        let family = self.family(name).await.map_err(hidden)?;
        self.versions_of(family, name, action)?;
        Ok(family)
    }

    /// The same of a model that was looked at.
    pub(super) fn versions_of(&self, family: Family, name: &str, action: Action) -> Result<()> {
        let version = if action == Action::Read {
            on(family.version, ANY, Action::NotDenied)
        } else {
            within(family.version, action, (family.model, name))
        };
        self.directory.require(&[on(family.model, name, Action::Read), version])
    }
}
