//! Who is told of changes of the registry, and how that went.

use axum::extract::State;
use axum::http::StatusCode;
use maud::{Markup, html};
use trainyard_mlflow::WebhookStanding;

use crate::error::Result;
use crate::format;
use crate::page::{self, Section};
use crate::site::Web;

pub(crate) async fn show(State(web): State<Web>) -> Result {
    let standings = match &web.beside.webhooks {
        Some(log) => log.webhooks().await?,
        None => Vec::new(),
    };
    let hint = html! {
        p { "Have somebody told when the registry changes:" }
        (page::code("MlflowClient().create_webhook(name=\"serve\", url=\"https://…/webhook\", events=[\"model_version_alias.created\"])"))
    };
    let body = html! {
        h1 { "Webhooks" }
        @if standings.is_empty() { (page::empty("No webhooks.", &hint)) }
        @for standing in &standings { (webhook(standing)) }
    };
    let trail = [(web.links.models(), "Models".to_owned())];
    let page = page::layout(&web.links, "Webhooks", Some(Section::Models), &trail, &body);
    Ok(page::respond(StatusCode::OK, &page))
}

fn webhook(standing: &WebhookStanding) -> Markup {
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
    }
}
