//! What a container printed: read from the engine, and kept in a file when the container goes.

use std::path::Path;

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptions;
use futures::StreamExt as _;

use super::engine::{Engine, refused};
use crate::error::{Error, Result};

/// Lines that are kept when the container goes.
const KEPT_LINES_MAX: usize = 10_000;

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
    let mut stream = Box::pin(engine.docker.logs(container, Some(options)));
    let mut bytes = Vec::new();
    while let Some(part) = stream.next().await {
        match part {
            Ok(
                LogOutput::StdOut { message }
                | LogOutput::StdErr { message }
                | LogOutput::Console { message },
            ) => bytes.extend_from_slice(&message),
            Ok(LogOutput::StdIn { .. }) => {}
            Err(refusal) => {
                return Err(refused(format!("cannot read the log of {container}"), &refusal));
            }
        }
        if bytes.len() > BYTES_MAX {
            break;
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().map(str::to_owned).collect())
}

/// Writes the output to a file, so that it outlives the container.
pub(super) async fn keep(engine: &Engine, container: &str, path: &Path) -> Result<()> {
    let mut text = read(engine, container, KEPT_LINES_MAX).await?.join("\n");
    text.push('\n');
    std::fs::write(path, text).map_err(|source| Error::io("cannot write", path, source))
}
