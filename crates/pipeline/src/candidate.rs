//! A version with its model folder: fetched when a step first looks at it, once, and passed on to the others.

use std::path::{Path, PathBuf};

use tokio::sync::OnceCell;
use trainyard_base::TemporaryFolder;
use trainyard_mlflow::entities::ModelVersion;
use trainyard_mlflow::resolve::{self, ResolvedModel};
use trainyard_mlflow::uri::ModelUri;
use trainyard_mlflow::{Error as MlflowError, Tracking};
use trainyard_serve::ModelSource;
use trainyard_signature::model::{InputExample, MlModel};

use crate::alias::{STAGING, in_production, labelled};
use crate::states::State;
use crate::temporary::temporary;
use crate::{Error, Project, Result};

/// A version of the project's model, and a copy of its folder that goes away with the value.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) version: ModelVersion,
    pub(crate) resolved: ResolvedModel,
    pub(crate) tracking: Tracking,
    state_folder: PathBuf,
    folder: OnceCell<TemporaryFolder>,
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
        Ok(Self::new(project, tracking, resolved, version))
    }

    /// The version of `Staging` if it is approved and waits for its release, else that of `Production`.
    pub(crate) async fn to_release(project: &Project, tracking: &Tracking) -> Result<Self> {
        let name = &project.config.model.name;
        let staged = match labelled(tracking, name, STAGING).await {
            // There is no such model yet; what is said of `Production` says how to get one.
            Err(Error::Mlflow(error)) if error.is_not_found() => None,
            staged => staged?,
        };
        if let Some(staged) = staged
            && State::of(&staged) == Some(State::Approved)
        {
            return Self::find(project, tracking, Some(&staged.version)).await;
        }
        let (resolved, version) = in_production(tracking, name).await?;
        Ok(Self::new(project, tracking, resolved, version))
    }

    fn new(
        project: &Project,
        tracking: &Tracking,
        resolved: ResolvedModel,
        version: ModelVersion,
    ) -> Self {
        let (tracking, state_folder) = (tracking.clone(), project.state_folder());
        Self { version, resolved, tracking, state_folder, folder: OnceCell::new() }
    }

    /// The model folder. A version that the gate refuses by what was logged is never fetched.
    pub(crate) async fn path(&self) -> Result<&Path> {
        let fetch = || async {
            let folder = temporary(&self.state_folder)?;
            resolve::fetch(&self.tracking, &self.resolved, folder.path()).await?;
            Ok::<_, Error>(folder)
        };
        Ok(self.folder.get_or_try_init(fetch).await?.path())
    }

    /// The request that a server of this version must be able to answer.
    pub(crate) async fn input_example(&self) -> Result<Option<InputExample>> {
        let path = self.path().await?;
        let mlmodel = MlModel::read(path)?;
        Ok(InputExample::read(path, &mlmodel)?)
    }

    /// What a model server in this process loads: the folder as it was fetched.
    pub(crate) async fn source(&self) -> Result<ModelSource> {
        let artifact_uri = self.path().await?.to_string_lossy().into_owned();
        let fetched = ResolvedModel { artifact_uri, ..self.resolved.clone() };
        Ok(ModelSource::Fetched(Box::new(fetched)))
    }
}
