//! Logged models, for those who may.

use async_trait::async_trait;
use trainyard_mlflow::entities::{LoggedModel, LoggedModelStatus, Param, Tag};
use trainyard_mlflow::{CreateLoggedModel, LoggedModels, Page, Result, SearchLoggedModels};

use super::guard::Guarded;
use crate::access::permission::Action;
use crate::access::resource::Kind;

#[async_trait]
impl LoggedModels for Guarded {
    async fn create(&self, model: CreateLoggedModel) -> Result<LoggedModel> {
        self.make_in(&model.experiment_id, Kind::LoggedModel)?;
        self.inner.logged_models.create(model).await
    }

    async fn get(&self, model_id: &str) -> Result<LoggedModel> {
        if self.sees_everything()? {
            return self.inner.logged_models.get(model_id).await;
        }
        self.logged_model(model_id, Action::Read).await?;
        self.inner.logged_models.get(model_id).await
    }

    async fn get_or_deleted(&self, model_id: &str) -> Result<LoggedModel> {
        if self.sees_everything()? {
            return self.inner.logged_models.get_or_deleted(model_id).await;
        }
        self.logged_model(model_id, Action::Read).await?;
        self.inner.logged_models.get_or_deleted(model_id).await
    }

    async fn may_write_files(&self, model_id: &str) -> Result<()> {
        self.logged_model(model_id, Action::Update).await
    }

    async fn finalize(&self, model_id: &str, status: LoggedModelStatus) -> Result<LoggedModel> {
        self.logged_model(model_id, Action::Update).await?;
        self.inner.logged_models.finalize(model_id, status).await
    }

    async fn delete(&self, model_id: &str) -> Result<()> {
        self.logged_model(model_id, Action::Delete).await?;
        self.inner.logged_models.delete(model_id).await
    }

    async fn set_tags(&self, model_id: &str, tags: Vec<Tag>) -> Result<()> {
        self.logged_model(model_id, Action::Update).await?;
        self.inner.logged_models.set_tags(model_id, tags).await
    }

    async fn set_versions_tag(&self, model_id: &str, tag: Tag) -> Result<()> {
        self.logged_model(model_id, Action::Read).await?;
        self.inner.logged_models.set_versions_tag(model_id, tag).await
    }

    async fn delete_tag(&self, model_id: &str, key: &str) -> Result<()> {
        // As upstream has it: what is taken from a model is an update for runs and a deletion here.
        self.logged_model(model_id, Action::Delete).await?;
        self.inner.logged_models.delete_tag(model_id, key).await
    }

    async fn log_params(&self, model_id: &str, params: Vec<Param>) -> Result<()> {
        self.logged_model(model_id, Action::Update).await?;
        self.inner.logged_models.log_params(model_id, params).await
    }

    async fn search(&self, mut search: SearchLoggedModels) -> Result<Page<LoggedModel>> {
        let Some(ids) = self.open_ones(search.experiment_ids, Kind::LoggedModel)? else {
            return Ok(Page::default());
        };
        search.experiment_ids = ids;
        self.inner.logged_models.search(search).await
    }
}
