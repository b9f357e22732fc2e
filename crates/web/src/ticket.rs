//! Who may have a form of ours sent: a page of this server in the browser that got it, and nobody else's page.
//!
//! Two checks, as each has a gap. What a browser says itself of where a request comes from (`Sec-Fetch-Site`, else
//! `Origin`) no page can change, but old browsers say nothing. What a form and a cookie both know (a double submit) no
//! other site can read, but whoever has a neighbouring host name can plant a cookie.

use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use maud::{Markup, html};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::cookies;

/// The cookie. It lets nobody in: without the browser's own word it is of no use.
const COOKIE: &str = "trainyard_page";
/// Hex digits of a secret.
const DIGITS: usize = 64;
/// How long a page may be open before its forms are too old: a month.
const SECONDS: u32 = 30 * 24 * 60 * 60;

/// What ties the forms of a page to the browser that got it.
#[derive(Clone)]
pub(crate) struct Ticket {
    secret: String,
    /// The browser does not have it yet.
    is_new: bool,
}

impl Ticket {
    /// The browser's, or a new one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let known = cookies::find(headers, COOKIE).filter(|secret| {
            secret.len() == DIGITS && secret.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        match known {
            Some(secret) => Self { secret: secret.to_owned(), is_new: false },
            None => Self { secret: hex::encode(rand::random::<[u8; 32]>()), is_new: true },
        }
    }

    /// What a form knows; the cookie cannot be told from it.
    fn token(&self) -> String {
        hex::encode(Sha256::digest(format!("form of page {}", self.secret)))
    }

    /// The field that each form has.
    pub(crate) fn field(&self) -> Markup {
        html! { input type="hidden" name="csrf" value=(self.token()); }
    }

    /// The cookie to set, if the browser has none.
    pub(crate) fn cookie(&self) -> Option<HeaderValue> {
        let Self { secret, is_new } = self;
        let text = format!("{COOKIE}={secret}; Path=/; Max-Age={SECONDS}; HttpOnly; SameSite=Lax");
        is_new.then(|| HeaderValue::from_str(&text).ok())?
    }

    /// Whether a form is one of a page that this browser got.
    pub(crate) fn fits(&self, given: &str) -> bool {
        !self.is_new && bool::from(given.as_bytes().ct_eq(self.token().as_bytes()))
    }
}

/// Whether the browser says that a page of this server sent the request, or says nothing.
pub(crate) fn is_own(request: &Parts) -> bool {
    let text = |name: HeaderName| request.headers.get(name).map(HeaderValue::to_str);
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return site.is_ok_and(|site| site == "same-origin");
    }
    let Some(origin) = text(header::ORIGIN) else { return true };
    let host = match text(header::HOST) {
        Some(host) => host.unwrap_or_default(),
        // HTTP/2 has it in the address.
        None => request.uri.authority().map(Authority::as_str).unwrap_or_default(),
    };
    let address = origin.ok().and_then(|origin| origin.split_once("://"));
    !host.is_empty() && address.is_some_and(|(_scheme, own)| own.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn request(headers: &[(&'static str, &str)]) -> Parts {
        let mut request = Request::new(());
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        request.into_parts().0
    }

    #[test]
    fn forms_are_of_pages_of_this_server() {
        let is = |headers: &[(&'static str, &str)]| {
            let all: Vec<_> = [("host", "m.example:5000")].iter().chain(headers).copied().collect();
            is_own(&request(&all))
        };
        assert!(is(&[]), "a browser that says nothing");
        assert!(is(&[("sec-fetch-site", "same-origin")]));
        assert!(is(&[("origin", "http://M.example:5000")]));
        assert!(!is(&[("origin", "http://m.example:5001")]));
        assert!(!is(&[("origin", "null")]));
        assert!(!is(&[("origin", "http://")]));
        assert!(!is(&[("sec-fetch-site", "none")]));
        let neighbour = [("sec-fetch-site", "same-site"), ("origin", "http://m.example:5000")];
        assert!(!is(&neighbour), "a neighbour's page");
    }

    #[test]
    fn a_form_fits_the_browser_that_got_it() {
        let new = Ticket::of(&HeaderMap::new());
        let token = new.token();
        assert!(!new.fits(&token), "a browser without the cookie");
        let cookie = new.cookie().unwrap();
        let line = cookie.to_str().unwrap();
        assert!(line.contains("; HttpOnly; SameSite=Lax") && !line.contains(&token), "{line}");
        let pair = format!("a=b; {}", line.split(';').next().unwrap());
        let back = Ticket::of(&request(&[("cookie", pair.as_str())]).headers);
        assert!(back.fits(&token) && !back.fits("") && back.cookie().is_none());
        let other = Ticket::of(&HeaderMap::new());
        assert!(!back.fits(&other.token()));
        let short = Ticket::of(&request(&[("cookie", "trainyard_page=abc")]).headers);
        assert!(short.is_new);
    }
}
