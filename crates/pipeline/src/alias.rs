//! The aliases that versions earn, and who has them.

use trainyard_mlflow::entities::ModelVersion;
use trainyard_mlflow::resolve::{self, ResolvedModel};
use trainyard_mlflow::{Tracking, VersionId};

use crate::{Error, Result};

/// Alias of the version that passed the gate last.
pub const STAGING: &str = "Staging";
/// Alias of the version that is served.
pub const PRODUCTION: &str = "Production";

/// The version labelled `Production`, or the legacy stage of that name; it is an error if there is none.
pub(crate) async fn in_production(
    tracking: &Tracking,
    name: &str,
) -> Result<(ResolvedModel, ModelVersion)> {
    let missing = || Error::Missing {
        what: format!("no version of {name} is approved, and none has the alias {PRODUCTION}"),
        hint: "`trainyard promote` approves a version that passes the gate; `trainyard deploy` \
               releases it"
            .to_owned(),
    };
    let resolved = match resolve::resolve_stage(tracking, name, PRODUCTION).await {
        Ok(resolved) => resolved,
        Err(error) if error.is_not_found() => return Err(missing()),
        Err(error) => return Err(error.into()),
    };
    let version = resolved.version.clone().ok_or_else(missing)?;
    Ok((resolved, version))
}

/// The version with exactly the alias `Production`, if there is one.
pub(crate) async fn production(tracking: &Tracking, name: &str) -> Result<Option<ModelVersion>> {
    labelled(tracking, name, PRODUCTION).await
}

/// The version with exactly this alias, if there is one.
pub(crate) async fn labelled(
    tracking: &Tracking,
    name: &str,
    alias: &str,
) -> Result<Option<ModelVersion>> {
    let Some(version) = number(tracking, name, alias).await? else { return Ok(None) };
    Ok(Some(tracking.model_versions.get(VersionId { name, version: &version }).await?))
}

/// The number of the version with exactly this alias, if there is one.
pub(crate) async fn number(tracking: &Tracking, name: &str, alias: &str) -> Result<Option<String>> {
    let registered = tracking.registered_models.get(name).await?;
    let found = registered.aliases.into_iter().find(|found| found.alias == alias);
    Ok(found.map(|found| found.version))
}
