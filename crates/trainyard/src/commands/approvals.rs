//! `trainyard approvals`: what waits for approval, asking for it, and giving it.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use trainyard_mlflow::AliasMove;
use trainyard_mlflow::entities::ApprovalRequest;

use super::moment;
use super::project::TrackingArguments;
use crate::failure::Failure;
use crate::printer;

/// See what waits for approval, ask for it, and give it.
#[derive(Debug, Args)]
#[command(
    after_help = "Who approves is who signs in at the server: MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.\n\nExample:\n  trainyard approvals list\n  trainyard approvals approve Iris Production 4 --reason \"errors looked at\""
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show what waits, and who has agreed
    List(ListArguments),
    /// Ask that an alias may move to a version
    Request(MoveArguments),
    /// Agree; nobody does so twice, or with what they asked for themselves
    Approve(MoveArguments),
    /// Refuse, which ends the request
    Reject(MoveArguments),
}

#[derive(Debug, Args)]
struct ListArguments {
    /// Only this model
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    #[command(flatten)]
    tracking: TrackingArguments,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct MoveArguments {
    /// Registered model
    #[arg(value_name = "MODEL")]
    model: String,
    /// Alias that is to move, or stage
    #[arg(value_name = "ALIAS")]
    alias: String,
    /// Version that it is to name
    #[arg(value_name = "VERSION")]
    version: String,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    tracking: TrackingArguments,
}

impl MoveArguments {
    fn wanted(&self) -> AliasMove {
        AliasMove {
            model: self.model.clone(),
            alias: self.alias.clone(),
            version: self.version.clone(),
        }
    }
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    match arguments.action {
        Action::List(arguments) => {
            let tracking = arguments.tracking.open_known()?;
            let found = tracking.approvals.list(arguments.model.as_deref()).await?;
            if arguments.json {
                printer::json(&found)?;
                return Ok(ExitCode::SUCCESS);
            }
            if found.is_empty() {
                printer::note("nothing waits for approval");
            }
            for request in &found {
                printer::line(&line(request));
            }
        }
        Action::Request(arguments) => {
            let tracking = arguments.tracking.open_known()?;
            let asked = tracking.approvals.request(arguments.wanted(), &arguments.reason).await?;
            printer::line(&line(&asked));
        }
        Action::Approve(arguments) => {
            let tracking = arguments.tracking.open_known()?;
            let asked = tracking.approvals.approve(arguments.wanted(), &arguments.reason).await?;
            printer::line(&line(&asked));
        }
        Action::Reject(arguments) => {
            let tracking = arguments.tracking.open_known()?;
            tracking.approvals.reject(arguments.wanted(), &arguments.reason).await?;
            printer::line(&format!(
                "{} of {} does not move to version {}",
                arguments.alias, arguments.model, arguments.version
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `Production of Iris to version 4: 1 of 2 approvals (bob), asked for by ada 2026-03-01T12:00:00Z: less drift`
fn line(request: &ApprovalRequest) -> String {
    let names: Vec<&str> = request.approvals.iter().map(|approval| approval.who.as_str()).collect();
    let given = match (names.as_slice(), request.needed) {
        ([], 0) => "no approvals".to_owned(),
        ([], needed) => format!("0 of {needed} approvals"),
        (names, 0) => format!("{} approval(s) ({})", names.len(), names.join(", ")),
        (names, needed) => format!("{} of {needed} approvals ({})", names.len(), names.join(", ")),
    };
    let requester =
        if request.requester.is_empty() { "somebody" } else { request.requester.as_str() };
    let reason = if request.reason.is_empty() { "" } else { ": " };
    format!(
        "{} of {} to version {}: {given}, asked for by {requester} {}{reason}{}",
        request.alias,
        request.model,
        request.version,
        moment::shown(request.requested_at),
        request.reason
    )
}

#[cfg(test)]
mod tests {
    use trainyard_mlflow::entities::Approval;

    use super::*;

    #[test]
    fn a_request_is_a_line() {
        let request = ApprovalRequest {
            model: "Iris".to_owned(),
            alias: "Production".to_owned(),
            version: "4".to_owned(),
            requester: "ada".to_owned(),
            requested_at: 1_772_366_400_000,
            reason: "less drift".to_owned(),
            needed: 2,
            approvals: vec![Approval { who: "bob".to_owned(), ..Approval::default() }],
            is_prompt: false,
        };
        assert_eq!(
            line(&request),
            "Production of Iris to version 4: 1 of 2 approvals (bob), asked for by ada \
             2026-03-01T12:00:00Z: less drift"
        );
        let fresh = ApprovalRequest { approvals: Vec::new(), reason: String::new(), ..request };
        assert!(line(&fresh).contains("0 of 2 approvals, asked"), "{}", line(&fresh));
    }
}
