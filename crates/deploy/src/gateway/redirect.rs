//! The way to TLS: requests that come without are told to come back with it (RFC 9110, 308: method and body stay what
//! they are). Beside it, who asks whether a name is this machine's gets the answer that was put down for it (ACME,
//! RFC 8555 section 8.3): a file of the service's folder, so that whichever program renews certificates can write it.

use std::io::Read as _;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, LOCATION};
use http::uri::Authority;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;

use super::shared::Shared;
use crate::state::folder::Folder;

/// Where questions of ACME are asked.
const CHALLENGES: &str = "/.well-known/acme-challenge/";

/// Bytes of a question's name and of its answer: some hundred.
const CHALLENGE_BYTES_MAX: usize = 1024;

const HTTPS_PORT: u16 = 443;

/// The answer to a request without TLS.
pub(super) fn answer<B>(shared: &Shared, request: &Request<B>) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    if let Some(answer) = shared.acme.challenges.answer(path) {
        return text(StatusCode::OK, answer.into());
    }
    if let Some(token) = path.strip_prefix(CHALLENGES) {
        return match challenge(&shared.folder, token) {
            Some(answer) => text(StatusCode::OK, answer),
            None => text(StatusCode::NOT_FOUND, Bytes::from_static(b"nothing is here")),
        };
    }
    match secured(request, shared.listen.port()) {
        Some(location) => {
            let sentence = Bytes::from_static(b"this service speaks TLS");
            let mut response = text(StatusCode::PERMANENT_REDIRECT, sentence);
            response.headers_mut().insert(LOCATION, location);
            response
        }
        None => text(StatusCode::BAD_REQUEST, Bytes::from_static(b"the request names no host")),
    }
}

/// What was put down as the answer to a question.
fn challenge(folder: &Folder, token: &str) -> Option<Bytes> {
    // base64url, so it leads nowhere else.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if token.is_empty() || token.len() > CHALLENGE_BYTES_MAX || !token.bytes().all(is_plain) {
        return None;
    }
    let file = std::fs::File::open(folder.acme_challenges().join(token)).ok()?;
    let mut answer = Vec::new();
    file.take(CHALLENGE_BYTES_MAX as u64).read_to_end(&mut answer).ok()?;
    Some(answer.into())
}

/// The same place with TLS, at a port of the host that was asked.
fn secured<B>(request: &Request<B>, port: u16) -> Option<HeaderValue> {
    let named = request.uri().authority().cloned().or_else(|| {
        let host = request.headers().get(HOST)?;
        Authority::try_from(host.as_bytes()).ok()
    })?;
    // A user in front of the host would be one of somebody else's.
    let host = named.host();
    if host.is_empty() || named.as_str().contains('@') {
        return None;
    }
    let port = if port == HTTPS_PORT { String::new() } else { format!(":{port}") };
    let rest = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let rest = if rest.starts_with('/') { rest } else { "/" };
    HeaderValue::from_str(&format!("https://{host}{port}{rest}")).ok()
}

fn text(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_stays_the_same() {
        for (host, path, port, expect) in [
            ("model.example", "/predict?a=1", 443, Some("https://model.example/predict?a=1")),
            ("model.example:80", "/", 8443, Some("https://model.example:8443/")),
            ("[::1]:80", "/x", 443, Some("https://[::1]/x")),
            ("", "/", 443, None),
            ("a b", "/", 443, None),
            ("me@model.example", "/", 443, None),
            ("model.example", "*", 443, Some("https://model.example/")),
        ] {
            let request = Request::get(path).header(HOST, host).body(()).unwrap();
            let found = secured(&request, port);
            assert_eq!(found.as_ref().map(|value| value.to_str().unwrap()), expect, "{host}");
        }
        let unnamed = Request::get("/").body(()).unwrap();
        assert_eq!(secured(&unnamed, 443), None);
    }

    #[test]
    fn only_what_was_put_down_is_answered() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::at(root.path()).unwrap();
        std::fs::create_dir(folder.acme_challenges()).unwrap();
        std::fs::write(folder.acme_challenges().join("to-ken_1"), "to-ken_1.key").unwrap();
        std::fs::write(root.path().join("secret"), "secret").unwrap();
        assert_eq!(challenge(&folder, "to-ken_1").unwrap(), "to-ken_1.key");
        for token in ["", "other", "../secret", "..", "a/b", "to-ken_1%00"] {
            assert_eq!(challenge(&folder, token), None, "{token}");
        }
    }
}
