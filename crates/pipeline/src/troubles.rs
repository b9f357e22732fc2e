//! What is wrong while nobody watches a terminal: told once, not at every look.

use trainyard_deploy::{ServiceStatus, State};

use crate::notify::{Happened, notify};
use crate::service::service;
use crate::{Error, Project};

/// What was wrong at the last look, and was told.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    outage: Option<String>,
    monitor: Option<String>,
}

impl Troubles {
    /// Tells if clients are not served although they should be.
    pub(crate) async fn look_for_outage(&mut self, project: &Project) {
        let status = trainyard_deploy::status(&service(project)).await;
        // A state that cannot be read says nothing of whether the gateway answers.
        // Where some of several instances serve, clients are served.
        let is_down = |status: &ServiceStatus| status.state() == State::Down;
        let outage = status.ok().filter(is_down).and_then(|status| status.outage());
        if let Some(reason) = news(&mut self.outage, outage) {
            notify(project, &[Happened::Outage { reason }]).await;
        }
    }

    /// Tells if drift could not be looked for.
    pub(crate) async fn looked(&mut self, project: &Project, failure: Option<&Error>) {
        if let Some(reason) = news(&mut self.monitor, failure.map(Error::message)) {
            notify(project, &[Happened::MonitorFailed { reason }]).await;
        }
    }
}

/// What is wrong now, if it was not wrong before.
fn news(before: &mut Option<String>, now: Option<String>) -> Option<String> {
    let is_news = *before != now;
    before.clone_from(&now);
    now.filter(|_| is_news)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_is_told_once() {
        let mut before = None;
        let mut told = |now: Option<&str>| news(&mut before, now.map(str::to_owned));
        assert_eq!(told(None), None);
        assert_eq!(told(Some("down")).as_deref(), Some("down"));
        assert_eq!(told(Some("down")), None);
        assert_eq!(told(Some("slow")).as_deref(), Some("slow"));
        assert_eq!(told(None), None);
        assert_eq!(told(Some("slow")).as_deref(), Some("slow"));
    }
}
