//! A version's model folder, fetched for as long as it is looked at.

use std::path::Path;

use trainyard_base::TemporaryFolder;
use trainyard_mlflow::entities::ModelVersion;
use trainyard_mlflow::uri::ModelUri;
use trainyard_mlflow::{Tracking, resolve};
use trainyard_signature::model::{InputExample, MlModel};

use crate::{Error, Project, Result};

/// A temporary folder in the state of a project.
pub(crate) fn temporary(state: &Path) -> Result<TemporaryFolder> {
    TemporaryFolder::below(state).map_err(|source| Error::io(state, source))
}

/// Fetches the version's model; the folder goes away with the value.
pub(crate) async fn model_folder(
    project: &Project,
    tracking: &Tracking,
    version: &ModelVersion,
) -> Result<TemporaryFolder> {
    let uri = ModelUri::Version { name: version.name.clone(), version: version.version.clone() };
    let resolved = resolve::resolve(tracking, &uri).await?;
    let folder = temporary(&project.state_folder())?;
    resolve::fetch(tracking, &resolved, folder.path()).await?;
    Ok(folder)
}

/// The request that a server of this version must be able to answer.
pub(crate) async fn input_example(
    project: &Project,
    tracking: &Tracking,
    version: &ModelVersion,
) -> Result<Option<InputExample>> {
    let folder = model_folder(project, tracking, version).await?;
    let mlmodel = MlModel::read(folder.path())?;
    Ok(InputExample::read(folder.path(), &mlmodel)?)
}
