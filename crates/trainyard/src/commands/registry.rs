//! `trainyard registry at`: where aliases pointed at a time, and who moved them there.

use std::process::ExitCode;

use chrono::Utc;
use clap::{Args, Subcommand};
use trainyard_mlflow::entities::{AliasAt, RegistryAt};

use super::moment;
use super::project::TrackingArguments;
use crate::failure::Failure;
use crate::printer;

/// See how the model registry was at a time.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  trainyard registry at 2026-03-01T12:00 --model Iris\n  trainyard registry at now"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show where aliases pointed at a time, who moved them there, and why
    At(AtArguments),
}

#[derive(Debug, Args)]
struct AtArguments {
    /// UTC: 2026-03-01T12:00 or 2026-03-01; or now
    #[arg(value_name = "TIME", value_parser = time)]
    time: i64,
    /// Only this model
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    #[command(flatten)]
    tracking: TrackingArguments,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

fn time(text: &str) -> Result<i64, String> {
    if text == "now" { Ok(Utc::now().timestamp_millis()) } else { moment::parse(text) }
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Action::At(arguments) = arguments.action;
    let tracking = arguments.tracking.open_known()?;
    let found = tracking.audit.registry_at(arguments.time, arguments.model.as_deref()).await?;
    if arguments.json {
        printer::json(&found)?;
        return Ok(ExitCode::SUCCESS);
    }
    for alias in &found.aliases {
        printer::line(&line(alias));
    }
    if let Some(text) = doubt(&found) {
        printer::warning(&text);
    } else if found.aliases.is_empty() {
        printer::note("no alias pointed anywhere then");
    }
    Ok(ExitCode::SUCCESS)
}

/// `models:/Iris@Production is version 3, since 2026-02-27T09:14:00Z by ada: less drift`
fn line(alias: &AliasAt) -> String {
    let AliasAt { model, alias: name, version, since, .. } = alias;
    let who = match (alias.who.as_str(), &alias.token) {
        ("", None) => "somebody".to_owned(),
        ("", Some(token)) => format!("token {token}"),
        (who, Some(token)) if who != token.as_str() => format!("{who} (token {token})"),
        (who, _) => who.to_owned(),
    };
    let since = moment::shown(*since);
    let moved = if alias.is_found {
        format!("found there {since}; who moved it is not known")
    } else {
        format!("since {since} by {who}")
    };
    let reason = alias.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("models:/{model}@{name} was version {version}, {moved}{reason}")
}

/// Why nothing can be said of the time, if so.
fn doubt(found: &RegistryAt) -> Option<String> {
    if found.is_known() {
        return None;
    }
    Some(match found.known_since {
        Some(since) => format!(
            "changes are known since {}; nothing is known of a time before",
            moment::shown(since)
        ),
        None => "no change of this registry was ever written down".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_a_sentence() {
        let alias = AliasAt {
            model: "Iris".to_owned(),
            alias: "Production".to_owned(),
            version: "3".to_owned(),
            since: 1_772_366_400_000,
            who: "ada".to_owned(),
            token: None,
            request_id: None,
            reason: Some("less drift".to_owned()),
            is_found: false,
            event: 7,
        };
        assert_eq!(
            line(&alias),
            "models:/Iris@Production was version 3, since 2026-03-01T12:00:00Z by ada: less drift"
        );
        let by_token = AliasAt { token: Some("ci".to_owned()), reason: None, ..alias.clone() };
        assert!(line(&by_token).ends_with("by ada (token ci)"), "{}", line(&by_token));
        let found = AliasAt { is_found: true, reason: None, ..alias };
        assert!(line(&found).ends_with("who moved it is not known"), "{}", line(&found));
    }

    #[test]
    fn what_is_not_known_is_said() {
        let at = |known_since| RegistryAt { at: 1000, known_since, aliases: Vec::new() };
        assert_eq!(doubt(&at(Some(1000))), None);
        assert!(doubt(&at(Some(1001))).is_some_and(|text| text.contains("1970-01-01T00:00:01Z")));
        assert!(doubt(&at(None)).is_some_and(|text| text.contains("ever")));
    }
}
