//! Where a request comes from, for what is written down of it.

use axum::extract::Request;
use http::HeaderValue;

use super::actor::Actor;
use super::connections::Peer;
use crate::origin::Origin;

/// The origin of a request that has passed the guard, which says who sent it; what a request says of that itself
/// counts for nothing.
pub(super) fn request_origin(request: &Request, id: HeaderValue) -> Origin {
    let actor = request.extensions().get::<Actor>().cloned().unwrap_or_else(Actor::anonymous);
    let address = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    Origin::of_request(actor, address, id)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::header;

    use super::*;

    #[test]
    fn names_count_only_where_the_guard_says_them() {
        let asked = |actor: Option<Actor>| {
            let mut request = Request::new(Body::empty());
            // ada:difference
            let ada = HeaderValue::from_static("Basic YWRhOmRpZmZlcmVuY2U=");
            request.headers_mut().insert(header::AUTHORIZATION, ada);
            if let Some(actor) = actor {
                request.extensions_mut().insert(actor);
            }
            request_origin(&request, HeaderValue::from_static("r"))
        };
        let of = |actor| {
            let origin = asked(actor);
            (origin.who().to_owned(), origin.kind())
        };
        assert_eq!(of(None), (String::new(), "anonymous"));
        assert_eq!(of(Some(Actor::user("bob"))), ("bob".to_owned(), "user"));
        assert_eq!(of(Some(Actor::token("ci", "nightly"))), ("ci".to_owned(), "token"));
    }
}
