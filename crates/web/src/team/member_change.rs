//! What forms of somebody's page change. Each asks what the API asks, by the rights of whoever sent it.

use axum::extract::{Path, State};

use super::{grants, place};
use crate::error::Result;
use crate::posted::{Posted, done, unknown};
use crate::site::Web;

pub(crate) async fn change(
    State(web): State<Web>,
    Path(name): Path<String>,
    form: Posted,
) -> Result {
    let team = place::team(&web)?;
    let mut address = web.links.member(&name);
    match form.action() {
        "assign" => team.assign(&name, form.number("role")?).await?,
        "unassign" => team.unassign(&name, form.number("role")?).await?,
        "grant" => {
            team.grant(&name, grants::thing(&form)?, form.need("permission")?).await?;
        }
        "revoke" => team.revoke(&name, grants::carried(&form)).await?,
        "sign_out" => team.end_sessions(&name).await?,
        "revoke_token" => team.delete_token(form.text("token")).await?,
        "password" => {
            let current = Some(form.text("current")).filter(|text| !text.is_empty());
            team.set_password(&name, form.text("password"), current).await?;
        }
        "promote" => team.set_admin(&name, true).await?,
        "demote" => team.set_admin(&name, false).await?,
        "delete" => {
            form.confirm(&name)?;
            team.delete_member(&name).await?;
            address = web.links.team();
        }
        other => return Err(unknown(other)),
    }
    Ok(done(&address))
}
