//! What forms of a run's page change. Each goes the way of the API: the same store, by the rights of whoever asks.

use axum::extract::{Path, State};
use serde_json::Value;
use trainyard_mlflow::entities::{ModelVersion, Tag};
use trainyard_mlflow::{
    CreateModelVersion, Error as StoreError, UpdateRun, VERSIONS_TAG, versions_with,
};

use crate::error::Result;
use crate::posted::{Posted, done, unknown};
use crate::site::Web;

/// The tag that is a run's description.
const DESCRIPTION: &str = "mlflow.note.content";

pub(crate) async fn change(
    State(web): State<Web>,
    Path(run_id): Path<String>,
    form: Posted,
) -> Result {
    let runs = &web.tracking.runs;
    let mut address = web.links.run(&run_id);
    match form.action() {
        "rename" => {
            let run_name = Some(form.need("name")?.to_owned());
            let update = UpdateRun { run_id: run_id.clone(), run_name, ..UpdateRun::default() };
            runs.update(update).await?;
        }
        "describe" => {
            runs.set_tag(&run_id, Tag::new(DESCRIPTION, form.lines("description"))).await?;
        }
        "tag" => runs.set_tag(&run_id, Tag::new(form.need("key")?, form.text("value"))).await?,
        "untag" => runs.delete_tag(&run_id, form.need("key")?).await?,
        "delete" => runs.delete(&run_id).await?,
        "restore" => runs.restore(&run_id).await?,
        "register" => {
            let made = register(&web, &run_id, &form).await?;
            address = web.links.version(&made.name, &made.version);
        }
        other => return Err(unknown(other)),
    }
    Ok(done(&address))
}

/// Makes a version of a model of the run, and the registered model if there is none.
async fn register(web: &Web, run_id: &str, form: &Posted) -> Result<ModelVersion> {
    let run = web.tracking.runs.get(run_id).await?;
    let name = form.need("name")?;
    let model_id = Some(form.text("model").to_owned()).filter(|id| !id.is_empty());
    let source = match &model_id {
        // What is the run's own needs no other check.
        Some(id) if run.outputs.model_outputs.iter().any(|made| made.model_id == *id) => {
            format!("models:/{id}")
        }
        Some(id) => return Err(StoreError::invalid(format!("the run made no model {id:?}")).into()),
        None => format!("runs:/{run_id}/{}", folder(form.need("path")?)?),
    };
    let models = &web.tracking.registered_models;
    // Whoever may not look at it may not make it either, and is told so.
    if models.get(name).await.is_err() {
        models.create(name, &[], Some("")).await?;
    }
    let version = CreateModelVersion {
        name: name.to_owned(),
        source,
        run_id: Some(run_id.to_owned()),
        model_id: model_id.clone(),
        // What is not given is kept as empty text, as the API does.
        run_link: Some(String::new()),
        description: Some(String::new()),
        tags: Vec::new(),
    };
    let made = web.tracking.model_versions.create(version).await?;
    if let Some(model_id) = model_id {
        // As by the API: other programs find the versions of a logged model by its tag.
        let logged = &web.tracking.logged_models;
        if let Some(versions) = versions_with(&logged.get(&model_id).await?, &made) {
            let tag = Tag::new(VERSIONS_TAG, Value::from(versions).to_string());
            logged.set_versions_tag(&model_id, tag).await?;
        }
    }
    Ok(made)
}

/// A folder among a run's artifacts: a plain path that leads nowhere else, however somebody reads it.
fn folder(path: &str) -> Result<&str> {
    let is_plain = |part: &str| {
        !matches!(part, "" | "." | "..")
            && !part.chars().any(|c| c.is_control() || "%?#\\:".contains(c))
    };
    if path.split('/').all(is_plain) {
        return Ok(path);
    }
    Err(StoreError::invalid(format!("{path:?} is no folder among the run's artifacts")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_stay_among_the_artifacts() {
        assert_eq!(folder("a/my model").unwrap(), "a/my model");
        for path in
            ["", "..", "a/../b", "/etc", "a//b", "%2e%2e", "a?b", "a#b", "a\\b", "c:", "a\0"]
        {
            assert!(folder(path).is_err(), "{path:?}");
        }
    }
}
