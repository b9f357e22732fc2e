//! Whether a request is answered at all: its method, its token, and whether a model serves.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};
use hyper::Request;
use sha2::{Digest as _, Sha256};
use trainyard_net::Paced;

use super::error::Refusal;
use crate::endpoint::Endpoint;
use crate::served_model::ServedModel;
use crate::server::Server;

pub(super) fn only_get(request: &Request<Paced>) -> Result<(), Refusal> {
    match *request.method() {
        Method::GET | Method::HEAD => Ok(()),
        _ => Err(Refusal::Method("GET")),
    }
}

pub(super) fn only_post(request: &Request<Paced>) -> Result<(), Refusal> {
    if request.method() == Method::POST { Ok(()) } else { Err(Refusal::Method("POST")) }
}

/// Refuses a request without the token. Digests are compared, so that the time it takes says nothing about
/// the token.
pub(super) fn authenticate(server: &Server, headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(token) = &server.options.token else { return Ok(()) };
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    // The scheme is written in any case (RFC 9110, 11.1).
    let given = given.and_then(|value| value.split_once(' '));
    let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let given = given.map_or("", |(_, token)| token);
    if Sha256::digest(given.trim()) == Sha256::digest(token) {
        Ok(())
    } else {
        Err(Refusal::Unauthenticated)
    }
}

/// The model that serves at an endpoint now.
pub(super) fn serving(endpoint: &Endpoint) -> Result<Arc<ServedModel>, Refusal> {
    endpoint.current().ok_or_else(|| Refusal::NotReady(endpoint.not_ready()))
}
