//! What is wrong while nobody watches a terminal: told once, not at every look, and that it is over.

use trainyard_deploy::State;

use crate::notify::{About, Ongoing};
use crate::service::service;
use crate::{Error, Project};

/// What is looked at, and told.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    ongoing: Ongoing,
}

impl Troubles {
    /// Tells if clients are not served although they should be.
    pub(crate) async fn look_for_outage(&mut self, project: &Project) {
        // A state that cannot be read says nothing of whether the gateway answers.
        let Ok(status) = trainyard_deploy::status(&service(project)).await else { return };
        // Where some of several instances serve, clients are served.
        let is_down = status.state() == State::Down;
        let outage = status.outage().filter(|_| is_down);
        self.ongoing.say(project, About::Looked, outage.as_deref()).await;
    }

    /// Tells if drift could not be looked for.
    pub(crate) async fn looked(&mut self, project: &Project, failure: Option<&Error>) {
        let failure = failure.map(Error::message);
        self.ongoing.say(project, About::Monitor, failure.as_deref()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::test_mail::{MailServer, mailing, next_mail};

    #[tokio::test]
    async fn what_nobody_heard_is_told_at_the_next_look() {
        const AWAY: &str = "554 not here";
        let folder = tempfile::tempdir().unwrap();
        let greetings = &[AWAY, "220 here", AWAY];
        let server = MailServer { greetings, ..MailServer::default() };
        let (project, mut mails) = mailing(folder.path(), server).await;
        let mut troubles = Troubles::default();
        let failure = Error::Settings("no such column".to_owned());
        for _look in 0..3 {
            troubles.looked(&project, Some(&failure)).await;
        }
        for _look in 0..3 {
            troubles.looked(&project, None).await;
        }
        let (first, last) = (next_mail(&mut mails).await, next_mail(&mut mails).await);
        assert!(first.contains("could not be looked for") && !first.contains("In-Reply-To"));
        assert!(last.contains("looked for again") && last.contains("In-Reply-To"), "{last}");
        assert!(mails.try_recv().is_err(), "each is told once");
    }
}
