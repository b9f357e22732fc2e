//! What should serve, and what has become of it: what a look at a service finds.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::gateway::RouteState;
use crate::gateway::control::{Control, GatewayStatus};
use crate::service::Service;
use crate::state::file::read_json;
use crate::state::folder::Folder;

/// An answer to a health check, or of the gateway, takes no longer than this.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// What has become of the gateway or of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It answers, and is well.
    Well,
    /// It is there, and does not serve (yet, or now); what it says.
    Unwell(String),
    /// It ended; how, as far as that is known.
    Ended(String),
    /// It is there, and will not answer any more.
    Hangs(String),
    /// Nobody can tell: its engine does not answer.
    Unknown(String),
}

impl Condition {
    /// Why it must be started again, if it must.
    pub fn cause(&self) -> Option<&str> {
        match self {
            Self::Ended(cause) | Self::Hangs(cause) => Some(cause),
            Self::Well | Self::Unwell(_) | Self::Unknown(_) => None,
        }
    }

    /// Why it does not serve, if it does not.
    pub fn trouble(&self) -> Option<&str> {
        match self {
            Self::Well => None,
            Self::Unwell(why) | Self::Ended(why) | Self::Hangs(why) | Self::Unknown(why) => {
                Some(why)
            }
        }
    }
}

/// An instance that should run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// The instance.
    pub id: String,
    /// What has become of it.
    pub condition: Condition,
    /// Whether somebody did that to it (`kill`), which says nothing of what was released.
    pub is_by_hand: bool,
}

/// What should serve, and what has become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The release that requests go to; none where nothing should serve.
    pub current: Option<String>,
    /// What was released as it.
    pub label: BTreeMap<String, String>,
    /// The gateway.
    pub gateway: Condition,
    /// The instances that requests go to, and those that are kept warm for them.
    pub instances: Vec<Post>,
    /// Whether one of them is looked at by asking an engine, which is not to be asked without pause.
    pub uses_engine: bool,
}

impl Standing {
    /// That nothing should serve.
    pub(super) fn nothing() -> Self {
        Self {
            current: None,
            label: BTreeMap::new(),
            gateway: Condition::Well,
            instances: Vec::new(),
            uses_engine: false,
        }
    }

    /// Why users are not served although they should be, if they are not.
    pub fn outage(&self) -> Option<String> {
        self.current.as_ref()?;
        if let Some(why) = self.gateway.trouble() {
            return Some(format!("the gateway does not serve: {why}"));
        }
        let serves = |post: &Post| post.condition == Condition::Well;
        if self.instances.iter().any(serves) {
            return None;
        }
        let post = self.instances.first()?;
        Some(format!("{} does not serve: {}", post.id, post.condition.trouble()?))
    }
}

/// Whether something should serve by what was deployed: requests go somewhere, or would if the gateway ran.
pub async fn should_serve(service: &Service) -> Result<bool> {
    let folder = match Folder::open(service) {
        Err(Error::NotDeployed { .. }) => return Ok(false),
        folder => folder?,
    };
    let control = Control::new(folder.gateway_socket());
    let asked = tokio::time::timeout(PATIENCE, control.status());
    // One that does not answer is told elsewhere; what it wrote down stands.
    let status = asked.await.ok().and_then(Result::ok).flatten();
    Ok(route(status.as_ref(), &folder)?.current.is_some())
}

/// Whether a service was stopped on purpose, and nothing serves since.
pub fn was_stopped(service: &Service) -> Result<bool> {
    match Folder::open(service) {
        Err(Error::NotDeployed { .. }) => Ok(false),
        folder => folder?.was_stopped(),
    }
}

/// Where requests go: the gateway's own word, or what it wrote down last.
pub(super) fn route(status: Option<&GatewayStatus>, folder: &Folder) -> Result<RouteState> {
    match status {
        Some(status) => Ok(status.route.clone()),
        None => Ok(read_json(&folder.gateway_state())?.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_that_nobody_is_served() {
        let post = |id: &str, condition: Condition| Post {
            id: id.to_owned(),
            condition,
            is_by_hand: false,
        };
        let ended = || Condition::Ended("signal 9".to_owned());
        let mut standing = Standing::nothing();
        assert_eq!(standing.outage(), None, "nothing should serve");
        standing.current = Some("r1".to_owned());
        standing.instances = vec![post("r1", ended()), post("r1.2", Condition::Well)];
        assert_eq!(standing.outage(), None, "the other one serves");
        standing.instances.pop();
        assert_eq!(standing.outage().unwrap(), "r1 does not serve: signal 9");
        standing.gateway = ended();
        assert_eq!(standing.outage().unwrap(), "the gateway does not serve: signal 9");
    }
}
