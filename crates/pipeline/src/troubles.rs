//! What is wrong while nobody watches a terminal: told once, not at every look. What nobody heard is told at the next.

use trainyard_deploy::State;

use crate::notify::{Happened, Occasion, Trouble, repeat, tell};
use crate::service::service;
use crate::{Error, Project};

/// What was wrong at the last look, and was told.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    outage: Option<Trouble>,
    monitor: Option<Trouble>,
}

/// What is to be said of it.
#[derive(Debug, PartialEq, Eq)]
enum News {
    /// It began, or has another reason.
    Is(Trouble),
    /// It goes on as it was.
    Still(Trouble),
    Over(Trouble),
}

impl Troubles {
    /// Tells if clients are not served although they should be.
    pub(crate) async fn look_for_outage(&mut self, project: &Project) {
        // A state that cannot be read says nothing of whether the gateway answers.
        let Ok(status) = trainyard_deploy::status(&service(project)).await else { return };
        // Where some of several instances serve, clients are served.
        let is_down = status.state() == State::Down;
        let outage = status.outage().filter(|_| is_down);
        let outage = outage.map(Trouble::new);
        say(project, &mut self.outage, outage, Occasion::Outage, Happened::Outage).await;
    }

    /// Tells if drift could not be looked for.
    pub(crate) async fn looked(&mut self, project: &Project, failure: Option<&Error>) {
        let failure = failure.map(|error| Trouble::new(error.message()));
        let (from, of) = (Occasion::MonitorFailed, Happened::MonitorFailed);
        say(project, &mut self.monitor, failure, from, of).await;
    }
}

/// Tells what is seen to be wrong now, if that is news.
async fn say(
    project: &Project,
    known: &mut Option<Trouble>,
    now: Option<Trouble>,
    from: Occasion,
    of: impl Fn(Trouble) -> Happened,
) {
    let before = known.clone();
    let has_heard = match news(known, now) {
        Some(News::Is(trouble)) => tell(project, &of(trouble)).await,
        Some(News::Still(trouble)) => {
            repeat(project, &of(trouble)).await;
            true
        }
        Some(News::Over(Trouble { since, .. })) => {
            tell(project, &Happened::Recovered { from, since }).await
        }
        None => true,
    };
    if !has_heard {
        *known = before;
    }
}

/// What is to be said of what is seen to be wrong now.
fn news(before: &mut Option<Trouble>, now: Option<Trouble>) -> Option<News> {
    let last = before.take();
    let Some(mut trouble) = now else { return last.map(News::Over) };
    if let Some(last) = &last {
        trouble.since.clone_from(&last.since);
        trouble.is_known = true;
    }
    *before = Some(trouble.clone());
    let is_same = last.is_some_and(|last| last.reason == trouble.reason);
    Some(if is_same { News::Still(trouble) } else { News::Is(trouble) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::test_mail::{mailing, next_mail};

    #[tokio::test]
    async fn what_nobody_heard_is_told_at_the_next_look() {
        const AWAY: &str = "554 not here";
        let folder = tempfile::tempdir().unwrap();
        let (project, mut mails) = mailing(folder.path(), &[AWAY, "220 here", AWAY]).await;
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

    #[test]
    fn what_goes_on_is_told_once_and_so_is_that_it_is_over() {
        let mut before = None;
        let mut time = 0;
        let trouble = |reason: &str, since: i32, is_known| Trouble {
            reason: reason.to_owned(),
            since: since.to_string(),
            is_known,
        };
        let mut told = |now: Option<&str>| {
            time += 1;
            news(&mut before, now.map(|reason| trouble(reason, time, false)))
        };
        assert_eq!(told(None), None);
        assert_eq!(told(Some("down")), Some(News::Is(trouble("down", 2, false))));
        assert_eq!(told(Some("down")), Some(News::Still(trouble("down", 2, true))));
        assert_eq!(told(Some("slow")), Some(News::Is(trouble("slow", 2, true))));
        assert_eq!(told(None), Some(News::Over(trouble("slow", 2, true))));
        assert_eq!(told(None), None);
        assert_eq!(told(Some("slow")), Some(News::Is(trouble("slow", 7, false))));
    }
}
