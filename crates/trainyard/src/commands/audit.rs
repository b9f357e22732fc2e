//! `trainyard audit`: who changed what, whether the log of it was edited, and copies of it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use chrono::Utc;
use clap::{Args, Subcommand};
use trainyard_mlflow::entities::AuditEvent;
use trainyard_mlflow::{AUDIT_EVENTS_MAX, SearchAudit};
use trainyard_tracking::audit::{self, Anchor, Verified};
use trainyard_tracking::{Lending, OpenOptions, Opening};

use super::backend_store::BackendStore;
use super::moment;
use super::project::TrackingArguments;
use crate::exit::FAILED;
use crate::failure::Failure;
use crate::printer;

/// See who changed what; verify, copy and shorten the log of it.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  trainyard audit search --model Iris --action alias. --since 2026-03-01\n  trainyard audit export --to s3://backups/audit\n  trainyard audit verify"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show changes, the newest first
    Search(SearchArguments),
    /// See whether the log is what was written, event by event
    Verify(VerifyArguments),
    /// Copy what is new to a folder or object store, or everything to stdout
    Export(ExportArguments),
    /// Let old events go, once they are verified and copied; what is left can still be verified
    Prune(PruneArguments),
}

#[derive(Debug, Args)]
struct SearchArguments {
    /// What was changed: model:Iris, experiment:3, run:ID, user:ada, role:scientists, webhook:ID
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// The same for a registered model
    #[arg(long, value_name = "NAME", conflicts_with = "subject")]
    model: Option<String>,
    /// The same for a user: their rights, tokens and sign-ins
    #[arg(long, value_name = "NAME", conflicts_with_all = ["subject", "model"])]
    user: Option<String>,
    /// Who did it
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// What was done, or how that begins: alias.set, version.
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Not before: 2026-03-01T12:00 or 2026-03-01, UTC
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    since: Option<i64>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    until: Option<i64>,
    /// How many at most
    #[arg(long, default_value_t = 50, value_name = "N",
        value_parser = clap::value_parser!(i64).range(1..=AUDIT_EVENTS_MAX))]
    max: i64,
    #[command(flatten)]
    tracking: TrackingArguments,
    /// Print events as JSON, a line each
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct VerifyArguments {
    /// Files of an export, instead of the log itself
    #[arg(value_name = "FILES")]
    files: Vec<PathBuf>,
    /// An event and its hash as verify printed them earlier: the log must still have it
    #[arg(long = "anchor", value_name = "ID:HASH")]
    anchors: Vec<Anchor>,
    #[command(flatten)]
    tracking: TrackingArguments,
}

#[derive(Debug, Args)]
struct ExportArguments {
    /// Folder, s3://, gs://, wasbs:// or abfss://; goes on where the last export there ended
    #[arg(long, value_name = "URI")]
    to: Option<String>,
    #[command(flatten)]
    tracking: TrackingArguments,
}

#[derive(Debug, Args)]
struct PruneArguments {
    /// Age of what goes: 400d
    #[arg(long, value_name = "AGE", value_parser = trainyard_base::duration::parse)]
    older_than: Duration,
    /// Where everything is copied to first, as by export
    #[arg(long, value_name = "URI", required_unless_present = "discard")]
    to: Option<String>,
    /// Copy nothing: what goes is gone
    #[arg(long, conflicts_with = "to")]
    discard: bool,
    #[command(flatten)]
    store: BackendStore,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    match arguments.action {
        Action::Search(arguments) => search(arguments).await,
        Action::Verify(arguments) => verify(arguments).await,
        Action::Export(arguments) => export(arguments).await,
        Action::Prune(arguments) => prune(arguments).await,
    }
}

async fn search(arguments: SearchArguments) -> Result<ExitCode, Failure> {
    let tracking = arguments.tracking.open_known()?;
    let model = arguments.model.map(|model| format!("model:{model}"));
    let user = arguments.user.map(|user| format!("user:{user}"));
    let search = SearchAudit {
        subject: arguments.subject.or(model).or(user),
        who: arguments.who,
        action: arguments.action,
        since: arguments.since,
        until: arguments.until,
        newest_first: true,
        max_results: Some(arguments.max),
        ..SearchAudit::default()
    };
    let events = tracking.audit.events(search).await?;
    for event in &events {
        if arguments.json {
            printer::json(event)?;
        } else {
            printer::line(&line(event));
        }
    }
    if events.is_empty() && !arguments.json {
        printer::note("no such change was written down");
    }
    Ok(ExitCode::SUCCESS)
}

async fn verify(arguments: VerifyArguments) -> Result<ExitCode, Failure> {
    let VerifyArguments { files, anchors, tracking } = arguments;
    let found = if files.is_empty() {
        audit::verify(&*tracking.open_known()?.audit, anchors).await?
    } else {
        audit::verify_files(&files, anchors)?
    };
    Ok(tell(&found))
}

fn tell(found: &Verified) -> ExitCode {
    let Verified { events, first, last, faults } = found;
    for fault in faults {
        printer::line(&format!("FAULT {fault}"));
    }
    if faults.len() >= audit::FAULTS_MAX {
        printer::note("there may be more: only the first faults are listed");
    }
    if !faults.is_empty() {
        return ExitCode::from(FAILED);
    }
    match (first, last) {
        (Some(first), Some(last)) => {
            printer::line(&format!("{events} events from {first} on are as they were written"));
            printer::line(&format!("anchor {last}"));
            printer::terminal_hint(
                "keep the anchor where nobody who writes to the database can: `verify --anchor` holds the log to it",
            );
        }
        _ => printer::line("the log is empty"),
    }
    ExitCode::SUCCESS
}

async fn export(arguments: ExportArguments) -> Result<ExitCode, Failure> {
    let tracking = arguments.tracking.open_known()?;
    if let Some(uri) = &arguments.to {
        let done = audit::export(&*tracking.audit, uri).await?;
        printer::line(&format!("copied {} events in {} files to {uri}", done.events, done.files));
        return Ok(ExitCode::SUCCESS);
    }
    let mut after = None;
    loop {
        let events = tracking.audit.events(SearchAudit { after, ..SearchAudit::default() }).await?;
        let Some(last) = events.last() else { return Ok(ExitCode::SUCCESS) };
        printer::line(audit::lines(&events)?.trim_end());
        after = Some(last.id);
    }
}

async fn prune(arguments: PruneArguments) -> Result<ExitCode, Failure> {
    let age = i64::try_from(arguments.older_than.as_millis()).unwrap_or(i64::MAX);
    let before = Utc::now().timestamp_millis().saturating_sub(age);
    let opening = Opening {
        uri: arguments.store.uri()?,
        options: OpenOptions::default(),
        lending: Lending::default(),
    };
    let done = audit::prune(&opening, before, arguments.to.as_deref()).await?;
    if !done.verified.faults.is_empty() {
        printer::warning("nothing went: the log is not what was written");
        return Ok(tell(&done.verified));
    }
    if let (Some(copied), Some(uri)) = (&done.exported, &arguments.to) {
        printer::line(&format!("copied {} events to {uri}", copied.events));
    }
    printer::line(&format!(
        "{} events from before {} are gone",
        done.events,
        moment::shown(before)
    ));
    Ok(ExitCode::SUCCESS)
}

/// `2026-03-01T12:00:00Z  ada  alias.set  model:Iris alias:Production  3 -> 4  (10.0.0.7, request 1f…)`
fn line(event: &AuditEvent) -> String {
    let who = match (event.who.as_str(), &event.token) {
        ("", None) => event.kind.clone(),
        ("", Some(token)) => format!("token {token}"),
        (who, Some(token)) if who != token.as_str() => format!("{who} (token {token})"),
        (who, _) => who.to_owned(),
    };
    let mut line =
        format!("{}  {who}  {}  {}", moment::shown(event.at), event.action, event.subject);
    if !event.part.is_empty() {
        line = format!("{line} {}", event.part);
    }
    line = match (&event.before, &event.after) {
        (None, None) => line,
        (Some(before), None) => format!("{line}  was {before:?}"),
        (None, Some(after)) => format!("{line}  {after:?}"),
        (Some(before), Some(after)) => format!("{line}  {before:?} -> {after:?}"),
    };
    let address = event.address.clone();
    let request = event.request_id.as_ref().map(|id| format!("request {id}"));
    let from: Vec<String> = address.into_iter().chain(request).collect();
    if from.is_empty() { line } else { format!("{line}  ({})", from.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_a_line() {
        let event = AuditEvent {
            at: 1_772_366_400_000,
            action: "alias.set".to_owned(),
            subject: "model:Iris".to_owned(),
            part: "alias:Production".to_owned(),
            before: Some("3".to_owned()),
            after: Some("4".to_owned()),
            who: "ada".to_owned(),
            kind: "user".to_owned(),
            address: Some("10.0.0.7".to_owned()),
            request_id: Some("r1".to_owned()),
            ..AuditEvent::default()
        };
        assert_eq!(
            line(&event),
            "2026-03-01T12:00:00Z  ada  alias.set  model:Iris alias:Production  \"3\" -> \"4\"  \
             (10.0.0.7, request r1)"
        );
        let anonymous = AuditEvent {
            who: String::new(),
            kind: "anonymous".to_owned(),
            before: None,
            address: None,
            request_id: None,
            ..event
        };
        assert!(line(&anonymous).contains("  anonymous  alias.set"), "{}", line(&anonymous));
        assert!(line(&anonymous).ends_with("  \"4\""), "{}", line(&anonymous));
    }
}
