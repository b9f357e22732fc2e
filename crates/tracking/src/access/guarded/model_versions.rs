//! Versions of registered models, for those who may.

use async_trait::async_trait;
use trainyard_mlflow::entities::{ModelVersion, Tag};
use trainyard_mlflow::uri::ModelUri;
use trainyard_mlflow::{
    CreateModelVersion, ModelVersions, Page, Result, SearchModelVersions, VersionId,
};

use super::artifacts::{PROXIED_ROOT, proxied_path};
use super::guard::{Family, Guarded};
use super::listing::{Asked, visible};
use crate::access::permission::Action;
use crate::access::resource::ANY;
use crate::access::rights::on;
use crate::artifacts::ArtifactPath;
use crate::store::validate;

/// Page of a search that does not say, and the largest.
const PAGE: (i64, i64) = (200_000, 200_000);

impl Guarded {
    /// Requires that a version may be made of what it names: nobody gets at a run's or model's files by making
    /// a version of them.
    async fn source(&self, version: &CreateModelVersion) -> Result<()> {
        if self.sees_everything()? {
            return Ok(());
        }
        // What cannot be read is refused by the store.
        match version.source.parse::<ModelUri>().ok() {
            Some(
                ModelUri::Version { name, .. }
                | ModelUri::Latest { name }
                | ModelUri::Stage { name, .. }
                | ModelUri::Alias { name, .. },
            ) => {
                // A registered model is itself what its files are kept by.
                return self.model_there(&name, Action::Read).await.map(|_family| ());
            }
            Some(ModelUri::LoggedModel { model_id }) => {
                self.logged_model(&model_id, Action::Read).await?;
            }
            Some(ModelUri::Run { run_id, .. }) => self.run(&run_id, Action::Read).await?,
            // The server reads a bucket with rights of its own.
            _ => self.things_named_in(&version.source, Action::Read).await?,
        }
        if let Some(path) = proxied_path(&version.source)
            && let Ok(path) = ArtifactPath::from_request(path)
        {
            self.proxied(PROXIED_ROOT, path.as_str(), Action::Read)?;
        }
        // Empty where none is named.
        if let Some(run_id) = version.run_id.as_deref().filter(|id| !id.is_empty()) {
            self.run(run_id, Action::Read).await?;
        }
        if let Some(model_id) = version.model_id.as_deref().filter(|id| !id.is_empty()) {
            self.logged_model(model_id, Action::Read).await?;
        }
        Ok(())
    }

    /// Requires that a version may come into a stage, and go out of its own: `models:/Iris/Production` is the stage
    /// as well as the alias of that name, and for those to whom the alias was granted.
    async fn stages(&self, id: VersionId<'_>, stage: &str) -> Result<()> {
        if self.sees_everything()? {
            return Ok(());
        }
        // What is no stage is refused by the store.
        let Ok(wanted) = validate::stage(stage) else { return Ok(()) };
        let is_kept =
            |name: &str| self.directory.rights(|rights| rights.index.is_kept_alias(id.name, name));
        if is_kept(wanted)? {
            self.alias(id.name, wanted, Action::Update).await?;
        }
        let left = self.inner.model_versions.get(id).await?.current_stage;
        if left != wanted && is_kept(&left)? {
            self.alias(id.name, &left, Action::Update).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl ModelVersions for Guarded {
    async fn create(&self, version: CreateModelVersion) -> Result<ModelVersion> {
        let family = self.model_there(&version.name, Action::Update).await?;
        let asserted = Family::of_tags(&version.tags).version;
        self.directory.require(&[
            on(family.version, ANY, Action::NotDenied),
            on(asserted, ANY, Action::NotDenied),
        ])?;
        self.source(&version).await?;
        self.inner.model_versions.create(version).await
    }

    async fn get(&self, id: VersionId<'_>) -> Result<ModelVersion> {
        self.versions(id.name, Action::Read).await?;
        self.inner.model_versions.get(id).await
    }

    async fn update(&self, id: VersionId<'_>, description: Option<&str>) -> Result<ModelVersion> {
        self.versions(id.name, Action::Update).await?;
        self.inner.model_versions.update(id, description).await
    }

    async fn transition_stage(
        &self,
        id: VersionId<'_>,
        stage: &str,
        archive_existing_versions: bool,
    ) -> Result<ModelVersion> {
        self.versions(id.name, Action::Update).await?;
        self.stages(id, stage).await?;
        self.inner.model_versions.transition_stage(id, stage, archive_existing_versions).await
    }

    async fn delete(&self, id: VersionId<'_>) -> Result<()> {
        self.versions(id.name, Action::Delete).await?;
        self.inner.model_versions.delete(id).await
    }

    async fn search(&self, search: SearchModelVersions) -> Result<Page<ModelVersion>> {
        if self.sees_everything()? {
            return self.inner.model_versions.search(search).await;
        }
        let (default, largest) = PAGE;
        let asked = Asked {
            page_token: search.page_token.as_deref(),
            max_results: search.max_results,
            default,
            largest,
        };
        let next = |max_results, page_token| {
            let page = SearchModelVersions { max_results, page_token, ..search.clone() };
            self.inner.model_versions.search(page)
        };
        visible(&asked, next, |version: &ModelVersion| {
            let family = Family::of_tags(&version.tags);
            self.directory.permits(&[
                on(family.model, &version.name, Action::Read),
                on(family.version, ANY, Action::NotDenied),
            ])
        })
        .await
    }

    async fn set_tag(&self, id: VersionId<'_>, tag: Tag) -> Result<()> {
        self.versions(id.name, Action::Update).await?;
        self.inner.model_versions.set_tag(id, tag).await
    }

    async fn delete_tag(&self, id: VersionId<'_>, key: &str) -> Result<()> {
        self.versions(id.name, Action::Delete).await?;
        self.inner.model_versions.delete_tag(id, key).await
    }

    async fn download_uri(&self, id: VersionId<'_>) -> Result<String> {
        self.versions(id.name, Action::Read).await?;
        self.inner.model_versions.download_uri(id).await
    }
}
