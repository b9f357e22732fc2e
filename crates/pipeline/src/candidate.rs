//! A version with its model folder: fetched once, and passed on to every step that looks at it.

use std::path::Path;

use trainyard_base::TemporaryFolder;
use trainyard_mlflow::entities::ModelVersion;
use trainyard_mlflow::resolve::{self, ResolvedModel};
use trainyard_mlflow::uri::ModelUri;
use trainyard_mlflow::{Error as MlflowError, Tracking};
use trainyard_serve::ModelSource;
use trainyard_signature::model::{InputExample, MlModel};

use crate::alias::in_production;
use crate::temporary::temporary;
use crate::{Error, Project, Result};

/// A version of the project's model, and a copy of its folder that goes away with the value.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) version: ModelVersion,
    resolved: ResolvedModel,
    folder: TemporaryFolder,
}

impl Candidate {
    /// The version of this number, or the newest.
    pub(crate) async fn find(
        project: &Project,
        tracking: &Tracking,
        version: Option<&str>,
    ) -> Result<Self> {
        let name = project.config.model.name.clone();
        let missing = || Error::Missing {
            what: match version {
                Some(version) => format!("{name} has no version {version}"),
                None => format!("{name} has no version yet"),
            },
            hint: "`trainyard train` registers one".to_owned(),
        };
        let uri = match version {
            Some(version) => ModelUri::Version { name: name.clone(), version: version.to_owned() },
            None => ModelUri::Latest { name: name.clone() },
        };
        let refused = |error: MlflowError| {
            if error.is_not_found() { missing() } else { error.into() }
        };
        let resolved = resolve::resolve(tracking, &uri).await.map_err(refused)?;
        let version = resolved.version.clone().ok_or_else(missing)?;
        Self::fetch(project, tracking, resolved, version).await
    }

    /// The version labelled `Production`.
    pub(crate) async fn in_production(project: &Project, tracking: &Tracking) -> Result<Self> {
        let (resolved, version) = in_production(tracking, &project.config.model.name).await?;
        Self::fetch(project, tracking, resolved, version).await
    }

    async fn fetch(
        project: &Project,
        tracking: &Tracking,
        resolved: ResolvedModel,
        version: ModelVersion,
    ) -> Result<Self> {
        let folder = temporary(&project.state_folder())?;
        resolve::fetch(tracking, &resolved, folder.path()).await?;
        Ok(Self { version, resolved, folder })
    }

    /// The model folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The request that a server of this version must be able to answer.
    pub(crate) fn input_example(&self) -> Result<Option<InputExample>> {
        let mlmodel = MlModel::read(self.path())?;
        Ok(InputExample::read(self.path(), &mlmodel)?)
    }

    /// What a model server in this process loads: the folder as it was fetched.
    pub(crate) fn source(&self) -> ModelSource {
        let artifact_uri = self.path().to_string_lossy().into_owned();
        ModelSource::Fetched(Box::new(ResolvedModel { artifact_uri, ..self.resolved.clone() }))
    }
}
