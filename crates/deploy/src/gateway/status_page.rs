//! `/` for the public, where nothing behind is let through there: whether the service is open, and where to try it.
//!
//! It says nothing that the public could not ask for anyway: counts, versions and addresses are for operators.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use maud::html;
use trainyard_base::status_page::{self, POLICY};

use super::paths::{Audience, Paths};
use super::pause::Mode;
use super::response_body::ResponseBody;
use super::shared::Shared;

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Serves,
    /// Nothing was released, or no instance of it answers.
    Silent,
    Paused,
    Maintenance(String),
}

/// Whether a request is for this page.
pub(super) fn is_asked(audience: Audience, paths: &Paths, method: &Method, path: &str) -> bool {
    let is_reading = matches!(*method, Method::GET | Method::HEAD);
    path == "/" && is_reading && audience == Audience::Public && !paths.let_root_through()
}

/// The page.
pub(super) fn answer(shared: &Shared) -> Response<ResponseBody> {
    let state = state(shared);
    let page = Bytes::from(document(&state));
    let length = page.len();
    let mut response = Response::new(ResponseBody::Own(Full::new(page)));
    if state != State::Serves {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}

fn state(shared: &Shared) -> State {
    match shared.pause.mode() {
        Mode::Maintenance { message, .. } => return State::Maintenance(message),
        Mode::Paused { .. } => return State::Paused,
        Mode::Open => {}
    }
    let route = shared.routes.load();
    let mut replicas = route.current.iter().flat_map(|target| target.replicas.each());
    if replicas.any(|replica| !replica.is_down()) { State::Serves } else { State::Silent }
}

fn document(state: &State) -> String {
    let below = html! {
        p {
            @match state {
                State::Serves => { "It serves." }
                State::Silent => { "Nothing serves now." }
                State::Paused => { "It is paused: requests wait." }
                State::Maintenance(message) => { "Maintenance: " (message) }
            }
        }
        nav aria-label="Service" {
            a href="docs" { "Try it" }
            a href="openapi.json" { "OpenAPI" }
            a href="health" { "Health and version" }
            a href="v2" { "Open Inference" }
        }
    };
    status_page::document("Model service", &below.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_where_nothing_else_is_let_through() {
        use Audience::{Operators, Public};
        let rules =
            |rules: &[&str]| rules.iter().map(|rule| (*rule).to_owned()).collect::<Vec<_>>();
        let asked = |exposed: &[&str], open: &[&str], audience, method| {
            let paths = Paths::new(&rules(exposed), &rules(open)).unwrap();
            assert!(!is_asked(audience, &paths, &method, "/x"));
            is_asked(audience, &paths, &method, "/")
        };
        assert!(asked(&["/feedback"], &["/health"], Public, Method::GET));
        assert!(asked(&[], &[], Public, Method::HEAD));
        assert!(!asked(&[], &[], Public, Method::POST));
        assert!(!asked(&[], &[], Operators, Method::GET));
        assert!(!asked(&["/**"], &[], Public, Method::GET));
        assert!(!asked(&[], &["/"], Public, Method::GET));
    }

    #[test]
    fn what_operators_write_is_text() {
        let page = document(&State::Maintenance("<script>".to_owned()));
        assert!(
            page.contains("Maintenance: &lt;script&gt;") && !page.contains("<script"),
            "{page}"
        );
    }
}
