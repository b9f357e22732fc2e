//! Which version and folder a model URI means now, and fetching it.

use std::path::{Path, PathBuf};

use futures::StreamExt as _;

use crate::artifacts::Artifacts as _;
use crate::entities::{ModelVersion, RegisteredModel};
use crate::uri::{self, ModelUri};
use crate::{
    AliasId, Error, ErrorCode, Result, SearchLoggedModels, Tracking, VersionId, artifacts,
};

/// Registered sources may point at each other (`models:/m-…` behind a version); this many steps
/// are followed.
const STEPS_MAX: usize = 4;

/// What a model URI means at the moment it was asked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResolvedModel {
    /// Registered model, if the URI named one.
    pub name: Option<String>,
    pub version: Option<ModelVersion>,
    /// Alias or stage by which the version was found, spelled as it is registered.
    pub alias: Option<String>,
    pub run_id: Option<String>,
    /// `m-…` of the logged model behind it.
    pub model_id: Option<String>,
    /// Where the folder is: an artifact URI or a local path.
    pub artifact_uri: String,
}

/// Asks the registry what `uri` means.
pub async fn resolve(tracking: &Tracking, uri: &ModelUri) -> Result<ResolvedModel> {
    let mut resolved = match uri {
        ModelUri::Alias { name, alias } => {
            let id = AliasId { name, alias };
            let version = match tracking.registered_models.get_by_alias(id).await {
                Ok(version) => version,
                Err(error) => return Err(unknown_alias(tracking, id, error).await),
            };
            of_version(tracking, version, Some(alias.clone())).await?
        }
        ModelUri::Version { name, version } => {
            let version = tracking.model_versions.get(VersionId { name, version }).await?;
            of_version(tracking, version, None).await?
        }
        ModelUri::Stage { name, stage } => resolve_stage(tracking, name, stage).await?,
        ModelUri::Latest { name } => {
            let versions = tracking.registered_models.get_latest_versions(name, &[]).await?;
            let version = highest(versions).ok_or_else(|| {
                Error::not_found(format!("the registered model {name:?} has no versions"))
            })?;
            of_version(tracking, version, None).await?
        }
        ModelUri::LoggedModel { model_id } => of_logged_model(tracking, model_id).await?,
        ModelUri::Run { run_id, path } => of_run(tracking, run_id, path).await?,
        ModelUri::Artifacts(uri) => {
            ResolvedModel { artifact_uri: uri.clone(), ..ResolvedModel::default() }
        }
        ModelUri::Folder(path) => ResolvedModel {
            artifact_uri: path.to_string_lossy().into_owned(),
            ..ResolvedModel::default()
        },
    };
    follow(tracking, &mut resolved).await?;
    Ok(resolved)
}

/// The version that a stage means: the alias of that name, exactly; else the alias that differs
/// only in case; else the latest version in the (deprecated) stage.
pub async fn resolve_stage(tracking: &Tracking, name: &str, stage: &str) -> Result<ResolvedModel> {
    let model = tracking.registered_models.get(name).await?;
    let exact = model.aliases.iter().find(|alias| alias.alias == stage);
    let lowered = stage.to_lowercase();
    let alias =
        exact.or_else(|| model.aliases.iter().find(|alias| alias.alias.to_lowercase() == lowered));
    if let Some(alias) = alias {
        let version =
            tracking.model_versions.get(VersionId { name, version: &alias.version }).await?;
        let mut resolved = of_version(tracking, version, Some(alias.alias.clone())).await?;
        follow(tracking, &mut resolved).await?;
        return Ok(resolved);
    }
    let known = ["None", "Staging", "Production", "Archived"];
    let legacy = known.into_iter().find(|known| known.to_lowercase() == lowered);
    if let Some(legacy) = legacy {
        let versions =
            tracking.registered_models.get_latest_versions(name, &[legacy.to_owned()]).await?;
        if let Some(version) = highest(versions) {
            let mut resolved = of_version(tracking, version, Some(legacy.to_owned())).await?;
            follow(tracking, &mut resolved).await?;
            return Ok(resolved);
        }
    }
    Err(Error::not_found(format!(
        "the registered model {name:?} has no version with the alias or stage {stage:?}; {}",
        aliases_of(&model)
    )))
}

/// "No such alias" is a 400 on the wire; here it is "not found", with the aliases there are.
async fn unknown_alias(tracking: &Tracking, id: AliasId<'_>, error: Error) -> Error {
    let AliasId { name, alias } = id;
    if error.code() != ErrorCode::InvalidParameterValue {
        return error;
    }
    match tracking.registered_models.get(name).await {
        Ok(model) if model.aliases.iter().all(|known| known.alias != alias) => Error::not_found(
            format!("the registered model {name:?} has no alias {alias:?}; {}", aliases_of(&model)),
        ),
        _ => error,
    }
}

fn aliases_of(model: &RegisteredModel) -> String {
    let aliases: Vec<&str> = model.aliases.iter().map(|alias| alias.alias.as_str()).collect();
    if aliases.is_empty() {
        "it has no aliases".to_owned()
    } else {
        format!("its aliases are {}", aliases.join(", "))
    }
}

/// Copies the model's folder to `target` (created) and returns the number of files.
pub async fn fetch(tracking: &Tracking, resolved: &ResolvedModel, target: &Path) -> Result<usize> {
    let root = &resolved.artifact_uri;
    let files = match uri::local_path(root)? {
        Some(folder) => fetch_local(folder, target).await?,
        None => artifacts::download_tree(&*tracking.artifacts, root, target).await?,
    };
    if files == 0 {
        return Err(Error::not_found(format!(
            "there is no model at {}",
            uri::without_credentials(root)
        )));
    }
    Ok(files)
}

async fn fetch_local(folder: PathBuf, target: &Path) -> Result<usize> {
    let local = artifacts::LocalArtifacts;
    artifacts::download_tree(&local, &folder.to_string_lossy(), target).await
}

/// One file of the model's folder, without the others: a model may be large. None if there is no such file.
///
/// # Errors
///
/// Where the store cannot be asked, and where the file is larger than `bytes_max`.
pub async fn fetch_file(
    tracking: &Tracking,
    resolved: &ResolvedModel,
    path: &str,
    bytes_max: usize,
) -> Result<Option<Vec<u8>>> {
    let root = &resolved.artifact_uri;
    let body = match uri::local_path(root)? {
        Some(folder) => {
            let local = artifacts::LocalArtifacts;
            local.download(&folder.to_string_lossy(), path).await
        }
        None => tracking.artifacts.download(root, path).await,
    };
    let mut body = match body {
        Ok(body) => body,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() > bytes_max {
            let root = uri::without_credentials(root);
            return Err(Error::invalid(format!(
                "{path} of {root} is larger than {bytes_max} bytes"
            )));
        }
    }
    Ok(Some(bytes))
}

/// Replaces `models:/m-…` and `runs:/…` as artifact URI by what they mean.
async fn follow(tracking: &Tracking, resolved: &mut ResolvedModel) -> Result<()> {
    for _step in 0..STEPS_MAX {
        let next = match resolved.artifact_uri.parse()? {
            ModelUri::LoggedModel { model_id } => of_logged_model(tracking, &model_id).await?,
            ModelUri::Run { run_id, path } => of_run(tracking, &run_id, &path).await?,
            ModelUri::Version { name, version } => {
                let uri = tracking
                    .model_versions
                    .download_uri(VersionId { name: &name, version: &version })
                    .await?;
                ResolvedModel { artifact_uri: uri, ..ResolvedModel::default() }
            }
            _ => return Ok(()),
        };
        resolved.artifact_uri = next.artifact_uri;
        resolved.model_id = resolved.model_id.take().or(next.model_id);
        resolved.run_id = resolved.run_id.take().or(next.run_id);
    }
    Err(Error::invalid(format!(
        "the source of the model leads over more than {STEPS_MAX} references, last to {}",
        resolved.artifact_uri
    )))
}

async fn of_version(
    tracking: &Tracking,
    version: ModelVersion,
    alias: Option<String>,
) -> Result<ResolvedModel> {
    let artifact_uri = tracking.model_versions.download_uri(version.id()).await?;
    let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    // Upstream's registry keeps the logged model's id only in the source.
    let of_source = match version.source.parse() {
        Ok(ModelUri::LoggedModel { model_id }) => Some(model_id),
        _ => None,
    };
    Ok(ResolvedModel {
        name: Some(version.name.clone()),
        alias,
        run_id: some(&version.run_id),
        model_id: some(&version.model_id).or(of_source),
        artifact_uri,
        version: Some(version),
    })
}

async fn of_logged_model(tracking: &Tracking, model_id: &str) -> Result<ResolvedModel> {
    let info = tracking.logged_models.get(model_id).await?.info;
    Ok(ResolvedModel {
        run_id: info.source_run_id.filter(|run_id| !run_id.is_empty()),
        model_id: Some(info.model_id),
        artifact_uri: info.artifact_uri,
        ..ResolvedModel::default()
    })
}

/// Since MLflow 3 a run's models lie outside of its artifacts; before, inside. Both are tried.
async fn of_run(tracking: &Tracking, run_id: &str, path: &str) -> Result<ResolvedModel> {
    let run = tracking.runs.get(run_id).await?;
    let files = tracking.artifacts.list(&run.info.artifact_uri, path).await?;
    if files.is_empty() {
        let models = tracking
            .logged_models
            .search(SearchLoggedModels {
                experiment_ids: vec![run.info.experiment_id.clone()],
                // A run id has no quotes; the path is compared below, so that it needs no quoting.
                filter: format!("source_run_id = '{}'", run.info.run_id),
                ..SearchLoggedModels::default()
            })
            .await?;
        // Newest first.
        if let Some(model) = models.items.into_iter().find(|model| model.info.name == path) {
            return Ok(ResolvedModel {
                run_id: Some(run.info.run_id),
                model_id: Some(model.info.model_id),
                artifact_uri: model.info.artifact_uri,
                ..ResolvedModel::default()
            });
        }
    }
    Ok(ResolvedModel {
        artifact_uri: uri::join(&run.info.artifact_uri, path),
        run_id: Some(run.info.run_id),
        ..ResolvedModel::default()
    })
}

fn highest(versions: Vec<ModelVersion>) -> Option<ModelVersion> {
    versions.into_iter().max_by_key(|version| version.version.parse::<u64>().unwrap_or_default())
}
