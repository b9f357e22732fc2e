//! Who is told of changes of the registry, how that went, and an end to it.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use maud::{Markup, html};
use trainyard_mlflow::{Error as StoreError, WebhookStanding};

use crate::error::Result;
use crate::form::Forms;
use crate::format;
use crate::page::{self, Section};
use crate::posted::{Posted, done, unknown};
use crate::site::Web;
use crate::ticket::Ticket;

pub(crate) async fn show(State(web): State<Web>, Extension(ticket): Extension<Ticket>) -> Result {
    let standings = match &web.beside.webhooks {
        Some(log) => log.webhooks().await?,
        None => Vec::new(),
    };
    let hint = html! {
        p { "Have somebody told when the registry changes:" }
        (page::code("MlflowClient().create_webhook(name=\"serve\", url=\"https://…/webhook\", events=[\"model_version_alias.created\"])"))
    };
    let address = web.links.webhooks();
    let forms = Forms { ticket: &ticket, address: &address };
    let body = html! {
        h1 { "Webhooks" }
        @if standings.is_empty() { (page::empty("No webhooks.", &hint)) }
        @for standing in &standings { (webhook(forms, standing)) }
    };
    let trail = [(web.links.models(), "Models".to_owned())];
    let page = page::layout(&web.links, "Webhooks", Some(Section::Models), &trail, &body);
    Ok(page::respond(StatusCode::OK, &page))
}

fn webhook(forms: Forms<'_>, standing: &WebhookStanding) -> Markup {
    html! {
        h2 { (standing.name) }
        p {
            (standing.host) " "
            @if !standing.is_active { span.badge { "disabled" } }
            @for event in &standing.events { span.badge { (event) } }
        }
        @if standing.deliveries.is_empty() {
            p { "Nothing was told yet." }
        } @else {
            div.scroll {
                table {
                    thead { tr { th { "Event" } th { "State" } th.number { "Attempts" } th { "Last answer" } th.tight { "Changed (UTC)" } } }
                    tbody {
                        @for delivery in &standing.deliveries {
                            tr {
                                td { (delivery.event) }
                                td { (delivery.state) }
                                td.number { (delivery.attempts) }
                                td.soft {
                                    @if let Some(error) = &delivery.last_error { (format::short(error, 120)) }
                                    @else if let Some(status) = delivery.last_status { (status) }
                                }
                                td.tight { (format::time(delivery.created_at)) }
                            }
                        }
                    }
                }
            }
        }
        (changes(forms, standing))
    }
}

fn changes(forms: Forms<'_>, standing: &WebhookStanding) -> Markup {
    let WebhookStanding { id, name, is_active, .. } = standing;
    let hidden = html! { input type="hidden" name="webhook" value=(id); };
    let (action, word) =
        if *is_active { ("pause", "Tell it nothing more") } else { ("resume", "Tell it again") };
    let turn = html! { (hidden) button.quiet aria-label={ (word) ": " (name) } { (word) } };
    let delete = html! {
        (hidden)
        label { "To delete it, write " code { (name) } " " input type="text" name="confirm" autocomplete="off" required; }
        button.danger { "Delete the webhook" }
    };
    html! {
        details.more {
            summary { "Pause or delete " (name) }
            (forms.form(action, &turn))
            @if *is_active { p.soft { "What it was yet to be told is dropped." } }
            (forms.form("delete", &delete))
        }
    }
}

/// A form of the page.
pub(crate) async fn change(State(web): State<Web>, form: Posted) -> Result {
    let Some(log) = &web.beside.webhooks else {
        return Err(StoreError::not_found("this server tells nobody").into());
    };
    let id = form.need("webhook")?;
    match form.action() {
        "pause" => log.set_active(id, false).await?,
        "resume" => log.set_active(id, true).await?,
        "delete" => {
            let standings = log.webhooks().await?;
            let found = standings.iter().find(|standing| standing.id == id);
            let missing = || StoreError::not_found(format!("there is no webhook {id:?}"));
            form.confirm(&found.ok_or_else(missing)?.name)?;
            log.delete(id).await?;
        }
        other => return Err(unknown(other)),
    }
    Ok(done(&web.links.webhooks()))
}
