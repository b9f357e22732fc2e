//! HTTP to servers of this machine: what is staged, what was just deployed.

use std::time::Duration;

use trainyard_deploy::InstanceToken;

/// Most characters of an answer that an error quotes.
const QUOTED_CHARACTERS_MAX: usize = 400;

/// A client that goes past proxies, which are for the outside, and needs no certificates.
pub(crate) fn client(timeout: Duration) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder().timeout(timeout).no_proxy().tls_certs_only([]).build()
}

/// A request with the token of the instance that is asked, if it asks for one.
pub(crate) fn with_token(
    request: reqwest::RequestBuilder,
    token: Option<&InstanceToken>,
) -> reqwest::RequestBuilder {
    match token.and_then(InstanceToken::header) {
        Some(authorization) => request.header("authorization", authorization),
        None => request,
    }
}

/// The beginning of an answer.
pub(crate) fn quoted(body: &str) -> String {
    body.trim().chars().take(QUOTED_CHARACTERS_MAX).collect()
}
