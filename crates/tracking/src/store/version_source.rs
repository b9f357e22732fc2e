//! What a version is made of, by the source that is given for it.

use trainyard_mlflow::{
    self as mlflow, AliasId, CreateModelVersion, Error, LoggedModels, VersionId,
};

use crate::error::Result;

/// What a source URI with the scheme `models:` names.
pub(crate) enum ModelSource<'a> {
    Logged(&'a str),
    Version(VersionId<'a>),
    Alias(AliasId<'a>),
}

/// What the URI names; none if its scheme is another one.
pub(crate) fn parse_models_uri(uri: &str) -> Result<Option<ModelSource<'_>>> {
    let Some(rest) = uri.strip_prefix("models:") else { return Ok(None) };
    let path = rest.trim_start_matches('/').trim_end_matches('/');
    let invalid = || {
        Error::invalid(format!(
            "Not a proper models:/ URI: {uri}. Models URIs must be of the form \
             'models:/model_name/suffix', 'models:/model_name@alias' or 'models:/model_id' where \
             suffix is a model version or the string 'latest'."
        ))
    };
    if path.is_empty() || path.matches('/').count() > 1 {
        return Err(invalid().into());
    }
    if let Some((name, version)) = path.split_once('/') {
        if version == "latest" {
            return Ok(Some(ModelSource::Alias(AliasId { name, alias: "latest" })));
        }
        return Ok(Some(ModelSource::Version(VersionId { name, version })));
    }
    if let Some((name, alias)) = path.split_once('@') {
        return Ok(Some(ModelSource::Alias(AliasId { name, alias })));
    }
    Ok(Some(ModelSource::Logged(path)))
}

/// What a new version takes over from the logged model it is made of, if that is in another database than
/// the registry: its run, and where its files are.
pub(crate) async fn of_logged_model(
    models: &dyn LoggedModels,
    mut version: CreateModelVersion,
) -> mlflow::Result<(CreateModelVersion, Option<String>)> {
    let path = version.source.strip_prefix("models:/").unwrap_or_default();
    let source_id = (!path.is_empty() && !path.contains(['/', '@'])).then(|| path.to_owned());
    let mut location = None;
    if let Some(model_id) = &source_id {
        let model = models.get(model_id).await?;
        version.run_id = version.run_id.filter(|id| !id.is_empty()).or(model.info.source_run_id);
        location = Some(model.info.artifact_uri);
    }
    if let Some(model_id) = version.model_id.take().filter(|id| !id.is_empty())
        && version.run_id.is_none()
    {
        version.run_id = models.get(&model_id).await?.info.source_run_id;
    }
    Ok((version, location))
}
