//! What is wrong while nobody watches a terminal: told once, not at every look.

use trainyard_deploy::State;

use crate::notify::{Happened, Occasion, notify, now, repeat};
use crate::service::service;
use crate::{Error, Project};

/// What was wrong at the last look, and was told.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    outage: Option<Trouble>,
    monitor: Option<Trouble>,
}

/// Something that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Trouble {
    reason: String,
    /// RFC 3339. Another reason is the same trouble.
    since: String,
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
        let of = |Trouble { reason, since }| Happened::Outage { reason, since };
        tell(project, news(&mut self.outage, outage, now()), Occasion::Outage, of).await;
    }

    /// Tells if drift could not be looked for.
    pub(crate) async fn looked(&mut self, project: &Project, failure: Option<&Error>) {
        let of = |Trouble { reason, since }| Happened::MonitorFailed { reason, since };
        let news = news(&mut self.monitor, failure.map(Error::message), now());
        tell(project, news, Occasion::MonitorFailed, of).await;
    }
}

async fn tell(
    project: &Project,
    news: Option<News>,
    from: Occasion,
    of: impl Fn(Trouble) -> Happened,
) {
    match news {
        Some(News::Is(trouble)) => notify(project, &[of(trouble)]).await,
        Some(News::Still(trouble)) => repeat(project, &of(trouble)).await,
        Some(News::Over(Trouble { since, .. })) => {
            notify(project, &[Happened::Recovered { from, since }]).await;
        }
        None => {}
    }
}

/// What is to be said of what is wrong now, at this time.
fn news(before: &mut Option<Trouble>, reason: Option<String>, time: String) -> Option<News> {
    let last = before.take();
    let Some(reason) = reason else { return last.map(News::Over) };
    let since = last.as_ref().map_or(time, |last| last.since.clone());
    let trouble = Trouble { reason, since };
    *before = Some(trouble.clone());
    let is_same = last.as_ref() == Some(&trouble);
    Some(if is_same { News::Still(trouble) } else { News::Is(trouble) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_is_told_once_and_so_is_that_it_is_over() {
        let mut before = None;
        let mut time = 0;
        let mut told = |now: Option<&str>| {
            time += 1;
            news(&mut before, now.map(str::to_owned), time.to_string())
        };
        let trouble = |reason: &str, since: &str| Trouble {
            reason: reason.to_owned(),
            since: since.to_owned(),
        };
        assert_eq!(told(None), None);
        assert_eq!(told(Some("down")), Some(News::Is(trouble("down", "2"))));
        assert_eq!(told(Some("down")), Some(News::Still(trouble("down", "2"))));
        assert_eq!(told(Some("slow")), Some(News::Is(trouble("slow", "2"))));
        assert_eq!(told(None), Some(News::Over(trouble("slow", "2"))));
        assert_eq!(told(None), None);
        assert_eq!(told(Some("slow")), Some(News::Is(trouble("slow", "7"))));
    }
}
