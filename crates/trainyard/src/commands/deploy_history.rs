//! `trainyard deploy history`: what was released and taken back, by whom, why, and how it ended.

use std::process::ExitCode;

use trainyard_deploy::{HistoryEntry, Kind, Outcome};
use trainyard_pipeline::service;

use super::project::ProjectArguments;
use crate::failure::Failure;
use crate::printer;

pub(super) fn history(arguments: &ProjectArguments, json: bool) -> Result<ExitCode, Failure> {
    let project = arguments.open_project()?;
    let entries = trainyard_deploy::history(&service(&project))?;
    if json {
        printer::json(&entries)?;
    } else {
        for entry in entries {
            printer::line(&line(&entry));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(entry: &HistoryEntry) -> String {
    let time = i64::try_from(entry.at_ms)
        .ok()
        .and_then(chrono::DateTime::from_timestamp_millis)
        .map_or_else(String::new, |time| time.format("%Y-%m-%d %H:%M:%S").to_string());
    let first = |reason: &str| reason.lines().next().unwrap_or_default().to_owned();
    let outcome = match (&entry.outcome, entry.cause.kind) {
        (Outcome::Released, Kind::Release) => "released".to_owned(),
        (Outcome::Released, Kind::Rollback) => "brought back".to_owned(),
        (Outcome::RolledBack(reason), _) => format!("rolled back: {}", first(reason)),
        (Outcome::Failed(reason), _) => format!("failed: {}", first(reason)),
        (Outcome::Interrupted, _) => "interrupted before the switch".to_owned(),
    };
    let label: Vec<String> =
        entry.label.iter().map(|(key, value)| format!("{key} {value}")).collect();
    let took = printer::took(std::time::Duration::from_millis(entry.took_ms));
    let kind = match entry.cause.kind {
        Kind::Release => "release ",
        Kind::Rollback => "rollback",
    };
    let mut line =
        format!("{time}  {}  {kind}  {} in {took}  {outcome}", entry.id, label.join(", "));
    if !entry.cause.actor.is_empty() {
        line.push_str("  by ");
        line.push_str(&entry.cause.actor);
    }
    if let Some(reason) = &entry.cause.reason {
        line.push_str(": ");
        line.push_str(&first(reason));
    }
    line
}

#[cfg(test)]
mod tests {
    use trainyard_deploy::Cause;

    use super::*;

    #[test]
    fn a_line_says_what_whom_and_why() {
        let mut entry = HistoryEntry {
            id: "r7".to_owned(),
            at_ms: 1_700_000_000_000,
            took_ms: 1500,
            outcome: Outcome::Released,
            from: Some("r6".to_owned()),
            verdicts: Vec::new(),
            cause: Cause {
                kind: Kind::Rollback,
                actor: "ana".to_owned(),
                tool: String::new(),
                reason: Some("wrong threshold".to_owned()),
            },
            label: [("version".to_owned(), "3".to_owned())].into(),
        };
        assert_eq!(
            line(&entry),
            format!(
                "2023-11-14 22:13:20  r7  rollback  version 3 in {}  brought back  by ana: wrong threshold",
                printer::took(std::time::Duration::from_millis(1500))
            )
        );
        entry.cause = Cause::default();
        entry.outcome = Outcome::RolledBack("errors\nmore".to_owned());
        assert!(line(&entry).ends_with("  rolled back: errors"), "{}", line(&entry));
    }
}
