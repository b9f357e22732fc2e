//! What happens once, such as a release: told until each who is named heard it, in the order in which it happened, whoever of
//! several processes is there to tell. A trouble that goes on has a memory of its own ([`super::ongoing`]).
//!
//! It is written down before it is told: who is killed between tells it twice, and never not at all.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use trainyard_base::file::{Access, replace};

use super::happened::{Happened, Late};
use super::ongoing::alone;
use super::receiver::Receiver;
use super::state_file;
use super::tell::tell;
use crate::Project;

/// The file in the state folder, and the version that is written and read.
const FILE: &str = "untold.json";
const VERSION: u32 = 1;

/// News that wait, the latest, and how long: whoever was away for a week looks by himself.
const NEWS_MAX: usize = 100;
const KEPT: TimeDelta = TimeDelta::days(7);

/// Bytes that are read: so many, each with the text of an error.
const BYTES_MAX: u64 = 16 << 20;

/// News that somebody has not heard, the earliest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Outbox {
    schema: String,
    schema_version: u32,
    news: Vec<Untold>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Untold {
    #[serde(flatten)]
    what: Late,
    /// Who has not heard it, by id.
    to: BTreeSet<String>,
}

impl Default for Outbox {
    fn default() -> Self {
        Self { schema: "trainyard.untold".to_owned(), schema_version: VERSION, news: Vec::new() }
    }
}

/// Tells whoever the project names, and what they did not hear before. Returns when everybody was told, or is away: what was
/// not heard is told with what happens next, and at each look of whoever watches or keeps up the service.
pub async fn notify(project: &Project, happened: &[Happened]) {
    let config = &project.config.notify;
    let all = Receiver::all(config);
    let path = project.state_folder().join(FILE);
    let is_wanted = |one: &&Happened| config.on.contains(&one.wanted_as());
    let fresh: Vec<&Happened> = happened.iter().filter(is_wanted).collect();
    if all.is_empty() || fresh.is_empty() && !path.exists() {
        return;
    }
    let Ok(_alone) = alone(&project.state_folder()).await else {
        tracing::warn!("another process has been telling news for too long: these are told once");
        for one in fresh {
            let _who_heard = tell(project, one, &all).await;
        }
        return;
    };
    let mut outbox = read(&path);
    let before = outbox.clone();
    outbox.forget(&all, Utc::now());
    let waiting = outbox.news.len();
    let to: BTreeSet<String> = all.iter().map(Receiver::id).collect();
    let model = &project.config.model.name;
    outbox.news.extend(
        fresh.iter().map(|one| Untold { what: Late::of(one, model, Utc::now()), to: to.clone() }),
    );
    if !fresh.is_empty() {
        outbox.write(&path);
    }
    // Who does not hear one is away, and hears the next ones after it.
    let mut away: BTreeSet<String> = BTreeSet::new();
    for (place, untold) in outbox.news.iter_mut().enumerate() {
        let is_there = |one: &&Receiver| untold.to.contains(&one.id()) && !away.contains(&one.id());
        let to: Vec<Receiver> = all.iter().filter(is_there).cloned().collect();
        let now = place.checked_sub(waiting).and_then(|place| fresh.get(place));
        let heard = match now {
            Some(happened) => tell(project, happened, &to).await,
            None => tell(project, &Happened::Late(untold.what.clone()), &to).await,
        };
        for receiver in to {
            if heard.contains(&receiver) {
                untold.to.remove(&receiver.id());
            } else {
                away.insert(receiver.id());
            }
        }
    }
    outbox.news.retain(|untold| !untold.to.is_empty());
    let latest = outbox.news.len().saturating_sub(NEWS_MAX);
    outbox.news.drain(..latest);
    if outbox != before || !fresh.is_empty() {
        outbox.write(&path);
    }
}

impl Outbox {
    /// Leaves out what is too old, what nobody wants any more, and those who are not named any more.
    fn forget(&mut self, all: &[Receiver], now: DateTime<Utc>) {
        let ids: BTreeSet<String> = all.iter().map(Receiver::id).collect();
        self.news.retain_mut(|untold| {
            untold.to.retain(|id| ids.contains(id));
            let is_old = now - untold.what.at > KEPT;
            if is_old && !untold.to.is_empty() {
                let text = &untold.what.text;
                tracing::warn!(text, "not everybody heard it within {} days", KEPT.num_days());
            }
            !is_old && !untold.to.is_empty()
        });
    }

    /// Keeps it; what nobody waits for has no file. A full disk keeps nobody from telling.
    fn write(&self, path: &Path) {
        let written = if self.news.is_empty() {
            std::fs::remove_file(path)
        } else {
            let bytes = serde_json::to_vec(self).map_err(io::Error::other);
            bytes.and_then(|bytes| replace(path, &bytes, Access::Private))
        };
        match written {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "it cannot be written down who was told of what happened");
            }
            _ => {}
        }
    }
}

/// What waits. What cannot be read is lost, which is said.
fn read(path: &Path) -> Outbox {
    state_file::read(path, VERSION, BYTES_MAX, "what somebody has not heard is not known")
}

#[cfg(test)]
mod tests {
    use super::super::test_mail::{MailServer, mailing, next_mail};
    use super::*;

    const AWAY: &str = "554 not here";

    fn promoted(version: &str) -> Happened {
        Happened::Promoted { version: version.to_owned(), url: None }
    }

    #[tokio::test]
    async fn what_was_not_heard_is_told_later_in_order_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let server = MailServer { greetings: &[AWAY, AWAY], ..MailServer::default() };
        let (project, mut mails) = mailing(folder.path(), server).await;
        let path = project.state_folder().join(FILE);
        notify(&project, &[promoted("1"), promoted("2")]).await;
        let kept = std::fs::read_to_string(&path).unwrap();
        assert!(!kept.contains("me@example.org"), "{kept}");
        // Another process, and nothing new: the server is away, and then it is there.
        notify(&project, &[]).await;
        notify(&project, &[promoted("3")]).await;
        for (version, is_late) in [("1", true), ("2", true), ("3", false)] {
            let mail = next_mail(&mut mails).await;
            let subject = format!("Subject: Iris version {version} was promoted");
            assert!(mail.contains(&subject), "{mail}");
            assert_eq!(mail.contains("UTC"), is_late, "{mail}");
        }
        assert!(!path.exists());
        notify(&project, &[]).await;
        assert!(mails.try_recv().is_err(), "each is told once");
    }

    #[tokio::test]
    async fn what_is_too_old_or_for_nobody_who_is_named_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let server = MailServer { greetings: &[AWAY], ..MailServer::default() };
        let (project, mut mails) = mailing(folder.path(), server).await;
        let path = project.state_folder().join(FILE);
        notify(&project, &[promoted("1")]).await;
        let mut outbox = read(&path);
        assert_eq!(outbox.news.len(), 1);
        let all = Receiver::all(&project.config.notify);
        let mut other = outbox.clone();
        other.forget(&[Receiver::Slack], Utc::now());
        assert!(other.news.is_empty());
        outbox.news[0].what.at -= KEPT;
        outbox.write(&path);
        outbox.forget(&all, Utc::now());
        assert!(outbox.news.is_empty());
        notify(&project, &[]).await;
        assert!(!path.exists() && mails.try_recv().is_err());
        // What is damaged keeps nothing from being told.
        std::fs::write(&path, "{").unwrap();
        notify(&project, &[promoted("2")]).await;
        assert!(next_mail(&mut mails).await.contains("version 2"));
        assert!(!path.exists());
    }
}
