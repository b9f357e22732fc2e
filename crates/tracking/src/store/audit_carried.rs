//! What a log that was shortened carries on: where aliases pointed whose events went.

use trainyard_mlflow::entities::AliasAt;

use super::audit::{COLUMNS, read};
use super::database::Connection;
use crate::audit::{CHECKPOINT, Checkpoint, LOG};
use crate::error::Result;

/// What the last checkpoint says of aliases whose events went.
pub(super) fn carried(
    connection: &mut dyn Connection,
    model: Option<&str>,
) -> Result<Vec<AliasAt>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM trainyard_audit e WHERE e.subject = ?1 AND e.action = ?2 \
         ORDER BY e.id DESC LIMIT 1"
    );
    let found = connection.first(&sql, &[LOG.into(), CHECKPOINT.into()], read)?;
    let checkpoint = found.as_ref().and_then(Checkpoint::of);
    let mut aliases = checkpoint.map(|checkpoint| checkpoint.aliases).unwrap_or_default();
    aliases.retain(|alias| model.is_none_or(|model| alias.model == model));
    Ok(aliases)
}
