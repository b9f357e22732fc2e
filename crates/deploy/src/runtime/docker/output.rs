//! What a container printed: read from the engine, and kept in a file when the container goes.

use std::path::Path;

use bollard::container::LogOutput;
use bollard::errors::Error as Refusal;
use bollard::query_parameters::LogsOptions;
use futures::{Stream, StreamExt as _};

use super::engine::{Engine, refused};
use crate::error::{Error, Result};

/// Lines that are kept when the container goes.
pub(super) const KEPT_LINES_MAX: usize = 10_000;

/// Bytes that are held in memory on the way.
const BYTES_MAX: usize = 8 << 20;

/// The last lines.
pub(super) async fn read(engine: &Engine, container: &str, tail: usize) -> Result<Vec<String>> {
    let options = LogsOptions {
        stdout: true,
        stderr: true,
        tail: tail.to_string(),
        ..LogsOptions::default()
    };
    let mut bytes = Vec::new();
    let stream = Box::pin(engine.docker.logs(container, Some(options)));
    match gather(stream, &mut bytes).await {
        Ok(()) => Ok(lines(&bytes)),
        Err(refusal) => Err(refused(format!("cannot read the log of {container}"), &refusal)),
    }
}

/// Puts what an engine tells behind what is there, until it has nothing more to tell or too much was told.
pub(super) async fn gather(
    mut stream: impl Stream<Item = Result<LogOutput, Refusal>> + Unpin,
    bytes: &mut Vec<u8>,
) -> Result<(), Refusal> {
    while let Some(part) = stream.next().await {
        match part? {
            LogOutput::StdOut { message }
            | LogOutput::StdErr { message }
            | LogOutput::Console { message } => bytes.extend_from_slice(&message),
            LogOutput::StdIn { .. } => {}
        }
        if bytes.len() > BYTES_MAX {
            break;
        }
    }
    Ok(())
}

/// The lines in what was gathered.
pub(super) fn lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect()
}

/// Writes the output to a file, so that it outlives the container.
pub(super) async fn keep(engine: &Engine, container: &str, path: &Path) -> Result<()> {
    let mut text = read(engine, container, KEPT_LINES_MAX).await?.join("\n");
    text.push('\n');
    write(path, text.as_bytes())
}

/// Writes what was gathered to a file.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(|source| Error::io("cannot write", path, source))
}
