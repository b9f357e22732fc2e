//! Parquet bodies: the columns of a file against the signature.

use std::collections::HashSet;

use bytes::Bytes;
use trainyard_base::Share;
use trainyard_data::{BodyError, BodyLimits, read_parquet_body};
use trainyard_signature::enforce::{Enforced, Enforcer};

use super::error::Refusal;

/// Bytes of the columns of a file, unpacked: thirty million numbers, and a small part of what a machine
/// has, as several requests come at once.
const UNPACKED_BYTES_MAX: u64 = 256 << 20;

/// Reads a Parquet file as a data frame. Only the columns of the signature are decoded; what they take
/// is added to `memory`.
pub(crate) fn read(
    enforcer: &Enforcer,
    body: &Bytes,
    memory: &mut Share,
) -> Result<Enforced, Refusal> {
    let known: Option<HashSet<&str>> = enforcer.column_names().map(Iterator::collect);
    let wanted = |name: &str| known.as_ref().is_none_or(|known| known.contains(name));
    let limits = BodyLimits { bytes_max: UNPACKED_BYTES_MAX, rows_max: enforcer.rows_max() };
    let table = read_parquet_body(body, wanted, limits, memory).map_err(|error| match error {
        BodyError::NoRoom(full) => full.into(),
        error => Refusal::bad(format!("Failed to parse input as Parquet: {error}")),
    })?;
    Ok(enforcer.table(&table)?)
}
