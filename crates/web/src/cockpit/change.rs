//! What forms of a model's page and of a version's change. Each goes the way of the API: the same store, by the rights
//! of whoever asks, written down alike.

use axum::extract::{Path, State};
use trainyard_mlflow::entities::Tag;
use trainyard_mlflow::{AliasId, AliasMove, VersionId};

use super::actions;
use crate::error::Result;
use crate::posted::{Posted, done, unknown};
use crate::services::asked_of_model;
use crate::site::Web;

/// A form of a model's page.
pub(crate) async fn change(
    State(web): State<Web>,
    Path(name): Path<String>,
    form: Posted,
) -> Result {
    let models = &web.tracking.registered_models;
    let mut address = web.links.model(&name);
    if asked_of_model(&web, &name, &form).await? {
        return Ok(done(&format!("{address}#release")));
    }
    match form.action() {
        "describe" => {
            models.update(&name, Some(&form.lines("description"))).await?;
        }
        "rename" => {
            let new_name = form.need("name")?;
            models.rename(&name, new_name).await?;
            address = web.links.model(new_name);
        }
        "tag" => {
            models.set_tag(&name, Tag::new(form.need("key")?, form.text("value"))).await?;
        }
        "untag" => models.delete_tag(&name, form.need("key")?).await?,
        "unalias" => {
            models.delete_alias(AliasId { name: &name, alias: form.need("alias")? }).await?;
        }
        "approve" | "reject" => {
            let wanted = wanted(&name, form.need("version")?, &form)?;
            decide(&web, wanted, &form).await?;
        }
        "delete" => {
            form.confirm(&name)?;
            models.delete(&name).await?;
            address = web.links.models();
        }
        other => return Err(unknown(other)),
    }
    Ok(done(&address))
}

/// A form of a version's page.
pub(crate) async fn change_version(
    State(web): State<Web>,
    Path((name, version)): Path<(String, String)>,
    form: Posted,
) -> Result {
    let versions = &web.tracking.model_versions;
    let id = VersionId { name: &name, version: &version };
    let mut address = web.links.version(&name, &version);
    if asked_of_model(&web, &name, &form).await? {
        return Ok(done(&format!("{address}#release")));
    }
    match form.action() {
        "describe" => {
            versions.update(id, Some(&form.lines("description"))).await?;
        }
        "tag" => {
            versions.set_tag(id, Tag::new(form.need("key")?, form.text("value"))).await?;
        }
        "untag" => versions.delete_tag(id, form.need("key")?).await?,
        "alias" => {
            // The gate may have refused it since the page was made.
            if form.text("refused").is_empty() && actions::is_refused(&versions.get(id).await?) {
                let told = format!(
                    "the gate refused version {version}: nothing was moved; tick that you know it"
                );
                return Err(trainyard_mlflow::Error::invalid(told).into());
            }
            web.tracking.registered_models.set_alias(id, form.need("alias")?).await?;
        }
        "ask" => {
            let wanted = wanted(&name, &version, &form)?;
            web.tracking.approvals.request(wanted, form.text("reason").trim()).await?;
            address = format!("{}#approvals", web.links.model(&name));
        }
        "delete" => {
            form.confirm(&version)?;
            versions.delete(id).await?;
            address = web.links.model(&name);
        }
        other => return Err(unknown(other)),
    }
    Ok(done(&address))
}

fn wanted(model: &str, version: &str, form: &Posted) -> Result<AliasMove> {
    let alias = form.need("alias")?.to_owned();
    Ok(AliasMove { model: model.to_owned(), alias, version: version.to_owned() })
}

async fn decide(web: &Web, wanted: AliasMove, form: &Posted) -> Result<()> {
    let reason = form.text("reason").trim();
    if form.action() == "approve" {
        web.tracking.approvals.approve(wanted, reason).await?;
    } else {
        web.tracking.approvals.reject(wanted, reason).await?;
    }
    Ok(())
}
