//! HTTP to servers of this machine: what is staged, what was just deployed.

use std::time::Duration;

use reqwest::header::HeaderValue;

/// Most characters of an answer that an error quotes.
const QUOTED_CHARACTERS_MAX: usize = 400;

/// A client that goes past proxies, which are for the outside, and needs no certificates.
pub(crate) fn client(timeout: Duration) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder().timeout(timeout).no_proxy().tls_certs_only([]).build()
}

/// What a request says to a server that wants this token; nothing to one that wants none.
pub(crate) fn bearer(token: Option<&str>) -> Option<HeaderValue> {
    // What is no header was refused when the token was read.
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token?)).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The beginning of an answer.
pub(crate) fn quoted(body: &str) -> String {
    body.trim().chars().take(QUOTED_CHARACTERS_MAX).collect()
}
