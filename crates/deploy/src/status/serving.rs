//! What serves, for those who do not ask how it is.

use std::collections::BTreeMap;

use super::route::route;
use crate::error::{Error, Result};
use crate::gateway::control::Control;
use crate::service::Service;
use crate::state::folder::Folder;
use crate::state::history::Outcome;
use crate::state::lock;

/// What requests go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serving {
    /// The instance.
    pub id: String,
    /// What was released as it.
    pub label: BTreeMap<String, String>,
    /// Whether somebody changes the service now, so that this is not for long.
    pub is_changing: bool,
}

/// What requests go to, without asking it; none where no gateway runs, or none of its instances was released.
pub async fn serving(service: &Service) -> Result<Option<Serving>> {
    let folder = match Folder::open(service) {
        Err(Error::NotDeployed { .. }) => return Ok(None),
        folder => folder?,
    };
    let is_changing = lock::holder(&folder.lock()).is_some();
    let status = Control::new(folder.gateway_socket()).status().await?;
    let Some(current) = status.and_then(|status| status.route.current) else { return Ok(None) };
    let Some(spec) = folder.read_spec(&current.id)? else { return Ok(None) };
    Ok(Some(Serving { id: current.id, label: spec.label, is_changing }))
}

/// What was released as the instance that requests go to or, where the service is down, went to last; none where
/// nothing was released. What is between its switch and its end does not count yet: it may be taken back.
pub async fn served_last(service: &Service) -> Result<Option<BTreeMap<String, String>>> {
    let folder = match Folder::open(service) {
        Err(Error::NotDeployed { .. }) => return Ok(None),
        folder => folder?,
    };
    let gateway = Control::new(folder.gateway_socket()).status().await?;
    let current = route(gateway.as_ref(), &folder)?.current.map(|target| target.id);
    let pending = folder.read_pending()?.filter(|pending| !pending.committed);
    let id = match pending {
        Some(pending) if Some(&pending.green) == current.as_ref() => pending.blue,
        _ => current,
    };
    if let Some(id) = id
        && let Some(spec) = folder.read_spec(&id)?
    {
        return Ok(Some(spec.label));
    }
    let mut newest_first = folder.read_history()?.into_iter().rev();
    let released = newest_first.find(|entry| entry.outcome == Outcome::Released);
    Ok(released.map(|entry| entry.label))
}
