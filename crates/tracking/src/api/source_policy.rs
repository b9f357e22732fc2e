//! What a client says that a new model version is made of. It may not point this server at other hosts or at
//! files of its disk.

use std::path::{Component, Path, PathBuf};

use trainyard_mlflow::entities::{KeyValue, ModelVersion};
use trainyard_mlflow::uri::without_credentials;
use trainyard_mlflow::{AliasId, CreateModelVersion, Error, Result, Tracking, VersionId};
use url::Url;

use super::host_policy::{HostPolicy, scheme};
use crate::artifacts::percent_decoded;
use crate::error::invalid;
use crate::search::registered_models::IS_PROMPT;

/// What stands for the source of a prompt: upstream's client writes the first, its store the second.
const PROMPT_SOURCES: [&str; 2] = ["dummy-source", "prompt-template"];

/// Prompts have no files. Of several tags with one key the last counts.
fn is_prompt(tags: &[KeyValue]) -> bool {
    let tag = tags.iter().rfind(|tag| tag.key == IS_PROMPT);
    tag.is_some_and(|tag| tag.value.eq_ignore_ascii_case("true"))
}

/// Checks the source of a new model version, and fills in what a copied version says. `names_nobody` is of a request
/// with the id of a run or model that is there and empty, which is nobody's, and not none.
pub(super) async fn check_source(
    tracking: &Tracking,
    hosts: &HostPolicy,
    mut request: CreateModelVersion,
    names_nobody: bool,
) -> Result<CreateModelVersion> {
    if is_prompt(&request.tags) {
        if PROMPT_SOURCES.contains(&request.source.as_str()) {
            return Ok(request);
        }
        return invalid!(
            "Invalid prompt source: '{}'. Prompt sources must use an MLflow placeholder.",
            without_credentials(&request.source)
        );
    }
    hosts.check(&request.source, "source")?;
    if let Some(name) = copied_model(&request.source)? {
        return copy(tracking, request, &name).await;
    }
    // To be refused by whoever keeps others from asking which runs there are.
    if names_nobody {
        Owner::Run(String::new()).root(tracking).await?;
    }
    let owner = match (request.model_id.take(), request.run_id.as_deref()) {
        (Some(model_id), _) => Owner::Model(model_id),
        (None, run_id) => Owner::Run(run_id.unwrap_or_default().to_owned()),
    };
    check_contained(tracking, &request.source, &owner).await?;
    if let Owner::Model(model_id) = owner {
        request.model_id = Some(model_id);
    }
    Ok(request)
}

/// Whose files a source must be among.
enum Owner {
    Run(String),
    Model(String),
}

impl Owner {
    fn field(&self) -> &'static str {
        match self {
            Self::Run(_) => "run_id",
            Self::Model(_) => "model_id",
        }
    }

    fn id(&self) -> &str {
        match self {
            Self::Run(id) | Self::Model(id) => id,
        }
    }

    /// Where the owner's files lie; none if nobody has this id.
    async fn root(&self, tracking: &Tracking) -> Result<Option<String>> {
        let found = match self {
            Self::Run(id) => tracking.runs.get(id).await.map(|run| run.info.artifact_uri),
            Self::Model(id) => {
                tracking.logged_models.get(id).await.map(|model| model.info.artifact_uri)
            }
        };
        match found {
            Ok(root) => Ok(Some(root)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn refuse(&self, source: &str) -> Error {
        Error::invalid(format!(
            "Invalid model version source: '{}'. The {} request parameter must identify the \
             resource that contains the source.",
            without_credentials(source),
            self.field()
        ))
    }
}

async fn check_contained(tracking: &Tracking, source: &str, owner: &Owner) -> Result<()> {
    if is_local(source) {
        return check_local(tracking, source, owner).await;
    }
    refuse_climbing(source)?;
    match scheme(source).as_str() {
        "runs" => {
            let path = source.get("runs:/".len()..).unwrap_or_default();
            let run_id = path.split('/').next().unwrap_or_default();
            let matches = matches!(owner, Owner::Run(id) if !id.is_empty() && id == run_id);
            if matches && !path.starts_with('/') { Ok(()) } else { Err(owner.refuse(source)) }
        }
        "models" => {
            // Only `models:/m-…` is left: versions and aliases are copies.
            let model_id = source.strip_prefix("models:/").unwrap_or_default();
            let matches = matches!(owner, Owner::Model(id) if id == model_id);
            if matches { Ok(()) } else { Err(Owner::Model(String::new()).refuse(source)) }
        }
        "mlflow-artifacts" => {
            let root = if owner.id().is_empty() { None } else { owner.root(tracking).await? };
            match root {
                Some(root) if is_below(source, &root) => Ok(()),
                _ => Err(owner.refuse(source)),
            }
        }
        // Buckets have rights of their own.
        _ => Ok(()),
    }
}

async fn check_local(tracking: &Tracking, source: &str, owner: &Owner) -> Result<()> {
    let root = if owner.id().is_empty() { None } else { owner.root(tracking).await? };
    let inside = root.filter(|root| is_local(root)).is_some_and(|root| {
        match (local_path(source), local_path(&root)) {
            (Some(source), Some(root)) => source.starts_with(root),
            _ => false,
        }
    });
    if inside {
        return Ok(());
    }
    let field = owner.field();
    invalid!(
        "Invalid model version source: '{}'. To use a local path as a model version source, \
         the {field} request parameter has to be specified and the local path has to be contained \
         within the artifact directory of the run specified by the {field}.",
        without_credentials(source)
    )
}

/// Name and version or alias of `models:/name/version`, `models:/name@alias`; none if the source is
/// not a registered version.
fn copied_model(source: &str) -> Result<Option<String>> {
    if scheme(source) != "models" {
        return Ok(None);
    }
    let Some(path) = source.strip_prefix("models:/").filter(|path| !path.starts_with('/')) else {
        return invalid!(
            "Invalid model version source: '{}'. Registered model sources must use the \
             active model registry.",
            without_credentials(source)
        );
    };
    Ok((path.contains('/') || path.contains('@')).then(|| path.to_owned()))
}

/// A copy names the version it was made of by number, and has its run and model.
async fn copy(
    tracking: &Tracking,
    mut request: CreateModelVersion,
    path: &str,
) -> Result<CreateModelVersion> {
    let source = named_version(tracking, path).await?;
    if is_prompt(&tracking.registered_models.get(&source.name).await?.tags) {
        return invalid!(
            "Invalid model version source: '{}'. Prompt versions cannot be used as model version \
             sources.",
            without_credentials(&request.source)
        );
    }
    let differs = |given: &Option<String>, own: &Option<String>| {
        given.as_deref().is_some_and(|given| given != own.as_deref().unwrap_or_default())
    };
    if differs(&request.run_id, &source.run_id) || differs(&request.model_id, &source.model_id) {
        return invalid!(
            "Invalid model version source: '{}'. The run_id and model_id request parameters must \
             match the referenced model version.",
            without_credentials(&request.source)
        );
    }
    request.source = format!("models:/{}/{}", source.name, source.version);
    request.run_id = request.run_id.or(source.run_id).filter(|id| !id.is_empty());
    request.model_id = request.model_id.or(source.model_id).filter(|id| !id.is_empty());
    Ok(request)
}

/// The version that `name/version`, `name/latest`, `name/stage` or `name@alias` names.
async fn named_version(tracking: &Tracking, path: &str) -> Result<ModelVersion> {
    if let Some((name, alias)) = path.split_once('@') {
        return tracking.registered_models.get_by_alias(AliasId { name, alias }).await;
    }
    let (name, version) = path.split_once('/').unwrap_or((path, ""));
    // An unknown model is told apart from an unknown version of it.
    tracking.registered_models.get(name).await?;
    if version.eq_ignore_ascii_case("latest") {
        return tracking.registered_models.get_by_alias(AliasId { name, alias: "latest" }).await;
    }
    if version.bytes().all(|byte| byte.is_ascii_digit()) {
        return tracking.model_versions.get(VersionId { name, version }).await;
    }
    let of_stage =
        tracking.registered_models.get_latest_versions(name, &[version.to_owned()]).await?;
    of_stage.into_iter().next().ok_or_else(|| {
        Error::invalid(format!(
            "No versions of model with name '{name}' and stage '{version}' found"
        ))
    })
}

/// Refuses `..` and NUL however they are encoded.
fn refuse_climbing(source: &str) -> Result<()> {
    let refused = percent_decoded(source).is_none_or(|plain| {
        let path = plain.split_once(':').map_or(plain.as_str(), |(_, path)| path);
        plain.contains('\0') || path.split('/').any(|part| part == ".." || part == ".")
    });
    let refused = refused || leads_nowhere(source);
    if refused {
        return invalid!(
            "Invalid model version source: '{}'. If supplying a source as an http, https, \
             local file path, ftp, objectstore, or mlflow-artifacts uri, an absolute path must be \
             provided without relative path references present. Please provide an absolute path.",
            without_credentials(source)
        );
    }
    Ok(())
}

/// A URI with a scheme but without an absolute path behind it, such as that of a bucket.
fn leads_nowhere(source: &str) -> bool {
    if is_local(source) || ["models", "runs"].contains(&scheme(source).as_str()) {
        return false;
    }
    let Some((_, rest)) = source.split_once(':') else { return false };
    let path = match rest.strip_prefix("//") {
        Some(rest) => rest.find('/').map_or("", |start| &rest[start..]),
        None => rest,
    };
    !path.starts_with('/') || path.trim_matches('/').is_empty()
}

fn is_local(uri: &str) -> bool {
    matches!(scheme(uri).as_str(), "" | "file")
}

/// The absolute path of a local location, tidied without looking at the disk; none if it climbs.
fn local_path(uri: &str) -> Option<PathBuf> {
    let path = match scheme(uri).as_str() {
        "file" => Url::parse(uri).ok()?.to_file_path().ok()?,
        _ => std::path::absolute(Path::new(uri)).ok()?,
    };
    let climbs = path.components().any(|part| part == Component::ParentDir);
    // A symlink inside the owner's folder may lead out of it.
    (!climbs).then(|| path.canonicalize().unwrap_or(path))
}

fn is_below(source: &str, root: &str) -> bool {
    let parts = |uri: &str| -> Option<(String, Vec<String>)> {
        let (scheme, path) = uri.split_once(':')?;
        let (authority, path) = match path.strip_prefix("//") {
            Some(rest) => rest.split_once('/').unwrap_or((rest, "")),
            None => ("", path),
        };
        let segments = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(percent_decoded)
            .collect::<Option<_>>()?;
        Some((format!("{scheme}//{authority}").to_ascii_lowercase(), segments))
    };
    match (parts(source), parts(root)) {
        (Some((source, source_parts)), Some((root, root_parts))) => {
            source == root && !root_parts.is_empty() && source_parts.starts_with(&root_parts)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_that_climb() {
        for good in ["s3://b/x", "runs:/abc/model", "s3://b/a..b/x"] {
            assert!(refuse_climbing(good).is_ok(), "{good}");
        }
        for bad in [
            "s3://b",
            "s3://b/",
            "s3:x",
            "s3://b/../x",
            "mlflow-artifacts:/a/..%2f..%2fx",
            "s3://b/%252e%252e/x",
            "s3://b/x%00",
        ] {
            assert!(refuse_climbing(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn containment_goes_by_segments() {
        let root = "mlflow-artifacts:/1/abc/artifacts";
        assert!(is_below("mlflow-artifacts:/1/abc/artifacts/model", root));
        assert!(is_below(root, root));
        assert!(!is_below("mlflow-artifacts:/1/abc/artifacts2", root));
        assert!(!is_below("mlflow-artifacts://host/1/abc/artifacts/model", root));
        assert!(!is_below("s3:/1/abc/artifacts/model", root));
        assert!(!is_below("mlflow-artifacts:/x", "mlflow-artifacts:/"));
    }

    #[test]
    fn versions_and_aliases_are_copies() {
        let copied = |source: &str| copied_model(source).unwrap();
        assert_eq!(copied("models:/a/1").as_deref(), Some("a/1"));
        assert_eq!(copied("models:/a@b").as_deref(), Some("a@b"));
        assert_eq!(copied("models:/m-0123"), None);
        assert_eq!(copied("s3://b/x"), None);
        assert!(copied_model("models://host/a/1").is_err());
    }
}
