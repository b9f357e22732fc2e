//! What waits for approval by whoever asks, with what there is to know in front of each button.

use axum::Extension;
use axum::extract::State;
use maud::{Markup, html};
use trainyard_mlflow::AliasMove;
use trainyard_mlflow::entities::ApprovalRequest;

use super::place::{self, Place};
use crate::error::Result;
use crate::form::Forms;
use crate::posted::{Posted, done, unknown};
use crate::site::Web;
use crate::ticket::Ticket;
use crate::{format, page};

/// Requests of a page.
const SHOWN_MAX: usize = 100;

pub(crate) async fn show(State(web): State<Web>, Extension(ticket): Extension<Ticket>) -> Result {
    let me = place::myself(&web).await?;
    let requests = web.tracking.approvals.waiting().await?;
    let address = web.links.approvals();
    let forms = Forms { ticket: &ticket, address: &address };
    let hint = html! {
        p { "Aliases that are protected move when others have approved: " code { "trainyard server --protect-alias Production" } "." }
    };
    let body = html! {
        h1 { "Approvals that wait for you" }
        @if requests.is_empty() { (page::empty("Nothing waits for you.", &hint)) }
        @for request in requests.iter().take(SHOWN_MAX) { (waiting(&web, forms, request)) }
        @if requests.len() > SHOWN_MAX {
            p.soft { "The first " (SHOWN_MAX) " of " (requests.len()) "; the others are on the pages of their models." }
        }
    };
    Ok(place::respond(&web, me.as_ref(), Some(Place::Approvals), "Approvals", &body))
}

fn waiting(web: &Web, forms: Forms<'_>, request: &ApprovalRequest) -> Markup {
    let ApprovalRequest { model, alias, version, requester, reason, .. } = request;
    html! {
        div.box {
            h2 {
                a href=(web.links.model(model)) { (model) } ": " (alias) " to "
                a href=(web.links.version(model, version)) { "version " (version) }
            }
            p {
                "Asked by " (person(requester)) " at " (format::time(request.requested_at))
                @if !reason.is_empty() { ": " (format::short(reason, 300)) }
                ". " (request.approvals.len()) " of " (request.needed) " approvals"
                @for approval in &request.approvals { ", " (person(&approval.who)) }
                "."
            }
            (forms.form("approve", &decision(request, "Approve")))
            (forms.form("reject", &decision(request, "Reject")))
        }
    }
}

fn person(name: &str) -> &str {
    if name.is_empty() { "somebody" } else { name }
}

fn decision(request: &ApprovalRequest, word: &str) -> Markup {
    let what =
        format!("{word} {} of {} to version {}", request.alias, request.model, request.version);
    html! {
        input type="hidden" name="model" value=(request.model);
        input type="hidden" name="alias" value=(request.alias);
        input type="hidden" name="version" value=(request.version);
        label { "Why " input type="text" name="reason" maxlength="1000"; }
        button.quiet aria-label=(what) { (word) }
    }
}

/// A form of this page.
pub(crate) async fn change(State(web): State<Web>, form: Posted) -> Result {
    let field = |name: &str| form.need(name).map(str::to_owned);
    let wanted =
        AliasMove { model: field("model")?, alias: field("alias")?, version: field("version")? };
    let reason = form.text("reason").trim();
    match form.action() {
        "approve" => {
            web.tracking.approvals.approve(wanted, reason).await?;
        }
        "reject" => web.tracking.approvals.reject(wanted, reason).await?,
        other => return Err(unknown(other)),
    }
    Ok(done(&web.links.approvals()))
}
