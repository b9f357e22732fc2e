//! What a version is made of, by the source that is given for it.

use trainyard_mlflow::{
    self as mlflow, AliasId, CreateModelVersion, Error, LoggedModels, VersionId,
};

use super::database::{Connection, Dialect, List, Value};
use crate::artifacts::scheme;
use crate::error::Result;

/// Length of the ids of runs, which are hex digits.
const ID_LENGTH: usize = 32;
/// What the ids of logged models begin with.
const MODEL_PREFIX: &str = "m-";

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

/// Keeps the runs and logged models whose files a new version is made of from being removed for good until the
/// transaction ends. `server gc` looks for versions while it holds the same rows, so whichever is first is seen by the
/// other.
///
/// What was there when the client asked and is gone by now is refused. That can only be told where a version names its
/// run or model and the files are ours to keep: a bucket may be that of another server.
pub(super) fn hold_files(
    connection: &mut dyn Connection,
    location: &str,
    request: &CreateModelVersion,
) -> Result<()> {
    let ids: Vec<String> =
        location.split('/').filter(|part| is_id(part)).map(str::to_owned).collect();
    if ids.is_empty() {
        return Ok(());
    }
    // SQLite has one writer at a time.
    let lock = match connection.dialect() {
        Dialect::Sqlite => "",
        Dialect::Postgres => " FOR KEY SHARE OF r",
    };
    let list = connection.dialect().list("?1");
    let mut found = Vec::new();
    for (table, key) in [("runs", "run_uuid"), ("logged_models", "model_id")] {
        let sql = format!("SELECT r.{key} FROM {table} r WHERE r.{key} IN {list}{lock}");
        let wanted = Value::List(List::Texts(ids.clone()));
        found.extend(connection.rows(&sql, &[wanted], |row| row.need_text(0))?);
    }
    let is_ours = matches!(scheme(location), None | Some("file" | "mlflow-artifacts"));
    let source = match parse_models_uri(&request.source)? {
        Some(ModelSource::Logged(model_id)) => Some(model_id),
        _ => None,
    };
    let named = [request.run_id.as_deref(), request.model_id.as_deref(), source];
    let is_gone = |id: &&String| named.contains(&Some(id.as_str())) && !found.contains(*id);
    match ids.iter().find(is_gone).filter(|_| is_ours) {
        None => Ok(()),
        Some(id) => Err(Error::not_found(format!(
            "{id} was removed for good, with the files that the version is to be made of"
        ))
        .into()),
    }
}

/// Whether this has the form of ids that are made up here and upstream.
fn is_id(part: &str) -> bool {
    let digits = part.strip_prefix(MODEL_PREFIX).unwrap_or(part);
    digits.len() == ID_LENGTH && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}
