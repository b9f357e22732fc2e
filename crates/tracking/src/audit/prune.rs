//! Retention: what is old goes, once it was verified and copied.

use trainyard_mlflow::uri::TrackingUri;

use super::chain::{Verified, verify};
use super::export::{Exported, export};
use crate::error::{Error, Result, invalid};
use crate::open::share_store;
use crate::waiting::Opening;

/// What became of a log that was to be shortened.
#[derive(Debug, Default)]
pub struct Pruned {
    /// What was found before anything went. With faults, nothing did.
    pub verified: Verified,
    /// What was copied before it went.
    pub exported: Option<Exported>,
    /// Events that went.
    pub events: i64,
}

/// Lets events go that are from before a time (in milliseconds since the Unix epoch), from the log of a database
/// that may be in use. `to` is where they are copied to first; a log with faults is left as it is.
pub async fn prune(opening: &Opening, before: i64, to: Option<&str>) -> Result<Pruned> {
    let Opening { uri, options, lending } = opening.clone();
    if let TrackingUri::Sqlite(path) = uri.parse()?
        && std::fs::metadata(&path).is_err()
    {
        return invalid!("there is no database at {}", path.display());
    }
    let opened = tokio::task::spawn_blocking(move || share_store(&uri, options, &lending)).await;
    let opened = opened
        .map_err(|error| Error::database(format!("opening the database broke off: {error}")))?;
    let (_shared, store) = opened?;
    let verified = verify(&*store, Vec::new()).await?;
    if !verified.faults.is_empty() {
        return Ok(Pruned { verified, ..Pruned::default() });
    }
    let exported = match to {
        Some(uri) => Some(export(&*store, uri).await?),
        None => None,
    };
    // What is written from here on, the notes on what goes among it, stays; and so does the last event.
    let end = verified.last.as_ref().map_or(0, |last| last.id);
    let mut events: i64 = 0;
    loop {
        let gone = store.prune_audit(before, end).await?;
        if gone == 0 {
            return Ok(Pruned { verified, exported, events });
        }
        events = events.saturating_add(gone);
    }
}
