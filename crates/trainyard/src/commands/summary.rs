//! `--summary`: the outcome of a verb as a file of Markdown.

use std::path::Path;

use trainyard_pipeline::Error;

use crate::failure::Failure;
use crate::printer;

/// Refuses a file that could not be written, before the work that it is to tell of.
pub(crate) fn check_folder(path: Option<&Path>) -> Result<(), Failure> {
    let folder = path.and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
    match folder.filter(|folder| !folder.is_dir()) {
        Some(folder) => Err(Failure::input(format!("there is no folder {}", folder.display()))
            .hint("make it, or choose another file for --summary")),
        None => Ok(()),
    }
}

/// Writes an outcome as Markdown into a file, the failed one too.
pub(crate) fn write_markdown<T>(
    path: &Path,
    outcome: &Result<T, Error>,
    page: impl Fn(&T) -> String,
) -> Result<(), Failure> {
    let text = match outcome {
        Ok(result) => page(result),
        Err(error) => error.to_markdown(),
    };
    std::fs::write(path, text)
        .map_err(|error| Failure::runtime(format!("cannot write {}: {error}", path.display())))
}

/// What the gate said of each rule, where it is the gate that refused.
pub(super) fn show_refusal(error: Option<&Error>) {
    if let Some(Error::Gate(verdict)) = error {
        for line in verdict.lines() {
            printer::line(&format!("gate       {line}"));
        }
    }
}
