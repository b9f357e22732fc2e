//! Requests of browsers: which pages are for whoever is not signed in yet, where they are sent, and which requests
//! are those of our own pages.

use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Uri, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use subtle::ConstantTimeEq as _;
use trainyard_mlflow::{Error, ErrorCode};

use super::oidc::Oidc;
use super::open_routes::is_named_page;
use super::sessions::csrf;
use crate::server::allowed_hosts::{is_local_origin, is_own_origin};

/// Longest place to go on to.
const NEXT_BYTES_MAX: usize = 1024;
/// Paths, with those below them, that whoever is not signed in may ask for. Clients ask what a server can do before
/// they sign in, as upstream lets them.
const OPEN: [&str; 6] = [
    "/sign-in",
    "/sign-out",
    "/api/3.0/trainyard/sign-in",
    "/ajax-api/3.0/trainyard/sign-in",
    "/api/3.0/mlflow/server-info",
    "/ajax-api/3.0/mlflow/server-info",
];

/// Whether a path is one to sign in by, or to ask before that. What changes something there asks for a form of ours by itself.
pub(super) fn is_open(prefix: &str, path: &str) -> bool {
    let Some(path) = path.strip_prefix(prefix) else { return false };
    OPEN.iter().any(|open| {
        path.strip_prefix(open).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Whether somebody looks at pages, and not a program at the API.
pub(super) fn wants_page(prefix: &str, request: &Parts) -> bool {
    matches!(request.method, Method::GET | Method::HEAD) && is_for_a_page(prefix, request)
}

/// Whether somebody sends the form of a page, and not a program what the API takes.
pub(super) fn sends_form(prefix: &str, request: &Parts) -> bool {
    const FORMS: [&str; 2] = ["application/x-www-form-urlencoded", "multipart/form-data"];
    let is_form = |kind: &str| FORMS.iter().any(|form| kind.starts_with(form));
    request.method == Method::POST
        && text(&request.headers, "content-type").is_some_and(is_form)
        && is_for_a_page(prefix, request)
}

/// Whether the answer is to be read by somebody in a browser.
fn is_for_a_page(prefix: &str, request: &Parts) -> bool {
    let path = request.uri.path();
    text(&request.headers, "accept").is_some_and(|line| line.contains("text/html"))
        && (is_named_page(prefix, path) || !(path.contains("/api/") || path.contains("/ajax-api/")))
}

/// Sends a browser to sign in, and then back.
pub(super) fn to_sign_in(prefix: &str, wanted: &Uri) -> Response {
    let wanted = wanted.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let next = utf8_percent_encode(wanted, NON_ALPHANUMERIC);
    let location = format!("{prefix}/sign-in?next={next}");
    see_other(&location)
}

/// An answer that sends a browser elsewhere, which nobody keeps.
pub(super) fn see_other(location: &str) -> Response {
    let headers = [(header::LOCATION, location), (header::CACHE_CONTROL, "no-store")];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// A place of this server to go on to, whoever wrote it: its front page if it is not one.
pub(super) fn checked_next(prefix: &str, next: &str) -> String {
    // Browsers take a backslash for a slash, and leave tabs and line ends out.
    let is_plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let is_ours = next.starts_with('/') && !next.starts_with("//");
    if is_plain && is_ours && next.len() <= NEXT_BYTES_MAX {
        next.to_owned()
    } else {
        format!("{prefix}/")
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Whether a request with a session's cookie is of a page of ours, or changes nothing.
pub(super) fn is_own(request: &Parts, secret: &str, oidc: Option<&Oidc>) -> bool {
    if matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return true;
    }
    let headers = &request.headers;
    if text(headers, "x-csrf-token").is_some_and(|given| is_csrf(given, secret)) {
        return true;
    }
    // What a browser says itself; no page can make it say otherwise.
    if let Some(site) = text(headers, "sec-fetch-site") {
        return site == "same-origin";
    }
    let host =
        text(headers, "host").or_else(|| request.uri.authority().map(http::uri::Authority::as_str));
    text(headers, "origin").is_some_and(|origin| {
        is_own_origin(origin, host.unwrap_or_default())
            || oidc.is_some_and(|oidc| oidc.is_own_origin(origin))
    })
}

/// Whether a form or a script knows what only pages of this session know.
pub(super) fn is_csrf(given: &str, secret: &str) -> bool {
    given.as_bytes().ct_eq(csrf(secret).as_bytes()).into()
}

/// The answer of what another site asks for.
pub(super) fn foreign() -> Error {
    Error::api(
        ErrorCode::PermissionDenied,
        "this request comes with the cookie of a browser that is signed in, and not from a page of this server; \
         programs sign in with MLFLOW_TRACKING_TOKEN, or with a name and password",
    )
}

/// Whether cookies are for https alone: always, but where a browser says itself that it came over http from elsewhere.
pub(super) fn is_secure(headers: &HeaderMap, oidc: Option<&Oidc>) -> bool {
    if let Some(is_secure) = oidc.and_then(Oidc::is_secure) {
        return is_secure;
    }
    text(headers, "origin")
        .is_none_or(|origin| !origin.starts_with("http://") || is_local_origin(origin))
}

/// The same where a page is only looked at, which browsers say less with: they tell of sites over https and on this
/// machine alone. For a cookie that a plain connection may see.
pub(super) fn is_surely_secure(headers: &HeaderMap, oidc: Option<&Oidc>) -> bool {
    let tells_of_sites = || text(headers, "sec-fetch-site").is_some();
    oidc.and_then(Oidc::is_secure).unwrap_or_else(tells_of_sites)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(method: Method, uri: &str, headers: &[(&'static str, &'static str)]) -> Parts {
        let mut request = http::Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = uri.parse().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        request.into_parts().0
    }

    #[test]
    fn only_what_is_to_sign_in_is_open() {
        for (path, is) in [
            ("/p/sign-in", true),
            ("/p/sign-in/company/callback", true),
            ("/p/sign-out", true),
            ("/p/api/3.0/trainyard/sign-in/token", true),
            ("/p/ajax-api/3.0/mlflow/server-info", true),
            ("/p/api/3.0/mlflow/server-infos", false),
            ("/p/sign-inn", false),
            ("/p/sign-in-x", false),
            ("/sign-in", false),
            ("/p/account", false),
            ("/p/", false),
            ("/p/api/3.0/trainyard/sessions/list", false),
        ] {
            assert_eq!(is_open("/p", path), is, "{path}");
        }
    }

    #[test]
    fn nobody_is_sent_on_to_another_site() {
        for next in [
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "",
            "evil",
            "/a b",
            "/\t/evil",
        ] {
            assert_eq!(checked_next("/p", next), "/p/", "{next}");
        }
        for next in ["/", "/models/Iris?x=1", "/p/#/a"] {
            assert_eq!(checked_next("/p", next), next);
        }
    }

    #[test]
    fn changes_are_for_pages_of_ours() {
        let secret = "session_0";
        let token: &'static str = csrf(secret).leak();
        let is = |method: Method, headers: &[(&'static str, &'static str)]| {
            let mut all = vec![("host", "m.example.com")];
            all.extend(headers);
            is_own(&parts(method, "/x", &all), secret, None)
        };
        assert!(is(Method::GET, &[("origin", "https://evil.example")]));
        assert!(is(Method::POST, &[("origin", "https://m.example.com")]));
        assert!(is(Method::POST, &[("sec-fetch-site", "same-origin")]));
        assert!(is(Method::DELETE, &[("x-csrf-token", token)]));
        assert!(!is(Method::POST, &[]));
        assert!(!is(Method::POST, &[("origin", "https://evil.example")]));
        assert!(!is(Method::POST, &[("origin", "null")]));
        assert!(!is(Method::POST, &[("x-csrf-token", "session_0")]));
        let site = [("sec-fetch-site", "same-site"), ("origin", "https://m.example.com")];
        assert!(!is(Method::POST, &site), "a neighbour's page");
    }

    #[test]
    fn cookies_are_secure_but_where_a_browser_could_not_bring_them_back() {
        let of = |headers: &[(&'static str, &'static str)]| {
            let request = parts(Method::POST, "/", headers);
            (is_secure(&request.headers, None), is_surely_secure(&request.headers, None))
        };
        assert_eq!(of(&[]), (true, false));
        assert_eq!(of(&[("origin", "https://m"), ("sec-fetch-site", "none")]), (true, true));
        assert_eq!(of(&[("origin", "http://10.0.0.5:5000")]), (false, false));
        assert_eq!(of(&[("origin", "http://127.0.0.1:5000")]), (true, false));
    }

    #[test]
    fn programs_are_told_and_people_are_sent() {
        let html = [("accept", "text/html,*/*")];
        assert!(wants_page("", &parts(Method::GET, "/", &html)));
        assert!(!wants_page("", &parts(Method::POST, "/", &html)));
        let form = [html[0], ("content-type", "application/x-www-form-urlencoded")];
        assert!(sends_form("", &parts(Method::POST, "/runs/r", &form)));
        assert!(!sends_form("", &parts(Method::POST, "/runs/r", &form[1..])), "a program");
        assert!(!sends_form("", &parts(Method::POST, "/runs/r", &html)));
        assert!(!sends_form("", &parts(Method::GET, "/runs/r", &form)));
        assert!(!sends_form("", &parts(Method::POST, "/api/2.0/mlflow/runs/create", &form)));
        assert!(!wants_page("", &parts(Method::GET, "/", &[("accept", "*/*")])));
        assert!(!wants_page("", &parts(Method::GET, "/api/2.0/mlflow/runs/get", &html)));
        assert!(wants_page("", &parts(Method::GET, "/models/api/x", &html)));
        let answer = to_sign_in("/p", &"/p/models?a=b".parse().unwrap());
        assert_eq!(answer.headers()["location"], "/p/sign-in?next=%2Fp%2Fmodels%3Fa%3Db");
    }
}
