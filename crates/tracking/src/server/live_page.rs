//! A page that is drawn again and again for whoever watches it, and what changed of its live parts.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use http_body::Body as _;
use serde::Serialize;
use tower::ServiceExt as _;
use trainyard_base::words::live_parts::{CLOSE, DRAWN, HEADER, OPEN};
use trainyard_base::{Budget, Share};

/// Bytes of a page that is drawn for a stream; ours have a tenth of a megabyte.
const PAGE_BYTES_MAX: usize = 8 << 20;
/// Live parts of a page; ours have a handful.
const PARTS_MAX: usize = 32;

/// A page, and what whoever watches it has of it.
pub(super) struct LivePage {
    pages: Router,
    uri: Uri,
    headers: HeaderMap,
    /// Digests of the live parts, by name.
    known: BTreeMap<String, String>,
}

/// Why a look has seen nothing, and the answer that says it.
#[derive(Debug)]
pub(super) enum Unseen {
    /// It may be otherwise next time.
    NotNow(Box<Response>),
    /// There is nothing to be seen any more.
    Over(Box<Response>),
}

/// An event: a part as it is now.
#[derive(Serialize)]
struct Part<'a> {
    #[serde(rename = "part")]
    name: &'a str,
    digest: &'a str,
    html: &'a str,
}

impl LivePage {
    /// The page that a request is of, without what is said of the stream.
    pub(super) fn of(pages: Router, request: &Request) -> Self {
        let mut headers = request.headers().clone();
        let known = headers.get(HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let known = known.split(',').filter_map(|part| part.trim().split_once('='));
        let known = known.take(PARTS_MAX);
        let known = known.map(|(name, digest)| (name.to_owned(), digest.to_owned())).collect();
        for name in [header::ACCEPT_ENCODING, header::RANGE, header::IF_NONE_MATCH] {
            headers.remove(name);
        }
        headers.remove(DRAWN);
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/html"));
        Self { pages, uri: request.uri().clone(), headers, known }
    }

    /// Draws the page, and returns an event for each live part that is not as it was, with their share of the memory.
    pub(super) async fn look(&mut self, memory: &Arc<Budget>) -> Result<(String, Share), Unseen> {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        let answer = match self.pages.clone().oneshot(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        if answer.status().is_server_error() {
            return Err(Unseen::NotNow(Box::new(answer)));
        }
        if answer.status() != StatusCode::OK {
            return Err(Unseen::Over(Box::new(answer)));
        }
        let still = || Unseen::Over(Box::new(StatusCode::NO_CONTENT.into_response()));
        let bytes = answer.body().size_hint().exact().filter(|_| is_page(&answer));
        let bytes = bytes.filter(|bytes| *bytes <= PAGE_BYTES_MAX as u64).ok_or_else(still)?;
        let mut share = memory.take(bytes).map_err(|full| {
            tracing::debug!(%full, "a page is not drawn anew for want of memory");
            Unseen::NotNow(Box::new(StatusCode::SERVICE_UNAVAILABLE.into_response()))
        })?;
        let whole = to_bytes(answer.into_body(), PAGE_BYTES_MAX).await.map_err(|_error| still())?;
        let page = std::str::from_utf8(&whole).map_err(|_error| still())?;
        let parts: Vec<Part<'_>> = parts(page).take(PARTS_MAX).collect();
        if parts.is_empty() {
            return Err(still());
        }
        let mut events = String::new();
        for part in &parts {
            if self.known.get(part.name).is_some_and(|known| known == part.digest) {
                continue;
            }
            // A struct of texts is always JSON.
            let Ok(json) = serde_json::to_string(part) else { continue };
            events.extend(["data: ", json.as_str(), "\n\n"]);
        }
        self.known =
            parts.iter().map(|part| (part.name.to_owned(), part.digest.to_owned())).collect();
        // Less than the page in all but odd cases, which are no reason not to send it.
        let _counted = share.resize(events.len() as u64);
        Ok((events, share))
    }
}

fn is_page(answer: &Response) -> bool {
    let kind = answer.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/html"))
}

/// The live parts of a page of ours, in which nothing that users wrote looks like one: it is escaped.
fn parts(page: &str) -> impl Iterator<Item = Part<'_>> {
    page.split(OPEN).skip(1).filter_map(|rest| {
        let (attributes, rest) = rest.split_once('>')?;
        let (html, _after) = rest.split_once(CLOSE)?;
        let value = |name: &str| {
            let (_before, rest) = attributes.split_once(name)?;
            Some(rest.strip_prefix("=\"")?.split_once('"')?.0)
        };
        Some(Part { name: value("data-part")?, digest: value("data-digest")?, html })
    })
}

#[cfg(test)]
mod tests {
    use axum::routing::get;

    use super::*;

    const PAGE: &str = "<h1>a</h1><live-part data-part=\"one\" data-digest=\"1\"><p>x</p></live-part>\
                        <live-part data-part=\"two\" data-digest=\"2\"></live-part><live-part broken";

    fn request(known: &'static str) -> Request {
        Request::get("/").header(HEADER, known).body(Body::empty()).unwrap()
    }

    fn html(status: StatusCode, page: &'static str) -> Response {
        (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
    }

    fn page(answer: fn() -> Response, known: &'static str) -> LivePage {
        let pages = Router::new().route("/", get(move || std::future::ready(answer())));
        LivePage::of(pages, &request(known))
    }

    #[tokio::test]
    async fn parts_are_sent_that_are_not_known() {
        let memory = Budget::new(1 << 20);
        let whole: fn() -> Response = || html(StatusCode::OK, PAGE);
        let one = "data: {\"part\":\"one\",\"digest\":\"1\",\"html\":\"<p>x</p>\"}\n\n";
        let two = "data: {\"part\":\"two\",\"digest\":\"2\",\"html\":\"\"}\n\n";
        for (known, sent) in [
            ("", format!("{one}{two}")),
            ("one=1", two.to_owned()),
            ("two=2, one=0", one.to_owned()),
            ("one=1,two=2,odd", String::new()),
        ] {
            let mut page = page(whole, known);
            let (events, share) = page.look(&memory).await.unwrap();
            assert_eq!((events.as_str(), share.bytes()), (sent.as_str(), sent.len() as u64));
            drop(share);
            assert_eq!(page.look(&memory).await.unwrap().0, "", "{known}: it is known now");
        }
        assert_eq!(memory.used(), 0);
    }

    #[tokio::test]
    async fn what_is_no_page_with_live_parts_is_over() {
        let memory = Budget::new(1 << 20);
        let answers: [(fn() -> Response, StatusCode); 4] = [
            (|| html(StatusCode::OK, "<p>still</p>"), StatusCode::NO_CONTENT),
            (|| PAGE.into_response(), StatusCode::NO_CONTENT),
            (|| html(StatusCode::FORBIDDEN, PAGE), StatusCode::FORBIDDEN),
            (|| html(StatusCode::NOT_FOUND, PAGE), StatusCode::NOT_FOUND),
        ];
        for (answer, status) in answers {
            match page(answer, "").look(&memory).await {
                Err(Unseen::Over(over)) => assert_eq!(over.status(), status),
                other => panic!("{status}: {other:?}"),
            }
        }
        let broken: fn() -> Response = || html(StatusCode::INTERNAL_SERVER_ERROR, PAGE);
        let seen = page(broken, "").look(&memory).await;
        assert!(matches!(seen, Err(Unseen::NotNow(_))), "{seen:?}");
        let whole: fn() -> Response = || html(StatusCode::OK, PAGE);
        let seen = page(whole, "").look(&Budget::new(10)).await;
        assert!(matches!(seen, Err(Unseen::NotNow(_))), "{seen:?}");
    }
}
