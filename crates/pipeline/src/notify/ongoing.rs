//! What goes on until it is over: an outage, or that nobody can look for drift. Each who is told hears of it once, of another
//! reason once, and of the end, whoever of several processes saw it and however often they were started again: what was
//! told to whom is kept in a file of the project's state.
//!
//! It is written down after it was told: who is killed between tells it twice, and never not at all.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::time::error::Elapsed;
use trainyard_base::file::{Access, replace};

use super::config::Occasion;
use super::happened::{Happened, Trouble};
use super::receiver::Receiver;
use super::state_file;
use super::tell::{repeat, tell};
use crate::Project;

/// The file in the state folder, that of its lock, and the version that is written and read.
const FILE: &str = "told.json";
const LOCK: &str = "told.lock";
const VERSION: u32 = 1;

/// Bytes that are read: two stories of some 60 who are told.
const BYTES_MAX: u64 = 4 << 20;

/// Reasons that one hears of one story; who ended for so many reasons ends for one more.
const REASONS_MAX: usize = 20;

/// Characters of a hash of a reason.
const HASH_CHARS: usize = 16;

/// So long after its end somebody who was away is still told of it.
const OVER_TOLD: TimeDelta = TimeDelta::days(7);

/// So long after whoever keeps a service up said last that it is out, that stands for what a look finds: he says it every few
/// minutes, and one who was ended in an outage says nothing any more.
const SEEN_LATELY: TimeDelta = TimeDelta::minutes(15);

/// How long another process is waited for that tells at this moment: a receiver that is away takes half a minute.
const LOCK_WAIT: Duration = Duration::from_mins(2);
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// What goes on, by who sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum About {
    /// An outage, seen by whoever keeps the service up.
    KeptUp,
    /// An outage, seen at a look from outside: also that instances say they are sick, or a certificate has expired.
    Looked,
    /// That drift could not be looked for.
    Monitor,
}

impl About {
    fn occasion(self) -> Occasion {
        match self {
            Self::KeptUp | Self::Looked => Occasion::Outage,
            Self::Monitor => Occasion::MonitorFailed,
        }
    }

    fn happened(self, trouble: Trouble) -> Happened {
        match self {
            Self::KeptUp | Self::Looked => Happened::Outage(trouble),
            Self::Monitor => Happened::MonitorFailed(trouble),
        }
    }
}

/// What is told of troubles.
#[derive(Debug, Default)]
pub(crate) struct Ongoing {
    /// What could not be written down: a full disk makes nobody hear the same at each look.
    unwritten: Option<Stories>,
}

/// All that goes on, or whose end somebody does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stories {
    schema: String,
    schema_version: u32,
    troubles: BTreeMap<About, Story>,
}

/// One of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Story {
    /// RFC 3339.
    since: String,
    /// When it was seen last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<DateTime<Utc>>,
    /// When it was seen to be over, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    over: Option<DateTime<Utc>>,
    /// Who knows of it, by id, and the reasons that they heard, as hashes.
    told: BTreeMap<String, BTreeSet<String>>,
}

impl Story {
    fn is_seen_lately(&self) -> bool {
        let is_lately = |seen: DateTime<Utc>| (Utc::now() - seen).abs() < SEEN_LATELY;
        self.over.is_none() && self.seen.is_some_and(is_lately)
    }
}

impl Default for Stories {
    fn default() -> Self {
        let schema = "trainyard.told".to_owned();
        Self { schema, schema_version: VERSION, troubles: BTreeMap::new() }
    }
}

impl Ongoing {
    /// Tells whom the project names what is seen now: that it is wrong for this reason, or that nothing is. Returns whether
    /// all have heard it: else it is to be said again.
    pub(crate) async fn say(
        &mut self,
        project: &Project,
        about: About,
        reason: Option<&str>,
    ) -> bool {
        let all = Receiver::all(&project.config.notify);
        let folder = project.state_folder();
        let is_kept = self.unwritten.is_some() || folder.join(FILE).exists();
        if all.is_empty() || reason.is_none() && !is_kept {
            return true;
        }
        let Ok(_alone) = alone(&folder).await else { return false };
        let (is_unwritten, unwritten) = (self.unwritten.is_some(), self.unwritten.take());
        let mut stories = unwritten.unwrap_or_else(|| read(&folder.join(FILE)));
        let before = stories.clone();
        let have_heard = match reason {
            Some(reason) => {
                Box::pin(self.goes_on(project, &mut stories, about, reason, &all)).await
            }
            None => is_over(project, &mut stories, about, &all).await,
        };
        if is_unwritten || stories != before {
            self.write(project, &stories);
        }
        have_heard
    }

    async fn goes_on(
        &mut self,
        project: &Project,
        stories: &mut Stories,
        about: About,
        reason: &str,
        all: &[Receiver],
    ) -> bool {
        let kept_up = stories.troubles.get(&About::KeptUp);
        if about == About::Looked && kept_up.is_some_and(Story::is_seen_lately) {
            // The same outage in other words.
            return true;
        }
        // Of one that was over nobody needs to hear that it is.
        stories.troubles.retain(|one, story| *one != about || story.over.is_none());
        if let Entry::Vacant(new) = stories.troubles.entry(about) {
            new.insert(Story { since: Utc::now().to_rfc3339(), ..Story::default() });
            // Who hears of it later hears the same time, also after this process.
            self.write(project, stories);
        }
        let story = stories.troubles.entry(about).or_default();
        story.seen = Some(Utc::now());
        let hash = hash(reason);
        let (mut first, mut further, mut again) = (Vec::new(), Vec::new(), Vec::new());
        for receiver in all {
            let group = match story.told.get(&receiver.id()) {
                None => &mut first,
                Some(heard) if heard.contains(&hash) || heard.len() >= REASONS_MAX => &mut again,
                Some(_) => &mut further,
            };
            group.push(receiver.clone());
        }
        let of = |is_known| {
            let (reason, since) = (reason.to_owned(), story.since.clone());
            let trouble = Trouble { reason, since, is_known };
            about.happened(trouble)
        };
        let (is_new, is_known) = (of(false), of(true));
        let (mut heard, more, ()) = tokio::join!(
            tell(project, &is_new, &first),
            tell(project, &is_known, &further),
            repeat(project, &is_known, &again),
        );
        heard.extend(more);
        for receiver in &heard {
            story.told.entry(receiver.id()).or_default().insert(hash.clone());
        }
        heard.len() + again.len() == all.len()
    }

    /// Writes down who was told what; in memory where the disk does not take it.
    fn write(&mut self, project: &Project, stories: &Stories) {
        let path = project.state_folder().join(FILE);
        let written = serde_json::to_vec(stories)
            .map_err(io::Error::other)
            .and_then(|bytes| replace(&path, &bytes, Access::Private));
        self.unwritten = None;
        if let Err(error) = written {
            tracing::warn!(%error, "it cannot be written down who was told of a trouble");
            self.unwritten = Some(stories.clone());
        }
    }
}

/// Tells who heard of it that it is over.
async fn is_over(project: &Project, stories: &mut Stories, about: About, all: &[Receiver]) -> bool {
    let Some(story) = stories.troubles.get_mut(&about) else { return true };
    let over = *story.over.get_or_insert_with(Utc::now);
    // Who did not hear that it began need not hear that it is over, and who is not named any more hears nothing.
    let mut to = all.to_vec();
    to.retain(|receiver| story.told.contains_key(&receiver.id()));
    let happened = Happened::Recovered { from: about.occasion(), since: story.since.clone() };
    let heard = tell(project, &happened, &to).await;
    for receiver in &heard {
        story.told.remove(&receiver.id());
    }
    let have_heard = heard.len() == to.len() || Utc::now() - over > OVER_TOLD;
    if have_heard {
        stories.troubles.remove(&about);
    }
    have_heard
}

/// What was told before. One that cannot be read was told nobody: better twice than not at all.
fn read(path: &Path) -> Stories {
    state_file::read(path, VERSION, BYTES_MAX, "who was told of troubles is not known")
}

fn hash(reason: &str) -> String {
    let mut hash = hex::encode(Sha256::digest(reason));
    hash.truncate(HASH_CHARS);
    hash
}

/// The right to tell; an error where somebody else has it for too long. What has no locks, or cannot be written, keeps nobody
/// from telling.
pub(super) async fn alone(folder: &Path) -> Result<Option<File>, Elapsed> {
    let open = || -> io::Result<File> {
        std::fs::create_dir_all(folder)?;
        let path: PathBuf = folder.join(LOCK);
        File::options().create(true).append(true).open(path)
    };
    let Ok(file) = open() else { return Ok(None) };
    let waited = tokio::time::timeout(LOCK_WAIT, async {
        while let Err(TryLockError::WouldBlock) = file.try_lock() {
            tokio::time::sleep(LOCK_PAUSE).await;
        }
    });
    waited.await?;
    Ok(Some(file))
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::UnboundedReceiver;

    use super::super::test_mail::{MailServer, mailing, next_mail};
    use super::*;

    const OUTAGE: About = About::KeptUp;

    async fn subjects(mails: &mut UnboundedReceiver<String>, number: usize) -> Vec<String> {
        let mut subjects = Vec::new();
        for _mail in 0..number {
            let mail = next_mail(mails).await;
            let subject = mail.lines().find_map(|line| line.strip_prefix("Subject: "));
            subjects.push(subject.unwrap().trim().to_owned());
        }
        subjects
    }

    #[tokio::test]
    async fn a_process_that_begins_in_an_outage_says_that_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let (project, mut mails) = mailing(folder.path(), MailServer::default()).await;
        // Nothing is, and nothing was: there is nothing to write down.
        assert!(Ongoing::default().say(&project, OUTAGE, None).await);
        assert!(!project.state_folder().join(FILE).exists());
        for reason in ["exit code 1", "exit code 2", "exit code 1", "exit code 2"] {
            assert!(Ongoing::default().say(&project, OUTAGE, Some(reason)).await);
        }
        for _look in 0..2 {
            assert!(Ongoing::default().say(&project, OUTAGE, None).await);
        }
        let first = next_mail(&mut mails).await;
        assert!(!first.contains("In-Reply-To") && first.contains("exit code 1"), "{first}");
        let (other, last) = (next_mail(&mut mails).await, next_mail(&mut mails).await);
        assert!(other.contains("In-Reply-To") && other.contains("exit code 2"), "{other}");
        assert!(last.contains("In-Reply-To") && last.contains("the outage is over"), "{last}");
        assert!(mails.try_recv().is_err(), "each is told once, whoever saw it");
        // The next one is another thread.
        assert!(Ongoing::default().say(&project, OUTAGE, Some("exit code 1")).await);
        assert_eq!(subjects(&mut mails, 1).await, ["Iris does not serve"]);
        let kept = std::fs::read_to_string(project.state_folder().join(FILE)).unwrap();
        assert!(!kept.contains("example.org") && !kept.contains("exit code"), "{kept}");
    }

    #[tokio::test]
    async fn each_who_was_away_is_told_until_it_is_over_and_nobody_else_twice() {
        let folder = tempfile::tempdir().unwrap();
        let refusing = MailServer { refused: &["away@example.org"], ..MailServer::default() };
        let (mut project, mut mails) = mailing(folder.path(), refusing).await;
        let email = project.config.notify.email.as_mut().unwrap();
        email.to.push("away@example.org".to_owned());
        let mut ongoing = Ongoing::default();
        for _look in 0..2 {
            assert!(!ongoing.say(&project, OUTAGE, Some("gone")).await, "somebody did not hear");
        }
        let first = next_mail(&mut mails).await;
        assert!(first.contains("To: me@example.org, away@example.org"), "{first}");
        assert!(mails.try_recv().is_err(), "who heard is told once");
        // Somebody is back, and hears it as the first of a thread.
        let (back, mut heard) = mailing(folder.path(), MailServer::default()).await;
        let to = project.config.notify.email.as_ref().unwrap().to.clone();
        project.config.notify.email = back.config.notify.email;
        project.config.notify.email.as_mut().unwrap().to = to;
        for _look in 0..2 {
            assert!(ongoing.say(&project, OUTAGE, Some("gone")).await);
        }
        let late = next_mail(&mut heard).await;
        assert!(late.contains("does not serve") && !late.contains("In-Reply-To"), "{late}");
        assert!(heard.try_recv().is_err());
        assert!(ongoing.say(&project, OUTAGE, None).await);
        assert_eq!(subjects(&mut heard, 1).await, ["Re: Iris does not serve"]);
        assert!(heard.try_recv().is_err(), "one message for both");
    }

    #[tokio::test]
    async fn who_never_heard_of_it_does_not_hear_that_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let away = MailServer { greetings: &["554 not here"], ..MailServer::default() };
        let (project, mut mails) = mailing(folder.path(), away).await;
        let mut ongoing = Ongoing::default();
        assert!(!ongoing.say(&project, OUTAGE, Some("gone")).await);
        assert!(ongoing.say(&project, OUTAGE, None).await);
        assert!(ongoing.say(&project, OUTAGE, Some("gone")).await);
        assert_eq!(subjects(&mut mails, 1).await, ["Iris does not serve"]);
    }

    #[tokio::test]
    async fn a_disk_that_takes_nothing_makes_nobody_hear_the_same_twice() {
        let folder = tempfile::tempdir().unwrap();
        let (mut project, mut mails) = mailing(folder.path(), MailServer::default()).await;
        // A file is where the folder should be.
        project.config.deploy.state = crate::FILE_NAME.into();
        let mut ongoing = Ongoing::default();
        for _look in 0..2 {
            assert!(ongoing.say(&project, OUTAGE, Some("gone")).await);
        }
        for _look in 0..2 {
            assert!(ongoing.say(&project, OUTAGE, None).await);
        }
        let told = subjects(&mut mails, 2).await;
        assert_eq!(told, ["Iris does not serve", "Re: Iris does not serve"]);
        assert!(mails.try_recv().is_err());
    }

    #[tokio::test]
    async fn an_outage_that_two_see_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let (project, mut mails) = mailing(folder.path(), MailServer::default()).await;
        let (mut keeping, mut looking) = (Ongoing::default(), Ongoing::default());
        assert!(keeping.say(&project, About::KeptUp, Some("the gateway does not run")).await);
        assert!(looking.say(&project, About::Looked, Some("it does not answer")).await);
        assert!(looking.say(&project, About::Monitor, Some("no such column")).await);
        assert!(keeping.say(&project, About::KeptUp, None).await);
        // What only a look from outside sees is another one.
        assert!(looking.say(&project, About::Looked, Some("the certificate has expired")).await);
        assert!(keeping.say(&project, About::KeptUp, None).await);
        let expected = [
            "Iris does not serve",
            "Iris: drift could not be looked for",
            "Re: Iris does not serve",
            "Iris does not serve",
        ];
        assert_eq!(subjects(&mut mails, 4).await, expected);
        assert!(mails.try_recv().is_err());
    }

    #[tokio::test]
    async fn whoever_was_ended_in_an_outage_does_not_speak_for_those_of_later() {
        let folder = tempfile::tempdir().unwrap();
        let (project, mut mails) = mailing(folder.path(), MailServer::default()).await;
        assert!(Ongoing::default().say(&project, About::KeptUp, Some("exit code 1")).await);
        let path = project.state_folder().join(FILE);
        let mut stories = read(&path);
        let story = stories.troubles.get_mut(&About::KeptUp).unwrap();
        story.seen = Some(Utc::now() - TimeDelta::days(30));
        std::fs::write(&path, serde_json::to_vec(&stories).unwrap()).unwrap();
        for _look in 0..2 {
            let mut looking = Ongoing::default();
            assert!(looking.say(&project, About::Looked, Some("it does not answer")).await);
        }
        assert_eq!(subjects(&mut mails, 2).await, ["Iris does not serve"; 2]);
        assert!(mails.try_recv().is_err());
    }

    #[test]
    fn what_cannot_be_read_was_told_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let of_later = serde_json::json!({
            "schema": "trainyard.told", "schema_version": VERSION + 1, "troubles": {}
        });
        for text in ["{".to_owned(), of_later.to_string()] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read(&path), Stories::default());
        }
    }
}
