//! The pages of all services, and of one.

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use futures::future::join3;
use maud::{Markup, html};
use serde::Deserialize;

use super::charts::Span;
use super::controls;
use super::detail::Shown;
use super::list::table;
use super::recorded::{Service, read_all, read_one};
use crate::cockpit::{Candidate, Records, Releases, open_requests};
use crate::error::Result;
use crate::form::Forms;
use crate::live;
use crate::page::{self, Section};
use crate::site::Web;
use crate::ticket::Ticket;

/// Releases of a model that a service shows.
const RELEASES_MAX: i64 = 10;

/// What the address may ask for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    /// How much time charts are of.
    #[serde(default)]
    span: String,
}

/// All services; where there is one, all of it.
pub(crate) async fn list(
    State(web): State<Web>,
    Query(asked): Query<Asked>,
    Extension(ticket): Extension<Ticket>,
) -> Result {
    let (mut services, has_more) = read_all(&web).await?;
    let now = chrono::Utc::now().timestamp_millis();
    let only = match services.as_slice() {
        [service] => Some(sections(&web, service, &asked, &ticket, now).await),
        _ => None,
    };
    let content = html! {
        (table(&web, &mut services, has_more, now))
        @if let Some(sections) = only { (sections) }
    };
    let body = html! { h1 { "Services" } (live::part("services", &content)) };
    Ok(respond(&web, "Services", &[], &body))
}

/// One service, by its run.
pub(crate) async fn show(
    State(web): State<Web>,
    Path(run_id): Path<String>,
    Query(asked): Query<Asked>,
    Extension(ticket): Extension<Ticket>,
) -> Result {
    let service = read_one(&web, &run_id).await?;
    let now = chrono::Utc::now().timestamp_millis();
    let sections = sections(&web, &service, &asked, &ticket, now).await;
    let body = html! {
        h1 { (service.model) " " small { "service" @if service.is_vouched { " on " (service.record.host) } } }
        (live::part("service", &sections))
    };
    let trail = [(web.links.services(), "Services".to_owned())];
    Ok(respond(&web, &format!("Service {}", service.model), &trail, &body))
}

async fn sections(
    web: &Web,
    service: &Service,
    asked: &Asked,
    ticket: &Ticket,
    now: i64,
) -> Markup {
    let releases = Records::last_releases(web, &service.model, RELEASES_MAX);
    let who = controls::who(web, service);
    let (releases, who, requests) = join3(releases, who, open_requests(web, &service.model)).await;
    let only = std::slice::from_ref(service);
    let candidate = match web.tracking.registered_models.get(&service.model).await {
        Ok(model) => Candidate::next(web, &model, only, now).await,
        Err(_not_for_them) => None,
    };
    let address = web.links.service(&service.run_id);
    let forms = Forms { ticket, address: &address };
    let releasing = Releases {
        web,
        forms,
        model: &service.model,
        services: only,
        candidate: candidate.as_ref(),
        requests: &requests,
        now,
    };
    Shown {
        service,
        releases: &releases,
        releasing,
        span: Span::of(&asked.span),
        who: who.as_deref(),
        forms,
        now,
    }
    .sections(web)
}

fn respond(
    web: &Web,
    title: &str,
    trail: &[(String, String)],
    body: &Markup,
) -> axum::response::Response {
    let page = page::layout(&web.links, title, Some(Section::Services), trail, body);
    page::respond(StatusCode::OK, &page)
}
