//! What becomes of a request that says who it is from, and the answer of one that does not pass.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, header};
use trainyard_mlflow::{Error, ErrorCode};

use super::actor::Actor;
use super::connections::Peer;
use crate::api::error_answer;

/// What is thought of credentials.
pub(crate) enum Verdict {
    /// They are those of somebody.
    Right(Actor),
    Wrong,
    /// Too many wrong answers were given to this address.
    Wait(Duration),
    /// Too many others wait for a check.
    Busy,
    /// They are nobody's, and their sender may know why.
    Refused(String),
    /// Whoever could tell cannot be asked.
    Unavailable(String),
}

/// Where a request comes from. An address of IPv4 is never one of IPv6, or it would be counted as two.
pub(crate) fn address(request: &Parts) -> IpAddr {
    let peer = request.extensions.get::<Peer>();
    peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0.ip().to_canonical())
}

/// The sender, or the answer they get instead; `verdict` is none if no credentials were sent.
pub(crate) fn admit(verdict: Option<Verdict>, address: IpAddr) -> Result<Actor, Box<Response>> {
    Err(Box::new(match verdict {
        Some(Verdict::Right(actor)) => return Ok(actor),
        None => unauthenticated(
            "This server asks for a user name and password or a token: set \
             MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
        ),
        Some(Verdict::Wrong) => unauthenticated("Wrong user name, password or token"),
        Some(Verdict::Wait(wait)) => {
            tracing::warn!(%address, "too many wrong credentials");
            let seconds = wait.as_secs() + 1;
            let message = format!(
                "too many wrong user names, passwords or tokens came from this address; try \
                 again in {seconds} s"
            );
            let error = Error::api(ErrorCode::RequestLimitExceeded, message);
            let mut answer = error_answer(error);
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            answer
        }
        Some(Verdict::Refused(reason)) => unauthenticated(&format!("Reason: {reason}")),
        Some(Verdict::Unavailable(reason)) => {
            error_answer(Error::api(ErrorCode::TemporarilyUnavailable, reason))
        }
        Some(Verdict::Busy) => error_answer(Error::api(
            ErrorCode::TemporarilyUnavailable,
            "too many passwords are being checked; try again",
        )),
    }))
}

/// In upstream's first words, which scripts and tests of clients look for.
fn unauthenticated(why: &str) -> Response {
    let message = format!("You are not authenticated. {why}");
    let mut answer = error_answer(Error::api(ErrorCode::Unauthenticated, message));
    let headers = answer.headers_mut();
    let basic = HeaderValue::from_static(r#"Basic realm="trainyard", charset="UTF-8""#);
    headers.append(header::WWW_AUTHENTICATE, basic);
    let bearer = HeaderValue::from_static(r#"Bearer realm="trainyard""#);
    headers.append(header::WWW_AUTHENTICATE, bearer);
    answer
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn an_address_has_one_form() {
        let mut request = Request::new(());
        request.extensions_mut().insert(Peer("[::ffff:10.0.0.7]:9".parse().unwrap()));
        let (parts, ()) = request.into_parts();
        assert_eq!(address(&parts).to_string(), "10.0.0.7");
    }
}
