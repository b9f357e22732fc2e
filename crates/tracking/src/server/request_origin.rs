//! Where a request comes from, for what is written down of it.

use axum::extract::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, header};

use super::actor::Actor;
use super::connections::Peer;
use crate::origin::Origin;

/// The origin of a request that has passed the guard. `is_checked` says that whoever asks has signed in, so that
/// what they call themselves is true.
pub(super) fn request_origin(request: &Request, is_checked: bool, id: HeaderValue) -> Origin {
    let known = request.extensions().get::<Actor>().cloned();
    let signed_in = || is_checked.then(|| signed_in(request.headers())).flatten();
    let actor = known.or_else(signed_in).unwrap_or_else(Actor::anonymous);
    let address = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    Origin::of_request(actor, address, id)
}

/// Who has signed in by name and password, or by a token, whose name is not in it.
fn signed_in(headers: &HeaderMap) -> Option<Actor> {
    let (scheme, rest) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Actor::token("", ""));
    }
    let text = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (name, _password) = text.split_once(':')?;
    Some(Actor::user(name))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn asked(authorization: &str, is_checked: bool) -> Origin {
        let request = http::Request::builder().header(header::AUTHORIZATION, authorization);
        let request = request.body(Body::empty()).unwrap();
        request_origin(&request, is_checked, HeaderValue::from_static("r"))
    }

    #[test]
    fn names_count_only_where_passwords_were_asked_for() {
        let ada = format!("Basic {}", STANDARD.encode("ada:difference"));
        assert_eq!((asked(&ada, true).who(), asked(&ada, true).kind()), ("ada", "user"));
        assert_eq!((asked(&ada, false).who(), asked(&ada, false).kind()), ("", "anonymous"));
        assert_eq!((asked("Bearer t", true).who(), asked("Bearer t", true).kind()), ("", "token"));
    }
}
