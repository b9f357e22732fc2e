//! The aliases that versions earn, and who has them.

use trainyard_mlflow::entities::ModelVersion;
use trainyard_mlflow::resolve::{self, ResolvedModel};
use trainyard_mlflow::{Tracking, VersionId};

use crate::{Error, Result};

/// Alias of the version that is being checked.
pub const STAGING: &str = "Staging";
/// Alias of the version that is served.
pub const PRODUCTION: &str = "Production";

/// The version labelled `Production`, or the legacy stage of that name; it is an error if there is none.
pub(crate) async fn in_production(
    tracking: &Tracking,
    name: &str,
) -> Result<(ResolvedModel, ModelVersion)> {
    let missing = || Error::Missing {
        what: format!("no version of {name} has the alias {PRODUCTION}"),
        hint: "`trainyard promote` gives it to a version that passes the gate".to_owned(),
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
    let registered = tracking.registered_models.get(name).await?;
    let Some(alias) = registered.aliases.iter().find(|alias| alias.alias == PRODUCTION) else {
        return Ok(None);
    };
    Ok(Some(tracking.model_versions.get(VersionId { name, version: &alias.version }).await?))
}
