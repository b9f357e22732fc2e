//! Small files of a version's folder, without its model: that may be large, and is fetched once, by whoever
//! needs it ([`Candidate::path`]).

use std::path::Path;

use trainyard_mlflow::resolve;
use trainyard_signature::model::{InputExample, MLMODEL_FILE, MlModel};

use crate::candidate::Candidate;
use crate::temporary::temporary;
use crate::{Error, Project, Result};

/// Bytes of one such file; what reads them has its own limits, which are not above.
const BYTES_MAX: usize = 64 << 20;

/// What the `MLmodel` file of a version says.
pub(crate) async fn mlmodel(candidate: &Candidate) -> Result<MlModel> {
    let bytes = file(candidate, MLMODEL_FILE).await?;
    let text = String::from_utf8(bytes).map_err(|error| Error::Missing {
        what: format!("{} is no text: {error}", named(candidate, MLMODEL_FILE)),
        hint: "register the model again".to_owned(),
    })?;
    Ok(MlModel::parse(&text, Path::new(&named(candidate, MLMODEL_FILE)))?)
}

/// The input example of a version; none if it has none.
pub(crate) async fn input_example(
    project: &Project,
    candidate: &Candidate,
    mlmodel: &MlModel,
) -> Result<Option<InputExample>> {
    let Some(info) = &mlmodel.saved_input_example_info else { return Ok(None) };
    let name = info.serving_input_path.as_ref().unwrap_or(&info.artifact_path);
    // MLflow writes examples beside the `MLmodel`; another path is not written to this disk.
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
        return Ok(None);
    }
    let folder = temporary(&project.state_folder())?;
    let path = folder.path().join(name);
    let bytes = file(candidate, name).await?;
    tokio::fs::write(&path, bytes).await.map_err(|source| Error::io(&path, source))?;
    Ok(InputExample::read(folder.path(), mlmodel)?)
}

async fn file(candidate: &Candidate, name: &str) -> Result<Vec<u8>> {
    let fetched =
        resolve::fetch_file(&candidate.tracking, &candidate.resolved, name, BYTES_MAX).await?;
    fetched.ok_or_else(|| Error::Missing {
        what: format!("there is no {}", named(candidate, name)),
        hint: "the version's files are gone; register the model again".to_owned(),
    })
}

fn named(candidate: &Candidate, name: &str) -> String {
    let version = &candidate.version;
    format!("{name} of {} version {}", version.name, version.version)
}
