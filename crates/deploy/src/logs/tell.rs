//! Tells lines of logs: of one or of several, merged by their times, or as they come.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinSet;

use super::excerpt::{Excerpt, Last};
use super::file;
use super::source::{LogOf, serving};
use super::stamp::stamp;
use crate::clock::now_ms;
use crate::error::Result;
use crate::runtime::Runtimes;
use crate::service::Service;
use crate::state::folder::Folder;

/// How often it is looked whether something else serves.
const LOOK: Duration = Duration::from_secs(1);

/// Lines on their way to whoever reads them: a log that grows faster than it is read waits.
const WAITING_MAX: usize = 1024;

/// Which lines of which logs.
#[derive(Debug, Clone, Default)]
pub struct LogOptions {
    /// Whose; the instances that serve if empty.
    pub of: Vec<LogOf>,
    /// How many of each, the last ones; all if none, up to 100,000.
    pub lines: Option<usize>,
    /// Only those that say that they were written within this time.
    pub since: Option<Duration>,
    /// Go on with the lines that come, until the future is dropped. Where it is not said whose, it goes on with what
    /// serves after a release.
    pub follow: bool,
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Whose it is (`r3`, `gateway`).
    pub of: String,
    /// Without its end.
    pub text: String,
}

/// Tells the lines of logs.
///
/// # Errors
///
/// [`Error::NotDeployed`](crate::Error::NotDeployed) where nothing was ever deployed,
/// [`Error::NoLog`](crate::Error::NoLog) where a log is not there.
pub async fn logs(
    service: &Service,
    options: &LogOptions,
    tell: &mut (dyn FnMut(LogLine) + Send),
) -> Result<()> {
    let folder = Folder::open(service)?;
    for of in &options.of {
        of.check(&folder)?;
    }
    let all = if options.of.is_empty() { serving(&folder)? } else { options.of.clone() };
    if all.is_empty() && !options.follow {
        return Err(folder.not_deployed(service));
    }
    let ago = |since: Duration| {
        now_ms().saturating_sub(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    };
    let excerpt = Excerpt { last: options.lines, since_ms: options.since.map(ago) };
    if options.follow {
        let goes_on = options.of.is_empty();
        return follow(&folder, all, excerpt, goes_on, tell).await;
    }
    let mut parts = Vec::with_capacity(all.len());
    for of in all {
        let lines = read(&folder, &of, &excerpt).await?;
        parts.push((of.name().to_owned(), lines));
    }
    for line in merged(parts) {
        tell(line);
    }
    Ok(())
}

/// The lines of one log that are wanted.
async fn read(folder: &Folder, of: &LogOf, excerpt: &Excerpt) -> Result<Vec<String>> {
    let LogOf::Instance(id) = of else { return file::read(&of.path(folder), excerpt) };
    let Some(instance) = folder.read_instance(id)? else {
        return file::read(&of.path(folder), excerpt);
    };
    let (sender, mut receiver) = mpsc::channel(WAITING_MAX);
    let runtimes = Runtimes::default();
    let telling = async move { runtimes.tell_logs(&instance, excerpt, false, &sender).await };
    let listening = async {
        let mut lines = Last::new(excerpt.max());
        while let Some(line) = receiver.recv().await {
            lines.push(line);
        }
        lines.into_lines()
    };
    let (is_told, lines) = tokio::join!(telling, listening);
    if is_told? { Ok(lines) } else { file::read(&of.path(folder), excerpt) }
}

/// Lines of several logs in the order of their times; those without one stay behind the line before.
fn merged(parts: Vec<(String, Vec<String>)>) -> Vec<LogLine> {
    let mut all = Vec::new();
    for (of, lines) in parts {
        let mut at = 0;
        for text in lines {
            at = stamp(&text).unwrap_or(at);
            all.push((at, LogLine { of: of.clone(), text }));
        }
    }
    // Stable: lines of one log keep their order even where its clock was set back.
    all.sort_by_key(|(at, _line)| *at);
    all.into_iter().map(|(_at, line)| line).collect()
}

/// Tells lines as they come, of what serves then where it is to go on.
async fn follow(
    folder: &Folder,
    all: Vec<LogOf>,
    excerpt: Excerpt,
    goes_on: bool,
    tell: &mut (dyn FnMut(LogLine) + Send),
) -> Result<()> {
    let (sender, mut receiver): (_, Receiver<LogLine>) = mpsc::channel(WAITING_MAX);
    // Dropped with this future, and all of them with it.
    let mut followers = JoinSet::new();
    let mut followed: BTreeSet<LogOf> = BTreeSet::new();
    for of in all {
        followed.insert(of.clone());
        followers.spawn(follow_one(folder.clone(), of, excerpt, sender.clone()));
    }
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            Some(line) = receiver.recv() => tell(line),
            Some(ended) = followers.join_next() => {
                // One whose log is gone has ended well; a panic would be told as nothing.
                if let Ok(ended) = ended {
                    ended?;
                }
            }
            _ = look.tick(), if goes_on => {
                for of in serving(folder)? {
                    if followed.insert(of.clone()) {
                        let all = Excerpt::default();
                        followers.spawn(follow_one(folder.clone(), of, all, sender.clone()));
                    }
                }
            }
        }
    }
}

/// Tells the lines of one log with its name.
async fn follow_one(
    folder: Folder,
    of: LogOf,
    excerpt: Excerpt,
    tell: Sender<LogLine>,
) -> Result<()> {
    let (sender, mut lines) = mpsc::channel(WAITING_MAX);
    let name = of.name().to_owned();
    // It ends the other when it has ended.
    let telling = async move { tell_one(&folder, &of, &excerpt, &sender).await };
    let naming = async move {
        while let Some(text) = lines.recv().await {
            if tell.send(LogLine { of: name.clone(), text }).await.is_err() {
                return;
            }
        }
    };
    let (told, ()) = tokio::join!(telling, naming);
    told
}

async fn tell_one(
    folder: &Folder,
    of: &LogOf,
    excerpt: &Excerpt,
    tell: &Sender<String>,
) -> Result<()> {
    if let LogOf::Instance(id) = of
        && let Some(instance) = folder.read_instance(id)?
        && Runtimes::default().tell_logs(&instance, excerpt, true, tell).await?
    {
        return Ok(());
    }
    let path = of.path(folder);
    let (lines, place, _begun) = file::read_whole_lines(&path, excerpt)?;
    for line in lines {
        if tell.send(line).await.is_err() {
            return Ok(());
        }
    }
    file::follow(&path, place, tell).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_several_logs_are_told_in_the_order_of_their_times() {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        let told = merged(vec![
            (
                "r1".to_owned(),
                lines(&["2026-01-01T00:00:01Z a", " its rest", "2026-01-01T00:00:04Z d"]),
            ),
            ("r1.2".to_owned(), lines(&["2026-01-01T00:00:02Z b", "2026-01-01T00:00:03Z c"])),
        ]);
        let told: Vec<(&str, &str)> = told
            .iter()
            .map(|line| (line.of.as_str(), line.text.trim_start_matches(|c| c != ' ').trim()))
            .collect();
        assert_eq!(
            told,
            [("r1", "a"), ("r1", "its rest"), ("r1.2", "b"), ("r1.2", "c"), ("r1", "d")]
        );
    }
}
