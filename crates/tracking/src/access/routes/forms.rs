//! Forms of the pages: how they are read, and how a page knows its own.

use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, header};

use super::asked::Users;
use crate::access::browser::{is_csrf, is_surely_secure};
use crate::access::cookies;
use crate::access::sessions::{csrf, secret};

/// Largest form: a name, a password, and where to go on to.
const FORM_BYTES_MAX: usize = 16 << 10;
/// Time to fill one in.
const FORM_SECONDS: i64 = 600;

/// The last value of a name in a query or a form.
pub(super) fn field(text: &str, name: &str) -> Option<String> {
    let pairs = url::form_urlencoded::parse(text.as_bytes());
    pairs.filter(|(key, _)| key == name).last().map(|(_, value)| value.into_owned())
}

pub(super) fn query(request: &Request, name: &str) -> Option<String> {
    field(request.uri().query().unwrap_or_default(), name)
}

/// The text of a form that was posted; none if it is no form, or too large.
pub(super) async fn form(request: Request) -> Option<(Parts, String)> {
    let (parts, body) = request.into_parts();
    let kind = parts.headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return None;
    }
    let body = to_bytes(body, FORM_BYTES_MAX).await.ok()?;
    Some((parts, String::from_utf8(body.to_vec()).ok()?))
}

pub(super) fn with_cookie(mut answer: Response, cookie: HeaderValue) -> Response {
    answer.headers_mut().append(header::SET_COOKIE, cookie);
    answer
}

/// A page with a form that knows what the cookie beside it is: `page` is given what the form has to know.
pub(super) fn with_form(
    users: &Users,
    headers: &HeaderMap,
    page: impl FnOnce(&str) -> Response,
) -> Response {
    let kept = cookies::value(headers, cookies::FORM).filter(|kept| kept.len() == secret().len());
    let kept = kept.map_or_else(secret, str::to_owned);
    let is_safe = is_surely_secure(headers, users.sign_in.oidc.as_ref());
    let cookie = cookies::set(cookies::FORM, &kept, FORM_SECONDS, is_safe);
    with_cookie(page(&csrf(&kept)), cookie)
}

/// Whether a form is of this browser, by what it has to know.
pub(super) fn is_of_form(headers: &HeaderMap, given: &str) -> bool {
    cookies::value(headers, cookies::FORM).is_some_and(|kept| is_csrf(given, kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_browsers_write_them() {
        let text = "a=1&b=x+y%26z&a=2";
        assert_eq!(field(text, "a").as_deref(), Some("2"));
        assert_eq!(field(text, "b").as_deref(), Some("x y&z"));
        assert_eq!(field(text, "c"), None);
    }
}
