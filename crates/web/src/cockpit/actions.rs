//! What can be done with a model and its versions, with what there is to know in front of each button.
//!
//! Moving an alias is what whoever serves the model follows; releases and rollbacks of what hosts keep up are beside it
//! (`release.rs`).

use maud::{Markup, html};
use trainyard_base::words::tags;
use trainyard_mlflow::entities::{ApprovalRequest, ModelVersion, RegisteredModel, Tag};
use trainyard_signature::contract::{Contract, Effect};

use super::standing::PRODUCTION;
use crate::form::Forms;
use crate::format;
use crate::site::Web;

/// Findings that are shown.
const FINDINGS_SHOWN: usize = 30;

/// What waits for approval of a model; none where there is no such thing.
pub(crate) async fn open_requests(web: &Web, model: &str) -> Vec<ApprovalRequest> {
    match web.tracking.approvals.list(Some(model)).await {
        Ok(requests) => requests,
        Err(error) => {
            tracing::debug!(%error, "no approvals are shown");
            Vec::new()
        }
    }
}

/// Requests for approval, each with what to do about it.
pub(super) fn approvals(web: &Web, forms: Forms<'_>, requests: &[ApprovalRequest]) -> Markup {
    html! {
        @if !requests.is_empty() {
            h2 #approvals { "Waiting for approval" }
            @for request in requests {
                // While somebody writes why, another one may decide: what is written for one request is for no other.
                div.box id={ "approval-" (request.alias) "-" (request.version) } {
                    p {
                        strong { (request.alias) } " to "
                        a href=(web.links.version(&request.model, &request.version)) { "version " (request.version) }
                        ", asked by " (person(&request.requester)) " at " (format::time(request.requested_at))
                        @if !request.reason.is_empty() { ": " (format::short(&request.reason, 300)) }
                        ". " (request.approvals.len()) " of " (request.needed) " approvals"
                        @for approval in &request.approvals { ", " (person(&approval.who)) }
                        "."
                    }
                    (forms.form("approve", &decision(request, "Approve")))
                    (forms.form("reject", &decision(request, "Reject")))
                }
            }
        }
    }
}

fn person(name: &str) -> &str {
    if name.is_empty() { "somebody" } else { name }
}

fn decision(request: &ApprovalRequest, word: &str) -> Markup {
    html! {
        input type="hidden" name="alias" value=(request.alias);
        input type="hidden" name="version" value=(request.version);
        label { "Why " input type="text" name="reason" maxlength="1000"; }
        button.quiet { (word) }
    }
}

/// Changes of a model itself.
pub(super) fn of_model(forms: Forms<'_>, model: &RegisteredModel) -> Markup {
    let rename = html! {
        label { "Name " input type="text" name="name" value=(model.name) required; }
        button.quiet { "Rename" }
    };
    html! {
        details.more {
            summary { "Change or delete this model" }
            (forms.description(model.description.as_deref().unwrap_or_default()))
            (forms.form("rename", &rename))
            (forms.tags(&model.tags))
            @for alias in &model.aliases {
                (forms.form("unalias", &html! {
                    input type="hidden" name="alias" value=(alias.alias);
                    button.quiet { "Remove the alias " (alias.alias) }
                }))
            }
            (forms.delete(&model.name, "Delete the model and all of its versions"))
        }
    }
}

/// What a version would change for clients of the one in production.
pub(super) struct Beside {
    pub(super) production: String,
    pub(super) contract: Contract,
}

/// Whether the gate, or who decides in its place, refused a version.
pub(super) fn is_refused(version: &ModelVersion) -> bool {
    let tag = |key: &str| Tag::find(&version.tags, key);
    tag(tags::GATE) == Some("failed") || tag(tags::STATE) == Some("refused")
}

/// What to do with a version.
pub(super) fn of_version(
    forms: Forms<'_>,
    model: &RegisteredModel,
    version: &ModelVersion,
) -> Markup {
    let is_refused = is_refused(version);
    let alias = html! {
        label { "Alias " input type="text" name="alias" list="aliases" required; }
        datalist id="aliases" {
            @for known in ["Staging", PRODUCTION] { option value=(known) {} }
            @for alias in &model.aliases { option value=(alias.alias) {} }
        }
        @if is_refused {
            label { input type="checkbox" name="refused" value="known" required; " The gate refused it: all the same" }
            button.danger { "Point it at version " (version.version) }
        } @else { button { "Point it at version " (version.version) } }
    };
    let ask = html! {
        label { "Alias " input type="text" name="alias" value=(PRODUCTION) required; }
        label { "Why " input type="text" name="reason" maxlength="1000"; }
        button.quiet { "Ask for approval" }
    };
    html! {
        h2 #next { "What is next" }
        (forms.form("alias", &alias))
        p.soft {
            "Whoever serves the model by this alias follows it at once; a deployment that is managed judges the version first."
            " An alias that is protected moves once others have approved."
        }
        (forms.form("ask", &ask))
        details.more {
            summary { "Change or delete this version" }
            (forms.description(version.description.as_deref().unwrap_or_default()))
            (forms.tags(&version.tags))
            (forms.delete(&version.version, "Delete the version"))
        }
    }
}

/// Which clients of production a version would break, and how.
pub(super) fn contract(beside: &Beside) -> Markup {
    let Beside { production, contract } = beside;
    let findings = contract.findings.iter().filter(|finding| finding.effect != Effect::Harmless);
    html! {
        @if contract.is_kept() {
            p { span.badge.good { "clients go on" } " Requests to version " (production) " are taken by this one." }
        } @else {
            p { span.badge.bad { "breaks clients" } " Requests to version " (production) " are not all taken by this one:" }
        }
        ul { @for finding in findings.take(FINDINGS_SHOWN) { li { (finding) } } }
    }
}
