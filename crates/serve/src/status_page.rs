//! `/`: which models serve and since when, what was asked, and where to try them. It is for people; programs ask
//! `/health` and `/metrics`.

use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue};
use maud::{Markup, html};
use serde_json::Value;
use trainyard_base::status_page::{self, POLICY};

use crate::endpoint::Endpoint;
use crate::health;
use crate::http::response::{HTML, Response, response};
use crate::server::Server;

/// The page; its status is that of [`health::health`] of all models together, for whoever takes it for a health check.
pub(crate) fn page(server: &Server) -> Response {
    let is_ready = server.endpoints.iter().all(|endpoint| health::is_ready(server, endpoint));
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut page = response(status, HTML, document(server, is_ready));
    let headers = page.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    page
}

fn document(server: &Server, is_ready: bool) -> String {
    let below = html! {
        p { @if is_ready { "It serves." } @else { "It does not serve all of its models." } }
        table {
            caption { "Models" }
            tr { th { "model" } th { "version" } th { "state" } th { "since" } th { "links" } }
            @for (place, endpoint) in server.endpoints.iter().enumerate() { (model(server, place, endpoint)) }
        }
        (requests(server))
        nav aria-label="Server" { a href="metrics" { "Metrics" } a href="v2" { "Open Inference" } }
        footer { "Trainyard " (env!("CARGO_PKG_VERSION")) }
    };
    status_page::document("Model server", &below.0)
}

fn model(server: &Server, place: usize, endpoint: &Endpoint) -> Markup {
    let told = health::describe(server, endpoint);
    let text = |key: &str| told.get(key).and_then(Value::as_str).unwrap_or_default();
    // The first answers at the root, whatever its name; paths are not decoded, so other names must be plain.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let below = if place == 0 {
        Some(String::new())
    } else {
        endpoint.name.bytes().all(is_plain).then(|| format!("models/{}/", endpoint.name))
    };
    html! {
        tr {
            td { (endpoint.name) }
            td { (text("version")) @if !text("alias").is_empty() { " (" (text("alias")) ")" } }
            td { (text("status")) @if !text("reason").is_empty() { ": " (text("reason")) } }
            td { (text("loaded_at")) }
            td {
                @if let Some(below) = &below {
                    nav aria-label=(endpoint.name) {
                        a href={ (below) "docs" } { "Try it" }
                        a href={ (below) "health" } { "Health" }
                        a href={ (below) "openapi.json" } { "OpenAPI" }
                    }
                }
            }
        }
    }
}

fn requests(server: &Server) -> Markup {
    let counts = server.metrics.requests();
    html! {
        @if !counts.is_empty() {
            table {
                caption { "Requests since the start" }
                tr { th { "route" } th.n { "answered" } th.n { "refused (4xx)" } th.n { "failed (5xx)" } }
                @for (route, sums) in counts {
                    tr { td { (route) } @for sum in sums { td.n { (sum) } } }
                }
            }
        }
    }
}
