//! What a container prints, line by line, as long as somebody listens: over its restarts and those of its engine.

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error as Refusal;
use bollard::query_parameters::LogsOptions;
use futures::{Stream, StreamExt as _};
use tokio::sync::mpsc::Sender;

use super::container;
use super::engine::{Engine, refused};
use crate::clock::now_ms;
use crate::error::Result;
use crate::logs::{Excerpt, Lines};

/// How often a container that has ended is looked at: its engine may bring it back.
const LOOK: Duration = Duration::from_secs(1);

/// Tells the lines that are wanted and, where they are followed, those to come.
pub(super) async fn tell(
    engine: &Engine,
    container: &str,
    excerpt: &Excerpt,
    is_followed: bool,
    tell: &Sender<String>,
) -> Result<()> {
    let mut options = options(excerpt, is_followed);
    loop {
        let stream = Box::pin(engine.docker.logs(container, Some(options.clone())));
        let told = tell_stream(stream, container, tell).await;
        if !is_followed || tell.is_closed() {
            return told;
        }
        // What came within this second comes once more: that is better than a line that is lost.
        options.since = seconds(now_ms());
        "all".clone_into(&mut options.tail);
        if !runs_again(engine, container, tell).await? {
            return Ok(());
        }
    }
}

/// What an engine is asked for the lines that are wanted.
pub(super) fn options(excerpt: &Excerpt, is_followed: bool) -> LogsOptions {
    LogsOptions {
        follow: is_followed,
        stdout: true,
        stderr: true,
        since: excerpt.since_ms.map_or(0, seconds),
        tail: excerpt.last.map_or_else(|| "all".to_owned(), |last| last.to_string()),
        ..LogsOptions::default()
    }
}

fn seconds(ms: u64) -> i32 {
    i32::try_from(ms / 1000).unwrap_or(i32::MAX)
}

/// Tells what an engine tells of something, until it has nothing more to tell.
pub(super) async fn tell_stream(
    mut stream: impl Stream<Item = std::result::Result<LogOutput, Refusal>> + Unpin,
    what: &str,
    tell: &Sender<String>,
) -> Result<()> {
    let (mut output, mut errors) = (Lines::default(), Lines::default());
    loop {
        let part = tokio::select! {
            part = stream.next() => part,
            () = tell.closed() => return Ok(()),
        };
        let lines = match part {
            Some(Ok(LogOutput::StdOut { message } | LogOutput::Console { message })) => {
                output.take(&message)
            }
            Some(Ok(LogOutput::StdErr { message })) => errors.take(&message),
            Some(Ok(LogOutput::StdIn { .. })) => Vec::new(),
            Some(Err(refusal)) => {
                return Err(refused(format!("cannot read the log of {what}"), &refusal));
            }
            None => break,
        };
        for line in lines {
            if tell.send(line).await.is_err() {
                return Ok(());
            }
        }
    }
    for line in [output.end(), errors.end()].into_iter().flatten() {
        // An error would be that nobody listens any more.
        let _told = tell.send(line).await;
    }
    Ok(())
}

/// Waits until the container runs again; `false` when it is gone, or nobody listens.
async fn runs_again(engine: &Engine, container: &str, tell: &Sender<String>) -> Result<bool> {
    loop {
        tokio::time::sleep(LOOK).await;
        match container::inspect(engine, container).await? {
            _ if tell.is_closed() => return Ok(false),
            None => return Ok(false),
            Some((_, state)) if state.running == Some(true) => return Ok(true),
            Some(_) => {}
        }
    }
}
